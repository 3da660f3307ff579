import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../base/random.ts';
import { NO_HEADER_OPS } from './table.ts';
import type { ForwardAction } from './table.ts';
import { pickCluster } from './weighted-pick.ts';

function forward(weights: readonly number[]): ForwardAction {
  return {
    kind: 'forward',
    clusters: weights.map((weight, cluster) => ({ cluster, weight, requestHeaders: NO_HEADER_OPS, responseHeaders: NO_HEADER_OPS })),
    totalWeight: weights.reduce((sum, weight) => sum + weight, 0),
    timeoutMs: 0,
  };
}

describe('the pick', () => {
  test('goes by cumulative weight in list order', () => {
    const action = forward([10, 90]);
    expect(pickCluster(action, 0).cluster).toBe(0);
    expect(pickCluster(action, 0.0999).cluster).toBe(0);
    expect(pickCluster(action, 0.1).cluster).toBe(1);
    expect(pickCluster(action, 0.34).cluster).toBe(1);
    expect(pickCluster(action, 0.999999).cluster).toBe(1);
  });

  test('a lone cluster takes everything', () => {
    expect(pickCluster(forward([1]), 0.7).cluster).toBe(0);
  });

  test('shares of 100,000 independent draws lie within 3 standard deviations', () => {
    const action = forward([1, 3]);
    const random = seededRandom(7);
    const draws = 100_000;
    let first = 0;
    for (let i = 0; i < draws; i++) if (pickCluster(action, random()).cluster === 0) first++;
    expect(Math.abs(first - draws / 4)).toBeLessThan(3 * Math.sqrt(draws * 0.25 * 0.75));
  });

  test('every ratio below 1 has a cluster, whatever the weights', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 8 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (weights, ratio) => {
          const picked = pickCluster(forward(weights), ratio);
          const before = weights.slice(0, picked.cluster).reduce((sum, weight) => sum + weight, 0);
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          expect(ratio * total).toBeGreaterThanOrEqual(before - 1e-6);
          expect(ratio * total).toBeLessThanOrEqual(before + picked.weight + 1e-6);
        },
      ),
    );
  });

  test('raising the first weight of a fixed total moves no ratio away from it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 98 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (weight, ratio) => {
        const before = pickCluster(forward([weight, 100 - weight]), ratio).cluster;
        const after = pickCluster(forward([weight + 1, 99 - weight]), ratio).cluster;
        expect(after).toBeLessThanOrEqual(before);
      }),
    );
  });
});
