/**
 * What is counted about one cluster: the layout of its slot in shared memory, the writer a data-plane worker holds, and the sum a reader
 * makes over all workers.
 *
 * Invariants:
 * 1. A slot of one worker has one writer, that worker's thread; so increments need no atomics. Readers may be a few requests behind.
 * 2. Counters are 64-bit floats: exact to 2^53, so they neither wrap nor go backwards. (ECMAScript lets a float in shared memory tear; an
 *    aligned 8-byte store does not on any 64-bit processor Node runs on.)
 * 3. A slot nobody wrote to is never touched, so its memory pages are never taken: thousands of idle clusters cost address space only.
 *
 *     word 0            1        2        3..7    8          9..508           512..639                640..2239
 *          requests     active   sum ms   spare   status 0   status 100..599  64 x (flag+status, n)   latency buckets
 */
import { BUCKETS, bucketIndex } from './histogram.ts';
import { RESPONSE_FLAG_NUMBERS, RESPONSE_FLAGS } from './response-flag.ts';
import type { ResponseFlag } from './response-flag.ts';

const REQUESTS = 0;
const ACTIVE = 1;
const DURATION_SUM = 2;
/** Of the first status; `STATUS - 1` holds every number that is not a status (0: no answer was sent). */
const STATUS = 9;
const FIRST_STATUS = 100;
const STATUSES = 500;
const FLAGS = 512;
/** Flags Serin sets go with a handful of statuses each; a pair beyond this many is counted under its status without its flag. */
const FLAG_PAIRS = 64;
const LATENCY = FLAGS + 2 * FLAG_PAIRS;

/**
 * What one key has gained since it was read last: for those who look several times a second at a thousand keys. Allocates nothing while reading.
 *
 * Only requests whose latency is there already are told, so one that is being recorded at this instant is told the next time.
 */
export class GrowthReader {
  readonly #slots: readonly Float64Array[];
  readonly #before = new Float64Array(BUCKETS);
  #told = 0;
  #lowest = BUCKETS;

  /** @param slots One a worker. What they hold already is not growth. */
  constructor(slots: readonly Float64Array[]) {
    this.#slots = slots;
    this.read(() => undefined);
  }

  /** @param gained Called for each bucket of histogram.ts that has grown. */
  read(gained: (bucket: number, count: number) => void): void {
    let left = -this.#told;
    for (const words of this.#slots) left += words[REQUESTS] ?? 0;
    // Latencies of one key lie together: the search begins where the lowest was, and ends when all are found.
    const lowest = this.#lowest;
    left = this.#search(lowest, BUCKETS, left, gained);
    this.#search(0, lowest, left, gained);
  }

  #search(from: number, to: number, wanted: number, gained: (bucket: number, count: number) => void): number {
    const slots = this.#slots;
    const before = this.#before;
    let left = wanted;
    for (let bucket = from; bucket < to && left > 0; bucket++) {
      let count = 0;
      for (let worker = 0; worker < slots.length; worker++) count += slots[worker]?.[LATENCY + bucket] ?? 0;
      const grown = count - (before[bucket] ?? 0);
      if (grown <= 0) continue;
      before[bucket] = count;
      this.#told += grown;
      this.#lowest = Math.min(this.#lowest, bucket);
      left -= grown;
      gained(bucket, grown);
    }
    return left;
  }
}

/** Words (of 8 bytes) in a slot. */
export const SLOT_WORDS = LATENCY + BUCKETS;

/** The writer's side of one cluster's slot; made once a cluster and kept. Nothing here allocates; `record` takes about 10 ns (bench/telemetry.ts). */
export class ClusterCounters {
  readonly #words: Float64Array;

  /** @param words  This worker's slot, `SLOT_WORDS` long. */
  constructor(words: Float64Array) {
    this.#words = words;
  }

  /**
   * One finished request.
   *
   * @param status      What the client was answered, 100 to 599; 0 (or anything else) when no answer was sent.
   * @param durationMs  From the first byte of the request to the last of the answer.
   */
  record(status: number, durationMs: number): void {
    const words = this.#words;
    const offset = status - FIRST_STATUS;
    add(words, REQUESTS, 1);
    if (durationMs > 0) add(words, DURATION_SUM, durationMs);
    add(words, offset >= 0 && offset < STATUSES ? STATUS + (offset | 0) : STATUS - 1, 1);
    add(words, LATENCY + bucketIndex(durationMs), 1);
  }

  /** Beside `record`, for a request that ended with a flag; `status` as given there. A request has at most one flag. */
  flag(flag: ResponseFlag, status: number): void {
    const words = this.#words;
    // + 1: an empty pair reads as 0.
    const pair = (RESPONSE_FLAG_NUMBERS.get(flag) ?? 0) * 1000 + (isStatus(status) ? status : 0) + 1;
    for (let at = FLAGS; at < LATENCY; at += 2) {
      const found = words[at];
      if (found === pair) {
        add(words, at + 1, 1);
        return;
      }
      if (found === 0) {
        words[at + 1] = 1;
        words[at] = pair;
        return;
      }
    }
  }

  /** A request was handed to this cluster (1) or is over (-1). */
  activeAdd(delta: 1 | -1): void {
    add(this.#words, ACTIVE, delta);
  }
}

/** Everything counted about a cluster since start, over all workers. */
export interface ClusterTotals {
  /** Finished requests. */
  readonly requests: number;
  /** Requests in flight now. */
  readonly active: number;
  readonly durationSumMs: number;
  /** Finished requests by the status the client was answered; 0 where no answer was sent. Only statuses that occurred. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Those of `statuses` that ended with a flag. */
  readonly flags: readonly FlagCount[];
  /** One count a bucket of histogram.ts. */
  readonly latency: ArrayLike<number>;
}

interface FlagCount {
  readonly flag: ResponseFlag;
  readonly status: number;
  readonly count: number;
}

const NO_LATENCY: ArrayLike<number> = Object.freeze(Array.from({ length: BUCKETS }, () => 0));

/** The sum over one slot of each worker. Slots nobody has written to are left untouched. */
export function sumSlots(slots: readonly Float64Array[]): ClusterTotals {
  let active = 0;
  const used: Float64Array[] = [];
  for (const words of slots) {
    active += words[ACTIVE] ?? 0;
    if ((words[REQUESTS] ?? 0) > 0) used.push(words);
  }
  if (used.length === 0) return { requests: 0, active, durationSumMs: 0, statuses: new Map(), flags: [], latency: NO_LATENCY };

  let requests = 0;
  let durationSumMs = 0;
  const statuses = new Map<number, number>();
  const flags = new Map<number, number>();
  const latency = new Float64Array(BUCKETS);
  for (const words of used) {
    durationSumMs += words[DURATION_SUM] ?? 0;
    for (let at = STATUS - 1; at < STATUS + STATUSES; at++) {
      const count = words[at] ?? 0;
      if (count === 0) continue;
      const status = at < STATUS ? 0 : at - STATUS + FIRST_STATUS;
      statuses.set(status, (statuses.get(status) ?? 0) + count);
      // Not word 0: a request being recorded at this instant must be in both or in neither.
      requests += count;
    }
    for (let at = FLAGS; at < LATENCY; at += 2) {
      const pair = words[at] ?? 0;
      if (pair === 0) break;
      flags.set(pair - 1, (flags.get(pair - 1) ?? 0) + (words[at + 1] ?? 0));
    }
    for (let bucket = 0; bucket < BUCKETS; bucket++) latency[bucket] = (latency[bucket] ?? 0) + (words[LATENCY + bucket] ?? 0);
  }
  return { requests, active, durationSumMs, statuses, flags: [...flags].flatMap(flagCount), latency };
}

function flagCount([pair, count]: readonly [number, number]): FlagCount[] {
  const flag = RESPONSE_FLAGS[Math.floor(pair / 1000)];
  return flag === undefined ? [] : [{ flag, status: pair % 1000, count }];
}

function isStatus(status: number): boolean {
  return status >= FIRST_STATUS && status < FIRST_STATUS + STATUSES;
}

function add(words: Float64Array, at: number, amount: number): void {
  words[at] = (words[at] ?? 0) + amount;
}
