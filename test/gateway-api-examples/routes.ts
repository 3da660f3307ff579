/** HTTPRoute and GRPCRoute: accepted or refused by their definitions. */
import { documents, type Example } from './documents.ts';
import {
  backendFilter,
  BAD_HTTP_FILTERS,
  BAD_SHARED_FILTERS,
  filter,
  FORBIDDEN_CHANGES,
  GOOD_HTTP_FILTERS,
  GOOD_SHARED_FILTERS,
  MEMBERS,
  ONCE,
  rule,
  SERVICE,
  SHARED,
} from './filters.ts';

/** Specs of both kinds of route. */
const GOOD_ROUTES: readonly string[] = [
  '{}',
  '{ hostnames: [a.b, "*.c"], parentRefs: [{ name: g }] }',
  '{ parentRefs: [{ name: g, sectionName: a }, { name: g, sectionName: b }, { name: g, namespace: n }, { group: "", kind: Service, name: g, port: 80 }] }',
  '{ parentRefs: [{ name: g, port: 80 }, { name: g, port: 81 }, { name: h, sectionName: a, port: 80 }, { name: h, sectionName: a, port: 81 }] }',
  '{ parentRefs: [{ name: g, namespace: n }, { name: g, namespace: m }], useDefaultGateways: All }',
  rule('name: a'),
  rule('backendRefs: [{ name: a, port: 80, weight: 0 }, { name: b, port: 80, weight: 1000000 }, { group: g, kind: K, name: c }]'),
  rule('backendRefs: []'),
  '{ rules: [{ name: a }, { name: b }, {}] }',
  rule('sessionPersistence: { cookie: {} }'),
  rule('sessionPersistence: { type: Cookie, absoluteTimeout: 24h, cookie: { name: s, path: /, lifetimeType: Permanent } }'),
  rule('sessionPersistence: { type: Header, header: { name: s } }'),
];
const BAD_ROUTES: readonly string[] = [
  '{ hostnames: ["10.0.0.1:80"] }',
  '{ hostnames: [""] }',
  '{ hostnames: a.b }',
  '{ parentRefs: [{ sectionName: a }] }',
  '{ parentRefs: [{ name: g }, { name: g }] }',
  '{ parentRefs: [{ name: g }, { group: gateway.networking.k8s.io, kind: Gateway, name: g }] }',
  '{ parentRefs: [{ name: g }, { name: g, sectionName: a }] }',
  '{ parentRefs: [{ name: g, sectionName: a }, { name: g, port: 80 }] }',
  '{ parentRefs: [{ name: g, sectionName: a }, { name: g, sectionName: a, port: 80 }] }',
  '{ parentRefs: [{ name: g, sectionName: a, port: 80 }, { name: g, sectionName: a, port: 80 }] }',
  '{ parentRefs: [{ name: g, namespace: n, sectionName: a }, { name: g, namespace: n, sectionName: a }] }',
  '{ parentRefs: [{ name: g, namespace: n }, { name: g, namespace: n, port: 80 }] }',
  '{ parentRefs: [{ name: g, port: 99999 }] }',
  '{ useDefaultGateways: "yes" }',
  '{ rule: [] }',
  rule('name: "A b"'),
  rule('backendRefs: [{ name: a }]'),
  rule('backendRefs: [{ name: a, port: 80, weight: -1 }]'),
  rule('backendRefs: [{ name: a, port: 80, weight: 1000001 }]'),
  rule('backendRefs: [{ port: 80 }]'),
  rule('backendRefs: [{ name: a, port: 80, weigth: 1 }]'),
  rule('backendRefs: { name: a, port: 80 }'),
  '{ rules: [{ name: a }, { name: a }] }',
  `{ rules: [${'{}, '.repeat(17)}] }`,
  `{ rules: [${`{ matches: [${'{}, '.repeat(64)}] }, `.repeat(3)}] }`,
  rule(`matches: [${'{}, '.repeat(65)}]`),
  rule('sessionPersistence: {}'),
  rule('sessionPersistence: { type: Header }'),
  rule('sessionPersistence: { header: { name: a }, cookie: {} }'),
  rule('sessionPersistence: { type: Header, header: { name: a }, cookie: {} }'),
  rule('sessionPersistence: { cookie: { lifetimeType: Permanent } }'),
  rule('sessionPersistence: { cookie: {}, absoluteTimeout: 1.5h }'),
  rule('sessionPersistence: { cookie: {}, sessionName: a }'),
];

const path = (value: string, type = 'Exact'): string => rule(`matches: [{ path: { type: ${type}, value: "${value}" } }]`);
const replacing = (filters: string, matches: string): string => rule(`${matches} ${filters}`);
const PREFIX_REDIRECT =
  'filters: [{ type: RequestRedirect, requestRedirect: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /b } } }]';
const PREFIX_REWRITE = 'filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /b } } }]';
const REPLACEMENTS = [
  PREFIX_REDIRECT,
  PREFIX_REWRITE,
  `backendRefs: [{ ${SERVICE}, ${PREFIX_REDIRECT} }]`,
  `backendRefs: [{ ${SERVICE}, ${PREFIX_REWRITE} }]`,
];
const GOOD_PREFIXES = ['', 'matches: [{ path: { value: /a } }],', 'matches: [{ headers: [{ name: a, value: b }] }],'];
const BAD_PREFIXES = [
  'matches: [],',
  'matches: [{ path: { type: Exact, value: /a } }],',
  'matches: [{ path: { value: /a } }, { path: { value: /b } }],',
];

export const ROUTES: readonly Example[] = [
  ...['HTTPRoute', 'GRPCRoute'].flatMap((kind) => [...documents(kind, 'valid', GOOD_ROUTES), ...documents(kind, 'invalid', BAD_ROUTES)]),
  ...documents('HTTPRoute', 'valid', GOOD_ROUTES, 'v1beta1'),
  ...documents(
    'HTTPRoute',
    'valid',
    GOOD_HTTP_FILTERS.flatMap((text) => [rule(`matches: [{ path: { value: /a } }], filters: [{ ${text} }]`), backendFilter(text)]),
  ),
  ...documents(
    'HTTPRoute',
    'invalid',
    BAD_HTTP_FILTERS.flatMap((text) => [filter(text), backendFilter(text)]),
  ),
  ...documents(
    'HTTPRoute',
    'invalid',
    ONCE.flatMap((type) => {
      const twice = `filters: [{ type: ${type}, ${MEMBERS[type]} }, { type: ${type}, ${MEMBERS[type]} }]`;
      return [rule(twice), rule(`backendRefs: [{ ${SERVICE}, ${twice} }]`)];
    }),
  ),
  ...documents('HTTPRoute', 'valid', [
    ...REPLACEMENTS.flatMap((filters) => GOOD_PREFIXES.map((matches) => replacing(filters, matches))),
    // An API server minds this of a single backend only.
    replacing(
      `backendRefs: [{ ${SERVICE}, ${PREFIX_REWRITE} }, { ${SERVICE}, ${PREFIX_REWRITE} }]`,
      'matches: [{ path: { type: Exact, value: /a } }],',
    ),
    rule(`filters: [{ type: RequestMirror, ${MEMBERS['RequestMirror']} }, { type: RequestMirror, ${MEMBERS['RequestMirror']} }]`),
    ...['/', '/a', '/a/b/', '/a..b', '/a%20b', "/-._~!$&'()*+,;=:@"].flatMap((value) => [path(value), path(value, 'PathPrefix')]),
    path('a//b#.*', 'RegularExpression'),
    path('', 'RegularExpression'),
    rule('matches: [{ path: {} }, { path: { type: Exact } }, { path: { value: /x } }]'),
    rule('matches: [{ method: PATCH, headers: [{ name: a, value: b }, { type: RegularExpression, name: c, value: "d.*" }] }]'),
    rule('matches: [{ queryParams: [{ name: a, value: "ü b" }, { type: RegularExpression, name: c, value: "(a|b)" }] }]'),
    rule('matches: [{ headers: [{ name: a, value: b }, { name: A, value: c }] }]'),
    `{ rules: [{ matches: [${'{}, '.repeat(64)}] }, { matches: [${'{}, '.repeat(64)}] }] }`,
    rule('timeouts: { request: 10s, backendRequest: 10s }'),
    rule('timeouts: { request: 0s, backendRequest: 10s }'),
    rule('timeouts: { request: 1h30m, backendRequest: 1500ms }'),
    rule('retry: { codes: [500, 503], attempts: 3, backoff: 100ms }'),
  ]),
  ...documents('HTTPRoute', 'invalid', [
    ...REPLACEMENTS.flatMap((filters) => BAD_PREFIXES.map((matches) => replacing(filters, matches))),
    rule(`backendRefs: [{ ${SERVICE} }], filters: [{ type: RequestRedirect, ${MEMBERS['RequestRedirect']} }]`),
    rule(`filters: [{ type: RequestRedirect, ${MEMBERS['RequestRedirect']} }, { type: URLRewrite, ${MEMBERS['URLRewrite']} }]`),
    rule(
      `backendRefs: [{ ${SERVICE}, filters: [{ type: URLRewrite, ${MEMBERS['URLRewrite']} }, { type: RequestRedirect, ${MEMBERS['RequestRedirect']} }] }]`,
    ),
    ...['', 'a', '//', '/a//b', '/./a', '/a/../b', '/a%2fb', '/a%2Fb', '/a#b', '/a/..', '/a/.', '/a b', '/a%2', '/ü', '/a?b'].flatMap(
      (value) => [path(value), path(value, 'PathPrefix')],
    ),
    path('/', 'Prefix'),
    path(`/${'x'.repeat(1024)}`),
    '{ rules: [] }',
    `{ rules: [{ matches: [${'{}, '.repeat(64)}] }, { matches: [${'{}, '.repeat(64)}] }, {}] }`,
    rule('matches: [{ method: get }]'),
    rule('matches: [{ headers: [{ name: a }] }]'),
    rule('matches: [{ headers: [{ name: a, value: b }, { name: a, value: c }] }]'),
    rule('matches: [{ headers: [{ name: "a:", value: b }] }]'),
    rule('matches: [{ headers: { a: b } }]'),
    rule('matches: [{ queryParams: [{ name: a, value: "" }] }]'),
    rule('matches: [{ queryParams: [{ name: a, value: b }, { name: a, value: c }] }]'),
    rule('timeouts: { request: 10s, backendRequest: 10001ms }'),
    rule('timeouts: { request: 1.5s }'),
    rule('timeouts: { request: -1s }'),
    rule('timeouts: { request: 10 }'),
    rule('timeouts: { request: 1h1h1h1h1h }'),
    rule('timeouts: { request: 100us }'),
    rule('retry: { attempts: 0 }'),
    rule('retry: { codes: [399] }'),
    rule('retry: { codes: [600] }'),
    rule('retry: { codes: [500, 500] }'),
    rule('retry: { backoff: soon }'),
  ]),
  ...documents('HTTPRoute', 'stricter', [
    path('/a(', 'RegularExpression'),
    rule('matches: [{ headers: [{ type: RegularExpression, name: a, value: "a(?=b)" }] }]'),
    rule('matches: [{ queryParams: [{ type: RegularExpression, name: a, value: "[" }] }]'),
    ...FORBIDDEN_CHANGES.flatMap((text) => [filter(text), backendFilter(text)]),
  ]),
  ...documents('GRPCRoute', 'stricter', [
    rule('matches: [{ method: { type: RegularExpression, service: "a(" } }]'),
    rule('matches: [{ method: { type: RegularExpression, method: "*" } }]'),
    rule('matches: [{ headers: [{ type: RegularExpression, name: a, value: "\\\\1" }] }]'),
    ...FORBIDDEN_CHANGES.flatMap((text) => [filter(text), backendFilter(text)]),
  ]),
  ...documents('GRPCRoute', 'valid', [
    ...GOOD_SHARED_FILTERS.flatMap((text) => [filter(text), backendFilter(text)]),
    '{ rules: [] }',
    rule('matches: [{ method: { service: a.b.C, method: D } }, { method: { service: .a } }, { method: { method: _d } }, {}]'),
    rule('matches: [{ method: { type: RegularExpression, service: "a b.*", method: "" } }]'),
    rule('matches: [{ headers: [{ name: a, value: "ü  b" }, { type: RegularExpression, name: b, value: c }] }]'),
    `{ rules: [{ matches: [${'{}, '.repeat(64)}] }, { matches: [${'{}, '.repeat(64)}] }, {}] }`,
  ]),
  ...documents('GRPCRoute', 'invalid', [
    ...BAD_SHARED_FILTERS.flatMap((text) => [filter(text), backendFilter(text)]),
    ...SHARED.flatMap((type) => {
      const others = SHARED.filter((other) => other !== type).map((other) => `type: ${type}, ${MEMBERS[type]}, ${MEMBERS[other]}`);
      return [`type: ${type}`, ...others].flatMap((text) => [filter(text), backendFilter(text)]);
    }),
    ...ONCE.slice(0, 2).flatMap((type) => {
      const twice = `filters: [{ type: ${type}, ${MEMBERS[type]} }, { type: ${type}, ${MEMBERS[type]} }]`;
      return [rule(twice), rule(`backendRefs: [{ ${SERVICE}, ${twice} }]`)];
    }),
    filter(`type: URLRewrite, ${MEMBERS['URLRewrite']}`),
    rule('matches: [{ method: {} }]'),
    rule('matches: [{ method: { service: "a b" } }]'),
    rule('matches: [{ method: { service: "" } }]'),
    rule('matches: [{ method: { service: a, method: b.c } }]'),
    rule('matches: [{ method: { type: Prefix, service: a } }]'),
    rule('matches: [{ headers: [{ name: a, value: "" }] }]'),
    rule('matches: [{ headers: [{ name: a, value: b }, { name: a, value: c }] }]'),
    rule('matches: [{ path: { value: /a } }]'),
    rule('timeouts: { request: 1s }'),
  ]),
];
