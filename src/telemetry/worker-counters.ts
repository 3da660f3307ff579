/**
 * What a data-plane worker counts about itself, apart from any cluster: one named word each, in the worker's own block of shared memory
 * (single writer, 64-bit floats; see slot-layout.ts for why that is enough).
 */

/** Names ending in `Active` go up and down; the others only grow. The number is the word in shared memory. */
const WORD = {
  downstreamConnectionsActive: 0,
  downstreamConnectionsTotal: 1,
  upstreamConnectionsActive: 2,
  upstreamConnectionsTotal: 3,
  /** Requests whose head was read completely, whatever became of them. */
  requestsTotal: 4,
  /** Requests refused because they break HTTP or a limit on its parts; they reach no cluster. */
  malformedTotal: 5,
  /** Downstream connections turned away because there were too many. */
  connectionsRefusedTotal: 6,
  /** Downstream connections closed by a drain. */
  drainedTotal: 7,
  /** Lines of the access log that could not be kept. */
  accessLogDroppedTotal: 8,
  /** Spans that could not be handed over. */
  spansDroppedTotal: 9,
} as const;

export type WorkerCounterName = keyof typeof WORD;

export type WorkerTotals = Readonly<Record<WorkerCounterName, number>>;

/** Words (of 8 bytes) in a worker's block: 128 bytes, so that two workers never write to one cache line or its neighbour. */
export const WORKER_WORDS = 16;

export class WorkerCounters {
  readonly #words: Float64Array;

  /** @param words  This worker's block, `WORKER_WORDS` long. */
  constructor(words: Float64Array) {
    this.#words = words;
  }

  /** Adds to one counter; a few nanoseconds, allocates nothing. */
  add(name: WorkerCounterName, amount: number): void {
    const word = WORD[name];
    this.#words[word] = (this.#words[word] ?? 0) + amount;
  }

  totals(): WorkerTotals {
    const words = this.#words;
    const read = (name: WorkerCounterName): number => words[WORD[name]] ?? 0;
    return {
      downstreamConnectionsActive: read('downstreamConnectionsActive'),
      downstreamConnectionsTotal: read('downstreamConnectionsTotal'),
      upstreamConnectionsActive: read('upstreamConnectionsActive'),
      upstreamConnectionsTotal: read('upstreamConnectionsTotal'),
      requestsTotal: read('requestsTotal'),
      malformedTotal: read('malformedTotal'),
      connectionsRefusedTotal: read('connectionsRefusedTotal'),
      drainedTotal: read('drainedTotal'),
      accessLogDroppedTotal: read('accessLogDroppedTotal'),
      spansDroppedTotal: read('spansDroppedTotal'),
    };
  }
}
