import { describe, expect, test } from 'vitest';
import { gateway, route, routesOf, served, to } from '../../../test/helpers/gateway-api.ts';

/* Tables of the conformance suite (httproute-*-matching, httproute-path-match-order) and semantics.md Appendix A. */

const one = (name: string, rules: string, more?: string): ReturnType<typeof served> =>
  served(gateway(), route('HTTPRoute', name, rules, more));

describe('paths', () => {
  const prefix = one('prefix', `[{ matches: [{ path: { value: /foo } }], ${to('v1')} }]`);

  test.each([
    ['/foo', 'v1'],
    ['/foo/', 'v1'],
    ['/foo/bar', 'v1'],
    ['/foobar', '404'],
    ['/Foo', '404'],
    ['/', '404'],
  ])('of the prefix /foo: %s is %s (A2)', (path, outcome) => {
    expect(prefix.outcome(`GET http://a.example${path}`)).toBe(outcome);
  });

  test('a slash at the end of a prefix says nothing (A2)', () => {
    const slash = one('prefix', `[{ matches: [{ path: { value: /foo/ } }], ${to('v1')} }]`);
    for (const path of ['/foo', '/foo/', '/foo/bar']) expect(slash.outcome(`GET http://a.example${path}`)).toBe('v1');
    expect(slash.outcome('GET http://a.example/foobar')).toBe('404');
  });

  test('an exact path is neither its element nor its children', () => {
    const exact = one('exact', `[{ matches: [{ path: { type: Exact, value: /foo } }], ${to('v1')} }]`);
    expect(['/foo', '/foo?x=1', '/foo/', '/foo/bar', '/Foo'].map((path) => exact.outcome(`GET http://a.example${path}`))).toEqual([
      'v1',
      'v1',
      '404',
      '404',
      '404',
    ]);
  });

  test('a regular expression is of the whole path', () => {
    const regex = one('regex', `[{ matches: [{ path: { type: RegularExpression, value: '/v\\d' } }], ${to('v1')} }]`);
    expect(['/v1', '/v12', '/x/v1'].map((path) => regex.outcome(`GET http://a.example${path}`))).toEqual(['v1', '404', '404']);
  });

  test('a rule without matches takes everything', () => {
    expect(one('all', `[{ ${to('v1')} }]`).outcome('POST http://a.example/any/path?x=1')).toBe('v1');
  });

  test('the order of rules does not matter, but what is exact does (httproute-path-match-order)', () => {
    const { outcome } = one(
      'order',
      `
    - { matches: [{ path: { value: /match } }], ${to('v3')} }
    - { matches: [{ path: { type: Exact, value: /match } }], ${to('v1')} }
    - { matches: [{ path: { value: /match/prefix } }], ${to('v1')} }
    - { matches: [{ path: { value: /match/prefix/one } }], ${to('v2')} }
    - { matches: [{ path: { type: Exact, value: /match/exact } }], ${to('v2')} }
    - { matches: [{ path: { type: Exact, value: /match/exact/one } }], ${to('v3')} }`,
    );
    const paths = ['/match/exact/one', '/match/exact', '/match', '/match/prefix/one/any', '/match/prefix/any', '/match/any'];
    expect(paths.map((path) => outcome(`GET http://a.example${path}`))).toEqual(['v3', 'v2', 'v1', 'v2', 'v1', 'v3']);
  });
});

describe('headers (httproute-header-matching)', () => {
  const { outcome } = one(
    'headers',
    `
    - { matches: [{ headers: [{ name: version, value: one }] }], ${to('v1')} }
    - { matches: [{ headers: [{ name: version, value: two }] }], ${to('v2')} }
    - { matches: [{ headers: [{ name: version, value: two }, { name: color, value: orange }] }], ${to('v1')} }
    - { matches: [{ headers: [{ name: color, value: blue }] }, { headers: [{ name: color, value: green }] }], ${to('v1')} }
    - { matches: [{ headers: [{ name: color, value: red }] }, { headers: [{ name: color, value: yellow }] }], ${to('v2')} }`,
  );

  test.each([
    ['Version: one', 'v1'],
    ['Version: two', 'v2'],
    ['Version: two\nColor: orange', 'v1'],
    ['Version: two\nColor: blue', 'v2'],
    ['Color: orange', '404'],
    ['Some-Other-Header: one', '404'],
    ['Color: blue', 'v1'],
    ['Color: green', 'v1'],
    ['Color: red', 'v2'],
    ['Color: yellow', 'v2'],
    ['Color: purple', '404'],
  ])('%j is %s', (headers, wanted) => {
    expect(outcome(`GET http://a.example/\n${headers}`)).toBe(wanted);
  });

  test('of conditions on one header, whatever its case, the first counts', () => {
    const twice = one('twice', `[{ matches: [{ headers: [{ name: Version, value: one }, { name: VERSION, value: two }] }], ${to('v1')} }]`);
    expect(twice.outcome('GET http://a.example/\nversion: one')).toBe('v1');
    expect(twice.outcome('GET http://a.example/\nversion: two')).toBe('404');
  });
});

describe('query parameters (httproute-query-param-matching)', () => {
  const { outcome } = one(
    'query',
    `
    - { matches: [{ queryParams: [{ name: animal, value: whale }] }], ${to('v1')} }
    - { matches: [{ queryParams: [{ name: animal, value: dolphin }] }], ${to('v2')} }
    - matches:
        - queryParams: [{ name: animal, value: dolphin }, { name: color, value: blue }]
        - queryParams: [{ name: ANIMAL, value: Whale }]
      ${to('v3')}
    - { matches: [{ path: { value: /path1 }, queryParams: [{ name: animal, value: whale }] }], ${to('v1')} }
    - { matches: [{ headers: [{ name: version, value: one }], queryParams: [{ name: animal, value: whale }] }], ${to('v2')} }
    - { matches: [{ path: { value: /path5 } }], ${to('v1')} }
    - { matches: [{ queryParams: [{ name: animal, value: hydra }] }], ${to('v2')} }
    - { matches: [{ headers: [{ name: version, value: four }] }], ${to('v3')} }`,
  );

  test.each([
    ['/?animal=whale', '', 'v1'],
    ['/?animal=dolphin', '', 'v2'],
    ['/?animal=dolphin&color=blue', '', 'v3'],
    ['/?ANIMAL=Whale', '', 'v3'],
    ['/?animal=whale&otherparam=irrelevant', '', 'v1'],
    ['/?animal=dolphin&color=yellow', '', 'v2'],
    ['/?color=blue', '', '404'],
    ['/?animal=dog', '', '404'],
    ['/?animal=whaledolphin', '', '404'],
    ['/', '', '404'],
    ['/path1?animal=whale', '', 'v1'],
    ['/?animal=whale', 'version: one', 'v2'],
    // A path and then headers come before query parameters.
    ['/path5?animal=hydra', '', 'v1'],
    ['/?animal=hydra', 'version: four', 'v3'],
    // A repeated parameter: the first one counts (A8).
    ['/?animal=whale&animal=dolphin', '', 'v1'],
  ])('%s with %j is %s', (path, headers, wanted) => {
    expect(outcome(`GET http://a.example${path}\n${headers}`)).toBe(wanted);
  });

  test('of conditions on one parameter the first counts', () => {
    const twice = one('twice', `[{ matches: [{ queryParams: [{ name: q, value: a }, { name: Q, value: b }] }], ${to('v1')} }]`);
    expect(twice.outcome('GET http://a.example/?q=a&Q=b')).toBe('v1');
    expect(twice.outcome('GET http://a.example/?q=a')).toBe('404');
  });
});

describe('methods (httproute-method-matching)', () => {
  const { outcome } = one(
    'methods',
    `
    - { matches: [{ method: POST }], ${to('v1')} }
    - { matches: [{ method: GET }], ${to('v2')} }
    - { matches: [{ path: { value: /path1 }, method: GET }], ${to('v1')} }
    - { matches: [{ headers: [{ name: version, value: one }], method: PUT }], ${to('v2')} }
    - { matches: [{ path: { value: /path5 } }], ${to('v1')} }
    - { matches: [{ method: PATCH }], ${to('v2')} }
    - { matches: [{ headers: [{ name: version, value: four }] }], ${to('v3')} }`,
  );

  test.each([
    ['POST', '/', '', 'v1'],
    ['GET', '/', '', 'v2'],
    ['HEAD', '/', '', '404'],
    ['GET', '/path1', '', 'v1'],
    ['PUT', '/', 'version: one', 'v2'],
    ['PUT', '/', '', '404'],
    ['PATCH', '/path5', '', 'v1'],
    // A method comes before any number of headers.
    ['PATCH', '/', 'version: four', 'v2'],
  ])('%s %s with %j is %s', (method, path, headers, wanted) => {
    expect(outcome(`${method} http://a.example${path}\n${headers}`)).toBe(wanted);
  });
});

describe('precedence between rules and routes (A11)', () => {
  const order = (...documents: readonly string[]): readonly string[] =>
    routesOf(served(gateway(), ...documents).table).map(({ name, source }) => `${source.name} ${name}`);
  const aged = (name: string, created: string | undefined, rules: string): string =>
    route('HTTPRoute', name, rules).replace(
      `{ name: ${name} }`,
      `{ name: ${name}${created === undefined ? '' : `, creationTimestamp: '${created}'`} }`,
    );
  const SAME = `[{ matches: [{ path: { value: /a }, method: GET }], ${to('v1')} }]`;

  test('two headers come before one, one before a query parameter, and a regular expression before no path at all', () => {
    const rules = `
    - { name: plain, matches: [{ path: { value: /a } }], ${to('v1')} }
    - { name: query, matches: [{ path: { value: /a }, queryParams: [{ name: q, value: a }, { name: r, value: a }] }], ${to('v1')} }
    - { name: header, matches: [{ path: { value: /a }, headers: [{ name: x, value: a }] }], ${to('v1')} }
    - { name: headers, matches: [{ path: { value: /a }, headers: [{ name: x, value: a }, { name: y, value: a }] }], ${to('v1')} }
    - { name: method, matches: [{ path: { value: /a }, method: GET }], ${to('v1')} }
    - { name: longer, matches: [{ path: { value: /a/b } }], ${to('v1')} }
    - { name: regex, matches: [{ path: { type: RegularExpression, value: '/a/b/c/d/.*' } }], ${to('v1')} }
    - { name: nothing, matches: [{ method: GET }], ${to('v1')} }
    - { name: exact, matches: [{ path: { type: Exact, value: /a } }], ${to('v1')} }`;
    expect(order(route('HTTPRoute', 'r', rules))).toEqual(
      ['exact', 'longer', 'method', 'headers', 'header', 'query', 'plain', 'regex', 'nothing'].map((name) => `r ${name}`),
    );
  });

  test('the older route comes first, wherever it stands', () => {
    expect(
      order(aged('b', '2026-02-01T00:00:00Z', SAME), aged('a', '2026-03-01T00:00:00Z', SAME), aged('c', '2026-01-01T00:00:00Z', SAME)),
    ).toEqual(['c rules[0]', 'b rules[0]', 'a rules[0]']);
  });

  test('of one age the first by name comes first, and one that states no age last', () => {
    const created = '2026-02-01T00:00:00Z';
    expect(order(aged('a', undefined, SAME), aged('c', created, SAME), aged('b', created, SAME))).toEqual([
      'b rules[0]',
      'c rules[0]',
      'a rules[0]',
    ]);
  });

  test('of one route the first rule comes first', () => {
    const rules = `[{ name: z, matches: [{ path: { value: /a } }], ${to('v1')} }, { name: y, matches: [{ path: { value: /a } }], ${to('v2')} }]`;
    expect(order(route('HTTPRoute', 'r', rules))).toEqual(['r z', 'r y']);
  });

  test('blocks of one rule stand apart where a block of another comes between them, and keep its name and place', () => {
    const rules = `
    - { matches: [{ path: { value: /a/b/c } }, { path: { value: /a } }], ${to('v1')} }
    - { matches: [{ path: { value: /a/b } }], ${to('v2')} }`;
    const routes = routesOf(served(gateway(), route('HTTPRoute', 'r', rules)).table);
    expect(routes.map(({ source, matches }) => [source.path, ...matches.map(({ path }) => path)])).toEqual([
      ['spec.rules[0]', 'spec.rules[0].matches[0]'],
      ['spec.rules[1]', 'spec.rules[1].matches[0]'],
      ['spec.rules[0]', 'spec.rules[0].matches[1]'],
    ]);
  });

  test('what stands behind a rule for everything says why nobody gets there', () => {
    const { explain } = served(gateway(), aged('a', undefined, `[{ ${to('v1')} }]`), aged('b', undefined, `[{ ${to('v2')} }]`));
    expect(explain('GET http://a.example/').rules.map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ['taken', undefined],
      ['unreachable', 'an earlier rule takes everything: rules[0] of HTTPRoute default/a'],
    ]);
  });

  test('a rule is named with its own line of the file', () => {
    const rules = `\n    - { ${to('v1')} }\n    - { matches: [{ path: { value: /b } }], ${to('v1')} }`;
    const [first, second] = routesOf(served(gateway(), route('HTTPRoute', 'r', rules)).table);
    expect(first?.source.path).toBe('spec.rules[1]');
    expect((first?.source.line ?? 0) - (second?.source.line ?? 0)).toBe(1);
  });
});

test('routes of several resources for one host are one list (httproute-matching-across-routes)', () => {
  const part1 = route(
    'HTTPRoute',
    'part1',
    `[{ matches: [{ path: { value: / } }, { headers: [{ name: version, value: one }] }], ${to('v1')} }]`,
    '  parentRefs: [{ name: front }]\n  hostnames: [example.com, example.net]',
  );
  const part2 = route(
    'HTTPRoute',
    'part2',
    `[{ matches: [{ path: { value: /v2 } }, { headers: [{ name: version, value: two }] }], ${to('v2')} }]`,
    '  parentRefs: [{ name: front }]\n  hostnames: [example.com]',
  );
  const { outcome } = served(gateway(), part1, part2);
  expect(
    [
      'http://example.com/',
      'http://example.com/example',
      'http://example.net/example',
      'http://example.com/example\nVersion: one',
      'http://example.com/v2',
      'http://example.net/v2',
      'http://example.com/v2/example',
      'http://example.com/\nVersion: two',
    ].map((request) => outcome(`GET ${request}`)),
  ).toEqual(['v1', 'v1', 'v1', 'v1', 'v2', 'v1', 'v2', 'v2']);
});
