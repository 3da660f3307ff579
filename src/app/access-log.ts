/** Where the access log is kept: a file, at most 256 MiB in four pieces, that cannot fill a disk and never makes anybody wait. */
import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { AccessLines } from '../proxy/access-log.ts';
import { RotatingLog } from '../workload/process-log.ts';
import type { Logger } from './logger.ts';

const FILE_BYTES = 64 * 1024 * 1024;
const FILES = 4;
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** Between two complaints. */
const COMPLAINT_MS = 60_000;

export function accessLogFile(stateDirectory: string): string {
  return join(stateDirectory, 'logs', 'access.log');
}

export class AccessLogError extends Error {
  readonly code = 'E_ACCESS_LOG';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AccessLogError';
  }
}

export class AccessLogFile {
  readonly #log: RotatingLog;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #file: string;
  #complainedAtMs = Number.NEGATIVE_INFINITY;
  /** Lines that were taken, and could not be written. */
  lost = 0;

  /** @throws AccessLogError where nothing can be written there */
  constructor(file: string, clock: Clock, logger: Logger) {
    this.#file = file;
    this.#clock = clock;
    this.#logger = logger;
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
      closeSync(openSync(file, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0o600));
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      throw new AccessLogError(`cannot keep the access log in ${file}: ${detail}`, { cause });
    }
    this.#log = new RotatingLog({
      file,
      maxBytes: FILE_BYTES,
      files: FILES,
      maxWaitingBytes: MAX_WAITING_BYTES,
      nowMs: () => clock.monotonicMs(),
      onLost: (text, cause) => {
        this.lost += linesIn(text);
        this.#complain(cause instanceof Error ? cause.message : String(cause));
      },
    });
  }

  /** @returns Whether they will be written. */
  write({ text }: AccessLines): boolean {
    const isTaken = this.#log.write(text);
    if (!isTaken) this.#complain('the disk does not keep up');
    return isTaken;
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  #complain(detail: string): void {
    const now = this.#clock.monotonicMs();
    if (now - this.#complainedAtMs < COMPLAINT_MS) return;
    this.#complainedAtMs = now;
    this.#logger.warn({ file: this.#file, detail }, 'lines of the access log are left out');
  }
}

function linesIn(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}
