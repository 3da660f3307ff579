/**
 * What peers that do nothing cost: memory is bounded, whatever they speak, and others are served.
 *
 * F-20, F-21: a client asks for a gigabyte and never reads it, or sends one to an upstream that never reads; then 100 do so at once.
 */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import type { ClientHttp2Session, Http2Server, ServerHttp2Session } from 'node:http2';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { authority } from '../helpers/certificates.ts';
import { SerinProcess } from '../helpers/serin-process.ts';
import { close, listen } from '../helpers/upstream.ts';

const GIGABYTE = 1_000_000_000;
/** Less than a stream's window, so that what is passed on is seen in steps. */
const BLOCK = Buffer.alloc(16_000, 'x');
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';

let directory: string;
let plain: Server;
let calls: Http2Server;
const sessions = new Set<ServerHttp2Session>();
const swallowed = new Set<IncomingMessage>();
let serin: SerinProcess;
let ca: string;
const open: (() => void)[] = [];
/** Handed to the kernel, or to HTTP/2, by upstreams and by clients that upload. */
let moved = 0;

/** As fast as the other side takes it. */
function pour(to: Writable, bytes: number): void {
  let left = bytes;
  const write = (): void => {
    while (left > 0) {
      const block = left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK;
      left -= block.length;
      if (!to.write(block, (error) => (moved += error ? 0 : block.length))) return void to.once('drain', write);
    }
    to.end();
  };
  write();
}

const sizeOf = (path = ''): number => Number(/bytes=(\d+)/.exec(path)?.[1] ?? 0);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-memory-'));
  plain = createServer((request, response) => {
    if (request.method === 'POST') {
      // Held, so that nobody reads it.
      swallowed.add(request.pause());
      return;
    }
    const size = sizeOf(request.url);
    if (size === 0) return void response.end('small');
    response.writeHead(200, { 'content-length': size });
    pour(response, size);
  });
  plain.on('upgrade', (request, socket) => {
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    pour(socket, sizeOf(request.url));
  });
  // What it holds for a hundred streams is no business of this test.
  calls = createHttp2Server({ maxSessionMemory: 1000 });
  calls.on('session', (session) => sessions.add(session.on('error', () => undefined)));
  calls.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    const size = sizeOf(headers[':path']);
    if (size === 0) stream.end('small');
    else pour(stream, size);
  });
  calls.listen(0, '127.0.0.1');
  await once(calls, 'listening');
  const address = calls.address();
  const ports = [await listen(plain), typeof address === 'object' ? (address?.port ?? 0) : 0];
  const made = await authority();
  ca = made.cert;
  const { cert, key } = await made.issue(['app.test']);
  writeFileSync(join(directory, 'app.pem'), cert);
  writeFileSync(join(directory, 'app.key'), key, { mode: 0o600 });
  writeFileSync(join(directory, 'serin.yaml'), configuration(ports));
});

// A new one each time: memory that has been taken once is not taken again.
beforeEach(async () => {
  const addresses = ['--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--listen', '443=127.0.0.1:0'];
  serin = await new SerinProcess(['up', '-f', join(directory, 'serin.yaml'), '--state', join(directory, 'state'), ...addresses]).ready();
});

afterEach(async () => {
  for (const end of open.splice(0)) end();
  for (const request of swallowed) request.destroy();
  swallowed.clear();
  await serin.end();
});

afterAll(async () => {
  for (const session of sessions) session.destroy();
  calls.close();
  await close(plain);
  rmSync(directory, { recursive: true, force: true });
});

function configuration([http, grpc]: readonly number[]): string {
  const api = 'apiVersion: networking.istio.io/v1\n';
  const service = (host: string, protocol: string, port = 0): string => `${api}kind: ServiceEntry
metadata: { name: ${protocol.toLowerCase()} }
spec:
  hosts: [${host}]
  ports: [{ number: 80, name: main, protocol: ${protocol} }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { main: ${port} } }]
---
`;
  return `${service('app.test', 'HTTP', http)}${service('calls.test', 'GRPC', grpc)}${api}kind: Gateway
metadata: { name: front }
spec:
  servers:
  - port: { number: 443, name: https, protocol: HTTPS }
    hosts: [app.test]
    tls: { mode: SIMPLE, serverCertificate: app.pem, privateKey: app.key }
---
${api}kind: VirtualService
metadata: { name: app }
spec:
  hosts: [app.test]
  gateways: [front, mesh]
  http:
  - route: [{ destination: { host: app.test } }]
`;
}

/** Returns when it has not changed for a while: nothing tells that something does not happen any more. */
async function settled(read: () => number): Promise<number> {
  let value = read();
  for (let still = 0; still < 7;) {
    await sleep(100);
    const now = read();
    still = now === value ? still + 1 : 0;
    value = now;
  }
  return value;
}

function residentMB(): number {
  return (Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${serin.child.pid ?? 0}/status`, 'utf8'))?.[1] ?? 0) * 1024) / 1e6;
}

interface Transport {
  readonly name: string;
  /** MB Serin may grow by, for one that stalls and for a hundred. */
  readonly limits: readonly [one: number, hundred: number];
  /** Asks for so many bytes, reading none of the body; resolves with it when there is an answer. */
  readonly download: (bytes: number, isStalled: boolean) => Promise<NodeJS.ReadableStream>;
  /** A request whose body is what is written. */
  readonly upload: () => Promise<Writable>;
}

function socketTo(isTls: boolean): Socket {
  const { host, port } = serin.address(isTls ? '443' : 'mesh');
  const socket = isTls ? connectTls({ host, port, ca, servername: 'app.test', ALPNProtocols: ['http/1.1'] }) : connect(port, host);
  socket.on('error', () => undefined);
  open.push(() => socket.destroy());
  return socket;
}

function http1(name: string, isTls: boolean, limits: Transport['limits'], lines = ''): Transport {
  return {
    name,
    limits,
    download: async (bytes) => {
      const socket = socketTo(isTls);
      socket.write(`GET /?bytes=${bytes} HTTP/1.1\r\nHost: app.test\r\n${lines === '' ? 'Connection: close\r\n' : lines}\r\n`);
      await once(socket, 'readable');
      return socket;
    },
    upload: async () => {
      const socket = socketTo(isTls);
      await once(socket, isTls ? 'secureConnect' : 'connect');
      socket.write(`POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: ${GIGABYTE}\r\n\r\n`);
      return socket;
    },
  };
}

function http2(name: string, isTls: boolean, host: string, limits: Transport['limits']): Transport {
  let stalling: ClientHttp2Session | undefined;
  const session = (initialWindowSize: number): ClientHttp2Session => {
    const { host: address, port } = serin.address(isTls ? '443' : 'mesh');
    const url = `${isTls ? 'https' : 'http'}://${address}:${port}`;
    const made = connectHttp2(url, { settings: { initialWindowSize }, ca, servername: 'app.test' });
    made.on('error', () => undefined);
    open.push(() => {
      made.destroy();
      stalling = undefined;
    });
    return made;
  };
  const head = (method: string, bytes: number) => ({
    ':method': method,
    ':path': `/?bytes=${bytes}`,
    ':authority': host,
    ...(host === 'calls.test' ? { 'content-type': 'application/grpc' } : {}),
  });
  return {
    name,
    limits,
    download: async (bytes, isStalled) => {
      // Streams that stall share a session, and give it no window at all.
      const on = isStalled ? (stalling ??= session(0)) : session(1_000_000);
      const stream = on.request(head('GET', bytes));
      stream.on('error', () => undefined);
      await once(stream, 'response');
      return stream;
    },
    upload: async () => {
      const stream = (stalling ??= session(65_535)).request(head('POST', 0), { endStream: false });
      stream.on('error', () => undefined);
      await once(stream, 'ready');
      return stream;
    },
  };
}

const BODIES: readonly Transport[] = [
  http1('HTTP/1.1', false, [16, 64]),
  http1('HTTP/1.1 over TLS', true, [24, 128]),
  http2('HTTP/2', false, 'app.test', [24, 128]),
  http2('HTTP/2 over TLS', true, 'app.test', [24, 128]),
];
const STREAMS: readonly Transport[] = [
  http1('WebSocket', false, [24, 128], UPGRADE),
  http1('WebSocket over TLS', true, [24, 128], UPGRADE),
  http2('gRPC', false, 'calls.test', [24, 128]),
];

async function size(stream: NodeJS.ReadableStream): Promise<number> {
  let bytes = 0;
  stream.on('data', (piece: Buffer) => (bytes += piece.length));
  await once(stream, 'end');
  return bytes;
}

async function growth({ download }: Transport, count: number, act: () => Promise<unknown>): Promise<number> {
  // Whoever has worked before has taken the memory it works with.
  for (let warm = 0; warm < 100; warm++) await size(await download(0, false));
  const before = residentMB();
  const movedBefore = moved;
  await Promise.all(Array.from({ length: count }, act));
  const passed = (await settled(() => moved)) - movedBefore;
  // They did begin, and they do stand still.
  expect(passed).toBeGreaterThan(0);
  expect(passed).toBeLessThan((count * GIGABYTE) / 10);
  return residentMB() - before;
}

describe.each([...BODIES, ...STREAMS])('clients that stop reading a gigabyte: $name', (transport) => {
  test.each([1, 100])('%i', { timeout: 60_000 }, async (count) => {
    const grown = await growth(transport, count, () => transport.download(GIGABYTE, true));
    expect(grown).toBeLessThan(transport.limits[count === 1 ? 0 : 1]);
    // And the whole of it arrives at one who reads.
    expect(await size(await transport.download(100_000_000, false))).toBeGreaterThanOrEqual(100_000_000);
  });
});

describe.each(BODIES)('an upstream that does not read a gigabyte: $name', (transport) => {
  test.each([1, 100])('%i', { timeout: 60_000 }, async (count) => {
    const grown = await growth(transport, count, async () => pour(await transport.upload(), GIGABYTE));
    expect(grown).toBeLessThan(transport.limits[count === 1 ? 0 : 1]);
    expect(await size(await transport.download(1_000_000, false))).toBeGreaterThanOrEqual(1_000_000);
  });
});
