import { describe, expect, test } from 'vitest';
import { gateway, route, routesOf, served } from '../../../test/helpers/gateway-api.ts';
import type { ForwardAction } from '../table.ts';

const ruled = (rule: string): ReturnType<typeof served> => served(gateway(), route('HTTPRoute', 'r', `\n    - ${rule}`));
const outcome = (rule: string): string => ruled(rule).outcome('GET http://a.example/old/x');

function forward(rule: string): ForwardAction {
  const [only] = routesOf(ruled(rule).table);
  if (only?.action.kind !== 'forward') throw new Error('the rule forwards nothing');
  return only.action;
}

describe('weights (A10)', () => {
  test.each([
    ['[{ name: v1, port: 8080 }, { name: v2, port: 8080 }]', 'v1 50 %, v2 50 %'],
    ['[{ name: v1, port: 8080, weight: 3 }, { name: v2, port: 8080 }]', 'v1 75 %, v2 25 %'],
    ['[{ name: v1, port: 8080, weight: 0 }, { name: v2, port: 8080, weight: 7 }]', 'v2'],
    ['[{ name: v1, port: 8080, weight: 900 }]', 'v1'],
    ['[{ name: v1, port: 8080, weight: 0 }, { name: v2, port: 8080, weight: 0 }]', '500'],
    ['[{ name: v1, port: 8080, weight: 0 }]', '500'],
    ['[]', '500'],
  ])('backendRefs %s are %s', (references, wanted) => {
    expect(outcome(`backendRefs: ${references}`)).toBe(wanted);
  });

  test('a rule without backendRefs, and without a redirect, is answered with 500', () => {
    expect(outcome('matches: [{ path: { value: / } }]')).toBe('500');
  });
});

describe('what is wrong with a backend (A34)', () => {
  test.each([
    ['[{ name: v1, port: 8080 }, { name: gone, port: 8080 }]', 'v1 50 %, 500 50 %'],
    ['[{ name: gone, port: 8080 }]', '500'],
    ['[{ name: v1, port: 9999 }]', '500'],
    ['[{ group: other.example, kind: Thing, name: v1, port: 8080 }]', '500'],
    ['[{ name: v1, namespace: elsewhere, port: 8080 }]', '500'],
  ])('%s is %s', (references, wanted) => {
    expect(outcome(`backendRefs: ${references}`)).toBe(wanted);
  });

  test('a Service without endpoints is none of that: it has no endpoints, which costs 503', () => {
    const { explain } = ruled('backendRefs: [{ name: empty, port: 8080 }]');
    expect(explain('GET http://a.example/').forward?.clusters.map(({ missing, endpoints }) => ({ missing, endpoints }))).toEqual([
      { missing: undefined, endpoints: [] },
    ]);
  });

  test('the message of the reference is what explain says', () => {
    const { explain } = ruled('backendRefs: [{ name: gone, port: 8080 }]');
    expect(explain('GET http://a.example/').forward?.clusters[0]?.missing).toContain('there is no Service gone in namespace default');
  });

  test('a filter that nobody can apply costs 500 and sends nothing: the whole rule, or the share of one backend', () => {
    const extension = 'filters: [{ type: ExtensionRef, extensionRef: { group: e.example, kind: Auth, name: a } }]';
    expect(outcome(`${extension}\n      backendRefs: [{ name: v1, port: 8080 }]`)).toBe('500');
    expect(outcome(`backendRefs: [{ name: v1, port: 8080 }, { name: v2, port: 8080, ${extension} }]`)).toBe('v1 50 %, 500 50 %');
  });
});

describe('filters of a backend', () => {
  const modifier = (value: string): string =>
    `filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-version, value: '${value}' }], add: [{ name: x-add, value: b }], remove: [x-rule] } }]`;

  test('are of that backend alone, also where it is the only one', () => {
    const { clusters } = forward(`backendRefs: [{ name: v1, port: 8080, ${modifier('1')} }]`);
    expect(clusters.map(({ requestHeaders }) => requestHeaders.set)).toEqual([[{ name: 'x-version', value: ['1'] }]]);
  });

  test('run after those of the rule, so they win', () => {
    const rule = `
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier: { set: [{ name: x-version, value: rule }, { name: x-rule, value: a }, { name: x-other, value: a }], add: [{ name: x-add, value: a }] }
      backendRefs:
        - { name: v1, port: 8080, ${modifier('backend')} }
        - { name: v2, port: 8080 }`;
    const { table } = ruled(rule.trim());
    const [only] = routesOf(table);
    expect(only?.requestHeaders).toEqual({ remove: [], set: [], add: [] });
    const { clusters } = forward(rule.trim());
    expect(clusters.map(({ requestHeaders }) => requestHeaders)).toEqual([
      {
        remove: ['x-rule', 'x-version'],
        set: [
          { name: 'x-other', value: ['a'] },
          { name: 'x-version', value: ['backend'] },
        ],
        add: [
          { name: 'x-add', value: ['a'] },
          { name: 'x-add', value: ['b'] },
        ],
      },
      {
        remove: [],
        set: [
          { name: 'x-version', value: ['rule'] },
          { name: 'x-rule', value: ['a'] },
          { name: 'x-other', value: ['a'] },
        ],
        add: [{ name: 'x-add', value: ['a'] }],
      },
    ]);
  });

  test('with a percent sign send it as it is', () => {
    const { explain } = ruled(`backendRefs: [{ name: v1, port: 8080, ${modifier('%REQ(a)%')} }]`);
    expect(explain('GET http://a.example/').forward?.clusters[0]?.requestHeaders).toContain('set x-version: %%REQ(a)%%');
  });

  const REWRITE =
    'filters: [{ type: URLRewrite, urlRewrite: { hostname: inner, path: { type: ReplacePrefixMatch, replacePrefixMatch: /new } } }]';
  const REDIRECT = 'filters: [{ type: RequestRedirect, requestRedirect: { hostname: other.example } }]';
  const MIRROR = 'filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: v3, port: 8080 } } }]';

  test('rewrite paths and hosts of the only backend as those of the rule would', () => {
    const rule = `matches: [{ path: { value: /old } }]\n      backendRefs: [{ name: v1, port: 8080, ${REWRITE} }]`;
    expect(forward(rule).rewrite).toEqual({ host: 'inner', path: { kind: 'prefix', value: '/new' } });
    expect(ruled(rule).explain('GET http://a.example/old/x').forward?.path).toBe('/new/x');
  });

  test('rewrite paths and hosts of one of several', () => {
    const { explain } = ruled(
      `matches: [{ path: { value: /old } }]\n      backendRefs: [{ name: v1, port: 8080, ${REWRITE} }, { name: v2, port: 8080 }]`,
    );
    const { forward: explained } = explain('GET http://a.example/old/x');
    expect(explained?.path).toBe('/old/x');
    expect(explained?.clusters.map(({ authority, path }) => [authority, path])).toEqual([
      ['inner', '/new/x'],
      ['a.example', undefined],
    ]);
  });

  test('redirect what the only backend would get, and the share of one of several', () => {
    expect(outcome(`backendRefs: [{ name: v1, port: 8080, ${REDIRECT} }]`)).toBe('302 http://other.example/old/x');
    const { explain } = ruled(`backendRefs: [{ name: v1, port: 8080, ${REDIRECT} }, { name: v2, port: 8080 }]`);
    expect(explain('GET http://a.example/x').forward?.clusters.map(({ location }) => location)).toEqual([
      'http://other.example/x',
      undefined,
    ]);
  });

  test('copy what the only backend gets, and the share of one of several', () => {
    expect(forward(`backendRefs: [{ name: v1, port: 8080, ${MIRROR} }]`).mirrors?.map(({ perMillion }) => perMillion)).toEqual([1_000_000]);
    const { explain } = ruled(`backendRefs: [{ name: v1, port: 8080, ${MIRROR} }, { name: v2, port: 8080 }]`);
    const { forward: explained } = explain('GET http://a.example/x');
    expect(explained?.mirrors).toBeUndefined();
    expect(explained?.clusters.map(({ mirrors }) => mirrors?.map(({ name }) => name))).toEqual([
      ['outbound|8080||v3.default.svc.cluster.local'],
      undefined,
    ]);
  });
});

describe('mirrors of a rule', () => {
  const mirror = (more: string): unknown =>
    forward(
      `filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: v3, port: 8080 }${more} } }]\n      backendRefs: [{ name: v1, port: 8080 }]`,
    ).mirrors?.map(({ perMillion }) => perMillion);

  test.each([
    ['', [1_000_000]],
    [', percent: 20', [200_000]],
    [', percent: 0', undefined],
    [', fraction: { numerator: 1, denominator: 3 }', [333_333]],
    [', fraction: { numerator: 5 }', [50_000]],
  ])('of {%s} copy %j of a million requests', (more, wanted) => {
    expect(mirror(more)).toEqual(wanted);
  });

  test('that lead nowhere cost the request nothing', () => {
    const rule = `filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: gone, port: 8080 } } }]\n      backendRefs: [{ name: v1, port: 8080 }]`;
    expect(outcome(rule)).toBe('v1');
    expect(ruled(rule).explain('GET http://a.example/').forward?.mirrors?.[0]?.missing).toContain('there is no Service gone');
  });
});

describe('time', () => {
  const limits = (fields: string): unknown => {
    const { timeoutMs, isUnlimited, retry } = forward(`${fields}\n      backendRefs: [{ name: v1, port: 8080 }]`);
    return { timeoutMs, isUnlimited, perTryTimeoutMs: retry?.perTryTimeoutMs };
  };

  test.each([
    ['timeouts: { request: 500ms }', { timeoutMs: 500 }],
    ['timeouts: { request: 0s }', { timeoutMs: 0, isUnlimited: true }],
    ['timeouts: { backendRequest: 0s }', { timeoutMs: 0 }],
    ['timeouts: { request: 1m30s, backendRequest: 10s }', { timeoutMs: 10_000 }],
    ['timeouts: { backendRequest: 10s }', { timeoutMs: 10_000 }],
    ['timeouts: { request: 5s, backendRequest: 0s }', { timeoutMs: 5000 }],
    ['timeouts: { request: 0s, backendRequest: 2s }', { timeoutMs: 2000 }],
    ['timeouts: { request: 5s, backendRequest: 1s }\n      retry: { attempts: 2 }', { timeoutMs: 5000, perTryTimeoutMs: 1000 }],
  ])('%s is %j', (fields, wanted) => {
    expect(limits(fields)).toEqual(wanted);
  });

  test('retries are of the stated codes and of connections that fail, and never come before a stated back-off', () => {
    const retry = (fields: string): unknown => forward(`retry: {${fields}}\n      backendRefs: [{ name: v1, port: 8080 }]`).retry;
    expect(retry(' codes: [502, 503], attempts: 3, backoff: 100ms ')).toEqual({
      attempts: 3,
      on: ['connect-failure', 'refused-stream', 'reset'],
      statusCodes: [502, 503],
      perTryTimeoutMs: 0,
      backoffMs: 100,
      backoffIsMinimum: true,
      avoidsTried: true,
      repeatsAnything: false,
    });
    expect(retry('')).toMatchObject({ attempts: 2, statusCodes: [], backoffMs: 25 });
  });
});

describe('CORS', () => {
  const cors = (fields: string): unknown =>
    routesOf(ruled(`filters: [{ type: CORS, cors: { ${fields} } }]\n      backendRefs: [{ name: v1, port: 8080 }]`).table)[0]?.cors;

  test('lasts five seconds where nothing is stated, and never passes preflights on (A33)', () => {
    expect(cors("allowOrigins: ['*'], allowMethods: ['*'], allowCredentials: true")).toEqual({
      origins: [{ kind: 'exact', value: '*' }],
      allowMethods: '*',
      allowHeaders: '',
      exposeHeaders: '',
      maxAgeSeconds: 5,
      allowsCredentials: true,
      forwardsUnmatched: false,
      echoesRequested: true,
    });
  });

  test('a wildcard in an origin stands for labels, not for a port or a path', () => {
    expect(cors("allowOrigins: ['https://*.example.com', 'http://*:8080']")).toMatchObject({
      origins: [
        { kind: 'regex', value: String.raw`https://[^/:]+\.example\.com` },
        { kind: 'regex', value: 'http://[^/:]+:8080' },
      ],
    });
  });
});
