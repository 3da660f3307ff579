/** Which listener has a request, of a Gateway or of a ListenerSet, and whose routes it lets in. */
import { gatewayApi, httpRoute, kubernetesGateway, ref, type ContractCase, type ContractRequest } from '../contract.ts';

const path = (type: string, value: string): string => `path: { type: ${type}, value: "${value}" }`;

/** Four listeners of one port, and a route for each, which answers below a path of its listener’s name. */
const isolated = (hostnames: string): string =>
  gatewayApi(
    'Gateway',
    'front',
    `gatewayClassName: serin, listeners: [{ name: empty, port: 80, protocol: HTTP }, { name: wild, port: 80, protocol: HTTP, hostname: "*.example.com" }, { name: wilder, port: 80, protocol: HTTP, hostname: "*.foo.example.com" }, { name: exact, port: 80, protocol: HTTP, hostname: abc.foo.example.com }]`,
  ) +
  ['empty', 'wild', 'wilder', 'exact']
    .map((name) =>
      httpRoute(name, `parentRefs: [{ name: front, sectionName: ${name} }]${hostnames}`, [
        `matches: [{ ${path('PathPrefix', `/${name}`)} }], ${ref('v1')}`,
      ]),
    )
    .join('');

/** Every host at every path: its own listener’s alone is answered. */
const ISOLATION: readonly ContractRequest[] = [
  ['bar.com', 'empty'],
  ['bar.example.com', 'wild'],
  ['bar.foo.example.com', 'wilder'],
  ['abc.foo.example.com', 'exact'],
].flatMap(([host, own]) =>
  ['empty', 'wild', 'wilder', 'exact'].map((name): ContractRequest => ({
    ask: `${host}/${name}`,
    port: 80,
    gets: name === own ? 'v1' : 404,
  })),
);

export const GATEWAY_API_LISTENERS: readonly ContractCase[] = [
  {
    title: 'hostnames of listeners and of routes are for what both mean',
    config:
      gatewayApi(
        'Gateway',
        'front',
        'gatewayClassName: serin, listeners: [{ name: one, port: 80, protocol: HTTP, hostname: very.specific.com }, { name: two, port: 80, protocol: HTTP, hostname: "*.wildcard.io" }, { name: three, port: 80, protocol: HTTP, hostname: "*.anotherwildcard.io" }]',
      ) +
      [
        'non.matching.com, "*.nonmatchingwildcard.io", very.specific.com',
        'non.matching.com, wildcard.io, foo.wildcard.io, bar.wildcard.io, foo.bar.wildcard.io',
        'non.matching.com, "*.specific.com"',
        '"*.anotherwildcard.io"',
        'specific.but.wrong.com, wildcard.io',
      ]
        .map((hostnames, index) =>
          httpRoute(`s${index + 1}`, `hostnames: [${hostnames}]`, [`matches: [{ ${path('PathPrefix', `/s${index + 1}`)} }], ${ref('v1')}`]),
        )
        .join(''),
    requests: [
      ...[
        'very.specific.com/s1',
        'very.specific.com:1234/s1',
        'foo.wildcard.io/s2',
        'bar.wildcard.io/s2',
        'foo.bar.wildcard.io/s2',
        'very.specific.com/s3',
        'foo.anotherwildcard.io/s4',
        'foo.bar.anotherwildcard.io/s4',
      ].map((ask): ContractRequest => ({ ask, port: 80, gets: 'v1' })),
      ...[
        'non.matching.com/s1',
        'foo.nonmatchingwildcard.io/s1',
        'foo.wildcard.io/s1',
        'very.specific.com/non-matching-prefix',
        'non.matching.com/s2',
        'wildcard.io/s2',
        'very.specific.com/s2',
        'non.matching.com/s3',
        'foo.specific.com/s3',
        'anotherwildcard.io/s4',
        'foo.wildcard.io/s4',
        'specific.but.wrong.com/s5',
        'wildcard.io/s5',
      ].map((ask): ContractRequest => ({ ask, port: 80, gets: 404 })),
    ],
  },
  {
    title: 'of several listeners the one with the most exact hostname has a request, and no other',
    config: isolated(''),
    requests: ISOLATION,
  },
  {
    title: 'and so it is where their routes name the others’ hostnames as well',
    config: isolated(', hostnames: [bar.com, "*.example.com", "*.foo.example.com", abc.foo.example.com]'),
    requests: ISOLATION,
  },
  {
    title: 'a parent by port, and a second listener beside it',
    config:
      gatewayApi(
        'Gateway',
        'front',
        `gatewayClassName: serin, listeners: [{ name: a, port: 80, protocol: HTTP }, { name: b, port: 8080, protocol: HTTP }]`,
      ) +
      httpRoute('a', 'parentRefs: [{ name: front, port: 80 }]', [ref('v1')]) +
      httpRoute('b', 'parentRefs: [{ name: front, port: 8080 }]', [ref('v2')]) +
      httpRoute('both', 'parentRefs: [{ name: front }], hostnames: [both.example]', [ref('v3')]),
    requests: [
      { ask: 'a.example/', port: 80, gets: 'v1' },
      { ask: 'a.example/', port: 8080, gets: 'v2' },
      { ask: 'both.example/', port: 80, gets: 'v3' },
      { ask: 'both.example/', port: 8080, gets: 'v3' },
    ],
  },
  {
    title: 'listeners of a ListenerSet are the Gateway’s as well',
    config:
      gatewayApi(
        'Gateway',
        'front',
        'gatewayClassName: serin, allowedListeners: { namespaces: { from: Same } }, listeners: [{ name: http, port: 80, protocol: HTTP, hostname: a.example }]',
      ) +
      gatewayApi(
        'ListenerSet',
        'more',
        'parentRef: { name: front }, listeners: [{ name: more, port: 80, protocol: HTTP, hostname: b.example }]',
      ) +
      httpRoute('a', '', [ref('v1')]) +
      httpRoute('b', 'parentRefs: [{ kind: ListenerSet, name: more }]', [ref('v2')]),
    requests: [
      { ask: 'a.example/', port: 80, gets: 'v1' },
      { ask: 'b.example/', port: 80, gets: 'v2' },
      { ask: 'c.example/', port: 80, gets: 404 },
    ],
  },
  {
    title: 'each listener of a ListenerSet lets in the namespaces that it says',
    config:
      '---\napiVersion: v1\nkind: Namespace\nmetadata: { name: other, labels: { team: books } }\n' +
      gatewayApi(
        'Gateway',
        'front',
        'gatewayClassName: serin, allowedListeners: { namespaces: { from: All } }, listeners: [{ name: http, port: 80, protocol: HTTP, hostname: a.example }]',
      ) +
      gatewayApi(
        'ListenerSet',
        'more',
        'parentRef: { name: front }, listeners: [{ name: all, port: 80, protocol: HTTP, hostname: all.example, allowedRoutes: { namespaces: { from: All } } }, { name: same, port: 80, protocol: HTTP, hostname: same.example, allowedRoutes: { namespaces: { from: Same } } }, { name: some, port: 80, protocol: HTTP, hostname: some.example, allowedRoutes: { namespaces: { from: Selector, selector: { matchLabels: { team: books } } } } }]',
      ) +
      httpRoute('own', 'parentRefs: [{ kind: ListenerSet, name: more }]', [`matches: [{ ${path('PathPrefix', '/own')} }], ${ref('v1')}`]) +
      httpRoute(
        'theirs',
        'parentRefs: [{ kind: ListenerSet, name: more, namespace: default }]',
        [`matches: [{ ${path('PathPrefix', '/theirs')} }], ${ref('v3')}`],
        ', namespace: other',
      ),
    requests: [
      { ask: 'all.example/own', port: 80, gets: 'v1' },
      { ask: 'all.example/theirs', port: 80, gets: 'v3' },
      { ask: 'same.example/own', port: 80, gets: 'v1' },
      { ask: 'same.example/theirs', port: 80, gets: 404 },
      { ask: 'some.example/own', port: 80, gets: 404 },
      { ask: 'some.example/theirs', port: 80, gets: 'v3' },
    ],
  },
  {
    title: 'a ListenerSet that the Gateway does not allow serves nobody',
    config:
      kubernetesGateway('a.example') +
      gatewayApi(
        'ListenerSet',
        'more',
        'parentRef: { name: front }, listeners: [{ name: more, port: 80, protocol: HTTP, hostname: b.example }]',
      ) +
      httpRoute('b', 'parentRefs: [{ kind: ListenerSet, name: more }]', [ref('v2')]),
    requests: [{ ask: 'b.example/', port: 80, gets: 404 }],
  },
  {
    title: 'a route of a namespace that the listener does not let in serves nobody',
    config:
      gatewayApi('Gateway', 'front', 'gatewayClassName: serin, listeners: [{ name: http, port: 80, protocol: HTTP }]') +
      httpRoute(
        'b',
        'parentRefs: [{ name: front, namespace: default }]',
        ['backendRefs: [{ name: reviews-v3, port: 80 }]'],
        ', namespace: other',
      ),
    requests: [{ ask: 'b.example/', port: 80, gets: 404 }],
  },
  {
    title: 'and one that it lets in by its labels does',
    config:
      '---\napiVersion: v1\nkind: Namespace\nmetadata: { name: other, labels: { team: books } }\n' +
      gatewayApi(
        'Gateway',
        'front',
        'gatewayClassName: serin, listeners: [{ name: http, port: 80, protocol: HTTP, allowedRoutes: { namespaces: { from: Selector, selector: { matchLabels: { team: books } } } } }]',
      ) +
      httpRoute(
        'b',
        'parentRefs: [{ name: front, namespace: default }]',
        ['backendRefs: [{ name: reviews-v3, port: 80 }]'],
        ', namespace: other',
      ),
    requests: [{ ask: 'b.example/', port: 80, gets: 'v3' }],
  },
];
