import { describe, expect, test } from 'vitest';
import { seededRandom } from '../base/random.ts';
import { bucketIndex } from '../telemetry/histogram.ts';
import { decide } from './analysis-decision.ts';
import { DEFAULT_ANALYSIS } from './analysis-spec.ts';
import { newAnalysis } from './analysis-state.ts';
import type { AnalysisState } from './analysis-state.ts';
import { beginStage, observe, rollbackEvidence, startCanary } from './analysis.ts';
import { GUARD_BLOCK_BYTES, GuardBlock, type GuardOrder, MAX_GUARD_STRATA, orderEvidence } from './guard-block.ts';
import { GUARD_CELLS, guardEvidence, guardOf } from './guard.ts';
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

function guardFor(state: AnalysisState, weights: readonly number[] = [WEIGHT]): Guard {
  const guard = guardOf(state, weights);
  if (guard === undefined) throw new Error('no guard');
  return guard;
}

/** What a worker would have counted of these requests. */
function cellsOf(guard: Guard, seen: readonly Seen[]): Float64Array {
  const cells = new Float64Array(GUARD_CELLS);
  const count = (metric: number, isCanary: boolean, isBad: boolean): void => {
    const at = 4 * metric + (isCanary ? 0 : 2) + (isBad ? 0 : 1);
    cells[at] = (cells[at] ?? 0) + 1;
  };
  for (const { isCanary, hasFailed, bucket } of seen) {
    count(0, isCanary, hasFailed);
    if (hasFailed) continue;
    for (const [i, threshold] of (isCanary ? guard.canaryBuckets : guard.stableBuckets).entries())
      count(1 + i, isCanary, bucket > threshold);
  }
  return cells;
}

const isProved = (guard: Guard, seen: readonly Seen[]): boolean => guardEvidence(guard, [cellsOf(guard, seen)]) >= guard.threshold;

describe('guard', () => {
  test('finds tick by tick, across blocks, the very evidence the analysis finds', () => {
    const state = started();
    const random = seededRandom(2);
    for (let tick = 0; tick < 40; tick++) {
      const guard = guardFor(state);
      const seen = requests(100, random);
      observe(state, { durationMs: 1000, strata: [stratumOf(seen)] });
      expect(guardEvidence(guard, [cellsOf(guard, seen)])).toBeCloseTo(rollbackEvidence(state), 9);
    }
  });

  test('while a weight changes, too: requests of the old one are counted at their own', () => {
    const state = started();
    const random = seededRandom(8);
    observe(state, { durationMs: 1000, strata: [stratumOf(requests(300, random))] });
    beginStage(state, { weight: 0.5, nextWeight: 1, minimumMs: 0 });
    for (let tick = 0; tick < 30; tick++) {
      const guard = guardFor(state, [WEIGHT, 0.5]);
      const [late, now] = [requests(30, random), requests(100, random)];
      observe(state, { durationMs: 1000, strata: [stratumOf(late), stratumOf(now, 0.5)] });
      expect(guardEvidence(guard, [cellsOf(guard, late), cellsOf(guard, now)])).toBeCloseTo(rollbackEvidence(state), 9);
    }
  });

  test('making one changes nothing', () => {
    const [looked, left] = [started(), started()];
    const random = [seededRandom(3), seededRandom(3)] as const;
    for (let tick = 0; tick < 25; tick++) {
      guardOf(looked, [WEIGHT]);
      observe(looked, { durationMs: 1000, strata: [stratumOf(requests(100, random[0]))] });
      observe(left, { durationMs: 1000, strata: [stratumOf(requests(100, random[1]))] });
    }
    expect(rollbackEvidence(looked)).toBe(rollbackEvidence(left));
  });

  test('proves a broken canary within the tick, at the request that proves it', () => {
    const state = started();
    const guard = guardFor(state);
    const seen = requests(200, seededRandom(4), 1);
    const at = seen.findIndex((_, index) => isProved(guard, seen.slice(0, index + 1)));
    expect(at).toBeGreaterThan(0);
    expect(seen.slice(0, at + 1).filter((each) => each.isCanary).length).toBeLessThanOrEqual(8);
    observe(state, { durationMs: 1000, strata: [stratumOf(seen.slice(0, at + 1))] });
    expect(decide(state).decision).toBe('rollback');
  });

  test('proves a canary that answers slowly', () => {
    const slow = requests(600, seededRandom(5), 0.01).map((each) => ({ ...each, bucket: each.isCanary ? bucketIndex(900) : each.bucket }));
    expect(isProved(guardFor(started()), slow)).toBe(true);
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
    const slow = Array.from({ length: 500 }, () => ({ isCanary: true, hasFailed: false, bucket: bucketIndex(60_000) }));
    expect(isProved(guardFor(state), slow)).toBe(false);
  });

  test('there is none before the canary has a weight', () => {
    expect(guardOf(newAnalysis(DEFAULT_ANALYSIS), [WEIGHT])).toBeUndefined();
  });
});

describe('guard in shared memory', () => {
  const orderOf = (guard: Guard, told: Float64Array = new Float64Array(GUARD_CELLS)): GuardOrder => ({
    run: 3,
    guard,
    strata: [{ failureSlots: [1, 2, 3, -1], latencySlots: [2, 4], killSlot: 5, told }],
  });

  test('comes out as it went in, and counts from where the analysis stood', () => {
    const block = new GuardBlock(new SharedArrayBuffer(GUARD_BLOCK_BYTES));
    expect(block.turn).toBeUndefined();
    const guard = guardFor(started());
    const seen = requests(200, seededRandom(4), 1);
    const told = cellsOf(guard, seen.slice(0, 100));
    block.publish(orderOf(guard, told));
    expect(block.turn).toBeDefined();
    expect(block.read()).toEqual(orderOf(guard, told));
    expect(orderEvidence(block.read(), [cellsOf(guard, seen)])).toBeCloseTo(guardEvidence(guard, [cellsOf(guard, seen.slice(100))]), 9);
  });

  test('what is found while the guard changes does not count', () => {
    const block = new GuardBlock(new SharedArrayBuffer(GUARD_BLOCK_BYTES));
    block.publish(orderOf(guardFor(started())));
    const turn = block.turn ?? -1;
    expect(block.isStill(turn)).toBe(true);
    block.withdraw();
    expect(block.isStill(turn)).toBe(false);
    expect(block.turn).toBeUndefined();
    block.withdraw();
    block.publish(orderOf(guardFor(started())));
    expect(block.turn).toBeGreaterThan(turn);
    expect(block.isStill(turn)).toBe(false);
  });

  test('the first proof stands until another run begins', () => {
    const block = new GuardBlock(new SharedArrayBuffer(GUARD_BLOCK_BYTES));
    block.publish(orderOf(guardFor(started())));
    expect(block.prove(5.5, 1000)).toBe(true);
    expect(block.prove(9, 2000)).toBe(false);
    expect(block.proof).toEqual({ evidence: 5.5, atMs: 1000 });
    expect(block.turn).toBeUndefined();
    block.reset();
    expect(block.proof).toBeUndefined();
  });

  test('with more strata than it has room for there is no guard', () => {
    const block = new GuardBlock(new SharedArrayBuffer(GUARD_BLOCK_BYTES));
    const guard = guardFor(started());
    const [stratum] = orderOf(guard).strata;
    block.publish({ ...orderOf(guard), strata: Array.from({ length: MAX_GUARD_STRATA + 1 }, () => stratum ?? expect.unreachable()) });
    expect(block.turn).toBeUndefined();
  });
});
