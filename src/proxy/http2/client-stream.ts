/**
 * One stream of a session with an endpoint: carries one exchange as a connection of HTTP/1.1 would, and takes and gives HTTP/1.1 text. Frames and flow control are
 * Node's.
 *
 *   waiting ──session open, one turn──> ready ──head written──> busy ──answer complete──> done          every state ──> done
 */
import { constants } from 'node:http2';
import type { ClientHttp2Stream } from 'node:http2';
import { BodyReader } from '../../http/body-reader.ts';
import { http2RequestHead } from '../../http/http2-request.ts';
import { http1ResponseHead, lastChunk } from '../../http/http2-response.ts';
import type { EndpointRuntime } from '../cluster-runtime.ts';
import type { AfterTurn } from '../context.ts';
import { Deadline } from '../deadline-wheel.ts';
import { OWN_READS } from '../read-buffers.ts';
import type { Reads } from '../read-buffers.ts';
import type { UpstreamLink, UpstreamLoss, UpstreamUser } from '../upstream-link.ts';
import type { ClientSession } from './client-session.ts';

/** Node's destroy sends INTERNAL_ERROR for it. */
const BROKEN_OFF = new Error('the request is broken off');

export class ClientStream implements UpstreamLink, AfterTurn {
  readonly buffers: Reads = OWN_READS;
  readonly #session: ClientSession;
  #user: UpstreamUser | undefined;
  #state: 'waiting' | 'ready' | 'busy' | 'done' = 'waiting';
  #stream: ClientHttp2Stream | undefined;
  #isHead = false;
  readonly #request = new BodyReader('request');
  #isChunked = false;
  #hasAnswer = false;
  #trailers: readonly string[] = [];
  /** Ends a stream whose exchange is over, and which the endpoint leaves open. */
  readonly #deadline = new Deadline(() => this.#stream?.close(constants.NGHTTP2_CANCEL));

  constructor(session: ClientSession, user: UpstreamUser) {
    this.#session = session;
    this.#user = user;
  }

  get endpoint(): EndpointRuntime {
    return this.#session.endpoint;
  }

  get isReused(): boolean {
    return this.#session.isReused;
  }

  get pendingBytes(): number {
    return this.#stream?.writableLength ?? 0;
  }

  get hasPendingWrites(): boolean {
    return this.pendingBytes > 0;
  }

  /** Streams do not wear out; sessions do, and look after it themselves. */
  isWornOut(): boolean {
    return false;
  }

  onTurn(): void {
    if (this.#state !== 'waiting' || !this.#session.isOpen) return;
    this.#state = 'ready';
    this.#user?.onUpstreamReady();
  }

  // --- the request --------------------------------------------------------------------------------------------------------------------------

  write(data: string | Uint8Array): boolean {
    if (this.#state === 'ready') this.#begin(data);
    else if (this.#state === 'busy') this.#writeBody(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
    return this.#stream?.writableNeedDrain !== true;
  }

  #begin(text: string | Uint8Array): void {
    if (typeof text !== 'string') throw new Error('broken invariant: a request is written with its head first');
    const head = http2RequestHead(text, this.#session.scheme);
    this.#isHead = head.method === 'HEAD';
    this.#request.begin(head.framing, head.contentLength);
    let stream: ClientHttp2Stream;
    try {
      stream = this.#session.request(head.list, this.#request.isDone);
    } catch {
      // The session has gone since it said that it was open; whoever writes is not to be called back from within.
      this.#state = 'waiting';
      setImmediate(() => this.#lose('unused'));
      return;
    }
    this.#state = 'busy';
    this.#stream = stream;
    stream.on('drain', () => this.#user?.onUpstreamDrain());
    stream.on('headers', (_headers, _flags, list: unknown) => this.#give(http1ResponseHead(list as string[], this.#isHead).text));
    stream.on('response', (_headers, flags, list: unknown) => this.#onResponse(list as string[], flags));
    stream.on('trailers', (_headers, _flags, list: unknown) => (this.#trailers = list as string[]));
    stream.on('data', (bytes: Buffer) => this.#onData(bytes));
    stream.on('end', () => this.#onEnd());
    // The reason does not matter: 'close' follows.
    stream.on('error', () => undefined);
    stream.on('close', () => this.#onClose());
  }

  #writeBody(bytes: Uint8Array): void {
    const stream = this.#stream;
    if (stream === undefined || stream.writableEnded || stream.destroyed) return;
    const body = this.#request;
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    let last: Buffer | undefined;
    while (at < buffer.length && !body.isDone) {
      at = body.take(buffer, at, buffer.length);
      if (body.error !== undefined) throw new Error(`broken invariant: a request is framed well, not ${body.error.code}`);
      if (body.dataEnd === body.dataStart) continue;
      if (last !== undefined) stream.write(last);
      last = buffer.subarray(body.dataStart, body.dataEnd);
    }
    if (body.isDone) stream.end(last);
    else if (last !== undefined) stream.write(last);
  }

  cork(): void {
    // Node puts what is written in one turn into one packet.
  }

  uncork(): void {
    // See cork.
  }

  // --- the response -------------------------------------------------------------------------------------------------------------------------

  #onResponse(list: readonly string[], flags: number): void {
    this.#hasAnswer = true;
    const { text, isChunked } = http1ResponseHead(list, this.#isHead);
    this.#isChunked = isChunked;
    const isEnded = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    this.#give(isChunked && isEnded ? text + lastChunk([]) : text);
    if (isEnded) this.#isChunked = false;
  }

  #onData(bytes: Buffer): void {
    if (this.#user === undefined) {
      this.#stream?.close(constants.NGHTTP2_CANCEL);
      return;
    }
    if (!this.#isChunked) {
      this.#user.onUpstreamBytes(bytes, bytes.length);
      return;
    }
    const size = `${bytes.length.toString(16)}\r\n`;
    const chunk = Buffer.allocUnsafe(size.length + bytes.length + 2);
    chunk.write(size, 'latin1');
    bytes.copy(chunk, size.length);
    chunk.write('\r\n', size.length + bytes.length, 'latin1');
    this.#user.onUpstreamBytes(chunk, chunk.length);
  }

  /** The end of a stream that was reset is none. */
  #onEnd(): void {
    const stream = this.#stream;
    if (!this.#isChunked || stream === undefined || (stream.rstCode ?? 0) !== constants.NGHTTP2_NO_ERROR || stream.aborted) return;
    this.#isChunked = false;
    this.#give(lastChunk(this.#trailers));
  }

  #give(text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    this.#user?.onUpstreamBytes(bytes, bytes.length);
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  // --- how it ends --------------------------------------------------------------------------------------------------------------------------

  release(): void {
    this.#user = undefined;
    const stream = this.#stream;
    if (stream === undefined) {
      this.#finish();
      return;
    }
    // An answer before the end of the request: the rest of it is not wanted.
    if (!stream.writableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
    stream.resume();
    const { context } = this.#session;
    if (!stream.destroyed) context.wheel.set(this.#deadline, context.now() + context.settings.timeouts.lingerMs);
  }

  close(): void {
    this.#user = undefined;
    const stream = this.#stream;
    if (stream === undefined) this.#finish();
    else if (stream.writableEnded) stream.close(constants.NGHTTP2_CANCEL);
    // Not `close`: it would end the request before it resets the stream, and a part of a body would look whole.
    else stream.destroy(BROKEN_OFF);
  }

  onSessionLost(loss: UpstreamLoss): void {
    if (this.#stream === undefined) this.#lose(loss === 'reset' ? 'unused' : loss);
    // What it had begun is told by its own 'close', which Node has sent or is about to.
  }

  #onClose(): void {
    const stream = this.#stream;
    // Without a number it was never sent: the session had just been told to go.
    const isUnseen = stream?.id === undefined || (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM && !this.#hasAnswer);
    this.#lose(isUnseen ? 'unused' : 'reset');
  }

  #lose(loss: UpstreamLoss): void {
    const user = this.#user;
    this.#user = undefined;
    this.#finish();
    user?.onUpstreamLost(loss);
  }

  #finish(): void {
    if (this.#state === 'done') return;
    this.#state = 'done';
    this.#session.context.wheel.remove(this.#deadline);
    this.#session.forget(this);
  }
}
