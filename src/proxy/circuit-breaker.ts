/**
 * Limits on what a cluster is asked at once (envoy.config.cluster.v3.CircuitBreakers, as a DestinationRule's connectionPool sets them), over all workers.
 *
 *   requests     in flight                                   http2MaxRequests
 *   pending      waiting for a connection                    http1MaxPendingRequests
 *   connections  open                                        tcp.maxConnections
 *
 * A request beyond `requests` or `pending` is refused at once; one that only lacks a connection waits, first come first served, and is woken when one is free. Each worker counts in
 * a row of its own and adds up all rows before it goes on, after its own count has been raised: of two that come at the same instant the later one sees both, so a limit is never
 * exceeded. What a worker held that dies is forgotten with its row.
 */
import type { Limits } from '../routing/table.ts';
import type { SharedRow } from '../telemetry/shared-rows.ts';

/** Words of a row: what is held now, then how often a limit was met. */
export const HELD = { connections: 0, pending: 1, requests: 2 } as const;
export const OVERFLOWS = 4;

export type Held = keyof typeof HELD;

/** Key of a worker's row. */
export function limitKey(cluster: string, worker: number): string {
  return `${cluster} worker ${worker}`;
}

/** A request that waits for a connection. */
export interface Waiting {
  /** One may be free: look again. */
  onConnectionFree(): void;
}

export class CircuitBreaker {
  limits: Limits;
  readonly #own: SharedRow;
  readonly #all: readonly SharedRow[];
  readonly #waiting: Waiting[] = [];

  /** @param own This worker's row. @param all Those of all workers, `own` among them. */
  constructor(limits: Limits, own: SharedRow, all: readonly SharedRow[]) {
    this.limits = limits;
    this.#own = own;
    this.#all = all;
  }

  /** Whether there is one more at this moment. */
  hasRoom(what: Held): boolean {
    const limit = this.limits[what];
    return limit === 0 || this.#held(what) < limit;
  }

  /** @returns Whether there is one more; then `release` gives it back. */
  acquire(what: Held): boolean {
    const limit = this.limits[what];
    const word = HELD[what];
    Atomics.add(this.#own, word, 1);
    if (limit === 0) return true;
    if (this.#held(what) <= limit) return true;
    Atomics.sub(this.#own, word, 1);
    Atomics.add(this.#own, OVERFLOWS + word, 1);
    return false;
  }

  #held(what: Held): number {
    let held = 0;
    for (const row of this.#all) held += Atomics.load(row, HELD[what]);
    return held;
  }

  /** One more beyond the limit: the first connection to an endpoint, without which what waits for it would wait for ever. */
  force(what: Held): void {
    Atomics.add(this.#own, HELD[what], 1);
  }

  release(what: Held): void {
    Atomics.sub(this.#own, HELD[what], 1);
    if (what === 'connections') this.wake();
  }

  /** To be woken once; `forget` when it no longer waits. */
  wait(waiting: Waiting): void {
    this.#waiting.push(waiting);
  }

  forget(waiting: Waiting): void {
    const at = this.#waiting.indexOf(waiting);
    if (at !== -1) this.#waiting.splice(at, 1);
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** A connection is free, or may be. */
  wake(): void {
    this.#waiting.shift()?.onConnectionFree();
  }
}
