import { describe, expect, test } from 'vitest';
import { bucketIndex } from '../telemetry/histogram.ts';
import { decodeAnalysis, encodeAnalysis, StateError } from './analysis-codec.ts';
import { decide } from './analysis-decision.ts';
import { DEFAULT_ANALYSIS } from './analysis-spec.ts';
import { newAnalysis } from './analysis-state.ts';
import type { AnalysisState } from './analysis-state.ts';
import { verdict } from './analysis-verdict.ts';
import { beginStage, observe, startCanary } from './analysis.ts';
import { newArmCounts } from './observation.ts';

/** A rollout with failures and latencies that differ from tick to tick, written down and read back wherever `restarts` says. */
function rollout(ticks: number, restarts: (tick: number) => boolean): { state: AnalysisState; log: string[] } {
  let state = newAnalysis(DEFAULT_ANALYSIS);
  const log: string[] = [];
  for (let tick = -60; tick < ticks; tick++) {
    if (tick === 0) {
      startCanary(state);
      beginStage(state, { weight: 0.1, nextWeight: 0.3, minimumMs: 60_000 });
    }
    const stratum = { weight: tick < 0 ? 0 : 0.1, stable: newArmCounts(), canary: newArmCounts() };
    for (const [arm, requests] of [
      [stratum.stable, 90],
      [stratum.canary, tick < 0 ? 0 : 10],
    ] as const) {
      arm.requests = requests;
      if (requests > 0 && tick % 7 === 0) arm.failures.timeout = 1;
      for (let i = 0; i < requests - arm.failures.timeout; i++) arm.latency.add(bucketIndex(50 + ((i * 37 + tick * 11 + 7000) % 200)), 1);
    }
    observe(state, { durationMs: 1000, strata: [stratum] });
    if (restarts(tick)) state = decodeAnalysis(encodeAnalysis(state), DEFAULT_ANALYSIS);
    log.push(JSON.stringify([decide(state), state.rollback.peak, state.shares.peak]));
  }
  return { state, log };
}

describe('writing an analysis down', () => {
  test('the same ticks give the same decisions, to the last bit, with a restart after every tick', () => {
    const kept = rollout(300, () => false);
    const restarted = rollout(300, () => true);
    expect(restarted.log).toEqual(kept.log);
    expect(verdict(restarted.state)).toEqual(verdict(kept.state));
  });

  test('an analysis that has seen nothing comes back as it was', () => {
    const state = newAnalysis(DEFAULT_ANALYSIS);
    expect(decodeAnalysis(encodeAnalysis(state), DEFAULT_ANALYSIS)).toEqual(state);
  });

  test('it takes no more than 64 KB', () => {
    expect(encodeAnalysis(rollout(300, () => false).state).length).toBeLessThan(64 * 1024);
  });
});

test('a state of version 1, which knew no levels, goes on with the same evidence', () => {
  const { state } = rollout(300, () => false);
  const saved: unknown = JSON.parse(encodeAnalysis(state));
  if (!isObject(saved) || !isObject(saved['plan'])) throw new Error('expected an object');
  const { blockSlot: _slot, blockRequests: _requests, plan, ...old } = saved;
  const { levels: _levels, ...oldPlan } = isObject(plan) ? plan : {};
  const revived = decodeAnalysis(JSON.stringify({ ...old, version: 1, plan: oldPlan }), DEFAULT_ANALYSIS);
  expect(decide(revived)).toEqual(decide(state));
  expect(revived.rollback).toEqual(state.rollback);
  expect([revived.block, revived.blockSlot]).toEqual([29, 29]);
});

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

describe('what is not a state', () => {
  const good = encodeAnalysis(rollout(5, () => false).state);

  test.each([
    ['cut off', good.slice(0, -20), 'expected JSON'],
    ['no object', '[1]', 'expected an object'],
    ['another version', good.replace('"version":2', '"version":0'), 'version: expected 2, found 0'],
    ['a field missing', good.replace('"elapsedMs"', '"elapsed"'), 'elapsed: unknown field'],
    ['a text for a number', good.replace(/"elapsedMs":\d+/, '"elapsedMs":"5"'), 'elapsedMs: expected a number'],
    ['a number that JSON turned into null', good.replace(/"elapsedMs":\d+/, '"elapsedMs":null'), 'elapsedMs: expected a number'],
    ['an array of another length', good.replace('"length":1600', '"length":1599'), 'expected 1600 numbers'],
    ['an index beyond the end', good.replace(/"pairs":\[\d+/, '"pairs":[1600'), 'expected an index below 1600, found 1600'],
  ])('%s', (_name, text, message) => {
    expect(() => decodeAnalysis(text, DEFAULT_ANALYSIS)).toThrow(StateError);
    expect(() => decodeAnalysis(text, DEFAULT_ANALYSIS)).toThrow(message);
  });
});
