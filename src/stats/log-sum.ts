/**
 * Sums of numbers kept as logarithms.
 *
 * Evidence grows and shrinks exponentially (a day of requests moves a component by thousands of nats), so it is never exponentiated on its
 * own: sums take out the largest term first. An empty or dead term is `DEAD`, not -Infinity, because 0 * -Infinity is NaN.
 */

/** Logarithm that stands for zero. Multiplied by a count it stays finite, and `exp` of it is exactly 0. */
export const DEAD = -1e9;

/** log(exp(a) + exp(b)). */
export function logAdd(a: number, b: number): number {
  return a > b ? a + Math.log1p(Math.exp(b - a)) : b + Math.log1p(Math.exp(a - b));
}

/** log of the sum of exp over `count` values from `from` on; `DEAD` for none. */
export function logSum(values: ArrayLike<number>, from = 0, count = values.length - from): number {
  let top = DEAD;
  for (let i = from; i < from + count; i++) {
    const value = values[i] ?? DEAD;
    if (value > top) top = value;
  }
  let sum = 0;
  for (let i = from; i < from + count; i++) sum += Math.exp((values[i] ?? DEAD) - top);
  return sum === 0 ? DEAD : top + Math.log(sum);
}
