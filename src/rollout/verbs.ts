/**
 * What a person may ask of a release, and what becomes of it: pure, like plan.ts. What cannot be done is refused with the state the release is in;
 * what is so already is no mistake and changes nothing.
 *
 *               Healthy     Progressing   Paused        Degraded
 *     start     new run     conflict      conflict      new run
 *     promote   conflict    conflict      next step     conflict
 *      --full   conflict    everybody     everybody     conflict
 *     pause     conflict    held          held already  conflict
 *     resume    conflict    as it is      goes on       conflict
 *     abort     conflict    Degraded      Degraded      as it is
 *     retry     conflict    conflict      conflict      new run
 *     undo      Degraded (promoted only)  conflict      as it is
 */
import type { RolloutSpec } from '../config/serin/rollout-spec.ts';
import { phaseOf } from './phase.ts';
import { enter, obstacle, type Outcome, promoted, recorded, seconds, takeBack } from './plan.ts';
import type { Situation } from './situation.ts';
import { analysisSpecOf, deadlineMsOf, FULL, plannedSteps, releaseAssignment } from './spec.ts';
import { type ActiveRun, type RolloutState, servingSubset } from './state.ts';

export const VERBS = ['start', 'promote', 'pause', 'resume', 'abort', 'retry', 'undo'] as const;
export type Verb = (typeof VERBS)[number];

export interface Command {
  readonly verb: Verb;
  /** Who asks; for the record. */
  readonly by: string;
  /** With `promote`: skip what is left. */
  readonly full?: boolean;
}

/** `conflict`: not in this state. `unhealthy`, `no-change`, `blocked`, `frozen`: the circumstances forbid it. */
export interface Refusal {
  readonly refused: 'conflict' | 'unhealthy' | 'no-change' | 'blocked' | 'frozen';
  readonly reason: string;
  readonly hint?: string;
}

/** @param spec Of the Rollout as it is now, for a new run. @param name `namespace/name`, for the salt. */
export function command(
  state: RolloutState,
  { verb, by, full = false }: Command,
  situation: Situation,
  spec: RolloutSpec,
  name: string,
): Outcome | Refusal {
  const { active } = state;
  const same: Outcome = { state, records: [] };
  switch (verb) {
    case 'start':
      if (active !== undefined) return conflict(state, verb, 'promote or abort it first');
      return start(state, situation, spec, name, by, 'started by hand');
    case 'retry':
      if (phaseOf(state) !== 'Degraded') return conflict(state, verb, 'retry is for a release that was rolled back');
      return start(state, situation, spec, name, by, 'tried again');
    case 'promote':
      if (active === undefined) return conflict(state, verb, 'there is nothing under way');
      return full ? promoteFully(state, active, situation, by) : promote(state, active, situation, by);
    case 'pause':
      if (active === undefined) return conflict(state, verb, 'there is nothing under way');
      if (active.hold !== undefined) return same;
      return recorded(
        { ...state, active: { ...active, hold: { by: 'user', message: `paused by ${by}` } } },
        situation,
        'pause',
        by,
        'paused by hand',
      );
    case 'resume':
      if (active === undefined) return conflict(state, verb, 'there is nothing under way');
      if (active.hold === undefined)
        return phaseOf(state) === 'Paused' && active.steps[active.step]?.wait?.kind === 'promotion'
          ? conflict(state, verb, 'it waits for serin rollout promote')
          : same;
      return recorded(released(state, active), situation, 'resume', by, 'resumed by hand');
    case 'abort':
      if (active === undefined)
        return phaseOf(state) === 'Degraded' ? same : conflict(state, verb, 'serin rollout undo takes a promotion back');
      return back(state, situation, 'aborted', 'abort', by, 'aborted by hand');
    case 'undo':
      if (phaseOf(state) === 'Degraded') return same;
      if (active !== undefined || state.outcome !== 'promoted')
        return conflict(state, verb, active === undefined ? 'nothing was promoted' : 'serin rollout abort takes it back');
      return back(state, situation, 'undone', 'undo', by, 'promotion undone by hand');
  }
}

export function isRefusal(result: Outcome | Refusal): result is Refusal {
  return 'refused' in result;
}

function conflict(state: RolloutState, verb: Verb, hint: string): Refusal {
  const { active } = state;
  const at = active === undefined ? '' : ` at step ${active.step + 1} of ${active.steps.length}`;
  return { refused: 'conflict', reason: `cannot ${verb}: the release is ${phaseOf(state)}${at}`, hint };
}

/** A run from its first step; also what happens by itself when a Rollout names a new pair. */
export function start(
  state: RolloutState,
  situation: Situation,
  spec: RolloutSpec,
  name: string,
  by: string,
  why: string,
): Outcome | Refusal {
  const { stable, canary } = spec;
  if (situation.blocked !== undefined) return { refused: 'blocked', reason: situation.blocked };
  if (stable === canary || (servingSubset(state) === canary && state.run > 0))
    return { refused: 'no-change', reason: `${canary} serves already`, hint: 'name another subset with --to' };
  if (situation.frozen !== undefined) return { refused: 'frozen', reason: `frozen ${situation.frozen}` };
  if (!situation.canary.isReady)
    return { refused: 'unhealthy', reason: situation.canary.reason, hint: 'start it, or look at serin get endpoints' };
  const run = state.run + 1;
  const steps = plannedSteps(spec);
  const assignment = releaseAssignment(spec.assignment, `${name}#${run}`);
  const deadlineMs = deadlineMsOf(spec);
  const active: ActiveRun = {
    steps,
    step: -1,
    stepMs: 0,
    activeMs: 0,
    weight: 0,
    routes: [],
    mirror: 0,
    ...(assignment === undefined ? {} : { assignment }),
    analysis: analysisSpecOf(spec.analysis, assignment !== undefined, steps),
    onInconclusive: spec.analysis?.onInconclusive ?? 'hold',
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    shareAccepted: false,
  };
  const { outcome: _before, ...rest } = state;
  const begun = { ...rest, stable, canary, run, epoch: state.epoch + 1, active };
  return recorded(
    begun,
    situation,
    'start',
    by,
    `release of ${canary} beside ${stable}, ${steps.length} ${steps.length === 1 ? 'step' : 'steps'}: ${why}`,
  );
}

/** Ends a wait that only a person can end. */
function promote(state: RolloutState, active: ActiveRun, situation: Situation, by: string): Outcome | Refusal {
  if (phaseOf(state) !== 'Paused') return conflict(state, 'promote', 'it goes on by itself; --full skips what is left');
  if (active.hold?.by === 'user') return conflict(state, 'promote', 'it was paused by hand: serin rollout resume');
  const free = released(state, active);
  const step = active.steps[active.step + 1];
  if (step === undefined) return promoted(free, situation, by, 'promoted by hand');
  if (situation.frozen !== undefined) return { refused: 'frozen', reason: `frozen ${situation.frozen}` };
  // A person may go on without data; not onto a version that cannot answer.
  const why = obstacle(active, { ...situation, judgement: { ...NO_DOUBT, ...situation.judgement, canaryRequests: 1 } });
  if (why !== undefined) return { refused: 'unhealthy', reason: why };
  return enter(free, situation, step, 'promote', by, 'promoted by hand');
}

const NO_DOUBT = { decision: 'continue', cause: 'gathering', message: '', evidence: {} } as const;

/** Everybody moves at once; the run ends when the data plane has acknowledged it. */
function promoteFully(state: RolloutState, active: ActiveRun, situation: Situation, by: string): Outcome | Refusal {
  if (situation.frozen !== undefined) return { refused: 'frozen', reason: `frozen ${situation.frozen}` };
  if (!situation.canary.isReady) return { refused: 'unhealthy', reason: situation.canary.reason };
  const last = active.steps.length - 1;
  const skipped = Math.max(0, last - active.step);
  const free = released(state, active).active;
  const epoch = active.weight === FULL ? state.epoch : state.epoch + 1;
  const steps = active.steps.map((step, index) => (index === last ? { title: 'setWeight 100' } : step));
  return recorded(
    { ...state, epoch, active: { ...free, steps, step: last, stepMs: 0, weight: FULL, routes: [], mirror: 0 } },
    situation,
    'skip',
    by,
    `everybody moves to ${state.canary}, ${skipped} ${skipped === 1 ? 'step is' : 'steps are'} skipped: promoted in full by hand after ${seconds(active.activeMs)}`,
    situation.judgement,
  );
}

/** Without its hold. Going on in spite of a wrong share is a decision that stays. */
function released(state: RolloutState, active: ActiveRun): RolloutState & { readonly active: ActiveRun } {
  const { hold, ...free } = active;
  return { ...state, active: { ...free, shareAccepted: active.shareAccepted || hold?.by === 'share' } };
}

/** Not onto a stable version that cannot answer: then the traffic stays where it is. */
function back(
  state: RolloutState,
  situation: Situation,
  outcome: 'aborted' | 'undone',
  action: 'abort' | 'undo',
  by: string,
  why: string,
): Outcome | Refusal {
  if (!situation.stable.isReady)
    return { refused: 'unhealthy', reason: `${situation.stable.reason}; the traffic stays`, hint: 'bring the stable version back first' };
  return takeBack(state, situation, outcome, action, by, why, situation.judgement);
}

/** The Rollout names another pair: what is under way is taken back, and the new pair is ready to start. @returns Undefined when nothing changes. */
export function adopt(state: RolloutState, spec: Pick<RolloutSpec, 'stable' | 'canary'>, situation: Situation): Outcome | undefined {
  const { stable, canary } = spec;
  const { named } = state;
  if (named.stable === stable && named.canary === canary) return undefined;
  const why = `the Rollout names ${canary} beside ${stable} now, no longer ${named.canary} beside ${named.stable}`;
  if (state.active !== undefined) return takeBack(state, situation, 'aborted', 'supersede', 'engine', why);
  const { outcome, ...rest } = state;
  // Where the file calls stable what serves, it goes on serving until the new pair starts; else the files are in force until then.
  const keeps = outcome !== undefined && servingSubset(state) === stable;
  const changed: RolloutState = {
    ...rest,
    stable,
    canary,
    named: { stable, canary },
    epoch: state.epoch + 1,
    ...(keeps ? { outcome: 'settled' as const } : {}),
  };
  return recorded(changed, situation, 'supersede', 'engine', why);
}
