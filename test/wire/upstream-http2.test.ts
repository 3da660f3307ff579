/** HTTP/2 to upstreams: the same requests and answers, many on one session, and what becomes of them when the session goes. */
import { once } from 'node:events';
import { constants, createSecureServer, createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createProxy } from '../../src/proxy/proxy.ts';
import type { Cluster, ForwardAction, UpstreamHttp2 } from '../../src/routing/table.ts';
import { authority, type Authority, type Issued } from '../helpers/certificates.ts';
import { http2Answer, http2Ask, http2Client } from '../helpers/http2-client.ts';
import { RawClient } from '../helpers/raw-client.ts';
import { values } from '../helpers/reference-message.ts';
import { startProxy } from '../helpers/rig.ts';
import type { RunningProxy } from '../helpers/rig.ts';
import { singleTable } from '../helpers/tables.ts';
import { GET, chunked } from '../helpers/wire.ts';

const ALWAYS: UpstreamHttp2 = { use: 'always', maxConcurrentStreams: 2 ** 31 - 1 };

type Answering = (stream: ServerHttp2Stream, list: readonly string[]) => void;

interface Upstream {
  readonly server: Http2Server;
  readonly port: number;
  readonly sessions: ServerHttp2Session[];
  readonly sockets: Socket[];
  /** Header lists of the requests. */
  readonly requests: (readonly string[])[];
}

async function upstream(answer: Answering, make: () => Http2Server = createServer): Promise<Upstream> {
  const server = make();
  const sessions: ServerHttp2Session[] = [];
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => sockets.push(socket));
  const requests: (readonly string[])[] = [];
  server.on('session', (session: ServerHttp2Session) => {
    sessions.push(session);
    session.on('error', () => undefined);
  });
  server.on('stream', (stream: ServerHttp2Stream, _headers: unknown, _flags: unknown, list: unknown) => {
    stream.on('error', () => undefined);
    requests.push(list as string[]);
    answer(stream, list as string[]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port, sessions, sockets, requests };
}

const ok: Answering = (stream) => {
  stream.respond([':status', '200', 'content-length', '2']);
  stream.end('ok');
};

/** Sends back what it gets. */
const echo: Answering = (stream, list) => {
  stream.respond([':status', '200', 'x-method', valueOf(list, ':method') ?? '']);
  stream.pipe(stream);
};

async function proxied(
  port: number,
  http2: UpstreamHttp2 = ALWAYS,
  cluster: Partial<Cluster> = {},
  action: Partial<ForwardAction> = {},
): Promise<RunningProxy> {
  const running = await startProxy(singleTable(port, { cluster: { http2, ...cluster }, action }));
  onTestFinished(async () => {
    await running.close();
    expect(running.internalErrors).toEqual([]);
  });
  return running;
}

function valueOf(list: readonly string[], name: string): string | undefined {
  const at = list.findIndex((text, index) => index % 2 === 0 && text === name);
  return at === -1 ? undefined : list[at + 1];
}

function flags({ proxy }: RunningProxy): unknown {
  return proxy.stats.totals('outbound|80||upstream.test').flags.map(({ flag, status }) => [flag, status]);
}

async function asked(port: number, bytes = GET, method = 'GET'): Promise<Awaited<ReturnType<RawClient['response']>>> {
  const client = await RawClient.connect(port);
  onTestFinished(() => client.close());
  return client.ask(bytes, 'whole', method);
}

describe('[P76] HTTP/1.1 to HTTP/2', () => {
  test('lower-case names, no fields of the connection, :authority, :scheme', async () => {
    const up = await upstream(ok);
    const { port } = await proxied(up.port);
    const answer = await asked(
      port,
      'GET /a?b HTTP/1.1\r\nHost: Shop:81\r\nX-A: 1\r\nx-a: 2\r\nConnection: x-b\r\nX-B: 1\r\nTE: trailers\r\nKeep-Alive: 1\r\n\r\n',
    );
    expect([answer.status, answer.body.toString(), answer.framing]).toEqual([200, 'ok', 'length']);
    const [list = []] = up.requests;
    expect(list.slice(0, 12)).toEqual([
      ':method',
      'GET',
      ':path',
      '/a?b',
      ':scheme',
      'http',
      ':authority',
      'Shop:81',
      'x-a',
      '1',
      'x-a',
      '2',
    ]);
    expect(valueOf(list, 'te')).toBe('trailers');
    expect(['connection', 'x-b', 'keep-alive', 'host', 'transfer-encoding'].filter((name) => valueOf(list, name) !== undefined)).toEqual(
      [],
    );
  });

  test.each([0, 1, 9000, 200_000, 3_000_000])('a body of %i octets, stated or in chunks, and back', async (length) => {
    const up = await upstream(echo);
    const { port } = await proxied(up.port);
    const body = 'abcdefghi\n'.repeat(Math.ceil(length / 10)).slice(0, length);
    const stated = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${body}`;
    for (const bytes of [stated, chunked(length === 0 ? '0\r\n\r\n' : `${length.toString(16)}\r\n${body}\r\n0\r\n\r\n`)]) {
      const answer = await asked(port, bytes, 'POST');
      expect([answer.status, answer.framing]).toEqual([200, 'chunked']);
      expect(answer.body.toString() === body).toBe(true);
    }
    expect(up.sessions).toHaveLength(1);
  });

  test('HEAD, 204, interim answers, trailers', async () => {
    const up = await upstream((stream, list) => {
      if (valueOf(list, ':method') === 'HEAD') stream.respond([':status', '200', 'content-length', '9'], { endStream: true });
      else if (valueOf(list, ':path') === '/204') stream.respond([':status', '204'], { endStream: true });
      else {
        stream.additionalHeaders({ ':status': 103, link: 'x' });
        stream.respond([':status', '200'], { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }));
        stream.end('ok');
      }
    });
    const { port } = await proxied(up.port);
    const client = await RawClient.connect(port);
    onTestFinished(() => client.close());
    const head = await client.ask('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', 'whole', 'HEAD');
    expect(values(head, 'content-length')).toEqual(['9']);
    const none = await client.ask('GET /204 HTTP/1.1\r\nHost: a\r\n\r\n');
    expect([none.status, none.framing]).toEqual([204, 'none']);
    await client.send('GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n');
    expect((await client.response()).status).toBe(103);
    const answer = await client.response();
    expect([answer.body.toString(), answer.trailers]).toEqual(['ok', [['x-sum', '1']]]);
  });
});

describe('HTTP/2 to HTTP/2', () => {
  test('bodies both ways, trailers, a thousand streams over few sessions', async () => {
    const up = await upstream((stream) => {
      stream.respond([':status', '200'], { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.pipe(stream);
    });
    const { port } = await proxied(up.port);
    const session = await http2Client(port);
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, number) => http2Ask(session, { ':method': 'POST' }, `${number}`.repeat(100))),
    );
    expect(answers.map(({ body }) => body.toString())).toEqual(answers.map((_, number) => `${number}`.repeat(100)));
    expect(answers.every(({ trailers }) => trailers['grpc-status'] === '0')).toBe(true);
    expect(up.sessions.length).toBe(1);
  });

  test('an answer and a request under way at once, piece by piece', async () => {
    const up = await upstream(echo);
    const { port } = await proxied(up.port);
    const stream = (await http2Client(port)).request({ ':method': 'POST', ':path': '/' }, { endStream: false });
    stream.on('error', () => undefined);
    for (const piece of ['one', 'two', 'three']) {
      stream.write(piece);
      expect(String((await once(stream, 'data'))[0])).toBe(piece);
    }
    const answer = http2Answer(stream);
    stream.end();
    expect((await answer).resetCode).toBe(0);
  });

  test('a reset goes through to the upstream', async () => {
    const closed = Promise.withResolvers<number>();
    const up = await upstream((stream) => stream.on('close', () => closed.resolve(stream.rstCode ?? 0)));
    const running = await proxied(up.port);
    const stream = (await http2Client(running.port)).request({ ':path': '/' });
    stream.on('error', () => undefined);
    await expect.poll(() => up.requests.length).toBe(1);
    stream.close(constants.NGHTTP2_CANCEL);
    expect(await closed.promise).toBe(constants.NGHTTP2_CANCEL);
    expect(flags(running)).toEqual([['DR', 499]]);
  });

  test('[P55] a stream the upstream breaks is broken for the client, and its neighbours go on', async () => {
    const up = await upstream((stream, list) => {
      if (valueOf(list, ':path') !== '/broken') return ok(stream, list);
      stream.respond([':status', '200']);
      stream.write('half', () => stream.destroy(new Error('broken')));
    });
    const running = await proxied(up.port);
    const session = await http2Client(running.port);
    const [broken, whole] = await Promise.all([http2Ask(session, { ':path': '/broken' }), http2Ask(session)]);
    expect([broken.status, broken.resetCode === 0]).toEqual([200, false]);
    expect(whole.body.toString()).toBe('ok');
    expect(flags(running)).toEqual([['UC', 200]]);
  });

  test('[P69] a client that does not read holds its upstream stream back', async () => {
    let written = 0;
    const piece = Buffer.alloc(100_000);
    const up = await upstream((stream, list) => {
      if (valueOf(list, ':path') !== '/long') return ok(stream, list);
      stream.respond([':status', '200']);
      const more = (): void => {
        while (written < 50_000_000) {
          written += piece.length;
          if (!stream.write(piece)) return void stream.once('drain', more);
        }
        stream.end();
      };
      more();
    });
    const { port } = await proxied(up.port);
    const session = await http2Client(port);
    const stalled = session.request({ ':path': '/long' });
    stalled.on('error', () => undefined);
    await once(stalled, 'response');
    for (let i = 0; i < 50; i++) expect((await http2Ask(session)).status).toBe(200);
    expect(written).toBeLessThan(5_000_000);
    let received = 0;
    stalled.on('data', (bytes: Buffer) => (received += bytes.length));
    await once(stalled, 'end');
    expect(received).toBe(50_000_000);
  });
});

describe('[P80] sessions', () => {
  test('no more streams at once than the upstream takes, or the DestinationRule says', async () => {
    const held: ServerHttp2Stream[] = [];
    const up = await upstream(
      (stream) => held.push(stream),
      () => createServer({ settings: { maxConcurrentStreams: 10 } }),
    );
    const { port } = await proxied(up.port, { ...ALWAYS, maxConcurrentStreams: 4 });
    const session = await http2Client(port);
    const asking = Promise.all(Array.from({ length: 40 }, () => http2Ask(session)));
    await expect.poll(() => held.length).toBe(40);
    expect(up.sessions).toHaveLength(10);
    for (const stream of held) ok(stream, []);
    const answers = await asking;
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  });

  test('maxRequestsPerConnection', async () => {
    const up = await upstream(ok);
    const { port } = await proxied(up.port, ALWAYS, { maxRequestsPerConnection: 2 });
    for (let i = 0; i < 6; i++) expect((await asked(port)).status).toBe(200);
    expect(up.sessions).toHaveLength(3);
  });

  test('a GOAWAY between requests costs none of them', async () => {
    const up = await upstream(ok);
    const running = await proxied(up.port);
    const session = await http2Client(running.port);
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, number) => http2Ask(session, { ':method': number % 2 === 0 ? 'GET' : 'POST' }, 'x')),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      for (const one of up.sessions) if (!one.closed) one.close();
    }
    expect(flags(running)).toEqual([]);
  });

  test('what the upstream refuses is sent again, POST with its body, too', async () => {
    let refused = 0;
    const up = await upstream((stream, list) => {
      if (refused++ === 0) stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else echo(stream, list);
    });
    const { port } = await proxied(up.port);
    const answer = await http2Ask(await http2Client(port), { ':method': 'POST' }, 'body');
    expect([answer.status, answer.body.toString(), refused]).toEqual([200, 'body', 2]);
  });

  test('a lost session is a failure of those it carried, and of no others', async () => {
    const up = await upstream((stream, list) => {
      if (valueOf(list, ':path') !== '/lost') return ok(stream, list);
      stream.session?.socket.destroy();
    });
    const running = await proxied(up.port);
    const session = await http2Client(running.port);
    expect((await http2Ask(session, { ':method': 'POST', ':path': '/lost' }, 'x')).status).toBe(502);
    expect((await http2Ask(session)).status).toBe(200);
    expect(flags(running)).toEqual([['UC', 502]]);
  });

  test('one at rest is closed, and one that does not answer PING as well', async () => {
    const up = await upstream(ok);
    const { port } = await proxied(up.port, { ...ALWAYS, keepAlive: { intervalMs: 30, timeoutMs: 500 } }, { idleTimeoutMs: 300 });
    let pings = 0;
    up.server.on('session', (session: ServerHttp2Session) => session.on('ping', () => pings++));
    expect((await asked(port)).status).toBe(200);
    await expect.poll(() => up.sessions[0]?.closed === true && pings > 0).toBe(true);
    expect((await asked(port)).status).toBe(200);
    for (const socket of up.sockets) socket.pause();
    await expect.poll(() => up.sessions[1]?.destroyed).toBe(true);
  });

  test('nobody there', async () => {
    const up = await upstream(ok);
    up.server.close();
    await once(up.server, 'close');
    const running = await proxied(up.port);
    expect((await asked(running.port)).status).toBe(503);
    expect(flags(running)).toEqual([['UF', 503]]);
  });

  test('a reload that takes the endpoint away lets its streams end', async () => {
    const held: ServerHttp2Stream[] = [];
    const up = await upstream((stream) => held.push(stream));
    const other = await upstream(ok);
    const { port, proxy } = await proxied(up.port);
    const session = await http2Client(port);
    const answer = http2Ask(session);
    await expect.poll(() => held.length).toBe(1);
    await proxy.apply(singleTable(other.port, { cluster: { http2: ALWAYS } }), [{ listener: 'mesh', host: '127.0.0.1', port: 0 }]);
    expect((await http2Ask(session)).body.toString()).toBe('ok');
    const [stream] = held;
    if (stream !== undefined) ok(stream, []);
    expect((await answer).body.toString()).toBe('ok');
    await expect.poll(() => up.sessions[0]?.closed).toBe(true);
  });
});

test('useClientProtocol: as the client', async () => {
  const up = await upstream(ok);
  const { port } = await proxied(up.port, { ...ALWAYS, use: 'asClient' });
  expect((await http2Ask(await http2Client(port))).status).toBe(200);
  // The upstream of this test takes HTTP/1.1 for nothing at all.
  expect((await asked(port)).status).toBe(502);
});

describe('over TLS', () => {
  let ca: Authority;
  let issued: Issued;

  beforeAll(async () => {
    ca = await authority();
    issued = await ca.issue(['upstream.test']);
  });

  async function secured(upstreamPort: number): Promise<number> {
    const proxy = createProxy({ workers: 0, onInternalError: (error) => expect.unreachable(String(error)) });
    onTestFinished(() => proxy.close());
    const tls = { sni: 'upstream.test', subjectAltNames: [], ca: 'ca', isVerified: true };
    const table = singleTable(upstreamPort, { cluster: { http2: ALWAYS, tls } });
    const [bound] = await proxy.apply(table, [{ listener: 'mesh', host: '127.0.0.1', port: 0 }], new Map([['ca', { ca: ca.cert }]]));
    return bound?.port ?? 0;
  }

  test('by ALPN', async () => {
    const up = await upstream(ok, () => createSecureServer(issued));
    const port = await secured(up.port);
    expect((await http2Ask(await http2Client(port))).status).toBe(200);
    expect(valueOf(up.requests[0] ?? [], ':scheme')).toBe('https');
  });

  test('not to a server that does not agree to it', async () => {
    const requests: unknown[] = [];
    const server = createTlsServer({ ...issued, ALPNProtocols: ['http/1.1'] }, (socket) =>
      socket.on('data', (bytes) => requests.push(bytes)),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const port = await secured((server.address() as AddressInfo).port);
    expect((await asked(port)).status).toBe(503);
    expect(requests).toEqual([]);
  });
});
