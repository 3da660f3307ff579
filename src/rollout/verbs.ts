/**
 * What a person may ask of a release, and what becomes of it: pure, like plan.ts. What cannot be done is refused with the state the release is in;
 * what is so already is no mistake and changes nothing.
 *
 *               Healthy     Progressing   Paused        Degraded
 *     start     new run     conflict      conflict      new run
 *     promote   conflict    conflict      next step,    conflict
 *                                         or approval
 *      --full   conflict    everybody     everybody     conflict
 *      --to     conflict    it alone      next step, it alone    conflict
 *     pause     conflict    held          held already  conflict
 *     resume    conflict    as it is      goes on       conflict
 *     abort     conflict    Degraded*     Degraded*     as it is
 *     retry     conflict    conflict      conflict      new run
 *     undo      Degraded* (promoted only) conflict      as it is
 *
 * *) First the way back, where stable is cold: Progressing until everybody is on stable. `--full` then shortens it, and nothing else but a pause is
 * possible.
 */
import { canariesOf, type RolloutSpec } from '../config/serin/rollout-spec.ts';
import { type Approving, approvalAhead, approvalRefusal, approvalRule, approvingOf, listed, startRefusal } from './approval.ts';
import { phaseOf } from './phase.ts';
import { choose } from './leaving.ts';
import { joined, type Outcome, recorded, type Served } from './outcome.ts';
import { ended, enter, needsChoice, obstacle, promoted, seconds, takeBack } from './plan.ts';
import { inRace, narrowed } from './race.ts';
import type { Situation } from './situation.ts';
import { analysisSpecOf, deadlineMsOf, FULL, plannedSteps, releaseAssignment } from './spec.ts';
import { type ActiveRun, type RolloutState, servingSubset, type Versions } from './state.ts';
import { runTerms } from './terms.ts';
import { canReturn } from './way-back.ts';

export const VERBS = ['start', 'promote', 'pause', 'resume', 'abort', 'retry', 'undo'] as const;
export type Verb = (typeof VERBS)[number];

export interface Command {
  readonly verb: Verb;
  /** Who asks; for the record. */
  readonly by: string;
  /** With `promote`: skip what is left. With `abort` and `undo`: everybody at once, also where stable is cold. */
  readonly full?: boolean;
  /** With `promote`: the one of several candidates that goes on alone. */
  readonly to?: string;
}

/** `conflict`: not in this state. `approval`: not by this person. `unhealthy`, `no-change`, `blocked`, `frozen`: the circumstances forbid it. */
export interface Refusal {
  readonly refused: 'conflict' | 'approval' | 'unhealthy' | 'no-change' | 'blocked' | 'frozen';
  readonly reason: string;
  readonly hint?: string;
}

/** @param spec Of the Rollout as it is now, for a new run. @param name `namespace/name`, for the salt. */
export function command(
  state: RolloutState,
  { verb, by, full = false, to }: Command,
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
      if (active.back !== undefined) return conflict(state, verb, 'it is on its way back');
      return to === undefined || isAlone(state, to)
        ? promoteRacing({ ...state, active }, situation, by, full)
        : promoteChosen({ ...state, active }, situation, to, by, full);
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
      if (active.hold.by === 'choice') return conflict(state, verb, 'it waits for serin rollout promote --to one of the versions');
      return recorded(released(state, active), situation, 'resume', by, 'resumed by hand');
    case 'abort':
      if (active === undefined)
        return phaseOf(state) === 'Degraded' ? same : conflict(state, verb, 'serin rollout undo takes a promotion back');
      if (active.back !== undefined) return full ? shortened(state, active, situation, by) : same;
      return back(state, situation, 'aborted', by, 'aborted by hand', full);
    case 'undo':
      if (phaseOf(state) === 'Degraded') return same;
      if (active?.back !== undefined) return full ? shortened(state, active, situation, by) : same;
      if (active !== undefined || state.outcome !== 'promoted')
        return conflict(state, verb, active === undefined ? 'nothing was promoted' : 'serin rollout abort takes it back');
      return back(state, situation, 'undone', by, 'promotion undone by hand', full);
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
  const { stable } = spec;
  const canaries = canariesOf(spec);
  if (situation.blocked !== undefined) return { refused: 'blocked', reason: situation.blocked };
  const serving = canaries.find((canary) => canary === stable || (canary === servingSubset(state) && state.run > 0));
  if (serving !== undefined) return { refused: 'no-change', reason: `${serving} serves already`, hint: 'name another subset with --to' };
  if (situation.frozen !== undefined) return { refused: 'frozen', reason: `frozen ${situation.frozen}` };
  if (!situation.canary.isReady && situation.canary.isRun !== true)
    return { refused: 'unhealthy', reason: situation.canary.reason, hint: 'start it, or look at serin get endpoints' };
  const run = state.run + 1;
  const steps = plannedSteps(spec);
  const unapprovable = startRefusal(steps, by);
  if (unapprovable !== undefined)
    return { refused: 'approval', reason: `${by} cannot start it: ${unapprovable}`, hint: 'let somebody else start it' };
  const assignment = releaseAssignment(spec.assignment, `${name}#${run}`);
  const deadlineMs = deadlineMsOf(spec);
  const analysis = analysisSpecOf(spec.analysis, assignment !== undefined, steps, canaries.length);
  const active: ActiveRun = {
    steps,
    step: -1,
    stepMs: 0,
    activeMs: 0,
    weight: 0,
    routes: [],
    mirror: 0,
    ...(assignment === undefined ? {} : { assignment }),
    analysis,
    onInconclusive: spec.analysis?.onInconclusive ?? 'hold',
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    shareAccepted: false,
    ...(by === 'engine' ? {} : { startedBy: by }),
    ...(spec.approval === undefined ? {} : { approval: approvalRule(spec.approval) }),
  };
  const { outcome: _before, keptMs: _kept, ...rest } = state;
  const terms = runTerms(spec, analysis, assignment, situation);
  const begun = { ...rest, stable, canaries, left: [], run, epoch: state.epoch + 1, active, terms };
  return recorded(
    begun,
    situation,
    'start',
    by,
    `release of ${canaries.join(' and ')} beside ${stable}, ${steps.length} ${steps.length === 1 ? 'step' : 'steps'}: ${why}`,
  );
}

function isAlone(state: RolloutState, subset: string): boolean {
  const [only, ...others] = inRace(state);
  return only === subset && others.length === 0;
}

function promoteRacing(state: Served, situation: Situation, by: string, full: boolean): Outcome | Refusal {
  const next = full ? state.active.steps.at(-1) : state.active.steps[state.active.step + 1];
  const racing = inRace(state);
  if (racing.length > 1 && (full || (next !== undefined && needsChoice(state, next))))
    return conflict(state, 'promote', `everybody moves to one of ${racing.join(', ')}: name it with --to`);
  return full ? promoteFully(state, state.active, situation, by) : promote(state, state.active, situation, by);
}

/** The others leave at once. Where the release waits for a person it goes on, else it stays in its step. */
function promoteChosen(state: Served, situation: Situation, to: string, by: string, full: boolean): Outcome | Refusal {
  if (!inRace(state).includes(to)) return conflict(state, 'promote', `${to} is not in the race: ${inRace(state).join(', ')}`);
  if (!situation.stable.isReady)
    return { refused: 'unhealthy', reason: `${situation.stable.reason}; the traffic stays`, hint: 'bring the stable version back first' };
  const chosen = choose(state, situation, to, by, 'chosen by hand');
  const alone = chosen.state;
  if (alone.active === undefined || (!full && phaseOf(state) !== 'Paused')) return chosen;
  const rest = narrowed(situation, [to]);
  const then = full ? promoteFully(alone, alone.active, rest, by) : promote(alone, alone.active, rest, by, phaseOf(state));
  if (isRefusal(then)) return then;
  return joined(chosen, () => then);
}

/** Ends a wait that only a person can end. @param phase What it was before others left the race. */
function promote(state: RolloutState, active: ActiveRun, situation: Situation, by: string, phase = phaseOf(state)): Outcome | Refusal {
  if (phase !== 'Paused') return conflict(state, 'promote', 'it goes on by itself; --full skips what is left');
  if (active.hold?.by === 'user') return conflict(state, 'promote', 'it was paused by hand: serin rollout resume');
  const approving = approvingOf(active);
  if (approving !== undefined) return approve(state, active, approving, situation, by);
  return goOn(released(state, active), active, situation, by, 'promoted by hand');
}

/** One more approval; the last one that is needed ends the wait. */
function approve(state: RolloutState, active: ActiveRun, approving: Approving, situation: Situation, by: string): Outcome | Refusal {
  const refusal = approvalRefusal(approving, by, active.startedBy);
  if (refusal !== undefined) return { refused: 'approval', reason: refusal, hint: 'show a token of theirs: --token-file or $SERIN_TOKEN' };
  const { rule } = approving;
  if (approving.approved.includes(by)) return { state, records: [] };
  const approved = [...approving.approved, by];
  const title = active.steps[active.step]?.title ?? '';
  const isEnough = approved.length >= rule.count;
  const noted = { ...active, approved };
  const reason = `${title}: approved by ${by}, ${approved.length} of ${rule.count}`;
  const given = recorded({ ...state, active: noted }, situation, 'approve', by, reason);
  if (!isEnough) return given;
  const free = released(given.state, noted);
  const ended = goOn(free, noted, situation, by, `approved by ${listed(approved, 'and')}`);
  return isRefusal(ended) ? ended : { ...ended, records: [...given.records, ...ended.records] };
}

/** @param free Without its hold. */
function goOn(
  free: RolloutState & { readonly active: ActiveRun },
  active: ActiveRun,
  situation: Situation,
  by: string,
  how: string,
): Outcome | Refusal {
  const step = active.steps[active.step + 1];
  // The steps of a ramp are not known yet.
  if (step === undefined && active.weight < FULL)
    return conflict(free, 'promote', 'it measures the traffic first; --full skips what is left');
  if (step === undefined) return promoted(free, situation, by, how);
  if (situation.frozen !== undefined) return { refused: 'frozen', reason: `frozen ${situation.frozen}` };
  // A person may go on without data; not onto a version that cannot answer.
  const { checks: _overruled, ...rest } = situation;
  const why = obstacle(active, { ...rest, judgement: { ...NO_DOUBT, ...situation.judgement, canaryRequests: 1 } });
  if (why !== undefined) return { refused: 'unhealthy', reason: why };
  return enter(free, situation, step, 'promote', by, how);
}

const NO_DOUBT = { decision: 'continue', cause: 'gathering', message: '', evidence: {} } as const;

/** Everybody moves at once; the run ends when the data plane has acknowledged it. */
function promoteFully(state: RolloutState, active: ActiveRun, situation: Situation, by: string): Outcome | Refusal {
  const approval = approvalAhead(active, FULL);
  if (approval !== undefined)
    return {
      refused: 'conflict',
      reason: `cannot promote in full: ${approval}`,
      hint: 'those named approve it with serin rollout promote',
    };
  if (situation.frozen !== undefined) return { refused: 'frozen', reason: `frozen ${situation.frozen}` };
  if (!situation.canary.isReady) return { refused: 'unhealthy', reason: situation.canary.reason };
  const last = active.steps.length - 1;
  const skipped = Math.max(0, last - active.step);
  const { proved: _ofLess, ...free } = released(state, active).active;
  const epoch = active.weight === FULL ? state.epoch : state.epoch + 1;
  const steps = active.steps.map((step, index) => (index === last ? { title: 'setWeight 100' } : step));
  return recorded(
    { ...state, epoch, active: { ...free, steps, step: last, stepMs: 0, weight: FULL, routes: [], mirror: 0 } },
    situation,
    'skip',
    by,
    `everybody moves to ${inRace(state).join(', ')}, ${skipped} ${skipped === 1 ? 'step is' : 'steps are'} skipped: promoted in full by hand after ${seconds(active.activeMs)}`,
    situation.judgement,
  );
}

/** Without its hold. Going on in spite of a wrong share is a decision that stays; metrics and webhooks without a verdict begin anew. */
function released(state: RolloutState, active: ActiveRun): RolloutState & { readonly active: ActiveRun } {
  const { hold, ...free } = active;
  const round = (active.round ?? 0) + (hold?.by === 'check' ? 1 : 0);
  const shareAccepted = active.shareAccepted || hold?.by === 'share';
  return { ...state, active: { ...free, shareAccepted, ...(round === 0 ? {} : { round }) } };
}

/** Not onto a stable version that cannot answer: then the traffic stays where it is. */
function back(
  state: RolloutState,
  situation: Situation,
  outcome: 'aborted' | 'undone',
  by: string,
  why: string,
  full: boolean,
): Outcome | Refusal {
  if (!canReturn(situation))
    return { refused: 'unhealthy', reason: `${situation.stable.reason}; the traffic stays`, hint: 'bring the stable version back first' };
  return takeBack(state, situation, outcome, outcome === 'aborted' ? 'abort' : 'undo', by, why, situation.judgement, full);
}

/** The rest of the way back at once. */
function shortened(state: RolloutState, active: ActiveRun, situation: Situation, by: string): Outcome {
  const { back: way } = active;
  if (way === undefined || way.atOnce) return { state, records: [] };
  return takeBack(released(state, active), situation, way.outcome, 'skip', by, way.why, situation.judgement, true);
}

/** The Rollout names other versions: what is under way is taken back, and they are ready to start. @returns Undefined when nothing changes. */
export function adopt(
  state: RolloutState,
  spec: Pick<RolloutSpec, 'stable' | 'canary' | 'canaries'>,
  situation: Situation,
): Outcome | undefined {
  const { stable } = spec;
  const canaries = canariesOf(spec);
  const { named } = state;
  const shown = (versions: Versions): string => `${versions.canaries.join(' and ')} beside ${versions.stable}`;
  if (named.stable === stable && named.canaries.join() === canaries.join()) return undefined;
  if (state.active?.back !== undefined) return undefined;
  const why = `the Rollout names ${shown({ stable, canaries })} now, no longer ${shown(named)}`;
  if (state.active !== undefined) return takeBack(state, situation, 'aborted', 'supersede', 'engine', why);
  const { outcome, keptMs: _kept, ...rest } = state;
  // Where the file calls stable what serves, it goes on serving until the new pair starts; else the files are in force until then.
  const keeps = outcome !== undefined && servingSubset(state) === stable;
  const changed: RolloutState = {
    ...rest,
    stable,
    canaries,
    left: [],
    named: { stable, canaries },
    epoch: state.epoch + 1,
    ...(keeps ? { outcome: 'settled' as const } : {}),
  };
  return recorded(changed, situation, 'supersede', 'engine', why);
}

/** The Rollout is of another host now: what it has come to on the one before ends there, and counts for nothing where it is now. */
export function relocate(state: RolloutState, situation: Situation, host: string): Outcome {
  const why = `the Rollout is of ${host} now`;
  if (state.active !== undefined) return takeBack(state, situation, 'aborted', 'supersede', 'engine', why);
  const { outcome: _there, keptMs: _kept, ...rest } = state;
  return recorded({ ...rest, left: [], epoch: state.epoch + 1 }, situation, 'supersede', 'engine', why);
}

/** Its Rollout has left the files, so these are in force already; what is left to do is to say that it has ended. */
export function forsake(state: RolloutState, { verb, by }: Command, situation: Situation): Outcome | Refusal {
  if (verb === 'abort' && state.active !== undefined)
    return ended(state, situation, 'aborted', 'abort', by, 'aborted by hand; its Rollout is no longer in the files');
  return {
    refused: 'blocked',
    reason: 'its Rollout is no longer in the files',
    hint: state.active === undefined ? 'bring it back' : 'bring it back, or serin rollout abort',
  };
}
