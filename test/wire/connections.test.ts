/** Connections: order, closing, timeouts, half-close, reuse, retries, back-pressure. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../src/base/clock.ts';
import { DataPlane } from '../../src/proxy/data-plane.ts';
import type { DataPlaneUpdate } from '../../src/proxy/data-plane.ts';
import { dataPlaneSettings } from '../../src/proxy/options.ts';
import { StatsRegistry, StatsWriter } from '../../src/telemetry/shared-stats.ts';
import { NOBODYS_PORT } from '../helpers/free-port.ts';
import { OK, RawUpstream, answering } from '../helpers/raw-upstream.ts';
import { RawClient } from '../helpers/raw-client.ts';
import { readRequests, values } from '../helpers/reference-message.ts';
import { cluster, forward, hosts, route, singleTable, table } from '../helpers/tables.ts';
import { settled } from '../helpers/turns.ts';
import { GET, get, rig } from '../helpers/wire.ts';

const NAME = cluster(1).name;

/** A port whose backlog is full: the kernel answers no further SYN, because the process behind it has been stopped. */
async function fullBacklog(): Promise<number> {
  const child = spawn(process.execPath, [
    '-e',
    "const s=require('net').createServer();s.listen({port:0,host:'127.0.0.1',backlog:1},()=>console.log(s.address().port))",
  ]);
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(line.toString());
  child.kill('SIGSTOP');
  const fillers = Array.from({ length: 8 }, () => connect({ port, host: '127.0.0.1' }).on('error', () => undefined));
  onTestFinished(() => fillers.forEach((socket) => socket.destroy()));
  await Promise.race(fillers.map((socket) => once(socket, 'connect')));
  await settled(() => fillers.filter((socket) => socket.connecting).length, 50);
  return port;
}

describe('[P61] Connection: close', () => {
  test('of the client: answered, closed, and nothing behind it is processed', async () => {
    const started = await rig();
    const client = await started.sent(`${get('Connection: close\r\n')}${get('', '/second')}`);
    const answers = await client.untilServerCloses();
    expect(answers.map((answer) => [answer.status, values(answer, 'connection')])).toEqual([[200, ['close']]]);
    expect(started.upstream.text).not.toContain('/second');
  });

  test('of the upstream: its connection is not used again, the client’s is', async () => {
    const started = await rig({ script: answering(OK.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')) });
    const client = await started.sent(GET);
    expect(values(await client.response(), 'connection')).toEqual([]);
    expect((await client.ask(GET)).status).toBe(200);
    expect(started.upstream.connections).toHaveLength(2);
  });

  test('of an HTTP/1.0 upstream it goes without saying', async () => {
    const started = await rig({ script: answering(OK.replace('HTTP/1.1', 'HTTP/1.0')) });
    const client = await started.sent(GET);
    await client.response();
    await client.ask(GET);
    expect(started.upstream.connections).toHaveLength(2);
  });
});

describe('[P62] pipelining', () => {
  test('requests are answered in order, one at a time', async () => {
    const started = await rig({
      script: answering((request) => `HTTP/1.1 200 OK\r\nContent-Length: ${request.target.length}\r\n\r\n${request.target}`),
    });
    const client = await started.sent(['/1', '/22', '/333'].map((target) => get('', target)).join(''));
    const bodies = [await client.response(), await client.response(), await client.response()].map((answer) => answer.body.toString());
    expect(bodies).toEqual(['/1', '/22', '/333']);
    expect(started.upstream.connections).toHaveLength(1);
  });

  test('the second goes upstream when the first has been answered, not before', async () => {
    const started = await rig({
      script: async (side) => {
        await side.nextRequest();
        await settled(() => side.received.length, 30);
        expect(readRequests(side.received).requests).toHaveLength(1);
        side.write(OK);
        await side.nextRequest();
        side.write(OK);
      },
    });
    const client = await started.sent(GET + GET);
    await client.response();
    await client.response();
    expect(started.upstream.connections).toHaveLength(1);
  });

  test('[B-161] 10,000 in one write are answered in order', async () => {
    const local = table([hosts(['*'], [route('/', { kind: 'directResponse', status: 200, body: Buffer.from('x') })])], [cluster(1)]);
    const started = await rig({ table: () => local });
    const client = await started.sent(GET.repeat(10_000));
    for (let index = 0; index < 10_000; index++) expect((await client.response()).status).toBe(200);
  });

  test('[B-161] and through an upstream', async () => {
    const started = await rig({
      script: answering((request) => `HTTP/1.1 200 OK\r\nContent-Length: ${request.target.length}\r\n\r\n${request.target}`),
    });
    const client = await started.sent(Array.from({ length: 1000 }, (_, index) => get('', `/${index}`)).join(''));
    for (let index = 0; index < 1000; index++) expect((await client.response()).body.toString()).toBe(`/${index}`);
    expect(started.upstream.connections).toHaveLength(1);
  });

  test('input waits in the kernel while a request is being answered', async () => {
    const started = await rig({ script: async (side) => side.untilClosed() });
    const client = await started.sent(GET);
    const flood = Buffer.from(GET.repeat(1000));
    for (let i = 0; i < 1200; i++) client.socket.write(flood);
    const waiting = await settled(() => client.socket.writableLength);
    expect(flood.length * 1200 - waiting).toBeLessThan(16 * 1024 * 1024);
    expect(waiting).toBeGreaterThan(8 * 1024 * 1024);
  });
});

describe('[P63] closing', () => {
  test('the error can be read, then our side ends, then what still comes is thrown away, then it is over', async () => {
    const started = await rig({ options: { timeouts: { lingerMs: 60 } } });
    const client = await started.sent('GET / HTTP/1.1\r\nBad Header\r\n\r\n');
    await client.untilEnded();
    expect(client.errorCode).toBeUndefined();
    const writing = setInterval(() => client.write('still here'), 5);
    onTestFinished(() => clearInterval(writing));
    await client.untilClosed();
    clearInterval(writing);
    expect((await client.response()).status).toBe(400);
  });
});

describe('[P64] timeouts', () => {
  test('a head that does not come: 408, and more bytes do not buy more time', async () => {
    const started = await rig({ options: { timeouts: { headerMs: 80 } } });
    const client = await started.client();
    const bytes = Buffer.from(`GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`);
    let at = 0;
    const dripping = setInterval(() => client.write(bytes.subarray(at, ++at)), 5);
    onTestFinished(() => clearInterval(dripping));
    expect((await client.untilServerCloses()).map((answer) => answer.status)).toEqual([408]);
  });

  test('an empty line between requests does not start that clock', async () => {
    const started = await rig({ options: { timeouts: { headerMs: 60 } } });
    const client = await started.sent(`${GET}\r\n`);
    await client.response();
    // When this one has run out, the other's time would be over, too.
    await (await started.sent('GET / HT')).untilServerCloses();
    expect((await client.ask(GET)).status).toBe(200);
  });

  test('a connection that only sent an empty line is closed without an answer', async () => {
    const started = await rig();
    const client = await started.sent('\r\n');
    client.end();
    expect(await client.untilServerCloses()).toEqual([]);
    expect(client.text).toBe('');
  });

  test('a body that stops coming: 408, and the upstream is not told that it is complete', async () => {
    const started = await rig({ options: { timeouts: { bodyIdleMs: 60 } } });
    const client = await started.sent('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123');
    expect((await client.untilServerCloses()).map((answer) => answer.status)).toEqual([408]);
    await (await started.upstream.connection(0)).untilClosed();
    expect(started.upstream.requests).toEqual([]);
  });

  test('an upstream that does not read the body is at fault, not the client', async () => {
    const started = await rig({
      options: { timeouts: { bodyIdleMs: 60, streamIdleMs: 120 } },
      script: async (side) => {
        side.socket.pause();
        await side.untilClosed();
      },
    });
    const client = await started.sent('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n');
    const piece = Buffer.alloc(1 << 20);
    for (let i = 0; i < 64; i++) client.socket.write(piece);
    expect((await client.response()).status).toBe(504);
  });

  test('an idle connection is closed without a word', async () => {
    const started = await rig({ options: { timeouts: { keepAliveMs: 200 } } });
    const client = await started.sent(GET);
    await client.response();
    expect(await client.untilServerCloses()).toEqual([]);
    const silent = await started.client();
    expect(await silent.untilServerCloses()).toEqual([]);
  });

  test('a response head that does not come: 504', async () => {
    const started = await rig({ options: { timeouts: { responseHeaderMs: 60 } }, script: (side) => side.untilClosed() });
    const client = await started.sent(GET);
    const answer = await client.response();
    expect([answer.status, values(answer, 'connection')]).toEqual([504, []]);
    await (await started.upstream.connection(0)).untilClosed();
  });

  test('a response head that came in time is taken, although this thread stood still until after it', async () => {
    const started = await rig({
      options: { timeouts: { responseHeaderMs: 60 } },
      script: async (side) => {
        await side.nextRequest();
        side.write(OK);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
      },
    });
    expect((await (await started.sent(GET)).response()).status).toBe(200);
  });

  test('a route that states no limit waits on for the head', async () => {
    const started = await rig({
      action: { isUnlimited: true },
      options: { timeouts: { responseHeaderMs: 60 } },
      script: async (side) => {
        await side.nextRequest();
        await new Promise((resolve) => {
          setTimeout(resolve, 300);
        });
        side.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      },
    });
    const client = await started.sent(GET);
    expect((await client.response()).status).toBe(200);
  });

  test('the route’s own timeout: 504, also when bytes of a head keep coming', async () => {
    const started = await rig({
      action: { timeoutMs: 80 },
      script: async (side) => {
        await side.nextRequest();
        side.write('HTTP/1.1 200 OK\r\nX: ');
        const dripping = setInterval(() => side.write('x'), 5);
        await side.untilClosed();
        clearInterval(dripping);
      },
    });
    expect((await (await started.sent(GET)).response()).status).toBe(504);
  });

  test('the route’s timeout ends a body that takes too long', async () => {
    const started = await rig({
      action: { timeoutMs: 500 },
      script: async (side) => {
        await side.nextRequest();
        side.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
        const dripping = setInterval(() => side.write('x'), 5);
        await side.untilClosed();
        clearInterval(dripping);
      },
    });
    const client = await started.sent(GET);
    await client.untilEnded();
    await expect(client.response()).rejects.toThrow();
  });

  test('an upstream connection rests for its idle timeout, or a second less than it announced', async () => {
    const brief = await rig({ cluster: { idleTimeoutMs: 50 } });
    await (await brief.sent(GET)).response();
    await (await brief.upstream.connection(0)).untilClosed();

    const announced = await rig({ script: answering(OK.replace('\r\n\r\n', '\r\nKeep-Alive: timeout=1\r\n\r\n')) });
    await (await announced.sent(GET)).response();
    await (await announced.upstream.connection(0)).untilClosed();
  });

  test('an upstream that does not accept: 503', async () => {
    const port = await fullBacklog();
    const started = await rig({ table: () => singleTable(port, { cluster: { connectTimeoutMs: 60 } }) });
    const answer = await (await started.sent(GET)).response();
    expect([answer.status, values(answer, 'x-serin-error')]).toEqual([503, ['upstream_connect_timeout']]);
  });
});

describe('[P65] half-close and reset', () => {
  test('a client that ends after its request gets its answer', async () => {
    const started = await rig();
    const client = await started.client();
    client.socket.end(GET);
    expect((await client.untilServerCloses()).map((answer) => answer.body.toString())).toEqual(['ok']);
  });

  test('also to every request it pipelined', async () => {
    const started = await rig();
    const client = await started.client();
    client.socket.end(GET + GET + GET);
    expect(await client.untilServerCloses()).toHaveLength(3);
  });

  test('also where some are answered here and some upstream', async () => {
    const local = route('/local', { kind: 'directResponse', status: 202, body: new Uint8Array() });
    const started = await rig({ table: (port) => table([hosts(['*'], [local, route('/', forward())])], [cluster(port)]) });
    const client = await started.client();
    client.socket.end(['/1', '/local', '/2', '/local', '/local', '/3'].map((target) => get('', target)).join(''));
    expect((await client.untilServerCloses()).map((answer) => answer.status)).toEqual([200, 202, 200, 202, 202, 200]);
  });

  test('a pipelined request that is cut short is told so', async () => {
    const started = await rig();
    const client = await started.client();
    client.socket.end(`${GET}POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nshort`);
    expect((await client.untilServerCloses()).map((answer) => answer.status)).toEqual([200, 400]);
    const other = await started.client();
    other.socket.end(`${GET}GET / HT`);
    expect((await other.untilServerCloses()).map((answer) => answer.status)).toEqual([200, 400]);
  });

  test('[B-160] a head that ends in the middle: 400', async () => {
    const started = await rig();
    const client = await started.client();
    client.socket.end('GET / HTTP/1.1\r\nHost');
    expect((await client.untilServerCloses()).map((answer) => answer.status)).toEqual([400]);
  });

  test('a client that goes away takes its request with it, counted as 499', async () => {
    const started = await rig({ script: (side) => side.untilClosed() });
    const client = await started.sent(GET);
    const side = await started.upstream.connection(0);
    await side.head();
    client.reset();
    await side.untilClosed();
    expect(started.proxy.stats.totals(NAME).statuses.get(499)).toBe(1);
    expect(started.proxy.stats.totals(NAME).active).toBe(0);
  });

  test('a client that goes away during the body', async () => {
    const started = await rig({
      script: async (side) => {
        await side.nextRequest();
        side.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello');
        await side.untilClosed();
      },
    });
    const client = await started.sent(GET);
    await client.until(() => client.text.includes('hello'), 'the beginning');
    client.reset();
    await (await started.upstream.connection(0)).untilClosed();
    expect(started.proxy.stats.totals(NAME).active).toBe(0);
  });
});

describe('[P66] [P67] [P68] reuse and retries', () => {
  /** Answers the first request; when the second has come, the connection ends without an answer. */
  const stale =
    (way: 'end' | 'reset', before = '') =>
    async (side: Parameters<NonNullable<Parameters<typeof RawUpstream.start>[0]>>[0], index: number): Promise<void> => {
      if (index > 0) return answering(OK)(side, index);
      await side.nextRequest();
      side.write(OK);
      await side.nextRequest();
      await side.send(before);
      side[way]();
    };

  test.each(['end', 'reset'] as const)('a connection that went stale (%s): GET is sent again on a new one', async (way) => {
    const started = await rig({ script: stale(way) });
    const client = await started.sent(GET);
    await client.response();
    expect((await client.ask(GET)).body.toString()).toBe('ok');
    expect(started.upstream.connections).toHaveLength(2);
  });

  test.each(['POST', 'PATCH', 'LOCK'])('%s is not', async (method) => {
    const started = await rig({ script: stale('end') });
    const client = await started.sent(GET);
    await client.response();
    expect((await client.ask(`${method} /once HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`)).status).toBe(502);
    expect(started.upstream.requests.filter((request) => request.target === '/once')).toHaveLength(1);
  });

  test('nor is anything once a byte of the answer has come', async () => {
    const started = await rig({ script: stale('end', 'HTTP/1.1 2') });
    const client = await started.sent(GET);
    await client.response();
    expect((await client.ask(get('', '/once'))).status).toBe(502);
    expect(started.upstream.requests.filter((request) => request.target === '/once')).toHaveLength(1);
  });

  test('nor on a new connection', async () => {
    const started = await rig({
      script: async (side) => {
        await side.nextRequest();
        side.end();
      },
    });
    expect((await (await started.sent(GET)).response()).status).toBe(502);
    expect(started.upstream.connections).toHaveLength(1);
  });

  test('[P67] a refused connection is tried elsewhere, whatever the method', async () => {
    const started = await rig({ table: (port) => table([hosts(['*'], [route('/', forward())])], [cluster([NOBODYS_PORT, port])]) });
    for (let i = 0; i < 4; i++) {
      const client = await started.sent('POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx');
      expect((await client.response()).status).toBe(200);
    }
    expect(started.upstream.requests.map((request) => request.body.toString())).toEqual(['x', 'x', 'x', 'x']);
  });

  test('[P67] nobody there: 503, and the client’s connection goes on', async () => {
    const started = await rig();
    started.upstream.close();
    const client = await started.sent(GET);
    const answer = await client.response();
    expect([answer.status, values(answer, 'x-serin-error'), values(answer, 'connection')]).toEqual([503, ['upstream_connect_failed'], []]);
    expect((await client.ask(GET)).status).toBe(503);
  });

  test('[P68] what is not idempotent takes only a connection used within the last second', async () => {
    const upstream = await RawUpstream.start();
    onTestFinished(() => upstream.close());
    const clock = new ManualClock(Date.now());
    const stats = new StatsRegistry(1);
    const slots = [stats.slot(NAME)];
    const plane = new DataPlane({
      settings: dataPlaneSettings({ workers: 0 }, 'serin-test'),
      stats: new StatsWriter(0, 1),
      unroutedSlot: stats.slot(''),
      onInternalError: (error) => expect.unreachable(String(error)),
      clock,
    });
    onTestFinished(() => plane.close());
    const update: DataPlaneUpdate = {
      table: singleTable(upstream.port),
      bindings: [{ listener: 'mesh', host: '127.0.0.1', port: 0 }],
      mirrorSlots: new Map(),
      statsSegments: stats.segments(),
      healthSegments: [],
      blocks: new Map(),
      userSlots: new Map(),
      clusterSlots: slots,
      healthSlots: [[-1]],
      outlierSegments: [],
      outlierSlots: [[-1]],
      limitSegments: [],
      limitSlots: [[]],
      credentials: new Map(),
      observationSlots: new Map(),
      killSlots: new Map(),
    };
    const [bound] = await plane.prepare(update);
    plane.commit();
    const client = await RawClient.connect(bound?.port ?? 0);
    onTestFinished(() => client.close());
    const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n';
    await client.ask(GET);
    await client.ask(post);
    expect(upstream.connections).toHaveLength(1);
    clock.advance(1500);
    await client.ask(post);
    expect(upstream.connections).toHaveLength(2);
    clock.advance(1500);
    await client.ask(GET);
    expect(upstream.connections).toHaveLength(2);
  });
});

describe('[P69] back-pressure', () => {
  const SIZE = 64 * 1024 * 1024;
  const SLACK = 16 * 1024 * 1024;
  const piece = Buffer.alloc(1 << 20, 'x');

  test.each(['Content-Length: 67108864', 'Transfer-Encoding: chunked', 'X: until close'])(
    'a client that stops reading stops the upstream (%s)',
    async (framing) => {
      const isChunked = framing.includes('chunked');
      const started = await rig({
        script: async (side) => {
          await side.nextRequest();
          side.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`);
          for (let i = 0; i < 64; i++)
            side.write(isChunked ? Buffer.concat([Buffer.from('100000\r\n'), piece, Buffer.from('\r\n')]) : piece);
          if (isChunked) side.write('0\r\n\r\n');
          if (framing.startsWith('X')) side.end();
        },
      });
      const client = await started.client();
      client.write(GET);
      await client.until(() => client.received.length > 0, 'the beginning');
      client.socket.pause();
      const side = await started.upstream.connection(0);
      const waiting = await settled(() => side.socket.writableLength);
      expect(SIZE - waiting).toBeLessThan(SLACK);
      client.socket.resume();
      const answer = await client.response();
      expect(answer.body.length).toBe(SIZE);
      expect(answer.body.equals(Buffer.alloc(SIZE, 'x'))).toBe(true);
    },
  );

  test('an upstream that does not read stops the client', async () => {
    const started = await rig({
      script: async (side) => {
        await side.head();
        side.socket.pause();
      },
    });
    const client = await started.sent(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`);
    const side = await started.upstream.connection(0);
    await side.head();
    for (let i = 0; i < 64; i++) client.socket.write(piece);
    const waiting = await settled(() => client.socket.writableLength);
    expect(SIZE - waiting).toBeLessThan(SLACK);
    side.socket.resume();
    const request = await side.nextRequest();
    expect(request.body.length).toBe(SIZE);
    side.write(OK);
    expect((await client.response()).status).toBe(200);
  });

  test('while a connection is being made, the body waits with the client', async () => {
    const port = await fullBacklog();
    const started = await rig({ table: () => singleTable(port, { cluster: { connectTimeoutMs: 60_000 } }) });
    const client = await started.sent('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (let i = 0; i < 64; i++) client.socket.write(Buffer.concat([Buffer.from('100000\r\n'), piece, Buffer.from('\r\n')]));
    expect(SIZE - (await settled(() => client.socket.writableLength))).toBeLessThan(SLACK);
  });
});

describe('[P71] answers of our own', () => {
  const SENTINEL = 'sentinel1234';
  const cases: readonly (readonly [number, string, string])[] = [
    [400, 'bad_field_name', `GET /${SENTINEL} HTTP/1.1\r\nHost: a\r\n${SENTINEL} : x\r\n\r\n`],
    [400, 'bad_host', `GET / HTTP/1.1\r\nHost: ${SENTINEL},b\r\n\r\n`],
    [404, 'no_route', `GET /none/${SENTINEL} HTTP/1.1\r\nHost: ${SENTINEL}\r\n\r\n`],
    [405, 'method_not_allowed', `TRACE /${SENTINEL} HTTP/1.1\r\nHost: a\r\n\r\n`],
    [414, 'request_line_too_long', `GET /${SENTINEL.repeat(1000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
    [417, 'expectation_failed', get(`Expect: ${SENTINEL}\r\n`)],
    [431, 'header_section_too_large', get(`X: ${SENTINEL.repeat(4000)}\r\n`)],
    [431, 'too_many_fields', get(`${SENTINEL}: x\r\n`.repeat(200))],
    [501, 'transfer_coding_not_supported', `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ${SENTINEL}, chunked\r\n\r\n0\r\n\r\n`],
    [501, 'method_too_long', `${SENTINEL.repeat(3)} / HTTP/1.1\r\nHost: a\r\n\r\n`],
    [500, 'invalid_backend', get('', `/invalid/${SENTINEL}`)],
    [502, 'upstream_bad_status_line', get('', `/bad/${SENTINEL}`)],
    [502, 'upstream_terminated', get('', `/end/${SENTINEL}`)],
    [503, 'upstream_connect_failed', get('', `/down/${SENTINEL}`)],
    [503, 'no_cluster', get('', `/missing/${SENTINEL}`)],
    [503, 'no_healthy_upstream', get('', `/empty/${SENTINEL}`)],
    [504, 'upstream_timeout', get('', `/stall/${SENTINEL}`)],
    [505, 'http_version_not_supported', `GET /${SENTINEL} HTTP/2.0\r\nHost: a\r\n\r\n`],
  ];

  test.each(cases)('%d %s: a small fixed body, a request id, a code, and no echo', async (status, code, bytes) => {
    const to = (index: number) => forward({ clusters: forward().clusters.map((weighted) => ({ ...weighted, cluster: index })) });
    const started = await rig({
      options: { timeouts: { responseHeaderMs: 400 } },
      table: (port) =>
        table(
          [
            hosts(
              ['a'],
              [
                route('/bad', to(0)),
                route('/end', to(0)),
                route('/stall', to(0)),
                route('/down', to(1)),
                route('/missing', to(2)),
                route('/invalid', to(4)),
                route('/empty', to(3)),
                route('/x', to(0)),
              ],
            ),
          ],
          [
            cluster(port),
            cluster(NOBODYS_PORT, { name: 'down' }),
            cluster(port, { name: 'missing', missing: `no subset ${SENTINEL}` }),
            cluster([], { name: 'empty' }),
            cluster(port, { name: 'invalid', missing: `no Service ${SENTINEL}`, missingStatus: 500 }),
          ],
        ),
      script: async (side) => {
        const request = await side.nextRequest();
        if (request.target.startsWith('/bad')) side.write(`${SENTINEL}\r\n\r\n`);
        else if (request.target.startsWith('/end')) side.end();
        else await side.untilClosed();
      },
    });
    const client = await started.sent(bytes);
    const answer = await client.response();
    expect([answer.status, values(answer, 'x-serin-error')]).toEqual([status, [code]]);
    expect(answer.body.toString()).toBe(`${status} ${answer.reason}\n`);
    expect(values(answer, 'x-request-id')).toHaveLength(1);
    expect(client.text).not.toContain(SENTINEL);
  });

  test('a request keeps its id, the one the upstream saw', async () => {
    const started = await rig({
      script: async (side) => {
        await side.nextRequest();
        side.end();
      },
    });
    for (const lines of ['X-Request-Id: mine\r\n', '']) {
      const client = await started.sent(get(lines));
      const answer = await client.response();
      expect(answer.status).toBe(502);
      expect(values(answer, 'x-request-id')).toEqual(values(started.upstream.requests.at(-1) ?? { fields: [] }, 'x-request-id'));
    }
  });

  test('HEAD gets no body', async () => {
    const started = await rig({ table: (port) => table([hosts(['b'], [route('/', forward())])], [cluster(port)]) });
    const client = await started.sent('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.response('HEAD')).status).toBe(404);
    expect((await client.ask(get('').replace('Host: a', 'Host: b'))).body.toString()).toBe('ok');
  });
});

describe('draining and limits', () => {
  test('idle connections end, what is under way is answered with Connection: close, nothing new is accepted', async () => {
    const started = await rig({ script: (side) => side.untilClosed() });
    const idle = await started.client();
    const busy = await started.sent(GET);
    const side = await started.upstream.connection(0);
    await side.head();
    const draining = started.proxy.drain(5000);
    await idle.untilEnded();
    idle.close();
    await expect(RawClient.connect(started.port)).rejects.toThrow();
    side.write(OK);
    const answer = await busy.response();
    expect(values(answer, 'connection')).toEqual(['close']);
    await busy.untilEnded();
    busy.close();
    await draining;
  });

  test('a connection beyond the limit is closed at once', async () => {
    const started = await rig({ options: { maxConnections: 1 } });
    const first = await started.sent(GET);
    await first.response();
    const second = await started.client();
    await second.untilEnded();
    expect((await first.ask(GET)).status).toBe(200);
    expect(started.proxy.stats.workers()[0]?.connectionsRefusedTotal).toBe(1);
  });
});
