/**
 * How much more often the canary fails, over strata that must not be pooled: estimate and interval for people to read.
 *
 * Estimate: Mantel-Haenszel weights for the risk difference (Greenland & Robins, *Estimation of a common effect parameter from sparse follow-up
 * data*, Biometrics 1985): D = sum (n_s f_c - n_c f_s) / n  /  W,  W = sum n_c n_s / n, a stratum being a stretch of time at one weight, so
 * that neither a trend nor a weight change is mistaken for an effect.
 *
 * Interval: Robbins' normal mixture boundary, two-sided (Howard, Ramdas, McAuliffe, Sekhon, *Time-uniform, nonparametric, nonasymptotic confidence
 * sequences*, Annals of Statistics 2021, eq. 14) on the variance V = sum (n_c n_s / n) k (1 - k), k the stratum's pooled rate:
 *
 *     D +- sqrt((V + rho) (ln(1 + V / rho) + 2 ln(1 / level))) / W
 *
 * It may be looked at as often as one likes, but with an estimated variance it is asymptotic (Waudby-Smith et al., *Time-uniform central limit
 * theory and asymptotic confidence sequences*, Annals of Statistics 2024). So it is shown and never gates a decision.
 */

/** Sums over strata; all 0 at first. */
export interface RiskDifference {
  difference: number;
  weight: number;
  variance: number;
}

export interface Estimate {
  readonly effect: number;
  readonly low: number;
  readonly high: number;
}

/** Adds a stratum. Without requests on both sides it says nothing and changes nothing. */
export function addStratum(sums: RiskDifference, canary: number, canaryFailures: number, stable: number, stableFailures: number): void {
  if (canary <= 0 || stable <= 0) return;
  const total = canary + stable;
  const weight = (canary * stable) / total;
  const pooled = (canaryFailures + stableFailures) / total;
  sums.difference += (stable * canaryFailures - canary * stableFailures) / total;
  sums.weight += weight;
  sums.variance += weight * pooled * (1 - pooled);
}

/**
 * @param level            Probability that the interval ever misses, in (0, 1).
 * @param expectedVariance V at which the interval is to be narrowest, > 0, fixed before the data.
 * @returns                Undefined while there is nothing to compare. The interval stays within [-1, 1].
 */
export function riskDifference(sums: Readonly<RiskDifference>, level: number, expectedVariance: number): Estimate | undefined {
  if (sums.weight <= 0) return undefined;
  const doubleLog = 2 * Math.log(1 / level);
  const rho = expectedVariance / (doubleLog + Math.log1p(doubleLog));
  const effect = sums.difference / sums.weight;
  const half = Math.sqrt((sums.variance + rho) * (Math.log1p(sums.variance / rho) + doubleLog)) / sums.weight;
  return { effect, low: Math.max(-1, effect - half), high: Math.min(1, effect + half) };
}
