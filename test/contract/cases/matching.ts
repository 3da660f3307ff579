/** Which rule takes a request. */
import { gateway, gatewayRules, rules, split, to, virtualService, type ContractCase } from '../contract.ts';

/** v1 where the match holds, v2 elsewhere. */
const either = (match: string): string => rules(`match: [{ ${match} }], ${to('v1')}`, to('v2'));

export const MATCHING: readonly ContractCase[] = [
  {
    vector: 'A1',
    title: 'a path prefix is a prefix of the text, not of elements',
    config: either('uri: { prefix: /foo }'),
    requests: [
      { ask: 'reviews/foo', gets: 'v1' },
      { ask: 'reviews/foo/', gets: 'v1' },
      { ask: 'reviews/foo/bar', gets: 'v1' },
      { ask: 'reviews/foobar', gets: 'v1' },
      { ask: 'reviews/Foo', gets: 'v2' },
      { ask: 'reviews/foo?x=1', gets: 'v1' },
      { ask: 'reviews/x/foo', gets: 'v2' },
    ],
  },
  {
    vector: 'A1',
    title: 'letters may be ignored',
    config: either('uri: { prefix: /foo }, ignoreUriCase: true'),
    requests: [
      { ask: 'reviews/Foo', gets: 'v1' },
      { ask: 'reviews/FOObar', gets: 'v1' },
      { ask: 'reviews/fo', gets: 'v2' },
    ],
  },
  {
    vector: 'A1',
    title: 'a prefix that ends in / does not match without it',
    config: either('uri: { prefix: /foo/ }'),
    requests: [
      { ask: 'reviews/foo', gets: 'v2' },
      { ask: 'reviews/foo/', gets: 'v1' },
    ],
  },
  {
    vector: 'A3',
    title: 'an exact path, without the query',
    config: either('uri: { exact: /foo }'),
    requests: [
      { ask: 'reviews/foo', gets: 'v1' },
      { ask: 'reviews/foo/', gets: 'v2' },
      { ask: 'reviews/foo?x=1', gets: 'v1' },
    ],
  },
  {
    vector: 'A4',
    title: 'a regular expression matches the whole path',
    config: rules(`match: [{ uri: { regex: '/v\\d' } }], ${to('v1')}`, `match: [{ uri: { regex: '/w\\d.*' } }], ${to('v3')}`, to('v2')),
    requests: [
      { ask: 'reviews/v1', gets: 'v1' },
      { ask: 'reviews/v1?x=1', gets: 'v1' },
      { ask: 'reviews/v12', gets: 'v2' },
      { ask: 'reviews/x/v1', gets: 'v2' },
      { ask: 'reviews/w12', gets: 'v3' },
    ],
  },
  {
    title: 'ignoreUriCase does not reach regular expressions',
    config: either("uri: { regex: '/foo' }, ignoreUriCase: true"),
    requests: [
      { ask: 'reviews/foo', gets: 'v1' },
      { ask: 'reviews/Foo', gets: 'v2' },
    ],
  },
  {
    vector: 'A5',
    title: 'a header: its name in any letters, its value as it is',
    config: either('headers: { end-user: { exact: jason } }'),
    requests: [
      { ask: 'reviews/', with: ['end-user: jason'], gets: 'v1' },
      { ask: 'reviews/', with: ['End-User: jason'], gets: 'v1' },
      { ask: 'reviews/', with: ['end-user: Jason'], gets: 'v2' },
      { ask: 'reviews/', with: ['end-user: jasons'], gets: 'v2' },
      { ask: 'reviews/', gets: 'v2' },
    ],
  },
  {
    vector: 'A6',
    title: 'a header that is there, whatever it says',
    config: either('headers: { x: {} }'),
    requests: [
      { ask: 'reviews/', with: ['x: a'], gets: 'v1' },
      { ask: 'reviews/', with: ['x:'], gets: 'v1' },
      { ask: 'reviews/', gets: 'v2' },
    ],
  },
  {
    vector: 'A6',
    title: 'a header that is not there',
    config: either('withoutHeaders: { x: {} }'),
    requests: [
      { ask: 'reviews/', gets: 'v1' },
      { ask: 'reviews/', with: ['x: a'], gets: 'v2' },
    ],
  },
  {
    vector: 'A6',
    title: 'a header that does not say something is also one that is not there',
    config: either('withoutHeaders: { x: { exact: a } }'),
    requests: [
      { ask: 'reviews/', gets: 'v1' },
      { ask: 'reviews/', with: ['x: b'], gets: 'v1' },
      { ask: 'reviews/', with: ['x: a'], gets: 'v2' },
    ],
  },
  {
    vector: 'A6',
    title: 'the regular expression * stands for presence in withoutHeaders',
    config: either("withoutHeaders: { x: { regex: '*' } }"),
    requests: [
      { ask: 'reviews/', gets: 'v1' },
      { ask: 'reviews/', with: ['x: a'], gets: 'v2' },
    ],
  },
  {
    vector: 'A7',
    title: 'several values of a header are one text with commas',
    config: rules(
      `match: [{ headers: { x: { exact: a } } }], ${to('v1')}`,
      `match: [{ headers: { x: { exact: 'a,b' } } }], ${to('v3')}`,
      to('v2'),
    ),
    requests: [
      { ask: 'reviews/', with: ['x: a'], gets: 'v1' },
      { ask: 'reviews/', with: ['x: a', 'x: b'], gets: 'v3' },
      { ask: 'reviews/', with: ['x: b', 'x: a'], gets: 'v2' },
    ],
  },
  {
    vector: 'A7',
    title: 'and a regular expression sees all of it',
    config: either("headers: { x: { regex: 'a.*' } }"),
    requests: [
      { ask: 'reviews/', with: ['x: a', 'x: b'], gets: 'v1' },
      { ask: 'reviews/', with: ['x: b', 'x: a'], gets: 'v2' },
    ],
  },
  {
    vector: 'A8',
    title: 'of a query parameter the first counts',
    config: either("queryParams: { q: { exact: '1' } }"),
    requests: [
      { ask: 'reviews/?q=1', gets: 'v1' },
      { ask: 'reviews/?a=b&q=1', gets: 'v1' },
      { ask: 'reviews/?q=1&q=2', gets: 'v1' },
      { ask: 'reviews/?q=2&q=1', gets: 'v2' },
      { ask: 'reviews/?qq=1', gets: 'v2' },
      { ask: 'reviews/', gets: 'v2' },
    ],
  },
  {
    title: 'a query parameter that is there',
    config: either('queryParams: { q: {} }'),
    requests: [
      { ask: 'reviews/?q', gets: 'v1' },
      { ask: 'reviews/?q=', gets: 'v1' },
      { ask: 'reviews/?p=1', gets: 'v2' },
    ],
  },
  {
    title: 'conditions of one match all hold, of several matches one',
    config: rules(`match: [{ uri: { prefix: /a }, headers: { x: { exact: '1' } } }, { method: { exact: POST } }], ${to('v1')}`, to('v2')),
    requests: [
      { ask: 'reviews/a', with: ['x: 1'], gets: 'v1' },
      { ask: 'reviews/a', gets: 'v2' },
      { ask: 'reviews/b', with: ['x: 1'], gets: 'v2' },
      { ask: 'POST reviews/b', body: 'hello', gets: 'v1' },
    ],
  },
  {
    title: 'scheme and authority',
    config: rules(
      `match: [{ scheme: { exact: https } }], ${to('v3')}`,
      `match: [{ authority: { exact: 'reviews.default' } }], ${to('v1')}`,
      to('v2'),
    ),
    requests: [
      { ask: 'https://reviews/', gets: 'v3' },
      { ask: 'http://reviews.default/', gets: 'v1' },
      { ask: 'http://reviews/', gets: 'v2' },
    ],
  },
  {
    title: 'sourceNamespace is for callers of that namespace',
    config: rules(`match: [{ sourceNamespace: books }], ${to('v1')}`, to('v2')),
    requests: [
      { ask: 'reviews.default/', from: 'books', gets: 'v1' },
      { ask: 'reviews.default/', gets: 'v2' },
    ],
  },
  {
    vector: 'A12',
    title: 'the first rule that holds takes the request, however precise a later one is',
    config: rules(`match: [{ uri: { prefix: /a } }], ${to('v1')}`, `match: [{ uri: { exact: /a/b } }], ${to('v3')}`, to('v2')),
    requests: [
      { ask: 'reviews/a/b', gets: 'v1' },
      { ask: 'reviews/b', gets: 'v2' },
    ],
  },
  {
    vector: 'A12',
    title: 'on a Gateway the older VirtualService comes first, and what takes everything last',
    config:
      gateway('[shop.example.com]') +
      virtualService(
        'young',
        'hosts: [shop.example.com], gateways: [front]',
        [`match: [{ uri: { prefix: /a } }], ${to('v2')}`, `match: [{ uri: { prefix: /young } }], ${to('v2')}`],
        ', creationTimestamp: "2026-02-01T00:00:00Z"',
      ) +
      virtualService(
        'old',
        'hosts: [shop.example.com], gateways: [front]',
        [`match: [{ uri: { prefix: /a } }], ${to('v1')}`, to('v3')],
        ', creationTimestamp: "2026-01-01T00:00:00Z"',
      ),
    requests: [
      { ask: 'shop.example.com/a', port: 80, gets: 'v1' },
      { ask: 'shop.example.com/young', port: 80, gets: 'v2' },
      { ask: 'shop.example.com/', port: 80, gets: 'v3' },
    ],
  },
  {
    title: 'rules after one that takes everything are never reached',
    config: rules(to('v1'), `match: [{ uri: { prefix: /a } }], ${to('v2')}`),
    requests: [{ ask: 'reviews/a', gets: 'v1' }],
  },
  {
    title: 'everything: the prefix / and the regular expression .*',
    config: rules(`match: [{ uri: { regex: '.*' } }], ${to('v1')}`, `match: [{ uri: { prefix: / } }], ${to('v2')}`),
    requests: [{ ask: 'reviews/a?b=c', gets: 'v1' }],
  },
  {
    vector: 'A32',
    title: 'a wildcard host is for the names below it, with any port',
    config: gateway('["*.example.com"]') + virtualService('front', 'hosts: ["*.example.com"], gateways: [front]', [to('v1')]),
    requests: [
      { ask: 'a.example.com/', port: 80, gets: 'v1' },
      { ask: 'a.b.example.com/', port: 80, gets: 'v1' },
      { ask: 'A.Example.COM/', port: 80, gets: 'v1' },
      { ask: 'a.example.com:8080/', port: 80, gets: 'v1' },
      { ask: 'example.com/', port: 80, gets: 404 },
    ],
  },
  {
    title: 'an exact host beats a wildcard, a longer wildcard a shorter one, and nothing falls through',
    config:
      gateway('["*"]') +
      virtualService('any', 'hosts: ["*"], gateways: [front]', [to('v3')]) +
      virtualService('wide', 'hosts: ["*.example.com"], gateways: [front]', [to('v2')]) +
      virtualService('one', 'hosts: [a.example.com], gateways: [front]', [`match: [{ uri: { prefix: /a } }], ${to('v1')}`]),
    requests: [
      { ask: 'a.example.com/a', port: 80, gets: 'v1' },
      { ask: 'a.example.com/b', port: 80, gets: 404 },
      { ask: 'b.example.com/a', port: 80, gets: 'v2' },
      { ask: 'elsewhere.org/', port: 80, gets: 'v3' },
    ],
  },
  {
    vector: 'A34',
    title: 'no rule, no host, no subset, no endpoint, no connection',
    config: rules(
      `match: [{ uri: { prefix: /unknown } }], ${to('unknown')}`,
      `match: [{ uri: { prefix: /empty } }], ${to('empty')}`,
      `match: [{ uri: { prefix: /dead } }], ${to('dead')}`,
      `match: [{ uri: { prefix: /v1 } }], ${to('v1')}`,
    ),
    requests: [
      { ask: 'reviews/v1', gets: 'v1' },
      { ask: 'reviews/elsewhere', gets: 404 },
      { ask: 'nobody/', gets: 404 },
      { ask: 'reviews/unknown', gets: 503 },
      { ask: 'reviews/empty', gets: 503 },
      { ask: 'reviews/dead', gets: 503 },
    ],
  },
  {
    vector: 'A35',
    title: 'gRPC is routed by the path of its method',
    config: rules(
      `match: [{ uri: { exact: /foo.Bar/Baz } }], ${to('v1')}`,
      `match: [{ uri: { regex: '/[^/]+/Baz' } }], ${to('v3')}`,
      to('v2'),
    ),
    requests: [
      { ask: 'POST reviews/foo.Bar/Baz', body: '', gets: 'v1' },
      { ask: 'POST reviews/foo.Other/Baz', body: '', gets: 'v3' },
      { ask: 'POST reviews/foo.Bar/Bazaar', body: '', gets: 'v2' },
      { ask: 'POST reviews/a/b/Baz', body: '', gets: 'v2' },
    ],
  },
  {
    vector: 'A9',
    title: 'a lone destination takes everything, also with weight 0',
    config: rules(split({ v1: 0 })),
    shares: [{ ask: 'reviews/', shares: { v1: 1 } }],
  },
  {
    vector: 'A9',
    title: 'weights are relative to their sum',
    config: rules(split({ v1: 1, v2: 3 })),
    shares: [{ ask: 'reviews/', shares: { v1: 0.25, v2: 0.75 } }],
  },
  {
    vector: 'A9',
    title: 'weight 0 beside others gets nothing',
    config: rules(split({ v1: 0, v2: 5 })),
    shares: [{ ask: 'reviews/', shares: { v2: 1 } }],
  },
  {
    title: 'a Gateway serves the mesh nothing, and the mesh not the Gateway',
    config: gatewayRules(to('v1')),
    requests: [
      { ask: 'shop.example.com/', port: 80, gets: 'v1' },
      { ask: 'shop.example.com/', gets: 404 },
    ],
  },
];
