/** Shifts: which rules they move, which they leave alone, and what is refused. */
import { describe, expect, test } from 'vitest';
import { loadText } from './load.ts';
import { originOf } from './origins.ts';
import { applyOverlay, checkShift, EMPTY_OVERLAY } from './overlay.ts';
import type { Snapshot } from './snapshot.ts';

const HOST = 'reviews.default.svc.cluster.local';
const SERVICE = 'services: { reviews: { versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2, v3: http://127.0.0.1:3 } } }\n---\n';

function snapshotOf(http: string, more = ''): Snapshot {
  const text = `${SERVICE}apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: r, annotations: { a: b } }\nspec: { hosts: [reviews], http: [${http}] }\n${more}`;
  return loadText('x.yaml', text).snapshot;
}

function routesAfter(snapshot: Snapshot, weights: Record<string, number>): string[] {
  const [service] = applyOverlay(snapshot, { ...EMPTY_OVERLAY, shifts: { [HOST]: { weights } } }).snapshot.virtualServices;
  return (service?.spec.http ?? []).map((rule) =>
    (rule.route ?? []).map(({ destination, weight }) => `${destination.subset ?? '-'}:${weight ?? '-'}`).join(' '),
  );
}

const to = (subset: string): string => `route: [{ destination: { host: reviews, subset: ${subset} } }]`;
const SPLIT =
  'route: [{ destination: { host: reviews, subset: v1 }, weight: 90 }, { destination: { host: reviews, subset: v2 }, weight: 10 }]';

describe('what a shift moves', () => {
  test.each([
    ['a split', `{ ${SPLIT} }`, ['v1:50 v2:50']],
    ['a split among particular requests', `{ match: [{ headers: { a: {} } }], ${SPLIT} }`, ['v1:50 v2:50']],
    ['the rule for everybody', `{ ${to('v1')} }`, ['v1:50 v2:50']],
    ['a rule by path', `{ match: [{ uri: { prefix: /a } }], ${to('v1')} }`, ['v1:50 v2:50']],
  ])('%s', (_name, http, expected) => {
    expect(routesAfter(snapshotOf(http), { v1: 50, v2: 50 })).toEqual(expected);
  });

  test.each([
    ['a rule by header', `{ match: [{ headers: { end-user: { exact: jason } } }], ${to('v2')} }`],
    ['a rule by absent header', `{ match: [{ withoutHeaders: { a: {} } }], ${to('v2')} }`],
    ['a rule by query', `{ match: [{ queryParams: { q: {} } }], ${to('v2')} }`],
    [
      'a rule that also goes elsewhere',
      '{ route: [{ destination: { host: reviews, subset: v2 }, weight: 1 }, { destination: { host: other }, weight: 0 }] }',
    ],
    ['a rule to another host', '{ route: [{ destination: { host: other, subset: v2 } }] }'],
    ['a redirect', '{ redirect: { uri: /x } }'],
  ])('not %s', (_name, http) => {
    const snapshot = snapshotOf(http);
    const { snapshot: after, diagnostics } = applyOverlay(snapshot, { ...EMPTY_OVERLAY, shifts: { [HOST]: { weights: { v1: 100 } } } });
    expect(after.virtualServices).toEqual(snapshot.virtualServices);
    expect(diagnostics.map(({ code, severity }) => `${code} ${severity}`)).toEqual(['W_SHIFT_INEFFECTIVE warning']);
  });

  test('headers and port of a kept subset are kept, a new one takes the port', () => {
    const snapshot = snapshotOf(
      '{ timeout: 5s, route: [{ destination: { host: reviews, subset: v1, port: { number: 80 } }, headers: { request: { set: { a: b } } } }, { destination: { host: reviews, subset: v2, port: { number: 80 } }, weight: 1 }] }',
    );
    const { snapshot: after } = applyOverlay(snapshot, { ...EMPTY_OVERLAY, shifts: { [HOST]: { weights: { v1: 1, v3: 3 } } } });
    const [service] = after.virtualServices;
    expect(service?.spec.http).toEqual([
      {
        timeout: '5s',
        route: [
          { destination: { host: 'reviews', subset: 'v1', port: { number: 80 } }, weight: 1, headers: { request: { set: { a: 'b' } } } },
          { destination: { host: 'reviews', subset: 'v3', port: { number: 80 } }, weight: 3 },
        ],
      },
    ]);
    expect(service?.metadata.annotations).toEqual({ a: 'b', 'serin.dev/overlay': 'shift' });
    expect(originOf(service?.spec.http?.[0] ?? {})?.line).toBe(6);
  });

  test('the files and the snapshot of them stay as they are; the version tells them apart', () => {
    const snapshot = snapshotOf(`{ ${SPLIT} }`);
    const before = JSON.stringify(snapshot);
    const { snapshot: after } = applyOverlay(snapshot, { ...EMPTY_OVERLAY, shifts: { [HOST]: { weights: { v2: 100 } } } });
    expect(JSON.stringify(snapshot)).toBe(before);
    expect(after.version).not.toBe(snapshot.version);
    expect(applyOverlay(snapshot, EMPTY_OVERLAY).snapshot).toBe(snapshot);
  });

  test('where no VirtualService names the host for the mesh, one is added', () => {
    const snapshot = loadText('x', SERVICE).snapshot;
    const { snapshot: after } = applyOverlay(snapshot, { ...EMPTY_OVERLAY, shifts: { [HOST]: { weights: { v1: 90, v2: 10 } } } });
    expect(after.virtualServices).toMatchObject([
      {
        metadata: { name: 'serin-shift-reviews', namespace: 'default', annotations: { 'serin.dev/overlay': 'shift' } },
        spec: {
          hosts: [HOST],
          http: [
            {
              route: [
                { destination: { host: HOST, subset: 'v1' }, weight: 90 },
                { destination: { host: HOST, subset: 'v2' }, weight: 10 },
              ],
            },
          ],
        },
      },
    ]);
  });
});

describe('what a shift refuses', () => {
  const { snapshot } = loadText('x', SERVICE);
  test.each([
    [HOST, { v1: 1, v2: 0 }, []],
    [HOST, { v1: 0, v2: 0 }, ['E_SHIFT_WEIGHTS']],
    [HOST, {}, ['E_SHIFT_WEIGHTS']],
    [HOST, { v1: -1, v2: 2 }, ['E_SHIFT_WEIGHTS']],
    [HOST, { v1: 0.5, v2: 2 }, ['E_SHIFT_WEIGHTS']],
    [HOST, { v1: Number.NaN }, ['E_SHIFT_WEIGHTS']],
    [HOST, { v9: 1 }, ['E_SHIFT_SUBSET']],
    ['revews.default.svc.cluster.local', { v1: 1 }, ['E_SHIFT_HOST']],
  ])('%s %o', (host, weights, expected) => {
    expect(checkShift(snapshot, host, weights).map(({ code }) => code)).toEqual(expected);
  });

  test('a shift whose subset the files lost is left out with a warning', () => {
    const { snapshot: after, diagnostics } = applyOverlay(snapshot, { ...EMPTY_OVERLAY, shifts: { [HOST]: { weights: { v9: 1 } } } });
    expect(after.virtualServices).toEqual([]);
    expect(diagnostics.map(({ code, severity }) => `${code} ${severity}`)).toEqual(['W_SHIFT_IGNORED warning']);
  });
});

describe('connections', () => {
  const CONNECTIONS = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bytes }
spec:
  hosts: ['*']
  gateways: [front]
  tcp:
    - { match: [{ port: 31400, sourceSubnet: 10.0.0.0/8 }], ${to('v2')} }
    - { match: [{ port: 31400 }], ${to('v1')} }
    - { route: [{ destination: { host: other, subset: v1 } }] }
  tls:
    - { match: [{ sniHosts: [a.example] }], ${SPLIT} }
    - { match: [{ sniHosts: [b.example], sourceNamespace: a }], ${to('v2')} }
`;
  const split = (route: readonly { destination: { subset?: string }; weight?: number }[] = []): string =>
    route.map(({ destination, weight }) => `${destination.subset ?? '-'}:${weight ?? '-'}`).join(' ');

  test('a shift moves those of Gateways that are not about who connects', () => {
    const { snapshot } = loadText('x.yaml', `${SERVICE}${CONNECTIONS}`);
    const { snapshot: after, diagnostics } = applyOverlay(snapshot, {
      ...EMPTY_OVERLAY,
      shifts: { [HOST]: { weights: { v1: 0, v3: 7 } } },
    });
    const bytes = after.virtualServices.find(({ metadata }) => metadata.name === 'bytes');
    expect(bytes?.metadata.annotations).toEqual({ 'serin.dev/overlay': 'shift' });
    expect((bytes?.spec.tcp ?? []).map(({ route }) => split(route))).toEqual(['v2:-', 'v1:0 v3:7', 'v1:-']);
    expect((bytes?.spec.tls ?? []).map(({ route }) => split(route))).toEqual(['v1:0 v3:7', 'v2:-']);
    expect(bytes?.spec).not.toHaveProperty('http');
    expect(diagnostics).toEqual([]);
  });

  test('a release leaves them as they are', () => {
    const { snapshot } = loadText('x.yaml', `${SERVICE}${CONNECTIONS}`);
    const release = {
      rollout: 'default/reviews',
      stable: 'v1',
      canaries: ['v2'],
      weights: { v1: 5000, v2: 5000 },
      headerRoutes: [],
      epoch: 1,
    };
    const { snapshot: after } = applyOverlay(snapshot, { ...EMPTY_OVERLAY, releases: { [HOST]: release } });
    expect(after.virtualServices.find(({ metadata }) => metadata.name === 'bytes')).toEqual(snapshot.virtualServices[0]);
  });

  test('those of the mesh carry nothing, and nothing of them is moved', () => {
    const { snapshot } = loadText(
      'x.yaml',
      `${SERVICE}${CONNECTIONS.replace('gateways: [front]', 'gateways: [mesh]').replace("['*']", '[reviews]')}`,
    );
    const { snapshot: after, diagnostics } = applyOverlay(snapshot, { ...EMPTY_OVERLAY, shifts: { [HOST]: { weights: { v1: 1 } } } });
    expect(after.virtualServices).toEqual(snapshot.virtualServices);
    expect(diagnostics.map(({ code }) => code)).toEqual(['W_SHIFT_INEFFECTIVE']);
  });
});
