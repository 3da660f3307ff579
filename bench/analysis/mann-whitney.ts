/**
 * The Mann-Whitney test as Kayenta's judge runs it (MannWhitney.scala at a69573b): normal approximation with ties and a continuity correction,
 * and the interval and location estimate that come from inverting it.
 *
 * The statistic is a step function of the shift, so each "root" is the pairwise difference at which it jumps over the level. Kayenta finds it with
 * Brent's method to 1e-4; here the jump itself is searched, and comparisons downstream allow for 1e-4.
 */

/** Standardised rank sum of `x - shift` against `y`, continuity corrected. */
export function rankStatistic(x: readonly number[], y: readonly number[], shift: number): number {
  const m = x.length;
  const n = y.length;
  const all = [...x.map((value) => ({ value: value - shift, fromX: true })), ...y.map((value) => ({ value, fromX: false }))];
  all.sort((a, b) => a.value - b.value);
  let rankSum = 0;
  let ties = 0;
  for (let from = 0; from < all.length;) {
    let to = from;
    let inX = 0;
    while (to < all.length && all[to]?.value === all[from]?.value) {
      if (all[to]?.fromX === true) inX++;
      to++;
    }
    const size = to - from;
    rankSum += (inX * (from + 1 + to)) / 2;
    ties += size ** 3 - size;
    from = to;
  }
  const dz = rankSum - (m * (m + 1)) / 2 - (m * n) / 2;
  const variance = ((m * n) / 12) * (m + n + 1 - ties / ((m + n) * (m + n - 1)));
  return variance > 0 ? (dz - 0.5 * Math.sign(dz)) / Math.sqrt(variance) : 0;
}

export interface Shift {
  /** Lower end of the two-sided interval. */
  readonly low: number;
  /** Hodges-Lehmann estimate. */
  readonly estimate: number;
}

/** Lower end at the normal quantile `z`, and estimate, of how much larger `x` is than `y`. */
export function shiftOf(x: readonly number[], y: readonly number[], z: number): Shift {
  const differences = Float64Array.from(new Set(x.flatMap((a) => y.map((b) => a - b)))).sort();
  return { low: jump(x, y, differences, z), estimate: jump(x, y, differences, 0) };
}

/** The difference at which the statistic, falling with the shift, comes down to `level`. */
function jump(x: readonly number[], y: readonly number[], differences: Float64Array, level: number): number {
  let low = 0;
  let high = differences.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    const after = ((differences[middle] ?? 0) + (differences[middle + 1] ?? 0)) / 2;
    if (rankStatistic(x, y, after) <= level) high = middle;
    else low = middle + 1;
  }
  return differences[low] ?? 0;
}
