/** Shifts and releases of HTTPRoutes and GRPCRoutes: which weights they set, what keeps its share, where cohorts go. */
import { describe, expect, test } from 'vitest';
import { loadText } from './load.ts';
import { applyOverlay, checkShift, EMPTY_OVERLAY, type Overlay } from './overlay.ts';
import { addedHeaders } from './overlay-routes.ts';
import type { ReleaseOverlay } from './release.ts';
import type { Snapshot } from './snapshot.ts';

const TARGET = 'httproute/default/shop';

const service = (name: string, port = 8080): string =>
  `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: ${port} }] }\n`;

function snapshotOf(rules: string, kind = 'HTTPRoute'): Snapshot {
  const route = `apiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: { name: shop, annotations: { a: b } }\nspec: { parentRefs: [{ name: edge }], rules: [${rules}] }\n`;
  return loadText('shop.yaml', route + ['shop-v1', 'shop-v2', 'shop-v3', 'other', 'further'].map((name) => service(name)).join(''))
    .snapshot;
}

const ref = (name: string, more = ''): string => `{ name: ${name}, port: 8080${more === '' ? '' : `, ${more}`} }`;
const rule = (...refs: string[]): string => `{ backendRefs: [${refs.join(', ')}] }`;

const RELEASE: ReleaseOverlay = {
  rollout: 'default/shop',
  stable: 'shop-v1',
  canaries: ['shop-v2'],
  weights: { 'shop-v1': 7500, 'shop-v2': 2500 },
  headerRoutes: [],
  epoch: 1,
};

const released = (release: Partial<ReleaseOverlay>, target = TARGET): Overlay => ({
  ...EMPTY_OVERLAY,
  releases: { [target]: { ...RELEASE, ...release } },
});
const shifted = (weights: Record<string, number>, target = TARGET): Overlay => ({ ...EMPTY_OVERLAY, shifts: { [target]: { weights } } });

/** `NAME:WEIGHT` of each backend, a line a rule. */
function weightsAfter(snapshot: Snapshot, overlay: Overlay): string[] {
  const { httpRoutes, grpcRoutes } = applyOverlay(snapshot, overlay).snapshot;
  return [...httpRoutes, ...grpcRoutes].flatMap(({ spec }) =>
    (spec.rules ?? []).map(({ backendRefs = [] }) => backendRefs.map(({ name, weight }) => `${name}:${weight ?? '-'}`).join(' ')),
  );
}

describe('weights of a release', () => {
  test.each([
    ['the two versions alone', rule(ref('shop-v1', 'weight: 1'), ref('shop-v2', 'weight: 0')), ['shop-v2:1 shop-v1:3']],
    [
      'another backend keeps its share',
      rule(ref('shop-v1', 'weight: 60'), ref('shop-v2', 'weight: 0'), ref('other', 'weight: 40')),
      ['shop-v2:3 shop-v1:9 other:8'],
    ],
    ['a canary that the rule does not name is added', rule(ref('shop-v1')), ['shop-v2:1 shop-v1:3']],
    ['a weight that is not written is 1', rule(ref('shop-v1'), ref('other')), ['shop-v2:1 shop-v1:3 other:4']],
    [
      'a share that hundreds do not say is exact all the same',
      rule(ref('shop-v1', 'weight: 7'), ref('other', 'weight: 3')),
      ['shop-v2:7 shop-v1:21 other:12'],
    ],
    [
      'a Service of the same name elsewhere is another',
      rule(ref('shop-v1'), ref('shop-v2', 'namespace: far')),
      ['shop-v2:1 shop-v1:3 shop-v2:4'],
    ],
    ['rules to others stay as they are', `${rule(ref('other', 'weight: 5'))}, ${rule(ref('shop-v1'))}`, ['other:5', 'shop-v2:1 shop-v1:3']],
    ['a rule for the canary by path is moved, too', rule(ref('shop-v2')), ['shop-v2:1 shop-v1:3']],
    [
      'a split among particular requests',
      `{ matches: [{ headers: [{ name: a, value: b }] }], backendRefs: [${ref('shop-v1')}, ${ref('other')}] }`,
      ['shop-v2:1 shop-v1:3 other:4'],
    ],
  ])('%s', (_name, rules, expected) => {
    expect(weightsAfter(snapshotOf(rules), released({}))).toEqual(expected);
  });

  test.each([
    ['a rule by header', `{ matches: [{ headers: [{ name: end-user, value: jason }] }], backendRefs: [${ref('shop-v2')}] }`],
    ['a rule by query', `{ matches: [{ queryParams: [{ name: q, value: x }] }], backendRefs: [${ref('shop-v1')}] }`],
    ['a rule whose versions have no weight', rule(ref('shop-v1', 'weight: 0'), ref('shop-v2', 'weight: 0'), ref('other'))],
    ['a Service that stands twice', rule(ref('shop-v1'), '{ name: shop-v1, port: 9090 }')],
    ['a redirect', '{ filters: [{ type: RequestRedirect, requestRedirect: { scheme: https } }] }'],
    ['what is no Service', rule(ref('shop-v1', 'kind: ServiceImport, group: multicluster.x-k8s.io'))],
  ])('not of %s', (_name, rules) => {
    const snapshot = snapshotOf(rules);
    const { snapshot: after, diagnostics } = applyOverlay(snapshot, released({}));
    expect(after.httpRoutes).toEqual(snapshot.httpRoutes);
    expect(diagnostics).toMatchObject([{ kind: 'HTTPRoute', namespace: 'default', name: 'shop', severity: 'warning' }]);
    expect(diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([
      'W_RELEASE_INEFFECTIVE release of HTTPRoute default/shop changes nothing: no rule of it sends to one of its Services, or what does picks out particular requests',
    ]);
  });

  test('the odds between the versions are the same whatever else is written', () => {
    for (const [own, other] of [
      [1, 1],
      [999_983, 1_000_000],
      [1_000_000, 1],
      [3, 999_999],
    ] as const) {
      const snapshot = snapshotOf(rule(ref('shop-v1', `weight: ${own}`), ref('other', `weight: ${other}`)));
      const [after] = applyOverlay(snapshot, released({ weights: { 'shop-v1': 9999, 'shop-v2': 1 } })).snapshot.httpRoutes;
      const [canary = 0, stable = 0, rest = 0] = (after?.spec.rules?.[0]?.backendRefs ?? []).map(({ weight }) => weight ?? 0);
      expect(stable).toBe(canary * 9999);
      expect(rest * own).toBe((canary + stable) * other);
      expect(Number.isSafeInteger(canary + stable + rest)).toBe(true);
    }
  });

  test('an added version is a copy of the stable one, with its filters', () => {
    const filter = 'filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: a, value: b }] } }]';
    const { httpRoutes } = applyOverlay(snapshotOf(rule(ref('other'), ref('shop-v1', filter))), released({})).snapshot;
    const [added, stable] = httpRoutes[0]?.spec.rules?.[0]?.backendRefs ?? [];
    expect(added).toEqual({ ...stable, name: 'shop-v2', weight: 1 });
    expect(added?.filters).toHaveLength(1);
  });

  test("what the files send to a version of an earlier release is the release's to give", () => {
    const snapshot = snapshotOf(rule(ref('shop-v1', 'weight: 50'), ref('other', 'weight: 50')));
    const next = { stable: 'shop-v2', canaries: ['shop-v3'], weights: { 'shop-v2': 5000, 'shop-v3': 5000 } };
    expect(weightsAfter(snapshot, released({ ...next, retired: ['shop-v1'] }))).toEqual(['shop-v3:1 shop-v2:1 other:2']);
  });

  test('a GRPCRoute the same way', () => {
    const rules = `{ matches: [{ method: { service: shop.Cart } }], backendRefs: [${ref('shop-v1', 'weight: 60')}, ${ref('other', 'weight: 40')}] }`;
    expect(weightsAfter(snapshotOf(rules, 'GRPCRoute'), released({}, 'grpcroute/default/shop'))).toEqual(['shop-v2:3 shop-v1:9 other:8']);
  });

  test('the files and their snapshot stay as they are; the route says by whom it was changed', () => {
    const snapshot = snapshotOf(rule(ref('shop-v1')));
    const before = JSON.stringify(snapshot);
    const { snapshot: after } = applyOverlay(snapshot, released({}));
    expect(JSON.stringify(snapshot)).toBe(before);
    expect(after.httpRoutes[0]?.metadata.annotations).toEqual({ a: 'b', 'serin.dev/overlay': 'rollout default/shop' });
    expect(after.releases).toMatchObject([{ host: TARGET, rollout: 'default/shop' }]);
    expect(after.version).not.toBe(snapshot.version);
  });
});

describe('copies', () => {
  const routes = (match: object): Partial<ReleaseOverlay> => ({ headerRoutes: [{ name: 'staff', to: 'shop-v2', match: [match] }] });
  const rulesAfter = (snapshot: Snapshot, release: Partial<ReleaseOverlay>): readonly object[] =>
    applyOverlay(snapshot, released(release)).snapshot.httpRoutes[0]?.spec.rules ?? [];

  test('a cohort gets a rule of its own before the one it is a copy of, and its matches say how many headers were added', () => {
    const snapshot = snapshotOf(
      `{ matches: [{ path: { type: Exact, value: /a } }], backendRefs: [${ref('other')}] }, { name: cart, timeouts: { request: 5s }, matches: [{ path: { value: /cart } }], backendRefs: [${ref('shop-v1')}, ${ref('other')}] }`,
    );
    const rules = rulesAfter(snapshot, routes({ headers: { 'end-user': { exact: 'ada' } } }));
    expect(rules).toMatchObject([
      { matches: [{ path: { type: 'Exact', value: '/a' } }] },
      {
        name: 'serin-cohort-staff',
        timeouts: { request: '5s' },
        matches: [{ path: { value: '/cart' }, headers: [{ name: 'end-user', value: 'ada' }] }],
        backendRefs: [{ name: 'shop-v2', port: 8080, weight: 1 }],
      },
      { name: 'cart', matches: [{ path: { value: '/cart' } }] },
    ]);
    const own = snapshot.httpRoutes[0]?.spec.rules?.[1]?.matches?.[0] ?? {};
    const copy = applyOverlay(snapshot, released(routes({ headers: { 'end-user': { exact: 'ada' } } }))).snapshot.httpRoutes[0]?.spec
      .rules?.[1];
    expect(addedHeaders(copy?.matches?.[0] ?? {})).toBe(1);
    expect(addedHeaders(own)).toBe(0);
  });

  test('prefixes and patterns of cohorts are patterns of headers', () => {
    const match = { headers: { a: { prefix: 'v1.2+' }, b: { regex: 'x|y' } } };
    expect(rulesAfter(snapshotOf(rule(ref('shop-v1'))), routes(match))[0]).toMatchObject({
      matches: [
        {
          headers: [
            { type: 'RegularExpression', name: 'a', value: String.raw`v1\.2\+.*` },
            { type: 'RegularExpression', name: 'b', value: 'x|y' },
          ],
        },
      ],
    });
  });

  test("a rule that asks something of the cohort's header already has no copy", () => {
    const snapshot = snapshotOf(
      `{ matches: [{ headers: [{ name: End-User, value: eve }] }], backendRefs: [${ref('shop-v1')}, ${ref('other')}] }`,
    );
    expect(rulesAfter(snapshot, routes({ headers: { 'end-user': { exact: 'ada' } } }))).toHaveLength(1);
  });

  test('names of copies are unique in the route', () => {
    const snapshot = snapshotOf(`${rule(ref('shop-v1'))}, { matches: [{ path: { value: /b } }], backendRefs: [${ref('shop-v1')}] }`);
    const names = rulesAfter(snapshot, routes({ headers: { a: { exact: 'b' } } })).map((each) => ('name' in each ? each.name : ''));
    expect(names).toEqual(['serin-cohort-staff', '', 'serin-cohort-staff-2', '']);
  });

  test('a preview goes before cohorts', () => {
    const preview = [{ grant: 'default/shop#1/shop-v2', to: 'shop-v2' }];
    const rules = rulesAfter(snapshotOf(rule(ref('shop-v1'))), { ...routes({ headers: { a: { exact: 'b' } } }), preview });
    expect(rules).toMatchObject([
      { name: 'serin-preview-shop-v2', matches: [{ headers: [{ name: 'x-serin-preview', value: 'default/shop#1/shop-v2' }] }] },
      { name: 'serin-cohort-staff' },
      { backendRefs: [{ name: 'shop-v2' }, { name: 'shop-v1' }] },
    ]);
  });

  test.each([
    [20, { percent: 20 }],
    [0.25, { fraction: { numerator: 2500, denominator: 1_000_000 } }],
  ])('a mirror of %d percent is added to those the rule has', (percentage, part) => {
    const own = `{ filters: [{ type: RequestMirror, requestMirror: { backendRef: ${ref('further')} } }], backendRefs: [${ref('shop-v1')}] }`;
    expect(rulesAfter(snapshotOf(own), { mirror: { to: 'shop-v2', percentage } })).toMatchObject([
      {
        filters: [
          { requestMirror: { backendRef: { name: 'further' } } },
          { type: 'RequestMirror', requestMirror: { backendRef: { name: 'shop-v2', port: 8080 }, ...part } },
        ],
      },
    ]);
  });
});

describe('shifts', () => {
  test('set the weights of the Services they name, together what these had', () => {
    const snapshot = snapshotOf(rule(ref('shop-v1', 'weight: 90'), ref('shop-v2', 'weight: 10'), ref('other', 'weight: 100')));
    expect(weightsAfter(snapshot, shifted({ 'shop-v1': 1, 'shop-v2': 1 }))).toEqual(['shop-v1:1 shop-v2:1 other:2']);
    expect(weightsAfter(snapshot, shifted({ 'shop-v1': 0, 'shop-v3': 5 }))).toEqual(['shop-v1:0 shop-v3:9 shop-v2:1 other:10']);
  });

  const snapshot = snapshotOf(rule(ref('shop-v1')));
  test.each([
    [TARGET, { 'shop-v1': 1, 'shop-v2': 0 }, []],
    [TARGET, { 'shop-v1': 0 }, ['E_SHIFT_WEIGHTS']],
    [TARGET, { 'shop-v9': 1 }, ['E_SHIFT_SUBSET there is no Service "shop-v9" in namespace default; did you mean shop-v1?']],
    ['httproute/default/shpo', { 'shop-v1': 1 }, ['E_SHIFT_HOST there is no HTTPRoute "shpo" in namespace default; did you mean shop?']],
    ['grpcroute/default/shop', { 'shop-v1': 1 }, ['E_SHIFT_HOST there is no GRPCRoute "shop" in namespace default']],
  ])('%s %o is checked', (target, weights, expected) => {
    const found = checkShift(snapshot, target, weights).map(({ code, message, hint }) =>
      code === 'E_SHIFT_WEIGHTS' ? code : `${code} ${message}${hint === undefined ? '' : `; ${hint}`}`,
    );
    expect(found).toEqual(expected);
  });

  test('a Service without the port that the route sends to is refused', () => {
    const text = `${service('thin', 9090)}---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: shop }\nspec: { rules: [${rule(ref('shop-v1'))}] }\n${service('shop-v1')}`;
    expect(
      checkShift(loadText('x', text).snapshot, TARGET, { 'shop-v1': 1, thin: 1 }).map(({ message, hint }) => `${message}; ${hint}`),
    ).toEqual(['Service "thin" has no port 8080, which HTTPRoute default/shop sends to; its ports: 9090']);
  });

  test('a shift whose route is gone is left out with a warning', () => {
    const { diagnostics } = applyOverlay(snapshot, shifted({ 'shop-v1': 1 }, 'httproute/default/gone'));
    expect(diagnostics.map(({ code, severity }) => `${code} ${severity}`)).toEqual(['W_SHIFT_IGNORED warning']);
  });

  test('while a release moves the route, a shift of it is left out', () => {
    const both: Overlay = { ...released({}), shifts: shifted({ 'shop-v1': 1 }).shifts };
    const { diagnostics } = applyOverlay(snapshot, both);
    expect(diagnostics.map(({ message }) => message)).toEqual([
      'shift of HTTPRoute default/shop is left out: Rollout default/shop moves the host',
    ]);
  });
});
