/** Releases of routes of the Gateway API: what the engine holds, moves and remembers where versions are Services. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EngineRig, NAME } from '../../../test/helpers/engine-rig.ts';
import type { Rollouts } from './engine.ts';
import { rolloutObject } from './view.ts';

let rig: EngineRig;

beforeEach(() => {
  rig = new EngineRig();
});

afterEach(() => rig.close());

const TARGET = 'httproute/default/shop';
const STEPS = 'strategy: { canary: { steps: [{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }] } }';

const service = (name: string, port = 80, addresses = '[10.0.0.1]'): string => `---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { ports: [{ port: ${port} }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
ports: [{ port: 8080 }]
endpoints: ${addresses === '' ? '[]' : `[{ addresses: ${addresses} }]`}
`;

const ROUTE = `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec: { parentRefs: [{ name: edge }], rules: [{ backendRefs: [{ name: shop-v1, port: 80, weight: 3 }, { name: other, port: 80, weight: 1 }] }] }
`;

const release = (stable: string, canary: string, of = 'route: { name: shop }'): string => `---
apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: { name: reviews }
spec: { ${of}, stable: ${stable}, canary: ${canary}, ${STEPS} }
`;

const SERVICES = ['shop-v1', 'shop-v2', 'shop-v3', 'other'].map((name) => service(name)).join('');

/** `NAME:WEIGHT` of the only rule in force, behind its copies for previews. */
function inForce(): string {
  const [route] = rig.world.inForce.effective.httpRoutes;
  return (route?.spec.rules?.at(-1)?.backendRefs ?? []).map(({ name, weight }) => `${name}:${weight ?? 1}`).join(' ');
}

function shown(rollouts: Rollouts): string {
  const { weights = {} } = rig.world.overlay.releases[TARGET] ?? {};
  return `${rig.shown(rollouts).split(' ', 2).join(' ')} ${JSON.stringify(weights)}`;
}

async function promoted(rollouts: Rollouts): Promise<void> {
  expect(await rollouts.command(NAME, { verb: 'promote', by: 'ana', full: true })).toBeUndefined();
  await rig.ticks(rollouts, 1);
}

test('the versions share what they have in the rule, and each arm is counted', async () => {
  rig.world.load(ROUTE + SERVICES + release('shop-v1', 'shop-v2'));
  const rollouts = await rig.start();
  await rig.ticks(rollouts, 2);
  expect(shown(rollouts)).toBe('Paused 1 {"shop-v2":5000,"shop-v1":5000}');
  expect(inForce()).toBe('shop-v2:3 shop-v1:3 other:2');
  const { epoch } = rig.world.overlay.releases[TARGET] ?? {};
  expect(rig.world.inForce.table.observations).toEqual([`release|${NAME}|${epoch}|shop-v1`, `release|${NAME}|${epoch}|shop-v2`]);
  expect(rig.world.inForce.table.killSwitches).toEqual([`kill|${NAME}|${epoch}|shop-v2`]);
  await promoted(rollouts);
  expect(inForce()).toBe('shop-v2:3 shop-v1:0 other:1');
});

test("what the file sends to a version of an earlier release is the next one's, also after a restart", async () => {
  rig.world.load(ROUTE + SERVICES + release('shop-v1', 'shop-v2'));
  const rollouts = await rig.start();
  await rig.ticks(rollouts, 2);
  await promoted(rollouts);
  rig.world.load(ROUTE + SERVICES + release('shop-v2', 'shop-v3'));
  await rig.ticks(rollouts, 2);
  expect(inForce()).toBe('shop-v3:3 shop-v2:3 other:2');
  expect(rig.world.overlay.releases[TARGET]?.retired).toEqual(['shop-v1']);
  await rig.ticks(await rig.start(), 1);
  expect(inForce()).toBe('shop-v3:3 shop-v2:3 other:2');
});

test.each([
  ['the route', SERVICES, 'there is no HTTPRoute "shop" in namespace default'],
  ['a Service', ROUTE + ['shop-v1', 'other'].map((name) => service(name)).join(''), 'there is no Service "shop-v2" in namespace default'],
  [
    'the port',
    `${ROUTE}${service('shop-v1')}${service('shop-v2', 81)}${service('other')}`,
    'Service "shop-v2" has no port 80, which HTTPRoute default/shop sends to',
  ],
  ['every endpoint', `${ROUTE}${service('shop-v1')}${service('shop-v2', 80, '')}${service('other')}`, 'shop-v2 has no endpoint'],
])('nothing is released while %s is missing, and the status says so', async (_what, config, reason) => {
  rig.world.load(config + release('shop-v1', 'shop-v2'));
  const rollouts = await rig.start();
  await rig.ticks(rollouts, 4);
  const found = rollouts.find(NAME);
  expect(JSON.stringify(found && rolloutObject(found, undefined).status)).toContain(JSON.stringify(reason).slice(1, -1));
  expect(rig.world.overlay.releases[TARGET]?.weights['shop-v2'] ?? 0).toBe(0);
  // It goes on by itself when everything is there.
  rig.world.load(ROUTE + SERVICES + release('shop-v1', 'shop-v2'));
  await rig.ticks(rollouts, 3);
  expect(shown(rollouts)).toBe('Paused 1 {"shop-v2":5000,"shop-v1":5000}');
});

test('a Rollout that leaves the files leaves the route to them, and is shown as what it was of', async () => {
  rig.world.load(ROUTE + SERVICES + release('shop-v1', 'shop-v2'));
  const rollouts = await rig.start();
  await rig.ticks(rollouts, 2);
  rig.world.load(ROUTE + SERVICES);
  await rig.ticks(rollouts, 2);
  expect(inForce()).toBe('shop-v1:3 other:1');
  const found = rollouts.find(NAME);
  expect(found && rolloutObject(found, undefined)).toMatchObject({
    spec: { route: { kind: 'HTTPRoute', namespace: 'default', name: 'shop' }, stable: 'shop-v1', canary: 'shop-v2' },
    status: { host: TARGET, route: { kind: 'HTTPRoute', namespace: 'default', name: 'shop' } },
  });
});

test('a Rollout that goes from a host to a route takes the host back first', async () => {
  const reviews = '---\nservices: { reviews: { versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }, routes: [{ to: v1 }] } }\n';
  rig.world.load(reviews + ROUTE + SERVICES + release('v1', 'v2', 'host: reviews'));
  const rollouts = await rig.start();
  await rig.ticks(rollouts, 2);
  expect(rig.shown(rollouts)).toBe('Paused 1 {"v2":5000,"v1":5000}');
  rig.world.load(reviews + ROUTE + SERVICES + release('shop-v1', 'shop-v2'));
  await rig.ticks(rollouts, 4);
  expect(Object.keys(rig.world.overlay.releases)).toEqual([TARGET]);
  expect(shown(rollouts)).toBe('Paused 1 {"shop-v2":5000,"shop-v1":5000}');
});
