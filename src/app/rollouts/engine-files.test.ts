/** Files that change around releases: Rollouts that leave, move to another host or come to what was started by hand, versions that go. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EngineRig, NAME } from '../../../test/helpers/engine-rig.ts';
import type { Rollouts } from './engine.ts';
import { rolloutObject } from './view.ts';

let rig: EngineRig;

beforeEach(() => {
  rig = new EngineRig();
});

afterEach(() => rig.close());

const STEPS = 'steps: [{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }]';
const services = (rollout: string, versions = ['v1', 'v2', 'v3'], to = 'v1'): string => `
services:
  reviews:
    versions: { ${versions.map((version, index) => `${version}: http://127.0.0.1:${index + 1}`).join(', ')} }
    routes: [{ to: ${to} }]
    ${rollout === '' ? '' : `rollout: ${rollout}`}
  ratings:
    versions: { v1: http://127.0.0.1:8, v2: http://127.0.0.1:9 }
    routes: [{ to: v1 }]
`;
const named = (name: string, host: string, stable: string, canary: string): string => `---
apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: { name: ${name} }
spec: { host: ${host}, stable: ${stable}, canary: ${canary}, strategy: { canary: { ${STEPS} } } }
`;
const byHand = (
  stable: string,
  canary: string,
): { readonly host: string; readonly stable: string; readonly canaries: readonly string[] } => ({
  host: 'reviews.default.svc.cluster.local',
  stable,
  canaries: [canary],
});

function reasons(rollouts: Rollouts, name = NAME): readonly string[] {
  return (rollouts.find(name)?.stored.records ?? []).map(({ by, action, reason }) => `${by} ${action}: ${reason}`);
}

/** A release by hand of `canary` beside `stable`, all the way. */
async function promoteByHand(rollouts: Rollouts, stable: string, canary: string): Promise<void> {
  expect(await rollouts.command(NAME, { verb: 'start', by: 'ana' }, { adHoc: byHand(stable, canary), to: [canary] })).toBeUndefined();
  expect(await rollouts.command(NAME, { verb: 'promote', by: 'ana', full: true })).toBeUndefined();
  await rig.ticks(rollouts, 1);
}

test('a Rollout that comes to a release by hand has the say from then on, and starts', async () => {
  rig.world.load(services(''));
  const rollouts = await rig.start();
  await promoteByHand(rollouts, 'v1', 'v2');
  expect(rig.shown(rollouts)).toBe('Healthy - {"v2":10000,"v1":0}');
  rig.world.load(services(`{ stable: v2, canary: v3, ${STEPS} }`));
  await rig.ticks(rollouts, 2);
  expect(rig.shown(rollouts)).toBe('Paused 1 {"v3":5000,"v2":5000}');
  expect(rig.shown(await rig.start())).toBe('Paused 1 {"v3":5000,"v2":5000}');
});

test('of two Rollouts of a host the one that was started last is in force after its end, also after a restart', async () => {
  rig.world.load(services(''));
  const rollouts = await rig.start();
  await promoteByHand(rollouts, 'v1', 'v2');
  rig.world.load(services('') + named('another', 'reviews', 'v2', 'v3'));
  await rig.ticks(rollouts, 2);
  await rollouts.command('default/another', { verb: 'promote', by: 'ana', full: true });
  await rig.ticks(rollouts, 2);
  expect(rig.shown(rollouts, 'default/another')).toBe('Healthy - {"v3":10000,"v2":0}');
  expect(rig.shown(await rig.start(), 'default/another')).toBe('Healthy - {"v3":10000,"v2":0}');
});

test('a release whose Rollout is gone keeps nobody else from its host, and can be ended', async () => {
  rig.world.load(services(`{ stable: v1, canary: v2, ${STEPS} }`));
  const rollouts = await rig.start();
  await rig.ticks(rollouts, 2);
  rig.world.load(services('') + named('another', 'reviews', 'v1', 'v3'));
  await rig.ticks(rollouts, 2);
  expect(rig.shown(rollouts, 'default/another')).toBe('Paused 1 {"v3":5000,"v1":5000}');

  rig.world.load(services(''));
  await rig.ticks(rollouts, 1);
  expect(await rollouts.command(NAME, { verb: 'promote', by: 'ana' })).toMatchObject({
    refused: 'blocked',
    hint: 'bring it back, or serin rollout abort',
  });
  const orphan = rollouts.find(NAME);
  // What it had once is not in force.
  expect(orphan === undefined ? {} : rolloutObject(orphan, undefined)).not.toHaveProperty('status.weights');
  expect(await rollouts.command(NAME, { verb: 'abort', by: 'ana' })).toBeUndefined();
  expect(reasons(rollouts).at(-1)).toBe('ana abort: back to v1: aborted by hand; its Rollout is no longer in the files');
  expect(await rollouts.command(NAME, { verb: 'start', by: 'ana' }, { adHoc: byHand('v1', 'v3'), to: ['v3'] })).toBeUndefined();
  await rig.ticks(rollouts, 1);
  expect(rig.world.weights).toMatchObject({ v1: 10_000, v3: 0 });
});

test('a Rollout that is of another host now goes back where it was, and begins anew where it is', async () => {
  const of = (host: string): string => services('') + named('reviews', host, 'v1', 'v2');
  const shares = (host: string): unknown => rig.world.overlay.releases[`${host}.default.svc.cluster.local`]?.weights;
  rig.world.load(of('reviews'));
  const rollouts = await rig.start();
  await rig.ticks(rollouts, 2);
  expect(shares('reviews')).toEqual({ v1: 5000, v2: 5000 });
  rig.world.load(of('ratings'));
  await rig.ticks(rollouts, 2);
  expect([shares('reviews'), shares('ratings')]).toEqual([undefined, { v1: 5000, v2: 5000 }]);
  expect(reasons(rollouts).slice(3, 6)).toEqual([
    'engine supersede: back to v1: the Rollout is of ratings.default.svc.cluster.local now',
    'engine supersede: the Rollout is of ratings.default.svc.cluster.local now',
    'engine start: release of v2 beside v1, 3 steps: the Rollout was applied',
  ]);

  // Nor does a promotion go along.
  await rollouts.command(NAME, { verb: 'promote', by: 'ana', full: true });
  await rig.ticks(rollouts, 1);
  expect(shares('ratings')).toEqual({ v1: 0, v2: 10_000 });
  rig.world.load(services('') + named('reviews', 'reviews', 'v1', 'v2').replace('spec: {', 'spec: { paused: true,'));
  await rig.ticks(rollouts, 2);
  expect([shares('reviews'), shares('ratings')]).toEqual([undefined, undefined]);
});

test('a stable version that is renamed under way: the files are in force, the release ends and begins anew', async () => {
  rig.world.load(services(`{ stable: v1, canary: v2, ${STEPS} }`));
  const rollouts = await rig.start();
  await rig.ticks(rollouts, 2);
  rig.world.load(services(`{ stable: v1b, canary: v2, ${STEPS} }`, ['v1b', 'v2'], 'v1b'));
  await rig.ticks(rollouts, 2);
  expect(rig.shown(rollouts)).toBe('Paused 1 {"v2":5000,"v1b":5000}');
  expect(reasons(rollouts)[3]).toBe(
    'engine supersede: back to what the files say: the Rollout names v2 beside v1b now, no longer v2 beside v1',
  );
});

test('a release by hand whose stable version has left the files can be aborted, and the next one started beside what serves', async () => {
  rig.world.load(services(''));
  const rollouts = await rig.start();
  await rollouts.command(NAME, { verb: 'start', by: 'ana' }, { adHoc: byHand('v1', 'v2'), to: ['v2'] });
  await rig.ticks(rollouts, 1);
  rig.world.load(services('', ['v2', 'v3'], 'v2'));
  await rig.ticks(rollouts, 1);
  expect(await rollouts.command(NAME, { verb: 'abort', by: 'ana' })).toBeUndefined();
  expect(rollouts.find(NAME)?.stored.state).toMatchObject({ outcome: 'aborted' });
  expect(await rollouts.command(NAME, { verb: 'start', by: 'ana' }, { adHoc: byHand('v2', 'v3'), to: ['v3'] })).toBeUndefined();
  await rig.ticks(rollouts, 1);
  expect(rig.world.weights).toMatchObject({ v2: 10_000, v3: 0 });
});
