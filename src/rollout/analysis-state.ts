/**
 * Everything a release analysis knows: numbers and arrays of numbers, so that it can be written down whole after any tick and go on from there
 * after a crash with the same decisions.
 *
 * Evidence arrays hold logarithms. Their layout, metric by metric:
 *
 *     rollback   23 components   errors 8 | p50 5 | p90 5 | p99 5          (a component is one alternative)
 *     advance    32 components   level 0: errors 2 | p50 2 | p90 2 | p99 2, level 1: ..., level 3
 *     bets       four numbers a component, as label-bet.ts gives them
 */
import { assert } from '../base/assert.ts';
import { newComponents } from '../stats/changepoint-mixture.ts';
import type { RiskDifference } from '../stats/risk-difference.ts';
import { SHARE_COMPONENTS } from '../stats/share-test.ts';
import { BUCKETS } from '../telemetry/histogram.ts';
import { newBaseline } from './analysis-baseline.ts';
import type { Baseline } from './analysis-baseline.ts';
import { QUANTILES, RELAX_LEVELS } from './analysis-spec.ts';
import type { AnalysisSpec } from './analysis-spec.ts';
import { FAILURE_CLASSES } from './observation.ts';

/** Metrics in order: errors, then one a quantile. */
export const METRICS = 1 + QUANTILES.length;
export const LEVELS = RELAX_LEVELS.length;

/** Alternatives of the rollback test: odds of the boundary, and for errors also a canary that fails nine times in ten. */
export const ERROR_ODDS: readonly number[] = [1.12, 1.3, 1.6, 2.2, 4, 10, 40];
export const LATENCY_ODDS: readonly number[] = [1.15, 1.4, 2, 4, 15];
const ERROR_COMPONENTS = ERROR_ODDS.length + 1;
const LATENCY_COMPONENTS = LATENCY_ODDS.length;
export const ROLLBACK_COMPONENTS = ERROR_COMPONENTS + QUANTILES.length * LATENCY_COMPONENTS;

/** Alternatives of the advance test, per metric and level: no regression at all, and one well inside the margin. */
export const ADVANCE_ALTERNATIVES = 2;
const ADVANCE_COMPONENTS = LEVELS * METRICS * ADVANCE_ALTERNATIVES;

/** First rollback component of a metric. */
export function rollbackFrom(metric: number): number {
  return metric === 0 ? 0 : ERROR_COMPONENTS + (metric - 1) * LATENCY_COMPONENTS;
}

export function rollbackCount(metric: number): number {
  return metric === 0 ? ERROR_COMPONENTS : LATENCY_COMPONENTS;
}

const ERROR_SHARE = Math.log(0.5);
const QUANTILE_SHARE = Math.log(0.5 / QUANTILES.length);

/**
 * log of the part of the rollback evidence a metric has: errors a half, the quantiles the other half together.
 *
 * A mean of e-values is an e-value whatever they have to do with each other (Vovk & Wang, *E-values: calibration, combination and applications*,
 * Annals of Statistics 2021, §3), so several metrics need no further correction.
 */
export function metricShare(metric: number): number {
  return metric === 0 ? ERROR_SHARE : QUANTILE_SHARE;
}

/** First advance component of a metric at a level. */
export function advanceFrom(level: number, metric: number): number {
  return (level * METRICS + metric) * ADVANCE_ALTERNATIVES;
}

/** What bets are laid on, from one renewal to the next; all of it follows from past ticks. */
export interface BetPlan {
  /** Weight the bets are for; 0 before the first. */
  weight: number;
  /** Stable's failure rate they were laid with. */
  failing: number;
  /** 1 once latency thresholds are known. */
  latencyReady: number;
  /** By test and quantile (rollback first): stable is slow above this bucket. */
  readonly stableBucket: Float64Array;
  /** By quantile: the canary is slow above this bucket, when looking for a regression beyond the tolerance. */
  readonly rollbackBucket: Float64Array;
  /** By level and quantile: the canary is slow above this bucket, when ruling out a regression of the margin. */
  readonly advanceBucket: Float64Array;
  /** By test and quantile: stable's share of slow requests by the long memory, at the last renewal. */
  readonly usualSlow: Float64Array;
  /** By test and quantile: decayed count of stable's slow requests, short memory; kept up tick by tick. */
  readonly recentSlow: Float64Array;
  recentRequests: number;
  /** By metric: the level (position in RELAX_LEVELS) that suffices to go on, at this traffic. */
  readonly levels: Float64Array;
  /** By test and quantile: the rate the bets were laid with. */
  readonly slow: Float64Array;
}

/** The step the rollout is at. */
interface Stage {
  /** Stages begun, the present one included; 0 before the first. */
  number: number;
  weight: number;
  /** Weight to be cleared for. */
  nextWeight: number;
  /** Since the canary's start. */
  beganMs: number;
  minimumMs: number;
  /** 0: no limit. */
  maximumMs: number;
  stableRequests: number;
  canaryRequests: number;
  /** Time since a canary request was last seen. */
  silentMs: number;
  readonly stableLatency: Float64Array;
  readonly canaryLatency: Float64Array;
}

/** Counts since the canary started; for people. */
export interface ArmTotals {
  requests: number;
  failures: number;
  readonly byClass: Float64Array;
}

/** A stratum of the estimate in the making: one block of time at one weight. */
interface OpenStratum {
  weight: number;
  canary: number;
  canaryFailures: number;
  stable: number;
  stableFailures: number;
}

export interface AnalysisState {
  readonly spec: AnalysisSpec;
  /** 0 while only stable serves. */
  started: number;
  /** Observed time since the start. */
  elapsedMs: number;
  /** Blocks begun, less 1: the last whose mass was put in. */
  block: number;
  /** Which of the spec's `blockMs` since the start it began in. */
  blockSlot: number;
  /** Requests of both arms since then. */
  blockRequests: number;
  /** Mass of the changepoint mixture not yet put in; the same for every component. */
  unspent: number;
  readonly baseline: Baseline;
  readonly plan: BetPlan;
  readonly stage: Stage;
  readonly rollback: { readonly components: Float64Array; readonly bets: Float64Array; /** Largest log evidence so far. */ peak: number };
  readonly advance: { readonly components: Float64Array; readonly bets: Float64Array };
  readonly shares: { readonly components: Float64Array; peak: number };
  readonly stable: ArmTotals;
  readonly canary: ArmTotals;
  readonly errors: RiskDifference & { /** Fixed at the start; see risk-difference.ts. */ expectedVariance: number };
  readonly open: OpenStratum;
}

/** An analysis that has seen nothing. Feed it stable's ticks before `startCanary`, so that its first bets are good ones. */
export function newAnalysis(spec: AnalysisSpec): AnalysisState {
  const { relative, absolute } = spec.errorTolerance;
  assert(
    relative > 0 && absolute >= 0 && absolute < 0.9,
    `an error tolerance is relative > 0 and absolute in [0, 0.9), found ${relative} and ${absolute}`,
  );
  assert(
    spec.latencyTolerance >= 1 && spec.latencyBudget > spec.latencyTolerance,
    'the latency budget is above the tolerance, and that at least 1',
  );
  const quantiles = QUANTILES.length;
  return {
    spec,
    started: 0,
    elapsedMs: 0,
    block: -1,
    blockSlot: -1,
    blockRequests: 0,
    unspent: 1,
    baseline: newBaseline(),
    plan: {
      weight: 0,
      failing: 0,
      latencyReady: 0,
      stableBucket: new Float64Array(2 * quantiles),
      rollbackBucket: new Float64Array(quantiles),
      advanceBucket: new Float64Array(LEVELS * quantiles),
      usualSlow: new Float64Array(2 * quantiles),
      recentSlow: new Float64Array(2 * quantiles),
      recentRequests: 0,
      levels: new Float64Array(METRICS),
      slow: new Float64Array(2 * quantiles),
    },
    stage: {
      number: 0,
      weight: 0,
      nextWeight: 0,
      beganMs: 0,
      minimumMs: 0,
      maximumMs: 0,
      stableRequests: 0,
      canaryRequests: 0,
      silentMs: 0,
      stableLatency: new Float64Array(BUCKETS),
      canaryLatency: new Float64Array(BUCKETS),
    },
    rollback: { components: newComponents(ROLLBACK_COMPONENTS), bets: new Float64Array(4 * ROLLBACK_COMPONENTS), peak: 0 },
    advance: { components: newComponents(ADVANCE_COMPONENTS), bets: new Float64Array(4 * ADVANCE_COMPONENTS) },
    shares: { components: newComponents(SHARE_COMPONENTS), peak: 0 },
    stable: { requests: 0, failures: 0, byClass: new Float64Array(FAILURE_CLASSES.length) },
    canary: { requests: 0, failures: 0, byClass: new Float64Array(FAILURE_CLASSES.length) },
    errors: { difference: 0, weight: 0, variance: 0, expectedVariance: 0 },
    open: { weight: 0, canary: 0, canaryFailures: 0, stable: 0, stableFailures: 0 },
  };
}
