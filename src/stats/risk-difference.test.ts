import { describe, expect, test } from 'vitest';
import { seededRandom } from '../base/random.ts';
import { addStratum, riskDifference } from './risk-difference.ts';
import type { RiskDifference } from './risk-difference.ts';

function sumsOf(strata: readonly (readonly [number, number, number, number])[]): RiskDifference {
  const sums = { difference: 0, weight: 0, variance: 0 };
  for (const [canary, canaryFailures, stable, stableFailures] of strata) addStratum(sums, canary, canaryFailures, stable, stableFailures);
  return sums;
}

describe('riskDifference', () => {
  test('one stratum is the plain difference', () => {
    expect(riskDifference(sumsOf([[100, 7, 300, 9]]), 0.05, 10)?.effect).toBeCloseTo(0.04, 12);
  });

  test('two strata by hand: weights n_c n_s / n', () => {
    const found = riskDifference(
      sumsOf([
        [10, 2, 90, 9],
        [50, 5, 50, 4],
      ]),
      0.05,
      10,
    );
    expect(found?.effect).toBeCloseTo((9 * 0.1 + 25 * 0.02) / 34, 12);
  });

  test("a weight raised in worse times is not an effect (Simpson's paradox)", () => {
    // 1 % fails at weight 5 %, 10 % fails at weight 50 %, on both sides; pooled the canary would fail 9.2 %, stable 4.1 %.
    const found = riskDifference(
      sumsOf([
        [500, 5, 9500, 95],
        [5000, 500, 5000, 500],
      ]),
      0.05,
      10,
    );
    expect(found?.effect).toBeCloseTo(0, 12);
  });

  test('without requests on one side there is nothing to say', () => {
    expect(
      riskDifference(
        sumsOf([
          [0, 0, 100, 1],
          [100, 1, 0, 0],
        ]),
        0.05,
        10,
      ),
    ).toBeUndefined();
  });

  test('the interval stays within what a difference can be, and has width even when nothing failed', () => {
    const few = riskDifference(sumsOf([[1, 1, 1, 0]]), 0.05, 10);
    expect(few).toMatchObject({ low: -1, high: 1 });
    const clean = riskDifference(sumsOf([[1000, 0, 1000, 0]]), 0.05, 10);
    expect(clean?.low).toBeLessThan(0);
    expect(clean?.high).toBeGreaterThan(0);
  });

  test('looked at all the time, the 95 % interval misses the truth in few of many runs', () => {
    const random = seededRandom(20261122);
    let missed = 0;
    for (let run = 0; run < 300; run++) {
      const sums = sumsOf([]);
      let hasMissed = false;
      for (let tick = 0; tick < 200; tick++) {
        let [canary, canaryFailures, stableFailures] = [0, 0, 0];
        for (let i = 0; i < 100; i++) {
          const isCanary = random() < 0.25;
          const fails = random() < (isCanary ? 0.08 : 0.05);
          if (isCanary) canary++;
          if (fails && isCanary) canaryFailures++;
          if (fails && !isCanary) stableFailures++;
        }
        addStratum(sums, canary, canaryFailures, 100 - canary, stableFailures);
        const found = riskDifference(sums, 0.05, 50);
        if (found !== undefined && (found.low > 0.03 || found.high < 0.03)) hasMissed = true;
      }
      if (hasMissed) missed++;
    }
    // 300 runs at 5 %: 15 expected at most, 3 standard errors of 3.8.
    expect(missed).toBeLessThanOrEqual(26);
  });
});
