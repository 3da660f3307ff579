/**
 * The control plane's hold on one data-plane worker. A worker that dies is started again with the table it had.
 */
import { Worker } from 'node:worker_threads';
import type { SpanRecord } from '../telemetry/span-record.ts';
import type { AccessLines } from './access-log.ts';
import type { DataPlaneUpdate } from './data-plane.ts';
import { ListenError } from './options.ts';
import type { BoundListener } from './options.ts';
import type { DataPlanePort } from './proxy.ts';
import { inPieces } from './table-pieces.ts';
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

/** What a worker has to say that nobody asked it. */
export interface WorkerEvents {
  readonly onInternalError: (error: unknown) => void;
  /** @returns Whether they will be kept. */
  readonly onAccessLines: (lines: AccessLines) => boolean;
  readonly onSpans: (spans: readonly SpanRecord[]) => void;
  /** It has ended without being asked to, and is not yet started again. */
  readonly onDied: () => void;
}

export class WorkerHandle implements DataPlanePort {
  readonly #start: WorkerStart;
  readonly #onInternalError: (error: unknown) => void;
  readonly #events: WorkerEvents;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker;
  #nextId = 1;
  #prepared: DataPlaneUpdate | undefined;
  #inForce: DataPlaneUpdate | undefined;
  #isClosed = false;

  constructor(start: WorkerStart, events: WorkerEvents) {
    this.#start = start;
    this.#onInternalError = events.onInternalError;
    this.#events = events;
    this.#worker = this.#spawn();
  }

  async prepare(update: DataPlaneUpdate): Promise<readonly BoundListener[]> {
    const bound = await this.#post(update);
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
    worker.on('message', (message: WorkerReply) => this.#onReply(worker, message));
    worker.on('error', (error) => this.#onInternalError(error));
    worker.on('exit', () => this.#onExit());
    return worker;
  }

  /** @returns Where listeners are bound. */
  async #post(update: DataPlaneUpdate): Promise<readonly BoundListener[]> {
    const { rest, pieces } = inPieces(update.table);
    // The next one goes when the one before has been read: a worker reads all messages that wait for it at once.
    for (const piece of pieces) await this.#ask({ kind: 'piece', piece });
    const answer = await this.#ask({ kind: 'prepare', update: { ...update, table: rest } });
    return answer.kind === 'done' ? answer.bound : [];
  }

  #ask(command: Unnumbered<WorkerCommand>): Promise<Extract<WorkerReply, { kind: 'done' | 'count' }>> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...command, id });
    });
  }

  #onReply(worker: Worker, message: WorkerReply): void {
    if (message.kind === 'spans') {
      this.#events.onSpans(message.spans);
      const taken: WorkerCommand = { kind: 'spansTaken', count: message.spans.length };
      worker.postMessage(taken);
      return;
    }
    if (message.kind === 'accessLines') {
      const { text, count } = message.lines;
      const isKept = this.#events.onAccessLines(message.lines);
      const taken: WorkerCommand = { kind: 'accessTaken', chars: text.length, dropped: isKept ? 0 : count };
      worker.postMessage(taken);
      return;
    }
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
    this.#events.onDied();
    this.#onInternalError(new Error(`data-plane worker ${this.#start.worker} ended; starting it again`));
    setTimeout(() => {
      if (this.#isClosed) return;
      this.#worker = this.#spawn();
      const update = this.#inForce;
      if (update === undefined) return;
      this.#post(update)
        .then(() => this.#ask({ kind: 'commit' }))
        .catch(this.#onInternalError);
    }, RESTART_MS).unref();
  }
}
