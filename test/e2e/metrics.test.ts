/** `/metrics` of `serin up` as a process, of requests and calls over real sockets. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metadata, status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { greeterClient, hello, startGreeter } from '../helpers/greeter.ts';
import { RawClient } from '../helpers/raw-client.ts';
import { SerinProcess } from '../helpers/serin-process.ts';
import { ask, close, listen } from '../helpers/upstream.ts';

const HEAD = 'apiVersion: networking.istio.io/v1\n';

/** A host with one endpoint. @param protocol  Of its port. */
function service(host: string, protocol: 'HTTP' | 'GRPC', port: number): string {
  return `${HEAD}kind: ServiceEntry
metadata: { name: ${host.replaceAll('.', '-')} }
spec:
  hosts: [${host}]
  ports: [{ number: 80, name: ${protocol.toLowerCase()}, protocol: ${protocol} }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { ${protocol.toLowerCase()}: ${port} } }]
---
`;
}

test('requests and calls by how they ended, and the sizes of their bodies', async () => {
  const plain = createServer((request, response) => {
    request.resume().on('end', () => (request.method === 'POST' ? response.end('x'.repeat(3000)) : response.writeHead(404).end('no')));
  });
  const plainPort = await listen(plain);
  const greeter = await startGreeter(({ request }, done) =>
    request === 'fail' ? done({ code: status.NOT_FOUND, details: '', metadata: new Metadata() }) : done(null, `hello ${request}`),
  );
  const directory = mkdtempSync(join(tmpdir(), 'serin-metrics-'));
  const file = join(directory, 'config.yaml');
  const hosts = [service('plain.test', 'HTTP', plainPort), service('greeter.test', 'GRPC', greeter.port), service('gone.test', 'GRPC', 1)];
  writeFileSync(file, hosts.join(''));
  const ports = ['--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const serin = new SerinProcess(['up', '-f', file, '--state', join(directory, 'state'), ...ports]);
  onTestFinished(async () => {
    await serin.end();
    await close(plain);
    rmSync(directory, { recursive: true, force: true });
  });
  await serin.ready();
  const mesh = serin.address('mesh');

  const client = await RawClient.connect(mesh.port);
  onTestFinished(() => client.close());
  client.write(`POST / HTTP/1.1\r\nHost: plain.test\r\nTransfer-Encoding: chunked\r\n\r\n2bc\r\n${'y'.repeat(700)}\r\n0\r\n\r\n`);
  expect((await client.response()).status).toBe(200);
  client.write('GET / HTTP/1.1\r\nHost: plain.test\r\n\r\n');
  expect((await client.response()).status).toBe(404);
  const call = async (host: string, text: string): Promise<number> =>
    (await hello(greeterClient(mesh.port, undefined, { 'grpc.default_authority': host }), text)).code;
  expect([await call('greeter.test', 'you'), await call('greeter.test', 'fail'), await call('gone.test', 'you')]).toEqual([
    status.OK,
    status.NOT_FOUND,
    status.UNAVAILABLE,
  ]);

  const { body } = await ask(serin.address('admin'), { path: '/metrics' });
  const samples = body.split('\n').filter((line) => line.startsWith('istio_re'));
  const label = (line: string, name: string): string | undefined => new RegExp(`[{,]${name}="([^"]*)"`).exec(line)?.[1];
  const value = (line: string): number => Number(line.split(' ').at(-1));
  const told = ['destination_service', 'request_protocol', 'response_code', 'grpc_response_status', 'response_flags'];
  const requests = samples.filter((line) => line.startsWith('istio_requests_total{'));
  expect(requests.map((line) => [...told.map((name) => label(line, name)), value(line)])).toEqual([
    ['plain.test', 'http', '200', undefined, '-', 1],
    ['plain.test', 'http', '404', undefined, '-', 1],
    ['greeter.test', 'grpc', '200', '0', '-', 1],
    ['greeter.test', 'grpc', '200', '5', '-', 1],
    ['gone.test', 'grpc', '200', '14', 'UF', 1],
  ]);

  const of = (name: string, host: string, le?: string): number[] =>
    samples
      .filter((line) => line.startsWith(`${name}{`) && label(line, 'destination_service') === host && label(line, 'le') === le)
      .map(value);
  expect([of('istio_request_bytes_sum', 'plain.test'), of('istio_response_bytes_sum', 'plain.test')]).toEqual([[700], [3002]]);
  expect(['0.5', '500', '1000', '+Inf'].map((le) => of('istio_request_bytes_bucket', 'plain.test', le))).toEqual([[1], [1], [2], [2]]);
  expect(['1', '5', '2500', '5000'].map((le) => of('istio_response_bytes_bucket', 'plain.test', le))).toEqual([[0], [1], [1], [2]]);
  // Each message has five octets before it: `you` and `fail`, `hello you`.
  expect([of('istio_request_bytes_sum', 'greeter.test'), of('istio_response_bytes_sum', 'greeter.test')]).toEqual([[17], [14]]);
  expect(of('istio_request_duration_milliseconds_count', 'greeter.test')).toEqual([2]);
  expect(of('istio_response_bytes_sum', 'gone.test')).toEqual([0]);
});
