/** How endpoints are asked: as requests would. What becomes of the results is in health-check.test.ts. */
import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createSecureServer, createServer as createHttp2Server } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { authority, type Authority, type Issued } from '../../test/helpers/certificates.ts';
import { probe, type ProbeResult, type ProbeTarget } from './health-probe.ts';

let ca: Authority;
let own: Issued;

beforeAll(async () => {
  ca = await authority();
  own = await ca.issue(['app.test']);
});

const NEVER = new AbortController().signal;

async function listen(server: Server): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => open.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function ask(port: number, how: Partial<ProbeTarget> = {}, signal = NEVER): Promise<ProbeResult> {
  return probe({ address: '127.0.0.1', port, host: 'app.test', path: '/healthz', timeoutMs: 5000, ...how }, signal);
}

const tls = (): ProbeTarget['tls'] => ({ ca: ca.cert, servername: 'app.test' });

/** Passes what asks for the right thing. */
const checked: RequestListener = ({ url, headers }, response) => {
  response.writeHead(url === '/healthz' && (headers.host ?? headers[':authority']) === 'app.test' ? 200 : 500).end('fine');
};

const PASSED = { passed: true, detail: 'status 200', answered: true };

test('in HTTP/1.1, in plain text and over TLS', async () => {
  expect(await ask(await listen(createHttpServer(checked)))).toEqual(PASSED);
  expect(await ask(await listen(createHttpsServer({ cert: own.cert, key: own.key }, checked)), { tls: tls() })).toEqual(PASSED);
});

test('in HTTP/2, by prior knowledge and by ALPN', async () => {
  const plain = createHttp2Server(checked as never);
  expect(await ask(await listen(plain), { isHttp2: true })).toEqual(PASSED);
  const secure = createSecureServer({ cert: own.cert, key: own.key }, checked as never);
  expect(await ask(await listen(secure), { isHttp2: true, tls: tls() })).toEqual(PASSED);
});

test('a status decides in HTTP/2, too', async () => {
  const port = await listen(createHttp2Server((_request, response) => response.writeHead(503).end()));
  expect(await ask(port, { isHttp2: true })).toEqual({ passed: false, detail: 'status 503', answered: true });
});

test('a server that does not speak HTTP/2 fails', async () => {
  expect(await ask(await listen(createHttpServer(checked)), { isHttp2: true })).toMatchObject({ passed: false });
  const secure = createHttpsServer({ cert: own.cert, key: own.key, ALPNProtocols: ['http/1.1'] }, checked);
  expect(await ask(await listen(secure), { isHttp2: true, tls: tls() })).toMatchObject({ passed: false });
});

test('a certificate of somebody else fails', async () => {
  const port = await listen(createHttpsServer({ cert: own.cert, key: own.key }, checked));
  const stranger = await authority();
  expect(await ask(port, { tls: { ca: stranger.cert, servername: 'app.test' } })).toMatchObject({ passed: false });
});

test.each([false, true])('behind a PROXY header (TLS: %s)', async (isTls) => {
  const headers: string[] = [];
  const inner = isTls ? createHttpsServer({ cert: own.cert, key: own.key }, checked) : createHttpServer(checked);
  const port = await listen(
    createServer((socket) => {
      socket.once('readable', () => {
        const bytes = socket.read() as Buffer;
        const end = bytes.indexOf('\n') + 1;
        headers.push(bytes.subarray(0, end).toString());
        if (end < bytes.length) socket.unshift(bytes.subarray(end));
        inner.emit('connection', socket);
      });
    }),
  );
  expect(await ask(port, { proxyProtocol: 'V1', ...(isTls ? { tls: tls() } : {}) })).toEqual(PASSED);
  expect(headers).toEqual(['PROXY UNKNOWN\r\n']);
});

test.each([false, true])('silence, a refusal, an abort (HTTP/2: %s)', async (isHttp2) => {
  const silent = await listen(createServer());
  expect(await ask(silent, { isHttp2, timeoutMs: 50 })).toEqual({ passed: false, detail: 'no answer within 50 ms', answered: false });
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address() as AddressInfo;
  gone.close();
  await once(gone, 'close');
  expect(await ask(port, { isHttp2 })).toEqual({ passed: false, detail: 'ECONNREFUSED', answered: true });
  const ending = new AbortController();
  const asked = ask(silent, { isHttp2 }, ending.signal);
  ending.abort();
  await expect(asked).rejects.toThrow(/abort/);
});
