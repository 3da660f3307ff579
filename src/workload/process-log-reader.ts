/**
 * The log of a version, read back: its last lines over the files it was turned over into, and then what comes.
 *
 * A follower keeps the file open that it reads, so when that becomes `FILE.1` it reads it to its end before it takes the new one.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { FILES } from './process-logs.ts';
import { LineSplitter } from './process-output.ts';

/** Read at once, backwards and forwards. */
const PIECE_BYTES = 64 * 1024;
const LOOK_MS = 200;

/** Where a follower begins. */
export interface LogPosition {
  /** Undefined: there is no file yet. */
  readonly inode: number | undefined;
  readonly offset: number;
}

export interface LogTail {
  /** Oldest first. */
  readonly lines: readonly string[];
  readonly end: LogPosition;
}

/** The last lines, at most as many as `count`; none where there is no log. */
export async function readLogTail(file: string, count: number): Promise<LogTail> {
  /** Of each file, newest first. */
  const found: (readonly string[])[] = [];
  let missing = count;
  let end: LogPosition = { inode: undefined, offset: 0 };
  for (let number = 0; number < FILES && missing > 0; number++) {
    const handle = await openLog(number === 0 ? file : `${file}.${number}`);
    if (handle === undefined) break;
    try {
      const { size, ino } = await handle.stat();
      const whole = await endOfLines(handle, size);
      if (number === 0) end = { inode: ino, offset: whole };
      const lines = await lastLines(handle, whole, missing);
      found.push(lines);
      missing -= lines.length;
    } finally {
      await handle.close();
    }
  }
  return { lines: found.toReversed().flat(), end };
}

/** Tells the lines that come after a position until it is stopped. */
export class LogFollower {
  readonly #file: string;
  readonly #onLines: (lines: readonly string[]) => void;
  #handle: FileHandle | undefined;
  #offset: number;
  readonly #inode: number | undefined;
  #splitter = new LineSplitter();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #isStopped = false;

  constructor(file: string, from: LogPosition, onLines: (lines: readonly string[]) => void) {
    this.#file = file;
    this.#onLines = onLines;
    this.#offset = from.offset;
    this.#inode = from.inode;
  }

  start(): void {
    void this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    if (!this.#isLooking) void this.#letGo();
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    try {
      await this.#readOn();
    } catch {
      // A file that cannot be read now is tried again: it may be turned over this very moment.
    }
    this.#isLooking = false;
    if (this.#isStopped) {
      await this.#letGo();
      return;
    }
    this.#timer = setTimeout(() => void this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  async #letGo(): Promise<void> {
    await this.#handle?.close().catch(() => undefined);
    this.#handle = undefined;
  }

  async #readOn(): Promise<void> {
    this.#handle ??= await this.#opened();
    if (this.#handle === undefined) return;
    const own = (await this.#handle.stat()).ino;
    const now = await stat(this.#file).catch(() => undefined);
    // First the one at hand to its end: what is written after it was turned over goes to the next.
    await this.#readToEnd(this.#handle);
    if (now === undefined || now.ino === own) return;
    await this.#handle.close();
    this.#handle = undefined;
    this.#offset = 0;
    await this.#readOn();
  }

  /** Undefined: there is no file. */
  async #opened(): Promise<FileHandle | undefined> {
    const handle = await openLog(this.#file);
    if (handle === undefined || this.#offset === 0) return handle;
    // It was turned over between reading the tail and now: what was written to the old one since is there.
    if ((await handle.stat()).ino === this.#inode) return handle;
    const old = await openLog(`${this.#file}.1`);
    await handle.close();
    return old;
  }

  async #readToEnd(handle: FileHandle): Promise<void> {
    const piece = Buffer.alloc(PIECE_BYTES);
    while (!this.#isStopped) {
      const { bytesRead } = await handle.read(piece, 0, piece.length, this.#offset);
      if (bytesRead === 0) return;
      this.#offset += bytesRead;
      const lines = this.#splitter.split(piece.subarray(0, bytesRead));
      if (lines.length > 0) this.#onLines(lines);
    }
  }
}

/** Undefined when there is none. No link is followed: the directory is Serin's own. */
async function openLog(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Where the last whole line ends: a line may be half written. */
async function endOfLines(handle: FileHandle, size: number): Promise<number> {
  for (let end = size; end > 0;) {
    const from = Math.max(0, end - PIECE_BYTES);
    const piece = await readPiece(handle, from, end - from);
    const at = piece.lastIndexOf(0x0a);
    if (at !== -1) return from + at + 1;
    end = from;
  }
  return 0;
}

async function lastLines(handle: FileHandle, size: number, count: number): Promise<string[]> {
  const pieces: Buffer[] = [];
  let breaks = 0;
  let from = size;
  // One more than there are lines: the first of them has to be whole.
  while (from > 0 && breaks <= count) {
    const next = Math.max(0, from - PIECE_BYTES);
    const piece = await readPiece(handle, next, from - next);
    for (const byte of piece) if (byte === 0x0a) breaks++;
    pieces.unshift(piece);
    from = next;
  }
  const text = Buffer.concat(pieces).toString('utf8');
  const lines = text.split('\n').slice(0, -1);
  return lines.slice(-count);
}

async function readPiece(handle: FileHandle, from: number, length: number): Promise<Buffer> {
  const piece = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(piece, filled, length - filled, from + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return piece.subarray(0, filled);
}
