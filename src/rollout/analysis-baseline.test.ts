import { describe, expect, test } from 'vitest';
import { bucketFloorMs, bucketIndex } from '../telemetry/histogram.ts';
import {
  decay,
  knownTrafficPerS,
  LatencyOutlook,
  newBaseline,
  predictedFailing,
  remember,
  rememberLatency,
  trafficPerS,
} from './analysis-baseline.ts';
import type { Baseline } from './analysis-baseline.ts';
import { renewThresholds } from './analysis-bets.ts';
import { DEFAULT_ANALYSIS, QUANTILES } from './analysis-spec.ts';
import { LEVELS, newAnalysis } from './analysis-state.ts';
import { beginStage, observe, startCanary } from './analysis.ts';
import { LatencyTally, newArmCounts } from './observation.ts';

function seconds(baseline: Baseline, count: number, failures: number, ms = 80): Baseline {
  for (let second = 0; second < count; second++) {
    decay(baseline, 1000, 300_000, 15_000);
    remember(baseline, 100, failures);
    baseline.traffic += 100;
    const tally = new LatencyTally();
    tally.add(bucketIndex(ms), 100);
    rememberLatency(baseline, tally);
  }
  return baseline;
}

describe('baseline', () => {
  test('knows the failure rate and the traffic', () => {
    const baseline = seconds(newBaseline(), 600, 2);
    expect(predictedFailing(baseline)).toBeCloseTo(0.02, 3);
    expect(trafficPerS(baseline)).toBeCloseTo(100, 6);
  });

  test('believes an outage within half a minute, and its end as fast', () => {
    const baseline = seconds(newBaseline(), 600, 1);
    seconds(baseline, 30, 50);
    expect(predictedFailing(baseline)).toBeGreaterThan(0.35);
    seconds(baseline, 60, 1);
    expect(predictedFailing(baseline)).toBeLessThan(0.08);
  });

  test('is never sure that nothing fails, nor that everything does', () => {
    expect(predictedFailing(newBaseline())).toBeGreaterThan(0);
    expect(predictedFailing(seconds(newBaseline(), 5000, 0))).toBeGreaterThanOrEqual(1e-5);
    expect(predictedFailing(seconds(newBaseline(), 5000, 100))).toBeLessThanOrEqual(0.98);
  });

  test('forgets latencies of long ago, also over a gap of a year', () => {
    const baseline = seconds(newBaseline(), 100, 0, 80);
    decay(baseline, 365 * 86_400_000, 300_000, 15_000);
    seconds(baseline, 100, 0, 500);
    const outlook = new LatencyOutlook();
    outlook.look(baseline);
    expect(outlook.quantileBucket(0.01)).toBe(bucketIndex(500));
    expect(Number.isFinite(baseline.latency.gain)).toBe(true);
  });

  test('after days of traffic its histogram is still exact', () => {
    const baseline = newBaseline();
    for (let hour = 0; hour < 400; hour++) {
      decay(baseline, 3_600_000, 300_000, 15_000);
      const tally = new LatencyTally();
      tally.add(bucketIndex(10), 30);
      tally.add(bucketIndex(100), 10);
      rememberLatency(baseline, tally);
    }
    const outlook = new LatencyOutlook();
    outlook.look(baseline);
    expect(outlook.usualAbove(bucketIndex(10))).toBeCloseTo(0.25, 6);
  });
});

describe('with few requests', () => {
  /** @param everyS One request of stable in so many seconds, looked at every second. */
  function hours(count: number, everyS: number): Baseline {
    const baseline = newBaseline();
    for (let second = 0; second < 3600 * count; second++) {
      decay(baseline, 1000, 300_000, 15_000);
      if (second % everyS !== 0) continue;
      const tally = new LatencyTally();
      tally.add(bucketIndex(80), 1);
      remember(baseline, 1, 0);
      rememberLatency(baseline, tally);
      baseline.traffic++;
    }
    return baseline;
  }

  test('the memory lasts for requests instead of minutes: latency is known after an hour at 36 requests an hour', () => {
    const outlook = new LatencyOutlook();
    outlook.look(hours(1, 100));
    expect(outlook.ready).toBe(true);
    expect(hours(48, 100).requests).toBeGreaterThan(1000);
  });

  test('the traffic is known from 20 requests on, and follows when it falls', () => {
    expect(knownTrafficPerS(hours(0.1, 60))).toBeUndefined();
    const baseline = seconds(newBaseline(), 3600, 0);
    expect(knownTrafficPerS(baseline)).toBeCloseTo(100, 6);
    for (let second = 0; second < 12 * 3600; second++) {
      decay(baseline, 1000, 300_000, 15_000);
      if (second % 36 === 0) baseline.traffic++;
    }
    expect(trafficPerS(baseline)).toBeLessThan(0.06);
  });
});

describe('latency thresholds', () => {
  test('are rounded to the careful side for every quantile and margin', () => {
    const state = newAnalysis(DEFAULT_ANALYSIS);
    const stable = newArmCounts();
    for (let i = 0; i < 5000; i++) stable.latency.add(bucketIndex(3 * 1.002 ** i), 1);
    stable.requests = 5000;
    observe(state, { durationMs: 1000, strata: [{ weight: 0, stable, canary: newArmCounts() }] });
    startCanary(state);
    beginStage(state, { weight: 0.25, nextWeight: 0.5, minimumMs: 0 });
    renewThresholds(state);
    const { stableBucket, rollbackBucket, advanceBucket } = state.plan;
    const endMs = (bucket: number): number => bucketFloorMs(bucket + 1);
    for (let i = 0; i < QUANTILES.length; i++) {
      expect(endMs(rollbackBucket[i] ?? 0)).toBeGreaterThanOrEqual(endMs(stableBucket[i] ?? 0) * 1.1 * (1 - 1e-9));
      for (const [level, margin] of [1.4, 1.8, 2.6, 4].entries()) {
        const canary = endMs(advanceBucket[level * QUANTILES.length + i] ?? 0);
        const limit = endMs(stableBucket[QUANTILES.length + i] ?? 0) * margin;
        expect(canary).toBeLessThanOrEqual(limit * (1 + 1e-9));
        expect(canary).toBeGreaterThan(limit * 0.96);
      }
      expect(LEVELS).toBe(4);
    }
  });
});
