/**
 * Which processes are ours, in a file of the state directory, so that a Serin that was killed leaves no second copy of anything: the next start ends
 * whatever of them still runs.
 *
 * A pid alone proves nothing, it may be somebody else's by now. It is held against when the process started (Linux: boot and clock ticks; elsewhere
 * what `ps` says). Where the process itself is gone but its group is not, the number cannot have been given out again, so the rest of the group is
 * ours as well.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { groupEnds, signalGroup } from './process-group.ts';

/** Between SIGTERM and SIGKILL to what an earlier Serin left behind: the start waits for it. */
const GRACE_MS = 1000;

const Records = z.array(z.object({ pid: z.number().int().positive(), boot: z.string(), started: z.string(), name: z.string() }));
type ProcessEntry = z.infer<typeof Records>[number];

export interface Orphan {
  readonly pid: number;
  readonly name: string;
}

export class ProcessRecord {
  readonly #file: string;
  readonly #onProblem: (problem: string) => void;
  readonly #boot = bootId();
  readonly #entries = new Map<number, ProcessEntry>();

  /** @param directory The state directory, locked by the caller. @param onProblem Told when the file cannot be written. */
  constructor(directory: string, onProblem: (problem: string) => void) {
    this.#file = join(directory, 'processes.json');
    this.#onProblem = onProblem;
  }

  /** Ends what an earlier Serin of this directory left running. @returns What that was. */
  async reap(nowMs: () => number): Promise<readonly Orphan[]> {
    const orphans = this.#read().filter((entry) => this.#isOurs(entry) && signalGroup(entry.pid, 'SIGTERM'));
    const ended = orphans.map(async ({ pid }) => {
      if (!(await groupEnds(pid, GRACE_MS, nowMs))) signalGroup(pid, 'SIGKILL');
    });
    await Promise.all(ended);
    rmSync(this.#file, { force: true });
    return orphans.map(({ pid, name }) => ({ pid, name }));
  }

  add(pid: number, name: string): void {
    this.#entries.set(pid, { pid, name, boot: this.#boot, started: startOf(pid) ?? '' });
    this.#write();
  }

  remove(pid: number): void {
    if (this.#entries.delete(pid)) this.#write();
  }

  #isOurs({ pid, boot, started }: ProcessEntry): boolean {
    if (boot !== this.#boot) return false;
    const now = startOf(pid);
    return now === undefined ? signalGroup(pid, 0) : now === started;
  }

  #read(): readonly ProcessEntry[] {
    try {
      return Records.parse(JSON.parse(readFileSync(this.#file, 'utf8')));
    } catch {
      // None, or half of one after a power failure: then nothing of that boot runs any more.
      return [];
    }
  }

  #write(): void {
    try {
      const temporary = `${this.#file}.tmp`;
      writeFileSync(temporary, JSON.stringify([...this.#entries.values()]), { mode: 0o600 });
      renameSync(temporary, this.#file);
    } catch (error) {
      this.#onProblem(`cannot write ${this.#file}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** When a process started, in whatever form is cheap here; undefined when there is no such process (or only its exit code is left of it). */
function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    try {
      const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
      // The second field is the program's name in parentheses, which may hold anything.
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' ? undefined : fields[19];
    } catch {
      return undefined;
    }
  }
  try {
    const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}
