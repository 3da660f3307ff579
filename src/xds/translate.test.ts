import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cluster, forward, hosts, route, singleTable, table } from '../../test/helpers/tables.ts';
import { loadText } from '../config/load.ts';
import { compile } from '../routing/compile.ts';
import type { Cluster, ForwardAction, HashPolicy, RedirectAction, RouteMatch, RoutingTable, UriMatch } from '../routing/table.ts';
import { NO_HEADER_OPS } from '../routing/table.ts';
import { envoyResources } from './translate.ts';

const ADDRESSES = new Map([['mesh', { host: '127.0.0.1', port: 15001 }]]);

function translate(of: RoutingTable): ReturnType<typeof envoyResources> {
  return envoyResources(of, { addresses: new Map(of.listeners.map(({ name, port }) => [name, { host: '127.0.0.1', port }])) });
}

/** The first route of the first virtual host. */
function firstRoute(of: RoutingTable): unknown {
  return envoyResources(of, { addresses: ADDRESSES }).routes[0]?.['virtual_hosts'];
}

const uri = (kind: UriMatch['kind'], value: string, ignoreCase = false): UriMatch => ({ kind, value, ignoreCase });

function withMatch(match: Partial<RouteMatch>, action: Partial<ForwardAction> | RedirectAction = {}): RoutingTable {
  const chosen = action.kind === 'redirect' ? action : forward(action);
  const matches = [{ path: 'spec.http[0]', headers: [], queryParams: [], ...match }];
  return table([hosts(['*'], [route('/', chosen, { matches })])], [cluster(9081)]);
}

const GOLDEN = join(import.meta.dirname, '../../test/golden');
const cases = readdirSync(GOLDEN, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

describe.each(cases)('golden %s', (name) => {
  const { table: compiled } = compile(loadText('input.yaml', readFileSync(join(GOLDEN, name, 'input.yaml'))).snapshot);
  const resources = translate(compiled);

  test('is plain data, the same every time', () => {
    expect(structuredClone(resources)).toEqual(translate(compiled));
    expect(JSON.parse(JSON.stringify(resources))).toEqual(resources);
  });

  test('has every listener, and a route for every block that can hold', () => {
    expect(resources.listeners.map((listener) => listener.name)).toEqual(compiled.listeners.map((listener) => listener.name));
    const blocks = compiled.listeners.flatMap(({ virtualHosts }) =>
      virtualHosts
        .filter(({ domains }) => domains.length > 0)
        .flatMap(({ routes }) => routes.filter(({ unreachable }) => unreachable === undefined))
        .flatMap(({ matches }) => matches.filter(({ never }) => never === undefined)),
    );
    expect(JSON.stringify(resources.routes).match(/"match":\{/g) ?? []).toHaveLength(blocks.length);
  });

  test('has every cluster there is', () => {
    const known = compiled.clusters.filter(({ missing }) => missing === undefined).map((each) => each.name);
    expect(resources.clusters.map((each) => each.name)).toEqual(known);
  });
});

describe('paths', () => {
  test.each([
    [uri('exact', '/a'), { path: '/a' }],
    [uri('prefix', '/A', true), { prefix: '/A', case_sensitive: false }],
    [uri('regex', '/a.*'), { safe_regex: { regex: '/a.*' } }],
    [uri('pathPrefix', '/a'), { path_separated_prefix: '/a' }],
    [uri('pathPrefix', '/a/'), { path_separated_prefix: '/a' }],
    [uri('pathPrefix', '/'), { prefix: '/' }],
    [undefined, { prefix: '/' }],
  ])('%o', (asked, match) => {
    expect(firstRoute(withMatch(asked === undefined ? {} : { uri: asked }))).toMatchObject([{ routes: [{ match }] }]);
  });

  test.each([
    [uri('prefix', '/a'), { kind: 'prefix', value: '/b' }, { prefix_rewrite: '/b' }],
    [
      uri('pathPrefix', '/a.b'),
      { kind: 'prefix', value: '/' },
      { regex_rewrite: { pattern: { regex: '^/a\\.b/?(.*)$' }, substitution: '/\\1' } },
    ],
    [uri('prefix', '/a'), { kind: 'full', value: '/x\\1' }, { regex_rewrite: { pattern: { regex: '^.*$' }, substitution: '/x\\\\1' } }],
    [
      uri('prefix', '/a'),
      { kind: 'regex', match: '^/(a)', rewrite: '/\\1b' },
      { regex_rewrite: { pattern: { regex: '^/(a)' }, substitution: '/\\1b' } },
    ],
  ] as const)('%o rewritten by %o', (asked, path, expected) => {
    expect(firstRoute(withMatch({ uri: asked }, { rewrite: { path } }))).toMatchObject([{ routes: [{ route: expected }] }]);
  });
});

describe('headers', () => {
  test.each([
    [
      { name: 'a', invert: false, missingIsEmpty: false },
      { name: 'a', present_match: true },
    ],
    [
      { name: 'a', invert: true, missingIsEmpty: false },
      { name: 'a', present_match: true, invert_match: true },
    ],
    [
      { name: 'host', value: { kind: 'prefix', value: 'x' }, invert: true, missingIsEmpty: true },
      { name: ':authority', string_match: { prefix: 'x' }, invert_match: true, treat_missing_header_as_empty: true },
    ],
  ] as const)('%o', (header, expected) => {
    expect(firstRoute(withMatch({ headers: [header] }))).toMatchObject([{ routes: [{ match: { headers: [expected] } }] }]);
  });

  test('literal percent signs are doubled, and operators that give nothing are left out', () => {
    const set = [
      { name: 'x-share', value: ['100%'] },
      { name: 'x-no', value: [{ command: 'DYNAMIC_METADATA', argument: 'a:b' }] },
    ];
    const changed = singleTable(9081, { route: { requestHeaders: { ...NO_HEADER_OPS, set } } });
    expect(firstRoute(changed)).toMatchObject([
      {
        routes: [{ request_headers_to_add: [{ header: { key: 'x-share', value: '100%%' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' }] }],
      },
    ]);
  });
});

test.each([
  [{ host: 'a.example' }, { host_redirect: 'a.example' }],
  [
    { scheme: 'https', port: 'protocolDefault' },
    { scheme_redirect: 'https', port_redirect: 443 },
  ],
  [
    { host: 'a.example', port: 8080 },
    { host_redirect: 'a.example', port_redirect: 8080 },
  ],
  [{ path: { kind: 'full', value: 'x' } }, { path_redirect: '/x' }],
] as const)('redirect %o', (parts, redirect) => {
  expect(firstRoute(withMatch({}, { kind: 'redirect', status: 307, ...parts }))).toMatchObject([
    { routes: [{ redirect: { ...redirect, response_code: 'TEMPORARY_REDIRECT' } }] },
  ]);
});

describe('clusters', () => {
  const clusterOf = (changes: Partial<Cluster>): unknown => translate(singleTable(9081, { cluster: changes })).clusters[0];

  test('without limits nothing is limited, and no endpoint is used that is not healthy', () => {
    expect(clusterOf({})).toMatchObject({
      circuit_breakers: {
        thresholds: [{ max_connections: 4_294_967_295, max_requests: 4_294_967_295, retry_budget: { min_retry_concurrency: 3 } }],
      },
      common_lb_config: { healthy_panic_threshold: { value: 0 } },
    });
    expect(clusterOf({ retryLimit: { percent: 0, atLeast: Number.POSITIVE_INFINITY } })).toMatchObject({
      circuit_breakers: { thresholds: [{ max_retries: 4_294_967_295 }] },
    });
  });

  test('by priority', () => {
    const endpoint = { address: '127.0.0.1', port: 1, weight: 1, labels: {} };
    expect(clusterOf({ endpoints: [{ ...endpoint, priority: 1 }, endpoint, { ...endpoint, weight: 3 }] })).toMatchObject({
      load_assignment: { endpoints: [{ lb_endpoints: [{}, { load_balancing_weight: 3 }] }, { priority: 1, lb_endpoints: [{}] }] },
    });
  });

  test.each([
    [{ kind: 'cookie', name: 'c' }, { cookie: { name: 'c' } }],
    [{ kind: 'cookie', name: 'c', setAttributes: '; HttpOnly' }, { cookie: { name: 'c', ttl: '0s' } }],
    [
      { kind: 'cookie', name: 'c', setAttributes: '; Max-Age=60; Path=/; SameSite=Lax; Secure; HttpOnly' },
      {
        cookie: {
          name: 'c',
          ttl: '60s',
          path: '/',
          attributes: [
            { name: 'SameSite', value: 'Lax' },
            { name: 'Secure', value: '' },
          ],
        },
      },
    ],
    [{ kind: 'sourceAddress' }, { connection_properties: { source_ip: true } }],
  ] satisfies readonly (readonly [HashPolicy['key'], object])[])('by hash of %o', (key, policy) => {
    const hashed = singleTable(9081, { cluster: { hash: { key, table: { kind: 'maglev', size: 65_537 } } } });
    expect(firstRoute(hashed)).toMatchObject([{ routes: [{ route: { hash_policy: [policy] } }] }]);
    expect(translate(hashed).clusters[0]).toMatchObject({ lb_policy: 'MAGLEV', maglev_lb_config: { table_size: 65_537 } });
  });
});

describe('what belongs to a release', () => {
  const arm = { observation: 'o', killSwitch: 'k', fallbackOn: [503] };
  const released = { cluster: 0, weight: 1, requestHeaders: NO_HEADER_OPS, responseHeaders: NO_HEADER_OPS, release: arm };
  const assignment = { salt: 's', keys: [{ kind: 'header' as const, name: 'user' }] };

  test('is said, not dropped', () => {
    const { unsupported } = translate(singleTable(9081, { action: { clusters: [released, released], totalWeight: 2, assignment } }));
    expect(unsupported.map(({ code, message }) => `${code} ${message.slice(0, 30)}`)).toEqual([
      'W_ENVOY_OMITTED users are not kept on their ve',
      'W_ENVOY_OMITTED the weights of a release stay ',
      'W_ENVOY_OMITTED a canary that proves broken is',
      'W_ENVOY_OMITTED stable does not answer for a c',
    ]);
  });

  test('preview links do not become a header anybody may send', () => {
    const grant = {
      name: 'x-serin-preview',
      value: { kind: 'exact' as const, value: 'default/a#1/v2' },
      invert: false,
      missingIsEmpty: false,
    };
    const { routes, unsupported } = translate(withMatch({ headers: [grant] }));
    expect(routes[0]).toMatchObject({ virtual_hosts: [{ routes: [] }] });
    expect(unsupported).toMatchObject([{ code: 'W_ENVOY_OMITTED' }]);
  });
});

describe('what is the Gateway API’s alone', () => {
  const warnings = (of: RoutingTable): readonly string[] =>
    translate(of).unsupported.map(({ code, message }) => `${code} ${message.slice(0, 30)}`);
  const missing = { missing: 'no Service' };
  const shared = (weighted: readonly number[]): Partial<ForwardAction> => ({
    clusters: weighted.map((index) => ({ cluster: index, weight: 1, requestHeaders: NO_HEADER_OPS, responseHeaders: NO_HEADER_OPS })),
    totalWeight: weighted.length,
  });

  test.each([
    ['503', [missing], 'SERVICE_UNAVAILABLE', []],
    ['500', [{ ...missing, missingStatus: 500 }], 'INTERNAL_SERVER_ERROR', []],
    ['500', [{}, { ...missing, missingStatus: 500 }], 'INTERNAL_SERVER_ERROR', []],
    ['500', [missing, { ...missing, missingStatus: 500 }], 'INTERNAL_SERVER_ERROR', ['W_ENVOY_DIFFERS some destinations that are not']],
  ] satisfies readonly (readonly [string, readonly Partial<Cluster>[], string, readonly string[]])[])(
    'a destination that is not there is answered %s',
    (_status, changes, cluster_not_found_response_code, said) => {
      const clusters = changes.map((change, index) => cluster(9081, { name: `c${index}`, ...change }));
      const of = table([hosts(['*'], [route('/', forward(shared(clusters.map((_, index) => index))))])], clusters);
      expect(firstRoute(of)).toMatchObject([{ routes: [{ route: { cluster_not_found_response_code } }] }]);
      expect(warnings(of)).toEqual(said);
    },
  );

  test('sessions, minimum back-offs and what CORS repeats are said, not dropped', () => {
    const session = { key: { kind: 'header', name: 'x-s' }, destinations: forward().clusters } as const;
    const retry = {
      attempts: 1,
      on: [],
      statusCodes: [503],
      perTryTimeoutMs: 0,
      backoffMs: 100,
      avoidsTried: true,
      repeatsAnything: true,
    } as const;
    expect(warnings(singleTable(9081, { action: { session, retry: { ...retry, backoffIsMinimum: true } } }))).toEqual([
      'W_ENVOY_OMITTED no session is kept: each reque',
      'W_ENVOY_DIFFERS a retry may come before its ba',
    ]);
    expect(warnings(singleTable(9081, { action: { retry } }))).toEqual([]);
    const cors = {
      origins: [],
      allowMethods: '*',
      allowHeaders: 'a',
      exposeHeaders: '*',
      allowsCredentials: true,
      forwardsUnmatched: false,
    } as const;
    expect(warnings(singleTable(9081, { route: { cors } }))).toEqual([]);
    expect(warnings(singleTable(9081, { route: { cors: { ...cors, echoesRequested: true } } }))).toEqual([
      'W_ENVOY_DIFFERS a preflight is told * where ev',
      'W_ENVOY_DIFFERS answers with credentials expos',
    ]);
    expect(
      warnings(singleTable(9081, { route: { cors: { ...cors, allowMethods: 'PUT', exposeHeaders: 'a', echoesRequested: true } } })),
    ).toEqual([]);
  });
});

test('the same about the same rule is said once, on however many listeners it is', () => {
  const fault = { abort: { perMillion: 1, status: 500 }, isBeforeRouter: false };
  const one = singleTable(9081, { action: { fault, timeoutMs: 1000 } });
  const [listener] = one.listeners;
  const twice = { ...one, listeners: listener === undefined ? [] : [listener, { ...listener, name: '80', port: 80 }] };
  expect(translate(twice).unsupported).toHaveLength(1);
});
