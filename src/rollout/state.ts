/**
 * What is known about a Rollout between two moments, and must survive a crash between them. Plain data; changed by plan.ts and verbs.ts only,
 * which return a new one.
 *
 * Invariants:
 * 1. `weight` and `FULL - weight` are the canary's and the stable version's shares; their sum is the total by construction.
 * 2. `weight` is `FULL` for good only in phase Healthy after a promotion.
 * 3. `revision` grows with every change that was recorded; times (`stepMs`, `activeMs`) change without.
 */
import type { HeaderRoute, ReleaseAssignment, ReleaseOverlay } from '../config/release.ts';
import type { AnalysisSpec } from './analysis-spec.ts';
import { FULL, type PlannedStep } from './spec.ts';

export interface RolloutState {
  /** Grows with every recorded change. */
  readonly revision: number;
  /** The pair of the last run, or the one to come. */
  readonly stable: string;
  readonly canary: string;
  /** The pair the Rollout named when it was looked at last; one that names another starts anew. */
  readonly named: { readonly stable: string; readonly canary: string };
  /** Number of the last run; 0: never started. */
  readonly run: number;
  /** Of the shares in force; grows with every change of them, over all runs. */
  readonly epoch: number;
  /** How the last run ended; absent before the first and while one is under way. */
  readonly outcome?: Outcome;
  readonly active?: ActiveRun;
}

/** `settled`: the file names a new pair whose stable version is the one that serves. */
export type Outcome = 'promoted' | 'rolledBack' | 'aborted' | 'undone' | 'settled';

/** A run under way. */
export interface ActiveRun {
  readonly steps: readonly PlannedStep[];
  /** Index of the step entered last; -1 before the first. */
  readonly step: number;
  /** Time served in that step and in all of them, ms: with the data plane as the step wants it, not paused, the engine alive. */
  readonly stepMs: number;
  readonly activeMs: number;
  /** Canary's share, 0 to `FULL`. */
  readonly weight: number;
  readonly routes: readonly HeaderRoute[];
  /** Percentage. */
  readonly mirror: number;
  readonly assignment?: ReleaseAssignment;
  readonly analysis: AnalysisSpec;
  readonly onInconclusive: 'hold' | 'rollback';
  readonly deadlineMs?: number;
  /** Nothing moves until somebody decides. */
  readonly hold?: Hold;
  /** Somebody has decided to go on although the canary's share is not what its weight says. */
  readonly shareAccepted: boolean;
}

export interface Hold {
  /** `user`: `serin rollout pause`; `share`: the canary does not get its share; `undecided`: an analysis ran out of time. */
  readonly by: 'user' | 'share' | 'undecided';
  readonly message: string;
}

/** One thing that was decided, by whom, on what evidence. */
export interface DecisionRecord {
  /** RFC 3339. */
  readonly at: string;
  /** `engine`, or who asked for it. */
  readonly by: string;
  readonly action: DecisionAction;
  /** One sentence for people. */
  readonly reason: string;
  readonly run: number;
  /** Step and canary's share in percent after the decision. */
  readonly step: number;
  readonly canaryPercent: number;
  /** What it rests on: counts, effect, interval. */
  readonly evidence?: Readonly<Record<string, unknown>>;
}

export type DecisionAction = 'start' | 'step' | 'pause' | 'resume' | 'skip' | 'promote' | 'rollback' | 'abort' | 'undo' | 'supersede';

export function newState(stable: string, canary: string): RolloutState {
  return { revision: 0, stable, canary, named: { stable, canary }, run: 0, epoch: 0 };
}

/** Canary's share now, 0 to `FULL`. */
export function canaryWeight({ active, outcome }: RolloutState): number {
  if (active !== undefined) return active.weight;
  return outcome === 'promoted' ? FULL : 0;
}

/** The subset everybody is on, or is being moved away from. */
export function servingSubset({ stable, canary, outcome }: RolloutState): string {
  return outcome === 'promoted' ? canary : stable;
}

/** What the data plane is to do; undefined: what the files say. @param rollout `namespace/name` */
export function releaseOf(rollout: string, state: RolloutState): ReleaseOverlay | undefined {
  const { active, outcome, stable, canary, epoch } = state;
  if (active === undefined && outcome === undefined) return undefined;
  const weight = canaryWeight(state);
  return {
    rollout,
    stable,
    canaries: [canary],
    weights: { [canary]: weight, [stable]: FULL - weight },
    headerRoutes: active?.routes ?? [],
    epoch,
    ...(active === undefined || active.mirror === 0 ? {} : { mirror: { to: canary, percentage: active.mirror } }),
    ...(active?.assignment === undefined ? {} : { assignment: active.assignment }),
  };
}
