/** What is answered without a version, and what is sent to one. */
import { gatewayRules, rules, split, to, type ContractCase } from '../contract.ts';

const location = (value: string): { readonly location: string } => ({ location: value });

export const ANSWERS: readonly ContractCase[] = [
  {
    vector: 'A13',
    title: 'a redirect to another host leaves the port behind',
    config: gatewayRules('redirect: { authority: h }'),
    requests: [
      { ask: 'https://a:8443/x?q=1', port: 80, gets: 301, answer: location('https://h/x?q=1') },
      { ask: 'http://a/x?q=1', port: 80, gets: 301, answer: location('http://h/x?q=1') },
    ],
  },
  {
    vector: 'A13',
    title: 'unless it is to keep it',
    config: gatewayRules('redirect: { authority: h, derivePort: FROM_REQUEST_PORT }'),
    requests: [{ ask: 'https://a:8443/x?q=1', port: 80, gets: 301, answer: location('https://h:8443/x?q=1') }],
  },
  {
    vector: 'A13',
    title: 'a redirect to another path keeps the query',
    config: gatewayRules('redirect: { uri: /y }'),
    requests: [{ ask: 'http://a/x?q=1', port: 80, gets: 301, answer: location('http://a/y?q=1') }],
  },
  {
    vector: 'A13',
    title: 'a prefix is replaced as text',
    config: gatewayRules('match: [{ uri: { prefix: /foo } }], redirect: { prefixRewrite: / }'),
    requests: [
      { ask: 'http://a/foo/baz', port: 80, gets: 301, answer: location('http://a//baz') },
      { ask: 'http://a/foo', port: 80, gets: 301, answer: location('http://a/') },
      { ask: 'http://a/foobar?q=1', port: 80, gets: 301, answer: location('http://a/bar?q=1') },
    ],
  },
  {
    title: 'redirect ports: the default of the scheme is not written',
    config: gatewayRules(
      'match: [{ uri: { prefix: /443 } }], redirect: { scheme: https, port: 443 }',
      'match: [{ uri: { prefix: /8443 } }], redirect: { scheme: https, port: 8443 }',
      'match: [{ uri: { prefix: /default } }], redirect: { authority: h, derivePort: FROM_PROTOCOL_DEFAULT }',
    ),
    requests: [
      { ask: 'http://a/443', port: 80, gets: 301, answer: location('https://a/443') },
      { ask: 'http://a/8443', port: 80, gets: 301, answer: location('https://a:8443/8443') },
      { ask: 'http://a:8080/default', port: 80, gets: 301, answer: location('http://h/default') },
    ],
  },
  ...[301, 302, 303, 307, 308].map((code): ContractCase => ({
    title: `redirect with ${code}`,
    config: gatewayRules(`redirect: { uri: /y, redirectCode: ${code} }`),
    requests: [{ ask: 'http://a/x', port: 80, gets: code, answer: location('http://a/y') }],
  })),
  {
    title: 'a direct response, with headers of the rule',
    config: rules('directResponse: { status: 418, body: { string: teapot } }, headers: { response: { set: { x-pot: short } } }'),
    requests: [{ ask: 'reviews/', gets: 418, answer: { 'x-pot': 'short', 'content-length': '6' } }],
  },
  {
    vector: 'A16',
    title: 'headers are removed, then set, then added, whatever the order of the fields',
    config: rules(`${to('v1')}, headers: { request: { add: { x: '3' }, set: { x: '2' }, remove: [x] } }`),
    requests: [
      { ask: 'reviews/', with: ['x: 1'], gets: 'v1', sent: { x: '2,3' } },
      { ask: 'reviews/', gets: 'v1', sent: { x: '2,3' } },
    ],
  },
  {
    vector: 'A16',
    title: '%% is a percent sign, and commands see the request as it came',
    config: rules(
      `match: [{ uri: { prefix: /old } }], rewrite: { uri: /new }, ${to('v1')}, headers: { request: { set: { a: "100%%", b: "%REQ(:path)%" } }, response: { set: { a: "100%%" } } }`,
    ),
    requests: [
      {
        ask: 'reviews/old/1?q=1',
        gets: 'v1',
        sent: { ':path': '/new/1?q=1', a: '100%', b: '/old/1?q=1' },
        answer: { a: '100%' },
      },
    ],
  },
  {
    title: 'of a lone destination the operations come last and win',
    config: rules(
      `headers: { request: { set: { x: route } }, response: { set: { y: route } } }, ${to('v1', ', headers: { request: { set: { x: destination } }, response: { set: { y: destination } } }')}`,
    ),
    requests: [{ ask: 'reviews/', gets: 'v1', sent: { x: 'destination' }, answer: { y: 'destination' } }],
  },
  {
    title: 'of weighted destinations they come first, and the rule wins',
    config: rules(
      `headers: { request: { set: { x: route } } }, route: [${`{ destination: { host: reviews, subset: v1 }, weight: 50, headers: { request: { set: { x: destination, z: only } } } }, `.repeat(2)}]`,
    ),
    requests: [{ ask: 'reviews/', gets: 'v1', sent: { x: 'route', z: 'only' } }],
  },
  {
    title: 'an answer’s headers: removed, set, added',
    config: rules(`${to('v1')}, headers: { response: { remove: [x-who], set: { x-set: a }, add: { x-set: b } } }`),
    requests: [{ ask: 'reviews/', gets: 'v1', answer: { 'x-who': null, 'x-set': 'a,b' } }],
  },
  {
    title: 'the Host: as it came, by rewrite, by a header operation',
    config: rules(
      `match: [{ uri: { prefix: /rewrite } }], rewrite: { authority: other.example.com }, ${to('v1')}`,
      `match: [{ uri: { prefix: /set } }], headers: { request: { set: { host: set.example.com } } }, ${to('v1')}`,
      to('v1'),
    ),
    requests: [
      { ask: 'reviews/', gets: 'v1', sent: { host: 'reviews' } },
      { ask: 'reviews:80/', gets: 'v1', sent: { host: 'reviews:80' } },
      { ask: 'reviews/rewrite', gets: 'v1', sent: { host: 'other.example.com' } },
      { ask: 'reviews/set', gets: 'v1', sent: { host: 'set.example.com' } },
    ],
  },
  {
    title: 'rewrites: a prefix, a whole path, a regular expression; the old path is told',
    config: rules(
      `match: [{ uri: { prefix: /a } }], rewrite: { uri: /b }, ${to('v1')}`,
      `match: [{ uri: { exact: /c } }], rewrite: { uri: /d }, ${to('v1')}`,
      `match: [{ uri: { prefix: /e } }], rewrite: { uriRegexRewrite: { match: '^/e/(\\w+)/(\\w+)$', rewrite: '/\\2/\\1' } }, ${to('v1')}`,
    ),
    requests: [
      { ask: 'reviews/a/x?q=1', gets: 'v1', sent: { ':path': '/b/x?q=1', 'x-envoy-original-path': '/a/x?q=1' } },
      { ask: 'reviews/c', gets: 'v1', sent: { ':path': '/d' } },
      { ask: 'reviews/e/1/2', gets: 'v1', sent: { ':path': '/2/1' } },
      { ask: 'reviews/e/1', gets: 'v1', sent: { ':path': '/e/1', 'x-envoy-original-path': null } },
    ],
  },
  {
    vector: 'A33',
    title: 'CORS: who is allowed is told so, who is not is passed on',
    config: rules(`corsPolicy: { allowOrigins: [{ exact: 'https://a.example' }], allowMethods: [GET] }, ${to('v1')}`),
    requests: [
      { ask: 'reviews/', with: ['origin: https://a.example'], gets: 'v1', answer: { 'access-control-allow-origin': 'https://a.example' } },
      { ask: 'reviews/', with: ['origin: https://b.example'], gets: 'v1', answer: { 'access-control-allow-origin': null } },
      {
        ask: 'OPTIONS reviews/',
        with: ['origin: https://a.example', 'access-control-request-method: GET'],
        gets: 200,
        answer: {
          'access-control-allow-origin': 'https://a.example',
          'access-control-allow-methods': 'GET',
          'access-control-max-age': null,
        },
        reached: {},
      },
      {
        ask: 'OPTIONS reviews/',
        with: ['origin: https://b.example', 'access-control-request-method: GET'],
        gets: 'v1',
        answer: { 'access-control-allow-origin': null },
      },
    ],
  },
  {
    vector: 'A33',
    title: 'CORS: all origins with credentials are named',
    config: rules(`corsPolicy: { allowOrigins: [{ exact: '*' }], allowCredentials: true }, ${to('v1')}`),
    requests: [
      {
        ask: 'reviews/',
        with: ['origin: https://b.example'],
        gets: 'v1',
        answer: { 'access-control-allow-origin': 'https://b.example', 'access-control-allow-credentials': 'true' },
      },
    ],
  },
  {
    vector: 'A33',
    title: 'CORS: preflights of others can be answered without a word',
    config: rules(`corsPolicy: { allowOrigins: [{ exact: 'https://a.example' }], unmatchedPreflights: IGNORE }, ${to('v1')}`),
    requests: [
      {
        ask: 'OPTIONS reviews/',
        with: ['origin: https://b.example', 'access-control-request-method: GET'],
        gets: 200,
        answer: { 'access-control-allow-origin': null },
        reached: {},
      },
    ],
  },
  {
    title: 'a split of three',
    config: rules(split({ v1: 20, v2: 20, v3: 60 })),
    shares: [{ ask: 'reviews/', shares: { v1: 0.2, v2: 0.2, v3: 0.6 } }],
  },
];
