/** Upgrades to another protocol: what is passed on, what is not, and the tunnel that follows. */
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { OK, type UpstreamScript } from '../helpers/raw-upstream.ts';
import { values } from '../helpers/reference-message.ts';
import { NO_HEADER_OPS } from '../../src/routing/table.ts';
import { cluster, forward, hosts, route, singleTable, table } from '../helpers/tables.ts';
import { startProxy } from '../helpers/rig.ts';
import { settled } from '../helpers/turns.ts';
import { GET, get, rig } from '../helpers/wire.ts';

const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const ASKED = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n${KEY}`;
const UPGRADE = get(ASKED, '/chat');
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n';

const HEAD = `GET /chat HTTP/1.1
Host: a
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
x-forwarded-for: 127.0.0.1
x-forwarded-proto: http
via: VIA
connection: upgrade
upgrade: websocket
x-request-id: ID

`.replaceAll('\n', '\r\n');

/** Agrees to every upgrade; `then` goes on with the connection. */
function agreeing(then: UpstreamScript = () => undefined, answer = SWITCHED): UpstreamScript {
  return async (side, index) => {
    await side.head();
    side.write(answer);
    await then(side, index);
  };
}

describe('[P58] what is passed on', () => {
  test('a WebSocket handshake, byte for byte, and its 101', async () => {
    const started = await rig({ script: agreeing() });
    const client = await started.sent(UPGRADE);
    await client.until(() => client.text.endsWith('\r\n\r\n'), 'the 101');
    expect(client.text).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    );
    const sent = started.upstream.text.replace(/via: .*/, 'via: VIA').replace(/x-request-id: .*/, 'x-request-id: ID');
    expect(sent).toBe(HEAD);
  });

  test.each([
    ['another protocol', get('Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n')],
    ['without the connection option', get(`Upgrade: websocket\r\n${KEY}`)],
    ['HTTP/1.0', `GET / HTTP/1.0\r\nHost: a\r\n${ASKED}\r\n`],
  ])('%s: the request goes on as plain HTTP', async (_name, request) => {
    const started = await rig();
    const client = await started.sent(request);
    expect((await client.response()).status).toBe(200);
    expect(started.upstream.text.toLowerCase()).not.toMatch(/^(?:upgrade|connection):/m);
  });

  test('the one of several that is allowed', async () => {
    const started = await rig({ script: agreeing() });
    const client = await started.sent(get(ASKED.replace('Upgrade: websocket', 'Upgrade: h2c, WebSocket')));
    await client.until(() => client.text.includes('101'), 'the 101');
    expect(started.upstream.text.match(/^upgrade: \w+/gim)).toEqual(['upgrade: websocket']);
  });

  test('another that the operator lists', async () => {
    const answer = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\nhello';
    const started = await rig({ script: agreeing(undefined, answer), options: { upgrades: ['websocket', 'tcp'] } });
    const client = await started.sent(get('Connection: Upgrade\r\nUpgrade: tcp\r\n'));
    await client.until(() => client.text.endsWith('\r\n\r\nhello'), 'what follows the 101');
  });

  test.each([
    ['a body of stated length', get(`${ASKED}Content-Length: 4\r\n`)],
    ['a length of 0', get(`${ASKED}Content-Length: 0\r\n`)],
    ['a chunked body', get(`${ASKED}Transfer-Encoding: chunked\r\n`)],
    ['a POST', UPGRADE.replace('GET', 'POST')],
    ['no key', get(ASKED.replace(KEY, ''))],
    ['two keys', get(`${ASKED}${KEY}`)],
    ['a key of another length', get(ASKED.replace('ub25jZQ==', 'ub25j'))],
  ])('%s: 400, and nothing goes upstream', async (_name, request) => {
    const started = await rig();
    const client = await started.sent(request);
    const answer = await client.response();
    expect([answer.status, values(answer, 'x-serin-error')]).toEqual([400, ['bad_upgrade']]);
    expect(started.upstream.text).toBe('');
  });

  test('[P22] CONNECT is refused', async () => {
    const started = await rig();
    const client = await started.sent('CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n');
    expect((await client.response()).status).toBe(405);
  });
});

describe('[P59] before the 101', () => {
  test('nothing the client sends goes upstream; after it, all of it does, in order', async () => {
    let isHeld = false;
    const started = await rig({
      script: async (side) => {
        await side.head();
        await settled(() => side.received.length, 30);
        isHeld = side.text.endsWith('\r\n\r\n');
        side.write(SWITCHED);
      },
    });
    const client = await started.sent(`${UPGRADE}early`);
    await client.until(() => client.text.includes('101'), 'the 101');
    await client.send(' late');
    const side = await started.upstream.connection(0);
    await side.until(() => side.text.endsWith('\r\n\r\nearly late'), 'the bytes in order');
    expect(isHeld).toBe(true);
  });

  test('another answer is an answer: both connections are closed, what followed the request is no request', async () => {
    const started = await rig({
      script: async (side) => {
        await side.head();
        side.write(OK);
      },
    });
    const client = await started.sent(`${UPGRADE}${get('', '/smuggled')}`);
    const answers = await client.untilServerCloses();
    expect(answers.map((answer) => [answer.status, values(answer, 'connection')])).toEqual([[200, ['close']]]);
    const side = await started.upstream.connection(0);
    await side.until(() => side.isEnded || side.isClosed, 'the end of the upstream connection');
    expect(started.upstream.text).not.toContain('/smuggled');
    expect(started.upstream.connections).toHaveLength(1);
  });

  test.each([
    ['of another protocol', SWITCHED.replace('websocket', 'h2c')],
    ['of more than was asked for', SWITCHED.replace('websocket', 'websocket, h2c')],
    ['without Upgrade', SWITCHED.replace('Upgrade: websocket\r\n', '')],
    ['without the connection option', SWITCHED.replace('Connection: Upgrade\r\n', '')],
  ])('a 101 %s: 502', async (_name, answer) => {
    const started = await rig({ script: agreeing(undefined, answer) });
    const client = await started.sent(UPGRADE);
    expect((await client.response()).status).toBe(502);
  });

  test('an upgrade takes no connection from the pool, and gives none back', async () => {
    const started = await rig({
      script: async (side, index) => {
        for (;;) {
          if ((await side.request()) === undefined) return;
          side.write(index === 1 ? OK.replace('200 OK', '403 Forbidden') : OK);
        }
      },
    });
    const first = await started.sent(GET);
    await first.response();
    const client = await started.sent(UPGRADE);
    expect((await client.response()).status).toBe(403);
    await first.ask(GET);
    expect(started.upstream.connections.map((side) => side.text.match(/^GET/gm)?.length)).toEqual([2, 1]);
  });

  test('a policy tries the handshake again; mirrors get none of it', async () => {
    const started = await rig({
      table: (port) => {
        const mirrors = [{ cluster: 0, perMillion: 1_000_000, marksHost: true }];
        const retry = {
          attempts: 1,
          on: ['5xx' as const],
          statusCodes: [],
          perTryTimeoutMs: 0,
          backoffMs: 1,
          avoidsTried: true,
          repeatsAnything: false,
        };
        return singleTable(port, { action: { mirrors, retry } });
      },
      script: async (side, index) => {
        await side.head();
        side.write(index === 0 ? OK.replace('200 OK', '503 Service Unavailable') : SWITCHED);
      },
    });
    const client = await started.sent(UPGRADE);
    await client.until(() => client.text.includes('101'), 'the 101');
    expect(started.upstream.connections.map((side) => /x-envoy-attempt-count: (\d)/.exec(side.text)?.[1])).toEqual(['1', '2']);
    expect(started.upstream.text).not.toContain('-shadow');
  });

  test('faults are injected', async () => {
    const started = await rig({ action: { fault: { abort: { status: 418, perMillion: 1_000_000 }, isBeforeRouter: false } } });
    const client = await started.sent(UPGRADE);
    expect((await client.response()).status).toBe(418);
    expect(started.upstream.connections).toHaveLength(0);
  });
});

describe('[P60] the tunnel', () => {
  test('header operations act on the 101', async () => {
    const started = await rig({
      script: agreeing(),
      route: { responseHeaders: { ...NO_HEADER_OPS, add: [{ name: 'x-version', value: ['v2'] }] } },
    });
    const client = await started.sent(UPGRADE);
    await client.until(() => client.text.endsWith('\r\n\r\n'), 'the 101');
    expect(client.text).toContain('\r\nx-version: v2\r\n');
  });

  test('the end of one direction leaves the other open', async () => {
    const started = await rig({ script: agreeing() });
    const client = await started.sent(UPGRADE);
    await client.until(() => client.text.includes('101'), 'the 101');
    client.end();
    const side = await started.upstream.connection(0);
    await side.until(() => side.isEnded, 'the FIN upstream');
  });

  test('of the upstream too: the client may go on', async () => {
    const started = await rig({ script: agreeing((side) => side.end()) });
    const client = await started.sent(UPGRADE);
    await client.until(() => client.isEnded, 'the FIN');
    await client.send('still here');
    const side = await started.upstream.connection(0);
    await side.until(() => side.text.endsWith('still here'), 'what the client says after it');
    client.end();
    await client.until(() => client.isClosed, 'the close');
    await side.until(() => side.isClosed, 'the close upstream');
  });

  test.each(['client', 'upstream'])('a reset of the %s is one for the other', async (who) => {
    const started = await rig({ script: agreeing() });
    const client = await started.sent(UPGRADE);
    await client.until(() => client.text.includes('101'), 'the 101');
    const side = await started.upstream.connection(0);
    const [resets, sees] = who === 'client' ? [client, side] : [side, client];
    resets.reset();
    await sees.until(() => sees.isClosed, 'the reset');
    expect(sees.errorCode).toBe('ECONNRESET');
  });

  test('who does not read is not read ahead of, and gets everything in the end', async () => {
    const length = 32 * 2 ** 20;
    const started = await rig({ script: agreeing((side) => side.write(Buffer.alloc(length, 'x'))) });
    const client = await started.client();
    await client.send(UPGRADE);
    await client.until(() => client.text.includes('101'), 'the 101');
    client.socket.pause();
    const side = await started.upstream.connection(0);
    await settled(() => side.socket.bytesWritten - side.socket.writableLength, 100);
    expect(side.socket.writableLength).toBeGreaterThan(length / 4);
    client.socket.resume();
    await client.until(() => client.received.length >= length, 'all of it');
    expect(client.received.subarray(-length).every((byte) => byte === 0x78)).toBe(true);
  });

  test('in the other direction as well', async () => {
    const length = 32 * 2 ** 20;
    const started = await rig({ script: agreeing((side) => void side.socket.pause()) });
    const client = await started.client();
    await client.send(UPGRADE);
    await client.until(() => client.text.includes('101'), 'the 101');
    client.write(Buffer.alloc(length, 'y'));
    await settled(() => client.socket.writableLength, 100);
    expect(client.socket.writableLength).toBeGreaterThan(length / 4);
    const side = await started.upstream.connection(0);
    const head = side.received.length;
    side.socket.resume();
    await side.until(() => side.received.length >= head + length, 'all of it');
    expect(side.received.subarray(-length).every((byte) => byte === 0x79)).toBe(true);
  });

  test('without a byte for its idle time it is closed', async () => {
    const started = await rig({ script: agreeing(), cluster: { tunnelIdleMs: 100 } });
    const client = await started.sent(UPGRADE);
    await client.until(() => client.isClosed || client.isEnded, 'the end');
    const side = await started.upstream.connection(0);
    await side.until(() => side.isClosed || side.isEnded, 'the end upstream');
  });

  test('a drain waits for it', async () => {
    const started = await rig({
      script: agreeing(async (side) => {
        await side.until(() => side.text.endsWith('last words'), 'what the client says');
        side.write('heard');
      }),
    });
    const client = await started.sent(UPGRADE);
    await client.until(() => client.text.includes('101'), 'the 101');
    const drained = started.proxy.drain(8000);
    await client.send('last words');
    await client.until(() => client.text.endsWith('heard'), 'an answer in the drain');
    client.end();
    (await started.upstream.connection(0)).end();
    await drained;
  });

  test('for its endpoint it is in flight until it ends, for statistics it is over with the 101', async () => {
    const started = await rig({ script: agreeing() });
    const client = await started.sent(UPGRADE);
    await client.until(() => client.text.includes('101'), 'the 101');
    const name = cluster(1).name;
    const totals = started.proxy.stats.totals(name);
    expect([...(totals?.statuses ?? [])]).toEqual([[101, 1]]);
    expect(totals?.active).toBe(1);
    expect(await started.proxy.activeRequests({ address: '127.0.0.1', port: started.upstream.port })).toBe(1);
    client.reset();
    const side = await started.upstream.connection(0);
    await side.until(() => side.isClosed, 'the reset');
    expect(await started.proxy.activeRequests({ address: '127.0.0.1', port: started.upstream.port })).toBe(0);
    expect(started.proxy.stats.totals(name)?.active).toBe(0);
  });
});

test('a WebSocket server and client that know nothing of it talk through it, over a reload', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => server.close());
  server.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const single = (version: string) => ({
    ...table([hosts(['*'], [route('/', forward())])], [cluster(address.port)]),
    version,
  });
  const running = await startProxy(single('1'));
  onTestFinished(() => running.close());
  const socket = new WebSocket(`ws://127.0.0.1:${running.port}/echo`);
  const says = async (text: string | Buffer): Promise<string> => {
    socket.send(text);
    const [data] = (await once(socket, 'message')) as [Buffer];
    return data.toString('latin1');
  };
  await once(socket, 'open');
  expect(await says('hello')).toBe('hello');
  await running.proxy.apply(single('2'), [{ listener: 'mesh', host: '127.0.0.1', port: 0 }]);
  const long = Buffer.alloc(1_000_000, 'z');
  expect(await says(long)).toBe(long.toString('latin1'));
  socket.close(4001, 'done');
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  expect([code, reason.toString()]).toEqual([4001, 'done']);
  expect(running.internalErrors).toEqual([]);
});
