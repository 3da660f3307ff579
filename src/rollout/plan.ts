/**
 * The decision of one moment: `plan(state, situation) -> Outcome`. Pure; the engine performs it: first the kill switch where one is asked for,
 * then the state is made durable, then the data plane is told.
 *
 *     Healthy --start--> Progressing <--> Paused --last step--> Healthy (promoted)
 *                             \------------\--proof, abort, deadline--> [the way back, where stable is cold] --> Degraded (everybody on stable)
 *
 * Invariants (plan.test.ts runs random lives against them):
 * 1. At most one step is entered at a time, and only the next one; a person's `promote` may leave a wait early, `--full` may skip the rest.
 * 2. Nothing grows until the data plane has acknowledged what was decided before.
 * 3. Every change of step, share or phase comes with a record.
 * 4. Stable gets nothing only when the last weight is reached, and everything when the release is taken back: at once where it is warm, in growing
 *    shares where it is not (way-back.ts).
 * 5. Time counts only while it is served: not while held, frozen out, unacknowledged or down.
 * 6. A candidate that has left the race gets nothing any more in this run; everybody moves only to one that is alone in it.
 */
import { type DecisionAction, type Hold, type Outcome as RunOutcome, type ActiveRun, type RolloutState } from './state.ts';
import { withApprovals } from './approval.ts';
import { canaryWeight, servingSubset } from './state.ts';
import { choose, drop, type Leaving, others } from './leaving.ts';
import { joined, type Outcome, type Proof, recorded, type Served, unchanged } from './outcome.ts';
import { inRace, judgementOf, narrowed } from './race.ts';
import type { Judgement, Situation } from './situation.ts';
import { FULL, percent, type PlannedStep, rampSteps, type StepSettings } from './spec.ts';
import type { WayBack } from './terms.ts';
import { canReturn, obstacleBack, wayBack } from './way-back.ts';

/** What happens by itself. */
export function plan(state: RolloutState, situation: Situation): Outcome {
  const { active } = state;
  if (active === undefined) return keep(state, situation);
  if (active.back !== undefined) return walk(state, active, active.back, situation);
  if (situation.train?.leaving !== undefined && canReturn(situation)) return leaveTrain(state, situation, situation.train.leaving);
  const { judgement } = situation;
  if (judgement?.decision === 'rollback') return harmful({ ...state, active }, situation, judgement);
  const { harm, undecided: unclear } = situation.checks ?? {};
  if (harm !== undefined) {
    if (canReturn(situation)) return takeBack(state, situation, 'rolledBack', 'rollback', 'engine', harm.message, harm);
    const why = { by: 'share', message: `${harm.message}; but ${situation.stable.reason}, so the traffic stays` } as const;
    return active.hold === undefined ? hold(state, situation, why, harm) : unchanged(state);
  }
  if (active.hold !== undefined) return unchanged(state);
  if (unclear !== undefined) return hold(state, situation, { by: 'check', message: unclear.message }, unclear);
  if (judgement?.decision === 'inconclusive' && judgement.cause === 'traffic' && !active.shareAccepted)
    return hold(state, situation, { by: 'share', message: judgement.message }, judgement);
  if (!situation.isInForce) return unchanged(state);
  const served = serve(state, active, situation.passedMs);
  const overdue = overdueReason(served);
  if (overdue !== undefined && canReturn(situation))
    return takeBack(state, situation, 'rolledBack', 'rollback', 'engine', overdue, judgement);
  return afterWait(served, situation);
}

/** Who is proved to be worse leaves; with the last one the release is taken back. */
function harmful(state: Served, situation: Situation, judgement: Judgement): Outcome {
  const proved = inRace(state).filter((subset) => judgementOf(situation, subset)?.decision === 'rollback');
  const isEvery = proved.length === inRace(state).length;
  if (isEvery ? !canReturn(situation) : !situation.stable.isReady) {
    const why = { by: 'share', message: `${judgement.message}; but ${situation.stable.reason}, so the traffic stays` } as const;
    return state.active.hold === undefined ? hold(state, situation, why, judgement) : unchanged(state);
  }
  if (isEvery) return takeBack(state, situation, 'rolledBack', 'rollback', 'engine', judgement.message, judgement);
  const leavers = proved.map((subset): Leaving => ({ subset, fate: 'dropped', reason: judgementOf(situation, subset)?.message ?? '' }));
  return drop(state, situation, leavers);
}

/** The version nobody is on any more is kept running for a while: for an instant way back, or for a look at what went wrong. */
function keep(state: RolloutState, situation: Situation): Outcome {
  const { keptMs, terms, outcome, ...rest } = state;
  const leaving = situation.train?.leaving;
  if (leaving !== undefined && outcome === 'promoted' && canReturn(situation)) return leaveTrain(state, situation, leaving);
  if (keptMs === undefined || outcome === undefined) return unchanged(state);
  const isPromoted = outcome === 'promoted';
  const keepMs = (isPromoted ? terms?.keepMs.promoted : terms?.keepMs.takenBack) ?? 0;
  if (keptMs + situation.passedMs < keepMs)
    return unchanged(situation.passedMs === 0 ? state : { ...state, keptMs: keptMs + situation.passedMs });
  const serving = servingSubset(state);
  const left = [state.stable, ...state.canaries].filter((subset) => subset !== serving);
  const over: RolloutState = { ...rest, outcome, ...(terms === undefined ? {} : { terms }) };
  if ((isPromoted ? situation.stable : situation.canary).isRun !== true) return unchanged(over);
  return recorded(
    over,
    situation,
    'scaleDown',
    'engine',
    `${left.join(' and ')} ${left.length === 1 ? 'is' : 'are'} not needed any more: kept for ${seconds(keepMs)} after the end`,
  );
}

/** What it requires waits for it to go back first. */
function leaveTrain(state: RolloutState, situation: Situation, why: string): Outcome {
  return takeBack(state, situation, 'rolledBack', 'rollback', 'engine', why);
}

/** One moment of the way back. */
function walk(state: RolloutState, active: ActiveRun, back: WayBack, situation: Situation): Outcome {
  if (active.hold !== undefined) return unchanged(state);
  const arrive = (why: string): Outcome => {
    const action = back.outcome === 'rolledBack' ? 'rollback' : back.outcome === 'aborted' ? 'abort' : 'undo';
    return ended(state, situation, back.outcome, action, 'engine', why, situation.judgement);
  };
  if (situation.stable.isMissing === true) return arrive(back.why);
  // Whatever stable can carry is more than nothing.
  if (situation.stable.isReady && situation.train?.behind === undefined && situation.judgement?.failsAll === true)
    return arrive(`${back.why}; ${inRace(state).join(' and ')} ${inRace(state).length === 1 ? 'fails' : 'fail'} every request`);
  if (!situation.isInForce) return unchanged(state);
  const served = serve(state, active, situation.passedMs);
  const { steps, step, stepMs } = served.active;
  const wait = steps[step]?.wait;
  if (wait?.kind === 'time' && stepMs < wait.ms) return unchanged(served);
  const next = steps[step + 1];
  if (next === undefined || obstacleBack(served, served.active, situation) !== undefined) return unchanged(served);
  return next.end === 'rollback' ? arrive(back.why) : enter(served, situation, next, 'step', 'engine', back.why);
}

/** Time counts for the step, and for the deadline unless nobody but a person can end the wait. */
function serve(state: RolloutState, active: ActiveRun, passedMs: number): Served {
  if (passedMs === 0) return { ...state, active };
  const isWaiting = active.steps[active.step]?.wait?.kind === 'promotion';
  const activeMs = active.activeMs + (isWaiting ? 0 : passedMs);
  return { ...state, active: { ...active, stepMs: active.stepMs + passedMs, activeMs } };
}

/** A release that has reached everybody is no longer late. */
function overdueReason({ active: { deadlineMs, activeMs, weight } }: Served): string | undefined {
  if (deadlineMs === undefined || activeMs <= deadlineMs || weight === FULL) return undefined;
  return `not promoted within its deadline of ${seconds(deadlineMs)} under way`;
}

function afterWait(state: Served, situation: Situation): Outcome {
  const { active } = state;
  const wait = active.steps[active.step]?.wait;
  const { judgement } = situation;
  switch (wait?.kind) {
    case 'promotion':
      return unchanged(state);
    case 'time':
    case 'bake':
      return active.stepMs < wait.ms ? unchanged(state) : next(state, situation, `${active.steps[active.step]?.title ?? ''} is over`);
    case 'measure':
      return active.stepMs < wait.ms ? unchanged(state) : ramp(state, situation);
    case 'evidence':
      if (judgement?.decision === 'safe' && active.stepMs >= wait.atLeastMs && situation.checks?.unproved === undefined)
        return next(state, situation, judgement.message);
      if (wait.timeoutMs > 0 && active.stepMs >= wait.timeoutMs) return undecided(state, situation, wait.timeoutMs);
      return unchanged(state);
    default:
      return next(state, situation, active.step < 0 ? 'the release begins' : `${active.steps[active.step]?.title ?? ''} is in force`);
  }
}

function ramp(state: Served, situation: Situation): Outcome {
  const rate = situation.ratePerS ?? 0;
  const { steps: known, step, analysis, approval } = state.active;
  const ramped = rampSteps(rate, analysis.warmupMs, inRace(state).length);
  const steps = [...known.slice(0, step + 1), ...withApprovals(ramped, approval)];
  return next({ ...state, active: { ...state.active, steps } }, situation, `the host gets ${rateText(rate)}`);
}

function undecided(state: Served, situation: Situation, timeoutMs: number): Outcome {
  const { judgement } = situation;
  const unproved = judgement?.decision === 'safe' ? situation.checks?.unproved : undefined;
  const why = `no verdict within ${seconds(timeoutMs)}: ${unproved ?? judgement?.message ?? 'nothing to compare'}`;
  if (state.active.onInconclusive === 'rollback' && canReturn(situation)) {
    const cleared = inRace(state).filter((subset) => judgementOf(situation, subset)?.decision === 'safe');
    const leaving = others(state, cleared);
    if (cleared.length === 0 || leaving.length === 0 || situation.checks?.unproved !== undefined)
      return takeBack(state, situation, 'rolledBack', 'rollback', 'engine', why, judgement);
    const rest = narrowed(situation, cleared);
    // Those that are cleared go on in the same moment: without the others their evidence starts anew.
    if (!situation.stable.isReady || obstacle(state.active, rest) !== undefined) return unchanged(state);
    if (situation.checks?.unconfirmed !== undefined) return { state, records: [], asks: true };
    const leavers = leaving.map((subset): Leaving => {
      const found = judgementOf(situation, subset)?.message ?? 'nothing to compare';
      return { subset, fate: 'dropped', reason: `no verdict within ${seconds(timeoutMs)}: ${found}` };
    });
    return joined(drop(state, situation, leavers), (then) => next(then, rest, rest.judgement?.message ?? ''));
  }
  return hold(state, situation, { by: 'undecided', message: why }, judgement);
}

/** Why the next step cannot be entered yet; undefined when it can. */
export function obstacle(active: ActiveRun, situation: Situation): string | undefined {
  const step = active.steps[active.step + 1];
  if (step === undefined) return undefined;
  const { set } = step;
  const grows = (set?.weight ?? 0) > active.weight || set?.route?.match !== undefined || (set?.mirror ?? 0) > active.mirror;
  if (!grows) return undefined;
  if (situation.frozen !== undefined) return `frozen ${situation.frozen}`;
  if (!situation.canary.isReady) return situation.canary.reason;
  const isUnseen = active.weight > 0 && active.weight < FULL && (situation.judgement?.canaryRequests ?? 0) === 0;
  if (isUnseen && (set?.weight ?? 0) > active.weight)
    return `no canary request${unseenOf(situation)} at ${percent(active.weight)} % yet: without data the release neither passes nor fails`;
  return situation.checks?.doubt;
}

/** Which of several candidates it is about. */
function unseenOf({ each = {} }: Situation): string {
  const unseen = Object.entries(each).filter(([, { judgement }]) => (judgement?.canaryRequests ?? 0) === 0);
  return unseen.length === 0 ? '' : ` to ${unseen.map(([subset]) => subset).join(' and ')}`;
}

/** Enters the next step, or ends the run after the last; stays where an obstacle stands in the way. @param why The wait before is over. */
function next(state: Served, situation: Situation, why: string): Outcome {
  const { active } = state;
  const step = active.steps[active.step + 1];
  if (step === undefined)
    return promoted(
      state,
      situation,
      'engine',
      `${why}; ${active.steps.length === 1 ? 'the step is' : `all ${active.steps.length} steps are`} done`,
    );
  if (obstacle(active, situation) !== undefined) return unchanged(state);
  if (situation.checks?.unconfirmed !== undefined) return { state, records: [], asks: true };
  if (!needsChoice(state, step)) return enter(state, situation, step, 'step', 'engine', why);
  const proven = inRace(state).find((subset) => judgementOf(situation, subset)?.decision === 'safe');
  if (step.choose === undefined || proven === undefined) return hold(state, situation, choiceHold(state, why), situation.judgement);
  const chosen = choose(state, situation, proven, 'engine', 'it is the first of them that is proven not to be worse');
  return joined(chosen, (then) => enter(then, narrowed(situation, [proven]), step, 'step', 'engine', why));
}

/** Everybody moves to one of them, and only one. */
export function needsChoice(state: RolloutState, step: PlannedStep): boolean {
  return step.set?.weight === FULL && inRace(state).length > 1;
}

function choiceHold(state: RolloutState, why: string): Hold {
  const racing = inRace(state);
  const how = racing.map((subset) => `--to ${subset}`).join(' or ');
  return { by: 'choice', message: `${why}; ${racing.join(' and ')} are still in the race: serin rollout promote ${how}` };
}

/** @param action `step`, or `promote` when a person ended the wait before. */
export function enter(
  state: RolloutState & { readonly active: ActiveRun },
  situation: Situation,
  step: PlannedStep,
  action: DecisionAction,
  by: string,
  why: string,
): Outcome {
  const { approved: _ofTheStepBefore, proved: _before, ...active } = state.active;
  if (step.end === 'rollback')
    return takeBack(state, situation, 'rolledBack', 'rollback', by, `${why}; ${step.title}`, situation.judgement);
  const index = active.step + 1;
  const proved = (step.set?.weight ?? 0) > active.weight ? situation.judgement?.proved : state.active.proved;
  const entered = settle(state, { ...active, ...(proved === undefined ? {} : { proved }), step: index, stepMs: 0 }, step.set);
  const reason = `step ${index + 1} of ${active.steps.length}: ${step.title}; ${why}`;
  return recorded(entered, situation, action, by, reason, situation.judgement);
}

/** The settings of a step come into force; a new share is a new stratum. */
function settle(state: RolloutState, active: ActiveRun, set: StepSettings | undefined): RolloutState {
  const weight = set?.weight ?? active.weight;
  const routes = set?.route === undefined ? active.routes : withRoute(active.routes, set.route, inRace(state));
  const epoch = weight === active.weight ? state.epoch : state.epoch + 1;
  const { mirrorTo: _before, ...rest } = active;
  const mirror = set?.mirror === undefined ? {} : { mirror: set.mirror, ...(set.mirrorTo === undefined ? {} : { mirrorTo: set.mirrorTo }) };
  return { ...state, epoch, active: { ...(set?.mirror === undefined ? active : rest), weight, routes, ...mirror } };
}

/** A cohort whose version has left is a part of everybody. */
function withRoute(
  routes: ActiveRun['routes'],
  { name, match, to: named }: NonNullable<StepSettings['route']>,
  racing: readonly string[],
): ActiveRun['routes'] {
  const rest = routes.filter((route) => route.name !== name);
  const to = named ?? racing[0];
  return match === undefined || to === undefined || !racing.includes(to) ? rest : [...rest, { name, match, to }];
}

/** Everybody is on the canary, and it is the stable version from now on. */
export function promoted(state: RolloutState & { readonly active: ActiveRun }, situation: Situation, by: string, why: string): Outcome {
  const {
    active: { proved },
    ...rest
  } = state;
  const reason = `${inRace(state).join(', ')} is promoted: ${why}${proved === undefined ? '' : `; ${proved}`}`;
  return recorded({ ...rest, outcome: 'promoted', keptMs: 0 }, situation, 'promote', by, reason, situation.judgement);
}

/** Everybody goes to stable: at once, or step by step where it is cold. @param atOnce As soon as stable is ready, however few its endpoints are. */
export function takeBack(
  state: RolloutState,
  situation: Situation,
  outcome: WayBack['outcome'],
  action: DecisionAction,
  by: string,
  why: string,
  judgement?: Proof,
  atOnce = false,
): Outcome {
  const active = wayBack(state, situation, { outcome, why, atOnce: atOnce || judgement?.failsAll === true });
  if (active === undefined) return ended(state, situation, outcome, action, by, why, judgement);
  const { outcome: _before, keptMs: _kept, ...rest } = state;
  return recorded({ ...rest, active }, situation, action, by, `on the way back to ${state.stable}: ${active.back?.why ?? why}`, judgement);
}

/** Everybody is on stable from this moment on; or, where that is no version any more, on what the files say. */
export function ended(
  state: RolloutState,
  situation: Situation,
  outcome: RunOutcome,
  action: DecisionAction,
  by: string,
  why: string,
  judgement?: Proof,
): Outcome {
  const { active: _ended, ...before } = state;
  const rest = { ...before, keptMs: 0 };
  const reason = `back to ${situation.stable.isMissing === true ? 'what the files say' : state.stable}: ${why}`;
  const epoch = canaryWeight(state) === 0 ? state.epoch : state.epoch + 1;
  const { state: next, records } = recorded({ ...rest, epoch, outcome }, situation, action, by, reason, judgement);
  return { state: next, records, ...(epoch === state.epoch ? {} : { kill: { epoch: state.epoch, subsets: inRace(state) } }) };
}

function hold(state: RolloutState, situation: Situation, why: Hold, judgement?: Proof): Outcome {
  const { active } = state;
  if (active === undefined) return unchanged(state);
  return recorded({ ...state, active: { ...active, hold: why } }, situation, 'pause', 'engine', why.message, judgement);
}

function rateText(perS: number): string {
  if (perS === 0) return 'no requests at present';
  return perS < 1 ? `${(60 * perS).toFixed(1)} requests/min` : `${perS.toFixed(1)} requests/s`;
}

export function seconds(ms: number): string {
  if (ms >= 3_600_000 && ms % 60_000 === 0)
    return `${Math.floor(ms / 3_600_000)}h${ms % 3_600_000 === 0 ? '' : `${(ms % 3_600_000) / 60_000}m`}`;
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000}m`;
  return `${Number((ms / 1000).toFixed(ms < 10_000 ? 1 : 0))}s`;
}
