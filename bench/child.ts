/** Processes of the benchmark: started on a core of their own, waited for, and always stopped again. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5000;

const running = new Set<Child>();

/** One started process; `pid` is the program's own (taskset replaces itself by it). */
export class Child {
  readonly name: string;
  readonly pid: number;
  readonly #process: ChildProcess;
  #out = '';
  #errors = '';
  #onOut: () => void = () => {};

  /** Starts `command` pinned to `core`, or where the system likes. */
  constructor(name: string, core: number | 'any', command: readonly string[]) {
    this.name = name;
    const [program = '', ...args] = core === 'any' ? command : ['taskset', '-c', String(core), ...command];
    this.#process = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const { pid } = this.#process;
    if (pid === undefined) throw new Error(`${name}: could not be started: ${command.join(' ')}`);
    this.pid = pid;
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#out += text;
      this.#onOut();
    });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-4000);
    });
    this.#process.on('exit', () => this.#onOut());
    running.add(this);
  }

  get output(): string {
    return this.#out;
  }

  /** The last of what it wrote to stderr. */
  get errors(): string {
    return this.#errors;
  }

  /** Resolves with the first output that matches; rejects when the process ends or takes too long. */
  async waitFor(pattern: RegExp, timeoutMs = START_TIMEOUT_MS): Promise<RegExpExecArray> {
    const timeout = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const match = pattern.exec(this.#out);
      if (match !== null) return match;
      if (this.#hasEnded() || timeout.aborted) throw new Error(`${this.name}: never said ${pattern}\n${this.#out}${this.#errors}`);
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#onOut = resolve;
        }),
        sleep(timeoutMs / 100),
      ]);
    }
  }

  /** Resolves when the port takes connections. */
  async waitForPort(port: number): Promise<void> {
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    while (!(await accepts(port))) {
      if (this.#hasEnded() || performance.now() > deadlineMs) throw new Error(`${this.name}: does not listen on ${port}\n${this.#errors}`);
      await sleep(20);
    }
  }

  /** Resolves with everything it wrote to stdout; rejects when it fails. */
  async result(): Promise<string> {
    if (!this.#hasEnded()) await once(this.#process, 'exit');
    running.delete(this);
    if (this.#process.exitCode !== 0) throw new Error(`${this.name}: exit code ${this.#process.exitCode}\n${this.#errors}`);
    return this.#out;
  }

  async stop(): Promise<void> {
    running.delete(this);
    if (this.#hasEnded()) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }

  #hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }
}

export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((child) => child.stop()));
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** A port nobody listens on at the moment, for programs that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server has an address');
  return address.port;
}
