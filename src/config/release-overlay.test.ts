/** Releases in the overlay: which rules they move, where cohorts go, and what the Snapshot says about it. */
import { describe, expect, test } from 'vitest';
import { loadText } from './load.ts';
import { applyOverlay, EMPTY_OVERLAY } from './overlay.ts';
import type { ReleaseOverlay } from './release.ts';
import type { HttpMatchRequest, IstioHttpRoute } from './resources.ts';
import type { Snapshot } from './snapshot.ts';

const HOST = 'reviews.default.svc.cluster.local';
const SERVICES =
  'services: { reviews: { versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 } }, other: { versions: { v1: http://127.0.0.1:3 } } }\n';

const RELEASE: ReleaseOverlay = {
  rollout: 'default/reviews',
  stable: 'v1',
  canaries: ['v2'],
  weights: { v1: 9000, v2: 1000 },
  headerRoutes: [],
  epoch: 1,
};
const JASON: ReleaseOverlay['headerRoutes'][number] = {
  name: 'staff',
  match: [{ headers: { 'end-user': { exact: 'jason' } } }],
  to: 'v2',
};

function snapshotOf(http: string | undefined): Snapshot {
  const rules =
    http === undefined
      ? ''
      : `---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: r }\nspec: { hosts: [reviews], http: ${http} }\n`;
  return loadText('x.yaml', SERVICES + rules).snapshot;
}

function released(http: string | undefined, change: Partial<ReleaseOverlay> = {}): ReturnType<typeof applyOverlay> {
  return applyOverlay(snapshotOf(http), { ...EMPTY_OVERLAY, releases: { [HOST]: { ...RELEASE, ...change } } });
}

/** `/a end-user=jason -> v2:100`. */
function printed(rule: IstioHttpRoute): string {
  const conditions = (match: HttpMatchRequest): string =>
    [
      ...(match.uri === undefined ? [] : [match.uri.prefix]),
      ...Object.entries(match.headers ?? {}).map(([name, value]) => `${name}=${value.exact ?? ''}`),
    ].join(' ');
  const destinations = (rule.route ?? []).map(({ destination, weight }) => `${destination.subset ?? destination.host}:${weight ?? '-'}`);
  return `${(rule.match ?? []).map(conditions).join(' | ')} -> ${destinations.join(' ')}`.trim();
}

function rulesOf(http: string | undefined, change: Partial<ReleaseOverlay> = {}): string[] {
  return (released(http, change).snapshot.virtualServices[0]?.spec.http ?? []).map(printed);
}

const ALL = '{ route: [{ destination: { host: reviews } }] }';
const to = (subset: string, match: string): string =>
  `{ match: [{ ${match} }], route: [{ destination: { host: reviews, subset: ${subset} } }] }`;

describe('weights', () => {
  test('the canary comes first, whatever the names and the order in the file', () => {
    expect(rulesOf(`[${ALL}]`)).toEqual(['-> v2:1000 v1:9000']);
    expect(
      rulesOf(
        '[{ route: [{ destination: { host: reviews, subset: v1 }, weight: 1 }, { destination: { host: reviews, subset: v2 }, weight: 99 }] }]',
      ),
    ).toEqual(['-> v2:1000 v1:9000']);
  });

  test('a rule for particular requests and one of another service are left alone', () => {
    expect(rulesOf(`[${to('v1', 'headers: { a: { exact: b } }')}, { route: [{ destination: { host: other } }] }, ${ALL}]`)).toEqual([
      'a=b -> v1:-',
      '-> other:-',
      '-> v2:1000 v1:9000',
    ]);
  });

  test('without a VirtualService one is added, cohorts and all', () => {
    expect(rulesOf(undefined, { headerRoutes: [JASON] })).toEqual(['end-user=jason -> v2:100', '-> v2:1000 v1:9000']);
    expect(released(undefined).snapshot.virtualServices[0]?.metadata).toEqual({
      name: 'serin-release-reviews',
      namespace: 'default',
      annotations: { 'serin.dev/overlay': 'rollout default/reviews' },
    });
  });
});

describe('cohorts', () => {
  test('go before the rules of the same host, also before those that pick out the same people', () => {
    expect(rulesOf(`[${to('v1', 'headers: { end-user: { exact: jason } }')}, ${ALL}]`, { headerRoutes: [JASON] })).toEqual([
      'end-user=jason -> v2:100',
      'end-user=jason -> v1:-',
      '-> v2:1000 v1:9000',
    ]);
  });

  test('do not take over another service or a path that another rule has first', () => {
    const http = `[{ match: [{ uri: { prefix: /o } }], route: [{ destination: { host: other } }] }, ${to('v1', 'uri: { prefix: /r }')}]`;
    expect(rulesOf(http, { headerRoutes: [JASON] })).toEqual(['/o -> other:-', '/r end-user=jason -> v2:100', '/r -> v2:1000 v1:9000']);
  });

  test('keep what the rule does besides: timeout and rewrite', () => {
    const { snapshot } = released('[{ timeout: 5s, rewrite: { uri: / }, route: [{ destination: { host: reviews } }] }]', {
      headerRoutes: [JASON],
    });
    expect(snapshot.virtualServices[0]?.spec.http?.[0]).toMatchObject({ name: 'serin-cohort-staff', timeout: '5s', rewrite: { uri: '/' } });
  });
});

test('a mirror is added to the rules that move, beside the mirrors they have', () => {
  const { snapshot } = released('[{ mirrors: [{ destination: { host: other } }], route: [{ destination: { host: reviews } }] }]', {
    mirror: { to: 'v2', percentage: 20 },
  });
  expect(snapshot.virtualServices[0]?.spec.http?.[0]?.mirrors).toEqual([
    { destination: { host: 'other' } },
    { destination: { host: 'reviews', subset: 'v2' }, percentage: { value: 20 } },
  ]);
});

describe('the Snapshot', () => {
  test('says which releases are in force, and its version changes with each of their epochs', () => {
    const { snapshot } = released(`[${ALL}]`);
    expect(snapshot.releases).toEqual([{ host: HOST, ...RELEASE }]);
    expect(released(`[${ALL}]`, { epoch: 2 }).snapshot.version).not.toBe(snapshot.version);
    expect(released(`[${ALL}]`).snapshot.version).toBe(snapshot.version);
  });

  test('a release of a subset the files no longer have is left out and said', () => {
    const { snapshot, diagnostics } = released(`[${ALL}]`, { canaries: ['v9'], weights: { v1: 9000, v9: 1000 } });
    expect(snapshot.releases).toEqual([]);
    expect(snapshot.virtualServices[0]?.spec.http?.map(printed)).toEqual(['-> reviews:-']);
    expect(diagnostics.map(({ code, severity }) => `${code} ${severity}`)).toEqual(['W_RELEASE_IGNORED warning']);
  });

  test('while a host has a release, a shift of it is left out and said', () => {
    const { snapshot, diagnostics } = applyOverlay(snapshotOf(`[${ALL}]`), {
      shifts: { [HOST]: { weights: { v1: 1 } } },
      releases: { [HOST]: RELEASE },
    });
    expect(snapshot.virtualServices[0]?.spec.http?.map(printed)).toEqual(['-> v2:1000 v1:9000']);
    expect(diagnostics.map(({ code }) => code)).toEqual(['W_SHIFT_IGNORED']);
  });
});
