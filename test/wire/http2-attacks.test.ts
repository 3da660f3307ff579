/** Sessions that break the protocol or wear the server out, by literal frames: they end, and a client on another connection notices nothing. */
import { constants } from 'node:http2';
import { describe, expect, onTestFinished, test } from 'vitest';
import { http2Ask, http2Client } from '../helpers/http2-client.ts';
import { FLAG, FRAME, GET, PREFACE, fields, frame, readFrames, request, uint32 } from '../helpers/http2-frames.ts';
import { RawClient } from '../helpers/raw-client.ts';
import type { Rig } from '../helpers/rig.ts';
import { rig } from '../helpers/wire.ts';

const SETTINGS = frame(FRAME.settings, 0, 0);

async function attacker(started: Rig): Promise<RawClient> {
  const client = await RawClient.connect(started.port);
  onTestFinished(() => client.close());
  await client.send(Buffer.concat([PREFACE, SETTINGS, frame(FRAME.settings, FLAG.ack, 0)]));
  return client;
}

/** Sends pieces one after the other until the connection is closed, or there are none left; then waits for its end. */
async function flood(client: RawClient, piece: (round: number) => Buffer, rounds: number): Promise<void> {
  for (let round = 0; round < rounds && !client.isClosed && !client.isEnded; round++) await client.send(piece(round));
  await client.until(() => client.isClosed || client.isEnded, 'the end of the connection');
}

/** Codes of the GOAWAYs that came. */
function goaways(client: RawClient): readonly number[] {
  return readFrames(client.received).flatMap(({ type, payload }) => (type === FRAME.goaway ? [payload.readUInt32BE(4)] : []));
}

/** A client that asks all the time, and what became of it. */
async function healthy(started: Rig): Promise<() => Promise<readonly number[]>> {
  const session = await http2Client(started.port);
  const statuses: number[] = [];
  const over = new AbortController();
  const asking = (async () => {
    while (!over.signal.aborted) statuses.push((await http2Ask(session)).status);
  })();
  return async () => {
    over.abort();
    await asking;
    return [...new Set(statuses)];
  };
}

const batch = (count: number, make: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));

const reset = (stream: number, code: number): Buffer => frame(FRAME.reset, 0, stream, uint32(code));

describe('[P77] floods', () => {
  const stream = (round: number, index: number, size: number): number => 2 * (round * size + index) + 1;

  const attacks: readonly (readonly [what: string, piece: (round: number) => Buffer])[] = [
    [
      'F-45 rapid reset',
      (round) =>
        batch(50, (index) => Buffer.concat([request(stream(round, index, 50)), reset(stream(round, index, 50), constants.NGHTTP2_CANCEL)])),
    ],
    ['F-47 PING', () => batch(100, () => frame(FRAME.ping, 0, 0, '12345678'))],
    ['F-47 SETTINGS', () => batch(100, () => SETTINGS)],
  ];

  test.each(attacks)('%s', async (_what, piece) => {
    const started = await rig({
      script: async (side) => {
        // Slow, so that what is reset has not been answered.
        for (;;) {
          if ((await side.request()) === undefined) return;
          setTimeout(() => side.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), 5);
        }
      },
    });
    const stop = await healthy(started);
    const client = await attacker(started);
    const before = started.upstream.connections.length;
    await flood(client, piece, 2000);
    expect(await stop()).toEqual([200]);
    expect(goaways(client).every((code) => code !== constants.NGHTTP2_NO_ERROR)).toBe(true);
    // [F-45] At most 200 of its streams have reached the upstream.
    expect(started.upstream.connections.length - before).toBeLessThanOrEqual(200);
  });
});

describe('[B-171 to B-178] frames that are none', () => {
  test.each([
    ['SETTINGS of 5 octets', frame(FRAME.settings, 0, 0, '12345')],
    ['an ACK with a payload', frame(FRAME.settings, FLAG.ack, 0, '123456')],
    ['ENABLE_PUSH 2', frame(FRAME.settings, 0, 0, Buffer.from([0, 2, 0, 0, 0, 2]))],
    ['a window of 2^31', frame(FRAME.settings, 0, 0, Buffer.from([0, 4, 0x80, 0, 0, 0]))],
    ['DATA on stream 0', frame(FRAME.data, 0, 0, 'x')],
    ['HEADERS on stream 0', request(0)],
    ['RST_STREAM on stream 0', reset(0, 8)],
    ['an even stream', request(2)],
    ['RST_STREAM of 3 octets', Buffer.concat([request(1), frame(FRAME.reset, 0, 1, 'abc')])],
    ['PING of 7 octets', frame(FRAME.ping, 0, 0, '1234567')],
    ['DATA longer than its frame may be', Buffer.concat([request(1, GET, FLAG.endHeaders), frame(FRAME.data, 0, 1, Buffer.alloc(16_385))])],
    [
      'padding longer than its frame',
      Buffer.concat([request(1, GET, FLAG.endHeaders), frame(FRAME.data, FLAG.padded, 1, Buffer.from([9, 0]))]),
    ],
    ['PUSH_PROMISE from a client', frame(FRAME.pushPromise, FLAG.endHeaders, 1, uint32(2))],
    ['GOAWAY on a stream', frame(FRAME.goaway, 0, 1, Buffer.alloc(8))],
    ['CONTINUATION alone', frame(FRAME.continuation, FLAG.endHeaders, 1, fields(GET))],
    ['CONTINUATION of another stream', Buffer.concat([request(1, GET, FLAG.endStream), frame(FRAME.continuation, FLAG.endHeaders, 3)])],
    ['HPACK index 0', frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, Buffer.from([0x80]))],
    ['HPACK index 999', frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, Buffer.from([0xff, 0xe8, 0x06]))],
    [
      'an HPACK table larger than allowed',
      frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, Buffer.from([0x3f, 0xff, 0xff, 0x03])),
    ],
  ])('%s', async (_what, bytes) => {
    const started = await rig();
    const client = await attacker(started);
    await client.send(bytes);
    await client.until(() => client.isClosed || client.isEnded, 'the end of the connection');
    expect(goaways(client)[0]).not.toBe(constants.NGHTTP2_NO_ERROR);
    expect((await http2Ask(await http2Client(started.port))).status).toBe(200);
  });

  test('[B-176] unknown frames, settings and flags are ignored', async () => {
    const started = await rig();
    const client = await attacker(started);
    await client.send(
      Buffer.concat([
        frame(0xee, 0xff, 0, 'x'),
        frame(FRAME.settings, 0, 0, Buffer.from([0xff, 0xee, 0, 0, 0, 1])),
        request(1, GET, FLAG.endStream | FLAG.endHeaders | 0xc0),
      ]),
    );
    await client.until(
      () => readFrames(client.received).some(({ type, flags }) => type === FRAME.data && (flags & FLAG.endStream) !== 0),
      'an answer',
    );
  });

  test.each([
    ['a name in capitals', [...GET, ['X-A', '1']]],
    ['a line break in a value', [...GET, ['x-a', 'a\r\nx-b: 1']]],
    ['a line break in a name', [...GET, ['x-a: 1\r\nx-b', '1']]],
    ['NUL in a value', [...GET, ['x-a', 'a\0b']]],
    ['connection', [...GET, ['connection', 'close']]],
    ['transfer-encoding', [...GET, ['transfer-encoding', 'chunked']]],
    ['te: gzip', [...GET, ['te', 'gzip']]],
    ['a pseudo field behind others', [...GET.slice(0, 3), ['x-a', '1'], [':authority', 'a']]],
    ['a pseudo field twice', [...GET, [':path', '/b']]],
    ['an unknown one', [...GET, [':status', '200']]],
    ['no path', GET.filter(([name]) => name !== ':path')],
    ['a method of two words', [[':method', 'GET /x'], ...GET.slice(1)]],
    ['a path with a space', [...GET.slice(0, 2), [':path', '/ HTTP/1.1'], ...GET.slice(3)]],
    ['a path with a line break', [...GET.slice(0, 2), [':path', '/\r\nx-a: 1'], ...GET.slice(3)]],
    ['another scheme', [GET[0], [':scheme', 'http://x/?'], ...GET.slice(2)]],
    ['no authority at all', GET.slice(0, 3)],
    ['content-length twice', [...GET, ['content-length', '1'], ['content-length', '2']]],
    ['a content-length with a sign', [...GET, ['content-length', '+1']]],
  ] as [string, [string, string][]][])('[P73] a request with %s does not reach the upstream as it is', async (_what, list) => {
    const started = await rig();
    const client = await attacker(started);
    await client.send(request(1, list));
    const isAnswered = (): boolean =>
      readFrames(client.received).some(({ type, stream }) => stream === 1 && (type === FRAME.headers || type === FRAME.reset));
    await client.until(() => isAnswered() || client.isClosed || client.isEnded, 'an answer');
    for (const { head } of started.upstream.requests)
      expect(head).not.toMatch(/x-b|x-a: a|X-A|connection: close|transfer-encoding|gzip|GET \/x/);
    expect(started.upstream.requests.length === 0 || /line break|NUL|capitals/.test(_what)).toBe(true);
    expect((await http2Ask(await http2Client(started.port))).status).toBe(200);
  });
});

test('[P78] silence behind the preface ends', async () => {
  const started = await rig({ options: { timeouts: { headerMs: 60, lingerMs: 60 } } });
  const client = await RawClient.connect(started.port);
  await client.send(PREFACE);
  await client.until(() => client.isClosed || client.isEnded, 'the end of the connection');
  client.close();
});

describe('[B-188] one stream more than a hundred', () => {
  const streamOf = (index: number): number => 2 * index + 1;

  interface Held {
    readonly started: Rig;
    readonly client: RawClient;
    readonly release: () => void;
  }

  /** A session that has asked for a hundred streams and one, none of them answered before `release`. */
  async function crowded(acknowledges: boolean): Promise<Held> {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const started = await rig({
      script: async (side) => {
        while ((await side.request()) !== undefined) {
          await released;
          side.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        }
      },
    });
    const client = await RawClient.connect(started.port);
    onTestFinished(() => client.close());
    await client.send(Buffer.concat([PREFACE, SETTINGS]));
    await client.until(() => readFrames(client.received).some(({ type }) => type === FRAME.settings), 'SETTINGS');
    if (acknowledges) await client.send(frame(FRAME.settings, FLAG.ack, 0));
    await client.send(batch(101, (index) => request(streamOf(index))));
    return { started, client, release };
  }

  const streamsWith = (client: RawClient, type: number): readonly number[] =>
    readFrames(client.received).flatMap((each) => (each.type === type ? [each.stream] : []));

  test('is refused, and the hundred are answered, as is one that comes after them', async () => {
    const { client, release } = await crowded(false);
    await client.until(() => streamsWith(client, FRAME.reset).length > 0, 'RST_STREAM');
    const refused = readFrames(client.received).find(({ type }) => type === FRAME.reset);
    expect([refused?.stream, refused?.payload.readUInt32BE(0)]).toEqual([streamOf(100), constants.NGHTTP2_REFUSED_STREAM]);
    release();
    const answered = (count: number) => (): boolean => streamsWith(client, FRAME.headers).length === count;
    await client.until(answered(100), 'a hundred answers');
    expect(streamsWith(client, FRAME.headers).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, index) => streamOf(index)),
    );
    await client.send(Buffer.concat([frame(FRAME.settings, FLAG.ack, 0), request(streamOf(101))]));
    await client.until(answered(101), 'one more answer');
    expect([streamsWith(client, FRAME.reset), goaways(client)]).toEqual([[streamOf(100)], []]);
  });

  // nghttp2 takes it for a connection error, as RFC 9113 §5.4.1 allows.
  test('ends the session of a client that has acknowledged the limit, and no other', async () => {
    const { started, client, release } = await crowded(true);
    await client.until(() => client.isClosed || client.isEnded, 'the end of the connection');
    expect(goaways(client)).toEqual([constants.NGHTTP2_PROTOCOL_ERROR]);
    release();
    expect((await http2Ask(await http2Client(started.port))).status).toBe(200);
  });
});
