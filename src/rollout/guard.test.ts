import { describe, expect, test } from 'vitest';
import { seededRandom } from '../base/random.ts';
import { bucketIndex } from '../telemetry/histogram.ts';
import { decide } from './analysis-decision.ts';
import { DEFAULT_ANALYSIS } from './analysis-spec.ts';
import { newAnalysis } from './analysis-state.ts';
import type { AnalysisState } from './analysis-state.ts';
import { beginStage, observe, rollbackEvidence, startCanary } from './analysis.ts';
import { GUARD_COUNTS, guardOf, GuardWatch } from './guard.ts';
import type { Guard } from './guard.ts';
import { newArmCounts } from './observation.ts';
import type { Stratum } from './observation.ts';

const WEIGHT = 0.2;

interface Seen {
  readonly isCanary: boolean;
  readonly hasFailed: boolean;
  readonly bucket: number;
}

function requests(count: number, random: () => number, canaryFailing = 0.03): Seen[] {
  return Array.from({ length: count }, () => {
    const isCanary = random() < WEIGHT;
    return { isCanary, hasFailed: random() < (isCanary ? canaryFailing : 0.01), bucket: bucketIndex(40 * 4 ** random()) };
  });
}

function stratumOf(seen: readonly Seen[], weight = WEIGHT): Stratum {
  const stratum = { weight, stable: newArmCounts(), canary: newArmCounts() };
  for (const { isCanary, hasFailed, bucket } of seen) {
    const arm = isCanary ? stratum.canary : stratum.stable;
    arm.requests++;
    if (hasFailed) arm.failures.reset++;
    else arm.latency.add(bucket, 1);
  }
  return stratum;
}

function started(): AnalysisState {
  const random = seededRandom(1);
  const state = newAnalysis({ ...DEFAULT_ANALYSIS, warmupMs: 0 });
  for (let second = 0; second < 60; second++) {
    observe(state, {
      durationMs: 1000,
      strata: [
        stratumOf(
          requests(100, random).map((each) => ({ ...each, isCanary: false })),
          0,
        ),
      ],
    });
  }
  startCanary(state);
  beginStage(state, { weight: WEIGHT, nextWeight: 0.5, minimumMs: 0 });
  return state;
}

function play(watch: GuardWatch, { isCanary, hasFailed, bucket }: Seen): boolean {
  const failed = watch.recordFailure(isCanary, hasFailed);
  return (!hasFailed && watch.recordLatency(isCanary, bucket)) || failed;
}

function guardFor(state: AnalysisState): Guard {
  const guard = guardOf(state);
  if (guard === undefined) throw new Error('no guard');
  return guard;
}

describe('guard', () => {
  test('finds tick by tick, across blocks, the very evidence the analysis finds', () => {
    const state = started();
    const random = seededRandom(2);
    for (let tick = 0; tick < 40; tick++) {
      const watch = new GuardWatch(guardFor(state));
      const seen = requests(100, random);
      for (const each of seen) play(watch, each);
      observe(state, { durationMs: 1000, strata: [stratumOf(seen)] });
      expect(watch.evidence()).toBeCloseTo(rollbackEvidence(state), 9);
    }
  });

  test('making one changes nothing', () => {
    const [looked, left] = [started(), started()];
    const random = [seededRandom(3), seededRandom(3)] as const;
    for (let tick = 0; tick < 25; tick++) {
      guardOf(looked);
      observe(looked, { durationMs: 1000, strata: [stratumOf(requests(100, random[0]))] });
      observe(left, { durationMs: 1000, strata: [stratumOf(requests(100, random[1]))] });
    }
    expect(rollbackEvidence(looked)).toBe(rollbackEvidence(left));
  });

  test('proves a broken canary within the tick, at the request that proves it', () => {
    const state = started();
    const watch = new GuardWatch(guardFor(state));
    const seen = requests(200, seededRandom(4), 1);
    const at = seen.findIndex((each) => play(watch, each));
    expect(at).toBeGreaterThan(0);
    expect(seen.slice(0, at + 1).filter((each) => each.isCanary).length).toBeLessThanOrEqual(8);
    observe(state, { durationMs: 1000, strata: [stratumOf(seen.slice(0, at + 1))] });
    expect(decide(state).decision).toBe('rollback');
  });

  test('proves a canary that answers slowly', () => {
    const watch = new GuardWatch(guardFor(started()));
    const slow = requests(600, seededRandom(5), 0.01).map((each) => ({ ...each, bucket: each.isCanary ? bucketIndex(900) : each.bucket }));
    expect(slow.some((each) => play(watch, each))).toBe(true);
  });

  test('latency is left alone during the warm-up', () => {
    const state = newAnalysis(DEFAULT_ANALYSIS);
    observe(state, {
      durationMs: 1000,
      strata: [
        stratumOf(
          requests(500, seededRandom(6)).map((each) => ({ ...each, isCanary: false })),
          0,
        ),
      ],
    });
    startCanary(state);
    beginStage(state, { weight: WEIGHT, nextWeight: 0.5, minimumMs: 0 });
    const watch = new GuardWatch(guardFor(state));
    expect(Array.from({ length: 500 }, () => watch.recordLatency(true, bucketIndex(60_000))).includes(true)).toBe(false);
  });

  test('workers prove together what none of them could alone', () => {
    const guard = guardFor(started());
    const counts = Array.from({ length: 4 }, () => new Float64Array(new SharedArrayBuffer(8 * GUARD_COUNTS)));
    const workers = counts.map((own) => new GuardWatch(guard, own, counts));
    const alone = counts.map(() => new GuardWatch(guard));
    const seen = requests(40, seededRandom(7), 1);
    const together = seen.map((each, i) => workers[i % 4]?.recordFailure(each.isCanary, each.hasFailed) ?? false);
    const apart = seen
      .slice(0, together.indexOf(true) + 1)
      .map((each, i) => alone[i % 4]?.recordFailure(each.isCanary, each.hasFailed) ?? false);
    expect(together).toContain(true);
    expect(apart).not.toContain(true);
  });

  test('a guard is plain data: it survives the way to a worker', () => {
    const guard = guardFor(started());
    expect(new GuardWatch(structuredClone(guard)).evidence()).toBeCloseTo(new GuardWatch(guard).evidence(), 12);
  });

  test('there is none before the canary has a weight', () => {
    expect(guardOf(newAnalysis(DEFAULT_ANALYSIS))).toBeUndefined();
  });
});
