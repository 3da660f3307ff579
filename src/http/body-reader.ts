/**
 * The body of one message, however it is framed (RFC 9112 §6.3): tells where its bytes stand in what arrives, and when it is over.
 */
import { ChunkedDecoder } from './chunked.ts';
import type { HttpError } from './http-error.ts';

export type BodyFraming = 'none' | 'length' | 'chunked' | 'untilClose';

export class BodyReader {
  framing: BodyFraming = 'none';
  /** The run of body bytes the last `take` found. */
  dataStart = 0;
  dataEnd = 0;
  isDone = true;
  error: HttpError | undefined;
  /** Bytes still to come, where the length was stated. */
  remaining = 0;
  /** Bytes of data taken so far. */
  taken = 0;

  readonly #side: 'request' | 'response';
  #decoder: ChunkedDecoder | undefined;

  constructor(side: 'request' | 'response') {
    this.#side = side;
  }

  /** @param length  Bytes of the body where `framing` is `length`. */
  begin(framing: BodyFraming, length: number): void {
    this.framing = framing === 'length' && length === 0 ? 'none' : framing;
    this.remaining = length;
    this.taken = 0;
    this.isDone = this.framing === 'none';
    this.error = undefined;
    this.#decoder = framing === 'chunked' ? new ChunkedDecoder(this.#side) : undefined;
  }

  get trailers(): readonly (readonly [name: string, value: string])[] {
    return this.#decoder?.trailers ?? [];
  }

  /**
   * Consumes up to and with the next run of data, or to the end of the body, or everything.
   *
   * @returns Position after what was consumed; what stands there is not the body's.
   */
  take(bytes: Buffer, from: number, to: number): number {
    switch (this.framing) {
      case 'none':
        this.dataStart = this.dataEnd = from;
        return from;
      case 'length': {
        const run = Math.min(this.remaining, to - from);
        this.remaining -= run;
        this.isDone = this.remaining === 0;
        this.dataStart = from;
        this.dataEnd = from + run;
        this.taken += run;
        return this.dataEnd;
      }
      case 'untilClose':
        this.dataStart = from;
        this.dataEnd = to;
        this.taken += to - from;
        return to;
      case 'chunked': {
        const decoder = this.#decoder;
        if (decoder === undefined) throw new Error('broken invariant: a chunked body without its decoder');
        const at = decoder.step(bytes, from, to);
        this.dataStart = decoder.dataStart;
        this.dataEnd = decoder.dataEnd;
        this.taken += this.dataEnd - this.dataStart;
        this.isDone = decoder.isDone;
        this.error = decoder.error;
        return at;
      }
    }
  }
}
