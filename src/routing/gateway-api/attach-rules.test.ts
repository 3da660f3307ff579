/** What is said of the rules of routes: references that lead nowhere, filters nobody knows, conditions that cannot be told; and of routes of the mesh. */
import { describe, expect, test } from 'vitest';
import { attached, gateway, httpRoute, type Said, service, servedRoutes } from '../../../test/helpers/attached.ts';

const GW = gateway('gw', ['{ name: http, port: 80, protocol: HTTP }']);
const BOOKS = service('books');
const GOOD = { Accepted: 'True Accepted', ResolvedRefs: 'True ResolvedRefs' };
const REF = '{ name: books, port: 80 }';
const rules = (...all: string[]): string => httpRoute('r', `{ parentRefs: [{ name: gw }], rules: [${all.join(', ')}] }`);
const grpcRules = (...all: string[]): string => rules(...all).replace('kind: HTTPRoute', 'kind: GRPCRoute');
const unresolved = (reason: string): Said => ({ Accepted: 'True Accepted', ResolvedRefs: `False ${reason}` });

describe('the references of a route', () => {
  test.each<readonly [what: string, rule: string, expected: Said, path: string | undefined]>([
    ['lead to a Service', `{ backendRefs: [${REF}] }`, GOOD, undefined],
    [
      'lead to no Service',
      '{ backendRefs: [{ name: nonexistent, port: 80 }] }',
      unresolved('BackendNotFound'),
      'spec.rules[0].backendRefs[0]',
    ],
    [
      'lead to an unknown kind',
      `{ backendRefs: [{ kind: NonExistent, name: books, port: 80 }] }`,
      unresolved('InvalidKind'),
      'spec.rules[0].backendRefs[0]',
    ],
    [
      'lead into another namespace',
      '{ backendRefs: [{ name: books, namespace: web, port: 80 }] }',
      unresolved('RefNotPermitted'),
      'spec.rules[0].backendRefs[0]',
    ],
    [
      'lead to a port that is not there',
      '{ backendRefs: [{ name: books, port: 81 }] }',
      unresolved('BackendNotFound'),
      'spec.rules[0].backendRefs[0]',
    ],
    [
      'lead somewhere and nowhere',
      `{ backendRefs: [${REF}, { name: none, port: 80, weight: 0 }] }`,
      unresolved('BackendNotFound'),
      'spec.rules[0].backendRefs[1]',
    ],
    [
      'of a mirror lead nowhere',
      `{ backendRefs: [${REF}], filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: none, port: 80 } } }] }`,
      unresolved('BackendNotFound'),
      'spec.rules[0].filters[0].requestMirror.backendRef',
    ],
    [
      'of a mirror of a backend lead nowhere',
      `{ backendRefs: [{ name: books, port: 80, filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: none, port: 80 } } }] }] }`,
      unresolved('BackendNotFound'),
      'spec.rules[0].backendRefs[0].filters[0].requestMirror.backendRef',
    ],
    [
      'of an extension lead nowhere',
      `{ backendRefs: [${REF}], filters: [{ type: ExtensionRef, extensionRef: { group: example.com, kind: Filter, name: f } }] }`,
      unresolved('InvalidKind'),
      'spec.rules[0].filters[0]',
    ],
    [
      'of an extension of a backend lead nowhere',
      `{ backendRefs: [{ name: books, port: 80, filters: [{ type: ExtensionRef, extensionRef: { group: example.com, kind: Filter, name: f } }] }] }`,
      unresolved('InvalidKind'),
      'spec.rules[0].backendRefs[0].filters[0]',
    ],
    ['are none', '{ filters: [{ type: RequestRedirect, requestRedirect: { hostname: example.org } }] }', GOOD, undefined],
  ])('%s', (_what, rule, expected, path) => {
    const { said, diagnostics } = attached(GW + BOOKS + service('books', 'web') + rules(rule));
    expect(said['HTTPRoute default/r 0']).toEqual(expected);
    expect(diagnostics.map((each) => [each.code, each.path])).toEqual(path === undefined ? [] : [['W_GATEWAY_API', path]]);
  });

  test('are said once, however many parents there are', () => {
    const yaml =
      GW +
      gateway('other', ['{ name: http, port: 81, protocol: HTTP }']) +
      httpRoute('r', '{ parentRefs: [{ name: gw }, { name: other }], rules: [{ backendRefs: [{ name: none, port: 80 }] }] }');
    const { diagnostics, said } = attached(yaml);
    expect(diagnostics.map(({ message }) => message)).toEqual(['BackendNotFound: there is no Service none in namespace default']);
    expect([said['HTTPRoute default/r 0'], said['HTTPRoute default/r 1']]).toEqual([
      unresolved('BackendNotFound'),
      unresolved('BackendNotFound'),
    ]);
  });

  test('are said where the route is not taken, too', () => {
    const yaml = GW + httpRoute('r', '{ parentRefs: [{ name: gw, port: 99 }], rules: [{ backendRefs: [{ name: none, port: 80 }] }] }');
    expect(attached(yaml).said['HTTPRoute default/r 0']).toEqual({
      Accepted: 'False NoMatchingParent',
      ResolvedRefs: 'False BackendNotFound',
    });
  });
});

const good = (path: string): string => `{ matches: [{ path: { value: ${path} } }], backendRefs: [${REF}] }`;
const matching = (match: string): string => `{ matches: [${match}], backendRefs: [${REF}] }`;
const AUTH = `{ backendRefs: [${REF}], filters: [{ type: ExternalAuth, externalAuth: { protocol: HTTP, backendRef: ${REF} } }] }`;

describe('a rule that cannot be served', () => {
  test.each<readonly [what: string, rule: string, reason: string]>([
    ['because of a path that is no RE2', matching("{ path: { type: RegularExpression, value: '/(a' } }"), 'UnsupportedValue'],
    ['because of a path that looks behind', matching("{ path: { type: RegularExpression, value: '/(?<=a)b' } }"), 'UnsupportedValue'],
    ['because of a header', matching("{ headers: [{ type: RegularExpression, name: a, value: '[' }] }"), 'UnsupportedValue'],
    ['because of a query parameter', matching("{ queryParams: [{ type: RegularExpression, name: a, value: '*' }] }"), 'UnsupportedValue'],
    [
      'because of filters that exclude each other',
      `{ filters: [{ type: URLRewrite, urlRewrite: { hostname: a.com } }, { type: RequestRedirect, requestRedirect: { hostname: b.com } }] }`,
      'IncompatibleFilters',
    ],
    ['because it asks somebody else', AUTH, 'UnsupportedValue'],
  ])('%s is dropped, and the route refused where there is no other', (_what, rule, reason) => {
    expect(attached(GW + BOOKS + rules(rule)).said['HTTPRoute default/r 0']).toEqual({
      Accepted: `False ${reason}`,
      ResolvedRefs: 'True ResolvedRefs',
    });
    const { said, message, diagnostics } = attached(GW + BOOKS + rules(good('/a'), rule));
    expect(said['HTTPRoute default/r 0']).toEqual({ ...GOOD, PartiallyInvalid: `True ${reason}` });
    expect(message('HTTPRoute default/r 0', 'PartiallyInvalid')).toMatch(/^Dropped Rule 1 \(/);
    expect(diagnostics).toMatchObject([{ code: 'W_GATEWAY_API', path: expect.stringMatching(/^spec\.rules\[1\]/) }]);
  });

  test('of several the message tells which', () => {
    const bad = matching("{ path: { type: RegularExpression, value: '/(' } }");
    expect(attached(GW + BOOKS + rules(bad, good('/a'), bad)).message('HTTPRoute default/r 0', 'PartiallyInvalid')).toMatch(
      /^Dropped Rules 0 \(.*\), 2 \(/,
    );
  });

  test('is nothing that a route which is not taken has to say', () => {
    const yaml = GW + BOOKS + httpRoute('r', `{ parentRefs: [{ name: gw, port: 9 }], rules: [${good('/a')}, ${AUTH}] }`);
    expect(attached(yaml).said['HTTPRoute default/r 0']).toEqual({ Accepted: 'False NoMatchingParent', ResolvedRefs: 'True ResolvedRefs' });
  });

  test('because of a filter stays there to refuse its requests, though its route is not counted', () => {
    const all = attached(GW + BOOKS + rules(AUTH));
    expect(servedRoutes(all)).toEqual(['gw http: r(*)']);
    expect(all.said['Gateway default/gw http']).toMatchObject({ attached: '0' });
    const dropped = attached(GW + BOOKS + rules(matching("{ path: { type: RegularExpression, value: '/(' } }")));
    expect(servedRoutes(dropped)).toEqual(['gw http:']);
  });

  test.each<readonly [what: string, match: string]>([
    ['of a service', "{ method: { type: RegularExpression, service: '(' } }"],
    ['of a method', "{ method: { type: RegularExpression, method: '[' } }"],
    ['of a header', "{ headers: [{ type: RegularExpression, name: a, value: '(' }] }"],
  ])('because of a comparison %s is dropped from a GRPCRoute, too', (_what, match) => {
    expect(attached(GW + BOOKS + grpcRules(matching(match))).said['GRPCRoute default/r 0']).toMatchObject({
      Accepted: 'False UnsupportedValue',
    });
  });

  test('is told from those that can be', () => {
    const all = [
      matching("{ path: { type: RegularExpression, value: '/a.*' }, headers: [{ name: a, value: '(' }], method: GET }"),
      matching("{ path: { type: Exact, value: '/(' }, queryParams: [{ name: a, value: '[' }] }"),
    ];
    expect(attached(GW + BOOKS + rules(...all)).said['HTTPRoute default/r 0']).toEqual(GOOD);
    expect(attached(GW + BOOKS + grpcRules(matching('{ method: { service: a.B, method: Get } }'))).said['GRPCRoute default/r 0']).toEqual(
      GOOD,
    );
  });
});

describe('a route of the mesh', () => {
  const meshRoute = (parent: string, namespace = 'default'): string =>
    httpRoute('r', `{ parentRefs: [${parent}], rules: [{ backendRefs: [${REF}] }] }`, namespace);
  const ALL = service('books', 'default', '[{ name: http, port: 80 }, { name: admin, port: 81 }]') + service('books', 'web');
  test.each<readonly [what: string, yaml: string, expected: readonly (readonly [string, number | undefined, string | undefined])[]]>([
    [
      'is for every port of its Service, and all callers',
      meshRoute("{ group: '', kind: Service, name: books }"),
      [['books.default.svc.cluster.local', undefined, undefined]],
    ],
    [
      'is for one port',
      meshRoute("{ group: '', kind: Service, name: books, port: 81 }"),
      [['books.default.svc.cluster.local', 81, undefined]],
    ],
    [
      'is for one port by its name',
      meshRoute("{ group: '', kind: Service, name: books, sectionName: admin }"),
      [['books.default.svc.cluster.local', 81, undefined]],
    ],
    [
      'of another namespace is for callers of its own',
      meshRoute("{ group: '', kind: Service, name: books, namespace: default }", 'web'),
      [['books.default.svc.cluster.local', undefined, 'web']],
    ],
  ])('%s', (_what, yaml, expected) => {
    const { attachments, said } = attached(ALL + yaml);
    expect(attachments.mesh.map(({ host, port, callers }) => [host, port, callers])).toEqual(expected);
    expect(said[yaml.includes('namespace: web') ? 'HTTPRoute web/r 0' : 'HTTPRoute default/r 0']).toEqual(GOOD);
  });

  test.each<readonly [what: string, yaml: string, said: string, accepted: string]>([
    ['to no Service', meshRoute("{ group: '', kind: Service, name: none }"), 'HTTPRoute default/r 0', 'False NoMatchingParent'],
    ['to no port', meshRoute("{ group: '', kind: Service, name: books, port: 99 }"), 'HTTPRoute default/r 0', 'False NoMatchingParent'],
    [
      'to a name and a port that are not one',
      meshRoute("{ group: '', kind: Service, name: books, port: 80, sectionName: admin }"),
      'HTTPRoute default/r 0',
      'False NoMatchingParent',
    ],
    [
      'of TLS',
      meshRoute("{ group: '', kind: Service, name: books }").replace('kind: HTTPRoute', 'kind: TLSRoute'),
      'TLSRoute default/r 0',
      'False UnsupportedValue',
    ],
  ])('%s is refused', (_what, yaml, name, accepted) => {
    const { attachments, said } = attached(ALL + yaml);
    expect(said[name]).toMatchObject({ Accepted: accepted });
    expect(attachments.mesh).toEqual([]);
  });
});
