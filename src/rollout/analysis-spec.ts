/**
 * What a release analysis is asked to guarantee, and the defaults with their reasons.
 *
 * A spec is fixed when the analysis starts and kept in its state: changing it half-way would void the guarantees.
 */

export interface AnalysisSpec {
  /**
   * Chance of ever rolling back a canary that is within the tolerances, however long it runs and however often it is looked at, all metrics
   * together. 0.05 would find +2 points 22 % sooner, 0.001 28 % later.
   */
  readonly rollbackRisk: number;
  /** Chance of raising the weight although a regression as large as the step's margin was there. One for each step. */
  readonly advanceRisk: number;
  /** Chance of pausing because of the traffic share although the share is right. */
  readonly shareRisk: number;
  /** A canary may fail up to `relative * stable + absolute`: pods and caches always differ a little. */
  readonly errorTolerance: { readonly relative: number; readonly absolute: number };
  /** A canary may be up to this many times as slow, at each quantile. */
  readonly latencyTolerance: number;
  /** Extra failures, as a share of all traffic, that a step may risk: at weight w regressions above `errorBudget / w` must be ruled out first. */
  readonly errorBudget: number;
  /** The same for latency, as a factor at weight 1: `1 + (latencyBudget - 1) / w` at weight w. */
  readonly latencyBudget: number;
  /** No raising of the weight while the evidence for a rollback is at or above this. */
  readonly suspicion: number;
  /** Latencies of a version that has just started say nothing about it: both sides' are left out for so long. */
  readonly warmupMs: number;
  /** How often predictions and thresholds are renewed, and how often the evidence gets a new start; later where requests are few (analysis.ts). */
  readonly blockMs: number;
  /** Memory of stable's usual behaviour; longer where requests are few (analysis-baseline.ts). */
  readonly baselineHalfLifeMs: number;
  /** Memory of what goes on just now: an outage that hits both sides must weaken the bets at once. */
  readonly recentHalfLifeMs: number;
  /**
   * Where ruling out the budget would take a step longer than this at the present traffic, ruling out a multiple of it suffices to go on, for which it
   * may take that many times as long (analysis-patience.ts). 0: never more than the budget.
   */
  readonly patienceMs: number;
  /** Steps the rollout is going to take; the evidence gets a new start at each. */
  readonly plannedStages: number;
  /** The unit the arm is drawn for. */
  readonly assignment: 'request' | 'user';
  /** By user only: requests of one user are alike, so evidence for going on is divided by this. Calibrated: at 1 the risk is above `advanceRisk`. */
  readonly designEffect: number;
}

/** Latency is judged at these quantiles of stable's distribution. */
export const QUANTILES = [0.5, 0.9, 0.99] as const;

/** Multiples of the budget that are tested; the first is the budget itself. */
export const RELAX_LEVELS = [1, 2, 4, 10] as const;

const MINUTE_MS = 60_000;

export const DEFAULT_ANALYSIS: AnalysisSpec = {
  rollbackRisk: 0.01,
  advanceRisk: 0.05,
  shareRisk: 0.001,
  errorTolerance: { relative: 1, absolute: 0.001 },
  latencyTolerance: 1.1,
  errorBudget: 0.005,
  // 1.25 would let one release in ten through whose p99 is 20 % slower; 1.20 lets 0.7 %.
  latencyBudget: 1.2,
  suspicion: 5,
  warmupMs: 45_000,
  blockMs: 10_000,
  baselineHalfLifeMs: 5 * MINUTE_MS,
  recentHalfLifeMs: 15_000,
  // Where stable fails 1 %: rules out 5 points at 100 requests an hour, 2 at 6 a minute, 1 at 1 a second, and the budget from 5 a second on.
  patienceMs: 45 * MINUTE_MS,
  plannedStages: 4,
  assignment: 'request',
  designEffect: 2,
};

/** Weight while the canary warms up: as good for the evidence as 5 %, and four times less harm from a slow start. */
export const WARMUP_WEIGHT = 0.01;

/**
 * Weights for a rate of traffic. Harm before a rollback is about constant in requests whatever the weight, so little traffic starts high and does
 * not wait for ever.
 *
 * @param ratePerS  Requests a second, both versions together.
 * @returns         Ascending, in (0, 0.5]; above a half the control arm would be the small one.
 */
export function automaticWeights(ratePerS: number): number[] {
  const weights: number[] = [];
  for (let weight = ratePerS > 0 ? Math.min(0.5, Math.max(0.01, 5 / ratePerS)) : 0.5; weight < 0.5; weight *= 2.5) weights.push(weight);
  return [...weights, 0.5];
}
