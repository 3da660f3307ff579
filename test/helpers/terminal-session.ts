/** A program on a real pseudo-terminal, which `script` (util-linux) makes: what it writes, and what is typed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { ENVIRONMENT, MAIN } from './serin-process.ts';

export interface TerminalOptions {
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export class TerminalSession {
  readonly #child: ChildProcess;
  /** All that the terminal got, once the program has ended. */
  readonly finished: Promise<string>;
  text = '';

  /** @param command For `sh`. */
  constructor(command: string, { columns = 80, env = {} }: TerminalOptions = {}) {
    this.#child = spawn('script', ['-qec', `stty cols ${columns} rows 30; ${command}`, '/dev/null'], {
      env: { ...ENVIRONMENT, TERM: 'xterm', SHELL: '/bin/sh', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (piece: string) => (this.text += piece));
    this.finished = new Promise((resolve) => this.#child.on('close', () => resolve(this.text)));
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** Waits until what came since `from` matches; the test's own time limit ends it otherwise. */
  async until(pattern: RegExp, from = 0): Promise<void> {
    while (!pattern.test(this.text.slice(from))) await sleep(20);
  }

  /** For cleaning up. */
  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.finished;
  }
}

/** `serin` with these arguments. */
export function serinInTerminal(args: readonly string[], options?: TerminalOptions): TerminalSession {
  return new TerminalSession(`exec "${process.execPath}" "${MAIN}" ${args.map((arg) => `'${arg}'`).join(' ')}`, options);
}
