/**
 * What is known about a Rollout between two moments, and must survive a crash between them. Plain data; changed by plan.ts and verbs.ts only,
 * which return a new one.
 *
 * Invariants:
 * 1. `weight` and `FULL - weight` are the canaries' and the stable version's shares; their sum is the total by construction.
 * 2. `weight` is `FULL` for good only in phase Healthy after a promotion, and then one canary is in the race.
 * 3. `revision` grows with every change that was recorded; times (`stepMs`, `activeMs`) change without.
 */
import { previewGrant } from '../config/preview.ts';
import type { HeaderRoute, ReleaseAssignment, ReleaseOverlay } from '../config/release.ts';
import type { AnalysisSpec } from './analysis-spec.ts';
import type { ApprovalRule } from './approval.ts';
import { bucketRanges, inRace, type Leaver, sharesOf } from './race.ts';
import { FULL, type PlannedStep } from './spec.ts';
import type { RunTerms, WayBack } from './terms.ts';

export interface RolloutState {
  /** Grows with every recorded change. */
  readonly revision: number;
  /** The versions of the last run, or of the one to come. */
  readonly stable: string;
  /** In the order of the Rollout; one, or several that race each other. */
  readonly canaries: readonly string[];
  /** Those that have left the race, in that order. */
  readonly left: readonly Leaver[];
  /** The versions the Rollout named when it was looked at last; one that names others starts anew. */
  readonly named: Versions;
  /** Number of the last run; 0: never started. */
  readonly run: number;
  /** Of the shares in force; grows with every change of them, over all runs. */
  readonly epoch: number;
  /** How the last run ended; absent before the first and while one is under way. */
  readonly outcome?: Outcome;
  readonly active?: ActiveRun;
  /** What the way back of the last run needs; absent before the first one. */
  readonly terms?: RunTerms;
  /** After a run: the version nobody is on any more is kept running, ms of it served so far. Absent: it need not run. */
  readonly keptMs?: number;
}

export interface Versions {
  readonly stable: string;
  readonly canaries: readonly string[];
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
  /** Share of all canaries in the race together, 0 to `FULL`. */
  readonly weight: number;
  readonly routes: readonly HeaderRoute[];
  /** Percentage. */
  readonly mirror: number;
  /** Who gets the copies; default the first in the race. */
  readonly mirrorTo?: string;
  readonly assignment?: ReleaseAssignment;
  readonly analysis: AnalysisSpec;
  readonly onInconclusive: 'hold' | 'rollback';
  readonly deadlineMs?: number;
  /** What evidence had ruled out when the share grew last; absent where it grew without. A part of a sentence. */
  readonly proved?: string;
  /** Nothing moves until somebody decides. */
  readonly hold?: Hold;
  /** Somebody has decided to go on although the canary's share is not what its weight says. */
  readonly shareAccepted: boolean;
  /** Token of who started it; absent when it started by itself. */
  readonly startedBy?: string;
  /** `spec.approval`, for steps that are planned later. */
  readonly approval?: ApprovalRule;
  /** Who has approved the present step. */
  readonly approved?: readonly string[];
  /** On the way back: the steps are those of the way back, and stable's share is what grows. */
  readonly back?: WayBack;
  /** How often somebody has decided to go on although metrics or webhooks had no verdict; they begin anew then. Absent: 0. */
  readonly round?: number;
}

export interface Hold {
  /**
   * `user`: `serin rollout pause`; `share`: the canary does not get its share; `undecided`: an analysis ran out of time; `choice`: several
   * candidates could get everything; `check`: a metric or a webhook has no verdict.
   */
  readonly by: 'user' | 'share' | 'undecided' | 'choice' | 'check';
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
  /** Step and share of all canaries in percent after the decision. */
  readonly step: number;
  readonly canaryPercent: number;
  /** What it rests on: counts, effect, interval. */
  readonly evidence?: Readonly<Record<string, unknown>>;
}

export type DecisionAction =
  | 'start'
  | 'step'
  | 'approve'
  | 'preview'
  | 'pause'
  | 'resume'
  | 'skip'
  | 'drop'
  | 'choose'
  | 'promote'
  | 'rollback'
  | 'abort'
  | 'undo'
  | 'supersede'
  | 'scaleDown';

export function newState({ stable, canaries }: Versions): RolloutState {
  return { revision: 0, stable, canaries, left: [], named: { stable, canaries }, run: 0, epoch: 0 };
}

/** Share of all canaries together now, 0 to `FULL`. */
export function canaryWeight({ active, outcome }: RolloutState): number {
  if (active !== undefined) return active.weight;
  return outcome === 'promoted' ? FULL : 0;
}

/** The subset everybody is on, or is being moved away from. */
export function servingSubset(state: RolloutState): string {
  return state.outcome === 'promoted' ? (inRace(state)[0] ?? state.stable) : state.stable;
}

/** Nothing is copied for a version that has left the race. */
function mirrorOf(active: ActiveRun | undefined, racing: readonly string[]): Pick<ReleaseOverlay, 'mirror'> {
  const to = active?.mirrorTo ?? racing[0];
  if (active === undefined || active.mirror === 0 || to === undefined || !racing.includes(to)) return {};
  return { mirror: { to, percentage: active.mirror } };
}

/** What the data plane is to do; undefined: what the files say. @param rollout `namespace/name` */
export function releaseOf(rollout: string, state: RolloutState): ReleaseOverlay | undefined {
  const { active, outcome, stable, epoch, terms } = state;
  if (active === undefined && outcome === undefined) return undefined;
  const weight = canaryWeight(state);
  const racing = inRace(state);
  return {
    rollout,
    stable,
    canaries: racing,
    weights: { ...sharesOf({ canaries: racing, left: [] }, weight), [stable]: FULL - weight },
    headerRoutes: active?.routes ?? [],
    ...(active === undefined ? {} : { preview: racing.map((to) => ({ grant: previewGrant(rollout, state.run, to), to })) }),
    epoch,
    ...(active !== undefined && weight === 0 ? { measures: true as const } : {}),
    ...mirrorOf(active, racing),
    ...(active === undefined || terms?.fallbackOn === undefined ? {} : { fallbackOn: terms.fallbackOn }),
    ...(active?.assignment === undefined ? {} : { assignment: active.assignment }),
    ...(active?.assignment === undefined || state.canaries.length === 1 ? {} : { ranges: bucketRanges(state, stable, weight) }),
  };
}
