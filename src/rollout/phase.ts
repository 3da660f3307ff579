/** The phase of a release, as Argo Rollouts names them, and one sentence about what it waits for. Pure, derived from the state. */
import { obstacle, seconds } from './plan.ts';
import type { Situation } from './situation.ts';
import { FULL, percent } from './spec.ts';
import { type RolloutState, servingSubset } from './state.ts';

/** Healthy: nothing under way. Paused: a pause, timed or not. Degraded: taken back. */
export type Phase = 'Healthy' | 'Progressing' | 'Paused' | 'Degraded';

export function phaseOf({ active, outcome }: RolloutState): Phase {
  if (active === undefined) return outcome === undefined || outcome === 'promoted' || outcome === 'settled' ? 'Healthy' : 'Degraded';
  if (active.hold !== undefined) return 'Paused';
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
  const at = step < 0 ? 'about to begin' : `step ${step + 1} of ${steps.length}, ${current?.title ?? ''}`;
  if (!situation.isInForce) return `${at}: ${situation.blocked ?? 'waits until the data plane has acknowledged it'}`;
  const wait = current?.wait;
  switch (wait?.kind) {
    case 'promotion':
      return `${at}: waits for serin rollout promote`;
    case 'time':
    case 'bake':
    case 'measure':
      if (stepMs < wait.ms) return `${at}: ${seconds(Math.ceil((wait.ms - stepMs) / 1000) * 1000)} left`;
      break;
    case 'evidence':
      return `${at}: ${situation.judgement?.message ?? `at ${percent(active.weight)} % there is nothing to compare yet`}`;
  }
  const why = obstacle(active, situation);
  if (why !== undefined) return `${at}: ${why}`;
  return active.weight === FULL ? `${at}: everybody is on ${state.canary}` : at;
}
