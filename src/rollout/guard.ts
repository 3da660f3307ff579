/**
 * The rollback test between two ticks: handed to the data plane, so that a worker can take the canary's weight to zero the moment the proof is
 * there, whatever the control plane is busy with.
 *
 * A guard is the analysis at the end of one tick: the evidence so far, and the bets of the tick to come. Whoever knows what was counted since plays
 * these bets on it and has the evidence the analysis would have if its tick ended now.
 *
 * Why this takes no risk beyond `rollbackRisk`: it is the same test, looked at more often. The tick's bets are laid before its requests come and stay
 * as they are while it lasts, so the product over the requests counted so far is the analysis's own martingale at a moment within the tick; one
 * martingale may be looked at as often as one likes (Ville), and the proof found in between is its value, kept as the peak. Had the guard a
 * test of its own, with other bets or other counts, both would have to share the risk. Hence the rules:
 *
 * 1. A guard counts exactly what the next tick will: every stratum the analysis has open, from the very counts it has read last.
 * 2. It is withdrawn before the analysis reads counts again, and given anew after it; what a worker finds while it changes does not count
 *    (guard-block.ts).
 * 3. Once it has proved, no further tick is taken in: there is no canary any more that could be compared.
 */
import { logAdd, logSum } from '../stats/log-sum.ts';
import { QUANTILES } from './analysis-spec.ts';
import { METRICS, metricShare, rollbackCount, rollbackFrom } from './analysis-state.ts';
import type { AnalysisState } from './analysis-state.ts';
import { isTimed, prepareTick } from './analysis.ts';

export interface Guard {
  /** log(1/alpha). */
  readonly threshold: number;
  /** Mass of the changepoint mixture kept back. */
  readonly unspent: number;
  /** One a component: log evidence, with its part of the mean and of the metrics' mean already in it. */
  readonly components: Float64Array;
  /** By stratum, four a component: canary bad, canary good, stable bad, stable good. */
  readonly bets: readonly Float64Array[];
  /** Bucket above which each quantile's latency is slow; empty while latency is no evidence. */
  readonly stableBuckets: readonly number[];
  readonly canaryBuckets: readonly number[];
}

/** Numbers a stratum is counted in: four a metric, as the bets. */
export const GUARD_CELLS = 4 * METRICS;

/**
 * The guard for the next tick; undefined while the canary has no weight.
 *
 * @param weights  Of the strata the next tick will have, in its order; those at 0 and 1 hold no evidence and get no bets.
 */
export function guardOf(state: AnalysisState, weights: readonly number[]): Guard | undefined {
  const { plan, stage, spec, rollback } = state;
  if (state.started === 0 || stage.number === 0) return undefined;
  const isBetOn = (weight: number): boolean => weight > 0 && weight < 1;
  // Of several weights each tick lays all bets anew; of one it keeps what still fits.
  if (weights.filter(isBetOn).length > 1) plan.weight = 0;
  const bets = weights.map((weight) => {
    if (!isBetOn(weight)) return new Float64Array(rollback.bets.length);
    prepareTick(state, weight);
    return Float64Array.from(rollback.bets);
  });
  const components = Float64Array.from(rollback.components);
  for (let metric = 0; metric < METRICS; metric++) {
    const part = metricShare(metric) - Math.log(rollbackCount(metric));
    for (let i = rollbackFrom(metric); i < rollbackFrom(metric) + rollbackCount(metric); i++) components[i] = (components[i] ?? 0) + part;
  }
  const timed = isTimed(state);
  return {
    threshold: Math.log(1 / spec.rollbackRisk),
    unspent: state.unspent,
    components,
    bets,
    stableBuckets: timed ? [...plan.stableBucket.subarray(0, QUANTILES.length)] : [],
    canaryBuckets: timed ? [...plan.rollbackBucket] : [],
  };
}

/**
 * log E.
 *
 * @param counted  By stratum, `GUARD_CELLS` each: what was counted since the guard was made. By user: of errors, only users' first failures.
 */
export function guardEvidence({ components, bets, unspent }: Guard, counted: readonly Float64Array[]): number {
  const moved = Float64Array.from(components);
  for (const [stratum, cells] of counted.entries()) {
    const laid = bets[stratum];
    if (laid === undefined) continue;
    for (let metric = 0; metric < METRICS; metric++) {
      for (let i = rollbackFrom(metric); i < rollbackFrom(metric) + rollbackCount(metric); i++) {
        let gained = 0;
        for (let cell = 0; cell < 4; cell++) gained += (cells[4 * metric + cell] ?? 0) * (laid[4 * i + cell] ?? 0);
        moved[i] = (moved[i] ?? 0) + gained;
      }
    }
  }
  // What the metrics keep back adds up to one `unspent`, since their parts add up to 1.
  const log = logSum(moved);
  return unspent > 0 ? logAdd(log, Math.log(unspent)) : log;
}
