/**
 * [F-45 to F-49] Floods by literal frames against a data plane in a thread of its own, as in production: the session ends long before the flood does, and a
 * client on another connection is answered throughout.
 */
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { FLAG, FRAME, GET, PREFACE, fields, frame, request, uint32 } from '../helpers/http2-frames.ts';
import { RawClient } from '../helpers/raw-client.ts';
import { rig, GET as ASK } from '../helpers/wire.ts';

const PRIORITY = 2;
const WINDOW_UPDATE = 8;
const MAX_ROUNDS = 20_000;

const batch = (count: number, make: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));

/** Number of the stream at `index` of a round of so many. */
const stream = (round: number, index: number, size: number): number => 2 * (round * size + index) + 1;

/** Fifty requests a round, and after each a frame that makes the server reset its stream ("MadeYouReset", CVE-2025-8671). */
const madeToReset = (spoil: (id: number) => Buffer) => (round: number) =>
  batch(50, (index) => {
    const id = stream(round, index, 50);
    return Buffer.concat([request(id), spoil(id)]);
  });

/** Or gone: an error is an end like any other. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    for (const event of ['drain', 'close', 'error']) socket.once(event, () => resolve());
  });
}

async function flood(socket: Socket, piece: (round: number) => Buffer, isOver: () => boolean): Promise<number> {
  let round = 0;
  for (; round < MAX_ROUNDS && !isOver(); round++) {
    if (!socket.write(piece(round)) && !isOver()) await drained(socket);
    // Whatever the server says has to be seen.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return round;
}

test.each<[what: string, piece: (round: number) => Buffer]>([
  [
    'CONTINUATION without end',
    (round) =>
      round === 0
        ? request(1, GET, FLAG.endStream)
        : batch(20, () => frame(FRAME.continuation, 0, 1, fields([[`x-${round}`, 'y'.repeat(50)]]))),
  ],
  ['empty CONTINUATION', (round) => (round === 0 ? request(1, GET, FLAG.endStream) : batch(1000, () => frame(FRAME.continuation, 0, 1)))],
  ['empty DATA', (round) => (round === 0 ? request(1, GET, FLAG.endHeaders) : batch(1000, () => frame(FRAME.data, 0, 1)))],
  [
    'an HPACK bomb',
    (round) =>
      frame(
        FRAME.headers,
        FLAG.endHeaders | FLAG.endStream,
        stream(round, 0, 1),
        Buffer.concat([fields(GET), fields([['x-big', 'z'.repeat(4000)]]), Buffer.alloc(10_000, 0xbe)]),
      ),
  ],
  ['WINDOW_UPDATE of 0', madeToReset((id) => frame(WINDOW_UPDATE, 0, id, uint32(0)))],
  ['a window that overflows', madeToReset((id) => frame(WINDOW_UPDATE, 0, id, uint32(0x7fff_ffff)))],
  ['a stream that depends on itself', madeToReset((id) => frame(PRIORITY, 0, id, Buffer.concat([uint32(id), Buffer.from([1])])))],
  ['PRIORITY of 3 octets', madeToReset((id) => frame(PRIORITY, 0, id, 'abc'))],
  ['HEADERS after the end', madeToReset((id) => request(id))],
  ['DATA after the end', madeToReset((id) => frame(FRAME.data, 0, id, 'x'))],
  [
    'resets a turn after their requests',
    (round) => {
      const turn = Math.floor(round / 2);
      return batch(50, (index) => {
        const id = stream(turn, index, 50);
        return round % 2 === 0 ? request(id) : frame(FRAME.reset, 0, id, uint32(8));
      });
    },
  ],
  [
    'PRIORITY for streams that are not there',
    (round) => batch(500, (index) => frame(PRIORITY, 0, stream(round, index, 500), Buffer.concat([uint32(0), Buffer.from([1])]))),
  ],
])('%s', { timeout: 60_000 }, async (_what, piece) => {
  const started = await rig({ options: { workers: 1 } });
  const socket = connect(started.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const session = { isOver: false };
  socket.on('error', () => undefined);
  socket.on('end', () => (session.isOver = true));
  socket.on('close', () => (session.isOver = true));
  socket.resume();
  socket.write(Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0), frame(FRAME.settings, FLAG.ack, 0)]));

  const client = await RawClient.connect(started.port);
  onTestFinished(() => client.close());
  const statuses = new Set<number>();
  const asking = (async () => {
    do statuses.add((await client.ask(ASK)).status);
    while (!session.isOver);
  })();
  const rounds = await flood(socket, piece, () => session.isOver);
  expect(rounds).toBeLessThan(MAX_ROUNDS);
  await asking;
  expect([...statuses]).toEqual([200]);
});
