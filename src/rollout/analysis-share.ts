/** How the shares of a release become the stages of its analysis. */
import { FULL } from './spec.ts';
import type { AnalysisState } from './analysis-state.ts';
import { beginStage, startCanary } from './analysis.ts';
import type { ActiveRun } from './state.ts';

/**
 * A share is in force from the next tick on: the canary's first one starts the evidence, each other one a stage. With nobody on one side there is
 * nothing to compare.
 *
 * @param weight     Canary's share of the requests to the two versions that are compared, 0 to `FULL`.
 * @param nextWeight The share it is to be cleared for.
 */
export function enterShare(analysis: AnalysisState, weight: number, nextWeight: number): void {
  if (weight <= 0 || weight >= FULL) return;
  if (analysis.started === 0) startCanary(analysis);
  const share = weight / FULL;
  if (analysis.stage.number > 0 && analysis.stage.weight === share) return;
  beginStage(analysis, { weight: share, nextWeight: nextWeight > weight ? nextWeight / FULL : 1, minimumMs: 0 });
}

/** The share that comes after the one in force, 0 to `FULL`. */
export function nextWeightOf({ steps, step }: ActiveRun): number {
  return steps.slice(step + 1).find(({ set }) => set?.weight !== undefined)?.set?.weight ?? FULL;
}
