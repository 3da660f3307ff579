/**
 * What a step asks for before it goes on: that regressions above the budget are ruled out, or, where the traffic cannot decide that in a time people
 * wait, above a multiple of it.
 *
 * A bet of a level gains a known amount for each request if the canary is as good as stable, so the requests it will take are known beforehand
 * (label-bet.ts), and with the traffic the time. What a regression does is proportional to its size, so the larger it is, the longer it is worth
 * waiting until it is ruled out: m times the budget may take m times `patienceMs`. The smallest level that takes no longer is asked for; where none
 * does, the largest, however long it takes. Latency may take as long as the error rate takes anyway. Levels are chosen anew with the thresholds, at block
 * starts, from the traffic and from what stable has usually been like: never from how the canary compares.
 *
 * Validity. Every level has an e-process of its own that runs all the time, and a level is stated with the decision only when its own evidence is there.
 * So for each level, whoever chose it and when: the chance of ever going on with "regressions above m are ruled out" although one as large as m
 * is there is at most `advanceRisk`.
 */
import { growthPerRequest, type LabelBet } from '../stats/label-bet.ts';
import { type AnalysisSpec, RELAX_LEVELS } from './analysis-spec.ts';
import { LEVELS } from './analysis-state.ts';

/** Requests, both arms, until a bet has cleared its metric if the canary is as good as stable. The other alternative has half of the stake. */
function requestsToClear({ advanceRisk, assignment, designEffect }: AnalysisSpec, bet: LabelBet, weight: number): number {
  const gain = growthPerRequest(bet, weight) / (assignment === 'user' ? designEffect : 1);
  return gain > 0 ? (Math.log(1 / advanceRisk) + Math.LN2) / gain : Number.POSITIVE_INFINITY;
}

export interface Ask {
  readonly level: number;
  /** What it is going to take if the canary is as good as stable; 0 while the traffic is not known. */
  readonly ms: number;
}

/**
 * What is asked of a metric in a stage.
 *
 * @param perS     Requests a second to the two versions; undefined while it is not known.
 * @param betAt    That the canary is as good as stable, against the margin of a level.
 * @param anywayMs It may take so long whatever the patience.
 */
export function askWithin(
  spec: AnalysisSpec,
  weight: number,
  perS: number | undefined,
  betAt: (level: number) => LabelBet,
  anywayMs = 0,
): Ask {
  if (perS === undefined) return { level: 0, ms: 0 };
  for (let level = 0; ; level++) {
    const ms = (1000 * requestsToClear(spec, betAt(level), weight)) / perS;
    if (spec.patienceMs === 0 || level === LEVELS - 1 || ms <= Math.max(anywayMs, spec.patienceMs * (RELAX_LEVELS[level] ?? 1)))
      return { level, ms };
  }
}
