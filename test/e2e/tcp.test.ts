/** A Gateway's TCP port end to end: by weight, counted by Istio's names, and over a reload that takes the rule's weights away. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { RawClient } from '../helpers/raw-client.ts';
import { RawUpstream } from '../helpers/raw-upstream.ts';
import { serin as run, SerinProcess } from '../helpers/serin-process.ts';

/** Answers every read with its name before it. */
async function version(name: string): Promise<RawUpstream> {
  const upstream = await RawUpstream.start((side) => {
    side.socket.on('data', (bytes: Buffer) => side.write(`${name} ${bytes.toString()}`));
  });
  onTestFinished(() => upstream.close());
  return upstream;
}

const config = (v1: number, v2: number, weights: readonly [number, number]): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: bytes }
spec: { servers: [{ port: { number: 31400, name: tcp, protocol: TCP }, hosts: ['*'] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: echo }
spec:
  hosts: ['*']
  gateways: [bytes]
  tcp:
    - match: [{ port: 31400 }]
      route:
        - { destination: { host: echo, port: { number: 9000 }, subset: v1 }, weight: ${weights[0]} }
        - { destination: { host: echo, port: { number: 9000 }, subset: v2 }, weight: ${weights[1]} }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: echo }
spec: { host: echo, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: echo }
spec:
  hosts: [echo]
  ports: [{ number: 9000, name: tcp, protocol: TCP }]
  resolution: STATIC
  endpoints:
    - { address: 127.0.0.1, ports: { tcp: ${v1} }, labels: { version: v1 } }
    - { address: 127.0.0.1, ports: { tcp: ${v2} }, labels: { version: v2 } }
`;

test("Istio's TCP shifting: all to v1, then all to v2, with a connection that outlives it", async () => {
  const [v1, v2] = [await version('one'), await version('two')];
  const directory = mkdtempSync(join(tmpdir(), 'serin-tcp-'));
  const file = join(directory, 'serin.yaml');
  writeFileSync(file, config(v1.port, v2.port, [100, 0]));
  const ports = ['--listen', '31400=127.0.0.1:0', '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const serin = new SerinProcess(['up', '-f', file, '--state', join(directory, 'state'), ...ports]);
  onTestFinished(async () => {
    await serin.end();
    rmSync(directory, { recursive: true, force: true });
  });
  await serin.ready();
  expect(serin.out).toMatch(/^31400 +tcp:\/\/127\.0\.0\.1:\d+ +Gateway default\/bytes$/m);
  const connected = async (): Promise<RawClient> => {
    const client = await RawClient.connect(serin.address('31400').port);
    onTestFinished(() => client.close());
    return client;
  };
  const long = await connected();
  long.write('hello');
  await long.until(() => long.text === 'one hello', 'the answer of v1');

  const before = serin.err.length;
  writeFileSync(file, config(v1.port, v2.port, [0, 100]));
  await serin.logged(/configuration/, before);
  const later = await connected();
  later.write('hello');
  await later.until(() => later.text === 'two hello', 'the answer of v2');
  long.write('again');
  await long.until(() => long.text === 'one helloone again', 'the old connection');

  const { host, port } = serin.address('admin');
  const metrics = await (await fetch(`http://${host}:${port}/metrics`)).text();
  const opened = metrics.split('\n').filter((line) => line.startsWith('istio_tcp_connections_opened_total{'));
  expect(opened.map((line) => /destination_version="(\w+)".*request_protocol="tcp".* (\d+)$/.exec(line)?.slice(1))).toEqual([
    ['v1', '1'],
    ['v2', '1'],
  ]);
  expect(metrics).toMatch(/^istio_tcp_received_bytes_total\{.*destination_version="v1".*\} 10$/m);
  expect(metrics).toMatch(/^istio_tcp_sent_bytes_total\{.*destination_version="v2".*\} 9$/m);
});

test('serin shift moves new connections, and --reset brings back what the files say', async () => {
  const [v1, v2] = [await version('one'), await version('two')];
  const directory = mkdtempSync(join(tmpdir(), 'serin-tcp-'));
  const [file, state] = [join(directory, 'serin.yaml'), join(directory, 'state')];
  writeFileSync(file, config(v1.port, v2.port, [100, 0]));
  const daemon = new SerinProcess([
    'up',
    '-f',
    file,
    '--state',
    state,
    '--listen',
    '31400=127.0.0.1:0',
    '--mesh',
    'off',
    '--admin',
    '127.0.0.1:0',
  ]);
  onTestFinished(async () => {
    await daemon.end();
    rmSync(directory, { recursive: true, force: true });
  });
  await daemon.ready();
  const answered = async (expected: string): Promise<void> => {
    const client = await RawClient.connect(daemon.address('31400').port);
    onTestFinished(() => client.close());
    client.write('hello');
    await client.until(() => client.text === `${expected} hello`, `the answer of ${expected}`);
  };
  await answered('one');
  const shifted = await run(['shift', 'echo', 'v1=0', 'v2=1', '--state', state]);
  expect(shifted).toMatchObject({ code: 0, out: 'echo.default.svc.cluster.local: v1 100%, v2 0% -> v1 0%, v2 100%\n', err: '' });
  await answered('two');
  expect((await run(['diff', '-f', file, '--state', state])).out).toMatch(/^overlay: VirtualService default\/echo, by shift;/m);
  expect(await run(['shift', 'echo', '--reset', '--state', state])).toMatchObject({ code: 0 });
  await answered('one');
});
