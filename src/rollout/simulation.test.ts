/**
 * Whole rollouts in the benchmark's simulated worlds: the numbers the worlds and the rivals must reproduce, and what the analysis makes of them.
 *
 * The long version with a thousand replications is `npm run bench:analysis`.
 */
import { describe, expect, test } from 'vitest';
import { replicate } from '../../bench/analysis/replicate.ts';
import type { MethodName } from '../../bench/analysis/replicate.ts';
import { rankStatistic } from '../../bench/analysis/mann-whitney.ts';
import { scenario } from '../../bench/analysis/scenarios.ts';
import { automaticWeights } from './analysis-spec.ts';

function outcomes(id: string, method: MethodName, replications: number): string[] {
  return Array.from({ length: replications }, (_, replication) => {
    const [result] = replicate(scenario(id), replication, [method]);
    return `${result?.kind} ${result?.atS}`;
  });
}

describe('the worlds are the same everywhere', () => {
  test.each<[string, MethodName, string[]]>([
    ['AA_1', 'Flagger docs', ['promoted 1020', 'stopped 840', 'stopped 1140', 'promoted 780', 'promoted 900']],
    ['R_2_1', 'Flagger docs', ['stopped 660', 'stopped 660', 'stopped 660', 'stopped 660', 'stopped 660']],
    ['R_tail20', 'Flagger docs', ['promoted 1080', 'stopped 960', 'promoted 1080', 'stopped 1080', 'promoted 1080']],
    ['R_2_1', 'Flagger tuned', ['stopped 180', 'stopped 120', 'stopped 150', 'stopped 120', 'stopped 120']],
    ['R_fail', 'Argo docs', ['stopped 240']],
    ['R_fail', 'Argo tuned', ['stopped 90']],
    ['R_zero', 'Kayenta', ['stopped 600']],
  ])('%s under %s', (id, method, expected) => expect(outcomes(id, method, expected.length)).toEqual(expected));

  test("the rank statistic of Kayenta's rule, by hand with ties", () => {
    // x = 1 2 2, y = 2 3: ranks 1, 3, 3 | 3, 5; dz = 7 - 6 - 3 = -2; variance = 6/12 (6 - 24/20).
    expect(rankStatistic([1, 2, 2], [2, 3], 0)).toBeCloseTo(-1.5 / Math.sqrt(2.4), 12);
    expect(rankStatistic([3, 3, 4], [2, 2, 2], 0)).toBeGreaterThan(0);
  });
});

describe('Serin', () => {
  test('a canary that fails everything is stopped after seconds', () => {
    expect(outcomes('R_fail', 'Serin', 5)).toEqual(['stopped 2', 'stopped 1', 'stopped 2', 'stopped 3', 'stopped 3']);
  });

  test.each([
    ['AA_1', 'promoted', [486, 461, 444, 424, 410]],
    ['R_2_1', 'stopped', [146, 147, 159, 133, 94]],
    ['R_lat3', 'stopped', [56, 47, 47, 48, 48]],
    ['R_tail20', 'stopped', [508, 426, 300, 342, 275]],
  ] as const)('%s is %s about when a separate implementation did so', (id, kind, expected) => {
    const found = outcomes(id, 'Serin', expected.length).map((each) => each.split(' '));
    expect(found.map(([word]) => word)).toEqual(expected.map(() => kind));
    // That one had latency buckets of 1.1 %; the telemetry's are up to 1.6 % wide.
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(Math.abs(mean(found.map(([, at]) => Number(at))) / mean(expected) - 1)).toBeLessThan(0.1);
  });

  test.each(['AA_01', 'AA_diurnal', 'AA_outage', 'AA_burst', 'AA_pod', 'AA_cold', 'AA_sticky'])(
    '%s: five good releases, none stopped',
    (id) => {
      expect(outcomes(id, 'Serin', 5).filter((each) => each.startsWith('stopped'))).toEqual([]);
    },
  );

  test.each(['R_05_01', 'R_x10', 'R_lat20', 'R_leak', 'R_late', 'R_2_diurnal', 'R_sticky', 'R_zero', 'R_srm'])(
    '%s: three bad releases, all stopped',
    (id) => {
      expect(outcomes(id, 'Serin', 3).filter((each) => !each.startsWith('stopped'))).toEqual([]);
    },
  );
});

describe('automaticWeights', () => {
  test.each([
    [0, [0.5]],
    [1, [0.5]],
    [10, [0.5]],
    [100, [0.05, 0.125, 0.3125, 0.5]],
    [1000, [0.01, 0.025, 0.0625, 0.15625, 0.390625, 0.5]],
  ])('%d requests a second', (rate, expected) => {
    const found = automaticWeights(rate);
    expect(found.length).toBe(expected.length);
    for (const [i, weight] of found.entries()) expect(weight).toBeCloseTo(expected[i] ?? Number.NaN, 12);
  });
});
