/**
 * Lays the bets: which alternatives the evidence is gathered for, at which latency thresholds, from what stable has been like.
 *
 * Everything here depends on past ticks and on the weight only; that, and the side of the boundary each alternative is on, is all the validity
 * of the tests asks for (label-bet.ts). Latency is compared through thresholds: stable is slow above its q-quantile tau, the canary above
 * `factor * tau`. A canary at most `factor` times as slow at every request exceeds its threshold at most as often as stable exceeds
 * tau, for any distribution, so slope 1 and offset 0 are exact. Thresholds lie on bucket ends: the canary's is rounded to the careful side, up for
 * rollback, down for advance; stable's to the side on which the test still sees something when most latencies share one bucket (rollback
 * needs stable to be slow seldom, advance needs it to be slow at times).
 */
import { timesOdds } from '../stats/bernoulli.ts';
import { type LabelBet, labelBet } from '../stats/label-bet.ts';
import { bucketFloorMs, bucketIndex } from '../telemetry/histogram.ts';
import { knownTrafficPerS, LatencyOutlook, predictedFailing, usualFailing } from './analysis-baseline.ts';
import { type Ask, askWithin } from './analysis-patience.ts';
import { QUANTILES, RELAX_LEVELS } from './analysis-spec.ts';
import type { AnalysisSpec } from './analysis-spec.ts';
import { advanceFrom, ERROR_ODDS, LATENCY_ODDS, LEVELS, rollbackFrom } from './analysis-state.ts';
import type { AnalysisState, BetPlan } from './analysis-state.ts';

/** Relative change of a prediction that makes the bets stale before their block is over. */
const STALE = 0.1;
/** A canary this broken is an alternative of its own: no odds multiple of a small rate comes near it. */
const BROKEN = 0.9;
/** Failing share of the canary beyond which no regression is looked for. */
const HIGHEST_BOUNDARY = 0.98;
/** Latency margins stop here: beyond it they would rule out nothing anybody cares about. */
const LARGEST_LATENCY_MARGIN = 4;
/** The error margin may not reach past this share of what is left above stable's rate. */
const LARGEST_ERROR_MARGIN = 0.98;

/** Rebuilt at every renewal before it is used, never carried over: the state alone decides. */
const outlook = new LatencyOutlook();

/** Extra failing share that the present stage must rule out at a level. */
export function errorMargin(spec: AnalysisSpec, nextWeight: number, level: number): number {
  return (spec.errorBudget * (RELAX_LEVELS[level] ?? 1)) / nextWeight;
}

/** Slowdown factor that the present stage must rule out at a level. */
export function latencyMargin(spec: AnalysisSpec, nextWeight: number, level: number): number {
  return Math.min(LARGEST_LATENCY_MARGIN, 1 + ((spec.latencyBudget - 1) * (RELAX_LEVELS[level] ?? 1)) / nextWeight);
}

/** Takes new latency thresholds from the long memory. At block starts only, so that evidence at one threshold has time to gather. */
export function renewThresholds(state: AnalysisState): void {
  const { plan, spec, stage } = state;
  outlook.look(state.baseline);
  plan.weight = 0;
  plan.latencyReady = outlook.ready ? 1 : 0;
  const perS = knownTrafficPerS(state.baseline);
  const errors = stage.number === 0 ? undefined : askOfErrors(spec, stage, usualFailing(state.baseline), perS);
  plan.levels.fill(0);
  plan.levels[0] = errors?.level ?? 0;
  if (!outlook.ready) return;
  plan.recentRequests = state.baseline.recentLatency.total / state.baseline.recentLatency.gain;
  for (const [i, quantile] of QUANTILES.entries()) {
    const bucket = outlook.quantileBucket(quantile);
    setThreshold(plan, i, bucket);
    plan.rollbackBucket[i] = bucketIndex(bucketFloorMs(bucket + 1) * spec.latencyTolerance);
    const before = outlook.bucketBefore(bucket, quantile);
    setThreshold(plan, QUANTILES.length + i, before);
    for (let level = 0; level < LEVELS; level++) {
      const margin = stage.nextWeight > 0 ? latencyMargin(spec, stage.nextWeight, level) : LARGEST_LATENCY_MARGIN;
      plan.advanceBucket[level * QUANTILES.length + i] = Math.max(0, bucketIndex(bucketFloorMs(before + 1) * margin) - 1);
    }
    const usual = LatencyOutlook.blend(outlook.usualAbove(before), 0, 0);
    const betAt = (level: number): LabelBet => {
      const shifted = LatencyOutlook.blend(outlook.usualAbove(plan.advanceBucket[level * QUANTILES.length + i] ?? 0), 0, 0);
      return notSlowerBet(stage.weight, usual, shifted);
    };
    plan.levels[1 + i] = errors === undefined ? 0 : askWithin(spec, stage.weight, perS, betAt, errors.ms).level;
  }
}

/** What is asked of the error rate in a stage. @param failing Stable's share. @param perS Requests a second, as far as known. */
export function askOfErrors(spec: AnalysisSpec, stage: Shares, failing: number, perS: number | undefined): Ask {
  return askWithin(spec, stage.weight, perS, (level) => noRiseBet(spec, stage, failing, level));
}

interface Shares {
  readonly weight: number;
  readonly nextWeight: number;
}

/** The bet that a canary is as good as stable, against one whose failing share is larger by the margin of a level. */
function noRiseBet(spec: AnalysisSpec, { weight, nextWeight }: Shares, failing: number, level: number): LabelBet {
  return labelBet(weight, failing, failing, 1, reachableMargin(spec, nextWeight, failing, level));
}

function reachableMargin(spec: AnalysisSpec, nextWeight: number, failing: number, level: number): number {
  return Math.min(errorMargin(spec, nextWeight, level), LARGEST_ERROR_MARGIN * (1 - failing));
}

/** The same for latency. @param usual Share of requests above stable's threshold. @param shifted Share above the canary's, were it as fast. */
function notSlowerBet(weight: number, usual: number, shifted: number): LabelBet {
  return labelBet(weight, usual, Math.min(shifted, 0.99 * usual), 1, 0);
}

function setThreshold(plan: BetPlan, at: number, bucket: number): void {
  plan.stableBucket[at] = bucket;
  plan.usualSlow[at] = outlook.usualAbove(bucket);
  plan.recentSlow[at] = outlook.recentAbove(bucket);
}

/** Lays new bets for `weight` unless those in force still fit. */
export function layBets(state: AnalysisState, weight: number): void {
  const { plan } = state;
  const failing = predictedFailing(state.baseline);
  if (plan.weight !== weight) {
    plan.weight = weight;
    betOnErrors(state, weight, failing);
    if (plan.latencyReady === 1) for (let i = 0; i < QUANTILES.length; i++) betOnLatency(state, weight, i);
    return;
  }
  if (Math.abs(failing - plan.failing) > STALE * plan.failing) betOnErrors(state, weight, failing);
  if (plan.latencyReady === 0) return;
  for (let i = 0; i < QUANTILES.length; i++) {
    if (isStale(state, i) || isStale(state, QUANTILES.length + i)) betOnLatency(state, weight, i);
  }
}

function isStale(state: AnalysisState, at: number): boolean {
  const laid = state.plan.slow[at] ?? 0;
  return Math.abs(predictedSlow(state, at) - laid) > STALE * laid;
}

/** Probability that the next stable request is above a threshold. @param at Test and quantile. */
function predictedSlow(state: AnalysisState, at: number): number {
  const { plan } = state;
  return LatencyOutlook.blend(plan.usualSlow[at] ?? 0, plan.recentSlow[at] ?? 0, plan.recentRequests);
}

function betOnErrors(state: AnalysisState, weight: number, failing: number): void {
  const { spec, stage, rollback, advance } = state;
  state.plan.failing = failing;
  const slope = spec.errorTolerance.relative;
  const offset = spec.errorTolerance.absolute;
  // Alternatives must lie beyond the boundary, so where stable is down the prediction is held where there still is a beyond.
  const stable = Math.min(failing, (HIGHEST_BOUNDARY - offset) / slope);
  const boundary = slope * stable + offset;
  for (const [i, odds] of ERROR_ODDS.entries())
    rollback.bets.set(labelBet(weight, stable, timesOdds(boundary, odds), slope, offset), 4 * i);
  const broken = Math.max(BROKEN, timesOdds(boundary, ERROR_ODDS[0] ?? 1.12));
  rollback.bets.set(labelBet(weight, stable, broken, slope, offset), 4 * ERROR_ODDS.length);
  if (stage.nextWeight === 0) return;
  for (let level = 0; level < LEVELS; level++) {
    const margin = reachableMargin(spec, stage.nextWeight, failing, level);
    const at = 4 * advanceFrom(level, 0);
    advance.bets.set(labelBet(weight, failing, failing, 1, margin), at);
    advance.bets.set(labelBet(weight, failing, failing + margin / 3, 1, margin), at + 4);
  }
}

function betOnLatency(state: AnalysisState, weight: number, quantile: number): void {
  const { plan, rollback, advance, stage } = state;
  const slow = predictedSlow(state, quantile);
  const usual = predictedSlow(state, QUANTILES.length + quantile);
  plan.slow[quantile] = slow;
  plan.slow[QUANTILES.length + quantile] = usual;
  const from = 4 * rollbackFrom(1 + quantile);
  for (const [j, odds] of LATENCY_ODDS.entries()) rollback.bets.set(labelBet(weight, slow, timesOdds(slow, odds), 1, 0), from + 4 * j);
  if (stage.nextWeight === 0) return;
  // Margins grow with the level, so the first threshold is the lowest.
  outlook.look(state.baseline, plan.advanceBucket[quantile] ?? 0);
  for (let level = 0; level < LEVELS; level++) {
    const shifted = Math.min(outlook.above(plan.advanceBucket[level * QUANTILES.length + quantile] ?? 0), 0.99 * usual);
    const at = 4 * advanceFrom(level, 1 + quantile);
    advance.bets.set(notSlowerBet(weight, usual, shifted), at);
    advance.bets.set(labelBet(weight, usual, Math.sqrt(shifted * usual), 1, 0), at + 4);
  }
}
