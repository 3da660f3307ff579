/** A program that measures something: started without a shell, bounded in time and output, ended with all it has started. */
import { spawn } from 'node:child_process';
import type { Program } from '../../../config/run-host.ts';
import { redactLine, redactValues } from '../../../telemetry/redact.ts';
import { signalGroup } from '../../../workload/process-group.ts';

const MAX_OUTPUT_BYTES = 64 * 1024;
const MAX_DETAIL_CHARS = 200;

export type Ran =
  /** `detail`: the last line it wrote to stderr. */
  { readonly exitCode: number; readonly output: string; readonly detail: string } | { readonly problem: string };

export function run({ file, args, env, directory, secrets }: Program, timeoutMs: number, signal: AbortSignal): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'], detached: process.platform !== 'win32' });
    let problem: string | undefined;
    const end = (why: string): void => {
      problem ??= why;
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
      // What it has started may hold the pipes open.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const timer = setTimeout(() => end(`it did not end within ${timeoutMs} ms`), timeoutMs);
    const onAbort = (): void => end('Serin stops');
    signal.addEventListener('abort', onAbort, { once: true });
    const output = new Tail();
    const errors = new Tail();
    child.stdout.on('data', (chunk: Buffer) => {
      if (!output.add(chunk)) end(`its output is larger than ${MAX_OUTPUT_BYTES} bytes`);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      errors.addLast(chunk);
    });
    const settle = (ran: Ran): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      resolve(ran);
    };
    child.on('error', (error) => settle({ problem: `it cannot be started: ${error.message}` }));
    child.on('close', (exitCode, killedBy) => {
      // Nothing it has left behind goes on.
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
      if (problem !== undefined) settle({ problem });
      else if (exitCode === null) settle({ problem: `it was ended by ${killedBy ?? 'a signal'}` });
      else settle({ exitCode, output: output.text.trim(), detail: lastLine(redactValues(errors.text, secrets)) });
    });
  });
}

class Tail {
  #chunks: Buffer[] = [];
  #bytes = 0;

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }

  /** False when there is too much. */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_OUTPUT_BYTES) return false;
    this.#chunks.push(chunk);
    return true;
  }

  /** Keeps the end only. */
  addLast(chunk: Buffer): void {
    const all = Buffer.concat([...this.#chunks, chunk]);
    this.#chunks = [all.subarray(-MAX_OUTPUT_BYTES)];
  }
}

function lastLine(text: string): string {
  const line = redactLine(text.trimEnd().split('\n').at(-1)?.trim() ?? '');
  return line.length > MAX_DETAIL_CHARS ? `${line.slice(0, MAX_DETAIL_CHARS)}…` : line;
}
