/** What is asked of a step: the budget where the traffic can decide it in time, a multiple where it cannot, by the past and never by the comparison. */
import { describe, expect, test } from 'vitest';
import { bucketIndex } from '../telemetry/histogram.ts';
import { askOfErrors } from './analysis-bets.ts';
import { decide } from './analysis-decision.ts';
import { type AnalysisSpec, DEFAULT_ANALYSIS, RELAX_LEVELS } from './analysis-spec.ts';
import { type AnalysisState, newAnalysis } from './analysis-state.ts';
import { beginStage, observe, startCanary } from './analysis.ts';
import { type ArmCounts, newArmCounts } from './observation.ts';

const MINUTE_MS = 60_000;
const HALF = { weight: 0.5, nextWeight: 1 };

function timesAt(perS: number | undefined, spec: AnalysisSpec = DEFAULT_ANALYSIS, failing = 0.01): number | undefined {
  return RELAX_LEVELS[askOfErrors(spec, HALF, failing, perS).level];
}

describe('how many times the budget suffices', () => {
  test.each([
    [100, 1],
    [10, 1],
    [5, 1],
    [1, 2],
    [6 / 60, 4],
    [200 / 3600, 10],
    [100 / 3600, 10],
    [1 / 3600, 10],
    [undefined, 1],
  ])('at %s requests/s, 1 %% failing: %s', (perS, times) => {
    expect(timesAt(perS)).toBe(times);
  });

  test('never more where the Rollout says so, more the less patience there is, and the more fail on both sides', () => {
    expect(timesAt(0.1, { ...DEFAULT_ANALYSIS, patienceMs: 0 })).toBe(1);
    expect(timesAt(1, { ...DEFAULT_ANALYSIS, patienceMs: MINUTE_MS })).toBe(10);
    expect([0.001, 0.01, 0.1].map((failing) => timesAt(1, DEFAULT_ANALYSIS, failing))).toEqual([1, 2, 4]);
  });

  test('what is expected is what a good release takes, and a multiple is waited for in proportion', () => {
    for (const perS of [0.05, 0.1, 1, 10]) {
      const { level, ms } = askOfErrors(DEFAULT_ANALYSIS, HALF, 0.01, perS);
      const times = RELAX_LEVELS[level] ?? 1;
      if (times < 10) expect(ms).toBeLessThanOrEqual(times * DEFAULT_ANALYSIS.patienceMs);
    }
  });
});

function arm(requests: number, failures: number): ArmCounts {
  const counts = newArmCounts();
  counts.requests = requests;
  counts.failures.status5xx = failures;
  for (let i = 0; i < 50; i++) counts.latency.add(bucketIndex(40 * 4 ** (i / 50)), (requests - failures) / 50);
  return counts;
}

/** Minutes of the same traffic. */
function minutes(state: AnalysisState, count: number, weight: number, stable: ArmCounts, canary: ArmCounts): void {
  for (let minute = 0; minute < count; minute++) observe(state, { durationMs: MINUTE_MS, strata: [{ weight, stable, canary }] });
}

function started(perMinute: number): AnalysisState {
  const state = newAnalysis({ ...DEFAULT_ANALYSIS, warmupMs: 0 });
  minutes(state, 600, 0, arm(perMinute, perMinute / 100), arm(0, 0));
  startCanary(state);
  beginStage(state, { ...HALF, minimumMs: 0 });
  return state;
}

describe('in an analysis', () => {
  test('it follows from the traffic before the stage, and changes with it', () => {
    const state = started(6);
    expect(state.plan.levels[0]).toBe(2);
    minutes(state, 60, 0.5, arm(3000, 30), arm(3000, 30));
    expect(state.plan.levels[0]).toBe(0);
  });

  test('how the canary does has no say', () => {
    const [good, bad] = [started(6), started(6)];
    minutes(good, 120, 0.5, arm(3, 0.03), arm(3, 0.03));
    minutes(bad, 120, 0.5, arm(3, 0.03), arm(3, 0.3));
    expect([...bad.plan.levels]).toEqual([...good.plan.levels]);
  });

  test('latency may take as long as the error rate takes anyway', () => {
    const { levels } = started(6).plan;
    expect(levels[1]).toBe(0);
    expect(levels[2]).toBe(0);
  });

  test('a day of 100 requests an hour clears a step, and begins no more blocks than twenty requests each', () => {
    const state = started(100 / 60);
    minutes(state, 1440, 0.5, arm(50 / 60, 0.5 / 60), arm(50 / 60, 0.5 / 60));
    expect(decide(state)).toEqual({ decision: 'safe', cause: 'cleared' });
    expect(state.block).toBeLessThanOrEqual(120);
  });
});
