/**
 * An interval for a quantile that holds at every sample size at once.
 *
 * Howard & Ramdas, *Sequential estimation of quantiles with applications to A/B testing and best-arm identification*, Bernoulli 28(3) 2022,
 * Theorem 1 with the constants of its introduction: with probability at least 1 - level, for all n at once, the p-quantile lies between the
 * sample quantiles at p - f and p + f,
 *
 *     f = 1.5 sqrt(p (1 - p) l) + 0.8 l,   l = (1.4 ln ln(2.1 n) + ln(10 / level)) / n
 *
 * Assumes independent draws from one distribution, which traffic is not quite; so the interval is shown and never gates a decision.
 */

/** Ranks (as probabilities) of the ends; outside (0, 1) that end is not known yet. @param count Draws so far. */
export function quantileBand(p: number, count: number, level: number): readonly [low: number, high: number] {
  if (count < 1) return [0, 1];
  const l = (1.4 * Math.log(Math.log(2.1 * Math.max(count, 2))) + Math.log(10 / level)) / count;
  const half = 1.5 * Math.sqrt(p * (1 - p) * l) + 0.8 * l;
  return [p - half, p + half];
}
