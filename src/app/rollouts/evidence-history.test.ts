/** What is kept of a run's evidence: in a plain map of documents here, through the engine and its durable state below. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Evidence } from '../../admin/live-types.ts';
import { EngineRig, NAME, type World } from '../../../test/helpers/engine-rig.ts';
import type { Rollouts } from './engine.ts';
import { EvidenceHistories } from './evidence-history.ts';

class Documents extends Map<string, string> {
  written = 0;

  keep(histories: EvidenceHistories): void {
    for (const [name, text] of histories.unwritten()) {
      this.set(name, text);
      this.written += text.length;
    }
    histories.written();
  }
}

function offered(documents: Documents, points: number, { releases = 1, length = 300 } = {}): EvidenceHistories {
  const histories = new EvidenceHistories(documents);
  for (let number = 0; number < points; number++) {
    histories.offer(NAME, 1, () => String(number).padEnd(length, '.'), releases);
    documents.keep(histories);
  }
  return histories;
}

const numbers = (histories: EvidenceHistories, run = 1): number[] => histories.points(NAME, run).map(Number.parseFloat);

describe('points', () => {
  test('of a short run all of them, and the same after a restart', () => {
    const documents = new Documents();
    const histories = offered(documents, 100);
    expect(numbers(histories)).toEqual(Array.from({ length: 100 }, (_, number) => number));
    expect(numbers(new EvidenceHistories(documents))).toEqual(numbers(histories));
  });

  test.each([601, 1200, 5000, 40_000])('of %i at most 600, evenly, from the first to the last', (points) => {
    const documents = new Documents();
    const kept = numbers(offered(documents, points));
    expect(kept.length).toBeLessThanOrEqual(600);
    expect(kept.length).toBeGreaterThan(290);
    const gaps = new Set(kept.slice(1).map((number, index) => number - (kept[index] ?? 0)));
    expect(gaps.size).toBe(1);
    const [gap = 0] = gaps;
    expect([kept[0], points - (kept.at(-1) ?? 0) <= gap]).toEqual([0, true]);
    expect(numbers(new EvidenceHistories(documents))).toEqual(kept);
  });

  test('it goes on after a restart as it would have', () => {
    const documents = new Documents();
    offered(documents, 700);
    const histories = new EvidenceHistories(documents);
    const before = numbers(histories);
    for (let number = 700; number < 720; number++) histories.offer(NAME, 1, () => String(number), 1);
    expect(numbers(histories)).toHaveLength(before.length + 10);
  });

  test('another run begins anew', () => {
    const documents = new Documents();
    const histories = offered(documents, 10);
    histories.offer(NAME, 2, () => '77', 1);
    documents.keep(histories);
    expect(numbers(new EvidenceHistories(documents), 2)).toEqual([77]);
    expect(numbers(new EvidenceHistories(documents), 1)).toEqual([]);
  });

  test('many releases share what may be kept; a point costs writing a few', () => {
    const documents = new Documents();
    const histories = offered(documents, 2000, { releases: 1000 });
    expect(histories.points(NAME, 1).join('').length).toBeLessThanOrEqual(16 * 1024);
    expect(documents.written / 2000).toBeLessThan(1500);
    const few = new Documents();
    offered(few, 600);
    expect(few.written / 600).toBeLessThan(40 * 300);
  });
});

describe('in the engine', () => {
  let rig: EngineRig;
  let world: World;

  beforeEach(() => {
    rig = new EngineRig();
    ({ world } = rig);
  });

  afterEach(() => rig.close());

  const evidence = (rollouts: Rollouts): Evidence => {
    const tracked = rollouts.find(NAME);
    if (tracked === undefined) throw new Error('no such Rollout');
    return Evidence.parse(rollouts.evidence(tracked));
  };

  const config = (steps: string): string => `
services:
  reviews:
    versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }
    routes: [{ to: v1 }]
    rollout: { stable: v1, canary: v2, steps: [${steps}] }
`;

  test('grows with the run, as status.analysis had it, and survives a crash', async () => {
    world.load(config('{ setWeight: 50 }, { analysis: { atLeast: 10m } }, { setWeight: 100 }'));
    const first = await rig.start();
    expect(evidence(first)).toMatchObject({ run: 1, points: [] });
    await rig.ticks(first, 60, () => {
      world.serve('v1', 5);
      world.serve('v2', 5);
    });
    const { run, margins, points } = evidence(first);
    expect(run).toBe(1);
    expect(points.length).toBeGreaterThan(10);
    expect(points.map(({ elapsedSeconds }) => elapsedSeconds)).toEqual(
      points.map(({ elapsedSeconds }) => elapsedSeconds).toSorted((a, b) => a - b),
    );
    const last = points.at(-1);
    expect(last).toMatchObject({ stepIndex: 1, weights: { v1: 50, v2: 50 } });
    const metrics = last?.candidates['v2']?.metrics ?? [];
    expect(metrics.map(({ name, unit }) => `${name} ${unit}`)).toEqual(['errors ratio', 'p50 ms', 'p90 ms', 'p99 ms', 'latency factor']);
    const verdict = first.find(NAME)?.comparisons?.of('v2')?.verdict();
    const shown = verdict?.metrics[0];
    expect(metrics[0]).toMatchObject({ n: shown?.n, stable: 0, canary: 0, effect: shown?.effect });
    expect(metrics[0]?.margin).toBeCloseTo(shown?.margin ?? Number.NaN, 4);
    expect(margins['errors']).toBe(metrics[0]?.margin);
    expect(metrics[1]?.low).toBeLessThanOrEqual(metrics[1]?.effect ?? Number.NaN);

    const second = await rig.start();
    const found = evidence(second).points;
    expect(found.slice(0, points.length - 1)).toEqual(points.slice(0, -1));
  });

  test('what a rollback was decided by is there, though it came between two points', async () => {
    world.load(config('{ setWeight: 20 }, { pause: {} }, { setWeight: 100 }'));
    const rollouts = await rig.start();
    await rig.ticks(rollouts, 2);
    await rig.ticks(rollouts, 10, () => {
      world.serve('v1', 8);
      world.serve('v2', 2, true);
    });
    expect(rig.shown(rollouts)).toContain('Degraded');
    const last = evidence(await rig.start()).points.at(-1)?.candidates['v2'];
    expect(last?.evidence).toBeGreaterThanOrEqual(last?.rollbackAt ?? Number.POSITIVE_INFINITY);
    expect(last?.metrics[0]).toMatchObject({ stable: 0, canary: 1 });
  });
});
