import { describe, expect, test } from 'vitest';
import { DEAD, logAdd, logSum } from './log-sum.ts';

describe('sums of logarithms', () => {
  test.each([
    [Math.log(2), Math.log(3), Math.log(5)],
    [1000, 1000, 1000 + Math.LN2],
    [-1e8, 0, 0],
    [DEAD, -3, -3],
  ])('logAdd(%d, %d)', (a, b, expected) => {
    expect(logAdd(a, b)).toBeCloseTo(expected, 12);
    expect(logAdd(b, a)).toBeCloseTo(expected, 12);
  });

  test('logSum takes the part it is asked for', () => {
    const values = Float64Array.of(99, Math.log(1), Math.log(2), Math.log(3), 99);
    expect(logSum(values, 1, 3)).toBeCloseTo(Math.log(6), 12);
  });

  test('no term, and dead terms, are dead, not NaN', () => {
    expect(logSum([])).toBe(DEAD);
    expect(Math.exp(logSum([DEAD, DEAD]))).toBe(0);
    expect(Math.exp(DEAD)).toBe(0);
  });
});
