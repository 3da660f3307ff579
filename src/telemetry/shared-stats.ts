/**
 * Statistics in shared memory: written by data-plane workers with plain stores, read by the control plane whenever it likes; no message is
 * sent per request.
 *
 * Memory is a list of SharedArrayBuffers. The first holds each worker's own counters; every further one holds `SLOTS_PER_SEGMENT` clusters,
 * one region a worker:
 *
 *     segments[0]   worker 0 | worker 1 | ...
 *     segments[1]   worker 0: slot 0 .. 63 | worker 1: slot 0 .. 63 | ...
 *     segments[2]   worker 0: slot 64 .. 127 | ...
 *
 * Invariants: a segment never moves or shrinks; new ones are appended; a key keeps its slot for the life of the process (statistics outlive
 * a reload, and a cluster that comes back continues where it stopped). A worker must `attach` the list before it writes to a slot beyond
 * those it knows; the control plane hands it over together with the table that uses them.
 */
import { assert } from '../base/assert.ts';
import { ClusterCounters } from './cluster-counters.ts';
import { sumSlots } from './cluster-totals.ts';
import type { ClusterTotals } from './cluster-totals.ts';
import { GrowthReader } from './growth-reader.ts';
import { SharedBlocks } from './shared-blocks.ts';
import { SLOT_WORDS } from './slot-layout.ts';
import { WORKER_WORDS, WorkerCounters } from './worker-counters.ts';
import type { WorkerTotals } from './worker-counters.ts';

/** 1.3 MB of address space a worker; pages are taken only for clusters with traffic. */
const SLOTS_PER_SEGMENT = 64;

const WORD_BYTES = Float64Array.BYTES_PER_ELEMENT;

/** The control plane's side. */
export class StatsRegistry {
  readonly #workers: number;
  readonly #segments: SharedArrayBuffer[];
  readonly #slots = new Map<string, number>();
  /** Shared memory for more than counters. */
  readonly blocks = new SharedBlocks();

  /** @param workers  Data-plane threads that will write, >= 1 (the calling thread counts as one). */
  constructor(workers: number) {
    assert(Number.isInteger(workers) && workers >= 1, `workers is a positive integer, found ${workers}`);
    this.#workers = workers;
    this.#segments = [new SharedArrayBuffer(workers * WORKER_WORDS * WORD_BYTES)];
  }

  /** The key's slot, the same ever after; takes memory when the key is new. */
  slot(key: string): number {
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    const slot = this.#slots.size;
    if (slot % SLOTS_PER_SEGMENT === 0)
      this.#segments.push(new SharedArrayBuffer(this.#workers * SLOTS_PER_SEGMENT * SLOT_WORDS * WORD_BYTES));
    this.#slots.set(key, slot);
    return slot;
  }

  /** Everything a worker attaches to; grows when `slot` makes new ones. */
  segments(): readonly SharedArrayBuffer[] {
    return this.#segments.slice();
  }

  /** Sums over all workers since start; zeros for a key without a slot. */
  totals(key: string): ClusterTotals {
    return sumSlots(this.slots(key) ?? []);
  }

  /** Tells what a key gains from now on; undefined while it has no slot. */
  growth(key: string): GrowthReader | undefined {
    const slots = this.slots(key);
    return slots && new GrowthReader(slots);
  }

  /** What each worker counts under a key, to be read; undefined while it has no slot. */
  slots(key: string): readonly Float64Array[] | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
    return Array.from({ length: this.#workers }, (_, worker) => slotWords(this.#segments, slot, worker, this.#workers));
  }

  /** Every key that has a slot, in the order they were made. */
  keys(): Iterable<string> {
    return this.#slots.keys();
  }

  /** One entry a worker. */
  workers(): readonly WorkerTotals[] {
    return Array.from({ length: this.#workers }, (_, worker) => new WorkerCounters(workerWords(this.#segments, worker)).totals());
  }
}

/** A data-plane worker's side. */
export class StatsWriter {
  readonly #worker: number;
  readonly #workers: number;
  readonly #clusters: (ClusterCounters | undefined)[] = [];
  #segments: readonly SharedArrayBuffer[] = [];
  #own: WorkerCounters | undefined;

  /**
   * @param worker   This worker's number, 0 .. workers - 1; no other thread may write with the same one.
   * @param workers  As given to the StatsRegistry.
   */
  constructor(worker: number, workers: number) {
    assert(worker >= 0 && worker < workers, `worker is below ${workers}, found ${worker}`);
    this.#worker = worker;
    this.#workers = workers;
  }

  /** Takes the registry's segments; counters handed out before stay valid. */
  attach(segments: readonly SharedArrayBuffer[]): void {
    this.#segments = segments;
    this.#own ??= new WorkerCounters(workerWords(segments, this.#worker));
  }

  /** This worker's own counters; only after `attach`. */
  get worker(): WorkerCounters {
    assert(this.#own !== undefined, 'attach() comes first');
    return this.#own;
  }

  /** The counters of a slot; the same object for the same slot. Its segment must have been attached. */
  cluster(slot: number): ClusterCounters {
    const known = this.#clusters[slot];
    if (known !== undefined) return known;
    let all: readonly Float64Array[] | undefined;
    const counters = new ClusterCounters(
      slotWords(this.#segments, slot, this.#worker, this.#workers),
      () => (all ??= this.slots(slot) ?? []),
    );
    this.#clusters[slot] = counters;
    return counters;
  }

  /** What all workers have counted in a slot, to be read; undefined until its segment has been attached. */
  slots(slot: number): readonly Float64Array[] | undefined {
    if (1 + Math.floor(slot / SLOTS_PER_SEGMENT) >= this.#segments.length) return undefined;
    return Array.from({ length: this.#workers }, (_, worker) => slotWords(this.#segments, slot, worker, this.#workers));
  }
}

function workerWords(segments: readonly SharedArrayBuffer[], worker: number): Float64Array {
  const segment = segments[0];
  assert(segment !== undefined, 'the first segment holds the workers');
  return new Float64Array(segment, worker * WORKER_WORDS * WORD_BYTES, WORKER_WORDS);
}

function slotWords(segments: readonly SharedArrayBuffer[], slot: number, worker: number, workers: number): Float64Array {
  const segment = segments[1 + Math.floor(slot / SLOTS_PER_SEGMENT)];
  assert(segment !== undefined && worker < workers, `slot ${slot} is in a segment that was attached`);
  const place = worker * SLOTS_PER_SEGMENT + (slot % SLOTS_PER_SEGMENT);
  return new Float64Array(segment, place * SLOT_WORDS * WORD_BYTES, SLOT_WORDS);
}
