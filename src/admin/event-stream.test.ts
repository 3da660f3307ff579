/** A stream of events to a reader that does not keep up, over real sockets. */
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { close, listen } from '../../test/helpers/upstream.ts';
import { EventStream, frame, MAX_BACKLOG_BYTES, type Message } from './event-stream.ts';

let server: Server;
let incoming: IncomingMessage;
let response: ServerResponse;
let stream: EventStream;
/** Everything read so far, fillers left out. */
let text = '';
let greetings = 0;
let closed = 0;
let ended = Promise.withResolvers<void>();

/** Long, and made while it is read: how much of it has been made tells how much was held. */
let piecesMade = 0;
let greetingPieces = 1;

function* greeting(): Iterable<Message> {
  const number = ++greetings;
  yield {
    event: 'live',
    data: (function* () {
      yield `{"greeting":${number},"filler":"`;
      for (let piece = 0; piece < greetingPieces; piece++) {
        piecesMade++;
        yield 'x'.repeat(16 * 1024);
      }
      yield '"}';
    })(),
  };
}

beforeEach(() => {
  text = '';
  greetings = 0;
  piecesMade = 0;
  greetingPieces = 1;
});

afterEach(async () => {
  incoming.destroy();
  await close(server);
});

async function open(): Promise<void> {
  const answering = Promise.withResolvers<ServerResponse>();
  server = createServer((_request, outgoing) => answering.resolve(outgoing));
  const port = await listen(server);
  const asked = new Promise<IncomingMessage>((resolve) => get({ host: '127.0.0.1', port, agent: false }, resolve));
  response = await answering.promise;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  // Streams of earlier tests may end while this one runs.
  const counted = (): void => {
    if (stream !== own) return;
    closed++;
    ended.resolve();
  };
  incoming = await asked;
  const own = new EventStream(response, greeting, counted);
  stream = own;
  closed = 0;
  ended = Promise.withResolvers();
}

const FILLER = 'y'.repeat(32 * 1024);
const numbered = (number: number): Buffer => frame('live', `{"number":${number},"filler":"${FILLER}"}`);

/** @returns The number after the last that was sent before everything was dropped. */
async function sendUntilDropped(): Promise<number> {
  for (let number = 1; ; number++) {
    const before = stream.waitingBytes;
    stream.send(numbered(number));
    expect(stream.waitingBytes).toBeLessThanOrEqual(MAX_BACKLOG_BYTES);
    expect(response.writableLength).toBeLessThanOrEqual(MAX_BACKLOG_BYTES);
    if (before > 0 && stream.waitingBytes === 0) return number;
    await turn();
  }
}

async function readUntil(part: string): Promise<void> {
  if (incoming.listenerCount('data') === 0)
    incoming.setEncoding('utf8').on('data', (more: string) => (text += more.replaceAll(/[xyz]{2,}/g, '')));
  while (!text.includes(part)) await turn();
}

test('a reader that stalls costs a bounded backlog, then hears of it and is greeted anew', async () => {
  await open();
  const dropped = await sendUntilDropped();
  // Nothing is taken while it is behind.
  stream.send(numbered(dropped + 1));
  expect(stream.waitingBytes).toBe(0);
  await readUntil('{"greeting":2');
  expect(text).toMatch(/\n\nevent: resync\ndata: \{\}\n\nevent: live\ndata: \{"greeting":2/);
  expect(text).not.toContain(`{"number":${dropped},`);
  expect(greetings).toBe(2);
  stream.send(frame('live', '{"number":"after"}'));
  await readUntil('"after"');
});

test('a long greeting is made as it is read, and what comes meanwhile is behind it', async () => {
  greetingPieces = 4096;
  await open();
  for (let round = 0; round < 50; round++) await turn();
  expect(piecesMade).toBeLessThan(greetingPieces);
  stream.send(frame('live', '{"number":"behind"}'));
  await readUntil('"behind"');
  expect(piecesMade).toBe(greetingPieces);
  expect(greetings).toBe(1);
});

test('one message is taken whatever its length, where nothing waits', async () => {
  await open();
  await readUntil('"greeting":1');
  const long = 'z'.repeat(4 * MAX_BACKLOG_BYTES);
  stream.send(frame('live', `{"long":"${long}"}`));
  stream.send(frame('live', '{"number":"after"}'));
  await readUntil('"after"');
  expect(text).not.toContain('resync');
});

test('pings go to readers that keep up only, and an end is told once', async () => {
  await open();
  await readUntil('"greeting":1');
  stream.ping();
  await readUntil('\n: ping\n');
  stream.end();
  await ended.promise;
  incoming.destroy();
  for (let round = 0; round < 10; round++) await turn();
  expect(closed).toBe(1);
});
