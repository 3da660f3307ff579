/** Routes whose parent is a Service, as the conformance suite of the Gateway API asks for them in its mesh profiles. */
import { CALL, call, gatewayApi, grpcRoute, httpRoute, ref, refs, type ContractCase, type ContractRequest } from '../contract.ts';

const OF_V1 = 'parentRefs: [{ group: "", kind: Service, name: reviews-v1 }]';
const prefix = (value: string): string => `matches: [{ path: { type: PathPrefix, value: "${value}" } }]`;
const MIRROR = '{ type: RequestMirror, requestMirror: { backendRef: { name: reviews-v2, port: 80 } } }';
const path = (replaces: 'Prefix' | 'Full', by: string): string =>
  replaces === 'Prefix'
    ? `path: { type: ReplacePrefixMatch, replacePrefixMatch: ${by} }`
    : `path: { type: ReplaceFullPath, replaceFullPath: ${by} }`;
const rewrite = (replaces: 'Prefix' | 'Full', by: string): string => `{ type: URLRewrite, urlRewrite: { ${path(replaces, by)} } }`;
const redirect = (to: string): string => `filters: [{ type: RequestRedirect, requestRedirect: { ${to} } }]`;
const moved = (from: string, gets: number, location: string): ContractRequest => ({
  ask: `http://reviews-v1${from}`,
  gets,
  answer: { location },
});
const modifier = (what: string): string => `filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { ${what} } }]`;
const test = (value: string): string => `matches: [{ headers: [{ name: x-test-case, value: ${value} }] }]`;
const animal = (value: string): string => `queryParams: [{ name: animal, value: ${value} }]`;
const answered = (value: string): string =>
  `filters: [{ type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: X-Header-Set, value: ${value} }] } }]`;
const GRANT_OF_BOOKS = gatewayApi(
  'ReferenceGrant',
  'books',
  'from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: books }], to: [{ group: "", kind: Service }]',
);

/** What the suite changes beside a path. */
const HEADERS =
  '{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: X-Header-Set, value: set-overwrites-values }], add: [{ name: X-Header-Add, value: header-val-1 }, { name: X-Header-Add-Append, value: header-val-2 }], remove: [X-Header-Remove] } }';
const ASKED_HEADERS = ['x-header-remove: remove-val', 'x-header-add-append: append-val-1', 'x-header-set: set-val'] as const;
const SENT_HEADERS = {
  'x-header-add': 'header-val-1',
  'x-header-add-append': 'append-val-1,header-val-2',
  'x-header-set': 'set-overwrites-values',
  'x-header-remove': null,
} as const;

/** What the suite changes where it changes several headers. */
const MULTIPLE =
  'set: [{ name: X-Header-Set-1, value: header-set-1 }, { name: X-Header-Set-2, value: header-set-2 }], add: [{ name: X-Header-Add-1, value: header-add-1 }, { name: X-Header-Add-2, value: header-add-2 }, { name: X-Header-Add-3, value: header-add-3 }], remove: [X-Header-Remove-1, X-Header-Remove-2]';
const ASKED_MULTIPLE = [
  'x-header-set-2: set-val-2',
  'x-header-add-2: add-val-2',
  'x-header-remove-2: remove-val-2',
  'another-header: val',
] as const;
const SENT_MULTIPLE = {
  'x-header-set-1': 'header-set-1',
  'x-header-set-2': 'header-set-2',
  'x-header-add-1': 'header-add-1',
  'x-header-add-2': 'add-val-2,header-add-2',
  'x-header-add-3': 'header-add-3',
  'x-header-remove-1': null,
  'x-header-remove-2': null,
  'another-header': 'val',
} as const;

export const GATEWAY_API_MESH_SUITE: readonly ContractCase[] = [
  {
    title: 'mesh: by path and by header',
    config: httpRoute('mesh', OF_V1, [
      `matches: [{ path: { value: / } }, { headers: [{ name: version, value: one }] }], ${ref('v1')}`,
      `matches: [{ path: { value: /v2 } }, { headers: [{ name: version, value: two }] }], ${ref('v2')}`,
    ]),
    requests: [
      { ask: 'reviews-v1/', gets: 'v1' },
      { ask: 'reviews-v1/example', gets: 'v1' },
      { ask: 'reviews-v1/', with: ['version: one'], gets: 'v1' },
      { ask: 'reviews-v1/v2', gets: 'v2' },
      { ask: 'reviews-v1/v2/example', gets: 'v2' },
      { ask: 'reviews-v1/', with: ['version: two'], gets: 'v2' },
      { ask: 'reviews-v1/v2/', gets: 'v2' },
      { ask: 'reviews-v1/v2example', gets: 'v1' },
      { ask: 'reviews-v1/foo/v2/example', gets: 'v1' },
    ],
  },
  {
    title: 'mesh: by query parameter, with and without path and header',
    config: httpRoute('mesh', OF_V1, [
      `matches: [{ ${animal('whale')} }], ${ref('v1')}`,
      `matches: [{ ${animal('dolphin')} }], ${ref('v2')}`,
      `matches: [{ path: { value: /path1 }, ${animal('whale')} }], ${ref('v1')}`,
      `matches: [{ headers: [{ name: version, value: one }], ${animal('whale')} }], ${ref('v2')}`,
      `matches: [{ path: { value: /path3 }, ${animal('shark')} }, { path: { value: /path4 }, headers: [{ name: version, value: three }], ${animal('kraken')} }], ${ref('v1')}`,
      `matches: [{ path: { value: /path5 } }], ${ref('v1')}`,
      `matches: [{ ${animal('hydra')} }], ${ref('v2')}`,
    ]),
    requests: [
      { ask: 'reviews-v1/?animal=whale', gets: 'v1' },
      { ask: 'reviews-v1/?animal=dolphin', gets: 'v2' },
      { ask: 'reviews-v1/?animal=whale&otherparam=irrelevant', gets: 'v1' },
      { ask: 'reviews-v1/?animal=dolphin&color=yellow', gets: 'v2' },
      { ask: 'reviews-v1/?color=blue', gets: 404 },
      { ask: 'reviews-v1/?animal=dog', gets: 404 },
      { ask: 'reviews-v1/?animal=whaledolphin', gets: 404 },
      { ask: 'reviews-v1/', gets: 404 },
      { ask: 'reviews-v1/path1?animal=whale', gets: 'v1' },
      { ask: 'reviews-v1/?animal=whale', with: ['version: one'], gets: 'v2' },
      { ask: 'reviews-v1/path3?animal=shark', gets: 'v1' },
      { ask: 'reviews-v1/path4?animal=kraken', with: ['version: three'], gets: 'v1' },
      { ask: 'reviews-v1/?animal=shark', gets: 404 },
      { ask: 'reviews-v1/path4?animal=kraken', gets: 404 },
      { ask: 'reviews-v1/path5?animal=hydra', gets: 'v1' },
    ],
  },
  {
    title: 'mesh: paths are rewritten by prefix or whole, with headers in one go',
    config: httpRoute('mesh', OF_V1, [
      `${prefix('/prefix/one')}, filters: [${rewrite('Prefix', '/one')}], ${ref('v2')}`,
      `${prefix('/strip-prefix')}, filters: [${rewrite('Prefix', '/')}], ${ref('v2')}`,
      `${prefix('/full/one')}, filters: [${rewrite('Full', '/one')}], ${ref('v2')}`,
      `${prefix('/full/rewrite-path-and-modify-headers')}, filters: [${rewrite('Full', '/test')}, ${HEADERS}], ${ref('v2')}`,
      `${prefix('/prefix/rewrite-path-and-modify-headers')}, filters: [${rewrite('Prefix', '/prefix')}, ${HEADERS}], ${ref('v2')}`,
    ]),
    requests: [
      { ask: 'reviews-v1/prefix/one/two', gets: 'v2', sent: { ':path': '/one/two' } },
      { ask: 'reviews-v1/strip-prefix/three', gets: 'v2', sent: { ':path': '/three' } },
      { ask: 'reviews-v1/strip-prefix', gets: 'v2', sent: { ':path': '/' } },
      { ask: 'reviews-v1/full/one/two', gets: 'v2', sent: { ':path': '/one' } },
      {
        ask: 'reviews-v1/full/rewrite-path-and-modify-headers/test',
        with: [...ASKED_HEADERS],
        gets: 'v2',
        sent: { ':path': '/test', ...SENT_HEADERS },
      },
      {
        ask: 'reviews-v1/prefix/rewrite-path-and-modify-headers/one',
        with: [...ASKED_HEADERS],
        gets: 'v2',
        sent: { ':path': '/prefix/one', ...SENT_HEADERS },
      },
    ],
  },
  {
    title: 'mesh: redirects to another path, with and without a host and a status',
    config: httpRoute('mesh', OF_V1, [
      `${prefix('/original-prefix')}, ${redirect(path('Prefix', '/replacement-prefix'))}`,
      `${prefix('/full')}, ${redirect(path('Full', '/full-path-replacement'))}`,
      `${prefix('/path-and-host')}, ${redirect(`hostname: example.org, ${path('Prefix', '/replacement-prefix')}`)}`,
      `${prefix('/path-and-status')}, ${redirect(`${path('Prefix', '/replacement-prefix')}, statusCode: 301`)}`,
      `${prefix('/full-path-and-host')}, ${redirect(`hostname: example.org, ${path('Full', '/replacement-full')}`)}`,
      `${prefix('/full-path-and-status')}, ${redirect(`${path('Full', '/replacement-full')}, statusCode: 301`)}`,
    ]),
    requests: [
      moved('/original-prefix/lemon', 302, 'http://reviews-v1/replacement-prefix/lemon'),
      moved('/full/path/original', 302, 'http://reviews-v1/full-path-replacement'),
      moved('/path-and-host', 302, 'http://example.org/replacement-prefix'),
      moved('/path-and-status', 301, 'http://reviews-v1/replacement-prefix'),
      moved('/full-path-and-host', 302, 'http://example.org/replacement-full'),
      moved('/full-path-and-status', 301, 'http://reviews-v1/replacement-full'),
    ],
  },
  {
    title: 'mesh: redirects to another port, scheme or host, with every status',
    config: httpRoute('mesh', OF_V1, [
      `${prefix('/port')}, ${redirect('port: 8083')}`,
      `${prefix('/port-and-host')}, ${redirect('port: 8083, hostname: example.org')}`,
      `${prefix('/port-and-status')}, ${redirect('port: 8083, statusCode: 301')}`,
      `${prefix('/scheme')}, ${redirect('scheme: https')}`,
      `${prefix('/scheme-and-host')}, ${redirect('scheme: https, hostname: example.org')}`,
      `${prefix('/scheme-and-status')}, ${redirect('scheme: https, statusCode: 301')}`,
      `${prefix('/hostname-redirect')}, ${redirect('hostname: example.org')}`,
      ...[303, 307, 308].map((status) => `${prefix(`/status-${status}`)}, ${redirect(`statusCode: ${status}`)}`),
      ...[301, 303, 307, 308].map(
        (status) => `${prefix(`/host-and-${status}`)}, ${redirect(`hostname: example.org, statusCode: ${status}`)}`,
      ),
    ]),
    requests: [
      moved('/port', 302, 'http://reviews-v1:8083/port'),
      moved('/port-and-host', 302, 'http://example.org:8083/port-and-host'),
      moved('/port-and-status', 301, 'http://reviews-v1:8083/port-and-status'),
      moved('/scheme', 302, 'https://reviews-v1/scheme'),
      moved('/scheme-and-host', 302, 'https://example.org/scheme-and-host'),
      moved('/scheme-and-status', 301, 'https://reviews-v1/scheme-and-status'),
      moved('/hostname-redirect', 302, 'http://example.org/hostname-redirect'),
      ...[303, 307, 308].map((status) => moved(`/status-${status}`, status, `http://reviews-v1/status-${status}`)),
      ...[301, 303, 307, 308].map((status) => moved(`/host-and-${status}`, status, `http://example.org/host-and-${status}`)),
    ],
  },
  ...(['rule', 'backend'] as const).map((of): ContractCase => {
    const modifying = (at: string, what: string): string => {
      return `${prefix(at)}, ${of === 'rule' ? `${modifier(what)}, ${ref('v2')}` : ref('v2', `, ${modifier(what)}`)}`;
    };
    return {
      title: `mesh: request headers are set, added and removed for a ${of}`,
      config: httpRoute('mesh', OF_V1, [
        modifying('/set', 'set: [{ name: X-Header-Set, value: set-overwrites-values }]'),
        modifying('/add', 'add: [{ name: X-Header-Add, value: add-appends-values }]'),
        modifying('/remove', 'remove: [X-Header-Remove]'),
        modifying('/multiple', MULTIPLE),
        modifying(
          '/case-insensitivity',
          'set: [{ name: X-Header-Set, value: header-set }], add: [{ name: X-Header-Add, value: header-add }], remove: [X-Header-Remove]',
        ),
      ]),
      requests: [
        { ask: 'reviews-v1/set', with: ['some: val'], gets: 'v2', sent: { some: 'val', 'x-header-set': 'set-overwrites-values' } },
        { ask: 'reviews-v1/set', with: ['x-header-set: other'], gets: 'v2', sent: { 'x-header-set': 'set-overwrites-values' } },
        { ask: 'reviews-v1/add', gets: 'v2', sent: { 'x-header-add': 'add-appends-values' } },
        { ask: 'reviews-v1/add', with: ['x-header-add: other'], gets: 'v2', sent: { 'x-header-add': 'other,add-appends-values' } },
        { ask: 'reviews-v1/remove', with: ['x-header-remove: val'], gets: 'v2', sent: { 'x-header-remove': null } },
        { ask: 'reviews-v1/multiple', with: [...ASKED_MULTIPLE], gets: 'v2', sent: SENT_MULTIPLE },
        {
          ask: 'reviews-v1/case-insensitivity',
          with: ['x-header-set: a', 'x-header-add: b', 'x-header-remove: c', 'another-header: d'],
          gets: 'v2',
          sent: { 'x-header-set': 'header-set', 'x-header-add': 'b,header-add', 'x-header-remove': null, 'another-header': 'd' },
        },
      ],
    };
  }),
  {
    title: 'mesh: rules with a name are rules like others',
    config: httpRoute('mesh', OF_V1, [
      `name: named, ${prefix('/named')}, ${ref('v1')}`,
      `${prefix('/unnamed')}, filters: [${rewrite('Full', '/named')}], ${ref('v2')}`,
    ]),
    requests: [
      { ask: 'reviews-v1/named', gets: 'v1', sent: { ':path': '/named' } },
      { ask: 'reviews-v1/unnamed', gets: 'v2', sent: { ':path': '/named' } },
    ],
  },
  {
    title: 'mesh: a route for one port of a Service, and one for all ports of another',
    config:
      httpRoute('one', 'parentRefs: [{ group: "", kind: Service, name: reviews-v1, port: 80 }]', [`${answered('v1')}, ${ref('v1')}`]) +
      httpRoute('all', 'parentRefs: [{ group: "", kind: Service, name: reviews-v2 }]', [`${answered('v2')}, ${ref('v2')}`]),
    requests: [
      { ask: 'reviews-v1/', gets: 'v1', answer: { 'x-header-set': 'v1' } },
      { ask: 'reviews-v1:81/', gets: 'v1', answer: { 'x-header-set': null } },
      { ask: 'reviews-v2/', gets: 'v2', answer: { 'x-header-set': 'v2' } },
      { ask: 'reviews-v2:81/', gets: 'v2', answer: { 'x-header-set': 'v2' } },
    ],
  },
  {
    title: 'mesh: a route of another namespace changes answers for callers of that namespace alone',
    config:
      httpRoute(
        'consumer',
        'parentRefs: [{ group: "", kind: Service, name: reviews-v1, namespace: default }]',
        [`${answered('set')}, backendRefs: [{ name: reviews-v1, namespace: default, port: 80 }]`],
        ', namespace: books',
      ) + GRANT_OF_BOOKS,
    requests: [
      { ask: 'reviews-v1.default/', from: 'books', gets: 'v1', answer: { 'x-header-set': 'set' } },
      { ask: 'reviews-v1.default/', gets: 'v1', answer: { 'x-header-set': null } },
    ],
  },
  {
    title: 'mesh: GRPCRoute: a split',
    isGrpc: true,
    config: grpcRoute('mesh', OF_V1, [refs({ v1: 70, v2: 30 })]),
    shares: [{ ...CALL, ask: 'POST reviews-v1/echo.Echo/Echo', shares: { v1: 0.7, v2: 0.3 } }],
  },
  {
    title: 'mesh: GRPCRoute: a mirror gets a copy of each call, as its headers were changed',
    isGrpc: true,
    config: grpcRoute('mesh', OF_V1, [
      `matches: [{ headers: [{ name: x-mirror-only, value: "true" }] }], filters: [${MIRROR}], ${ref('v1')}`,
      `matches: [{ headers: [{ name: x-mirror-and-modify, value: "true" }] }], filters: [${HEADERS}, ${MIRROR}], ${ref('v1')}`,
    ]),
    requests: [
      call('reviews-v1/echo.Echo/Echo', 'v1', { with: ['x-mirror-only: true'], reached: { v1: 1, v2: 1 } }),
      call('reviews-v1/echo.Echo/Echo', 'v1', {
        with: ['x-mirror-and-modify: true', ...ASKED_HEADERS],
        sent: SENT_HEADERS,
        reached: { v1: 1, v2: 1 },
      }),
    ],
  },
  {
    title: 'mesh: GRPCRoute: request headers are set, added and removed',
    isGrpc: true,
    config: grpcRoute('mesh', OF_V1, [
      `${test('set')}, ${modifier('set: [{ name: X-Header-Set, value: set-overwrites-values }]')}, ${ref('v1')}`,
      `${test('add')}, ${modifier('add: [{ name: X-Header-Add, value: add-appends-values }]')}, ${ref('v1')}`,
      `${test('remove')}, ${modifier('remove: [X-Header-Remove]')}, ${ref('v1')}`,
      `${test('multi')}, ${modifier(MULTIPLE)}, ${ref('v2')}`,
    ]),
    requests: [
      call('reviews-v1/echo.Echo/Echo', 'v1', {
        with: ['x-test-case: set', 'x-header-set: other'],
        sent: { 'x-test-case': 'set', 'x-header-set': 'set-overwrites-values' },
      }),
      call('reviews-v1/echo.Echo/Echo', 'v1', {
        with: ['x-test-case: add', 'x-header-add: other'],
        sent: { 'x-header-add': 'other,add-appends-values' },
      }),
      call('reviews-v1/echo.Echo/Echo', 'v1', {
        with: ['x-test-case: remove', 'x-header-remove: other'],
        sent: { 'x-header-remove': null },
      }),
      call('reviews-v1/echo.Echo/Echo', 'v2', { with: ['x-test-case: multi', ...ASKED_MULTIPLE], sent: SENT_MULTIPLE }),
    ],
  },
];
