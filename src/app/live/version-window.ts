/**
 * What one version's counters have gained lately: requests and failures of the last three seconds, latencies of the last ten.
 *
 * A look costs as much as there is new. The histogram of the window is kept up to date by what each second adds and by what leaves with the oldest, so that no second is
 * kept as a histogram of its own: a version without requests takes no memory, one with requests 6 KB and what its last ten seconds touched.
 */
import { activeIn, failuresIn, requestsIn } from '../../telemetry/cluster-totals.ts';
import { GrowthReader } from '../../telemetry/growth-reader.ts';
import { BUCKETS, bucketMiddleMs } from '../../telemetry/histogram.ts';
import type { StatsRegistry } from '../../telemetry/shared-stats.ts';

/** Looks that percentiles are of. */
export const WINDOW_LOOKS = 10;
/** Weights of the last looks in a rate, newest first: the last second counts half, and what is over is gone after three. */
const RATE_WEIGHTS = [3, 2, 1] as const;

interface Source {
  readonly slots: readonly Float64Array[];
  readonly growth: GrowthReader;
  failures: number;
}

/** Of the requests of the window; undefined: there were none. */
export type Percentiles = readonly [p50: number, p90: number, p99: number];

const QUANTILES = [0.5, 0.9, 0.99] as const;

export class VersionWindow {
  readonly #sources = new Map<string, Source>();
  /** By second, newest last: buckets and counts in turn. */
  #seconds: (readonly number[])[] = [];
  #histogram: Uint32Array | undefined;
  #total = 0;
  #requestRates: readonly number[] = [];
  #failureRates: readonly number[] = [];
  #active = 0;
  #percentiles: Percentiles | undefined;

  /** Statistics keys whose counters are added up from now on; what they hold already is the past. */
  follow(keys: readonly string[], stats: Pick<StatsRegistry, 'slots'>): void {
    for (const key of this.#sources.keys()) if (!keys.includes(key)) this.#sources.delete(key);
    for (const key of keys) {
      const slots = this.#sources.has(key) ? undefined : stats.slots(key);
      if (slots !== undefined) this.#sources.set(key, { slots, growth: new GrowthReader(slots), failures: failuresOf(slots) });
    }
  }

  /** @param seconds Since the last look. @returns Whether anything is different from then. */
  look(seconds: number): boolean {
    const gained: number[] = [];
    let requests = 0;
    let failures = 0;
    let active = 0;
    for (const source of this.#sources.values()) {
      const { slots, growth } = source;
      active += activeIn(slots);
      const before = growth.told;
      growth.read((bucket, count) => void gained.push(bucket, count));
      requests += growth.told - before;
      const failed = failuresOf(slots);
      failures += failed - source.failures;
      source.failures = failed;
    }
    const wasActive = this.#active;
    this.#active = active;
    const isQuiet = requests === 0 && failures === 0 && this.#total === 0 && !hasRate(this.#requestRates) && !hasRate(this.#failureRates);
    if (isQuiet) return active !== wasActive;
    this.#requestRates = [requests / seconds, ...this.#requestRates].slice(0, RATE_WEIGHTS.length);
    this.#failureRates = [failures / seconds, ...this.#failureRates].slice(0, RATE_WEIGHTS.length);
    this.#slide(gained);
    return true;
  }

  get requestsPerSecond(): number {
    return weightedMean(this.#requestRates);
  }

  get failuresPerSecond(): number {
    return weightedMean(this.#failureRates);
  }

  get active(): number {
    return this.#active;
  }

  get percentiles(): Percentiles | undefined {
    return this.#percentiles;
  }

  /** Whether there ever were requests. */
  get isUsed(): boolean {
    return [...this.#sources.values()].some(({ slots }) => requestsIn(slots) > 0 || activeIn(slots) > 0);
  }

  #slide(gained: readonly number[]): void {
    this.#seconds.push(gained);
    const gone = this.#seconds.length > WINDOW_LOOKS ? this.#seconds.shift() : undefined;
    if (gained.length > 0) this.#add(gained, 1);
    if (gone !== undefined && gone.length > 0) this.#add(gone, -1);
    if (this.#total === 0) {
      this.#histogram = undefined;
      this.#seconds = [];
    }
    if (gained.length > 0 || (gone !== undefined && gone.length > 0)) this.#percentiles = this.#computed();
  }

  #add(pairs: readonly number[], sign: 1 | -1): void {
    this.#histogram ??= new Uint32Array(BUCKETS);
    for (let at = 0; at < pairs.length; at += 2) {
      const bucket = pairs[at] ?? 0;
      const count = sign * (pairs[at + 1] ?? 0);
      this.#histogram[bucket] = (this.#histogram[bucket] ?? 0) + count;
      this.#total += count;
    }
  }

  /** By nearest rank, all three in one pass. */
  #computed(): Percentiles | undefined {
    const histogram = this.#histogram;
    if (histogram === undefined) return undefined;
    const found: number[] = [];
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS && found.length < QUANTILES.length; bucket++) {
      seen += histogram[bucket] ?? 0;
      while (found.length < QUANTILES.length && seen >= Math.max(1, Math.ceil((QUANTILES[found.length] ?? 1) * this.#total)))
        found.push(bucketMiddleMs(bucket));
    }
    const [p50 = 0, p90 = 0, p99 = 0] = found;
    return [p50, p90, p99];
  }
}

/** Nobody has written to a slot without requests: its other words are not touched. */
function failuresOf(slots: readonly Float64Array[]): number {
  return requestsIn(slots) === 0 ? 0 : failuresIn(slots);
}

function hasRate(rates: readonly number[]): boolean {
  return rates.some((rate) => rate !== 0);
}

function weightedMean(rates: readonly number[]): number {
  let sum = 0;
  let weights = 0;
  for (const [index, rate] of rates.entries()) {
    const weight = RATE_WEIGHTS[index] ?? 0;
    sum += weight * rate;
    weights += weight;
  }
  return weights === 0 ? 0 : sum / weights;
}
