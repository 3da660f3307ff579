/**
 * What processes print: a line each, with the time and the pid, into the log of their version, and the last lines kept for messages.
 *
 *     2026-11-22T21:35:00.123Z 4711 err TypeError: x is not a function
 *
 * A process is never made to wait for its own output, so a flood has to be left out rather than held back: beyond RATE a second for a version, chunks
 * are dropped whole, before anything is made of them, and a line says how many bytes. Of a very long line the beginning is kept.
 */
import type { Clock } from '../base/clock.ts';
import { redactLine, redactValues } from '../telemetry/redact.ts';
import type { RotatingLog } from './process-log.ts';

const RATE_BYTES_PER_S = 1024 * 1024;
const BURST_BYTES = 2 * 1024 * 1024;
const MAX_LINE_BYTES = 8 * 1024;
const TAIL_LINES = 10;
const TAIL_LINE_CHARS = 300;
const LINE_BREAK = 0x0a;

/** The log of one version and its budget, shared by its instances. */
export class OutputLog {
  readonly #log: RotatingLog;
  readonly #clock: Clock;
  #budgetBytes = BURST_BYTES;
  #budgetAtMs: number;
  #leftOutBytes = 0;

  constructor(log: RotatingLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.#budgetAtMs = clock.monotonicMs();
  }

  /** @returns Whether that much may be taken now. */
  admits(bytes: number): boolean {
    const now = this.#clock.monotonicMs();
    this.#budgetBytes = Math.min(BURST_BYTES, this.#budgetBytes + ((now - this.#budgetAtMs) / 1000) * RATE_BYTES_PER_S);
    this.#budgetAtMs = now;
    if (bytes > this.#budgetBytes) {
      this.#leftOutBytes += bytes;
      return false;
    }
    this.#budgetBytes -= bytes;
    return true;
  }

  write(pid: number, stream: string, lines: readonly string[]): void {
    if (lines.length === 0) return;
    const prefix = `${new Date(this.#clock.nowMs()).toISOString()} ${pid} ${stream} `;
    const text = lines.map((line) => `${prefix}${line}\n`).join('');
    const notice = this.#leftOutBytes === 0 ? '' : `${prefix}[${this.#leftOutBytes} bytes of output were left out: too much at once]\n`;
    if (this.#log.write(notice + text)) this.#leftOutBytes = 0;
    else this.#leftOutBytes += text.length;
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

/** The output of one process. */
export class ProcessOutput {
  readonly #log: OutputLog;
  readonly #secrets: readonly string[];
  #tail: string[] = [];

  /** @param secrets What it was handed and nobody is to read, the longest first. */
  constructor(log: OutputLog, secrets: readonly string[]) {
    this.#log = log;
    this.#secrets = secrets;
  }

  /** The last lines it printed, oldest first, long ones cut. */
  get tail(): readonly string[] {
    return this.#tail;
  }

  /** What to do with the bytes of one of its streams, and with their end; the bytes are not kept. */
  reader(name: 'out' | 'err', pid: () => number): { readonly onBytes: (bytes: Buffer) => void; readonly onEnd: () => void } {
    const lines = new LineSplitter();
    return {
      onBytes: (bytes) => {
        if (this.#log.admits(bytes.length)) this.#take(pid(), name, lines.split(bytes));
        else lines.skip();
      },
      onEnd: () => this.#take(pid(), name, lines.end()),
    };
  }

  #take(pid: number, name: string, printed: readonly string[]): void {
    const lines = printed.map((line) => redactValues(line, this.#secrets));
    this.#log.write(pid, name, lines);
    const tail = lines.slice(-TAIL_LINES).map(redactLine);
    const last = tail.map((line) => (line.length > TAIL_LINE_CHARS ? `${line.slice(0, TAIL_LINE_CHARS)}…` : line));
    this.#tail = [...this.#tail, ...last].slice(-TAIL_LINES);
  }
}

/** Bytes to lines, without their line breaks; never holds more than one line, cut. */
export class LineSplitter {
  #begun: Buffer[] = [];
  #begunBytes = 0;
  /** The rest of the line under way is left out: it is too long, or a part of it is missing. */
  #isCut = false;

  split(chunk: Buffer): string[] {
    const lines: string[] = [];
    let from = 0;
    for (let at = chunk.indexOf(LINE_BREAK); at !== -1; at = chunk.indexOf(LINE_BREAK, from)) {
      this.#add(chunk.subarray(from, at));
      lines.push(...this.end());
      from = at + 1;
    }
    if (from < chunk.length) this.#add(chunk.subarray(from));
    return lines;
  }

  /** A part of the output is not there. */
  skip(): void {
    this.#isCut = true;
  }

  /** The line under way, if there is one, as if it ended here. */
  end(): string[] {
    const isEmptyRest = this.#isCut && this.#begunBytes === 0;
    const text = Buffer.concat(this.#begun).toString('utf8').replace(/\r$/, '');
    const line = this.#isCut ? `${text}…` : text;
    const isNothing = this.#begun.length === 0;
    this.#begun = [];
    this.#begunBytes = 0;
    this.#isCut = false;
    return isEmptyRest || isNothing ? [] : [line];
  }

  #add(bytes: Buffer): void {
    if (this.#isCut) return;
    const room = MAX_LINE_BYTES - this.#begunBytes;
    // A copy: the line may wait long, and a part of a chunk would hold all of it.
    this.#begun.push(Buffer.from(bytes.subarray(0, room)));
    this.#begunBytes += Math.min(bytes.length, room);
    if (bytes.length > room) this.#isCut = true;
  }
}
