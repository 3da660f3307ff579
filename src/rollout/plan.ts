/**
 * The decision of one moment: `plan(state, situation) -> Outcome`. Pure; the engine performs it: first the kill switch where one is asked for,
 * then the state is made durable, then the data plane is told.
 *
 *     Healthy --start--> Progressing <--> Paused --last step--> Healthy (promoted)
 *                             \------------\--proof, abort, deadline--> Degraded (everybody on stable)
 *
 * Invariants (plan.test.ts runs random lives against them):
 * 1. At most one step is entered at a time, and only the next one; a person's `promote` may leave a wait early, `--full` may skip the rest.
 * 2. Nothing grows until the data plane has acknowledged what was decided before.
 * 3. Every change of step, share or phase comes with a record.
 * 4. Stable gets nothing only when the last weight is reached, and everything at once when the release is taken back.
 * 5. Time counts only while it is served: not while held, frozen out, unacknowledged or down.
 */
import {
  type DecisionAction,
  type DecisionRecord,
  type Hold,
  type Outcome as RunOutcome,
  type ActiveRun,
  type RolloutState,
} from './state.ts';
import { canaryWeight } from './state.ts';
import type { Judgement, Situation } from './situation.ts';
import { FULL, percent, type PlannedStep, rampSteps, type StepSettings } from './spec.ts';

export interface Outcome {
  /** The same object when nothing changed at all; times alone change without a record. */
  readonly state: RolloutState;
  readonly records: readonly DecisionRecord[];
  /** The canary must get nothing from this instant on, before anything is written: its old epoch. */
  readonly kill?: number;
}

/** What happens by itself. */
export function plan(state: RolloutState, situation: Situation): Outcome {
  const { active } = state;
  if (active === undefined) return unchanged(state);
  const { judgement } = situation;
  if (judgement?.decision === 'rollback') {
    if (situation.stable.isReady) return takeBack(state, situation, 'rolledBack', 'rollback', 'engine', judgement.message, judgement);
    return active.hold === undefined
      ? hold(
          state,
          situation,
          { by: 'share', message: `${judgement.message}; but ${situation.stable.reason}, so the traffic stays` },
          judgement,
        )
      : unchanged(state);
  }
  if (active.hold !== undefined) return unchanged(state);
  if (judgement?.decision === 'inconclusive' && judgement.cause === 'traffic' && !active.shareAccepted)
    return hold(state, situation, { by: 'share', message: judgement.message }, judgement);
  if (!situation.isInForce) return unchanged(state);
  const served = serve(state, active, situation.passedMs);
  const overdue = overdueReason(served);
  if (overdue !== undefined && situation.stable.isReady)
    return takeBack(state, situation, 'rolledBack', 'rollback', 'engine', overdue, judgement);
  return afterWait(served, situation);
}

function unchanged(state: RolloutState): Outcome {
  return { state, records: [] };
}

interface Served extends RolloutState {
  readonly active: ActiveRun;
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
      if (judgement?.decision === 'safe' && active.stepMs >= wait.atLeastMs) return next(state, situation, judgement.message);
      if (wait.timeoutMs > 0 && active.stepMs >= wait.timeoutMs) return undecided(state, situation, wait.timeoutMs);
      return unchanged(state);
    default:
      return next(state, situation, active.step < 0 ? 'the release begins' : `${active.steps[active.step]?.title ?? ''} is in force`);
  }
}

function ramp(state: Served, situation: Situation): Outcome {
  const rate = situation.ratePerS ?? 0;
  const steps = [...state.active.steps.slice(0, state.active.step + 1), ...rampSteps(rate, state.active.analysis.warmupMs)];
  return next({ ...state, active: { ...state.active, steps } }, situation, `the host gets ${rate.toFixed(1)} requests/s`);
}

function undecided(state: Served, situation: Situation, timeoutMs: number): Outcome {
  const { judgement } = situation;
  const why = `no verdict within ${seconds(timeoutMs)}: ${judgement?.message ?? 'nothing to compare'}`;
  if (state.active.onInconclusive === 'rollback' && situation.stable.isReady)
    return takeBack(state, situation, 'rolledBack', 'rollback', 'engine', why, judgement);
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
    return `no canary request at ${percent(active.weight)} % yet: without data the release neither passes nor fails`;
  return undefined;
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
  return enter(state, situation, step, 'step', 'engine', why);
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
  const { active } = state;
  if (step.end === 'rollback')
    return takeBack(state, situation, 'rolledBack', 'rollback', by, `${why}; ${step.title}`, situation.judgement);
  const index = active.step + 1;
  const entered = settle(state, { ...active, step: index, stepMs: 0 }, step.set);
  const reason = `step ${index + 1} of ${active.steps.length}: ${step.title}; ${why}`;
  return recorded(entered, situation, action, by, reason, situation.judgement);
}

/** The settings of a step come into force; a new share is a new stratum. */
function settle(state: RolloutState, active: ActiveRun, set: StepSettings | undefined): RolloutState {
  const weight = set?.weight ?? active.weight;
  const routes = set?.route === undefined ? active.routes : withRoute(active.routes, set.route, state.canary);
  const epoch = weight === active.weight ? state.epoch : state.epoch + 1;
  return { ...state, epoch, active: { ...active, weight, routes, mirror: set?.mirror ?? active.mirror } };
}

function withRoute(routes: ActiveRun['routes'], { name, match }: NonNullable<StepSettings['route']>, to: string): ActiveRun['routes'] {
  const others = routes.filter((route) => route.name !== name);
  return match === undefined ? others : [...others, { name, match, to }];
}

/** Everybody is on the canary, and it is the stable version from now on. */
export function promoted(state: RolloutState & { readonly active: ActiveRun }, situation: Situation, by: string, why: string): Outcome {
  const { active: _ended, ...rest } = state;
  const reason = `${state.canary} is promoted: ${why}`;
  return recorded({ ...rest, outcome: 'promoted' }, situation, 'promote', by, reason, situation.judgement);
}

/** Everybody goes to stable, at once. */
export function takeBack(
  state: RolloutState,
  situation: Situation,
  outcome: RunOutcome,
  action: DecisionAction,
  by: string,
  why: string,
  judgement?: Judgement,
): Outcome {
  const { active: _ended, ...rest } = state;
  const reason = `back to ${state.stable}: ${why}`;
  const epoch = canaryWeight(state) === 0 ? state.epoch : state.epoch + 1;
  const { state: next, records } = recorded({ ...rest, epoch, outcome }, situation, action, by, reason, judgement);
  return { state: next, records, ...(epoch === state.epoch ? {} : { kill: state.epoch }) };
}

function hold(state: RolloutState, situation: Situation, why: Hold, judgement?: Judgement): Outcome {
  const { active } = state;
  if (active === undefined) return unchanged(state);
  return recorded({ ...state, active: { ...active, hold: why } }, situation, 'pause', 'engine', why.message, judgement);
}

/** The only way a record is made, so that none is forgotten and each says where the release stands afterwards. */
export function recorded(
  state: RolloutState,
  { nowMs }: Pick<Situation, 'nowMs'>,
  action: DecisionAction,
  by: string,
  reason: string,
  judgement?: Judgement,
): Outcome {
  const record: DecisionRecord = {
    at: new Date(nowMs).toISOString(),
    by,
    action,
    reason,
    run: state.run,
    step: state.active?.step ?? -1,
    canaryPercent: percent(canaryWeight(state)),
    ...(judgement === undefined ? {} : { evidence: judgement.evidence }),
  };
  return { state: { ...state, revision: state.revision + 1 }, records: [record] };
}

export function seconds(ms: number): string {
  if (ms >= 3_600_000 && ms % 60_000 === 0)
    return `${Math.floor(ms / 3_600_000)}h${ms % 3_600_000 === 0 ? '' : `${(ms % 3_600_000) / 60_000}m`}`;
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000}m`;
  return `${Number((ms / 1000).toFixed(ms < 10_000 ? 1 : 0))}s`;
}
