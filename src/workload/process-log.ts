/**
 * A log file that cannot fill a disk: when it is full it becomes `FILE.1`, that one `FILE.2`, and the last goes.
 *
 * One write at a time; what comes meanwhile waits in memory up to a limit and is then left out, so that a slow disk costs lines and never memory. A
 * disk that takes nothing costs lines too, and is tried again a second later. The caller learns how much was left out: `write` says no, or `onLost` what was
 * taken in vain.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';

const MAX_WAITING_BYTES = 256 * 1024;
const RETRY_MS = 1000;

export interface RotatingLogOptions {
  readonly file: string;
  /** Of one file; at least what may wait, which is written at once. */
  readonly maxBytes: number;
  /** In all, >= 1. */
  readonly files: number;
  readonly nowMs: () => number;
  /** Default 256 KiB. */
  readonly maxWaitingBytes?: number;
  /** Text that was taken and could not be written, and why. */
  readonly onLost?: (text: string, cause: unknown) => void;
}

export class RotatingLog {
  readonly #options: RotatingLogOptions;
  #handle: FileHandle | undefined;
  #bytes = 0;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  #writing: Promise<void> = Promise.resolve();
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(options: RotatingLogOptions) {
    this.#options = options;
  }

  /** @param lines Complete, with their line breaks. @returns Whether they will be written. */
  write(lines: string): boolean {
    const bytes = Buffer.byteLength(lines);
    const { maxWaitingBytes = MAX_WAITING_BYTES } = this.#options;
    if (this.#isClosed || this.#waitingBytes + bytes > maxWaitingBytes || this.#options.nowMs() < this.#retryAtMs) return false;
    this.#waiting.push(lines);
    this.#waitingBytes += bytes;
    if (!this.#isWriting) this.#writing = this.#writeWaiting();
    return true;
  }

  /** Writes what waits, then nothing more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writing;
    await this.#handle?.close().catch(() => undefined);
    this.#handle = undefined;
  }

  async #writeWaiting(): Promise<void> {
    this.#isWriting = true;
    let text = '';
    try {
      while (this.#waiting.length > 0) {
        text = this.#waiting.join('');
        this.#waiting = [];
        this.#waitingBytes = 0;
        await this.#append(Buffer.from(text));
      }
    } catch (cause) {
      // No space, no rights: the lines are lost, the process they came from is not.
      this.#options.onLost?.(text + this.#waiting.join(''), cause);
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.#retryAtMs = this.#options.nowMs() + RETRY_MS;
      await this.#handle?.close().catch(() => undefined);
      this.#handle = undefined;
    } finally {
      this.#isWriting = false;
    }
  }

  async #append(bytes: Buffer): Promise<void> {
    let handle = await this.#opened();
    if (this.#bytes > 0 && this.#bytes + bytes.length > this.#options.maxBytes) {
      await handle.close();
      this.#handle = undefined;
      await this.#rotate();
      handle = await this.#opened();
    }
    await handle.appendFile(bytes);
    this.#bytes += bytes.length;
  }

  async #opened(): Promise<FileHandle> {
    if (this.#handle !== undefined) return this.#handle;
    const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW } = constants;
    const handle = await open(this.#options.file, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW, 0o600);
    this.#handle = handle;
    const status = await handle.stat();
    if (!status.isFile()) throw new Error(`${this.#options.file} is not a plain file`);
    this.#bytes = status.size;
    return handle;
  }

  async #rotate(): Promise<void> {
    const { file, files } = this.#options;
    for (let number = files - 1; number >= 1; number--) {
      const from = number === 1 ? file : `${file}.${number - 1}`;
      await rename(from, `${file}.${number}`).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    }
  }
}
