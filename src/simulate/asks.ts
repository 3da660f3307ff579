/** What the analyses of a plan will ask for at the stated traffic, as far as the error rate goes: known before a single request is simulated. */
import { canariesOf, type RolloutSpec } from '../config/serin/rollout-spec.ts';
import { askOfErrors, errorMargin } from '../rollout/analysis-bets.ts';
import { RELAX_LEVELS } from '../rollout/analysis-spec.ts';
import { analysisSpecOf, FULL, type PlannedStep } from '../rollout/spec.ts';
import type { Traffic } from './question.ts';

export interface StageAsk {
  /** Shares of all candidates together, percent. */
  readonly fromPercent: number;
  readonly toPercent: number;
  /** Rise of the failing share that is to be ruled out. */
  readonly rise: number;
  /** How many times the budget that is. */
  readonly times: number;
  /** About how long it takes if the release is good. */
  readonly expectedMs: number;
}

/** @param steps All the plan has, in order. */
export function asksOf(spec: RolloutSpec, steps: readonly PlannedStep[], { ratePerS, failing }: Traffic): readonly StageAsk[] {
  const canaries = canariesOf(spec).length;
  const analysis = analysisSpecOf(spec.analysis, spec.assignment?.by === 'user', steps, canaries);
  const asks: StageAsk[] = [];
  let weight = 0;
  for (const [index, { set, wait }] of steps.entries()) {
    weight = set?.weight ?? weight;
    if (wait?.kind !== 'evidence' || weight <= 0 || weight >= FULL) continue;
    const next = steps.slice(index + 1).find((step) => step.set?.weight !== undefined)?.set?.weight ?? FULL;
    // One comparison sees what goes to its candidate and to stable.
    const compared = weight / canaries + FULL - weight;
    const stage = { weight: weight / canaries / compared, nextWeight: next / FULL };
    const perS = (ratePerS * compared) / FULL;
    const { level, ms } = askOfErrors(analysis, stage, Math.max(failing, SMALLEST_SHARE), perS);
    asks.push({
      fromPercent: weight / 100,
      toPercent: next / 100,
      rise: errorMargin(analysis, stage.nextWeight, level),
      times: RELAX_LEVELS[level] ?? 1,
      expectedMs: ms,
    });
  }
  return asks;
}

/** Nobody can know that a version never fails: what one learns within some thousand requests. */
const SMALLEST_SHARE = 1e-4;
