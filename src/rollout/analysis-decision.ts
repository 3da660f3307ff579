/**
 * What the evidence says at this moment: go back, go on, hold, or wait.
 *
 * Order: a proven regression, then traffic that is not what the weight says, then no data, then a cleared margin, then the time limit.
 */
import { trafficPerS } from './analysis-baseline.ts';
import { QUANTILES } from './analysis-spec.ts';
import { advanceEvidence, mismatchEvidence, rollbackEvidence } from './analysis.ts';
import { LEVELS, METRICS } from './analysis-state.ts';
import type { AnalysisState } from './analysis-state.ts';

/**
 * `rollback`: the canary is worse than tolerated. `safe`: regressions above the step's margin are ruled out, the weight may be raised.
 * `inconclusive`: this cannot be decided as things are; hold and tell somebody. `continue`: hold, evidence is being gathered.
 */
export type Decision = 'continue' | 'rollback' | 'safe' | 'inconclusive';

export type Cause =
  /** rollback */
  | 'regression'
  /** rollback or inconclusive: the canary does not get its share, so the labels cannot be trusted. */
  | 'traffic'
  /** inconclusive: no canary requests. */
  | 'no-data'
  /** inconclusive: the stage's time is over. */
  | 'undecided'
  /** safe */
  | 'cleared'
  /** continue: the stage's minimum time is not over. */
  | 'minimum-time'
  /** continue: too much speaks for a regression to raise the weight. */
  | 'suspicion'
  /** continue: not enough evidence yet. */
  | 'gathering';

/** Evidence of a wrong share from which on a proven regression is put down to the traffic. */
const DOUBTFUL_SHARE = Math.log(20);
/** A quantile that stable would exceed less often than this at the canary's share cannot be judged in a time people wait. */
const OBSERVABLE_PER_HOUR = 5;
/** Canary requests that should have come in a silence before it is called one: chance e^-20 for a canary that still gets its share. */
const SILENCE_REQUESTS = 20;
const SHORTEST_SILENCE_MS = 10_000;

export interface Ruling {
  readonly decision: Decision;
  readonly cause: Cause;
}

export function decide(state: AnalysisState): Ruling {
  const { spec, stage } = state;
  if (state.rollback.peak >= Math.log(1 / spec.rollbackRisk)) {
    return { decision: 'rollback', cause: mismatchEvidence(state) >= DOUBTFUL_SHARE ? 'traffic' : 'regression' };
  }
  if (state.shares.peak >= Math.log(1 / spec.shareRisk)) return { decision: 'inconclusive', cause: 'traffic' };
  if (stage.number === 0) return { decision: 'continue', cause: 'gathering' };
  const stageMs = state.elapsedMs - stage.beganMs;
  const early = stageMs < stage.minimumMs;
  if (isSilent(state)) return { decision: 'inconclusive', cause: 'no-data' };
  if (!early && rollbackEvidence(state) < Math.log(spec.suspicion) && isCleared(state)) return { decision: 'safe', cause: 'cleared' };
  if (stage.maximumMs > 0 && stageMs >= stage.maximumMs) return { decision: 'inconclusive', cause: 'undecided' };
  if (early) return { decision: 'continue', cause: 'minimum-time' };
  return { decision: 'continue', cause: rollbackEvidence(state) >= Math.log(spec.suspicion) ? 'suspicion' : 'gathering' };
}

/** Whether a quantile can be judged at the present weight and traffic. Errors always can. */
export function isObservable(state: AnalysisState, metric: number): boolean {
  if (metric === 0) return true;
  const perHour = 3600 * trafficPerS(state.baseline) * state.stage.weight * (1 - (QUANTILES[metric - 1] ?? 1));
  return perHour >= OBSERVABLE_PER_HOUR;
}

/** Level (position in RELAX_LEVELS) up to which regressions of a metric are ruled out; undefined when none is. */
export function certifiedLevel(state: AnalysisState, metric: number): number | undefined {
  const enough = Math.log(1 / state.spec.advanceRisk);
  for (let level = 0; level < LEVELS; level++) {
    if (advanceEvidence(state, level, metric) >= enough) return level;
  }
  return undefined;
}

/** Level that suffices at the present traffic (analysis-patience.ts). */
export function sufficientLevel({ plan }: AnalysisState, metric: number): number {
  return plan.levels[metric] ?? 0;
}

/** Whether enough is ruled out of a metric to go on. */
export function isMetricCleared(state: AnalysisState, metric: number): boolean {
  const certified = certifiedLevel(state, metric);
  return certified !== undefined && certified <= sufficientLevel(state, metric);
}

function isCleared(state: AnalysisState): boolean {
  for (let metric = 0; metric < METRICS; metric++) if (isObservable(state, metric) && !isMetricCleared(state, metric)) return false;
  return true;
}

/** No canary request for a while in which many should have come, or none at all in the stage once its minimum time is over. */
function isSilent(state: AnalysisState): boolean {
  const { stage } = state;
  const stageMs = state.elapsedMs - stage.beganMs;
  if (stage.canaryRequests === 0) return stageMs >= Math.max(stage.minimumMs, SHORTEST_SILENCE_MS);
  const talkingMs = Math.max(1, stageMs - stage.silentMs);
  const missed = (stage.canaryRequests * stage.silentMs) / talkingMs;
  return stage.silentMs >= SHORTEST_SILENCE_MS && missed >= SILENCE_REQUESTS;
}
