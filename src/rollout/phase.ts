/** The phase of a release, as Argo Rollouts names them, and one sentence about what it waits for. Pure, derived from the state. */
import { approvalMessage, approvingOf } from './approval.ts';
import { obstacle, seconds } from './plan.ts';
import { inRace } from './race.ts';
import type { Situation } from './situation.ts';
import { FULL, percent } from './spec.ts';
import { type ActiveRun, type RolloutState, servingSubset } from './state.ts';
import { obstacleBack } from './way-back.ts';

/** Healthy: nothing under way. Paused: a pause, timed or not. Degraded: taken back. */
export type Phase = 'Healthy' | 'Progressing' | 'Paused' | 'Degraded';

export function phaseOf({ active, outcome }: RolloutState): Phase {
  if (active === undefined) return outcome === undefined || outcome === 'promoted' || outcome === 'settled' ? 'Healthy' : 'Degraded';
  if (active.hold !== undefined) return 'Paused';
  if (active.back !== undefined) return 'Progressing';
  const { step, steps } = active;
  const wait = steps[step]?.wait;
  return wait?.kind === 'promotion' || (wait?.kind === 'time' && active.stepMs < wait.ms) ? 'Paused' : 'Progressing';
}

/** @param reason Of the last decision, for a release that has ended. */
export function messageOf(state: RolloutState, situation: Situation, reason: string | undefined): string {
  const { active, outcome } = state;
  if (active === undefined) {
    if (outcome !== undefined) return reason ?? `${servingSubset(state)} serves`;
    return situation.blocked ?? 'not started: the files are in force';
  }
  const { step, steps, hold, stepMs } = active;
  if (hold !== undefined) return hold.message;
  const current = steps[step];
  if (active.back !== undefined && step < 0)
    return `about to go back to ${state.stable}: ${obstacleBack(state, active, situation) ?? active.back.why}`;
  const at = step < 0 ? 'about to begin' : `step ${step + 1} of ${steps.length}, ${current?.title ?? ''}`;
  if (!situation.isInForce) return `${at}: ${situation.blocked ?? 'waits until the data plane has acknowledged it'}`;
  const wait = current?.wait;
  switch (wait?.kind) {
    case 'promotion': {
      const approving = approvingOf(active);
      return `${at}: ${approving === undefined ? 'waits for serin rollout promote' : approvalMessage(approving)}`;
    }
    case 'time':
    case 'bake':
    case 'measure':
      if (stepMs < wait.ms) return `${at}: ${seconds(Math.ceil((wait.ms - stepMs) / 1000) * 1000)} left`;
      break;
    case 'evidence':
      return `${at}: ${evidenceMessage(active, situation)}`;
  }
  const why =
    active.back === undefined ? (obstacle(active, situation) ?? situation.checks?.unconfirmed) : obstacleBack(state, active, situation);
  if (why !== undefined) return `${at}: ${why}`;
  return active.weight === FULL ? `${at}: everybody is on ${inRace(state).join(', ')}` : at;
}

/** The traffic first; once that is enough, what the metrics say. */
function evidenceMessage({ weight }: ActiveRun, { judgement, checks }: Situation): string {
  const open = checks?.unproved ?? checks?.doubt ?? checks?.unconfirmed;
  if (judgement?.decision === 'safe' && open !== undefined) return open;
  return judgement?.message ?? `at ${percent(weight)} % there is nothing to compare yet`;
}
