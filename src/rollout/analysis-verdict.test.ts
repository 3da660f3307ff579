/** What people read. Sentences are checked whole: they are the product's answer to "why". */
import { describe, expect, test } from 'vitest';
import { bucketIndex } from '../telemetry/histogram.ts';
import { DEFAULT_ANALYSIS } from './analysis-spec.ts';
import { newAnalysis } from './analysis-state.ts';
import type { AnalysisState } from './analysis-state.ts';
import { verdict } from './analysis-verdict.ts';
import { beginStage, observe, startCanary } from './analysis.ts';
import { newArmCounts } from './observation.ts';
import type { ArmCounts } from './observation.ts';

function arm(requests: number, failures = 0, slower = 1): ArmCounts {
  const counts = newArmCounts();
  counts.requests = requests;
  counts.failures.timeout = failures;
  const good = requests - failures;
  for (let i = 0; i < 100; i++) counts.latency.add(bucketIndex(40 * 4 ** (i / 100) * slower), good / 100);
  return counts;
}

function ticks(state: AnalysisState, seconds: number, weight: number, stable: ArmCounts, canary: ArmCounts): AnalysisState {
  for (let second = 0; second < seconds; second++) observe(state, { durationMs: 1000, strata: [{ weight, stable, canary }] });
  return state;
}

function started(weight: number, nextWeight: number, minimumMs = 0, maximumMs = 0): AnalysisState {
  const state = ticks(newAnalysis({ ...DEFAULT_ANALYSIS, warmupMs: 0 }), 60, 0, arm(100, 1), arm(0));
  startCanary(state);
  beginStage(state, { weight, nextWeight, minimumMs, maximumMs });
  return state;
}

describe('verdict', () => {
  test('of a good release', () => {
    const found = verdict(ticks(started(0.5, 1), 120, 0.5, arm(200, 2), arm(200, 2)));
    expect(found).toMatchObject({ decision: 'safe', cause: 'cleared', rollbackAt: 100 });
    expect(found.reason).toBe(
      'safe to go to 100 %: a rise of 0.5 points or more and being 20 % slower or more are ruled out; ' +
        'error rate: canary 1 % of 24,000 requests, stable 1 % of 24,000, difference +0 points (95 % interval -0.3 to +0.3); ' +
        'chance of going on with a regression that large is at most 5 %',
    );
    expect(found.proved).toBe('a rise of 0.5 points or more and being 20 % slower or more are ruled out');
    expect(found.metrics.map((metric) => metric.name)).toEqual(['errors', 'p50', 'p90', 'p99', 'latency']);
    for (const metric of found.metrics.slice(1)) {
      expect(metric.ruledOut).toBeCloseTo(0.2, 9);
      expect(metric.effect).toBeCloseTo(0, 2);
      expect(metric.interval?.low).toBeLessThanOrEqual(0);
    }
  });

  test('of a good release with little traffic says how much less was asked for, and what nobody could judge', () => {
    const state = newAnalysis({ ...DEFAULT_ANALYSIS, warmupMs: 0 });
    const hours = (count: number, weight: number, stable: ArmCounts, canary: ArmCounts): void => {
      for (let i = 0; i < 60 * count; i++) observe(state, { durationMs: 60_000, strata: [{ weight, stable, canary }] });
    };
    hours(10, 0, arm(2, 0.02), arm(0));
    startCanary(state);
    beginStage(state, { weight: 0.5, nextWeight: 1, minimumMs: 0 });
    hours(0.5, 0.5, arm(1, 0.01), arm(1, 0.01));
    expect(verdict(state).reason).toMatch(
      /^gathering evidence at 50 %: .* is not ruled out yet after 30 canary requests \(a multiple of the budget suffices: 10 times for the error rate, .*; less would take longer than relax allows at this traffic\); about [\d.]+ (min|h) to go/,
    );
    hours(11.5, 0.5, arm(1, 0.01), arm(1, 0.01));
    const { decision, proved, metrics } = verdict(state);
    expect(decision).toBe('safe');
    expect(metrics[0]?.ruledOut).toBeGreaterThan(0.005);
    expect(proved).toMatch(
      /^a rise of \d points or more and being \d+ % slower or more are ruled out \(a multiple .*\); p99 latency: too little traffic to judge$/,
    );
  });

  test('of failures says how many, how much and what kind', () => {
    const { decision, reason, pValue, metrics } = verdict(ticks(started(0.1, 0.25), 20, 0.1, arm(90, 1), arm(10, 2)));
    expect(decision).toBe('rollback');
    expect(pValue).toBeLessThan(0.01);
    expect(metrics[0]).toMatchObject({ n: { stable: 1800, canary: 200 } });
    expect(reason).toMatch(
      /^rolled back: error rate is worse than tolerated: canary 20 % of 200 requests, stable 1\.11 % of 1,800, difference \+18\.9 points \(95 % interval \+[\d.]+ to \+[\d.]+\), mostly timeouts; a good release is stopped in at most 1 % of rollouts$/,
    );
  });

  test('of slowness names the quantile and the milliseconds, and the interval excludes no slowdown', () => {
    const { reason, metrics } = verdict(ticks(started(0.1, 0.25), 30, 0.1, arm(90), arm(10, 0, 2)));
    expect(reason).toMatch(
      /^rolled back: p\d\d latency is worse than tolerated: canary [\d.]+ ms over 300 requests, stable [\d.]+ ms over 2,700, \+(99|100|101)(\.\d+)? % \(95 % interval /,
    );
    expect(metrics.find((metric) => metric.name === 'p50')?.interval?.low).toBeGreaterThan(0);
    expect(metrics.find((metric) => metric.name === 'latency')?.effect).toBeCloseTo(1, 1);
  });

  test('without traffic says so, and shows no effect', () => {
    const found = verdict(ticks(started(0.05, 0.1), 60, 0.05, arm(0), arm(0)));
    expect(found).toMatchObject({ decision: 'inconclusive', cause: 'no-data' });
    expect(found.reason).toBe(
      'on hold: no canary requests since the weight was set to 5 %; without traffic a release neither passes nor fails',
    );
    expect(found.metrics[0]).toMatchObject({
      effect: undefined,
      interval: undefined,
      ruledOut: undefined,
      sentence: 'error rate: no canary requests, so nothing can be said',
    });
  });

  test('of a wrong share gives the share', () => {
    const { cause, reason } = verdict(ticks(started(0.2, 0.5), 60, 0.2, arm(95, 1), arm(5)));
    expect(cause).toBe('traffic');
    expect(reason).toContain('the canary gets 5 % of 6,000 requests, which is not what its weight (now 20 %) says');
  });

  test('while waiting says for what, and about how long', () => {
    const state = ticks(started(0.5, 1), 20, 0.5, arm(50, 1), arm(50, 1));
    const { decision, etaMs, reason } = verdict(state);
    expect(decision).toBe('continue');
    expect(etaMs).toBeGreaterThan(0);
    expect(reason).toMatch(
      /is not ruled out yet after 1,?\d+ canary requests; about [\d.]+ (s|min|h) to go if the canary is as good as stable$/,
    );
  });

  test('the estimate of the time left is about right', () => {
    const state = ticks(started(0.5, 1), 10, 0.5, arm(50, 1), arm(50, 1));
    const eta = verdict(state).etaMs ?? Number.NaN;
    let seconds = 0;
    while (verdict(state).decision !== 'safe' && seconds < 10_000) {
      ticks(state, 1, 0.5, arm(50, 1), arm(50, 1));
      seconds++;
    }
    expect(seconds * 1000).toBeGreaterThan(eta / 3);
    expect(seconds * 1000).toBeLessThan(eta * 3);
  });

  test('undecided at the end of its time', () => {
    const { decision, reason } = verdict(ticks(started(0.5, 1, 0, 300_000), 300, 0.5, arm(1), arm(1)));
    expect(decision).toBe('inconclusive');
    expect(reason).toMatch(/^on hold: undecided after 5 min at 50 %; /);
  });

  test('a quantile that too little traffic reaches has no say', () => {
    const state = newAnalysis({ ...DEFAULT_ANALYSIS, warmupMs: 0 });
    // Three requests an hour: 0.015 an hour would be above the canary's p99.
    for (let hour = 0; hour < 400; hour++)
      observe(state, { durationMs: 3_600_000, strata: [{ weight: 0, stable: arm(3), canary: arm(0) }] });
    startCanary(state);
    beginStage(state, { weight: 0.5, nextWeight: 1, minimumMs: 0 });
    observe(state, { durationMs: 3_600_000, strata: [{ weight: 0.5, stable: arm(2), canary: arm(1) }] });
    const p99 = verdict(state).metrics.find((metric) => metric.name === 'p99');
    expect(p99?.isObservable).toBe(false);
    expect(p99?.sentence).toContain('too little traffic to judge');
  });
});
