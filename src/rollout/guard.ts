/**
 * The rollback test, handed to the data plane, so that a worker can take the canary's weight to zero the moment the proof is there.
 *
 * A guard is the analysis at the end of one tick: evidence so far and the bets of the tick to come. A worker plays these bets on the requests it
 * finishes; when the product reaches 1/alpha the rollback is proved, by the very numbers the analysis would find at the end of the tick.
 *
 * What a worker may count: requests assigned at `guard.weight`, finished after the tick the guard was made from. A request it misses (the
 * guard takes a moment to arrive) is evidence the analysis has a tick later; it is never counted twice, because the next guard starts from
 * the analysis.
 *
 * Cost: a few increments and additions a request. The 23 components are looked at only when they could have reached the proof: each request raises
 * the evidence by at most its largest bet, and those are added up from one look to the next.
 */
import { logAdd, logSum } from '../stats/log-sum.ts';
import { QUANTILES } from './analysis-spec.ts';
import { METRICS, metricShare, rollbackCount, rollbackFrom } from './analysis-state.ts';
import type { AnalysisState } from './analysis-state.ts';
import { prepareTick } from './analysis.ts';

/** Plain data; goes to a worker as a message. */
export interface Guard {
  /** Weight the bets are for. */
  readonly weight: number;
  /** log(1/alpha). */
  readonly threshold: number;
  /** Mass of the changepoint mixture kept back. */
  readonly unspent: number;
  /** One a component: log evidence, with its part of the mean and of the metrics' mean already in it. */
  readonly components: Float64Array;
  /** Four a component: canary bad, canary good, stable bad, stable good. */
  readonly bets: Float64Array;
  /** Bucket above which each quantile's latency is slow; empty while latency is no evidence. */
  readonly stableBuckets: readonly number[];
  readonly canaryBuckets: readonly number[];
}

/** Numbers a worker's counts take: four a metric. */
export const GUARD_COUNTS = 4 * METRICS;

/** The guard for the next tick; undefined while the canary has no weight. */
export function guardOf(state: AnalysisState): Guard | undefined {
  prepareTick(state);
  const { plan, stage, spec, rollback } = state;
  if (state.started === 0 || stage.number === 0) return undefined;
  const components = Float64Array.from(rollback.components);
  for (let metric = 0; metric < METRICS; metric++) {
    const part = metricShare(metric) - Math.log(rollbackCount(metric));
    for (let i = rollbackFrom(metric); i < rollbackFrom(metric) + rollbackCount(metric); i++) components[i] = (components[i] ?? 0) + part;
  }
  const isTimed = plan.latencyReady === 1 && state.elapsedMs >= spec.warmupMs;
  return {
    weight: stage.weight,
    threshold: Math.log(1 / spec.rollbackRisk),
    unspent: state.unspent,
    components,
    bets: Float64Array.from(rollback.bets),
    stableBuckets: isTimed ? [...plan.stableBucket.subarray(0, QUANTILES.length)] : [],
    canaryBuckets: isTimed ? [...plan.rollbackBucket] : [],
  };
}

/** A worker's side of one guard. A new guard is a new watch with counts of zero. */
export class GuardWatch {
  readonly #guard: Guard;
  readonly #own: Float64Array;
  readonly #all: readonly Float64Array[];
  readonly #moved: Float64Array;

  /** By metric and cell: the most one request can add to the evidence. */
  readonly #gains = new Float64Array(GUARD_COUNTS);
  /** What can be missing to the proof at least, by this worker's share of it. */
  #missing = 0;

  /**
   * @param own  This worker's counts, `GUARD_COUNTS` zeros.
   * @param all  Every worker's, this one's included, in shared memory: the proof is of all requests together, as the analysis would see it.
   */
  constructor(guard: Guard, own: Float64Array = new Float64Array(GUARD_COUNTS), all: readonly Float64Array[] = [own]) {
    this.#guard = guard;
    this.#own = own;
    this.#all = all;
    this.#moved = new Float64Array(guard.components.length);
    for (let metric = 0; metric < METRICS; metric++) {
      for (let i = rollbackFrom(metric); i < rollbackFrom(metric) + rollbackCount(metric); i++) {
        for (let cell = 0; cell < 4; cell++) {
          const at = 4 * metric + cell;
          this.#gains[at] = Math.max(this.#gains[at] ?? 0, guard.bets[4 * i + cell] ?? 0);
        }
      }
    }
    this.isProved();
  }

  /**
   * Whether one request failed; by user: only a user's first failure (user-ledger.ts).
   *
   * @returns True when the rollback is proved. With several workers the one that has seen most of it may say so a few requests later.
   */
  recordFailure(isCanary: boolean, hasFailed: boolean): boolean {
    this.#count(0, isCanary, hasFailed);
    return this.#missing <= 0 && this.isProved();
  }

  /** Latency of one request that did not fail (bucket of telemetry/histogram.ts); by user: only a user's first. True when the rollback is proved. */
  recordLatency(isCanary: boolean, bucket: number): boolean {
    const buckets = isCanary ? this.#guard.canaryBuckets : this.#guard.stableBuckets;
    for (let i = 0; i < buckets.length; i++) this.#count(1 + i, isCanary, bucket > (buckets[i] ?? 0));
    return this.#missing <= 0 && this.isProved();
  }

  /** log E with the counts of all workers. */
  evidence(): number {
    const { components, bets, unspent } = this.#guard;
    for (let metric = 0; metric <= QUANTILES.length; metric++) {
      const canaryBad = this.#sum(4 * metric);
      const canaryGood = this.#sum(4 * metric + 1);
      const stableBad = this.#sum(4 * metric + 2);
      const stableGood = this.#sum(4 * metric + 3);
      for (let i = rollbackFrom(metric); i < rollbackFrom(metric) + rollbackCount(metric); i++) {
        const at = 4 * i;
        this.#moved[i] =
          (components[i] ?? 0) +
          canaryBad * (bets[at] ?? 0) +
          canaryGood * (bets[at + 1] ?? 0) +
          stableBad * (bets[at + 2] ?? 0) +
          stableGood * (bets[at + 3] ?? 0);
      }
    }
    // What the metrics keep back adds up to one `unspent`, since their parts add up to 1.
    const log = logSum(this.#moved);
    return unspent > 0 ? logAdd(log, Math.log(unspent)) : log;
  }

  isProved(): boolean {
    const missing = this.#guard.threshold - this.evidence();
    // Of several workers, one at least brings its part of what is missing; hence the division.
    this.#missing = missing / this.#all.length;
    return missing <= 0;
  }

  #count(metric: number, isCanary: boolean, isBad: boolean): void {
    const at = 4 * metric + (isCanary ? 0 : 2) + (isBad ? 0 : 1);
    this.#own[at] = (this.#own[at] ?? 0) + 1;
    this.#missing -= this.#gains[at] ?? 0;
  }

  #sum(at: number): number {
    let sum = 0;
    for (const counts of this.#all) sum += counts[at] ?? 0;
    return sum;
  }
}
