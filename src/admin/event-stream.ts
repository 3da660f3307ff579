/**
 * One stream of server-sent events (HTML Living Standard, "Server-sent events") that never holds more than its share of memory.
 *
 * The response is handed pieces only while it takes them, so what a slow reader has not got yet waits here and can be dropped. Behind the message under way at most
 * `MAX_BACKLOG_BYTES` wait; beyond that everything that has not begun is dropped, nothing is taken until the reader has caught up, and then it is told to
 * begin anew (`resync`) and greeted as if it had just come. Messages are shared between streams; what is long is made piece by piece as the reader takes it.
 */
import type { ServerResponse } from 'node:http';

/** Reliability S-6. */
export const MAX_BACKLOG_BYTES = 256 * 1024;
/** Handed to the response at once. */
const PIECE_BYTES = 64 * 1024;

/** JSON in pieces, none of them with a line break. */
export interface Message {
  readonly event: string;
  readonly data: string | Iterable<string>;
}

export function frame(event: string, data: string): Buffer {
  return Buffer.from(`event: ${event}\ndata: ${data}\n\n`);
}

const RESYNC = frame('resync', '{}');
const PING = Buffer.from(': ping\n\n');

export class EventStream {
  readonly #response: ServerResponse;
  readonly #greeting: () => Iterable<Message>;
  /** Not begun, oldest first. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Of the message under way. */
  #pieces: Iterator<Buffer> | undefined;
  #isFull = false;
  #hasLost = false;

  /**
   * @param greeting What somebody who has just come is told.
   * @param onClose  Called once, whoever ended it.
   */
  constructor(response: ServerResponse, greeting: () => Iterable<Message>, onClose: () => void) {
    this.#response = response;
    this.#greeting = greeting;
    response.on('drain', () => {
      this.#isFull = false;
      this.#pump();
    });
    response.once('close', onClose);
    this.#pieces = piecesOf(greeting());
    this.#pump();
  }

  /** Bytes that wait here; the message under way is not among them. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** @param message As `frame` made it; kept as it is, not copied. */
  send(message: Buffer): void {
    if (this.#hasLost) return;
    const isBehind = this.#pieces !== undefined || this.#isFull;
    if (isBehind && this.#waitingBytes + this.#response.writableLength + message.length > MAX_BACKLOG_BYTES) {
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.#hasLost = true;
      return;
    }
    this.#waiting.push(message);
    this.#waitingBytes += message.length;
    this.#pump();
  }

  /** Shows intermediaries and the reader that the connection lives; one that is behind has other things to read. */
  ping(): void {
    if (this.#pieces === undefined && !this.#isFull) this.#response.write(PING);
  }

  end(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#pieces = undefined;
    this.#response.end();
  }

  #pump(): void {
    while (!this.#isFull && !this.#response.writableEnded) {
      const piece = this.#next();
      if (piece === undefined) return;
      this.#isFull = !this.#response.write(piece);
    }
  }

  #next(): Buffer | undefined {
    for (;;) {
      const step = this.#pieces?.next();
      if (step !== undefined && step.done !== true) return step.value;
      this.#pieces = this.#nextMessage();
      if (this.#pieces === undefined) return undefined;
    }
  }

  #nextMessage(): Iterator<Buffer> | undefined {
    const message = this.#waiting.shift();
    if (message !== undefined) {
      this.#waitingBytes -= message.length;
      return cut(message);
    }
    if (!this.#hasLost) return undefined;
    this.#hasLost = false;
    return anew(this.#greeting());
  }
}

function* anew(greeting: Iterable<Message>): Generator<Buffer> {
  yield RESYNC;
  yield* piecesOf(greeting);
}

function* cut(message: Buffer): Generator<Buffer> {
  for (let at = 0; at < message.length; at += PIECE_BYTES) yield message.subarray(at, at + PIECE_BYTES);
}

/** Put together to pieces worth a write. */
function* piecesOf(messages: Iterable<Message>): Generator<Buffer> {
  let text = '';
  for (const { event, data } of messages) {
    text += `event: ${event}\ndata: `;
    for (const part of typeof data === 'string' ? [data] : data) {
      text += part;
      if (text.length < PIECE_BYTES) continue;
      yield Buffer.from(text);
      text = '';
    }
    text += '\n\n';
  }
  if (text !== '') yield Buffer.from(text);
}
