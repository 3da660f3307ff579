/** What filters of an HTTPRoute make of requests and answers. */
import { fronted, ref, refs, type ContractCase, type ContractRequest } from '../contract.ts';

const prefix = (value: string): string => `matches: [{ path: { type: PathPrefix, value: "${value}" } }]`;
const exact = (value: string): string => `matches: [{ path: { type: Exact, value: "${value}" } }]`;
const redirect = (to: string): string => `filters: [{ type: RequestRedirect, requestRedirect: { ${to} } }]`;
const rewrite = (to: string): string => `filters: [{ type: URLRewrite, urlRewrite: { ${to} } }]`;
const full = (path: string): string => `path: { type: ReplaceFullPath, replaceFullPath: "${path}" }`;
const prefixTo = (path: string): string => `path: { type: ReplacePrefixMatch, replacePrefixMatch: "${path}" }`;
const location = (value: string): { readonly location: string } => ({ location: value });

/** Request path, prefix that matched, its replacement, what is sent: the table of HTTPPathModifier in httproute_types.go. */
const REPLACED: readonly (readonly [string, string, string, string])[] = [
  ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
  ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
  ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
  ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
  ['/foo', '/foo', '/xyz', '/xyz'],
  ['/foo/', '/foo', '/xyz', '/xyz/'],
  ['/foo/bar', '/foo', '', '/bar'],
  ['/foo/', '/foo', '', '/'],
  ['/foo', '/foo', '', '/'],
  ['/foo/', '/foo', '/', '/'],
  ['/foo', '/foo', '/', '/'],
];

const CORS =
  'filters: [{ type: CORS, cors: { allowOrigins: ["https://www.foo.com", "https://*.bar.com"], allowMethods: [GET, OPTIONS], allowHeaders: [x-header-1, x-header-2], exposeHeaders: [x-header-3, x-header-4], allowCredentials: true, maxAge: 3600 } }]';

const preflight = (origin: string, method = 'GET', headers = 'x-header-1'): readonly string[] => [
  `origin: ${origin}`,
  `access-control-request-method: ${method}`,
  `access-control-request-headers: ${headers}`,
];

const allowed = (origin: string): ContractRequest => ({
  ask: 'OPTIONS a.example/',
  port: 80,
  with: preflight(origin),
  gets: 200,
  answer: {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'GET,OPTIONS',
    'access-control-allow-headers': 'x-header-1,x-header-2',
    'access-control-allow-credentials': 'true',
    'access-control-max-age': '3600',
  },
  reached: {},
});

export const GATEWAY_API_ANSWERS: readonly ContractCase[] = [
  {
    vector: 'A14',
    title: 'HTTPRoute: a redirect is a 302; the port is the scheme’s where the scheme is stated, else the listener’s',
    config: fronted(
      `${prefix('/host')}, ${redirect('hostname: example.org')}`,
      `${prefix('/https')}, ${redirect('scheme: https')}`,
      `${prefix('/http')}, ${redirect('scheme: http')}`,
      `${prefix('/port')}, ${redirect('port: 8083')}`,
      `${prefix('/both')}, ${redirect('scheme: https, port: 8443')}`,
      `${prefix('/default')}, ${redirect('scheme: https, port: 443')}`,
    ),
    requests: [
      { ask: 'http://a.example/host?q=1', port: 80, gets: 302, answer: location('http://example.org/host?q=1') },
      { ask: 'http://a.example:8080/host', port: 80, gets: 302, answer: location('http://example.org/host') },
      { ask: 'http://a.example/https', port: 80, gets: 302, answer: location('https://a.example/https') },
      { ask: 'http://a.example:8080/https', port: 80, gets: 302, answer: location('https://a.example/https') },
      { ask: 'http://a.example:8080/http', port: 80, gets: 302, answer: location('http://a.example/http') },
      { ask: 'http://a.example/port', port: 80, gets: 302, answer: location('http://a.example:8083/port') },
      { ask: 'http://a.example/both', port: 80, gets: 302, answer: location('https://a.example:8443/both') },
      { ask: 'http://a.example/default', port: 80, gets: 302, answer: location('https://a.example/default') },
    ],
  },
  {
    vector: 'A14',
    title: 'HTTPRoute: on a listener with another port a redirect keeps that port',
    config: fronted(
      `${prefix('/host')}, ${redirect('hostname: example.org')}`,
      `${prefix('/https')}, ${redirect('scheme: https')}`,
    ).replace('port: 80,', 'port: 8080,'),
    requests: [
      { ask: 'http://a.example/host', port: 8080, gets: 302, answer: location('http://example.org:8080/host') },
      { ask: 'http://a.example:9999/host', port: 8080, gets: 302, answer: location('http://example.org:8080/host') },
      { ask: 'http://a.example/https', port: 8080, gets: 302, answer: location('https://a.example/https') },
    ],
  },
  ...[301, 302, 303, 307, 308].map((code): ContractCase => ({
    title: `HTTPRoute: redirect with ${code}`,
    config: fronted(redirect(`hostname: example.org, statusCode: ${code}`)),
    requests: [{ ask: 'http://a.example/x', port: 80, gets: code, answer: location('http://example.org/x') }],
  })),
  {
    title: 'HTTPRoute: a redirect to a path, whole or prefix',
    config: fronted(
      `${prefix('/original-prefix')}, ${redirect(prefixTo('/replacement-prefix'))}`,
      `${prefix('/full')}, ${redirect(full('/full-path-replacement'))}`,
      `${prefix('/host')}, ${redirect(`hostname: example.org, ${prefixTo('/')}`)}`,
    ),
    requests: [
      {
        ask: 'http://a.example/original-prefix/lemon?q=1',
        port: 80,
        gets: 302,
        answer: location('http://a.example/replacement-prefix/lemon?q=1'),
      },
      { ask: 'http://a.example/full/path/original', port: 80, gets: 302, answer: location('http://a.example/full-path-replacement') },
      { ask: 'http://a.example/host/and/path', port: 80, gets: 302, answer: location('http://example.org/and/path') },
    ],
  },
  ...REPLACED.map(([asked, matched, replacement, sent]): ContractCase => ({
    vector: 'A15',
    title: `ReplacePrefixMatch: ${asked}, of which ${matched} becomes ${JSON.stringify(replacement)}`,
    config: fronted(`${prefix(matched)}, ${rewrite(prefixTo(replacement))}, ${ref('v1')}`),
    requests: [{ ask: `a.example${asked}?q=1`, port: 80, gets: 'v1', sent: { ':path': `${sent}?q=1` } }],
  })),
  {
    title: 'HTTPRoute: the whole path is replaced, and the host',
    config: fronted(
      `${prefix('/full/one')}, ${rewrite(full('/one'))}, ${ref('v1')}`,
      `${prefix('/host')}, ${rewrite('hostname: one.example.org')}, ${ref('v2')}`,
      `${prefix('/both')}, ${rewrite(`hostname: two.example.org, ${prefixTo('/prefix')}`)}, ${ref('v3')}`,
      ref('v1'),
    ),
    requests: [
      { ask: 'a.example/full/one/two?q=1', port: 80, gets: 'v1', sent: { ':path': '/one?q=1', host: 'a.example' } },
      { ask: 'a.example/host/x', port: 80, gets: 'v2', sent: { ':path': '/host/x', host: 'one.example.org' } },
      { ask: 'a.example/both/x', port: 80, gets: 'v3', sent: { ':path': '/prefix/x', host: 'two.example.org' } },
      { ask: 'a.example/', port: 80, gets: 'v1', sent: { ':path': '/', host: 'a.example' } },
    ],
  },
  {
    title: 'HTTPRoute: request headers are set, added and removed',
    config: fronted(
      `${exact('/set')}, filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: X-Header-Set, value: set-overwrites }] } }], ${ref('v1')}`,
      `${exact('/add')}, filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { add: [{ name: X-Header-Add, value: add-appends }] } }], ${ref('v1')}`,
      `${exact('/remove')}, filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { remove: [X-Header-Remove] } }], ${ref('v1')}`,
      `${exact('/all')}, filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: a, value: "100%" }], add: [{ name: b, value: two }], remove: [c] } }], ${ref('v1')}`,
    ),
    requests: [
      { ask: 'a.example/set', port: 80, with: ['some: thing'], gets: 'v1', sent: { 'x-header-set': 'set-overwrites', some: 'thing' } },
      { ask: 'a.example/set', port: 80, with: ['x-header-set: before'], gets: 'v1', sent: { 'x-header-set': 'set-overwrites' } },
      { ask: 'a.example/add', port: 80, gets: 'v1', sent: { 'x-header-add': 'add-appends' } },
      { ask: 'a.example/add', port: 80, with: ['x-header-add: before'], gets: 'v1', sent: { 'x-header-add': 'before,add-appends' } },
      { ask: 'a.example/remove', port: 80, with: ['x-header-remove: before'], gets: 'v1', sent: { 'x-header-remove': null } },
      { ask: 'a.example/all', port: 80, with: ['a: 1', 'b: one', 'c: 3'], gets: 'v1', sent: { a: '100%', b: 'one,two', c: null } },
    ],
  },
  {
    title: 'HTTPRoute: a header value is itself, whatever it looks like to Envoy',
    config: fronted(
      `filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x, value: "%REQ(:path)%" }, { name: y, value: "%%" }] } }], ${ref('v1')}`,
    ),
    requests: [{ ask: 'a.example/p', port: 80, gets: 'v1', sent: { x: '%REQ(:path)%', y: '%%' } }],
  },
  {
    title: 'HTTPRoute: response headers are set, added and removed',
    config: fronted(
      `filters: [{ type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-set, value: s }], add: [{ name: x-who, value: also }], remove: [server] } }], ${ref('v1')}`,
    ),
    requests: [{ ask: 'a.example/', port: 80, gets: 'v1', answer: { 'x-set': 's', 'x-who': 'v1,also', server: null } }],
  },
  {
    title: 'HTTPRoute: headers of one backend are for its requests and answers alone',
    config: fronted(
      'backendRefs: [{ name: reviews-v1, port: 80, weight: 1, filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-backend, value: one }] } }, { type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-from, value: one }] } }] }, { name: reviews-v2, port: 80, weight: 0 }]',
    ),
    requests: [{ ask: 'a.example/', port: 80, gets: 'v1', sent: { 'x-backend': 'one' }, answer: { 'x-from': 'one' } }],
  },
  {
    title: 'HTTPRoute: a mirror gets a copy of everything, several mirrors one each',
    config: fronted(
      `${prefix('/one')}, filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: reviews-v2, port: 80 } } }], ${ref('v1')}`,
      `${prefix('/two')}, filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: reviews-v2, port: 80 } } }, { type: RequestMirror, requestMirror: { backendRef: { name: reviews-v3, port: 80 } } }], ${ref('v1')}`,
      `${prefix('/none')}, filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: reviews-v2, port: 80 }, percent: 0 } }], ${ref('v1')}`,
      `${prefix('/zero')}, filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: reviews-v2, port: 80 }, fraction: { numerator: 0, denominator: 5 } } }], ${ref('v1')}`,
      `${prefix('/all')}, filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: reviews-v2, port: 80 }, fraction: { numerator: 5, denominator: 5 } } }], ${ref('v1')}`,
    ),
    requests: [
      { ask: 'a.example/one', port: 80, gets: 'v1', reached: { v1: 1, v2: 1 } },
      { ask: 'POST a.example/one', port: 80, body: 'twice', gets: 'v1', reached: { v1: 1, v2: 1 } },
      { ask: 'a.example/two', port: 80, gets: 'v1', reached: { v1: 1, v2: 1, v3: 1 } },
      { ask: 'a.example/none', port: 80, gets: 'v1', reached: { v1: 1 } },
      { ask: 'a.example/zero', port: 80, gets: 'v1', reached: { v1: 1 } },
      { ask: 'a.example/all', port: 80, gets: 'v1', reached: { v1: 1, v2: 1 } },
    ],
  },
  {
    title: 'HTTPRoute: a mirror that is invalid or dead is nobody’s problem',
    config: fronted(
      `filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: reviews-unknown, port: 80 } } }, { type: RequestMirror, requestMirror: { backendRef: { name: reviews-dead, port: 80 } } }], ${ref('v1')}`,
    ),
    requests: [{ ask: 'a.example/', port: 80, gets: 'v1', reached: { v1: 1 } }],
  },
  {
    vector: 'A33',
    title: 'HTTPRoute: CORS answers preflights of its origins, wildcards among them',
    config: fronted(`${CORS}, ${ref('v1')}`),
    requests: [
      allowed('https://www.foo.com'),
      allowed('https://www.bar.com'),
      allowed('https://xpto.www.bar.com'),
      {
        ask: 'a.example/',
        port: 80,
        with: ['origin: https://www.foo.com'],
        gets: 'v1',
        answer: { 'access-control-allow-origin': 'https://www.foo.com', 'access-control-expose-headers': 'x-header-3,x-header-4' },
      },
      {
        ask: 'a.example/',
        port: 80,
        with: ['origin: https://www.bar.com'],
        gets: 'v1',
        answer: { 'access-control-allow-origin': 'https://www.bar.com', 'access-control-allow-credentials': 'true' },
      },
    ],
  },
  {
    vector: 'A33',
    title: 'HTTPRoute: other origins are told nothing',
    config: fronted(`${CORS}, ${ref('v1')}`),
    requests: [
      ...['https://foobar.com', 'https://bar.com', 'http://www.foo.com', 'https://www.foo.com.evil.example'].map(
        (origin): ContractRequest => ({
          ask: 'OPTIONS a.example/',
          port: 80,
          with: preflight(origin),
          gets: 200,
          answer: { 'access-control-allow-origin': null, 'access-control-allow-methods': null },
          reached: {},
        }),
      ),
      { ask: 'a.example/', port: 80, with: ['origin: https://foobar.com'], gets: 'v1', answer: { 'access-control-allow-origin': null } },
    ],
  },
  {
    vector: 'A33',
    title: 'HTTPRoute: a maximal age that nobody states is 5 s',
    config: fronted(`filters: [{ type: CORS, cors: { allowOrigins: ["https://www.foo.com"] } }], ${ref('v1')}`),
    requests: [
      {
        ask: 'OPTIONS a.example/',
        port: 80,
        with: preflight('https://www.foo.com'),
        gets: 200,
        answer: {
          'access-control-allow-origin': 'https://www.foo.com',
          'access-control-max-age': '5',
          'access-control-allow-credentials': null,
        },
      },
    ],
  },
  {
    vector: 'A33',
    title: 'HTTPRoute: with credentials nothing is answered with *, but with what was asked for',
    config: fronted(
      `filters: [{ type: CORS, cors: { allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"], allowCredentials: true } }], ${ref('v1')}`,
    ),
    requests: [
      {
        ask: 'OPTIONS a.example/',
        port: 80,
        with: preflight('https://any.example', 'PUT', 'x-one, x-two'),
        gets: 200,
        answer: {
          'access-control-allow-origin': 'https://any.example',
          'access-control-allow-methods': 'PUT',
          'access-control-allow-headers': 'x-one,x-two',
          'access-control-allow-credentials': 'true',
        },
      },
      {
        ask: 'a.example/',
        port: 80,
        with: ['origin: https://any.example'],
        gets: 'v1',
        answer: { 'access-control-allow-origin': 'https://any.example', 'access-control-allow-credentials': 'true' },
      },
    ],
  },
  {
    title: 'HTTPRoute: a request that takes too long is answered 504, by the request’s time and by the backend’s',
    config: fronted(
      `${prefix('/request')}, timeouts: { request: 300ms }, ${ref('v1')}`,
      `${prefix('/backend')}, timeouts: { backendRequest: 300ms }, ${ref('v1')}`,
      `${prefix('/both')}, timeouts: { request: 5s, backendRequest: 300ms }, ${ref('v1')}`,
      `${prefix('/long')}, timeouts: { request: 10s }, ${ref('v1')}`,
      `${prefix('/off')}, timeouts: { request: 0s }, ${ref('v1')}`,
    ),
    requests: [
      { ask: 'a.example/request', port: 80, with: ['x-do: slow'], gets: 504 },
      { ask: 'a.example/backend', port: 80, with: ['x-do: slow'], gets: 504 },
      { ask: 'a.example/both', port: 80, with: ['x-do: slow'], gets: 504 },
      { ask: 'a.example/long', port: 80, with: ['x-do: slow'], gets: 'v1' },
      { ask: 'a.example/off', port: 80, with: ['x-do: slow'], gets: 'v1' },
    ],
  },
  {
    title: 'HTTPRoute: what is tried again, and how often',
    config: fronted(
      `${prefix('/retry')}, retry: { codes: [500, 502], attempts: 2, backoff: 1ms }, ${ref('v1')}`,
      `${prefix('/timeouts')}, retry: { codes: [504], attempts: 2, backoff: 1ms }, timeouts: { request: 5s, backendRequest: 300ms }, ${ref('v1')}`,
      `${prefix('/not')}, ${ref('v1')}`,
    ),
    requests: [
      { ask: 'a.example/retry', port: 80, with: ['x-do: 500 first'], gets: 'v1', reached: { v1: 2 } },
      { ask: 'a.example/retry', port: 80, with: ['x-do: 502'], gets: 'v1', status: 502, reached: { v1: 3 } },
      { ask: 'a.example/retry', port: 80, with: ['x-do: 503'], gets: 'v1', status: 503, reached: { v1: 1 } },
      { ask: 'a.example/timeouts', port: 80, with: ['x-do: slow'], gets: 504, reached: { v1: 3 } },
      { ask: 'a.example/not', port: 80, with: ['x-do: 500'], gets: 'v1', status: 500, reached: { v1: 1 } },
    ],
  },
  {
    title: 'HTTPRoute: an extension that nobody knows answers 500 for its rule alone',
    config: fronted(
      `${prefix('/extended')}, filters: [{ type: ExtensionRef, extensionRef: { group: example.org, kind: Magic, name: wand } }], ${ref('v1')}`,
      ref('v2'),
    ),
    requests: [
      { ask: 'a.example/extended', port: 80, gets: 500, reached: {} },
      { ask: 'a.example/', port: 80, gets: 'v2' },
    ],
  },
  {
    vector: 'A10',
    title: 'HTTPRoute: an invalid backend’s share is answered 500, the others keep theirs',
    config: fronted(`${prefix('/all')}, ${refs({ v1: 0, unknown: 3 })}`, `${prefix('/none')}, ${refs({ v1: 3, unknown: 0 })}`),
    requests: [
      { ask: 'a.example/all', port: 80, gets: 500 },
      { ask: 'a.example/none', port: 80, gets: 'v1' },
    ],
  },
];
