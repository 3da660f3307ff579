/** The PROXY protocol towards upstreams: said once a connection, before everything else, and of the one client the connection serves. */
import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttp2Server, createSecureServer as createHttp2TlsServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Cluster, UpstreamTls } from '../../src/routing/table.ts';
import { authority, type Authority, type Issued } from '../helpers/certificates.ts';
import { http2Ask, http2Client } from '../helpers/http2-client.ts';
import { RawClient } from '../helpers/raw-client.ts';
import { startProxy, type RunningProxy } from '../helpers/rig.ts';
import { cluster, forward, hosts, route, singleTable, table } from '../helpers/tables.ts';
import { GET } from '../helpers/wire.ts';

let ca: Authority;
let own: Issued;

beforeAll(async () => {
  ca = await authority();
  own = await ca.issue(['upstream.test']);
});

const TLS: UpstreamTls = { sni: 'upstream.test', subjectAltNames: [], ca: 'ca', isVerified: true };
const HTTP2 = { use: 'always', maxConcurrentStreams: 100 } as const;

interface Upstream {
  readonly port: number;
  /** What each connection began with, in the order they were made. */
  readonly headers: string[];
  readonly open: Set<Socket>;
}

/** Takes the header off each connection, and hands the rest to `inner`. */
async function behindHeader(inner: Server): Promise<Upstream> {
  const headers: string[] = [];
  const open = new Set<Socket>();
  const front = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => open.delete(socket));
    const onReadable = (): void => {
      const bytes = socket.read() as Buffer | null;
      if (bytes === null) return;
      socket.off('readable', onReadable);
      const end = bytes.subarray(0, 5).toString() === 'PROXY' ? bytes.indexOf('\n') + 1 : 16 + bytes.readUInt16BE(14);
      const header = bytes.subarray(0, end);
      headers.push(header[0] === 0x50 ? header.toString() : header.toString('hex'));
      if (end < bytes.length) socket.unshift(bytes.subarray(end));
      inner.emit('connection', socket);
    };
    socket.on('readable', onReadable);
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    front.close();
  });
  return { port: (front.address() as AddressInfo).port, headers, open };
}

async function serve(port: number, changes: Partial<Cluster>): Promise<RunningProxy> {
  const running = await startProxy(
    singleTable(port, { cluster: { proxyProtocol: 'V1', ...changes } }),
    {},
    new Map([['ca', { ca: ca.cert }]]),
  );
  onTestFinished(async () => {
    await running.close();
    expect(running.internalErrors).toEqual([]);
  });
  return running;
}

async function clientOf({ port }: { readonly port: number }): Promise<RawClient> {
  const client = await RawClient.connect(port);
  onTestFinished(() => client.close());
  return client;
}

/** The line for a client of the proxy. */
const lineOf = ({ socket: { localPort } }: RawClient, port: number): string => `PROXY TCP4 127.0.0.1 127.0.0.1 ${localPort} ${port}\r\n`;

const plain = (): Server => createHttpServer((_request, response) => response.end('ok'));

describe('HTTP', () => {
  test('a connection is for one client: used again by it, never by another', async () => {
    const upstream = await behindHeader(plain());
    const running = await serve(upstream.port, {});
    const [one, other] = [await clientOf(running), await clientOf(running)];
    for (const client of [one, other, one, other, one]) expect((await client.ask(GET)).status).toBe(200);
    expect(upstream.headers).toEqual([lineOf(one, running.port), lineOf(other, running.port)]);
  });

  test('what rests goes with its client', async () => {
    const upstream = await behindHeader(plain());
    const running = await serve(upstream.port, { idleTimeoutMs: 3_600_000 });
    const client = await clientOf(running);
    await client.ask(GET);
    expect(upstream.open.size).toBe(1);
    client.close();
    await expect.poll(() => upstream.open.size).toBe(0);
  });

  test('a limit on connections does not shut other clients out', async () => {
    const upstream = await behindHeader(plain());
    const running = await serve(upstream.port, { idleTimeoutMs: 3_600_000, limits: { connections: 1, pending: 0, requests: 0 } });
    const clients = [await clientOf(running), await clientOf(running), await clientOf(running)];
    for (const client of [...clients, ...clients]) expect((await client.ask(GET)).status).toBe(200);
    await expect.poll(() => upstream.open.size).toBe(1);
    expect(upstream.headers.length).toBe(6);
  });

  test('version 2', async () => {
    const upstream = await behindHeader(plain());
    const running = await serve(upstream.port, { proxyProtocol: 'V2' });
    const client = await clientOf(running);
    expect((await client.ask(GET)).status).toBe(200);
    const ports = [client.socket.localPort ?? 0, running.port].map((port) => port.toString(16).padStart(4, '0')).join('');
    expect(upstream.headers).toEqual([`0d0a0d0a000d0a515549540a2111000c7f0000017f000001${ports}`]);
  });

  test('before the handshake of TLS', async () => {
    const echo: RequestListener = (request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => response.end(Buffer.concat(pieces)));
    };
    const upstream = await behindHeader(createHttpsServer({ cert: own.cert, key: own.key }, echo));
    const running = await serve(upstream.port, { tls: TLS });
    const client = await clientOf(running);
    const body = 'b'.repeat(300_000);
    for (let count = 0; count < 2; count++) {
      const answer = await client.ask(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      expect([answer.status, answer.body.length]).toEqual([200, body.length]);
    }
    expect(upstream.headers).toEqual([lineOf(client, running.port)]);
  });

  test.each([false, true])('before a session of HTTP/2 (TLS: %s), one for each session of a client', async (isTls) => {
    const answer = createHttp2Server();
    const inner = isTls ? createHttp2TlsServer({ cert: own.cert, key: own.key }) : answer;
    inner.on('stream', (stream) => {
      stream.respond({ ':status': 200 });
      stream.end('ok');
    });
    const upstream = await behindHeader(inner);
    const running = await serve(upstream.port, { http2: HTTP2, ...(isTls ? { tls: TLS } : {}) });
    const client = await clientOf(running);
    for (let count = 0; count < 2; count++) expect((await client.ask(GET)).status).toBe(200);
    const session = await http2Client(running.port);
    const answers = await Promise.all(Array.from({ length: 20 }, () => http2Ask(session)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(upstream.headers).toEqual([
      lineOf(client, running.port),
      `PROXY TCP4 127.0.0.1 127.0.0.1 ${session.socket.localPort} ${running.port}\r\n`,
    ]);
  });

  test('copies for mirrors say nothing of a client', async () => {
    const [upstream, mirror] = [await behindHeader(plain()), await behindHeader(plain())];
    const clusters = [cluster(upstream.port, { proxyProtocol: 'V1' }), cluster(mirror.port, { name: 'mirror', proxyProtocol: 'V1' })];
    const mirrored = forward({ mirrors: [{ cluster: 1, perMillion: 1_000_000, marksHost: false }] });
    const running = await startProxy(table([hosts(['*'], [route('/', mirrored)])], clusters));
    onTestFinished(() => running.close());
    const client = await clientOf(running);
    await client.ask(GET);
    await expect.poll(() => mirror.headers).toEqual(['PROXY UNKNOWN\r\n']);
  });
});

describe('TCP', () => {
  test.each([false, true])('each connection (TLS: %s)', async (isTls) => {
    const greet = (socket: Socket): void => void socket.on('error', () => undefined).write('hello');
    const upstream = await behindHeader(isTls ? createTlsServer({ cert: own.cert, key: own.key }, greet) : createServer(greet));
    const source = { kind: 'VirtualService', namespace: 'default', name: 'test', path: 'spec.tcp[0]', file: 'test.yaml', line: 1 };
    const tcp = [{ name: 'tcp[0]', source, matches: [{ path: 'spec.tcp[0]' }], clusters: [{ cluster: 0, weight: 1 }], totalWeight: 1 }];
    const listener = { name: 'mesh', port: 0, gateways: [], virtualHosts: [], tcp };
    const changes: Partial<Cluster> = { proxyProtocol: 'V1', ...(isTls ? { tls: TLS } : {}) };
    const running = await startProxy(
      { version: 'test', listeners: [listener], clusters: [cluster(upstream.port, changes)] },
      {},
      new Map([['ca', { ca: ca.cert }]]),
    );
    onTestFinished(() => running.close());
    for (let count = 1; count < 3; count++) {
      const client = await clientOf(running);
      await client.until(() => client.text === 'hello', 'what the upstream says');
      expect(upstream.headers).toHaveLength(count);
      expect(upstream.headers.at(-1)).toBe(lineOf(client, running.port));
    }
  });
});
