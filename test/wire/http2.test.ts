/** HTTP/2 from clients, on one port with HTTP/1.1: the same requests, answers and rules. */
import { once } from 'node:events';
import { constants, type ClientHttp2Stream } from 'node:http2';
import { describe, expect, test } from 'vitest';
import { http2Answer, http2Ask, http2Client } from '../helpers/http2-client.ts';
import { OK, answering } from '../helpers/raw-upstream.ts';
import { RawClient } from '../helpers/raw-client.ts';
import type { Rig } from '../helpers/rig.ts';
import { values } from '../helpers/reference-message.ts';
import { settled } from '../helpers/turns.ts';
import { GET, rig } from '../helpers/wire.ts';

/** Flags the upstream's cluster has counted, with their statuses. */
function flags(started: Rig): unknown {
  return started.proxy.stats.totals('outbound|80||upstream.test').flags.map(({ flag, status }) => [flag, status]);
}

async function until(isMet: () => boolean): Promise<void> {
  while (!isMet()) await new Promise((resolve) => setImmediate(resolve));
}

describe('[P72] by prior knowledge', () => {
  test('on the port of HTTP/1.1, also when the preface comes octet by octet', async () => {
    const started = await rig();
    const client = await started.sent(GET);
    expect((await client.response()).body.toString()).toBe('ok');
    const session = await http2Client(started.port);
    const answer = await http2Ask(session, { ':authority': 'a' });
    expect([answer.status, answer.body.toString()]).toEqual([200, 'ok']);
    const raw = await RawClient.connect(started.port);
    await raw.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'octets');
    await raw.until(() => raw.received.length >= 9, 'SETTINGS');
    expect(raw.received[3]).toBe(4);
    raw.close();
  });

  test('but not after another request, nor with another line', async () => {
    const started = await rig();
    const client = await started.sent(`${GET}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`);
    expect((await client.response()).status).toBe(200);
    expect((await client.response()).status).toBe(400);
    const other = await started.sent('PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n');
    expect((await other.response()).status).toBe(400);
  });
});

describe('[P73][P74] a request as the upstream sees it', () => {
  test('authority as Host, cookies in one field, trailers asked for, identity stated', async () => {
    const started = await rig();
    const session = await http2Client(started.port);
    await http2Ask(session, {
      ':path': '/a?b=%2f',
      ':authority': 'Shop:81',
      'x-a': ['1', '2'],
      cookie: ['a=1', 'b=2'],
      te: 'trailers',
      'x-forwarded-for': 'me',
    });
    const [request] = started.upstream.requests;
    expect([request?.method, request?.target]).toEqual(['GET', '/a?b=%2f']);
    const named = (name: string): readonly string[] => values(request ?? { fields: [] }, name);
    expect(named('host')).toEqual(['Shop:81']);
    expect(named('x-a')).toEqual(['1', '2']);
    expect(named('cookie')).toEqual(['a=1; b=2']);
    expect(named('te')).toEqual(['trailers']);
    expect(named('x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(named('x-forwarded-proto')).toEqual(['http']);
    expect(named('via')[0]).toMatch(/^2\.0 /);
    expect(named('transfer-encoding')).toEqual([]);
  });

  test.each([
    ['a Host of another name', { ':authority': 'a', host: 'b' }, 400],
    ['no path', { ':authority': 'a', ':path': 'foo' }, 400],
    ['a path with a fragment', { ':authority': 'a', ':path': '/#x' }, 400],
    ['a path above the root', { ':authority': 'a', ':path': '/../x' }, 400],
    ['a list of authorities', { ':authority': 'a,b' }, 400],
    ['user information', { ':authority': 'u@a' }, 400],
    ['CONNECT', { ':method': 'CONNECT', ':authority': 'a', ':path': undefined }, 405],
    [
      'more fields than 128',
      Object.fromEntries(Array.from({ length: 126 }, (_, field) => [`x-${field}`, ['1', '2'].slice(field > 1 ? 1 : 0)])),
      431,
    ],
    ['a long target', { ':path': `/${'a'.repeat(9000)}` }, 414],
  ])('%s is refused, and only that stream', async (_what, headers, status) => {
    const started = await rig();
    const session = await http2Client(started.port);
    const answer = await http2Ask(session, headers);
    // What Node refuses already gets no answer.
    if (answer.status === 0) expect([status, answer.resetCode]).toEqual([400, constants.NGHTTP2_PROTOCOL_ERROR]);
    else expect([answer.status, answer.resetCode, answer.headers['x-serin-error'] !== undefined]).toEqual([status, 0, true]);
    expect((await http2Ask(session)).status).toBe(200);
    expect(started.upstream.requests).toHaveLength(1);
  });
});

describe('[P75] bodies', () => {
  const bodies = [0, 1, 5000, 16_384, 100_000, 3_000_000];

  test.each(bodies)('of %i octets reach the upstream as they are, with and without their length stated, and come back', async (length) => {
    const body = Buffer.alloc(length, 'abcdefghij\r\n0');
    const started = await rig({
      script: answering((request) =>
        values(request, 'x-chunked').length > 0
          ? Buffer.concat([
              Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${request.body.length.toString(16)}\r\n`),
              request.body,
              Buffer.from(request.body.length === 0 ? '\r\n' : '\r\n0\r\n\r\n'),
            ])
          : Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${request.body.length}\r\n\r\n`), request.body]),
      ),
    });
    const session = await http2Client(started.port);
    for (const headers of [{}, { 'content-length': String(length) }, { 'x-chunked': '1' }]) {
      const answer = await http2Ask(session, { ':method': 'POST', ...headers }, body);
      expect(answer.resetCode).toBe(0);
      expect(answer.body.equals(body)).toBe(true);
    }
    const framings = started.upstream.requests.map((request) => request.framing);
    expect(framings).toEqual(['chunked', 'length', 'chunked']);
  });

  test.each([
    ['5', 'ab'],
    ['1', 'ab'],
  ])('[B-186] one that is not as long as stated (%s, %j) is none, and other sessions go on', async (length, body) => {
    const started = await rig();
    const other = await http2Client(started.port);
    const session = await http2Client(started.port);
    const answer = await http2Ask(session, { ':method': 'POST', 'content-length': length }, body);
    expect(answer.resetCode).not.toBe(constants.NGHTTP2_NO_ERROR);
    expect((await http2Ask(other)).status).toBe(200);
    expect(started.upstream.requests.map(({ method }) => method)).toEqual(['GET']);
  });

  test('[P51] an answer before the end of the body ends the stream and nothing else', async () => {
    const started = await rig({
      script: async (side) => {
        await side.head();
        side.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
        await side.untilClosed();
      },
    });
    const session = await http2Client(started.port);
    const stream = session.request({ ':method': 'POST', ':path': '/' }, { endStream: false });
    stream.write('a');
    const answer = await http2Answer(stream);
    expect([answer.status, answer.body.toString(), answer.resetCode]).toEqual([403, 'no', 0]);
    expect(session.closed).toBe(false);
  });
});

describe('answers', () => {
  test('fields in their order, without what belongs to a connection', async () => {
    const started = await rig({
      script: answering(
        'HTTP/1.1 201 Made\r\nX-B: 1\r\nSet-Cookie: a\r\nConnection: x-c\r\nX-C: 1\r\nSet-Cookie: b\r\nDate: d\r\nContent-Length: 0\r\nKeep-Alive: timeout=5\r\n\r\n',
      ),
    });
    const { list } = await http2Ask(await http2Client(started.port));
    const shown = list.join(' ').replace(/(?<=x-envoy-upstream-service-time )\d+/, 'MS');
    expect(shown).toBe(':status 201 x-b 1 set-cookie a set-cookie b date d content-length 0 x-envoy-upstream-service-time MS');
  });

  test.each(['HEAD', 'GET'])('to %s without a body', async (method) => {
    const head = method === 'HEAD' ? 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n' : 'HTTP/1.1 304 Not Modified\r\n\r\n';
    const started = await rig({ script: answering(head) });
    const answer = await http2Ask(await http2Client(started.port), { ':method': method });
    expect([answer.status, answer.headers['content-length'], answer.body.length]).toEqual(
      method === 'HEAD' ? [200, '9', 0] : [304, undefined, 0],
    );
  });

  test('interim answers and trailers pass, whether or not the client has asked for trailers', async () => {
    const started = await rig({
      script: answering(
        'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nHost: no\r\n\r\n',
      ),
    });
    const answer = await http2Ask(await http2Client(started.port));
    expect([answer.interim, answer.body.toString(), answer.trailers['x-sum'], answer.trailers['host']]).toEqual([
      [103],
      'ok',
      '1',
      undefined,
    ]);
  });

  test('[P47] 100 is passed on to whoever waits for it', async () => {
    const started = await rig({
      script: async (side) => {
        await side.head();
        side.write('HTTP/1.1 100 Continue\r\n\r\n');
        await side.nextRequest();
        side.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      },
    });
    const session = await http2Client(started.port);
    const stream = session.request({ ':method': 'POST', ':path': '/', expect: '100-continue' }, { endStream: false });
    stream.on('continue', () => stream.end('body'));
    expect((await http2Answer(stream)).status).toBe(200);
  });

  test.each(['Content-Length: 9\r\n\r\nhalf', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'])(
    '[P55] one that breaks off is a broken stream, not an end: %j',
    async (rest) => {
      const started = await rig({
        script: async (side) => {
          await side.nextRequest();
          side.write(`HTTP/1.1 200 OK\r\n${rest}`);
          side.end();
        },
      });
      const session = await http2Client(started.port);
      const answer = await http2Ask(session);
      expect([answer.status, answer.resetCode]).toEqual([200, constants.NGHTTP2_INTERNAL_ERROR]);
      expect(flags(started)).toEqual([['UC', 200]]);
    },
  );
});

describe('streams', () => {
  test('a thousand of one session, a hundred at a time', async () => {
    const started = await rig({
      script: answering(({ target }) => `HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`),
    });
    const session = await http2Client(started.port);
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, number) => http2Ask(session, { ':path': `/${number}` })));
    expect(answers.map(({ body }) => body.toString())).toEqual(answers.map((_, number) => `/${number}`));
    expect(started.upstream.connections.length).toBeLessThanOrEqual(100);
  });

  test('one that is reset takes its upstream request with it, and is nobody’s failure', async () => {
    const started = await rig({ script: async (side) => side.untilClosed() });
    const session = await http2Client(started.port);
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => undefined);
    const side = await started.upstream.connection(0);
    await side.head();
    stream.close(constants.NGHTTP2_CANCEL);
    await side.untilClosed();
    expect(flags(started)).toEqual([['DR', 499]]);
  });

  test('those of a client that is gone end with it', async () => {
    const started = await rig({ script: async (side) => side.untilClosed() });
    const session = await http2Client(started.port);
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => undefined);
    const side = await started.upstream.connection(0);
    await side.head();
    session.socket.resetAndDestroy();
    await side.untilClosed();
    expect(flags(started)).toEqual([['DC', 499]]);
  });

  test('[P69] one that is not read holds its upstream back, and no other stream', async () => {
    const length = 50_000_000;
    const sides: { pending: () => number }[] = [];
    const started = await rig({
      script: async (side, index) => {
        if (index > 0) return answering(OK)(side, index);
        await side.nextRequest();
        sides.push({ pending: () => side.socket.writableLength });
        side.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
        side.write(Buffer.alloc(length));
        await side.untilClosed();
      },
    });
    const session = await http2Client(started.port);
    const stalled: ClientHttp2Stream = session.request({ ':path': '/' });
    stalled.on('error', () => undefined);
    await once(stalled, 'response');
    // The kernel's buffers and one window each: what is left waits at the upstream.
    let before = -1;
    await until(() => {
      const now = sides[0]?.pending() ?? 0;
      const isStill = now === before;
      before = now;
      return isStill;
    });
    expect(before).toBeGreaterThan(length / 2);
    for (let i = 0; i < 20; i++) expect((await http2Ask(session)).status).toBe(200);
    expect(sides[0]?.pending()).toBeGreaterThan(length / 2);
    let received = 0;
    stalled.on('data', (piece: Buffer) => (received += piece.length));
    await once(stalled, 'end');
    expect(received).toBe(length);
  });

  test('[P69] an upload the upstream does not take stays with the client', async () => {
    const started = await rig({
      script: async (side) => {
        await side.head();
        side.socket.pause();
        await side.untilClosed();
      },
    });
    const session = await http2Client(started.port);
    const stream = session.request({ ':method': 'POST', ':path': '/' }, { endStream: false });
    stream.on('error', () => undefined);
    const length = 100_000_000;
    stream.end(Buffer.alloc(length));
    // The kernel's buffers and the windows of both sides.
    const waiting = await settled(() => length - session.socket.bytesWritten);
    expect(waiting).toBeGreaterThan(length / 2);
    stream.close(constants.NGHTTP2_CANCEL);
  });
});

describe('[P79] the end of a session', () => {
  test('a drain says GOAWAY, answers what is under way and closes', async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const started = await rig({
      options: { timeouts: { lingerMs: 100 } },
      script: async (side) => {
        await side.nextRequest();
        await released;
        side.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      },
    });
    const session = await http2Client(started.port);
    const answer = http2Ask(session);
    await (await started.upstream.connection(0)).head();
    const gone = once(session, 'goaway');
    const drained = started.proxy.drain(10_000);
    expect((await gone)[0]).toBe(constants.NGHTTP2_NO_ERROR);
    release();
    expect((await answer).status).toBe(200);
    await drained;
    if (!session.closed) await once(session, 'close');
  });

  test('one at rest is closed in time', async () => {
    const started = await rig({ options: { timeouts: { keepAliveMs: 300, lingerMs: 60 } } });
    const session = await http2Client(started.port);
    expect((await http2Ask(session)).status).toBe(200);
    if (!session.closed) await once(session, 'close');
  });
});
