import { describe, expect, test } from 'vitest';
import { BUCKETS } from '../telemetry/histogram.ts';
import { failuresOf, LatencyTally, newArmCounts } from './observation.ts';

describe('LatencyTally', () => {
  test('keeps what it is given, also beyond its first size, and starts afresh after clear', () => {
    const tally = new LatencyTally();
    for (let i = 0; i < 100; i++) tally.add(i, 2 * i);
    expect([...tally.buckets.subarray(0, tally.size)]).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect([...tally.counts.subarray(0, tally.size)]).toEqual(Array.from({ length: 100 }, (_, i) => 2 * i));
    tally.clear();
    expect(tally.size).toBe(0);
  });

  test('takes what a growing histogram has gained', () => {
    const before = new Float64Array(BUCKETS);
    const now = new Float64Array(BUCKETS);
    before[3] = 5;
    now[3] = 7;
    now[BUCKETS - 1] = 1;
    const tally = new LatencyTally();
    tally.addGrowth(before, now);
    expect([...tally.buckets.subarray(0, tally.size)]).toEqual([3, BUCKETS - 1]);
    expect([...tally.counts.subarray(0, tally.size)]).toEqual([2, 1]);
  });
});

test('every class of failure is a failure', () => {
  const counts = newArmCounts();
  Object.assign(counts.failures, { status5xx: 1, connect: 2, reset: 4, timeout: 8, grpc: 16, fallback: 32 });
  expect(failuresOf(counts)).toBe(63);
});
