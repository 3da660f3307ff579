/** The log of each version that is run: `logs/NAMESPACE.SERVICE.VERSION.log` in the state directory, at most 32 MiB in four files. */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { RotatingLog } from './process-log.ts';
import { OutputLog } from './process-output.ts';
import type { WantedVersion } from './supervisor-plan.ts';

const FILE_BYTES = 8 * 1024 * 1024;
/** Of each version, the ones it was turned over into among them. */
export const FILES = 4;

export class ProcessLogs {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #onProblem: (problem: string) => void;
  readonly #logs = new Map<string, OutputLog>();

  constructor(stateDirectory: string, clock: Clock, onProblem: (problem: string) => void) {
    this.#directory = join(stateDirectory, 'logs');
    this.#clock = clock;
    this.#onProblem = onProblem;
  }

  /** Names are checked to be DNS names and label values, so no file is outside the directory. */
  file({ namespace, service, version }: WantedVersion): string {
    return join(this.#directory, `${namespace}.${service}.${version}.log`);
  }

  /** The same for all instances of a version. */
  of(version: WantedVersion): OutputLog {
    const known = this.#logs.get(version.id);
    if (known !== undefined) return known;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      chmodSync(this.#directory, 0o700);
    } catch (error) {
      this.#onProblem(`cannot keep logs in ${this.#directory}: ${error instanceof Error ? error.message : String(error)}`);
    }
    const clock = this.#clock;
    const rotating = new RotatingLog({ file: this.file(version), maxBytes: FILE_BYTES, files: FILES, nowMs: () => clock.monotonicMs() });
    const log = new OutputLog(rotating, clock);
    this.#logs.set(version.id, log);
    return log;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#logs.values()].map((log) => log.close()));
  }
}
