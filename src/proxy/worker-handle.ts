/**
 * The control plane's hold on one data-plane worker. A worker that dies is started again with the table it had.
 */
import { Worker } from 'node:worker_threads';
import type { DataPlaneUpdate } from './data-plane.ts';
import { ListenError } from './options.ts';
import type { BoundListener } from './options.ts';
import type { DataPlanePort } from './proxy.ts';
import type { WorkerCommand, WorkerReply, WorkerStart } from './worker-messages.ts';

/** As this file: TypeScript in the source tree, JavaScript in the published package. */
const WORKER_FILE = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

/** Between two starts of a worker that keeps dying. */
const RESTART_MS = 100;

interface Waiting {
  readonly resolve: (answer: Extract<WorkerReply, { kind: 'done' | 'count' }>) => void;
  readonly reject: (error: Error) => void;
}

type Unnumbered<Command> = Command extends { readonly id: number } ? Omit<Command, 'id'> : never;

export class WorkerHandle implements DataPlanePort {
  readonly #start: WorkerStart;
  readonly #onInternalError: (error: unknown) => void;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker;
  #nextId = 1;
  #prepared: DataPlaneUpdate | undefined;
  #inForce: DataPlaneUpdate | undefined;
  #isClosed = false;

  constructor(start: WorkerStart, onInternalError: (error: unknown) => void) {
    this.#start = start;
    this.#onInternalError = onInternalError;
    this.#worker = this.#spawn();
  }

  async prepare(update: DataPlaneUpdate): Promise<readonly BoundListener[]> {
    const bound = await this.#carryOut({ kind: 'prepare', update });
    // Should it have to be repeated, ports that were left open are settled now.
    this.#prepared = { ...update, bindings: bound };
    return bound;
  }

  async commit(): Promise<void> {
    await this.#ask({ kind: 'commit' });
    this.#inForce = this.#prepared;
  }

  async abort(): Promise<void> {
    await this.#ask({ kind: 'abort' });
  }

  async activeRequests(address: string, port: number): Promise<number> {
    const answer = await this.#ask({ kind: 'activeRequests', address, port });
    return answer.kind === 'count' ? answer.count : 0;
  }

  async drain(timeoutMs: number): Promise<void> {
    await this.#ask({ kind: 'drain', timeoutMs });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#ask({ kind: 'close' }).catch(() => undefined);
    await this.#worker.terminate();
  }

  #spawn(): Worker {
    const worker = new Worker(WORKER_FILE, { workerData: this.#start, name: `data-plane-${this.#start.worker}` });
    worker.on('message', (message: WorkerReply) => this.#onReply(message));
    worker.on('error', (error) => this.#onInternalError(error));
    worker.on('exit', () => this.#onExit());
    return worker;
  }

  /** @returns Where listeners are bound, after `prepare`. */
  async #carryOut(command: Unnumbered<WorkerCommand>): Promise<readonly BoundListener[]> {
    const answer = await this.#ask(command);
    return answer.kind === 'done' ? answer.bound : [];
  }

  #ask(command: Unnumbered<WorkerCommand>): Promise<Extract<WorkerReply, { kind: 'done' | 'count' }>> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...command, id });
    });
  }

  #onReply(message: WorkerReply): void {
    if (message.kind === 'internalError') {
      this.#onInternalError(new Error(message.message));
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    switch (message.kind) {
      case 'done':
      case 'count':
        waiting?.resolve(message);
        return;
      case 'listenError':
        waiting?.reject(new ListenError(message.code, message.listener, message.address));
        return;
      case 'failed':
        waiting?.reject(new Error(message.message));
    }
  }

  #onExit(): void {
    for (const waiting of this.#waiting.values()) waiting.reject(new Error(`data-plane worker ${this.#start.worker} ended`));
    this.#waiting.clear();
    if (this.#isClosed) return;
    this.#onInternalError(new Error(`data-plane worker ${this.#start.worker} ended; starting it again`));
    setTimeout(() => {
      if (this.#isClosed) return;
      this.#worker = this.#spawn();
      const update = this.#inForce;
      if (update === undefined) return;
      this.#ask({ kind: 'prepare', update })
        .then(() => this.#ask({ kind: 'commit' }))
        .catch(this.#onInternalError);
    }, RESTART_MS).unref();
  }
}
