import { describe, expect, test } from 'vitest';
import { SHARE_COMPONENTS, betOnShares, shareEvidence } from './share-test.ts';

function evidence(weight: number, canary: number, stable: number): number {
  const components = new Float64Array(SHARE_COMPONENTS);
  betOnShares(components, weight, canary, stable);
  return shareEvidence(components, 0);
}

describe('share test', () => {
  test.each([0.01, 0.05, 0.3, 0.5, 0.9])('its expectation over binomial labels is 1 at weight %d', (weight) => {
    const n = 60;
    let probability = (1 - weight) ** n;
    let mean = 0;
    for (let canary = 0; canary <= n; canary++) {
      mean += probability * Math.exp(evidence(weight, canary, n - canary));
      probability *= ((n - canary) / (canary + 1)) * (weight / (1 - weight));
    }
    expect(mean).toBeCloseTo(1, 9);
  });

  test('a canary that gets nothing at 1 % is found within about 900 requests', () => {
    expect(evidence(0.01, 0, 800)).toBeLessThan(Math.log(1000));
    expect(evidence(0.01, 0, 900)).toBeGreaterThan(Math.log(1000));
  });

  test('the promised share is no evidence, half of it and twice of it are', () => {
    expect(evidence(0.1, 1000, 9000)).toBeLessThan(0);
    expect(evidence(0.1, 500, 9500)).toBeGreaterThan(Math.log(1000));
    expect(evidence(0.1, 2000, 8000)).toBeGreaterThan(Math.log(1000));
  });

  test('no request changes nothing, and enormous counts stay finite', () => {
    expect(evidence(0.5, 0, 0)).toBeCloseTo(0, 12);
    for (const weight of [1e-6, 0.5, 0.999]) {
      expect(Number.isFinite(evidence(weight, 1e12, 1e12))).toBe(true);
      expect(Number.isFinite(evidence(weight, 0, 1e12))).toBe(true);
    }
  });

  test('a component that has died comes back with new mass only', () => {
    const components = new Float64Array(SHARE_COMPONENTS);
    for (let i = 0; i < 10; i++) betOnShares(components, 0.1, 10, 90);
    expect(components.every(Number.isFinite)).toBe(true);
    expect(shareEvidence(components, 0.5)).toBeGreaterThan(Math.log(0.5));
  });
});
