/**
 * A socket that keeps what it receives and can be waited on: the common part of the raw client and of a raw upstream's connections. Waiting is
 * for conditions, never for time; the limit only turns a hang into a message.
 */
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { octets, pieces, shown } from './bytes.ts';
import type { Bytes, Cut } from './bytes.ts';

const HANG_MS = 30_000;

interface Waiter {
  readonly isMet: () => boolean;
  readonly done: (error?: Error) => void;
}

export class RawSocket {
  readonly socket: Socket;
  /** The peer's FIN has come. */
  isEnded = false;
  /** Nothing more comes or goes. */
  isClosed = false;
  /** Code of the error that ended it (`ECONNRESET`). */
  errorCode: string | undefined;

  /** Doubles when it is full, so that 64 MiB in small reads stay linear. */
  #buffer = Buffer.allocUnsafe(4096);
  #length = 0;
  readonly #waiters = new Set<Waiter>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#keep(chunk);
      this.#check();
    });
    socket.on('end', () => {
      this.isEnded = true;
      this.#check();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.errorCode = error.code;
    });
    socket.on('close', () => {
      this.isClosed = true;
      this.#check();
    });
  }

  /** Everything received so far. */
  get received(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  write(bytes: Bytes): void {
    this.socket.write(octets(bytes));
  }

  /** Writes in pieces, a turn of the event loop between two, so that each arrives by itself. Stops when the connection is gone. */
  async send(bytes: Bytes, cut: Cut = 'whole'): Promise<void> {
    for (const piece of pieces(octets(bytes), cut)) {
      if (this.isClosed || this.socket.destroyed || !this.socket.writable) return;
      this.socket.write(piece);
      await nextTurn();
    }
  }

  /** FIN. */
  end(): void {
    this.socket.end();
  }

  /** RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }

  /** Resolves when `isMet` first holds; it is asked again whenever something happens on the socket. */
  until(isMet: () => boolean, what: string): Promise<void> {
    if (isMet()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        isMet,
        done: (error) => {
          clearTimeout(timer);
          this.#waiters.delete(waiter);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      const state = (): string => `${this.isClosed ? 'closed' : this.isEnded ? 'ended' : 'open'}, received ${shown(this.received)}`;
      const timer = setTimeout(() => waiter.done(new Error(`waited in vain for ${what}; ${state()}`)), HANG_MS);
      this.#waiters.add(waiter);
    });
  }

  untilClosed(): Promise<void> {
    return this.until(() => this.isClosed, 'the connection to close');
  }

  untilEnded(): Promise<void> {
    return this.until(() => this.isEnded || this.isClosed, 'the end of the stream');
  }

  untilReceived(length: number): Promise<void> {
    return this.until(() => this.received.length >= length || this.isClosed, `${length} bytes`);
  }

  #keep(chunk: Buffer): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    chunk.copy(this.#buffer, this.#length);
    this.#length = needed;
  }

  #check(): void {
    for (const waiter of this.#waiters) {
      try {
        if (waiter.isMet()) waiter.done();
      } catch (error) {
        waiter.done(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }
}
