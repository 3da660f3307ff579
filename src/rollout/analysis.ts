/**
 * The release analysis: evidence from ticks, a decision at any time.
 *
 *     newAnalysis -> observe (stable only) ... -> startCanary -> beginStage -> observe, decide ... -> beginStage -> ...
 *
 * Two tests run side by side on the labels the proxy drew (label-bet.ts): one gathers evidence that the canary is worse than the tolerance,
 * over the whole rollout and all metrics together; the other, fresh in every stage, that it is not worse by the margin the next weight can
 * afford. Neither having spoken is a third answer, never counted as a pass.
 *
 * Invariants:
 * 1. Bets on a tick depend on earlier ticks only, so every tick may be looked at and every look may end the rollout.
 * 2. Requests are compared with requests of the same tick and weight, never across; so no trend, outage or weight change is evidence.
 * 3. The same ticks give the same decisions, also across `encodeAnalysis` and `decodeAnalysis`. There is no clock: time is what ticks cover.
 * 4. Without requests no evidence changes.
 */
import { assert } from '../base/assert.ts';
import { bernoulliDivergence } from '../stats/bernoulli.ts';
import { blockMass, putIn, STAGES_MASS, START_MASS } from '../stats/changepoint-mixture.ts';
import { logAdd, logSum } from '../stats/log-sum.ts';
import { addStratum } from '../stats/risk-difference.ts';
import { betOnShares, shareEvidence } from '../stats/share-test.ts';
import { decay, predictedFailing, remember, rememberLatency } from './analysis-baseline.ts';
import { layBets, renewThresholds } from './analysis-bets.ts';
import { QUANTILES } from './analysis-spec.ts';
import { ADVANCE_ALTERNATIVES, advanceFrom, LEVELS, METRICS, metricShare, rollbackCount, rollbackFrom } from './analysis-state.ts';
import type { AnalysisState, ArmTotals } from './analysis-state.ts';
import { FAILURE_CLASSES, failuresOf } from './observation.ts';
import type { ArmCounts, LatencyTally, Observation, Stratum } from './observation.ts';

/** Shortest block: as many requests as it takes to know a latency at all. */
const BLOCK_REQUESTS = 20;

export interface StagePlan {
  /** Canary's share of the two arms, in (0, 1). */
  readonly weight: number;
  /** Share it is to be cleared for, above `weight`, at most 1. */
  readonly nextWeight: number;
  /** Not cleared before. */
  readonly minimumMs: number;
  /** Undecided for so long is inconclusive; default: wait for ever. */
  readonly maximumMs?: number;
}

/** The canary gets its first weight now. From here on ticks are evidence. */
export function startCanary(state: AnalysisState): void {
  assert(state.started === 0, 'an analysis starts once; a new release is a new analysis');
  state.started = 1;
  spend(state, START_MASS);
  // The estimate's interval is to be narrowest about when a regression of the budget is decided at equal arms.
  const failing = predictedFailing(state.baseline);
  const requests =
    (Math.log(1 / state.spec.advanceRisk) + 0.7) / bernoulliDivergence(failing, Math.min(0.99, failing + state.spec.errorBudget));
  state.errors.expectedVariance = (requests / 4) * failing * (1 - failing);
}

/** A weight is in force from the next tick on. Evidence for going on starts anew: the new labels, under the new load, have to earn it. */
export function beginStage(state: AnalysisState, plan: StagePlan): void {
  assert(plan.weight > 0 && plan.weight < 1, `a stage's weight lies between 0 and 1, found ${plan.weight}`);
  assert(
    plan.nextWeight > plan.weight && plan.nextWeight <= 1,
    `the next weight is above ${plan.weight} and at most 1, found ${plan.nextWeight}`,
  );
  const { stage, spec } = state;
  if (state.elapsedMs > 0 && stage.number <= spec.plannedStages) spend(state, STAGES_MASS / spec.plannedStages);
  stage.number++;
  stage.weight = plan.weight;
  stage.nextWeight = plan.nextWeight;
  stage.beganMs = state.elapsedMs;
  stage.minimumMs = plan.minimumMs;
  stage.maximumMs = plan.maximumMs ?? 0;
  stage.stableRequests = 0;
  stage.canaryRequests = 0;
  stage.silentMs = 0;
  stage.stableLatency.fill(0);
  stage.canaryLatency.fill(0);
  state.advance.components.fill(-Math.log(ADVANCE_ALTERNATIVES));
  // Latency thresholds of the advance test depend on the next weight.
  renewThresholds(state);
}

/**
 * Takes in one tick.
 *
 * @param state  Changed in place: its owner hands over ticks one after the other. About 5 us for a hundred requests (bench/analysis).
 * @returns      The same state.
 */
export function observe(state: AnalysisState, observation: Observation): AnalysisState {
  const { spec, baseline } = state;
  assert(observation.durationMs > 0, `a tick covers some time, found ${observation.durationMs} ms`);
  const started = state.started === 1;
  if (started) enterBlock(state);
  let canaryRequests = 0;
  let requests = 0;
  for (const stratum of observation.strata) {
    if (!started) continue;
    if (stratum.weight > 0 && stratum.weight < 1) bet(state, stratum);
    describe(state, stratum);
    canaryRequests += stratum.canary.requests;
    requests += stratum.canary.requests + stratum.stable.requests;
  }
  state.blockRequests += requests;
  decay(baseline, observation.durationMs, spec.baselineHalfLifeMs, spec.recentHalfLifeMs);
  decayRecentSlow(state, observation.durationMs);
  for (const { stable, canary } of observation.strata) {
    remember(baseline, stable.requests, failuresOf(stable));
    baseline.traffic += stable.requests + canary.requests;
    rememberLatency(baseline, stable.latency);
    rememberRecentSlow(state, stable.latency);
  }
  if (!started) return state;
  state.elapsedMs += observation.durationMs;
  state.stage.silentMs = canaryRequests > 0 ? 0 : state.stage.silentMs + observation.durationMs;
  state.rollback.peak = Math.max(state.rollback.peak, rollbackEvidence(state));
  state.shares.peak = Math.max(state.shares.peak, mismatchEvidence(state));
  return state;
}

/**
 * Lays the bets of the next tick on a stratum of this weight now, exactly as `observe` would at its beginning, so that somebody else can play them
 * too (guard.ts).
 *
 * Nothing happens before the canary has a weight.
 */
export function prepareTick(state: AnalysisState, weight: number): void {
  if (state.started === 0 || state.stage.number === 0) return;
  enterBlock(state);
  layBets(state, weight);
}

/** Whether latencies are evidence in the next tick: the warm-up is over, and there are thresholds. */
export function isTimed({ elapsedMs, spec, plan }: AnalysisState): boolean {
  return elapsedMs >= spec.warmupMs && plan.latencyReady === 1;
}

/** log E of "the canary is worse than the tolerance", all metrics. */
export function rollbackEvidence(state: AnalysisState): number {
  let total = metricShare(0) + metricEvidence(state, 0);
  for (let metric = 1; metric < METRICS; metric++) total = logAdd(total, metricShare(metric) + metricEvidence(state, metric));
  return total;
}

/** log E of one metric: the mean of its alternatives and the mass still kept back. */
export function metricEvidence(state: AnalysisState, metric: number): number {
  const count = rollbackCount(metric);
  const mean = logSum(state.rollback.components, rollbackFrom(metric), count) - Math.log(count);
  return state.unspent > 0 ? logAdd(mean, Math.log(state.unspent)) : mean;
}

/** log E of "the canary is not worse by the margin of this level". */
export function advanceEvidence(state: AnalysisState, level: number, metric: number): number {
  return logSum(state.advance.components, advanceFrom(level, metric), ADVANCE_ALTERNATIVES);
}

/** log E of "the canary's share is not what its weight says". */
export function mismatchEvidence(state: AnalysisState): number {
  return shareEvidence(state.shares.components, state.unspent);
}

function spend(state: AnalysisState, mass: number): void {
  putIn(state.rollback.components, mass);
  putIn(state.shares.components, mass);
  state.unspent = Math.max(0, state.unspent - mass);
}

/**
 * Puts in the mass of a block that begins, and renews thresholds and bets. A block lasts for `blockMs`, and until there were requests enough to make
 * new thresholds worth having: hours of little traffic do not use up the masses of later starts.
 */
function enterBlock(state: AnalysisState): void {
  const slot = Math.floor(state.elapsedMs / state.spec.blockMs);
  if (slot <= state.blockSlot || (state.block >= 0 && state.blockRequests < BLOCK_REQUESTS)) return;
  state.block++;
  state.blockSlot = slot;
  state.blockRequests = 0;
  spend(state, blockMass(state.block));
  closeStratum(state);
  renewThresholds(state);
}

/** Canary bad, canary good, stable bad, stable good, of one metric at one pair of thresholds. */
const counts = new Float64Array(4);

function bet(state: AnalysisState, stratum: Stratum): void {
  const { spec, plan, stage } = state;
  const { weight } = stratum;
  layBets(state, weight);
  const users = stratum.users;
  const byUser = spec.assignment === 'user' && users !== undefined;
  if (byUser) {
    betOnShares(state.shares.components, weight, users.canary.firstSeen, users.stable.firstSeen);
    set(users.canary.firstFailures, 0, users.stable.firstFailures, 0);
  } else {
    betOnShares(state.shares.components, weight, stratum.canary.requests, stratum.stable.requests);
    setFailures(stratum.stable, stratum.canary);
  }
  multiply(state.rollback.components, state.rollback.bets, rollbackFrom(0), rollbackCount(0), 1);

  const warm = isTimed(state);
  if (warm) {
    const stable = byUser ? users.stable.firstLatency : stratum.stable.latency;
    const canary = byUser ? users.canary.firstLatency : stratum.canary.latency;
    for (let i = 0; i < QUANTILES.length; i++) {
      setSlow(stable, plan.stableBucket[i] ?? 0, canary, plan.rollbackBucket[i] ?? 0);
      multiply(state.rollback.components, state.rollback.bets, rollbackFrom(1 + i), rollbackCount(1 + i), 1);
    }
  }
  // Requests assigned in an earlier stage come in late: they are evidence for a rollback, not for this stage's margin.
  if (weight !== stage.weight || stage.number === 0) return;
  const stableArm = byUser ? users.stable.capped : stratum.stable;
  const canaryArm = byUser ? users.canary.capped : stratum.canary;
  const scale = byUser ? 1 / spec.designEffect : 1;
  setFailures(stableArm, canaryArm);
  for (let level = 0; level < LEVELS; level++) {
    multiply(state.advance.components, state.advance.bets, advanceFrom(level, 0), ADVANCE_ALTERNATIVES, scale);
  }
  if (!warm) return;
  for (let i = 0; i < QUANTILES.length; i++) {
    const stableBucket = plan.stableBucket[QUANTILES.length + i] ?? 0;
    for (let level = 0; level < LEVELS; level++) {
      const canaryBucket = plan.advanceBucket[level * QUANTILES.length + i] ?? 0;
      if (level === 0) setSlow(stableArm.latency, stableBucket, canaryArm.latency, canaryBucket);
      else setCanarySlow(canaryArm.latency, canaryBucket);
      multiply(state.advance.components, state.advance.bets, advanceFrom(level, 1 + i), ADVANCE_ALTERNATIVES, scale);
    }
  }
}

function set(canaryBad: number, canaryGood: number, stableBad: number, stableGood: number): void {
  counts[0] = canaryBad;
  counts[1] = canaryGood;
  counts[2] = stableBad;
  counts[3] = stableGood;
}

function setFailures(stable: ArmCounts, canary: ArmCounts): void {
  const stableBad = failuresOf(stable);
  const canaryBad = failuresOf(canary);
  set(canaryBad, canary.requests - canaryBad, stableBad, stable.requests - stableBad);
}

function setSlow(stable: LatencyTally, stableBucket: number, canary: LatencyTally, canaryBucket: number): void {
  setCanarySlow(canary, canaryBucket);
  let slow = 0;
  let all = 0;
  for (let i = 0; i < stable.size; i++) {
    const count = stable.counts[i] ?? 0;
    all += count;
    if ((stable.buckets[i] ?? 0) > stableBucket) slow += count;
  }
  counts[2] = slow;
  counts[3] = all - slow;
}

function setCanarySlow(canary: LatencyTally, canaryBucket: number): void {
  let slow = 0;
  let all = 0;
  for (let i = 0; i < canary.size; i++) {
    const count = canary.counts[i] ?? 0;
    all += count;
    if ((canary.buckets[i] ?? 0) > canaryBucket) slow += count;
  }
  counts[0] = slow;
  counts[1] = all - slow;
}

/** Multiplies components by the likelihood ratio of `counts`. */
function multiply(components: Float64Array, bets: Float64Array, from: number, count: number, scale: number): void {
  const canaryBad = scale * (counts[0] ?? 0);
  const canaryGood = scale * (counts[1] ?? 0);
  const stableBad = scale * (counts[2] ?? 0);
  const stableGood = scale * (counts[3] ?? 0);
  for (let i = from; i < from + count; i++) {
    const at = 4 * i;
    components[i] =
      (components[i] ?? 0) +
      canaryBad * (bets[at] ?? 0) +
      canaryGood * (bets[at + 1] ?? 0) +
      stableBad * (bets[at + 2] ?? 0) +
      stableGood * (bets[at + 3] ?? 0);
  }
}

function decayRecentSlow(state: AnalysisState, durationMs: number): void {
  const { plan } = state;
  const factor = 2 ** (-durationMs / state.spec.recentHalfLifeMs);
  plan.recentRequests *= factor;
  for (let i = 0; i < plan.recentSlow.length; i++) plan.recentSlow[i] = (plan.recentSlow[i] ?? 0) * factor;
}

function rememberRecentSlow(state: AnalysisState, latency: LatencyTally): void {
  const { plan } = state;
  if (plan.latencyReady === 0) return;
  const { buckets, counts, size } = latency;
  for (let i = 0; i < size; i++) plan.recentRequests += counts[i] ?? 0;
  for (let at = 0; at < plan.recentSlow.length; at++) {
    const threshold = plan.stableBucket[at] ?? 0;
    let slow = 0;
    for (let i = 0; i < size; i++) if ((buckets[i] ?? 0) > threshold) slow += counts[i] ?? 0;
    plan.recentSlow[at] = (plan.recentSlow[at] ?? 0) + slow;
  }
}

/** Keeps what people are shown: totals, the stratified difference, the stage's latencies. */
function describe(state: AnalysisState, stratum: Stratum): void {
  const { stage, open, spec } = state;
  const users = stratum.users;
  count(state.stable, stratum.stable);
  count(state.canary, stratum.canary);
  if (stratum.weight === stage.weight) {
    stage.stableRequests += stratum.stable.requests;
    stage.canaryRequests += stratum.canary.requests;
    if (state.elapsedMs >= spec.warmupMs) {
      pile(stage.stableLatency, stratum.stable.latency);
      pile(stage.canaryLatency, stratum.canary.latency);
    }
  }
  if (open.weight !== stratum.weight) closeStratum(state);
  open.weight = stratum.weight;
  const stable = users?.stable.capped ?? stratum.stable;
  const canary = users?.canary.capped ?? stratum.canary;
  open.stable += stable.requests;
  open.stableFailures += failuresOf(stable);
  open.canary += canary.requests;
  open.canaryFailures += failuresOf(canary);
}

function count(totals: ArmTotals, arm: ArmCounts): void {
  totals.requests += arm.requests;
  const failures = failuresOf(arm);
  if (failures === 0) return;
  totals.failures += failures;
  for (const [i, kind] of FAILURE_CLASSES.entries()) totals.byClass[i] = (totals.byClass[i] ?? 0) + arm.failures[kind];
}

function pile(histogram: Float64Array, tally: LatencyTally): void {
  for (let i = 0; i < tally.size; i++) {
    const bucket = tally.buckets[i] ?? 0;
    histogram[bucket] = (histogram[bucket] ?? 0) + (tally.counts[i] ?? 0);
  }
}

function closeStratum(state: AnalysisState): void {
  const { open } = state;
  addStratum(state.errors, open.canary, open.canaryFailures, open.stable, open.stableFailures);
  open.canary = 0;
  open.canaryFailures = 0;
  open.stable = 0;
  open.stableFailures = 0;
}
