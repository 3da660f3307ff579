/** Releases in compiled routes of the Gateway API: the arms, where copies come, and what becomes of sessions. */
import { describe, expect, test } from 'vitest';
import { loadText } from '../../config/load.ts';
import { applyOverlay, EMPTY_OVERLAY } from '../../config/overlay.ts';
import type { ReleaseOverlay } from '../../config/release.ts';
import { compile } from '../compile.ts';
import type { ForwardAction, Route, RoutingTable } from '../table.ts';

const HEAD = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: serin, listeners: [{ name: web, protocol: HTTP, port: 80 }] }
${['shop-v1', 'shop-v2', 'other'].map((name) => `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }] }\n`).join('')}`;

const RELEASE: ReleaseOverlay = {
  rollout: 'default/shop',
  stable: 'shop-v1',
  canaries: ['shop-v2'],
  weights: { 'shop-v1': 7500, 'shop-v2': 2500 },
  headerRoutes: [],
  epoch: 7,
};

const route = (name: string, rules: string, kind = 'HTTPRoute'): string =>
  `---\napiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: { parentRefs: [{ name: edge }], rules: [${rules}] }\n`;

function compiled(routes: string, release: Partial<ReleaseOverlay> = {}, target = 'httproute/default/shop'): RoutingTable {
  const { snapshot, diagnostics } = loadText('shop.yaml', HEAD + routes);
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const { snapshot: effective } = applyOverlay(snapshot, { ...EMPTY_OVERLAY, releases: { [target]: { ...RELEASE, ...release } } });
  return compile(effective).table;
}

function routesOf({ listeners }: RoutingTable): readonly Route[] {
  return listeners.find(({ name }) => name === '80')?.virtualHosts.flatMap(({ routes }) => routes) ?? [];
}

/** `SERVICE:WEIGHT OBSERVATION SWITCH>FALLBACK` of each destination. */
function armsOf({ clusters }: RoutingTable, action: Route['action'] | undefined): string[] {
  if (action?.kind !== 'forward') return [];
  const service = (cluster: number): string => clusters[cluster]?.host.split('.', 1)[0] ?? '';
  return action.clusters.map(({ cluster, weight, release }) =>
    [
      `${service(cluster)}:${weight}`,
      release?.observation,
      release?.killSwitch === undefined ? undefined : `${release.killSwitch}>${service(release.fallback?.cluster ?? -1)}`,
    ]
      .filter((part) => part !== undefined)
      .join(' '),
  );
}

const forwardOf = (table: RoutingTable): ForwardAction | undefined => {
  const action = routesOf(table)[0]?.action;
  return action?.kind === 'forward' ? action : undefined;
};

const SPLIT = '{ backendRefs: [{ name: shop-v1, port: 80 }, { name: other, port: 80 }] }';

describe('arms', () => {
  test.each([
    ['HTTPRoute', 'httproute/default/shop'],
    ['GRPCRoute', 'grpcroute/default/shop'],
  ])('of a rule of a %s: what is drawn for a version is counted, another backend is not', (kind, target) => {
    const table = compiled(route('shop', SPLIT, kind), {}, target);
    expect(armsOf(table, routesOf(table)[0]?.action)).toEqual([
      'shop-v2:1 release|default/shop|7|shop-v2 kill|default/shop|7|shop-v2>shop-v1',
      'shop-v1:3 release|default/shop|7|shop-v1',
      'other:4',
    ]);
    expect(table.observations).toEqual(['release|default/shop|7|shop-v1', 'release|default/shop|7|shop-v2']);
  });

  test('while stable is measured it alone is counted', () => {
    const table = compiled(route('shop', SPLIT), { weights: { 'shop-v1': 10_000, 'shop-v2': 0 }, measures: true });
    expect(armsOf(table, routesOf(table)[0]?.action)).toEqual(['shop-v1:1 release|default/shop|7|shop-v1', 'other:1']);
  });

  test('a rule for particular requests to the canary is not counted, and its switch leads to stable', () => {
    const particular = '{ matches: [{ headers: [{ name: a, value: b }] }], backendRefs: [{ name: shop-v2, port: 80 }] }';
    const table = compiled(route('shop', `${particular}, ${SPLIT}`));
    expect(armsOf(table, routesOf(table)[0]?.action)).toEqual(['shop-v2:1 kill|default/shop|7|shop-v2>shop-v1']);
  });

  test('another route that sends to the same Services has none', () => {
    const table = compiled(
      route('shop', SPLIT) + route('zoo', `{ matches: [{ path: { value: /zoo } }], backendRefs: [{ name: shop-v1, port: 80 }] }`),
    );
    expect(armsOf(table, routesOf(table)[0]?.action)).toEqual(['shop-v1:1']);
  });

  test('by user, and with answers of stable where the canary fails', () => {
    const assignment = { salt: 's', keys: [{ kind: 'header', name: 'end-user' }] } as const;
    const action = forwardOf(compiled(route('shop', SPLIT), { assignment, fallbackOn: [503] }));
    expect(action?.assignment).toEqual(assignment);
    expect(action?.clusters.map(({ release }) => release?.fallbackOn)).toEqual([[503], undefined, undefined]);
  });
});

describe('copies', () => {
  const headerRoutes = [{ name: 'staff', match: [{ headers: { 'end-user': { exact: 'ada' } } }], to: 'shop-v2' }];
  const names = (table: RoutingTable): string[] => routesOf(table).map(({ name, matches }) => `${name} ${matches[0]?.uri?.value ?? ''}`);

  test('come right before what they are copies of, whatever else asks of as many headers', () => {
    const rules = [
      SPLIT,
      '{ name: two, matches: [{ headers: [{ name: a, value: b }, { name: c, value: d }] }], backendRefs: [{ name: other, port: 80 }] }',
      '{ name: one, matches: [{ headers: [{ name: a, value: b }] }], backendRefs: [{ name: other, port: 80 }] }',
      '{ name: path, matches: [{ path: { value: /a } }], backendRefs: [{ name: other, port: 80 }] }',
    ].join(', ');
    const older = route(
      'elsewhere',
      '{ name: older, matches: [{ headers: [{ name: e, value: f }] }], backendRefs: [{ name: other, port: 80 }] }',
    );
    expect(names(compiled(route('shop', rules) + older, { headerRoutes }))).toEqual([
      'path /a',
      'two /',
      'older /',
      'one /',
      'serin-cohort-staff /',
      'rules[0] /',
    ]);
  });

  test('rules keep the places they have in the file', () => {
    const second = '{ matches: [{ path: { value: /b } }], backendRefs: [{ name: shop-v1, port: 80 }] }';
    const paths = routesOf(compiled(route('shop', `${SPLIT}, ${second}`), { headerRoutes })).map(({ source }) => source.path);
    expect(paths).toEqual(['spec.rules[1]', 'spec.rules[1]', 'spec.rules[0]', 'spec.rules[0]']);
  });

  test('of a GRPCRoute the same way', () => {
    const rules = [
      '{ matches: [{ method: { service: a.B } }], backendRefs: [{ name: shop-v1, port: 80 }] }',
      '{ name: one, matches: [{ method: { service: a.B }, headers: [{ name: a, value: b }] }], backendRefs: [{ name: other, port: 80 }] }',
    ].join(', ');
    const table = compiled(route('shop', rules, 'GRPCRoute'), { headerRoutes }, 'grpcroute/default/shop');
    expect(names(table)).toEqual(['one /a.B/', 'serin-cohort-staff /a.B/', 'rules[0] /a.B/']);
  });
});

describe('sessions', () => {
  const rule = `{ sessionPersistence: { cookie: {} }, backendRefs: [{ name: shop-v1, port: 80 }, { name: shop-v2, port: 80, weight: 0 }, { name: other, port: 80, weight: 0 }] }`;
  const kept = (weights: Record<string, number>): string[] => {
    const table = compiled(route('shop', rule), { weights });
    const destinations = forwardOf(table)?.session?.destinations ?? [];
    return destinations.map(({ cluster }) => table.clusters[cluster]?.host.split('.', 1)[0] ?? '');
  };

  test("go on where a version gets requests, and end where it gets none; another backend's are the user's", () => {
    expect(kept({ 'shop-v1': 5000, 'shop-v2': 5000 })).toEqual(['shop-v2', 'shop-v1', 'other']);
    expect(kept({ 'shop-v1': 10_000, 'shop-v2': 0 })).toEqual(['shop-v1', 'other']);
    expect(kept({ 'shop-v1': 0, 'shop-v2': 10_000 })).toEqual(['shop-v2', 'other']);
  });
});
