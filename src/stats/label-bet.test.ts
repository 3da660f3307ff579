/** The theorem of label-bet.ts, checked by exact expectation over the label, and numbers worked out independently. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bernoulliDivergence } from './bernoulli.ts';
import { growthPerRequest, labelBet } from './label-bet.ts';
import type { LabelBet } from './label-bet.ts';

const weight = fc.double({ min: 0.001, max: 0.999, noNaN: true });
const rate = fc.double({ min: 1e-5, max: 0.98, noNaN: true });

/** Mean of the likelihood ratio over the label, for one request's two potential outcomes. */
function expectation(bet: LabelBet, w: number, canaryIsBad: boolean, stableIsBad: boolean): number {
  return w * Math.exp(canaryIsBad ? bet[0] : bet[1]) + (1 - w) * Math.exp(stableIsBad ? bet[2] : bet[3]);
}

describe('labelBet', () => {
  test.each([
    [0.05, 0.01, 0.03, 1, 0.001, [0.926802536, -0.018513623, -0.083837255, 0.000883743]],
    [0.5, 0.01, 0.01, 1, 0.005, [-0.268844538, 0.003120538, 0.212634328, -0.001932962]],
    [0.05, 0.5, 0.6, 1, 0, [0.172371226, -0.213093215, -0.009950331, 0.010050336]],
    [0.01, 0.001, 0.9, 1, 0.001, [4.489098327, -2.292425974, -2.209119018, 0.008148917]],
  ])('weight %d, %d against %d, slope %d, offset %d', (w, stable, canary, slope, offset, expected) => {
    for (const [i, value] of labelBet(w, stable, canary, slope, offset).entries()) expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 9);
  });

  test('on the boundary the expected likelihood ratio is 1, at every point of it', () => {
    fc.assert(
      fc.property(
        weight,
        rate,
        rate,
        fc.double({ min: 1, max: 1.5, noNaN: true }),
        fc.double({ min: 0, max: 0.1, noNaN: true }),
        (w, stable, canary, slope, offset) => {
          const bet = labelBet(w, stable, canary, slope, offset);
          for (const part of [0, 0.3, 0.9]) {
            const trueStable = (part * (1 - offset)) / slope;
            const trueCanary = slope * trueStable + offset;
            const mean =
              w * (trueCanary * Math.exp(bet[0]) + (1 - trueCanary) * Math.exp(bet[1])) +
              (1 - w) * (trueStable * Math.exp(bet[2]) + (1 - trueStable) * Math.exp(bet[3]));
            expect(mean).toBeCloseTo(1, 9);
          }
        },
      ),
      { numRuns: 2000, seed: 1 },
    );
  });

  test('a canary without effect never makes the bet on a regression favourable, whatever the outcome', () => {
    fc.assert(
      fc.property(
        weight,
        rate,
        fc.double({ min: 1.01, max: 50, noNaN: true }),
        fc.double({ min: 0, max: 0.05, noNaN: true }),
        (w, stable, odds, offset) => {
          const boundary = stable + offset;
          fc.pre(boundary < 0.98);
          const bet = labelBet(w, stable, boundary + (1 - boundary) * (1 - 1 / odds), 1, offset);
          expect(expectation(bet, w, true, true)).toBeLessThanOrEqual(1 + 1e-9);
          expect(expectation(bet, w, false, false)).toBeLessThanOrEqual(1 + 1e-9);
          expect(expectation(bet, w, false, true)).toBeLessThanOrEqual(1 + 1e-9);
        },
      ),
      { numRuns: 2000, seed: 2 },
    );
  });

  test('the bet against a regression of the margin is unfavourable when the canary alone is bad', () => {
    fc.assert(
      fc.property(
        weight,
        fc.double({ min: 1e-5, max: 0.5, noNaN: true }),
        fc.double({ min: 0.001, max: 0.4, noNaN: true }),
        (w, stable, margin) => {
          const bet = labelBet(w, stable, stable, 1, margin);
          expect(expectation(bet, w, true, false)).toBeLessThanOrEqual(1 + 1e-9);
          expect(bet[0]).toBeLessThan(0);
          expect(bet[1]).toBeGreaterThan(0);
        },
      ),
      { numRuns: 1000, seed: 3 },
    );
  });

  test('a regression bet rewards bad canary requests and good stable ones', () => {
    fc.assert(
      fc.property(weight, rate, fc.double({ min: 1.05, max: 40, noNaN: true }), (w, stable, odds) => {
        const canary = (stable * odds) / (stable * odds + 1 - stable);
        const [canaryBad, canaryGood, stableBad, stableGood] = labelBet(w, stable, canary, 1, 0);
        expect(canaryBad).toBeGreaterThan(0);
        expect(stableGood).toBeGreaterThan(0);
        expect(canaryGood).toBeLessThan(0);
        expect(stableBad).toBeLessThan(0);
      }),
      { numRuns: 1000, seed: 4 },
    );
  });
});

describe('growthPerRequest', () => {
  test('is the divergence of the alternative from its projection, found again from the logarithms', () => {
    fc.assert(
      fc.property(weight, rate, rate, (w, stable, canary) => {
        fc.pre(Math.abs(canary - stable) > 0.01 * stable);
        const projected = w * canary + (1 - w) * stable;
        const expected = w * bernoulliDivergence(canary, projected) + (1 - w) * bernoulliDivergence(stable, projected);
        expect(growthPerRequest(labelBet(w, stable, canary, 1, 0), w)).toBeCloseTo(expected, 9);
      }),
      { numRuns: 1000, seed: 5 },
    );
  });
});
