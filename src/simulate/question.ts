/** What a simulation is asked: a Rollout, the traffic of its host, and what may be wrong with the new version. Plain data, for worker threads. */
import { canariesOf, type RolloutSpec } from '../config/serin/rollout-spec.ts';
import { approvalRule, withApprovals } from '../rollout/approval.ts';
import { asksOf } from './asks.ts';
import { analysisSpecOf, FULL, plannedSteps, rampSteps, type PlannedStep } from '../rollout/spec.ts';

export interface Question {
  readonly spec: RolloutSpec;
  /** `namespace/name`. */
  readonly name: string;
  readonly traffic: Traffic;
  readonly versions: readonly Version[];
  /** Releases of each version. */
  readonly runs: number;
  readonly seed: number;
  /** People who send the requests, where the Rollout assigns by user. */
  readonly users: number;
  /** The traffic ends after this, decided or not. A multiple of the tick. */
  readonly horizonS: number;
}

/** What the stable version gets, and what it does with it. */
export interface Traffic {
  /** Requests a second to the host, both versions together. */
  readonly ratePerS: number;
  /** Share of requests that fail, in [0, 1). */
  readonly failing: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A canary beside stable. */
export interface Version {
  /** As a heading: `every request fails`. */
  readonly title: string;
  readonly failing: number;
  /** How many times as slow, at every quantile; 1: as fast. */
  readonly slower: number;
}

/** More than this decides nothing better, only later here. */
export const HIGHEST_RATE_PER_S = 10_000;
/** From one step of the simulated histogram to where it can still show a version that is slower. */
export const LATENCY_LIMITS_MS = { low: 1, high: 30_000 } as const;

const HOUR_S = 3600;
const WEEK_S = 7 * 24 * HOUR_S;

/** Time between two looks, s: the engine's, or longer where that would show no request most of the time. Divides a minute, as the rivals need it. */
export function tickOf({ ratePerS }: Traffic): number {
  if (ratePerS >= 50) return 0.25;
  if (ratePerS >= 5) return 1;
  if (ratePerS >= 1) return 4;
  return ratePerS >= 0.1 ? 10 : 60;
}

export function isRegression({ failing, slower }: Version, traffic: Traffic): boolean {
  return failing > traffic.failing || slower > 1;
}

/** All steps the plan has at this traffic, as far as they can be known beforehand. */
export function stepsAt(spec: RolloutSpec, { ratePerS }: Traffic): readonly PlannedStep[] {
  const steps = plannedSteps(spec);
  if (!steps.some(({ wait }) => wait?.kind === 'measure')) return steps;
  const { warmupMs } = analysisSpecOf(spec.analysis, false, steps);
  const ramp = rampSteps(ratePerS, warmupMs, canariesOf(spec).length);
  return [...steps, ...withApprovals(ramp, spec.approval && approvalRule(spec.approval))];
}

/** Whether there is a time in which both versions get their share, and can be compared. */
export function comparesVersions(steps: readonly PlannedStep[]): boolean {
  return steps.some(({ set }) => set?.weight !== undefined && set.weight > 0 && set.weight < FULL);
}

/** An hour, a day where requests are rare; at least twice what the plan takes by itself, and three times what its evidence is expected to. */
export function horizonOf(spec: RolloutSpec, traffic: Traffic): number {
  const steps = stepsAt(spec, traffic);
  const evidenceMs = asksOf(spec, steps, traffic).reduce((sum, { expectedMs }) => sum + expectedMs, 0);
  let shortestMs = 0;
  for (const { wait } of steps) {
    if (wait?.kind === 'evidence') shortestMs += wait.atLeastMs;
    else if (wait !== undefined && 'ms' in wait) shortestMs += wait.ms;
  }
  const usual = traffic.ratePerS >= 1 ? HOUR_S : 24 * HOUR_S;
  return wholeTicks(Math.max(usual, (2 * shortestMs) / 1000, Math.min(WEEK_S, (3 * evidenceMs) / 1000)), traffic);
}

export function wholeTicks(seconds: number, traffic: Traffic): number {
  const tickS = tickOf(traffic);
  return tickS * Math.ceil(seconds / tickS);
}
