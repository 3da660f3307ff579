/** `serin` as a user starts it, for end-to-end tests: a real process, its output, and its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
export const MAIN = join(ROOT, 'src/cli/main.ts');

/** Of what a user has no more than this, but for compiled code that was kept (vitest.config.ts). */
export const ENVIRONMENT = { PATH: process.env['PATH'], HOME: '/nonexistent', NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] };

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Program and first arguments in the place of `node src/cli/main.ts`. */
  readonly command?: readonly string[];
}

export class SerinProcess {
  readonly child: ChildProcess;
  /** Settles when the process has ended and its output is complete. */
  readonly finished: Promise<Finished>;
  out = '';
  err = '';
  #waiting: (() => void)[] = [];
  #ended = false;

  constructor(args: readonly string[], { env = {}, command = [process.execPath, MAIN] }: StartOptions = {}) {
    const [program = '', ...first] = command;
    this.child = spawn(program, [...first, ...args], {
      env: { ...ENVIRONMENT, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#take(() => (this.out += text)));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#take(() => (this.err += text)));
    this.finished = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        this.#take(() => (this.#ended = true));
        resolve({ code, signal, out: this.out, err: this.err });
      });
    });
  }

  #take(change: () => void): void {
    change();
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Waits until what `read` looks at matches; rejects with all output when the process ends first. */
  async #until(holds: () => boolean, what: string): Promise<void> {
    while (!holds()) {
      if (this.#ended) throw new Error(`serin ended before ${what}\n${this.out}\n${this.err}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async ready(): Promise<this> {
    await this.#until(() => /^ready$/m.test(this.out), 'it was ready');
    return this;
  }

  /** Waits for a line of the log that was not there at `from` (an earlier `err.length`). */
  async logged(pattern: RegExp, from = 0): Promise<void> {
    await this.#until(() => pattern.test(this.err.slice(from)), `it logged ${pattern.source}`);
  }

  /** Waits until what it has printed matches. */
  async printed(pattern: RegExp): Promise<void> {
    await this.#until(() => pattern.test(this.out), `it printed ${pattern.source}`);
  }

  /** Host and port of a listener by the name it is printed with. */
  address(name: string): { readonly host: string; readonly port: number } {
    const line = this.out.split('\n').find((candidate) => candidate.split(/\s+/)[0] === name);
    const { host, port } = /(?:https?|tls|tcp):\/\/(?<host>[^\s:]+):(?<port>\d+)/.exec(line ?? '')?.groups ?? {};
    if (host === undefined || port === undefined) throw new Error(`no listener ${name} in:\n${this.out}`);
    return { host: host === '0.0.0.0' ? '127.0.0.1' : host, port: Number(port) };
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** As a person ends it, so that the processes it runs end with it; at once where that takes too long. */
  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.signal('SIGKILL'), 10_000);
    await this.finished;
    clearTimeout(late);
  }

  /** For cleaning up: ends it at once if it still runs. */
  async end(): Promise<void> {
    if (!this.#ended) this.child.kill('SIGKILL');
    await this.finished;
  }
}

/** Runs a command to its end. */
export function serin(args: readonly string[], options?: StartOptions): Promise<Finished> {
  return new SerinProcess(args, options).finished;
}
