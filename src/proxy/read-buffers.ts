/**
 * Where the reads of one socket go. Small messages are read into the one buffer all sockets share, and are used up before the next read; a long
 * body gets a buffer of its own, so that its bytes can be written on without a copy.
 *
 *   shared ──a long read──> own ──lend──> another own …      own ──share──> shared
 *
 *   lend: a write that is still under way refers to the bytes; the next read goes elsewhere until `returned`
 *
 * Invariant: a buffer goes back to the spare ones only when the socket no longer reads into it and no write refers to it. The socket changes
 * buffers only right after a read, so nothing is given back before that.
 */
import type { OnReadOpts } from 'node:net';
import type { DataPlaneContext } from './context.ts';

/** What a connection does with the bytes of its reads; `ReadBuffers` says what each means. */
export interface Reads {
  readonly areOwn: boolean;
  lend(): void;
  returned(): void;
  share(): void;
}

/** Every read has bytes of its own, as those of TLS sockets have, which decrypt into new memory anyway: there is nothing to keep account of. */
export const OWN_READS: Reads = { areOwn: true, lend: () => undefined, returned: () => undefined, share: () => undefined };

/** Reads at least this long make a buffer of its own worth while. */
const LONG_READ_BYTES = 16_384;

export class ReadBuffers implements Reads {
  /** For the constructor of the socket. */
  readonly onread: OnReadOpts;
  readonly #context: DataPlaneContext;
  readonly #lent: Buffer[] = [];
  /** Whether a write may refer to `#current` whatever `#lent` says. */
  #isCurrentLost = false;
  #current: Buffer;
  #next: Buffer | undefined;
  #isFirst = true;

  /**
   * @param onBytes  Gets `bytes[0, length)`; answers whether more of a long body is to be expected. Unless `areOwn`, the bytes are overwritten after it
   *                 has returned.
   */
  constructor(context: DataPlaneContext, onBytes: (bytes: Buffer, length: number) => boolean) {
    this.#context = context;
    this.#current = context.sharedBuffer;
    this.onread = {
      // What is no buffer keeps the one in use; the type declarations do not know.
      buffer: () => this.#swap() as Buffer,
      callback: (length) => {
        const expectsMore = onBytes(this.#current, length);
        if (expectsMore && length >= LONG_READ_BYTES && !this.areOwn && this.#next === undefined) this.#next = context.takeBuffer();
        return true;
      },
    };
  }

  /** Whether the bytes of the current read stay as they are when they are lent. */
  get areOwn(): boolean {
    return this.#current !== this.#context.sharedBuffer;
  }

  /** A write that is not finished refers to the bytes of the current read. Only while `areOwn`. */
  lend(): void {
    if (this.#lent.at(-1) === this.#current) return;
    this.#lent.push(this.#current);
    this.#next ??= this.#context.takeBuffer();
  }

  /** Every write has finished. */
  returned(): void {
    for (const buffer of this.#lent) {
      if (buffer !== this.#current) this.#context.giveBuffer(buffer);
    }
    this.#lent.length = 0;
  }

  /** The message is over. Writes that still refer to lent buffers keep them alive; they are not used again. */
  share(): void {
    if (this.#lent.includes(this.#current)) this.#isCurrentLost = true;
    this.#lent.length = 0;
    const { sharedBuffer } = this.#context;
    if (this.#next !== undefined && this.#next !== sharedBuffer) this.#context.giveBuffer(this.#next);
    this.#next = this.areOwn ? sharedBuffer : undefined;
  }

  #swap(): Buffer | undefined {
    if (this.#isFirst) {
      this.#isFirst = false;
      return this.#current;
    }
    const next = this.#next;
    if (next === undefined) return undefined;
    this.#next = undefined;
    const previous = this.#current;
    this.#current = next;
    const isFree = !this.#isCurrentLost && !this.#lent.includes(previous);
    this.#isCurrentLost = false;
    if (previous !== this.#context.sharedBuffer && isFree) this.#context.giveBuffer(previous);
    return next;
  }
}
