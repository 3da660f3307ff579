/**
 * What stable is like: how often it fails, how slow it is, and what goes on just now.
 *
 * Two exponentially decaying memories, minutes and seconds, of stable's requests. They only steer the bets: a prediction that is off costs
 * power, never validity, as long as it is made from past ticks. Where requests are few minutes hold too little to know anything by, so the long
 * memory lasts for as many requests as it takes instead; how long that is follows from the traffic so far, whatever became of the requests. Histograms decay forward (Cormode, Shkapenyuk, Srivastava, Xu, *Forward decay*,
 * ICDE 2009): instead of shrinking 1,600 buckets at every tick, new counts are worth more.
 */
import { BUCKETS } from '../telemetry/histogram.ts';
import type { LatencyTally } from './observation.ts';

export interface Baseline {
  /** Decayed counts of stable's requests and failures, long memory. */
  requests: number;
  failures: number;
  /** Short memory. */
  recentRequests: number;
  recentFailures: number;
  /** Decayed requests of both arms and the time they took to come, long memory. */
  traffic: number;
  trafficMs: number;
  readonly latency: DecayedHistogram;
  readonly recentLatency: DecayedHistogram;
}

/** Counts in the buckets of telemetry/histogram.ts; the true decayed count is `counts / gain`. */
interface DecayedHistogram {
  readonly counts: Float64Array;
  gain: number;
  /** Sum of `counts`. */
  total: number;
}

/** Requests the long memory is worth beside the short one: with less than that in 15 seconds, the usual rate has the say. */
const USUAL_REQUESTS = 200;
/** The long memory's half-life is never shorter than so many requests of both arms take: enough to know a p99 by. */
const MEMORY_REQUESTS = 3000;
/** The same for the traffic itself, which may change sooner: known to a tenth. */
const TRAFFIC_REQUESTS = 200;
/** Fewer requests say nothing about the traffic. */
const KNOWN_REQUESTS = 20;
/** Half a failure in 500 requests, so that a stable version that has never failed is not taken for one that cannot. */
const PRIOR_FAILURES = 0.5;
const PRIOR_REQUESTS = 500;
/** Rates the bets are laid for stay away from 0 and 1, where a single surprise would cost everything. */
const LOWEST_RATE = 1e-5;
const HIGHEST_RATE = 0.98;
/** Beyond this gain the counts are scaled back; far below the largest double, far above any precision worry. */
const HIGHEST_GAIN = 2 ** 400;

export function newBaseline(): Baseline {
  return {
    requests: 0,
    failures: 0,
    recentRequests: 0,
    recentFailures: 0,
    traffic: 0,
    trafficMs: 0,
    latency: newHistogram(),
    recentLatency: newHistogram(),
  };
}

function newHistogram(): DecayedHistogram {
  return { counts: new Float64Array(BUCKETS), gain: 1, total: 0 };
}

/** Lets time pass. Comes before what was counted in that time. @param halfLifeMs Of the long memory, where there is traffic enough. */
export function decay(baseline: Baseline, durationMs: number, halfLifeMs: number, recentHalfLifeMs: number): void {
  const perMs = trafficPerS(baseline) / 1000;
  const halfLives = durationMs / Math.max(halfLifeMs, MEMORY_REQUESTS / perMs);
  const usual = 2 ** -halfLives;
  const traffic = 2 ** (-durationMs / Math.max(halfLifeMs, TRAFFIC_REQUESTS / perMs));
  const recent = 2 ** (-durationMs / recentHalfLifeMs);
  baseline.requests *= usual;
  baseline.failures *= usual;
  baseline.traffic *= traffic;
  baseline.trafficMs = baseline.trafficMs * traffic + durationMs;
  baseline.recentRequests *= recent;
  baseline.recentFailures *= recent;
  raiseGain(baseline.latency, halfLives);
  raiseGain(baseline.recentLatency, durationMs / recentHalfLifeMs);
}

/** Adds one arm's tick of stable requests. */
export function remember(baseline: Baseline, requests: number, failures: number): void {
  baseline.requests += requests;
  baseline.failures += failures;
  baseline.recentRequests += requests;
  baseline.recentFailures += failures;
}

export function rememberLatency(baseline: Baseline, tally: LatencyTally): void {
  const { buckets, counts, size } = tally;
  const { latency, recentLatency } = baseline;
  let total = 0;
  for (let i = 0; i < size; i++) {
    const bucket = buckets[i] ?? 0;
    const count = counts[i] ?? 0;
    total += count;
    latency.counts[bucket] = (latency.counts[bucket] ?? 0) + count * latency.gain;
    recentLatency.counts[bucket] = (recentLatency.counts[bucket] ?? 0) + count * recentLatency.gain;
  }
  latency.total += total * latency.gain;
  recentLatency.total += total * recentLatency.gain;
}

function raiseGain(histogram: DecayedHistogram, halfLives: number): void {
  histogram.gain *= 2 ** Math.min(halfLives, 500);
  if (histogram.gain < HIGHEST_GAIN) return;
  const scale = 1 / histogram.gain;
  let total = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const count = (histogram.counts[bucket] ?? 0) * scale;
    histogram.counts[bucket] = count;
    total += count;
  }
  histogram.gain = 1;
  histogram.total = total;
}

/** Probability that the next stable request fails. */
export function predictedFailing(baseline: Baseline): number {
  const usual = (baseline.failures + PRIOR_FAILURES) / (baseline.requests + PRIOR_REQUESTS);
  return within((baseline.recentFailures + USUAL_REQUESTS * usual) / (baseline.recentRequests + USUAL_REQUESTS));
}

/** The same by the long memory alone: what goes on just now will not last for hours. */
export function usualFailing(baseline: Baseline): number {
  return within((baseline.failures + PRIOR_FAILURES) / (baseline.requests + PRIOR_REQUESTS));
}

/** Requests a second, both arms; undefined while there were too few to say. */
export function knownTrafficPerS(baseline: Baseline): number | undefined {
  return baseline.traffic < KNOWN_REQUESTS ? undefined : trafficPerS(baseline);
}

/** Requests a second, both arms. */
export function trafficPerS(baseline: Baseline): number {
  return baseline.trafficMs > 0 ? (1000 * baseline.traffic) / baseline.trafficMs : 0;
}

const SLACK = 1e-12;

/** Stable's latencies at one moment, for laying bets. Made anew at most a few times a second, so it may cost a pass over the buckets. */
export class LatencyOutlook {
  /** Share of long-memory requests above each bucket. */
  readonly #usualAbove = new Float64Array(BUCKETS + 1);
  /** Decayed count of short-memory requests above each bucket. */
  readonly #recentAbove = new Float64Array(BUCKETS + 1);
  #recentTotal = 0;
  /** Whether enough is known to lay bets on latency at all. */
  ready = false;

  /** Takes the baseline as it is now. @param fromBucket  Buckets below are not asked for, and keep what they had. */
  look(baseline: Baseline, fromBucket = 0): void {
    const { latency, recentLatency } = baseline;
    this.ready = latency.total / latency.gain >= KNOWN_REQUESTS;
    this.#recentTotal = recentLatency.total / recentLatency.gain;
    const usualScale = latency.total > 0 ? 1 / latency.total : 0;
    const recentScale = 1 / recentLatency.gain;
    let usual = 0;
    let recent = 0;
    for (let bucket = BUCKETS - 1; bucket >= fromBucket; bucket--) {
      this.#usualAbove[bucket] = usual;
      this.#recentAbove[bucket] = recent;
      usual += (latency.counts[bucket] ?? 0) * usualScale;
      recent += (recentLatency.counts[bucket] ?? 0) * recentScale;
    }
  }

  /** First bucket that at most 1 - q of stable's requests are above, by the long memory: the q-quantile lies in it. */
  quantileBucket(q: number): number {
    let bucket = 0;
    // Sums of many doubles: without slack two equal halves could fall on either side.
    while (bucket < BUCKETS - 1 && this.usualAbove(bucket) > 1 - q + SLACK) bucket++;
    return bucket;
  }

  /** Last bucket, from `quantileBucket(q)` down, that at least 1 - q of stable's requests are above; the first bucket if there is none. */
  bucketBefore(quantileBucket: number, q: number): number {
    let bucket = quantileBucket;
    while (bucket > 0 && this.usualAbove(bucket) < 1 - q - SLACK) bucket--;
    return bucket;
  }

  /** Probability that the next stable request is slower than everything in `bucket`. */
  above(bucket: number): number {
    const usual = this.#usualAbove[bucket] ?? 0;
    return within(((this.#recentAbove[bucket] ?? 0) + USUAL_REQUESTS * usual) / (this.#recentTotal + USUAL_REQUESTS));
  }

  /** `above`, from the long memory and a short-memory count that the caller keeps. */
  static blend(usual: number, recentAbove: number, recentTotal: number): number {
    return within((recentAbove + USUAL_REQUESTS * usual) / (recentTotal + USUAL_REQUESTS));
  }

  usualAbove(bucket: number): number {
    return this.#usualAbove[bucket] ?? 0;
  }

  recentAbove(bucket: number): number {
    return this.#recentAbove[bucket] ?? 0;
  }
}

function within(rate: number): number {
  return rate < LOWEST_RATE ? LOWEST_RATE : rate > HIGHEST_RATE ? HIGHEST_RATE : rate;
}
