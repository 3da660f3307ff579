import * as fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, test } from 'vitest';
import { explain } from './explain.ts';
import { Matcher } from './matcher.ts';
import type { RequestView } from './request-view.ts';
import { NO_HEADER_OPS } from './table.ts';
import type { HeaderMatch, QueryParamMatch, Route, RouteMatch, RoutingTable, UriMatch, ValueMatch, VirtualHost } from './table.ts';

// The indexed matcher against a walk down the list, written here from the semantics alone, over small alphabets so that random tables and requests
// meet often; and explain against the matcher.

const text = fc.string({ unit: fc.constantFrom('a', 'b', 'A', '-'), minLength: 0, maxLength: 2 });
const path = fc.array(fc.constantFrom('a', 'b', 'A', 'ab', ''), { maxLength: 3 }).map((segments) => `/${segments.join('/')}`);

const valueMatch: fc.Arbitrary<ValueMatch> = fc.oneof(
  fc.record({ kind: fc.constant('exact' as const), value: text }),
  fc.record({ kind: fc.constant('exact' as const), value: text }),
  fc.record({ kind: fc.constant('prefix' as const), value: text }),
  fc.record({ kind: fc.constant('regex' as const), value: fc.constantFrom('.*', 'a.*', '.*b', '[aA]+', 'a|b') }),
);

const uriMatch: fc.Arbitrary<UriMatch> = fc.oneof(
  fc.record({ kind: fc.constantFrom('exact' as const, 'prefix' as const, 'pathPrefix' as const), value: path, ignoreCase: fc.boolean() }),
  fc.record({
    kind: fc.constant('regex' as const),
    value: fc.constantFrom('/a.*', '/[ab]/?', '.*', '/a/b'),
    ignoreCase: fc.constant(false),
  }),
);

const headerMatch: fc.Arbitrary<HeaderMatch> = fc.record(
  {
    name: fc.constantFrom('x', 'y', ':method', ':path', ':authority'),
    value: valueMatch,
    invert: fc.boolean(),
    missingIsEmpty: fc.boolean(),
  },
  { requiredKeys: ['name', 'invert', 'missingIsEmpty'] },
);

const queryMatch: fc.Arbitrary<QueryParamMatch> = fc.record(
  { name: fc.constantFrom('p', 'q'), value: valueMatch },
  { requiredKeys: ['name'] },
);

const routeMatch: fc.Arbitrary<RouteMatch> = fc
  .record(
    {
      uri: uriMatch,
      method: fc.record({ kind: fc.constant('exact' as const), value: fc.constantFrom('GET', 'POST') }),
      authority: valueMatch,
      headers: fc.array(headerMatch, { maxLength: 2 }),
      queryParams: fc.array(queryMatch, { maxLength: 1 }),
      never: fc.constant('not here'),
    },
    { requiredKeys: ['headers', 'queryParams'] },
  )
  .map((match) => Object.assign(match, { path: 'match' }));

/** Mostly tables of one shape, as large ones are; they are what the index treats specially. */
const matchLists: fc.Arbitrary<RouteMatch[][]> = fc.oneof(
  fc.array(fc.array(routeMatch, { minLength: 1, maxLength: 3 }), { maxLength: 12 }),
  fc.array(
    fc
      .record({ name: fc.constantFrom('x', 'y'), value: text, uri: fc.option(uriMatch, { nil: undefined }) })
      .map(({ name, value, uri }): RouteMatch[] => [
        {
          path: 'match',
          headers: [{ name, value: { kind: 'exact', value }, invert: false, missingIsEmpty: false }],
          queryParams: [],
          ...(uri === undefined ? {} : { uri }),
        },
      ]),
    { minLength: 8, maxLength: 40 },
  ),
);

function tableOf(
  hosts: readonly { readonly domains: readonly string[]; readonly matches: readonly (readonly RouteMatch[])[] }[],
): RoutingTable {
  const virtualHosts = hosts.map(({ domains, matches }, host): VirtualHost => ({
    name: `host-${host}`,
    domains,
    routes: matches.map((blocks, index): Route => ({
      name: `route-${index}`,
      source: { kind: 'VirtualService', namespace: 'default', name: 'test', path: `spec.http[${index}]`, file: 'test.yaml', line: 1 },
      matches: blocks.map((block, position) => ({ ...block, path: `${index}.${position}` })),
      action: { kind: 'directResponse', status: 200, body: new Uint8Array() },
      requestHeaders: NO_HEADER_OPS,
      responseHeaders: NO_HEADER_OPS,
      ...(index % 7 === 6 ? { unreachable: 'an earlier rule takes everything' } : {}),
    })),
  }));
  return { version: 'test', listeners: [{ name: 'mesh', port: 0, gateways: [], virtualHosts }], clusters: [] };
}

const DOMAINS = ['*', 'a', '*.a', 'b.a', 'a:80', 'c.b.a'];

const table: fc.Arbitrary<RoutingTable> = fc
  .uniqueArray(fc.record({ domain: fc.constantFrom(...DOMAINS), matches: matchLists }), {
    selector: ({ domain }) => domain,
    minLength: 1,
    maxLength: 3,
  })
  .map((hosts) => tableOf(hosts.map(({ domain, matches }) => ({ domains: [domain], matches }))));

const request: fc.Arbitrary<RequestView> = fc
  .record({
    method: fc.constantFrom('GET', 'POST'),
    scheme: fc.constantFrom('http' as const, 'https' as const),
    authority: fc.constantFrom('a', 'A:80', 'b.a', 'c.b.a:81', 'x', ''),
    path,
    query: fc.constantFrom('', 'p=a', 'p=b&p=a', 'q', 'q=&p=ab'),
    headers: fc.dictionary(fc.constantFrom('x', 'y'), text, { maxKeys: 2 }),
  })
  .map((fields) => Object.assign(fields, { header: (name: string) => fields.headers[name] }));

// --- the naive reference -------------------------------------------------------------------------------------------------------------------

function naiveValue(match: ValueMatch, value: string): boolean {
  if (match.kind === 'exact') return value === match.value;
  if (match.kind === 'prefix') return value.startsWith(match.value);
  return RE2JS.compile(match.value).matches(value);
}

function naivePath({ kind, value, ignoreCase }: UriMatch, actual: string): boolean {
  if (kind === 'regex') return RE2JS.compile(value).matches(actual);
  const wanted = ignoreCase ? value.toLowerCase() : value;
  const found = ignoreCase ? actual.toLowerCase() : actual;
  if (kind === 'exact') return found === wanted;
  if (kind === 'prefix') return found.startsWith(wanted);
  const elements = wanted.replace(/\/$/, '').split('/');
  return elements.every((element, index) => found.split('/')[index] === element);
}

function naiveHeader(match: HeaderMatch, view: RequestView): boolean {
  const pseudo = new Map([
    [':method', view.method],
    [':authority', view.authority],
    [':path', view.query === '' ? view.path : `${view.path}?${view.query}`],
  ]);
  const value = pseudo.get(match.name) ?? view.header(match.name);
  if (match.value === undefined) return (value !== undefined) !== match.invert;
  if (value === undefined && !match.missingIsEmpty) return false;
  return naiveValue(match.value, value ?? '') !== match.invert;
}

function naiveQuery(match: QueryParamMatch, query: string): boolean {
  const pairs = query === '' ? [] : query.split('&').map((pair) => pair.split('='));
  const first = pairs.find(([name]) => name === match.name);
  if (first === undefined) return false;
  return match.value === undefined || naiveValue(match.value, first[1] ?? '');
}

function naiveMatch(match: RouteMatch, view: RequestView): boolean {
  return (
    match.never === undefined &&
    (match.uri === undefined || naivePath(match.uri, view.path)) &&
    (match.method === undefined || naiveValue(match.method, view.method)) &&
    (match.authority === undefined || naiveValue(match.authority, view.authority)) &&
    match.headers.every((header) => naiveHeader(header, view)) &&
    match.queryParams.every((param) => naiveQuery(param, view.query))
  );
}

function naiveHost(hosts: readonly VirtualHost[], authority: string): VirtualHost | undefined {
  const full = authority.toLowerCase();
  const name = full.replace(/:\d+$/, '');
  const withDomain = (test: (domain: string) => boolean): VirtualHost | undefined => hosts.find(({ domains }) => domains.some(test));
  const wildcards = hosts
    .flatMap(({ domains }) => domains)
    .filter((domain) => domain.startsWith('*.') && name.length > domain.length - 1 && name.endsWith(domain.slice(1)));
  const longest = wildcards.sort((a, b) => b.length - a.length)[0];
  return (
    withDomain((domain) => domain === full) ??
    withDomain((domain) => domain === name) ??
    (longest === undefined ? undefined : withDomain((domain) => domain === longest)) ??
    withDomain((domain) => domain === '*')
  );
}

function naiveFind(routing: RoutingTable, view: RequestView): string | undefined {
  const host = naiveHost(routing.listeners[0]?.virtualHosts ?? [], view.authority);
  for (const route of host?.routes ?? []) {
    if (route.unreachable !== undefined) continue;
    for (const match of route.matches) if (naiveMatch(match, view)) return `${host?.name} ${match.path}`;
  }
  return undefined;
}

// --- properties ----------------------------------------------------------------------------------------------------------------------------

describe('over random tables and requests', () => {
  test('the index finds what a walk down the list finds', () => {
    let hits = 0;
    fc.assert(
      fc.property(table, fc.array(request, { minLength: 1, maxLength: 10 }), (routing, requests) => {
        const listener = new Matcher(routing).listener('mesh');
        for (const view of requests) {
          const hit = listener?.match(view);
          const expected = naiveFind(routing, view);
          expect(hit === undefined ? undefined : `${hit.virtualHost.name} ${hit.match.path}`).toBe(expected);
          if (hit !== undefined) hits++;
        }
      }),
      { numRuns: 1500 },
    );
    // Were the alphabets ever to stop meeting, the property would hold for want of matches.
    expect(hits).toBeGreaterThan(500);
  });

  test('explain names the rule and the block that the matcher finds', () => {
    fc.assert(
      fc.property(table, request, (routing, view) => {
        const hit = new Matcher(routing).listener('mesh')?.match(view);
        const explanation = explain(routing, 'mesh', view);
        const taken = explanation.rules.find(({ verdict }) => verdict === 'taken');
        expect(taken?.name).toBe(hit?.route.name);
        expect(taken?.matches.find(({ verdict }) => verdict === 'holds')?.path).toBe(hit?.match.path);
        expect(explanation.virtualHost?.name).toBe(hit === undefined ? explanation.virtualHost?.name : hit.virtualHost.name);
      }),
      { numRuns: 1500 },
    );
  });

  test('every rule that explain calls lost has a condition that fails in each of its blocks', () => {
    fc.assert(
      fc.property(table, request, (routing, view) => {
        for (const rule of explain(routing, 'mesh', view).rules) {
          if (rule.verdict !== 'lost') continue;
          for (const match of rule.matches) {
            expect(match.verdict === 'never' || match.conditions.some(({ holds }) => !holds)).toBe(true);
          }
        }
      }),
    );
  });
});

function find(matches: readonly (readonly RouteMatch[])[], path: string): string | undefined {
  const listener = new Matcher(tableOf([{ domains: ['*'], matches }])).listener('mesh');
  return listener?.match({ method: 'GET', scheme: 'http', authority: 'a', path, query: '', header: () => undefined })?.match.path;
}

function pathBlock(kind: UriMatch['kind'], value: string): RouteMatch {
  return { path: '', uri: { kind, value, ignoreCase: false }, headers: [], queryParams: [] };
}

describe('among many rules', () => {
  const exact = Array.from({ length: 100 }, (_, i) => [pathBlock('exact', `/p/${i}`)]);
  const prefix = [pathBlock('prefix', '/p/5')];

  test('the first that holds wins, not the most particular', () => {
    expect(find([...exact, prefix], '/p/50')).toBe('50.0');
    expect(find([prefix, ...exact], '/p/50')).toBe('0.0');
    expect(find([...exact, prefix], '/p/5000')).toBe('100.0');
  });

  test('none is none', () => {
    expect(find(exact, '/p/100')).toBeUndefined();
  });
});

test('a listener that is not in the table is undefined', () => {
  expect(new Matcher(tableOf([])).listener('80')).toBeUndefined();
});
