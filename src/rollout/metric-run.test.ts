import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MetricRules } from '../config/serin/metric-resolve.ts';
import { countOf, MAX_MEASUREMENTS, measured, type MeasurementPhase, type MetricPhase, type MetricRun, newRun } from './metric-run.ts';

const DEFAULTS: MetricRules = {
  intervalMs: 1000,
  initialDelayMs: 0,
  failureLimit: 0,
  inconclusiveLimit: 0,
  consecutiveErrorLimit: 4,
  consecutiveSuccessLimit: 0,
};
const LETTERS: Readonly<Record<string, MeasurementPhase>> = { s: 'Successful', f: 'Failed', i: 'Inconclusive', e: 'Error' };

/** @param text `s`, `f`, `i`, `e`: what is measured, in order. */
function after(text: string, rules: Partial<MetricRules> = {}): MetricRun {
  let run = newRun('1.0', 'x');
  for (const letter of text) {
    const phase = LETTERS[letter] ?? 'Error';
    run = measured(run, { phase, startedAtMs: 0, finishedAtMs: 0, message: '' }, { ...DEFAULTS, ...rules });
  }
  return run;
}

describe('the counters of Argo Rollouts', () => {
  test.each<[measurements: string, rules: Partial<MetricRules>, phase: MetricPhase]>([
    ['', {}, 'Running'],
    ['s', {}, 'Running'],
    ['s', { count: 1 }, 'Successful'],
    ['ss', { count: 3 }, 'Running'],
    ['sss', { count: 3 }, 'Successful'],
    ['f', {}, 'Failed'],
    // The fourth: more than the limit, not as many.
    ['fff', { failureLimit: 3 }, 'Running'],
    ['fsfsfsf', { failureLimit: 3 }, 'Failed'],
    ['ffffffff', { failureLimit: -1 }, 'Running'],
    ['fff', { failureLimit: -1, count: 3 }, 'Successful'],
    ['i', {}, 'Inconclusive'],
    ['isi', { inconclusiveLimit: 1 }, 'Inconclusive'],
    ['eeee', {}, 'Running'],
    ['eeeee', {}, 'Error'],
    ['eeeeseeee', {}, 'Running'],
    ['eeeefeeee', { failureLimit: 1 }, 'Running'],
    ['e', { consecutiveErrorLimit: 0 }, 'Error'],
    ['eeeeeeeee', { consecutiveErrorLimit: -1 }, 'Running'],
    // Errors are no measurements.
    ['sesees', { count: 3 }, 'Successful'],
    ['ses', { count: 3 }, 'Running'],
    ['ss', { consecutiveSuccessLimit: 3 }, 'Running'],
    ['sfss', { consecutiveSuccessLimit: 3, failureLimit: -1 }, 'Running'],
    ['sessfsss', { consecutiveSuccessLimit: 3, failureLimit: -1 }, 'Successful'],
    ['fsfs', { consecutiveSuccessLimit: 3, failureLimit: -1, count: 4 }, 'Inconclusive'],
    ['f', { count: 1 }, 'Failed'],
    ['i', { count: 1 }, 'Inconclusive'],
  ])('%s with %j is %s', (measurements, rules, phase) => {
    expect(after(measurements, rules).phase).toBe(phase);
  });

  test('what has ended stays as it is', () => {
    const ended = after('f');
    expect(measured(ended, { phase: 'Successful', startedAtMs: 0, finishedAtMs: 0, message: '' }, DEFAULTS)).toBe(ended);
  });
});

test('whatever is measured: counts add up, the last ten are kept, and no success comes of errors alone', () => {
  const rules = fc.record({
    count: fc.integer({ min: 1, max: 20 }),
    failureLimit: fc.integer({ min: -1, max: 5 }),
    inconclusiveLimit: fc.integer({ min: -1, max: 5 }),
    consecutiveErrorLimit: fc.integer({ min: -1, max: 5 }),
    consecutiveSuccessLimit: fc.integer({ min: 0, max: 5 }),
  });
  fc.assert(
    fc.property(fc.array(fc.constantFrom('s', 'f', 'i', 'e'), { maxLength: 40 }), rules, (letters, chosen) => {
      const run = after(letters.join(''), chosen);
      const taken = countOf(run) + run.error;
      expect(taken).toBeLessThanOrEqual(letters.length);
      if (run.phase === 'Running') expect(taken).toBe(letters.length);
      expect(run.measurements).toHaveLength(Math.min(taken, MAX_MEASUREMENTS));
      const seen = letters.slice(0, taken);
      for (const [letter, count] of Object.entries({ s: run.successful, f: run.failed, i: run.inconclusive, e: run.error }))
        expect(seen.filter((other) => other === letter)).toHaveLength(count);
      if (run.phase === 'Failed') expect(run.failed).toBeGreaterThan(chosen.failureLimit);
      if (run.phase === 'Successful') expect(countOf(run)).toBeGreaterThan(0);
      if (letters.every((letter) => letter === 'e')) expect(['Running', 'Error']).toContain(run.phase);
    }),
  );
});
