/**
 * Bodies arrive as they were sent while several connections share Serin's read buffers and their receivers stop and start: a buffer used again
 * too early would show as bytes of somebody else, or of another place.
 */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import type { Random } from '../../src/base/random.ts';
import type { RawSocket } from '../helpers/raw-socket.ts';
import { OK } from '../helpers/raw-upstream.ts';
import { settled } from '../helpers/turns.ts';
import { rig } from '../helpers/wire.ts';

/** More than the kernel's buffers on the way take, so that Serin has to hold some. */
const LENGTH = 14 * 1024 * 1024;
const CONNECTIONS = 2;

/** Bytes that tell whose they are and where they belong. */
function pattern(owner: number): Buffer {
  const bytes = Buffer.allocUnsafe(LENGTH);
  for (let at = 0; at < LENGTH; at += 4) bytes.writeUInt32LE(owner * 0x10000000 + at, at);
  return bytes;
}

/**
 * Pieces of 17 to 50 KB: long enough for a read buffer of one's own, too short to make a socket ask for a pause, so that one write is under way
 * when the next read comes.
 */
function pieces(bytes: Buffer, isChunked: boolean, random: Random): readonly Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const piece = bytes.subarray(at, at + 17_000 + Math.floor(random() * 33_000));
    at += piece.length;
    found.push(isChunked ? Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]) : piece);
  }
  if (isChunked) found.push(Buffer.from('0\r\n\r\n'));
  return found;
}

/** Writes a piece a turn while the way is open; what is left when it is not, at once. */
async function sendPieces(socket: RawSocket, all: readonly Buffer[]): Promise<void> {
  for (const piece of all) {
    socket.socket.write(piece);
    if (socket.socket.writableLength < 200_000) await nextTurn();
  }
}

/** Does not read until nothing moves any more, then in fits and starts until `isDone`. */
async function readFitfully(socket: RawSocket, progress: () => number, random: Random, isDone: () => boolean): Promise<void> {
  socket.socket.pause();
  await settled(progress, 60);
  while (!isDone() && !socket.isClosed) {
    socket.socket.resume();
    await pause(random() * 4);
    if (isDone()) return;
    socket.socket.pause();
    await pause(random() * 3);
  }
}

test.each(['Content-Length', 'Transfer-Encoding'])('[P69] uploads and downloads side by side (%s)', async (framing) => {
  const random = seededRandom(9);
  const isChunked = framing === 'Transfer-Encoding';
  const frame = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${LENGTH}`;
  let moved = 0;
  const started = await rig({
    script: async (side) => {
      side.socket.on('data', (chunk: Buffer) => (moved += chunk.length));
      const { line } = await side.head();
      const expected = pattern(Number(/\/(\d+)/.exec(line)?.[1]));
      if (line.startsWith('GET')) {
        side.write(`HTTP/1.1 200 OK\r\n${frame}\r\nConnection: close\r\n\r\n`);
        await sendPieces(side, pieces(expected, isChunked, random));
      } else {
        let isDone = false;
        const reading = readFitfully(
          side,
          () => moved,
          random,
          () => isDone,
        );
        const request = await side.nextRequest();
        isDone = true;
        await reading;
        side.write(request.body.equals(expected) ? OK : 'HTTP/1.1 500 Damaged\r\nContent-Length: 0\r\n\r\n');
      }
    },
  });
  const download = async (owner: number): Promise<void> => {
    const client = await started.sent(`GET /${owner} HTTP/1.1\r\nHost: a\r\n\r\n`);
    client.socket.on('data', (chunk: Buffer) => (moved += chunk.length));
    let isDone = false;
    const reading = readFitfully(
      client,
      () => moved,
      random,
      () => isDone,
    );
    const answer = await client.response();
    isDone = true;
    await reading;
    expect(answer.body.equals(pattern(owner))).toBe(true);
  };
  const upload = async (owner: number): Promise<void> => {
    const client = await started.sent(`PUT /${owner} HTTP/1.1\r\nHost: a\r\n${frame}\r\n\r\n`);
    await sendPieces(client, pieces(pattern(owner), isChunked, random));
    expect((await client.response()).status).toBe(200);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, owner) => [download(owner), upload(owner + CONNECTIONS)]).flat());
});
