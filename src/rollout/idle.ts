/** Which versions a release does not need run at the moment. Pure; what a rule of the files sends to runs all the same (workload/idle-versions.ts). */
import { type RolloutState, servingSubset } from './state.ts';

/** Subsets of the last run, or of the one to come. */
export function versionsOf({ stable, canaries }: Pick<RolloutState, 'stable' | 'canaries'>): readonly string[] {
  return [stable, ...canaries];
}

/**
 * Under way, and for a while after the end, all versions run; else the one that serves.
 *
 * @param released Every subset that a run was ever of.
 * @returns        By subset: why it need not run.
 */
export function idleSubsets(state: RolloutState, released: readonly string[]): Readonly<Record<string, string>> {
  const { canaries, active, keptMs, outcome } = state;
  const serving = servingSubset(state);
  const needed = active === undefined && keptMs === undefined ? [serving] : versionsOf(state);
  const why = (subset: string): string => {
    const isCandidate = canaries.includes(subset);
    if (isCandidate && (outcome === undefined || outcome === 'settled')) return 'its release has not started';
    return isCandidate && outcome !== 'promoted' ? 'its release was taken back' : `${serving} serves in its place`;
  };
  const idle = [...new Set([...versionsOf(state), ...released])].filter((subset) => !needed.includes(subset));
  return Object.fromEntries(idle.map((subset) => [subset, why(subset)]));
}
