import { describe, expect, test } from 'vitest';
import { blockMass, newComponents, putIn, STAGES_MASS, START_MASS } from './changepoint-mixture.ts';
import { labelBet } from './label-bet.ts';
import { logSum } from './log-sum.ts';

describe('changepoint mixture', () => {
  test('all masses together are 1, and none comes after a day of blocks', () => {
    let sum = START_MASS + STAGES_MASS;
    for (let block = 0; block <= 8640; block++) sum += blockMass(block);
    expect(sum).toBeCloseTo(1, 12);
    expect(blockMass(8641)).toBe(0);
  });

  test('masses fall with time, so an early change costs least', () => {
    for (let block = 1; block <= 8640; block++) expect(blockMass(block)).toBeLessThan(blockMass(block - 1));
  });

  test('mass put in adds to every component; none changes nothing', () => {
    const components = newComponents(3);
    putIn(components, 0.25);
    putIn(components, 0);
    putIn(components, 0.5);
    for (const log of components) expect(Math.exp(log)).toBeCloseTo(0.75, 12);
  });

  test('its expectation stays 1 on the boundary, by going through every label and outcome', () => {
    const weight = 0.3;
    const [stable, canary] = [0.2, 0.25];
    const bet = labelBet(weight, 0.1, 0.6, 1, canary - stable);
    const starts = [START_MASS, 0, 0.1, 0, 0, 0.3];
    // 4 cells a request: label and outcome.
    const cells = [weight * canary, weight * (1 - canary), (1 - weight) * stable, (1 - weight) * (1 - stable)];
    let mean = 0;
    const visit = (request: number, probability: number, log: Float64Array, spent: number): void => {
      if (request === starts.length) {
        mean += probability * (Math.exp(logSum(log)) + 1 - spent);
        return;
      }
      const before = Float64Array.from(log);
      const mass = starts[request] ?? 0;
      putIn(before, mass);
      for (const [cell, chance] of cells.entries())
        visit(
          request + 1,
          probability * chance,
          before.map((each) => each + (bet[cell] ?? 0)),
          spent + mass,
        );
    };
    visit(0, 1, newComponents(1), 0);
    expect(mean).toBeCloseTo(1, 9);
  });
});
