/** A response's body on its way to the client: step 9 of a request's life. Framing is rebuilt for this client. */
import { BodyReader } from '../http/body-reader.ts';
import type { BodyFraming } from '../http/body-reader.ts';
import { isForwardableTrailer } from '../http/chunked.ts';
import type { ClientSocket } from './client-socket.ts';
import type { UpstreamLink } from './upstream-link.ts';
import { JOINED_BYTES } from './upload.ts';

export class Download {
  readonly body = new BodyReader('response');
  /** Sent on in chunks, because nobody stated its length. */
  isChunked = false;
  /** The client takes trailers. */
  acceptsTrailers = false;
  readonly #socket: ClientSocket;

  constructor(socket: ClientSocket) {
    this.#socket = socket;
  }

  begin(framing: BodyFraming, contentLength: number, isHttp10: boolean): void {
    this.body.begin(framing, contentLength);
    this.isChunked = (framing === 'chunked' || framing === 'untilClose') && !isHttp10;
  }

  /**
   * Writes `head` (or nothing) and the body's bytes from `from`. Look at `body.error` afterwards: then the rest has not been written.
   *
   * @returns Position after the body's bytes.
   */
  write(bytes: Buffer, from: number, end: number, head: string, upstream: UpstreamLink | undefined): number {
    const socket = this.#socket;
    const { body, isChunked } = this;
    let at = from;
    let text = head;
    let isCorked = false;
    let keepsBytes = false;
    while (at < end && !body.isDone) {
      at = body.take(bytes, at, end);
      if (body.error !== undefined) {
        if (isCorked) socket.uncork();
        return at;
      }
      const length = body.dataEnd - body.dataStart;
      if (length === 0) continue;
      if (isChunked) text += `${length.toString(16)}\r\n`;
      if (length <= JOINED_BYTES) {
        text += bytes.latin1Slice(body.dataStart, body.dataEnd);
      } else {
        if (!isCorked) socket.cork();
        isCorked = true;
        if (text !== '') socket.write(text, 'latin1');
        text = '';
        const run = bytes.subarray(body.dataStart, body.dataEnd);
        const ownsBytes = upstream?.buffers.areOwn === true;
        keepsBytes ||= ownsBytes;
        socket.write(ownsBytes ? run : Buffer.from(run));
      }
      if (isChunked) text += '\r\n';
    }
    if (body.isDone && isChunked) text += `0\r\n${this.#trailerLines()}\r\n`;
    if (text !== '') socket.write(text, 'latin1');
    if (isCorked) socket.uncork();
    if (keepsBytes && socket.writableLength > 0) upstream?.buffers.lend();
    return at;
  }

  /** The close of the connection ended the body. */
  endByClose(): void {
    if (this.isChunked) this.#socket.write('0\r\n\r\n', 'latin1');
  }

  #trailerLines(): string {
    if (!this.acceptsTrailers) return '';
    return this.body.trailers
      .filter(([name]) => isForwardableTrailer(name))
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
  }
}
