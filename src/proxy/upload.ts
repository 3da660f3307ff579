/**
 * A request's body on its way upstream: step 7 of its life. Framing is rebuilt, and reading stops while the upstream takes no more.
 *
 *   before there is a connection: pieces are held, up to a bound
 *   after `open`:                 they are written as they come
 *   with `keep`:                  they are held all the same, so that another attempt can begin anew
 */
import { BodyReader } from '../http/body-reader.ts';
import type { BodyFraming } from '../http/body-reader.ts';
import { READ_BYTES } from './context.ts';
import type { DataPlaneContext } from './context.ts';
import type { MirrorCopies } from './mirror.ts';
import type { UpstreamLink } from './upstream-link.ts';

/** What an upload needs of the client's connection. */
export interface UploadSource {
  readonly context: DataPlaneContext;
  /** Whether the bytes handed in stay as they are when they are lent; else they are overwritten after the call has returned. */
  readonly ownsBytes: boolean;
  /** A write that is not finished refers to those bytes. */
  lendBytes(): void;
  /** Every such write has finished. */
  takeBytesBack(): void;
  pauseReading(): void;
  resumeReading(): void;
}

/** A body piece up to this long is joined to its head or framing and written as one string; longer ones are written as they are. */
export const JOINED_BYTES = 8192;
/** Held of a request body while there is no connection to send it on; then reading stops. */
const QUEUE_BYTES = 65_536;
/** Held for retries in one data plane, over all requests. */
const MAX_KEPT_BYTES = 32 * 1024 * 1024;

export class Upload {
  readonly body = new BodyReader('request');
  /** Take what is still to come of the body as well. */
  copies: MirrorCopies | undefined;
  /** Reading has stopped because the upstream takes no more. */
  isPaused = false;
  readonly #source: UploadSource;
  readonly #context: DataPlaneContext;
  readonly #queue: (string | Buffer)[] = [];
  /** Spare buffers the queued pieces stand in. */
  readonly #queueBuffers: Buffer[] = [];
  #queuedBytes = 0;
  /** What is queued stays queued. */
  #keeps = false;
  /** Nothing of the body has been let go of: another attempt can have all of it. */
  isWhole = true;
  /** The connection the head has been written on. */
  #upstream: UpstreamLink | undefined;

  constructor(source: UploadSource) {
    this.#source = source;
    this.#context = source.context;
  }

  begin(framing: BodyFraming, contentLength: number): void {
    this.body.begin(framing, contentLength);
    this.#upstream = undefined;
    this.#queuedBytes = 0;
    this.#keeps = false;
    this.isWhole = true;
    this.isPaused = false;
  }

  /** Holds the body, as far as there is room for it. */
  keep(): void {
    this.#keeps = true;
  }

  /** Whether anything has been written on the connection there is. */
  get isOpen(): boolean {
    return this.#upstream !== undefined;
  }

  /** The exchange is over. */
  end(): void {
    this.copies?.release();
    this.copies = undefined;
    this.#upstream = undefined;
    this.#letGo();
  }

  /** Keeps nothing from here on. */
  #letGo(): void {
    if (this.#keeps) this.#context.keptBytes -= this.#queuedBytes;
    this.#keeps = false;
    this.#queue.length = 0;
    this.#queueBuffers.length = 0;
    this.#queuedBytes = 0;
  }

  /** Writes the head, and what is held of the body. */
  open(upstream: UpstreamLink, head: string): void {
    this.#upstream = upstream;
    if (this.#queue.length === 0) {
      upstream.write(head);
      return;
    }
    upstream.cork();
    let isWritable = upstream.write(head);
    for (const piece of this.#queue) isWritable = upstream.write(piece);
    upstream.uncork();
    if (!this.#keeps) {
      if (!upstream.hasPendingWrites) for (const buffer of this.#queueBuffers) this.#context.giveBuffer(buffer);
      this.isWhole = false;
      this.#letGo();
    }
    if (isWritable) this.#resume();
  }

  /** The connection is lost, or is about to be replaced. */
  close(): void {
    this.#upstream = undefined;
  }

  /**
   * Bytes of the body, in the order they came. Look at `body.error` afterwards.
   *
   * @returns Position after the body's bytes: what stands there is the next request's.
   */
  take(bytes: Buffer, from: number, to: number): number {
    const { body } = this;
    let at = from;
    while (at < to && !body.isDone) {
      at = body.take(bytes, at, to);
      if (body.error !== undefined) return to;
      if (body.dataEnd > body.dataStart) this.#pass(bytes, body.dataStart, body.dataEnd);
    }
    if (body.isDone) {
      // Trailers of a request stop here: an HTTP/1.1 upstream has no way to say that it takes them (RFC 9110 §6.5.1).
      if (body.framing === 'chunked') this.#send('0\r\n\r\n');
      this.copies?.end();
    }
    return at;
  }

  /** The upstream can take more. */
  onDrain(): void {
    this.#source.takeBytesBack();
    this.#resume();
  }

  #pass(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    const isChunked = this.body.framing === 'chunked';
    if (length <= JOINED_BYTES) {
      const run = bytes.latin1Slice(start, end);
      this.#send(isChunked ? `${length.toString(16)}\r\n${run}\r\n` : run);
      return;
    }
    if (isChunked) this.#send(`${length.toString(16)}\r\n`);
    const run = bytes.subarray(start, end);
    const isWrittenFrom = this.#upstream !== undefined && !this.#keeps && this.#source.ownsBytes;
    this.copies?.writeBytes(run);
    this.#forward(isWrittenFrom ? run : this.#copy(run));
    if (isWrittenFrom && this.#upstream?.hasPendingWrites === true) this.#source.lendBytes();
    if (isChunked) this.#send('\r\n');
  }

  /** Into a spare buffer: the first piece of every upload comes this way, before there is a connection to write it to. */
  #copy(run: Buffer): Buffer {
    if (run.length > READ_BYTES || this.#keeps) return Buffer.from(run);
    const buffer = this.#context.takeBuffer();
    if (this.#upstream === undefined) this.#queueBuffers.push(buffer);
    run.copy(buffer);
    return buffer.subarray(0, run.length);
  }

  /** Text, to mirrors as well. */
  #send(piece: string): void {
    this.copies?.write(piece);
    this.#forward(piece);
  }

  /** @param piece  Text, or bytes that stay as they are. */
  #forward(piece: string | Buffer): void {
    if (this.#keeps) this.#keepPiece(piece);
    if (this.#upstream !== undefined) {
      if (!this.#keeps) this.isWhole = false;
      if (!this.#upstream.write(piece)) this.#pause();
      return;
    }
    if (!this.#keeps) {
      this.#queue.push(piece);
      this.#queuedBytes += piece.length;
    }
    if (this.#queuedBytes > QUEUE_BYTES) this.#pause();
  }

  #keepPiece(piece: string | Buffer): void {
    const context = this.#context;
    const isFull = this.#queuedBytes + piece.length > QUEUE_BYTES || context.keptBytes + piece.length > MAX_KEPT_BYTES;
    if (isFull && this.#upstream !== undefined) {
      this.#letGo();
      return;
    }
    if (isFull) {
      // Nothing has been written yet: it goes on as a body that is not kept.
      context.keptBytes -= this.#queuedBytes;
      this.#keeps = false;
      return;
    }
    context.keptBytes += piece.length;
    this.#queue.push(piece);
    this.#queuedBytes += piece.length;
  }

  #pause(): void {
    this.isPaused = true;
    this.#source.pauseReading();
  }

  #resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.#source.resumeReading();
  }
}
