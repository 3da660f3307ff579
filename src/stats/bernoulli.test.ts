import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bernoulliDivergence, timesOdds } from './bernoulli.ts';

describe('bernoulliDivergence', () => {
  test.each([
    [0.03, 0.011, 0.03 * Math.log(0.03 / 0.011) + 0.97 * Math.log(0.97 / 0.989)],
    [0, 0.5, Math.LN2],
    [1, 0.25, Math.log(4)],
    [0.2, 0.2, 0],
  ])('KL(%d || %d)', (p, q, expected) => expect(bernoulliDivergence(p, q)).toBeCloseTo(expected, 12));

  test('is never negative', () => {
    const open = fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true });
    fc.assert(
      fc.property(open, open, (p, q) => bernoulliDivergence(p, q) >= -1e-15),
      { seed: 1 },
    );
  });
});

describe('timesOdds', () => {
  test.each([
    [0.5, 3, 0.75],
    [0.01, 1, 0.01],
    [0.9, 40, 360 / 361],
  ])('%d with odds times %d', (p, factor, expected) => expect(timesOdds(p, factor)).toBeCloseTo(expected, 12));
});
