import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Backoff } from './process-backoff.ts';

describe('the pause before the next start', () => {
  test('a process that ends at once is started at most 10 times in its first minute, whatever chance says', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1 }), (draws) => {
        let draw = 0;
        const backoff = new Backoff(() => draws[draw++ % draws.length] ?? 0);
        let starts = 1;
        for (let at = backoff.next(); at < 60_000; at += backoff.next()) starts++;
        expect(starts).toBeLessThanOrEqual(10);
        expect(starts).toBeGreaterThan(5);
      }),
    );
  });

  test('begins at 100 ms, grows to 30 s and no further, and begins anew after a start that lasted', () => {
    const backoff = new Backoff(() => 0);
    const pauses = Array.from({ length: 12 }, () => backoff.next());
    expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000]);
    expect(new Backoff(() => 0.99).next()).toBeGreaterThan(100);
    backoff.reset();
    expect(backoff.next()).toBe(100);
  });
});
