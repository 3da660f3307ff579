/** Routes whose parent is a Service: they apply to whoever asks for that Service in the mesh. And GRPCRoutes, everywhere. */
import {
  call,
  fronted,
  gatewayApi,
  grpcMatch,
  grpcRoute,
  httpRoute,
  kubernetesGateway,
  ref,
  refs,
  refused,
  type ContractCase,
} from '../contract.ts';

const OF_V1 = 'parentRefs: [{ group: "", kind: Service, name: reviews-v1 }]';
const prefix = (value: string): string => `matches: [{ path: { type: PathPrefix, value: "${value}" } }]`;

export const GATEWAY_API_MESH: readonly ContractCase[] = [
  {
    title: 'mesh: a Service without a route is served as it is',
    config: '',
    requests: [
      { ask: 'reviews-v1/', gets: 'v1' },
      { ask: 'reviews-v2.default/', gets: 'v2' },
      { ask: 'reviews-v3.default.svc.cluster.local/', gets: 'v3' },
      { ask: 'reviews-empty/', gets: 503 },
    ],
  },
  {
    title: 'mesh: a route of a Service takes all its requests, by any of its names, and no other’s',
    config: httpRoute('mesh', OF_V1, [`${prefix('/to-v2')}, ${ref('v2')}`, `${prefix('/to-v1')}, ${ref('v1')}`]),
    requests: [
      { ask: 'reviews-v1/to-v2', gets: 'v2' },
      { ask: 'reviews-v1.default.svc.cluster.local/to-v2', gets: 'v2' },
      { ask: 'reviews-v1:80/to-v1', gets: 'v1' },
      { ask: 'reviews-v1/', gets: 404 },
      { ask: 'reviews-v2/to-v1', gets: 'v2' },
    ],
  },
  {
    title: 'mesh: hostnames of such a route say nothing',
    config: httpRoute('mesh', `${OF_V1}, hostnames: [a.example]`, [ref('v2')]),
    requests: [
      { ask: 'reviews-v1/', gets: 'v2' },
      { ask: 'a.example/', gets: 404 },
    ],
  },
  {
    title: 'mesh: a route for one port of a Service',
    config: httpRoute('mesh', 'parentRefs: [{ group: "", kind: Service, name: reviews-v1, port: 81 }]', [ref('v2')]),
    requests: [
      { ask: 'reviews-v1:80/', gets: 'v1' },
      { ask: 'reviews-v1:81/', gets: 'v2' },
    ],
  },
  {
    title: 'mesh: a split',
    config: httpRoute('mesh', OF_V1, [refs({ v1: 90, v2: 10 })]),
    shares: [{ ask: 'reviews-v1/', shares: { v1: 0.9, v2: 0.1 } }],
  },
  {
    title: 'mesh: the same route may serve a Gateway as well',
    config:
      kubernetesGateway() +
      httpRoute('both', 'parentRefs: [{ name: front }, { group: "", kind: Service, name: reviews-v1 }], hostnames: [a.example]', [
        `filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x, value: y }] } }], ${ref('v2')}`,
      ]),
    requests: [
      { ask: 'reviews-v1/', gets: 'v2', sent: { x: 'y' } },
      { ask: 'a.example/', port: 80, gets: 'v2', sent: { x: 'y' } },
    ],
  },
  {
    title: 'mesh: redirects and rewrites are those of Gateways',
    config: httpRoute('mesh', OF_V1, [
      `${prefix('/moved')}, filters: [{ type: RequestRedirect, requestRedirect: { hostname: example.org, statusCode: 301 } }]`,
      `${prefix('/old')}, filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /new } } }], ${ref('v2')}`,
    ]),
    requests: [
      { ask: 'http://reviews-v1/moved', gets: 301, answer: { location: 'http://example.org/moved' } },
      { ask: 'reviews-v1/old/x', gets: 'v2', sent: { ':path': '/new/x' } },
    ],
  },
  {
    title: 'mesh: a route of another namespace than its Service’s is for callers of that namespace alone, in place of the Service’s own',
    config:
      httpRoute('producer', OF_V1, [
        `filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x, value: producer }] } }], ${ref('v1')}`,
      ]) +
      httpRoute(
        'consumer',
        'parentRefs: [{ group: "", kind: Service, name: reviews-v1, namespace: default }]',
        [`${prefix('/books')}, backendRefs: [{ name: reviews-v3, namespace: default, port: 80 }]`],
        ', namespace: books',
      ) +
      gatewayApi(
        'ReferenceGrant',
        'books',
        'from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: books }], to: [{ group: "", kind: Service }]',
      ),
    requests: [
      { ask: 'reviews-v1.default/books', gets: 'v1', sent: { x: 'producer' } },
      { ask: 'reviews-v1.default/books', from: 'books', gets: 'v3', sent: { x: null } },
      { ask: 'reviews-v1.default/', from: 'books', gets: 404 },
      { ask: 'reviews-v2.default/', from: 'books', gets: 'v2' },
    ],
  },
  {
    vector: 'A35',
    title: 'GRPCRoute: by service and method',
    isGrpc: true,
    config:
      kubernetesGateway() +
      grpcRoute('grpc', '', [
        `${grpcMatch('service: foo.Bar, method: Baz')}, ${ref('v1')}`,
        `${grpcMatch('service: foo.Bar')}, ${ref('v2')}`,
        `${grpcMatch('method: Only')}, ${ref('v3')}`,
      ]),
    requests: [
      call('a.example/foo.Bar/Baz', 'v1', { port: 80 }),
      call('a.example/foo.Bar/Other', 'v2', { port: 80 }),
      call('a.example/foo.Bar/baz', 'v2', { port: 80 }),
      call('a.example/any.Service/Only', 'v3', { port: 80 }),
      call('a.example/foo.Bar/Only', 'v2', { port: 80 }),
      refused('a.example/foo.Baz/Baz', 12, { port: 80 }),
    ],
  },
  {
    title: 'GRPCRoute: by regular expression, and by header',
    isGrpc: true,
    config:
      kubernetesGateway() +
      grpcRoute('grpc', '', [
        `${grpcMatch('type: RegularExpression, service: "foo\\\\.B.*", method: "[A-C].*"')}, ${ref('v1')}`,
        `matches: [{ headers: [{ name: version, value: two }] }], ${ref('v2')}`,
        `matches: [{ method: { service: with.Header }, headers: [{ name: version, type: RegularExpression, value: "t.*" }] }], ${ref('v3')}`,
      ]),
    requests: [
      call('a.example/foo.Bar/Baz', 'v1', { port: 80 }),
      refused('a.example/foo.Bar/Zoo', 12, { port: 80 }),
      call('a.example/x.Y/Z', 'v2', { port: 80, with: ['version: two'] }),
      call('a.example/with.Header/Z', 'v3', { port: 80, with: ['version: two'] }),
      refused('a.example/x.Y/Z', 12, { port: 80, with: ['version: one'] }),
    ],
  },
  {
    title: 'GRPCRoute: without a match everything',
    isGrpc: true,
    config: kubernetesGateway() + grpcRoute('grpc', 'hostnames: [grpc.example]', [ref('v1')]),
    requests: [call('grpc.example/any.Thing/Goes', 'v1', { port: 80 }), refused('other.example/any.Thing/Goes', 12, { port: 80 })],
  },
  {
    title: 'GRPCRoute: headers, weights of 0, and what is wrong',
    isGrpc: true,
    config:
      kubernetesGateway() +
      grpcRoute('grpc', '', [
        `${grpcMatch('service: a.A')}, filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x, value: y }] } }, { type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: z, value: w }] } }], ${refs({ v1: 1, v2: 0 })}`,
        `${grpcMatch('service: b.B')}, ${ref('unknown')}`,
        `${grpcMatch('service: c.C')}, ${ref('empty')}`,
        `${grpcMatch('service: d.D')}, ${ref('dead')}`,
        `${grpcMatch('service: e.E')}, backendRefs: [{ name: reviews-v1, port: 80, weight: 0 }]`,
        grpcMatch('service: f.F'),
      ]),
    requests: [
      call('a.example/a.A/M', 'v1', { port: 80, sent: { x: 'y' }, answer: { z: 'w' } }),
      refused('a.example/b.B/M', 14, { port: 80 }),
      refused('a.example/c.C/M', 14, { port: 80 }),
      refused('a.example/d.D/M', 14, { port: 80 }),
      refused('a.example/e.E/M', 14, { port: 80 }),
      refused('a.example/f.F/M', 14, { port: 80 }),
    ],
  },
  {
    title: 'GRPCRoute: a mirror gets a copy of every call',
    isGrpc: true,
    config:
      kubernetesGateway() +
      grpcRoute('grpc', '', [
        `filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: reviews-v2, port: 80 } } }], ${ref('v1')}`,
      ]),
    requests: [call('a.example/a.A/M', 'v1', { port: 80, reached: { v1: 1, v2: 1 } })],
  },
  {
    title: 'GRPCRoute: of several listeners the one with the most exact hostname has a call',
    isGrpc: true,
    config:
      gatewayApi(
        'Gateway',
        'front',
        'gatewayClassName: serin, listeners: [{ name: one, port: 80, protocol: HTTP, hostname: bar.com }, { name: two, port: 80, protocol: HTTP, hostname: foo.bar.com }, { name: three, port: 80, protocol: HTTP, hostname: "*.bar.com" }]',
      ) +
      grpcRoute('a', 'parentRefs: [{ name: front, sectionName: one }]', [ref('v1')]) +
      grpcRoute('b', 'parentRefs: [{ name: front, sectionName: two }]', [ref('v2')]) +
      grpcRoute('c', 'parentRefs: [{ name: front, sectionName: three }]', [ref('v3')]),
    requests: [
      call('bar.com/a.A/M', 'v1', { port: 80 }),
      call('foo.bar.com/a.A/M', 'v2', { port: 80 }),
      call('baz.bar.com/a.A/M', 'v3', { port: 80 }),
      call('boo.bar.com/a.A/M', 'v3', { port: 80 }),
      call('multiple.prefixes.bar.com/a.A/M', 'v3', { port: 80 }),
      refused('foo.com/a.A/M', 12, { port: 80 }),
      refused('no.matching.host/a.A/M', 12, { port: 80 }),
    ],
  },
  {
    title: 'mesh: by query parameter',
    config: httpRoute('mesh', OF_V1, [`matches: [{ queryParams: [{ name: animal, value: whale }] }], ${ref('v2')}`, ref('v3')]),
    requests: [
      { ask: 'reviews-v1/?animal=whale', gets: 'v2' },
      { ask: 'reviews-v1/?animal=dolphin', gets: 'v3' },
      { ask: 'reviews-v1/', gets: 'v3' },
    ],
  },
  {
    title: 'GRPCRoute: in the mesh as well',
    isGrpc: true,
    config: grpcRoute('mesh', OF_V1, [`${grpcMatch('service: a.A')}, ${ref('v2')}`]),
    requests: [call('reviews-v1/a.A/M', 'v2'), refused('reviews-v1/b.B/M', 12)],
  },
  {
    title: 'HTTPRoute: a backend that says kubernetes.io/h2c is spoken to in HTTP/2',
    config: fronted('backendRefs: [{ name: reviews-v1, port: 81 }]'),
    requests: [{ ask: 'a.example/', port: 80, gets: 'v1', sent: { 'x-http-version': '2.0' } }],
  },
  {
    title: 'HTTPRoute: and one that says nothing in HTTP/1.1',
    config: fronted(ref('v1')),
    requests: [{ ask: 'a.example/', port: 80, gets: 'v1', sent: { 'x-http-version': '1.1' } }],
  },
  {
    title: 'a kind of route that the listener does not allow serves nobody',
    config:
      gatewayApi(
        'Gateway',
        'front',
        'gatewayClassName: serin, listeners: [{ name: http, port: 80, protocol: HTTP, allowedRoutes: { kinds: [{ kind: GRPCRoute }] } }]',
      ) + httpRoute('front', '', [ref('v1')]),
    requests: [{ ask: 'a.example/', port: 80, gets: 404 }],
  },
];
