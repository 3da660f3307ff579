/** Copies for mirrors: what they look like on the wire, and that nothing a mirror does reaches the request it was copied from. */
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Mirror } from '../../src/routing/table.ts';
import type { ClusterTotals } from '../../src/telemetry/cluster-totals.ts';
import { NOBODYS_PORT } from '../helpers/free-port.ts';
import { OK, RawUpstream, answering } from '../helpers/raw-upstream.ts';
import type { UpstreamScript } from '../helpers/raw-upstream.ts';
import { values } from '../helpers/reference-message.ts';
import type { ReferenceRequest } from '../helpers/reference-message.ts';
import type { Rig, RigOptions } from '../helpers/rig.ts';
import { cluster, forward, hosts, route, table } from '../helpers/tables.ts';
import { GET, chunked, get, rig } from '../helpers/wire.ts';

const MAIN = cluster(1).name;
const MIRROR = 'outbound|80|mirror|upstream.test';

/** Everything goes to the rig's upstream, and copies to the port given. */
function mirrored(port: number, mirror: Partial<Mirror> = {}, more: RigOptions = {}): Promise<Rig> {
  const mirrors = [{ cluster: 1, perMillion: 1_000_000, marksHost: true, ...mirror }];
  return rig({
    table: (main) =>
      table([hosts(['*'], [route('/', forward({ mirrors }))])], [cluster(main), cluster(port, { name: MIRROR, subset: 'mirror' })]),
    ...more,
  });
}

async function upstream(script?: UpstreamScript): Promise<RawUpstream> {
  const started = await RawUpstream.start(script);
  onTestFinished(() => started.close());
  return started;
}

/** Counted copies, as soon as there are so many. */
async function copies(started: Rig, count: number): Promise<ClusterTotals> {
  const totals = (): ClusterTotals => started.proxy.stats.totals(`mirror|${MIRROR}`);
  await expect.poll(() => totals().requests, { timeout: 10_000, interval: 5 }).toBe(count);
  return totals();
}

/** What a mirror got, when it has been answered. */
async function onlyCopy(started: Rig, mirror: RawUpstream): Promise<ReferenceRequest> {
  await copies(started, 1);
  const [copy] = mirror.requests;
  if (copy === undefined) throw new Error(`no whole request came: ${mirror.text.slice(0, 400)}`);
  return copy;
}

/** A mirror that accepts and never reads. */
async function deaf(): Promise<{ readonly port: number; readonly sockets: readonly Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => undefined);
    sockets.push(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

describe('a copy', () => {
  test('has the method, path, query, fields and request id of the request; its Host says what it is', async () => {
    const mirror = await upstream();
    const started = await mirrored(mirror.port);
    const client = await started.client();
    expect((await client.ask('GET /a%20b?c=d HTTP/1.1\r\nHost: h:80\r\nX-A: 1\r\n\r\n')).status).toBe(200);
    const copy = await onlyCopy(started, mirror);
    const [original = copy] = started.upstream.requests;
    expect([copy.method, copy.target, values(copy, 'host'), values(copy, 'x-a')]).toEqual(['GET', '/a%20b?c=d', ['h-shadow:80'], ['1']]);
    expect(values(copy, 'x-request-id')).toEqual(values(original, 'x-request-id'));
    expect(values(original, 'host')).toEqual(['h:80']);
  });

  test('keeps its Host where Istio would', async () => {
    const mirror = await upstream();
    const started = await mirrored(mirror.port, { marksHost: false });
    await (await started.client()).ask(GET);
    expect(values(await onlyCopy(started, mirror), 'host')).toEqual(['a']);
  });

  test.each(['whole', 'octets'] as const)('has the body, with its length stated; sent %s', async (cut) => {
    const mirror = await upstream();
    const started = await mirrored(mirror.port);
    const client = await started.client();
    await client.ask('POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world', cut);
    const copy = await onlyCopy(started, mirror);
    expect([copy.method, copy.target, copy.body.toString()]).toEqual(['POST', '/p', 'hello world']);
  });

  test.each(['whole', 'octets'] as const)('has the body, chunked; sent %s', async (cut) => {
    const mirror = await upstream();
    const started = await mirrored(mirror.port);
    const client = await started.client();
    await client.ask(chunked('5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-T: 1\r\n\r\n'), cut);
    const copy = await onlyCopy(started, mirror);
    expect([values(copy, 'transfer-encoding'), copy.body.toString()]).toEqual([['chunked'], 'hello world']);
  });

  test('has every byte of a long body', async () => {
    const mirror = await upstream();
    const started = await mirrored(mirror.port);
    const body = Buffer.from(Array.from({ length: 150_000 }, (_, index) => 97 + (index % 26)));
    const client = await started.client();
    const head = Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
    await client.ask(Buffer.concat([head, body]));
    const copy = await onlyCopy(started, mirror);
    expect(copy.body.equals(body)).toBe(true);
  });

  test('of each of several pipelined requests is sent', async () => {
    const mirror = await upstream();
    const started = await mirrored(mirror.port);
    const client = await started.sent(`${get('', '/1')}${chunked('2\r\nab\r\n0\r\n\r\n')}${get('', '/3')}`);
    for (let index = 0; index < 3; index++) expect((await client.response()).status).toBe(200);
    await copies(started, 3);
    expect(mirror.requests.map(({ method, target }) => `${method} ${target}`).toSorted()).toEqual(['GET /1', 'GET /3', 'POST /']);
  });

  test('uses connections again', async () => {
    const mirror = await upstream(
      answering('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'),
    );
    const started = await mirrored(mirror.port);
    const client = await started.client();
    for (let index = 1; index <= 5; index++) {
      await client.ask(GET);
      await copies(started, index);
    }
    expect(mirror.connections).toHaveLength(1);
  });
});

describe('how many', () => {
  test('several mirrors, each by its own share, and all as the request is where no Host is to be marked', async () => {
    const [all, few] = [await upstream(), await upstream()];
    const mirrors = [all, few].map((_, index) => ({ cluster: index + 1, perMillion: index === 0 ? 1_000_000 : 200_000, marksHost: false }));
    const started = await rig({
      table: (main) =>
        table(
          [hosts(['*'], [route('/', forward({ mirrors }))])],
          [cluster(main), cluster(all.port, { name: MIRROR, subset: 'mirror' }), cluster(few.port, { name: 'few' })],
        ),
    });
    const client = await started.client();
    for (let sent = 0; sent < 200; sent++) await client.ask(get('x-sent: 1\r\n', '/copied?q=1'));
    await copies(started, 200);
    await expect.poll(() => few.requests.length, { timeout: 10_000 }).toBeGreaterThan(10);
    expect(few.requests.length).toBeLessThan(80);
    for (const copy of [...all.requests, ...few.requests]) {
      expect([copy.target, values(copy, 'host'), values(copy, 'x-sent')]).toEqual(['/copied?q=1', ['a'], ['1']]);
    }
  });

  test('the percentage of requests, drawn independently', async () => {
    const mirror = await upstream();
    const started = await mirrored(mirror.port, { perMillion: 250_000 });
    const client = await started.client();
    for (let index = 0; index < 400; index++) await client.ask(GET);
    await expect.poll(() => started.proxy.stats.totals(`mirror|${MIRROR}`).active).toBe(0);
    const { requests } = started.proxy.stats.totals(`mirror|${MIRROR}`);
    // 100 expected; 5 standard deviations are 43.
    expect(requests).toBeGreaterThan(57);
    expect(requests).toBeLessThan(143);
  });

  test('none where no endpoint took the request itself', async () => {
    const mirror = await upstream();
    const mirrors = [{ cluster: 1, perMillion: 1_000_000, marksHost: true }];
    const started = await rig({
      table: () => table([hosts(['*'], [route('/', forward({ mirrors }))])], [cluster([]), cluster(mirror.port, { name: MIRROR })]),
    });
    expect((await (await started.client()).ask(GET)).status).toBe(503);
    expect(started.proxy.stats.totals(`mirror|${MIRROR}`).requests).toBe(0);
  });
});

describe('statistics', () => {
  test('copies are counted by their own answers, and not for the cluster', async () => {
    const mirror = await upstream(answering('HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n'));
    const started = await mirrored(mirror.port);
    expect((await (await started.client()).ask(GET)).status).toBe(200);
    expect([...(await copies(started, 1)).statuses]).toEqual([[500, 1]]);
    expect(started.proxy.stats.totals(MIRROR).requests).toBe(0);
    expect([...started.proxy.stats.totals(MAIN).statuses]).toEqual([[200, 1]]);
  });
});

describe('whatever a mirror does, the request is answered', () => {
  const flags = async (started: Rig, count = 1): Promise<unknown> =>
    (await copies(started, count)).flags.map(({ flag, status }) => [flag, status]);

  test('it is down', async () => {
    const started = await mirrored(NOBODYS_PORT);
    expect((await (await started.client()).ask(GET)).status).toBe(200);
    expect(await flags(started)).toEqual([['UF', 0]]);
  });

  test('it has no endpoint', async () => {
    const mirrors = [{ cluster: 1, perMillion: 1_000_000, marksHost: true }];
    const started = await rig({
      table: (main) => table([hosts(['*'], [route('/', forward({ mirrors }))])], [cluster(main), cluster([], { name: MIRROR })]),
    });
    expect((await (await started.client()).ask(GET)).status).toBe(200);
    expect(await flags(started)).toEqual([['UH', 0]]);
  });

  test('it breaks off, resets, or speaks another protocol', async () => {
    const mirror = await upstream(async (side, index) => {
      await side.head();
      if (index === 0) side.close();
      else if (index === 1) side.write('SSH-2.0-x\r\n');
      else side.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n');
    });
    const started = await mirrored(mirror.port);
    const client = await started.client();
    for (let count = 1; count <= 3; count++) {
      expect((await client.ask(GET)).status).toBe(200);
      await copies(started, count);
    }
    expect(await flags(started, 3)).toEqual([
      ['UC', 0],
      ['UPE', 0],
    ]);
  });

  test('it never answers: the copy is given up after the route’s timeout', async () => {
    const mirror = await deaf();
    const mirrors = [{ cluster: 1, perMillion: 1_000_000, marksHost: true }];
    const started = await rig({
      table: (main) =>
        table([hosts(['*'], [route('/', forward({ mirrors, timeoutMs: 500 }))])], [cluster(main), cluster(mirror.port, { name: MIRROR })]),
    });
    const client = await started.client();
    for (let index = 0; index < 20; index++) expect((await client.ask(GET)).status).toBe(200);
    expect(await flags(started, 20)).toEqual([['UT', 0]]);
  });

  test('it never reads: a long upload passes at the main upstream’s pace, and the copy is dropped once it is behind', async () => {
    const mirror = await deaf();
    const started = await mirrored(mirror.port, {}, {});
    const client = await started.client();
    const piece = Buffer.alloc(64 * 1024, 'x');
    const pieces = 400;
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${piece.length * pieces}\r\n\r\n`);
    for (let index = 0; index < pieces; index++) await client.send(piece);
    expect((await client.response('POST')).status).toBe(200);
    expect(started.upstream.requests.map(({ body }) => body.length)).toEqual([piece.length * pieces]);
    expect(await flags(started)).toEqual([['UO', 0]]);
    expect(started.proxy.stats.totals(`mirror|${MIRROR}`).active).toBe(0);
  });

  test('it never answers a thousand: what is more is dropped at once', async () => {
    const mirror = await deaf();
    const started = await mirrored(mirror.port);
    const client = await started.client();
    for (let index = 0; index < 1030; index++) expect((await client.ask(GET)).status).toBe(200);
    expect(await flags(started, 6)).toEqual([['UO', 0]]);
    expect(started.proxy.stats.totals(`mirror|${MIRROR}`).active).toBe(1024);
  });
});

describe('whatever becomes of the request, the mirror gets no half of one as a whole', () => {
  test('a client that goes away in its body: the copy is cut off', async () => {
    const mirror = await upstream(async (side) => {
      await side.untilEnded();
    });
    const started = await mirrored(mirror.port);
    const client = await started.sent('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello');
    await (await mirror.connection(0)).head();
    client.close();
    const totals = await copies(started, 1);
    expect(totals.flags.map(({ flag }) => flag)).toEqual(['LR']);
    expect(mirror.requests).toEqual([]);
  });

  test('a client that goes away behind its request: the copy is sent all the same', async () => {
    const mirror = await upstream();
    const started = await mirrored(mirror.port, {}, { script: async (side) => side.untilEnded() });
    const client = await started.sent(GET);
    await started.upstream.connection(0);
    client.close();
    expect([...(await copies(started, 1)).statuses]).toEqual([[200, 1]]);
  });

  test('an upstream that answers before the body has come', async () => {
    const mirror = await upstream(async (side) => side.untilEnded());
    const started = await mirrored(
      mirror.port,
      {},
      {
        script: async (side) => {
          await side.head();
          side.write(OK);
        },
      },
    );
    const client = await started.sent('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello');
    expect((await client.response('POST')).status).toBe(200);
    expect((await copies(started, 1)).flags.map(({ flag }) => flag)).toEqual(['LR']);
  });
});
