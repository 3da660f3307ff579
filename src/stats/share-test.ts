/**
 * Does the canary get the share of requests its weight promises (sample-ratio mismatch)?
 *
 * Every label is "canary" with probability w. Against the alternative that its probability is phi * w, the likelihood ratio of `n_c` canary and
 * `n_s` stable labels is phi^n_c ((1 - phi w)/(1 - w))^n_s, a test martingale whatever the outcomes are; a uniform mixture over phi covers shares
 * from none to 2.5 times too many. The mixture idea is Lindon & Malek, *Anytime-valid inference for multinomial count data*, NeurIPS 2022, §2;
 * a grid replaces their Dirichlet prior because w changes from stage to stage while phi does not.
 *
 * A mismatch means that something between the draw and the counters loses requests (ejection, affinity, lagging weights), and it
 * invalidates every other test of the analysis, since those bet on the same labels.
 */
import { DEAD, logAdd, logSum } from './log-sum.ts';

/** Multiples of the promised share. */
const FACTORS: readonly number[] = [0, 0.25, 0.5, 0.75, 0.9, 1.1, 1.5, 2.5];

export const SHARE_COMPONENTS = FACTORS.length;

/** Multiplies each component (logarithms) by its likelihood ratio. @param weight In (0, 1), as it was when the labels were drawn. */
export function betOnShares(components: Float64Array, weight: number, canary: number, stable: number): void {
  for (let i = 0; i < SHARE_COMPONENTS; i++) {
    const factor = FACTORS[i] ?? 1;
    // A share above 1 is no probability: half-way between the weight and 1 is then the alternative.
    const share = Math.min(factor * weight, (1 + weight) / 2);
    const lost = share === 0 ? (canary > 0 ? DEAD : 0) : canary * Math.log(share / weight);
    components[i] = Math.max(DEAD, (components[i] ?? DEAD) + lost + stable * Math.log((1 - share) / (1 - weight)));
  }
}

/** log of the mean of the components, plus the mass that was kept back. */
export function shareEvidence(components: Float64Array, unspent: number): number {
  const mean = logSum(components) - Math.log(SHARE_COMPONENTS);
  return unspent > 0 ? logAdd(mean, Math.log(unspent)) : mean;
}
