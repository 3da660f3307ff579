/**
 * One supervised process: started, probed until it serves, watched, started again when it ends, stopped with all it started.
 *
 *     starting ──> ready ──> waiting ──> starting ──> …        any ──> stopping ──> stopped
 *
 * Rules (reliability F-35, S-18):
 * 1. No shell. The environment is made (config/run-host.ts), the process group its own, the working directory that of its configuration.
 * 2. Every start has a fresh port. It is ready when a probe has found it so while it was alive; only then does it have an endpoint.
 * 3. A start that is not ready in time is ended, and tried again after a pause as after any end (process-backoff.ts).
 * 4. When it ends by itself, what is left of its group is killed before the next start.
 * 5. Stopping: SIGTERM to the group, and SIGKILL after `stopTimeout` to what is left of it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { parseDuration } from '../base/duration.ts';
import type { Random } from '../base/random.ts';
import type { RunSpec } from '../config/resources.ts';
import { type HostEnv, planProgram, type Program } from '../config/run-host.ts';
import { Backoff } from './process-backoff.ts';
import { groupEnds, signalGroup } from './process-group.ts';
import { type OutputLog, ProcessOutput } from './process-output.ts';
import type { PipeMaker } from './process-pipe.ts';
import type { PortPool } from './process-port.ts';
import { pause, untilReady } from './process-ready.ts';

const ADDRESS = '127.0.0.1';
export const DEFAULT_READY_TIMEOUT_MS = 30_000;
const DEFAULT_STOP_TIMEOUT_MS = 10_000;
/** A start that was ready and lasted this long was a good one. */
const LASTING_MS = 60_000;
/** After the end of a process: its last words may still be on their way. */
const LAST_WORDS_MS = 200;

export type ProcessPhase = 'starting' | 'ready' | 'waiting' | 'stopping' | 'stopped';

export interface ProcessEndpoint {
  readonly address: string;
  readonly port: number;
}

/** What happens to a process, for the log. `output`: the last lines it printed. */
export type ProcessEvent = { readonly name: string; readonly pid?: number } & (
  | { readonly kind: 'ready'; readonly port: number; readonly tookMs: number }
  | {
      readonly kind: 'ended';
      readonly how: string;
      readonly wasReady: boolean;
      readonly restartMs: number;
      readonly output: readonly string[];
    }
  | { readonly kind: 'failed'; readonly why: string; readonly restartMs: number; readonly output: readonly string[] }
  | { readonly kind: 'killed'; readonly afterMs: number }
);

export interface ProcessDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly hostEnv: HostEnv;
  readonly ports: PortPool;
  readonly pipes: PipeMaker;
  /** Told of every group that starts and that has ended. */
  readonly onGroup: (change: 'started' | 'ended', pid: number, name: string) => void;
  /** Its phase has changed. */
  readonly onChange: () => void;
  readonly onEvent: (event: ProcessEvent) => void;
}

export interface ProcessStart {
  /** For people: `reviews-v2-1`. */
  readonly name: string;
  /** Sent as Host with the probe. */
  readonly host: string;
  /** The probe is asked in HTTP/2. */
  readonly isHttp2: boolean;
  readonly spec: RunSpec;
  /** Where it starts. */
  readonly directory: string;
  readonly log: OutputLog;
}

/** How an attempt to run it went. */
interface Attempt {
  readonly wasReady: boolean;
  /** `exit code 1`, `signal SIGSEGV`; absent where it never ran or was ended for not being ready. */
  readonly how?: string;
  /** Why there was nothing to end. */
  readonly why?: string;
  readonly pid?: number;
  readonly output: readonly string[];
}

export class ManagedProcess {
  readonly name: string;
  readonly #start: ProcessStart;
  readonly #deps: ProcessDeps;
  readonly #stopping = new AbortController();
  readonly #backoff: Backoff;
  readonly #done: Promise<void>;
  #phase: ProcessPhase = 'starting';
  #child: ChildProcess | undefined;
  #port: number | undefined;
  #startedAtMs: number | undefined;
  #starts = 0;
  /** Resolves when the group that is being stopped has ended or was killed. */
  #groupStopped: Promise<void> = Promise.resolve();
  /** Why it does not serve; the last attempt's, empty while all is well. */
  #detail = '';

  /** Starts it. */
  constructor(start: ProcessStart, deps: ProcessDeps) {
    this.name = start.name;
    this.#start = start;
    this.#deps = deps;
    this.#backoff = new Backoff(deps.random);
    this.#done = this.#run();
  }

  get phase(): ProcessPhase {
    return this.#phase;
  }

  get detail(): string {
    return this.#detail;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get restarts(): number {
    return Math.max(0, this.#starts - 1);
  }

  /** Of the process that runs now. */
  get upMs(): number | undefined {
    return this.#startedAtMs === undefined ? undefined : this.#deps.clock.monotonicMs() - this.#startedAtMs;
  }

  /** Where it serves; undefined unless it is ready. */
  get endpoint(): ProcessEndpoint | undefined {
    return this.#phase === 'ready' && this.#port !== undefined ? { address: ADDRESS, port: this.#port } : undefined;
  }

  /** Resolves when nothing of it runs any more. Again and again it is the same end. */
  async stop(): Promise<void> {
    if (!this.#stopping.signal.aborted) {
      this.#stopping.abort();
      this.#enter('stopping');
      const pid = this.#child?.pid;
      if (pid !== undefined) await this.#endGroup(pid);
    }
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#enter('starting');
      const { wasReady, how, why, pid, output } = await this.#attempt();
      if (signal.aborted) break;
      const restartMs = this.#backoff.next();
      const event = { name: this.name, ...(pid === undefined ? {} : { pid }), restartMs, output };
      if (why === undefined) this.#deps.onEvent({ ...event, kind: 'ended', how: how ?? '', wasReady });
      else this.#deps.onEvent({ ...event, kind: 'failed', why });
      this.#detail = why ?? how ?? '';
      this.#enter('waiting');
      await pause(restartMs, signal);
    }
    this.#enter('stopped');
  }

  /** From a free port to the end of the process. */
  async #attempt(): Promise<Attempt> {
    let port: number | undefined;
    try {
      port = await this.#deps.ports.take();
      const { spec, directory } = this.#start;
      const { program, problems } = planProgram(spec, directory, this.#deps.hostEnv, port);
      if (program === undefined) return failed(problems.map(({ field, message }) => `${field.join('.')}: ${message}`).join('; '));
      if (this.#stopping.signal.aborted) return failed('stopped');
      this.#port = port;
      return await this.#live(program, port);
    } catch (error) {
      return failed(error instanceof Error ? error.message : String(error));
    } finally {
      this.#port = undefined;
      this.#child = undefined;
      this.#startedAtMs = undefined;
      if (port !== undefined) this.#deps.ports.giveBack(port);
    }
  }

  async #live({ file, args, env, directory, secrets }: Program, port: number): Promise<Attempt> {
    const { clock, onGroup } = this.#deps;
    const output = new ProcessOutput(this.#start.log, secrets);
    let pid: number | undefined;
    const { ends, ended: outputEnded } = await this.#openPipes(output, () => pid ?? 0);
    let child: ChildProcess;
    try {
      if (this.#stopping.signal.aborted) return failed('stopped');
      this.#starts++;
      child = spawn(file, args, { cwd: directory, env, stdio: ['ignore', ...ends], detached: true });
    } finally {
      // The process has its own hold on them, or there is none.
      for (const end of ends) end.destroy();
    }
    const ended = endOf(child);
    pid = child.pid;
    // It could not be started; the error event says why.
    if (pid === undefined) return failed(await ended);
    onGroup('started', pid, this.name);
    this.#child = child;
    this.#startedAtMs = clock.monotonicMs();

    const notReady = await this.#becomesReady(pid, port, ended);
    let wasReady = false;
    if (notReady === undefined && !this.#stopping.signal.aborted) {
      wasReady = true;
      this.#detail = '';
      this.#enter('ready');
      this.#deps.onEvent({ kind: 'ready', name: this.name, pid, port, tookMs: clock.monotonicMs() - this.#startedAtMs });
    }
    const how = await ended;
    if (wasReady && clock.monotonicMs() - this.#startedAtMs >= LASTING_MS) this.#backoff.reset();
    if (this.#phase === 'ready') this.#enter('waiting');
    if (this.#stopping.signal.aborted) await this.#groupStopped;
    else signalGroup(pid, 'SIGKILL');
    await Promise.race([outputEnded, pause(LAST_WORDS_MS, new AbortController().signal)]);
    onGroup('ended', pid, this.name);
    const tail = output.tail;
    return notReady === undefined || notReady === ENDED
      ? { wasReady, how, pid, output: tail }
      : { wasReady, why: notReady, pid, output: tail };
  }

  /** @returns The process's ends of its two streams, and when both have ended. */
  async #openPipes(
    output: ProcessOutput,
    pid: () => number,
  ): Promise<{ readonly ends: readonly Socket[]; readonly ended: Promise<unknown> }> {
    const open = async (name: 'out' | 'err'): Promise<{ readonly end: Socket; readonly ended: Promise<void> }> => {
      const { onBytes, onEnd } = output.reader(name, pid);
      const ended = Promise.withResolvers<void>();
      const end = await this.#deps.pipes.open(onBytes, () => {
        onEnd();
        ended.resolve();
      });
      return { end, ended: ended.promise };
    };
    const opened = [await open('out'), await open('err')];
    return { ends: opened.map(({ end }) => end), ended: Promise.all(opened.map(({ ended }) => ended)) };
  }

  /** @returns Undefined when it is ready; `ENDED` when it ended first; else why it was ended. */
  async #becomesReady(pid: number, port: number, ended: Promise<string>): Promise<string | undefined> {
    const { spec, host, isHttp2 } = this.#start;
    const timeoutMs = durationOr(spec.ready?.timeout, DEFAULT_READY_TIMEOUT_MS);
    const end = new AbortController();
    const stop = (): void => end.abort();
    this.#stopping.signal.addEventListener('abort', stop);
    let hasEnded = false;
    const onEnd = async (): Promise<void> => {
      await ended;
      hasEnded = true;
      stop();
    };
    void onEnd();
    const timer = setTimeout(stop, timeoutMs);
    const detail = await untilReady({ address: ADDRESS, port, host, isHttp2, path: spec.ready?.path }, end.signal);
    clearTimeout(timer);
    this.#stopping.signal.removeEventListener('abort', stop);
    if (hasEnded || this.#stopping.signal.aborted) return ENDED;
    if (detail === undefined) return undefined;
    const asked = spec.ready?.path === undefined ? `connecting to ${ADDRESS}:${port}` : `GET http://${ADDRESS}:${port}${spec.ready.path}`;
    await this.#endGroup(pid);
    return `not ready within ${timeoutMs} ms: ${asked}: ${detail}`;
  }

  #endGroup(pid: number): Promise<void> {
    this.#groupStopped = this.#terminate(pid);
    return this.#groupStopped;
  }

  async #terminate(pid: number): Promise<void> {
    const { clock, onEvent } = this.#deps;
    const timeoutMs = durationOr(this.#start.spec.stopTimeout, DEFAULT_STOP_TIMEOUT_MS);
    if (!signalGroup(pid, 'SIGTERM')) return;
    if (await groupEnds(pid, timeoutMs, () => clock.monotonicMs())) return;
    onEvent({ kind: 'killed', name: this.name, pid, afterMs: timeoutMs });
    signalGroup(pid, 'SIGKILL');
  }

  #enter(phase: ProcessPhase): void {
    if (this.#phase === phase || this.#phase === 'stopped' || (this.#phase === 'stopping' && phase !== 'stopped')) return;
    this.#phase = phase;
    this.#deps.onChange();
  }
}

/** It ended before it was ready. */
const ENDED = '';

function failed(why: string): Attempt {
  return { wasReady: false, why, output: [] };
}

/** `exit code 0`, `signal SIGKILL`, or why it could not be started. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
}

function durationOr(text: string | undefined, fallbackMs: number): number {
  return (text === undefined ? undefined : parseDuration(text)) ?? fallbackMs;
}
