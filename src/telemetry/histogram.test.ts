import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BUCKETS, bucketFloorMs, bucketIndex, bucketMiddleMs, quantileMs } from './histogram.ts';

/** Durations over the whole range, even on a logarithmic scale. */
const durationMs = (minMs: number, maxMs: number): fc.Arbitrary<number> =>
  fc.double({ min: Math.log(minMs), max: Math.log(maxMs), noNaN: true }).map(Math.exp);

describe('a duration and its bucket', () => {
  test('the bucket stands for the duration within 2.5 % from 50 us to 1,000 s', () => {
    fc.assert(
      fc.property(durationMs(0.05, 1_000_000), (ms) => {
        expect(Math.abs(bucketMiddleMs(bucketIndex(ms)) - ms) / ms).toBeLessThan(0.025);
      }),
    );
  });

  test('every bucket holds exactly what lies between its floor and the next', () => {
    for (let index = 0; index < BUCKETS; index++) {
      const floorMs = bucketFloorMs(index);
      const endMs = bucketFloorMs(index + 1);
      expect(endMs).toBeGreaterThan(floorMs);
      // A hair above the floor: 1,000 x 0.001 x n is not always n in binary.
      expect(bucketIndex(floorMs + (endMs - floorMs) * 1e-3)).toBe(index);
      expect(bucketIndex(endMs - (endMs - floorMs) * 1e-3)).toBe(index);
    }
  });

  test.each([
    [0, 0],
    [-5, 0],
    [Number.NaN, 0],
    [1e9, BUCKETS - 1],
    [Number.POSITIVE_INFINITY, BUCKETS - 1],
  ])('%d ms is counted in bucket %d', (ms, bucket) => {
    expect(bucketIndex(ms)).toBe(bucket);
  });
});

describe('quantiles', () => {
  test('nothing counted is no answer, not a fast one', () => {
    expect(quantileMs(new Float64Array(BUCKETS), 0.99)).toBeUndefined();
  });

  test('agree with the sorted sample within the width of a bucket', () => {
    fc.assert(
      fc.property(
        fc.array(durationMs(0.1, 100_000), { minLength: 1, maxLength: 300 }),
        fc.constantFrom(0, 0.5, 0.9, 0.99, 1),
        (sample, q) => {
          const counts = new Float64Array(BUCKETS);
          for (const ms of sample) counts[bucketIndex(ms)] = (counts[bucketIndex(ms)] ?? 0) + 1;
          const exact = sample.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(q * sample.length) - 1)] ?? Number.NaN;
          const found = quantileMs(counts, q) ?? Number.NaN;
          expect(Math.abs(found - exact) / exact).toBeLessThan(0.025);
        },
      ),
    );
  });
});
