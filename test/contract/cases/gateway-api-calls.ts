/** GRPCRoutes of Gateways, as the conformance suite of the Gateway API asks for them. */
import {
  CALL,
  call,
  gatewayApi,
  grpcMatch,
  grpcRoute,
  kubernetesGateway,
  ref,
  refs,
  refused,
  type ContractCase,
  type ContractRequest,
} from '../contract.ts';

const AT = { port: 80 };
const EXTENSION = 'filters: [{ type: ExtensionRef, extensionRef: { group: example.com, kind: Filter, name: own } }]';
const MIRROR = '{ type: RequestMirror, requestMirror: { backendRef: { name: reviews-v2, port: 80 } } }';
const modifier = (what: string): string => `filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { ${what} } }]`;
const header = (name: string, value: string): string => `{ name: ${name}, value: ${value} }`;
/** One match for each list of header conditions. */
const headers = (...matches: readonly string[]): string => `matches: [${matches.map((each) => `{ headers: [${each}] }`).join(', ')}]`;
const coloured = (fields: readonly string[]): Partial<ContractRequest> => ({ ...AT, with: fields });
const listener = (name: string, hostname: string): string => `{ name: ${name}, port: 80, protocol: HTTP, hostname: "${hostname}" }`;
const parent = (...sections: readonly string[]): string =>
  `parentRefs: [${sections.map((name) => `{ name: front, sectionName: ${name} }`).join(', ')}]`;

export const GATEWAY_API_CALLS: readonly ContractCase[] = [
  {
    title: 'GRPCRoute: one method of a service, another of it, and none for a third',
    isGrpc: true,
    config:
      kubernetesGateway() +
      grpcRoute('grpc', '', [
        `${grpcMatch('service: echo.Echo, method: Echo')}, ${ref('v1')}`,
        `${grpcMatch('service: echo.Echo, method: EchoTwo')}, ${ref('v2')}`,
      ]),
    requests: [
      call('a.example/echo.Echo/Echo', 'v1', AT),
      call('a.example/echo.Echo/EchoTwo', 'v2', AT),
      refused('a.example/echo.Echo/EchoThree', 12, AT),
    ],
  },
  {
    title: 'GRPCRoute: by headers, of which more beat fewer and earlier rules later ones',
    isGrpc: true,
    config:
      kubernetesGateway() +
      grpcRoute('grpc', '', [
        `${headers(header('version', 'one'))}, ${ref('v1')}`,
        `${headers(header('version', 'two'))}, ${ref('v2')}`,
        `${headers(`${header('version', 'two')}, ${header('color', 'orange')}`)}, ${ref('v1')}`,
        `${headers(header('color', 'blue'), header('color', 'green'))}, ${ref('v1')}`,
        `${headers(header('color', 'red'), header('color', 'yellow'))}, ${ref('v2')}`,
      ]),
    requests: [
      call('a.example/echo.Echo/Echo', 'v1', coloured(['version: one'])),
      call('a.example/echo.Echo/Echo', 'v2', coloured(['version: two'])),
      call('a.example/echo.Echo/Echo', 'v1', coloured(['version: two', 'color: orange'])),
      call('a.example/echo.Echo/Echo', 'v2', coloured(['version: two', 'color: blue'])),
      call('a.example/echo.Echo/Echo', 'v1', coloured(['color: blue'])),
      call('a.example/echo.Echo/Echo', 'v1', coloured(['color: green'])),
      call('a.example/echo.Echo/Echo', 'v2', coloured(['color: red'])),
      call('a.example/echo.Echo/Echo', 'v2', coloured(['color: yellow'])),
      refused('a.example/echo.Echo/Echo', 12, coloured(['color: orange'])),
      refused('a.example/echo.Echo/Echo', 12, coloured(['color: purple'])),
      refused('a.example/echo.Echo/Echo', 12, coloured(['some-other-header: one'])),
    ],
  },
  {
    title: 'GRPCRoute: listeners of one port with hostnames of their own, each with a route',
    isGrpc: true,
    config:
      gatewayApi(
        'Gateway',
        'front',
        `gatewayClassName: serin, listeners: [${[
          listener('one', 'bar.com'),
          listener('two', 'foo.bar.com'),
          listener('three', '*.bar.com'),
          listener('four', '*.foo.com'),
        ].join(', ')}]`,
      ) +
      grpcRoute('v1', parent('one'), [ref('v1')]) +
      grpcRoute('v2', parent('two'), [ref('v2')]) +
      grpcRoute('v3', parent('three', 'four'), [ref('v3')]),
    requests: [
      call('bar.com/echo.Echo/Echo', 'v1', AT),
      call('foo.bar.com/echo.Echo/Echo', 'v2', AT),
      call('baz.bar.com/echo.Echo/Echo', 'v3', AT),
      call('boo.bar.com/echo.Echo/Echo', 'v3', AT),
      call('multiple.prefixes.bar.com/echo.Echo/Echo', 'v3', AT),
      call('multiple.prefixes.foo.com/echo.Echo/Echo', 'v3', AT),
      refused('foo.com/echo.Echo/Echo', 12, AT),
      refused('no.matching.host/echo.Echo/Echo', 12, AT),
    ],
  },
  {
    title: 'GRPCRoute: weights are shares of the calls, and 0 is none',
    isGrpc: true,
    config: kubernetesGateway() + grpcRoute('grpc', '', [refs({ v1: 70, v2: 30, v3: 0 })]),
    shares: [{ ...CALL, ...AT, ask: 'POST a.example/echo.Echo/Echo', shares: { v1: 0.7, v2: 0.3 } }],
  },
  {
    title: 'GRPCRoute: a mirror gets a copy of each call, as its headers were changed',
    isGrpc: true,
    config:
      kubernetesGateway() +
      grpcRoute('grpc', '', [
        `${grpcMatch('service: echo.Echo, method: Echo')}, filters: [${MIRROR}], ${ref('v1')}`,
        `${grpcMatch('service: echo.Echo, method: EchoTwo')}, filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: X-Header-Set, value: set-overwrites-values }], add: [{ name: X-Header-Add, value: header-val-1 }, { name: X-Header-Add-Append, value: header-val-2 }], remove: [X-Header-Remove] } }, ${MIRROR}], ${ref('v1')}`,
      ]),
    requests: [
      call('a.example/echo.Echo/Echo', 'v1', { ...AT, reached: { v1: 1, v2: 1 } }),
      call('a.example/echo.Echo/EchoTwo', 'v1', {
        ...AT,
        with: ['x-header-remove: remove-val', 'x-header-add-append: append-val-1'],
        sent: {
          'x-header-set': 'set-overwrites-values',
          'x-header-add': 'header-val-1',
          'x-header-add-append': 'append-val-1,header-val-2',
          'x-header-remove': null,
        },
        reached: { v1: 1, v2: 1 },
      }),
    ],
  },
  {
    title: 'GRPCRoute: request headers are set, added and removed',
    isGrpc: true,
    config:
      kubernetesGateway() +
      grpcRoute('grpc', '', [
        `${grpcMatch('method: Set')}, ${modifier('set: [{ name: X-Header-Set, value: set-overwrites-values }]')}, ${ref('v1')}`,
        `${grpcMatch('method: Add')}, ${modifier('add: [{ name: X-Header-Add, value: add-appends-values }]')}, ${ref('v1')}`,
        `${grpcMatch('method: Remove')}, ${modifier('remove: [X-Header-Remove]')}, ${ref('v1')}`,
        `${grpcMatch('method: EchoTwo')}, ${modifier('set: [{ name: X-Header-Set-1, value: header-set-1 }, { name: X-Header-Set-2, value: header-set-2 }], add: [{ name: X-Header-Add-1, value: header-add-1 }, { name: X-Header-Add-2, value: header-add-2 }], remove: [X-Header-Remove-1, X-Header-Remove-2]')}, ${ref('v2')}`,
      ]),
    requests: [
      call('a.example/echo.Echo/Set', 'v1', { ...AT, with: ['some: a'], sent: { some: 'a', 'x-header-set': 'set-overwrites-values' } }),
      call('a.example/echo.Echo/Set', 'v1', { ...AT, with: ['x-header-set: a'], sent: { 'x-header-set': 'set-overwrites-values' } }),
      call('a.example/echo.Echo/Add', 'v1', { ...AT, sent: { 'x-header-add': 'add-appends-values' } }),
      call('a.example/echo.Echo/Add', 'v1', { ...AT, with: ['x-header-add: a'], sent: { 'x-header-add': 'a,add-appends-values' } }),
      call('a.example/echo.Echo/Remove', 'v1', { ...AT, with: ['x-header-remove: a'], sent: { 'x-header-remove': null } }),
      call('a.example/echo.Echo/EchoTwo', 'v2', {
        ...AT,
        with: ['x-header-set-2: a', 'x-header-add-2: b', 'x-header-remove-2: c', 'x-header-remove-1: d', 'some: e'],
        sent: {
          'x-header-set-1': 'header-set-1',
          'x-header-set-2': 'header-set-2',
          'x-header-add-1': 'header-add-1',
          'x-header-add-2': 'b,header-add-2',
          'x-header-remove-1': null,
          'x-header-remove-2': null,
          some: 'e',
        },
      }),
    ],
  },
  {
    title: 'GRPCRoute: rules with a name are rules like others',
    isGrpc: true,
    config:
      kubernetesGateway() +
      grpcRoute('grpc', '', [
        `name: named, ${grpcMatch('service: echo.Echo, method: Echo')}, ${ref('v1')}`,
        `${grpcMatch('service: echo.Echo, method: EchoTwo')}, ${ref('v2')}`,
      ]),
    requests: [call('a.example/echo.Echo/Echo', 'v1', AT), call('a.example/echo.Echo/EchoTwo', 'v2', AT)],
  },
  {
    title: 'GRPCRoute: a filter that is not known costs its calls UNAVAILABLE, of a rule and of a backend',
    isGrpc: true,
    config:
      kubernetesGateway() +
      grpcRoute('grpc', '', [
        `${grpcMatch('service: of.Rule')}, ${EXTENSION}, ${ref('v1')}`,
        `${grpcMatch('service: of.Backend')}, ${ref('v1', `, ${EXTENSION}`)}`,
        ref('v1'),
      ]),
    requests: [
      refused('a.example/of.Rule/M', 14, { ...AT, reached: {} }),
      refused('a.example/of.Backend/M', 14, { ...AT, reached: {} }),
      call('a.example/of.Nothing/M', 'v1', AT),
    ],
  },
  {
    title: 'GRPCRoute: one of two Gateways, and both',
    isGrpc: true,
    config:
      kubernetesGateway() +
      gatewayApi('Gateway', 'back', 'gatewayClassName: serin, listeners: [{ name: http, port: 8080, protocol: HTTP }]') +
      grpcRoute('shared', 'parentRefs: [{ name: front }, { name: back }]', [
        `${grpcMatch('service: echo.Echo, method: Echo')}, ${ref('v1')}`,
      ]) +
      grpcRoute('front', 'parentRefs: [{ name: front }]', [`${grpcMatch('service: echo.Echo, method: EchoTwo')}, ${ref('v2')}`]) +
      grpcRoute('back', 'parentRefs: [{ name: back }]', [`${grpcMatch('service: echo.Echo, method: EchoTwo')}, ${ref('v3')}`]),
    requests: [
      call('a.example/echo.Echo/Echo', 'v1', AT),
      call('a.example/echo.Echo/Echo', 'v1', { port: 8080 }),
      call('a.example/echo.Echo/EchoTwo', 'v2', AT),
      call('a.example/echo.Echo/EchoTwo', 'v3', { port: 8080 }),
    ],
  },
];
