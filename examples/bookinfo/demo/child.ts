/**
 * A Node program run as a child process: started, known to be ready by a line it prints, stopped with time to finish.
 *
 * It gets a process group of its own, so that Ctrl-C in a terminal reaches only its parent, which stops its children in the right order. A
 * watchdog ends the group when the parent is killed and can do nothing any more.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Watchdog } from '../../../src/workload/process-watchdog.ts';

const LINES_KEPT = 15;
const STOP_TIMEOUT_MS = 10_000;

export interface ChildOptions {
  readonly name: string;
  /** Of `node`: the file and its arguments. */
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isReadyLine: (line: string) => boolean;
  readonly watchdog?: Watchdog;
  /** Every line it prints from when it is ready until it is stopped. */
  readonly onLine?: (line: string) => void;
}

export class Child {
  readonly name: string;
  /** Rejects, with its last output, when the process ends before it is ready. */
  readonly ready: Promise<void>;
  /** How the process ended, in words. Never rejects. */
  readonly ended: Promise<string>;
  readonly #process: ChildProcess;
  readonly #lastLines: string[] = [];
  #isStopping = false;

  constructor({ name, args, cwd, env, isReadyLine, watchdog, onLine }: ChildOptions) {
    this.name = name;
    this.#process = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const { pid } = this.#process;
    if (pid !== undefined) watchdog?.add(pid);
    let isReady = false;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onOutput = (line: string): void => {
      this.#lastLines.push(line);
      if (this.#lastLines.length > LINES_KEPT) this.#lastLines.shift();
      if (isReady && !this.#isStopping) onLine?.(line);
      else if (!isReady && isReadyLine(line)) {
        isReady = true;
        resolve();
      }
    };
    for (const stream of [this.#process.stdout, this.#process.stderr]) readLines(stream, onOutput);
    this.ended = new Promise((done) => {
      this.#process.once('error', (error) => done(`could not be started: ${error.message}`));
      this.#process.once('close', (code, signal) => {
        if (pid !== undefined) watchdog?.remove(pid);
        done(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`);
      });
    });
    this.ready = promise;
    // Whoever only awaits `ended` is not to be stopped by a rejection nobody looks at.
    this.ready.catch(() => undefined);
    void this.ended.then((how) => reject(new Error(this.obituary(how))));
  }

  /** What to tell about a child that has ended by itself. */
  obituary(how: string): string {
    const output = this.#lastLines.map((line) => `    ${line}`).join('\n');
    return `${this.name} ${how}. Its last output:\n${output === '' ? '    (none)' : output}`;
  }

  /** SIGTERM, and SIGKILL where that has not ended it in time. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const killer = setTimeout(() => this.kill(), STOP_TIMEOUT_MS);
    this.#process.kill('SIGTERM');
    await this.ended;
    clearTimeout(killer);
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}

function readLines(stream: Readable | null, onLine: (line: string) => void): void {
  if (stream !== null) createInterface({ input: stream }).on('line', onLine);
}
