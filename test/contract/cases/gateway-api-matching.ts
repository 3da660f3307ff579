/** Which rule of which HTTPRoute takes a request. */
import { fronted, gatewayApi, httpRoute, kubernetesGateway, ref, refs, type ContractCase } from '../contract.ts';

/** v1 where the match holds, v2 elsewhere. */
const either = (match: string): string => fronted(`matches: [{ ${match} }], ${ref('v1')}`, ref('v2'));

const path = (type: string, value: string): string => `path: { type: ${type}, value: "${value}" }`;

/** Younger than a route without this. */
const CREATED = (day: string): string => `, creationTimestamp: "2026-01-${day}T00:00:00Z"`;

export const GATEWAY_API_MATCHING: readonly ContractCase[] = [
  {
    vector: 'A2',
    title: 'a path prefix is one of elements',
    config: either(path('PathPrefix', '/foo')),
    requests: [
      { ask: 'a.example/foo', port: 80, gets: 'v1' },
      { ask: 'a.example/foo/', port: 80, gets: 'v1' },
      { ask: 'a.example/foo/bar', port: 80, gets: 'v1' },
      { ask: 'a.example/foo?x=1', port: 80, gets: 'v1' },
      { ask: 'a.example/foobar', port: 80, gets: 'v2' },
      { ask: 'a.example/Foo', port: 80, gets: 'v2' },
      { ask: 'a.example/x/foo', port: 80, gets: 'v2' },
    ],
  },
  {
    vector: 'A2',
    title: 'and a / at its end says nothing',
    config: either(path('PathPrefix', '/foo/')),
    requests: [
      { ask: 'a.example/foo', port: 80, gets: 'v1' },
      { ask: 'a.example/foo/', port: 80, gets: 'v1' },
      { ask: 'a.example/foo/bar', port: 80, gets: 'v1' },
      { ask: 'a.example/foobar', port: 80, gets: 'v2' },
    ],
  },
  {
    title: 'HTTPRoute: an exact path, without the query',
    config: either(path('Exact', '/foo')),
    requests: [
      { ask: 'a.example/foo', port: 80, gets: 'v1' },
      { ask: 'a.example/foo?x=1', port: 80, gets: 'v1' },
      { ask: 'a.example/foo/', port: 80, gets: 'v2' },
      { ask: 'a.example/FOO', port: 80, gets: 'v2' },
      { ask: 'a.example/foo/bar', port: 80, gets: 'v2' },
    ],
  },
  {
    title: 'HTTPRoute: a regular expression matches the whole path',
    config: either(path('RegularExpression', '/v[0-9]+/items')),
    requests: [
      { ask: 'a.example/v12/items', port: 80, gets: 'v1' },
      { ask: 'a.example/v12/items/1', port: 80, gets: 'v2' },
      { ask: 'a.example/v/items', port: 80, gets: 'v2' },
    ],
  },
  {
    title: 'HTTPRoute: a match without a path takes every path',
    config: either('method: POST'),
    requests: [
      { ask: 'POST a.example/any/where', port: 80, body: 'x', gets: 'v1' },
      { ask: 'a.example/any/where', port: 80, gets: 'v2' },
    ],
  },
  {
    title: 'HTTPRoute: a header, exact by default, its name in any letters',
    config: either('headers: [{ name: Version, value: one }]'),
    requests: [
      { ask: 'a.example/', port: 80, with: ['version: one'], gets: 'v1' },
      { ask: 'a.example/', port: 80, with: ['VERSION: one'], gets: 'v1' },
      { ask: 'a.example/', port: 80, with: ['version: One'], gets: 'v2' },
      { ask: 'a.example/', port: 80, with: ['version: one1'], gets: 'v2' },
      { ask: 'a.example/', port: 80, gets: 'v2' },
    ],
  },
  {
    title: 'HTTPRoute: a header by regular expression, whole value',
    config: either('headers: [{ name: version, type: RegularExpression, value: "on+e" }]'),
    requests: [
      { ask: 'a.example/', port: 80, with: ['version: onne'], gets: 'v1' },
      { ask: 'a.example/', port: 80, with: ['version: onned'], gets: 'v2' },
    ],
  },
  {
    title: 'HTTPRoute: all headers of a match, and of one name the first condition',
    config: either('headers: [{ name: version, value: two }, { name: color, value: blue }, { name: VERSION, value: one }]'),
    requests: [
      { ask: 'a.example/', port: 80, with: ['version: two', 'color: blue'], gets: 'v1' },
      { ask: 'a.example/', port: 80, with: ['version: two'], gets: 'v2' },
      { ask: 'a.example/', port: 80, with: ['version: one', 'color: blue'], gets: 'v2' },
    ],
  },
  {
    vector: 'A8',
    title: 'HTTPRoute: a query parameter, of several of a name the first',
    config: either('queryParams: [{ name: animal, value: whale }]'),
    requests: [
      { ask: 'a.example/?animal=whale', port: 80, gets: 'v1' },
      { ask: 'a.example/?animal=whale&animal=dolphin', port: 80, gets: 'v1' },
      { ask: 'a.example/?animal=dolphin&animal=whale', port: 80, gets: 'v2' },
      { ask: 'a.example/?Animal=whale', port: 80, gets: 'v2' },
      { ask: 'a.example/?animal=whales', port: 80, gets: 'v2' },
      { ask: 'a.example/', port: 80, gets: 'v2' },
    ],
  },
  {
    title: 'HTTPRoute: conditions of one match all hold, of several matches one',
    config: either(
      `${path('PathPrefix', '/path5')}, queryParams: [{ name: animal, value: hydra }], method: GET, headers: [{ name: v, value: "1" }] }, { ${path('PathPrefix', '/path6')}`,
    ),
    requests: [
      { ask: 'a.example/path5?animal=hydra', port: 80, with: ['v: 1'], gets: 'v1' },
      { ask: 'a.example/path5?animal=hydra', port: 80, gets: 'v2' },
      { ask: 'POST a.example/path5?animal=hydra', port: 80, with: ['v: 1'], body: 'x', gets: 'v2' },
      { ask: 'a.example/path6/x', port: 80, gets: 'v1' },
    ],
  },
  {
    vector: 'A11',
    title: 'an exact path beats any prefix, the longest prefix the others, whatever the order of the rules',
    config: fronted(
      `matches: [{ ${path('PathPrefix', '/')} }], ${ref('v3')}`,
      `matches: [{ ${path('PathPrefix', '/a')} }], ${ref('v2')}`,
      `matches: [{ ${path('PathPrefix', '/a/b')} }], ${ref('v1')}`,
      `matches: [{ ${path('Exact', '/a/b/c')} }], ${ref('v3')}`,
      `matches: [{ ${path('Exact', '/a')} }], ${ref('v1')}`,
    ),
    requests: [
      { ask: 'a.example/a/b/c', port: 80, gets: 'v3' },
      { ask: 'a.example/a/b/c/d', port: 80, gets: 'v1' },
      { ask: 'a.example/a/b', port: 80, gets: 'v1' },
      { ask: 'a.example/a/x', port: 80, gets: 'v2' },
      { ask: 'a.example/a', port: 80, gets: 'v1' },
      { ask: 'a.example/a/', port: 80, gets: 'v2' },
      { ask: 'a.example/x', port: 80, gets: 'v3' },
    ],
  },
  {
    vector: 'A11',
    title: 'of one path, a method beats headers, more headers beat fewer, headers beat query parameters',
    config: fronted(
      `matches: [{ queryParams: [{ name: q, value: "1" }, { name: r, value: "1" }] }], ${ref('v3')}`,
      `matches: [{ headers: [{ name: x, value: "1" }] }], ${ref('v2')}`,
      `matches: [{ headers: [{ name: x, value: "1" }, { name: y, value: "1" }] }], ${ref('v1')}`,
      `matches: [{ method: PUT }], ${ref('v3')}`,
    ),
    requests: [
      { ask: 'PUT a.example/', port: 80, with: ['x: 1', 'y: 1'], body: 'x', gets: 'v3' },
      { ask: 'a.example/?q=1&r=1', port: 80, with: ['x: 1', 'y: 1'], gets: 'v1' },
      { ask: 'a.example/?q=1&r=1', port: 80, with: ['x: 1'], gets: 'v2' },
      { ask: 'a.example/?q=1&r=1', port: 80, gets: 'v3' },
    ],
  },
  {
    vector: 'A11',
    title: 'of equal matches of several routes the oldest route’s counts',
    config:
      kubernetesGateway() +
      httpRoute('a-young', '', [ref('v2')], CREATED('02')) +
      httpRoute('b-old', '', [ref('v1')], CREATED('01')) +
      httpRoute('c-precise', '', [`matches: [{ ${path('PathPrefix', '/c')} }], ${ref('v3')}`], CREATED('03')),
    requests: [
      { ask: 'a.example/', port: 80, gets: 'v1' },
      { ask: 'a.example/c', port: 80, gets: 'v3' },
    ],
  },
  {
    vector: 'A11',
    title: 'of the same age, the first by namespace and name; of one route, the first rule',
    config: kubernetesGateway() + httpRoute('b', '', [ref('v2')]) + httpRoute('a', '', [ref('v1'), ref('v3')]),
    requests: [{ ask: 'a.example/', port: 80, gets: 'v1' }],
  },
  {
    title: 'HTTPRoute: routes of several resources for one host are one list',
    config:
      kubernetesGateway() +
      httpRoute('one', 'hostnames: [example.com, example.net]', [
        `matches: [{ ${path('PathPrefix', '/')} }, { headers: [{ name: version, value: two }] }], ${ref('v1')}`,
      ]) +
      httpRoute('two', 'hostnames: [example.com]', [
        `matches: [{ ${path('PathPrefix', '/v2')} }, { ${path('PathPrefix', '/')}, headers: [{ name: version, value: two }] }], ${ref('v2')}`,
      ]),
    requests: [
      { ask: 'example.com/', port: 80, gets: 'v1' },
      { ask: 'example.com/', port: 80, with: ['version: one'], gets: 'v1' },
      { ask: 'example.net/', port: 80, gets: 'v1' },
      { ask: 'example.net/v2', port: 80, gets: 'v1' },
      { ask: 'example.com/v2', port: 80, gets: 'v2' },
      { ask: 'example.com/v2example', port: 80, gets: 'v1' },
      { ask: 'example.com/foo/v2/example', port: 80, gets: 'v1' },
    ],
  },
  {
    vector: 'A32',
    title: 'HTTPRoute: a wildcard host is for the names below it, however deep, with any port',
    config: kubernetesGateway() + httpRoute('a', 'hostnames: ["*.example.com"]', [ref('v1')]),
    requests: [
      { ask: 'a.example.com/', port: 80, gets: 'v1' },
      { ask: 'a.b.example.com/', port: 80, gets: 'v1' },
      { ask: 'A.Example.Com/', port: 80, gets: 'v1' },
      { ask: 'a.example.com:8080/', port: 80, gets: 'v1' },
      { ask: 'example.com/', port: 80, gets: 404 },
      { ask: 'bexample.com/', port: 80, gets: 404 },
    ],
  },
  {
    title: 'HTTPRoute: the most exact hostname takes the request',
    config:
      kubernetesGateway() +
      httpRoute('any', '', [ref('v3')]) +
      httpRoute('wild', 'hostnames: ["*.example.com"]', [ref('v2')]) +
      httpRoute('exact', 'hostnames: [a.example.com]', [ref('v1')]),
    requests: [
      { ask: 'a.example.com/', port: 80, gets: 'v1' },
      { ask: 'b.example.com/', port: 80, gets: 'v2' },
      { ask: 'example.com/', port: 80, gets: 'v3' },
    ],
  },
  {
    title: 'a listener’s hostname narrows those of its routes',
    config:
      kubernetesGateway('*.wildcard.io') +
      httpRoute('narrow', 'hostnames: [a.wildcard.io, wildcard.io, other.io]', [ref('v1')]) +
      httpRoute('wide', 'hostnames: ["*.io"]', [`matches: [{ ${path('PathPrefix', '/wide')} }], ${ref('v2')}`]) +
      httpRoute('none', 'hostnames: [elsewhere.org]', [ref('v3')]),
    requests: [
      { ask: 'a.wildcard.io/', port: 80, gets: 'v1' },
      { ask: 'b.wildcard.io/wide', port: 80, gets: 'v2' },
      { ask: 'b.wildcard.io/', port: 80, gets: 404 },
      { ask: 'wildcard.io/', port: 80, gets: 404 },
      { ask: 'other.io/', port: 80, gets: 404 },
      { ask: 'elsewhere.org/', port: 80, gets: 404 },
    ],
  },
  {
    title: 'a Gateway of another class is not served',
    config: fronted(ref('v1')).replace('gatewayClassName: serin', 'gatewayClassName: somebody-else'),
    requests: [],
  },
  {
    title: 'a class of one’s own name is served where its controller is Serin',
    config:
      gatewayApi('GatewayClass', 'mine', 'controllerName: serin.dev/gateway-controller') +
      fronted(ref('v1')).replace('gatewayClassName: serin', 'gatewayClassName: mine'),
    requests: [{ ask: 'a.example/', port: 80, gets: 'v1' }],
  },
  {
    title: 'HTTPRoute: a route without rules’ matches takes everything, and elsewhere there is nothing',
    config: kubernetesGateway() + httpRoute('a', 'hostnames: [a.example]', [ref('v1')]),
    requests: [
      { ask: 'a.example/any/path?x=1', port: 80, gets: 'v1' },
      { ask: 'b.example/', port: 80, gets: 404 },
    ],
  },
  {
    vector: 'A10',
    title: 'HTTPRoute: the weight that nobody states is 1',
    config: fronted('backendRefs: [{ name: reviews-v1, port: 80 }, { name: reviews-v2, port: 80 }]'),
    shares: [{ ask: 'a.example/', port: 80, shares: { v1: 0.5, v2: 0.5 } }],
  },
  {
    vector: 'A10',
    title: 'HTTPRoute: weights are relative to their sum, and 0 is nothing',
    config: fronted(refs({ v1: 70, v2: 30, v3: 0 })),
    shares: [{ ask: 'a.example/', port: 80, shares: { v1: 0.7, v2: 0.3 } }],
  },
  {
    vector: 'A10',
    title: 'HTTPRoute: all weights 0, one weight 0, no backend: 500',
    config: fronted(
      `matches: [{ ${path('PathPrefix', '/all')} }], ${refs({ v1: 0, v2: 0 })}`,
      `matches: [{ ${path('PathPrefix', '/one')} }], ${refs({ v1: 0 })}`,
      `matches: [{ ${path('PathPrefix', '/none')} }]`,
    ),
    requests: [
      { ask: 'a.example/all', port: 80, gets: 500 },
      { ask: 'a.example/one', port: 80, gets: 500 },
      { ask: 'a.example/none', port: 80, gets: 500 },
    ],
  },
  {
    vector: 'A34',
    title: 'HTTPRoute: an invalid backend 500, no endpoint 503, no connection 503, no rule 404',
    config: fronted(
      `matches: [{ ${path('PathPrefix', '/unknown')} }], ${ref('unknown')}`,
      `matches: [{ ${path('PathPrefix', '/kind')} }], backendRefs: [{ group: example.org, kind: NonExistent, name: reviews-v1, port: 80 }]`,
      `matches: [{ ${path('PathPrefix', '/port')} }], backendRefs: [{ name: reviews-v1, port: 8443 }]`,
      `matches: [{ ${path('PathPrefix', '/other')} }], backendRefs: [{ name: reviews-v3, namespace: other, port: 80 }]`,
      `matches: [{ ${path('PathPrefix', '/empty')} }], ${ref('empty')}`,
      `matches: [{ ${path('PathPrefix', '/dead')} }], ${ref('dead')}`,
    ),
    requests: [
      { ask: 'a.example/unknown', port: 80, gets: 500 },
      { ask: 'a.example/kind', port: 80, gets: 500 },
      { ask: 'a.example/port', port: 80, gets: 500 },
      { ask: 'a.example/other', port: 80, gets: 500 },
      { ask: 'a.example/empty', port: 80, gets: 503 },
      { ask: 'a.example/dead', port: 80, gets: 503 },
      { ask: 'a.example/elsewhere', port: 80, gets: 404 },
    ],
  },
  {
    title: 'a backend in another namespace needs a ReferenceGrant there, for the route’s namespace and kind',
    config:
      fronted('backendRefs: [{ name: reviews-v3, namespace: other, port: 80 }]') +
      gatewayApi(
        'ReferenceGrant',
        'ours',
        'from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default }], to: [{ group: "", kind: Service, name: reviews-v3 }]',
        ', namespace: other',
      ),
    requests: [{ ask: 'a.example/', port: 80, gets: 'v3' }],
  },
  {
    title: 'of two backends elsewhere only the one that a ReferenceGrant names is asked, the other’s rule answers 500',
    config:
      fronted(
        `matches: [{ ${path('PathPrefix', '/v2')} }], backendRefs: [{ name: reviews-v2, namespace: other, port: 80 }]`,
        'backendRefs: [{ name: reviews-v3, namespace: other, port: 80 }]',
      ) +
      gatewayApi(
        'ReferenceGrant',
        'ours',
        'from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default }], to: [{ group: "", kind: Service, name: reviews-v3 }]',
        ', namespace: other',
      ),
    requests: [
      { ask: 'a.example/v2', port: 80, gets: 500, reached: {} },
      { ask: 'a.example/', port: 80, gets: 'v3' },
    ],
  },
  ...[
    [
      'another kind of route',
      'from: [{ group: gateway.networking.k8s.io, kind: GRPCRoute, namespace: default }], to: [{ group: "", kind: Service }]',
      'other',
    ],
    [
      'another namespace',
      'from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: books }], to: [{ group: "", kind: Service }]',
      'other',
    ],
    [
      'another Service',
      'from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default }], to: [{ group: "", kind: Service, name: reviews-v2 }]',
      'other',
    ],
    [
      'Secrets',
      'from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default }], to: [{ group: "", kind: Secret }]',
      'other',
    ],
    [
      'the wrong place',
      'from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default }], to: [{ group: "", kind: Service }]',
      'default',
    ],
  ].map(([what, grant, namespace]): ContractCase => ({
    title: `a ReferenceGrant for ${what} is none`,
    config:
      fronted('backendRefs: [{ name: reviews-v3, namespace: other, port: 80 }]') +
      gatewayApi('ReferenceGrant', 'ours', grant ?? '', `, namespace: ${namespace}`),
    requests: [{ ask: 'a.example/', port: 80, gets: 500 }],
  })),
];
