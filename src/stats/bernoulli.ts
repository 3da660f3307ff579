/**
 * Divergence and odds of a coin: what says how many requests a comparison of two failure rates needs.
 *
 * A bet that is right gains, per request of its arm, the Kullback-Leibler divergence between the truth and the null (Kelly 1956; Grünwald,
 * de Heide, Koolen, *Safe testing*, JRSSB 2024, §3), so evidence of `1/alpha` takes about `ln(1/alpha) / KL` of them.
 */

/** KL(p || q) between two coins, nats. @param p In [0, 1]. @param q In (0, 1). */
export function bernoulliDivergence(p: number, q: number): number {
  const bad = p > 0 ? p * Math.log(p / q) : 0;
  const good = p < 1 ? (1 - p) * Math.log((1 - p) / (1 - q)) : 0;
  return bad + good;
}

/** The probability whose odds are `factor` times those of `p`. Stays in (0, 1) for p in (0, 1), however large the factor. */
export function timesOdds(p: number, factor: number): number {
  const scaled = p * factor;
  return scaled / (scaled + 1 - p);
}
