/** What the analysis promises: exact expectations by going through every draw of the labels, and behaviour in the situations users named. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../base/random.ts';
import { bucketIndex } from '../telemetry/histogram.ts';
import { decide } from './analysis-decision.ts';
import { DEFAULT_ANALYSIS } from './analysis-spec.ts';
import type { AnalysisSpec } from './analysis-spec.ts';
import { LEVELS, METRICS, newAnalysis } from './analysis-state.ts';
import type { AnalysisState } from './analysis-state.ts';
import { advanceEvidence, beginStage, metricEvidence, mismatchEvidence, observe, rollbackEvidence, startCanary } from './analysis.ts';
import { newArmCounts } from './observation.ts';
import type { ArmCounts, Observation, Stratum } from './observation.ts';

interface Arm {
  readonly requests: number;
  readonly failures?: number;
  /** Of every request that did not fail; spread from 40 to 160 ms when left out. */
  readonly latencyMs?: number;
}

function armOf({ requests, failures = 0, latencyMs }: Arm): ArmCounts {
  const counts = newArmCounts();
  counts.requests = requests;
  counts.failures.status5xx = failures;
  const good = requests - failures;
  if (latencyMs !== undefined) counts.latency.add(bucketIndex(latencyMs), good);
  else for (let i = 0; i < 100; i++) counts.latency.add(bucketIndex(40 * 4 ** (i / 100)), good / 100);
  return counts;
}

function stratumOf(weight: number, stable: Arm, canary: Arm = { requests: 0 }): Stratum {
  return { weight, stable: armOf(stable), canary: armOf(canary) };
}

function tick(...strata: Stratum[]): Observation {
  return { durationMs: 1000, strata };
}

/** Stable for a while: 1 % failing, latencies from 40 to 160 ms. */
function warmed(spec: AnalysisSpec = { ...DEFAULT_ANALYSIS, warmupMs: 0 }): AnalysisState {
  const state = newAnalysis(spec);
  for (let second = 0; second < 60; second++) observe(state, tick(stratumOf(0, { requests: 100, failures: 1 })));
  return state;
}

function started(weight: number, nextWeight: number, spec?: AnalysisSpec): AnalysisState {
  const state = warmed(spec);
  startCanary(state);
  beginStage(state, { weight, nextWeight, minimumMs: 0 });
  return state;
}

/** A request with both its fates; the draw decides which is seen. */
interface Fate {
  readonly stableMs: number;
  readonly canaryMs: number;
  /** Latency 0: it fails. */
}

/** Expectation of the evidence over every draw of the labels. */
function expectation(
  fates: readonly (readonly Fate[])[],
  weight: number,
  evidence: (state: AnalysisState) => number,
  spec?: AnalysisSpec,
): number {
  const requests = fates.flat().length;
  let mean = 0;
  for (let draw = 0; draw < 2 ** requests; draw++) {
    const state = started(weight, 1, spec);
    let probability = 1;
    let bit = 0;
    for (const inTick of fates) {
      const stratum = stratumOf(weight, { requests: 0 });
      for (const fate of inTick) {
        const isCanary = (draw >> bit++) % 2 === 1;
        probability *= isCanary ? weight : 1 - weight;
        const arm = isCanary ? stratum.canary : stratum.stable;
        const ms = isCanary ? fate.canaryMs : fate.stableMs;
        arm.requests++;
        if (ms === 0) arm.failures.status5xx++;
        else arm.latency.add(bucketIndex(ms), 1);
      }
      // Blocks begin between these ticks, so new mass comes in and thresholds move.
      observe(state, { durationMs: 10_000, strata: [stratum] });
    }
    mean += probability * Math.exp(evidence(state));
  }
  return mean;
}

describe('exact expectation over the labels', () => {
  const fate = fc.constantFrom(0, 20, 80, 150, 159, 900).map((ms) => ({ stableMs: ms, canaryMs: ms }));
  const ticks = fc.array(fc.array(fate, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 });

  test('a canary without effect: the evidence for a rollback is 1 on average at most, whatever happens to the requests', () => {
    fc.assert(
      fc.property(ticks, fc.constantFrom(0.01, 0.3, 0.5), (fates, weight) => {
        expect(expectation(fates, weight, rollbackEvidence)).toBeLessThanOrEqual(1 + 1e-9);
      }),
      { numRuns: 25, seed: 1 },
    );
  });

  test('without tolerance it is exactly 1: nothing is given away', () => {
    const exact = { ...DEFAULT_ANALYSIS, warmupMs: 0, errorTolerance: { relative: 1, absolute: 0 }, latencyTolerance: 1 };
    fc.assert(
      fc.property(ticks, fc.constantFrom(0.05, 0.5), (fates, weight) => {
        expect(expectation(fates, weight, (state) => metricEvidence(state, 0), exact)).toBeCloseTo(1, 9);
        expect(expectation(fates, weight, mismatchEvidence, exact)).toBeCloseTo(1, 9);
      }),
      { numRuns: 15, seed: 2 },
    );
  });

  test('a canary up to the tolerance slower: the latency evidence is 1 on average at most', () => {
    const slower = fc.integer({ min: 1, max: 1000 }).map((ms) => ({ stableMs: ms, canaryMs: ms * 1.1 }));
    fc.assert(
      fc.property(fc.array(fc.array(slower, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 }), (fates) => {
        for (let metric = 1; metric < METRICS; metric++) {
          expect(expectation(fates, 0.3, (state) => metricEvidence(state, metric))).toBeLessThanOrEqual(1 + 1e-9);
        }
      }),
      { numRuns: 10, seed: 3 },
    );
  });

  test('a canary slower by the margin: the evidence for going on is 1 on average at most', () => {
    const slower = fc.integer({ min: 20, max: 300 }).map((ms) => ({ stableMs: ms, canaryMs: ms * 1.2 }));
    fc.assert(
      fc.property(fc.array(fc.array(slower, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 }), (fates) => {
        for (let metric = 1; metric < METRICS; metric++) {
          expect(expectation(fates, 0.5, (state) => advanceEvidence(state, 0, metric))).toBeLessThanOrEqual(1 + 1e-9);
        }
      }),
      { numRuns: 10, seed: 4 },
    );
  });

  test('a canary that fails where stable does not: the evidence for going on is 1 on average at most', () => {
    const broken = [
      [{ stableMs: 80, canaryMs: 0 }],
      [
        { stableMs: 90, canaryMs: 0 },
        { stableMs: 0, canaryMs: 0 },
      ],
    ];
    for (let level = 0; level < LEVELS; level++) {
      // One request in three without effect: the mean effect is far above every margin but in each tick, so each tick on its own is tested.
      for (const fates of broken.slice(0, 1))
        expect(expectation([fates], 0.5, (state) => advanceEvidence(state, level, 0))).toBeLessThanOrEqual(1);
    }
  });
});

describe('decisions', () => {
  const run = (state: AnalysisState, seconds: number, one: () => Stratum): void => {
    for (let second = 0; second < seconds; second++) observe(state, tick(one()));
  };

  test('a canary that fails everything is rolled back after three requests', () => {
    const state = started(0.01, 0.05);
    observe(state, tick(stratumOf(0.01, { requests: 297, failures: 3 }, { requests: 3, failures: 3 })));
    expect(decide(state)).toEqual({ decision: 'rollback', cause: 'regression' });
  });

  test('a rollback once proved stays proved, whatever comes after', () => {
    const state = started(0.01, 0.05);
    observe(state, tick(stratumOf(0.01, { requests: 297, failures: 3 }, { requests: 3, failures: 3 })));
    run(state, 3600, () => stratumOf(0.01, { requests: 99, failures: 1 }, { requests: 1 }));
    expect(decide(state).decision).toBe('rollback');
  });

  test('enough good requests clear the step, and not before its minimum time', () => {
    const state = warmed();
    startCanary(state);
    beginStage(state, { weight: 0.5, nextWeight: 1, minimumMs: 300_000 });
    const good = (): Stratum => stratumOf(0.5, { requests: 500, failures: 5 }, { requests: 500, failures: 5 });
    run(state, 299, good);
    expect(decide(state)).toEqual({ decision: 'continue', cause: 'minimum-time' });
    run(state, 1, good);
    expect(decide(state)).toEqual({ decision: 'safe', cause: 'cleared' });
  });

  test('no traffic at all neither passes nor fails, for ever', () => {
    const state = warmed();
    startCanary(state);
    beginStage(state, { weight: 0.05, nextWeight: 0.1, minimumMs: 60_000 });
    run(state, 24 * 3600, () => stratumOf(0.05, { requests: 0 }));
    expect(decide(state)).toEqual({ decision: 'inconclusive', cause: 'no-data' });
    expect(rollbackEvidence(state)).toBeCloseTo(0, 9);
  });

  test('traffic that stops before the step is cleared holds it, also when the evidence was there already', () => {
    const state = warmed();
    startCanary(state);
    beginStage(state, { weight: 0.5, nextWeight: 1, minimumMs: 300_000 });
    run(state, 240, () => stratumOf(0.5, { requests: 500, failures: 5 }, { requests: 500, failures: 5 }));
    run(state, 120, () => stratumOf(0.5, { requests: 0 }));
    expect(decide(state)).toEqual({ decision: 'inconclusive', cause: 'no-data' });
    run(state, 5, () => stratumOf(0.5, { requests: 500, failures: 5 }, { requests: 500, failures: 5 }));
    expect(decide(state).decision).toBe('safe');
  });

  test('a canary that gets nothing while stable is busy is a matter of traffic, found within 1,100 requests at 1 %', () => {
    const state = started(0.01, 0.05);
    run(state, 11, () => stratumOf(0.01, { requests: 100, failures: 1 }));
    expect(decide(state)).toEqual({ decision: 'inconclusive', cause: 'traffic' });
  });

  test('a canary that loses its traffic late is found too', () => {
    const state = started(0.25, 0.5);
    run(state, 600, () => stratumOf(0.25, { requests: 75, failures: 1 }, { requests: 25 }));
    expect(decide(state).cause).not.toBe('traffic');
    run(state, 60, () => stratumOf(0.25, { requests: 97, failures: 1 }, { requests: 3 }));
    // The bets rest on the same labels, so they may have spoken first; the reason is the traffic either way.
    expect(decide(state).cause).toBe('traffic');
  });

  test('a proved regression with a doubtful share is put down to the traffic', () => {
    const state = started(0.5, 1);
    run(state, 3, () => stratumOf(0.5, { requests: 95 }, { requests: 5, failures: 5 }));
    expect(decide(state)).toEqual({ decision: 'rollback', cause: 'traffic' });
  });

  test('an outage that hits both sides is no evidence', () => {
    const state = started(0.1, 0.25);
    run(state, 300, () => stratumOf(0.1, { requests: 90, failures: 1 }, { requests: 10 }));
    run(state, 60, () => stratumOf(0.1, { requests: 90, failures: 45 }, { requests: 10, failures: 5 }));
    expect(decide(state).decision).not.toBe('rollback');
    expect(rollbackEvidence(state)).toBeLessThan(Math.log(5));
  });

  test('a regression that sets in after an hour of good service is found', () => {
    const state = started(0.5, 1, { ...DEFAULT_ANALYSIS, errorBudget: 1e-6 });
    run(state, 3600, () => stratumOf(0.5, { requests: 50, failures: 1 }, { requests: 50, failures: 1 }));
    expect(decide(state).decision).toBe('continue');
    run(state, 60, () => stratumOf(0.5, { requests: 50, failures: 1 }, { requests: 50, failures: 6 }));
    expect(decide(state).decision).toBe('rollback');
  });

  test('slow for the length of the warm-up is no evidence, slow after it is', () => {
    const state = started(0.1, 0.25, DEFAULT_ANALYSIS);
    const slow = (): Stratum => stratumOf(0.1, { requests: 90, latencyMs: 80 }, { requests: 10, latencyMs: 400 });
    run(state, 45, slow);
    expect(rollbackEvidence(state)).toBeLessThan(Math.log(5));
    run(state, 20, slow);
    expect(decide(state)).toEqual({ decision: 'rollback', cause: 'regression' });
  });

  test('requests of an earlier weight that finish late are evidence for a rollback, not for the new step', () => {
    const state = started(0.1, 0.25);
    beginStage(state, { weight: 0.25, nextWeight: 0.5, minimumMs: 0 });
    run(state, 5, () => stratumOf(0.1, { requests: 900, failures: 9 }, { requests: 100, failures: 1 }));
    for (let metric = 0; metric < METRICS; metric++) expect(advanceEvidence(state, 0, metric)).toBeCloseTo(0, 9);
    run(state, 10, () => stratumOf(0.1, { requests: 90 }, { requests: 10, failures: 10 }));
    expect(decide(state).decision).toBe('rollback');
  });

  test('an undecided stage is inconclusive when its time is over', () => {
    const state = warmed();
    startCanary(state);
    beginStage(state, { weight: 0.5, nextWeight: 1, minimumMs: 0, maximumMs: 60_000 });
    run(state, 59, () => stratumOf(0.5, { requests: 5 }, { requests: 5 }));
    expect(decide(state).decision).toBe('continue');
    run(state, 1, () => stratumOf(0.5, { requests: 5 }, { requests: 5 }));
    expect(decide(state)).toEqual({ decision: 'inconclusive', cause: 'undecided' });
  });

  test('suspicion keeps a cleared step from going on', () => {
    const state = started(0.5, 1, { ...DEFAULT_ANALYSIS, warmupMs: 0, suspicion: 1e-9 });
    run(state, 200, () => stratumOf(0.5, { requests: 500, failures: 5 }, { requests: 500, failures: 5 }));
    expect(decide(state)).toEqual({ decision: 'continue', cause: 'suspicion' });
  });
});

describe('latencies that are all alike', () => {
  const alike = (canaryMs: number): AnalysisState => {
    const state = newAnalysis({ ...DEFAULT_ANALYSIS, warmupMs: 0 });
    for (let second = 0; second < 60; second++) observe(state, tick(stratumOf(0, { requests: 100, failures: 1, latencyMs: 50 })));
    startCanary(state);
    beginStage(state, { weight: 0.5, nextWeight: 1, minimumMs: 0 });
    for (let second = 0; second < 60; second++) {
      observe(
        state,
        tick(stratumOf(0.5, { requests: 100, failures: 1, latencyMs: 50 }, { requests: 100, failures: 1, latencyMs: canaryMs })),
      );
    }
    return state;
  };

  test('the same for the canary clears', () => expect(decide(alike(50)).cause).toBe('cleared'));
  test('5 % more clears', () => expect(decide(alike(52.5)).cause).toBe('cleared'));
  test('15 % more is rolled back', () => expect(decide(alike(57.5)).cause).toBe('regression'));
});

describe('evidence', () => {
  test('more failures of the canary never make it smaller', () => {
    let before = Number.NEGATIVE_INFINITY;
    for (let failures = 0; failures <= 20; failures++) {
      const state = started(0.1, 0.25);
      observe(state, tick(stratumOf(0.1, { requests: 180, failures: 2 }, { requests: 20, failures })));
      const now = rollbackEvidence(state);
      expect(now).toBeGreaterThan(before);
      before = now;
    }
  });

  test('a tick in two halves is the same evidence', () => {
    const whole = started(0.1, 0.25);
    observe(whole, tick(stratumOf(0.1, { requests: 180, failures: 4 }, { requests: 20, failures: 2 })));
    const halves = started(0.1, 0.25);
    const half = stratumOf(0.1, { requests: 90, failures: 2 }, { requests: 10, failures: 1 });
    observe(halves, tick(half, half));
    expect(rollbackEvidence(halves)).toBeCloseTo(rollbackEvidence(whole), 9);
  });

  test('nothing is NaN or infinite at extreme counts, rates and times', () => {
    const count = fc.constantFrom(0, 1, 7, 1e3, 1e6, 1e12);
    const share = fc.constantFrom(0, 0.5, 1);
    const ms = fc.constantFrom(0, 0.001, 80, 1e6, 1e9);
    const arm = fc
      .record({ requests: count, share, latencyMs: ms })
      .map(({ requests, share, latencyMs }) => ({ requests, failures: Math.floor(requests * share), latencyMs }));
    const step = fc.record({
      weight: fc.constantFrom(0, 1e-4, 0.01, 0.5, 0.99, 1),
      stable: arm,
      canary: arm,
      durationMs: fc.constantFrom(1, 250, 1e4, 1e9),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), fc.constantFrom(0.01, 0.5), (steps, weight) => {
        const state = newAnalysis({ ...DEFAULT_ANALYSIS, warmupMs: 0 });
        const [first] = steps;
        if (first !== undefined) observe(state, { durationMs: 1000, strata: [stratumOf(0, first.stable)] });
        startCanary(state);
        beginStage(state, { weight, nextWeight: 1, minimumMs: 0 });
        for (const { weight, stable, canary, durationMs } of steps) {
          observe(state, { durationMs, strata: [stratumOf(weight, stable, canary)] });
          for (const value of [
            rollbackEvidence(state),
            mismatchEvidence(state),
            advanceEvidence(state, 0, 0),
            advanceEvidence(state, 3, 3),
          ]) {
            expect(Number.isFinite(value)).toBe(true);
          }
          decide(state);
        }
      }),
      { numRuns: 300, seed: 5 },
    );
  });

  test('without a comparison (weight 0 or 1) there is no evidence', () => {
    const state = started(0.1, 0.25);
    const before = rollbackEvidence(state);
    observe(state, tick(stratumOf(1, { requests: 0 }, { requests: 1000, failures: 1000 }), stratumOf(0, { requests: 1000 })));
    expect(rollbackEvidence(state)).toBeCloseTo(before, 12);
  });

  test('a relative tolerance that stable exceeds already does not turn the bet round', () => {
    const state = newAnalysis({ ...DEFAULT_ANALYSIS, warmupMs: 0, errorTolerance: { relative: 2, absolute: 0 } });
    for (let second = 0; second < 60; second++) observe(state, tick(stratumOf(0, { requests: 100, failures: 80 })));
    startCanary(state);
    beginStage(state, { weight: 0.5, nextWeight: 1, minimumMs: 0 });
    const before = metricEvidence(state, 0);
    observe(state, tick(stratumOf(0.5, { requests: 50, failures: 40 }, { requests: 50 })));
    expect(metricEvidence(state, 0)).toBeLessThan(before);
  });

  test('by chance alone it rarely reaches 1/a: 400 rollouts on the boundary, looked at every second', () => {
    const random = seededRandom(7);
    const exact = { ...DEFAULT_ANALYSIS, errorTolerance: { relative: 1, absolute: 0 } };
    const [runs, level] = [400, 0.1];
    let reached = 0;
    for (let i = 0; i < runs; i++) {
      const state = started(0.3, 1, exact);
      for (let second = 0; second < 150; second++) {
        const [canary, stable] = [newArmCounts(), newArmCounts()];
        for (let request = 0; request < 40; request++) {
          const arm = random() < 0.3 ? canary : stable;
          arm.requests++;
          // Whole seconds are bad now and then, for both.
          if (random() < (second % 20 === 0 ? 0.5 : 0.02)) arm.failures.status5xx++;
        }
        observe(state, tick({ weight: 0.3, stable, canary }));
      }
      if (state.rollback.peak >= Math.log(1 / level)) reached++;
    }
    expect(reached).toBeLessThanOrEqual(runs * level + 3 * Math.sqrt(runs * level * (1 - level)));
  });
});
