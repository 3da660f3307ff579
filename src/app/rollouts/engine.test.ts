/** The engine over a real state, overlay, compiler and counters, with time that moves when told: what survives what, and what it costs. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EMPTY_OVERLAY } from '../../config/overlay.ts';
import { StatsWriter } from '../../telemetry/shared-stats.ts';
import { messageOf, phaseOf } from '../../rollout/phase.ts';
import { EngineRig, HOST, inForceOf, NAME, type World } from '../../../test/helpers/engine-rig.ts';
import type { Rollouts } from './engine.ts';
import { rolloutObject } from './view.ts';

const config = (rollout: string): string => `
services:
  reviews:
    versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }
    routes: [{ to: v1 }]
    ${rollout === '' ? '' : `rollout: { stable: v1, canary: v2, ${rollout} }`}
`;
const STEPS = 'steps: [{ setWeight: 10 }, { pause: { duration: 10s } }, { setWeight: 50 }, { pause: {} }, { setWeight: 100 }]';

let rig: EngineRig;
let world: World;

beforeEach(() => {
  rig = new EngineRig();
  ({ world } = rig);
});

afterEach(() => rig.close());

const engine = (): Promise<Rollouts> => rig.start();
const ticks = (rollouts: Rollouts, seconds: number, each?: () => void): Promise<void> => rig.ticks(rollouts, seconds, each);
const shown = (rollouts: Rollouts): string => rig.shown(rollouts);

/** Each version gets its share: nothing to object to. */
function serveBoth(): void {
  for (const [subset, weight] of Object.entries(world.weights ?? {})) world.serve(subset, weight / 1000);
}

test('steps follow each other; the overlay follows the state', async () => {
  world.load(config(STEPS));
  const rollouts = await engine();
  await ticks(rollouts, 2, serveBoth);
  expect(shown(rollouts)).toBe('Paused 1 {"v2":1000,"v1":9000}');
  await ticks(rollouts, 12, serveBoth);
  expect(shown(rollouts)).toBe('Paused 3 {"v2":5000,"v1":5000}');
  await rollouts.command(NAME, { verb: 'promote', by: 'test' });
  await ticks(rollouts, 1);
  expect(shown(rollouts)).toBe('Healthy - {"v2":10000,"v1":0}');
});

describe('crashes', () => {
  test('the same step, the same weights, the time that was served', async () => {
    world.load(config(STEPS));
    const first = await engine();
    await ticks(first, 8, serveBoth);
    const before = shown(first);
    // A night without Serin is no time served.
    rig.clock.advance(12 * 3_600_000);
    const second = await engine();
    expect(shown(second)).toBe(before);
    const stepMs = second.find(NAME)?.stored.state.active?.stepMs ?? 0;
    expect(stepMs).toBeGreaterThan(5000);
    expect(stepMs).toBeLessThan(8500);
    expect(second.find(NAME)?.stored.records).toEqual(first.find(NAME)?.stored.records);
  });

  test('evidence that was gathered is not gathered again', async () => {
    world.load(config('steps: [{ setWeight: 50 }, { analysis: {} }, { setWeight: 100 }]'));
    const first = await engine();
    await ticks(first, 20, () => {
      world.serve('v1', 5);
      world.serve('v2', 5);
    });
    await first.close();
    const seen = first.find(NAME)?.situation.judgement?.canaryRequests ?? 0;
    expect(seen).toBeGreaterThan(300);
    const second = await engine();
    await ticks(second, 1);
    expect(second.find(NAME)?.situation.judgement?.canaryRequests).toBe(seen);
  });

  test('a jump of the wall clock, either way, moves nothing', async () => {
    world.load(config(STEPS));
    const rollouts = await engine();
    await ticks(rollouts, 2, serveBoth);
    const before = shown(rollouts);
    // Stopped for half a minute: a tick that comes late has not served that time.
    rig.clock.advance(30_000);
    await rollouts.tick();
    expect(shown(rollouts)).toBe(before);
  });
});

test('a canary that fails is cut off by the kill switch, even while nothing can be written', async () => {
  world.load(config('steps: [{ setWeight: 20 }, { pause: {} }, { setWeight: 100 }]'));
  const rollouts = await engine();
  await ticks(rollouts, 2);
  const epoch = world.overlay.releases[HOST]?.epoch ?? 0;
  const slot = world.board.slot(`kill|${NAME}|${epoch}|v2`);
  rig.isDiskFull = true;
  await ticks(rollouts, 10, () => {
    world.serve('v1', 8);
    world.serve('v2', 2, true);
  });
  const view = new Uint8Array(world.board.segments()[0] ?? new SharedArrayBuffer(1));
  expect(view[slot]).not.toBe(0);
  expect(shown(rollouts)).toBe('Paused 1 {"v2":2000,"v1":8000}');
  const found = rollouts.find(NAME);
  expect(found && rolloutObject(found, rollouts.problem).status).toMatchObject({
    message: expect.stringMatching(/^rolled back: error rate is worse than tolerated: .*; stands still: no space left$/),
  });
  rig.isDiskFull = false;
  await ticks(rollouts, 1);
  expect(shown(rollouts)).toBe('Degraded - {"v2":0,"v1":10000}');
  expect(rollouts.find(NAME)?.stored.records.at(-1)).toMatchObject({ action: 'rollback', by: 'engine' });
});

test('disk full: the release stands still, says so, serves no time, and goes on when there is space', async () => {
  world.load(config(STEPS));
  const rollouts = await engine();
  await ticks(rollouts, 2, serveBoth);
  const before = rollouts.find(NAME)?.stored.state.active?.stepMs ?? 0;
  rig.isDiskFull = true;
  await ticks(rollouts, 30, serveBoth);
  expect(shown(rollouts)).toBe('Paused 1 {"v2":1000,"v1":9000}');
  expect(rollouts.problem).toContain('no space left');
  expect((rollouts.find(NAME)?.stored.state.active?.stepMs ?? 0) - before).toBeLessThan(1500);
  await expect(rollouts.command(NAME, { verb: 'abort', by: 'test' })).rejects.toThrow('no space left');
  rig.isDiskFull = false;
  await ticks(rollouts, 12, serveBoth);
  expect(rollouts.problem).toBeUndefined();
  expect(shown(rollouts)).toBe('Paused 3 {"v2":5000,"v1":5000}');
});

test('what the data plane refuses is tried again, and nothing grows meanwhile', async () => {
  world.load(config('steps: [{ setWeight: 10 }, { setWeight: 100 }]'));
  const rollouts = await engine();
  world.refusal = new Error('no');
  await ticks(rollouts, 5, serveBoth);
  expect(rollouts.find(NAME)?.stored.state.active?.step).toBe(0);
  expect(rollouts.problem).toContain('refused');
  world.refusal = undefined;
  await ticks(rollouts, 2, serveBoth);
  expect(shown(rollouts)).toBe('Healthy - {"v2":10000,"v1":0}');
});

describe('states that do not fit', () => {
  test.each([
    ['no JSON', 'x'],
    ['another shape', '{"version":1}'],
    ['a weight of 500 %', '500'],
    ['a step beyond the last', '99'],
    ['a key that reaches prototypes', '{"__proto__":{"version":1}}'],
  ])('%s: the rollout is unknown, its host gets what the files say', async (_what, text) => {
    world.load(config(STEPS));
    const first = await engine();
    await ticks(first, 2);
    const body = rig.state.get(`rollout/${NAME}`) ?? '';
    const changed =
      text === '500'
        ? body.replace('"weight":1000,"routes"', '"weight":50000,"routes"')
        : text === '99'
          ? body.replace('"step":1', '"step":99')
          : text;
    expect(changed).not.toBe(body);
    rig.state.put(`rollout/${NAME}`, changed, { actor: 'test', action: 'break', target: NAME });
    const second = await engine();
    await ticks(second, 5);
    expect(world.weights).toBeUndefined();
    expect(rig.state.get(`rollout/${NAME}`)).toBe(changed);
  });

  test('a Rollout that has left the files: these are in force, the state is kept, and it goes on when it is back', async () => {
    world.load(config(STEPS));
    const rollouts = await engine();
    await ticks(rollouts, 2);
    const before = shown(rollouts);
    world.load(config(''));
    await ticks(rollouts, 2);
    expect(world.weights).toBeUndefined();
    expect(rollouts.find(NAME)?.spec).toBeUndefined();
    world.load(config(STEPS));
    await ticks(rollouts, 1);
    expect(shown(rollouts)).toBe(before);
  });
});

test('nothing starts in a freeze, beside a shift by hand, or when it is not to start by itself', async () => {
  world.load(config(`${STEPS}, freeze: [{ from: 2026-01-01T00:00:00Z, to: 2026-01-03T00:00:00Z, reason: stocktaking }]`));
  const rollouts = await engine();
  await ticks(rollouts, 1);
  expect(shown(rollouts)).toBe('Healthy - undefined');
  expect(await rollouts.command(NAME, { verb: 'start', by: 'test' })).toMatchObject({
    refused: 'frozen',
    reason: expect.stringContaining('stocktaking'),
  });

  world.load(config(STEPS));
  world.overlay = { ...world.overlay, shifts: { [HOST]: { weights: { v1: 1 } } } };
  world.inForce = inForceOf(world.base, world.overlay);
  await ticks(rollouts, 1);
  expect(shown(rollouts)).toBe('Healthy - undefined');
  const found = rollouts.find(NAME);
  expect(found === undefined ? '' : messageOf(found.stored.state, found.situation, undefined)).toContain('serin shift');

  world.overlay = EMPTY_OVERLAY;
  world.load(config(`paused: true, ${STEPS}`));
  await ticks(rollouts, 1);
  expect(shown(rollouts)).toBe('Healthy - undefined');
  expect(await rollouts.command(NAME, { verb: 'start', by: 'test' })).toBeUndefined();
});

/** What a tick costs with so many releases under way, ms of the processor: the lower quartile, for what else runs shares its caches. */
async function tickCostMs(releases: number): Promise<number> {
  const services = Array.from(
    { length: releases },
    (_, index) =>
      `  s${index}: { versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }, routes: [{ to: v1 }], rollout: { stable: v1, canary: v2, steps: [{ setWeight: 10 }, { pause: {} }, { setWeight: 100 }] } }`,
  );
  world.load(`services:\n${services.join('\n')}\n`);
  const rollouts = await engine();
  await ticks(rollouts, 2);
  const writer = new StatsWriter(0, 1);
  const costs: number[] = [];
  for (let round = 0; round < 24; round++) {
    for (let index = 0; index < releases; index++) {
      const name = `default/s${index}`;
      const epoch = rollouts.find(name)?.stored.state.epoch ?? 0;
      for (const [subset, count] of [
        ['v1', 9],
        ['v2', 1],
      ] as const) {
        const slot = world.stats.slot(`release|${name}|${epoch}|${subset}|good`);
        writer.attach(world.stats.segments());
        for (let request = 0; request < count; request++) writer.cluster(slot).record(200, 5);
      }
    }
    rig.clock.advance(250);
    const before = process.threadCpuUsage();
    await rollouts.tick();
    const { user, system } = process.threadCpuUsage(before);
    costs.push((user + system) / 1000);
  }
  expect(rollouts.list().filter(({ stored }) => phaseOf(stored.state) === 'Paused')).toHaveLength(releases);
  return costs.slice(8).toSorted((x, y) => x - y)[4] ?? Number.POSITIVE_INFINITY;
}

test('a tick costs in proportion to the releases under way: 1,000 are not held up by each other', { timeout: 120_000 }, async () => {
  const few = await tickCostMs(100);
  expect(await tickCostMs(1000)).toBeLessThan(30 * few);
});

test('a document of version 1, which knew one canary, goes on at its step and weights', async () => {
  world.load(config(STEPS));
  const first = await engine();
  await ticks(first, 2, serveBoth);
  const before = shown(first);
  expect(before).toBe('Paused 1 {"v2":1000,"v1":9000}');
  const body = rig.state.get(`rollout/${NAME}`) ?? '';
  const old = body
    .replace('"version":2', '"version":1')
    .replace(
      '"canaries":["v2"],"left":[],"named":{"stable":"v1","canaries":["v2"]}',
      '"canary":"v2","named":{"stable":"v1","canary":"v2"}',
    );
  expect(old).not.toContain('canaries');
  rig.state.put(`rollout/${NAME}`, old, { actor: 'test', action: 'age', target: NAME });
  const second = await engine();
  expect(shown(second)).toBe(before);
  await ticks(second, 12, serveBoth);
  expect(shown(second)).toBe('Paused 3 {"v2":5000,"v1":5000}');
});
