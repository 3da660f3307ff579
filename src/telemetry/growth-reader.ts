/** Reading what a key has gained, again and again, at the cost of what is new: for the analysis of releases and for guards. */
import { requestsIn } from './cluster-totals.ts';
import { BUCKETS } from './histogram.ts';
import { LATENCY } from './slot-layout.ts';

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
    let left = requestsIn(this.#slots) - this.#told;
    // Latencies of one key lie together: the search begins where the lowest was, and ends when all are found.
    const lowest = this.#lowest;
    left = this.#search(lowest, BUCKETS, left, gained);
    this.#search(0, lowest, left, gained);
  }

  /** Requests told so far. */
  get told(): number {
    return this.#told;
  }

  /** Of those, how many were slower than everything in each of these buckets. */
  toldAbove(buckets: readonly number[]): number[] {
    return countsAbove(this.#before, buckets);
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

/**
 * What a slot has counted by now, of the same requests a GrowthReader would have told: for a data-plane worker that looks at what all of them have. A
 * look costs as much as there is new.
 */
export class SlotsView {
  readonly #slots: readonly Float64Array[];
  readonly #reader: GrowthReader;
  #buckets: readonly number[] = [];
  #above: number[] = [];

  /** @param slots One a worker. */
  constructor(slots: readonly Float64Array[]) {
    this.#slots = slots;
    this.#reader = new GrowthReader(slots);
  }

  /** @param buckets Of which `above` is asked. */
  look(buckets: readonly number[]): void {
    if (buckets.length !== this.#buckets.length || buckets.some((bucket, i) => bucket !== this.#buckets[i])) {
      this.#reader.read(() => undefined);
      this.#buckets = buckets;
      this.#above = this.#reader.toldAbove(buckets);
      return;
    }
    this.#reader.read((bucket, count) => {
      for (const [i, threshold] of buckets.entries()) if (bucket > threshold) this.#above[i] = (this.#above[i] ?? 0) + count;
    });
  }

  /** Requests by now, be it that their latency is not there yet: to tell whether a look is worth it. */
  get requests(): number {
    return requestsIn(this.#slots);
  }

  /** Requests, as of the last look. */
  get total(): number {
    return this.#reader.told;
  }

  /** Of them, slower than everything in the bucket at this position. */
  above(position: number): number {
    return this.#above[position] ?? 0;
  }
}

/** Sums of a histogram above each of a few buckets. */
function countsAbove(counts: Float64Array, buckets: readonly number[]): number[] {
  return buckets.map((threshold) => {
    let sum = 0;
    for (let bucket = threshold + 1; bucket < BUCKETS; bucket++) sum += counts[bucket] ?? 0;
    return sum;
  });
}
