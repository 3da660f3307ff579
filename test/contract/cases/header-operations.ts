/** Values of header operations, and on which answers operations act. */
import { rules, to, type ContractCase } from '../contract.ts';

const request = (operations: string): string => `headers: { request: { ${operations} } }`;
const response = (operations: string): string => `headers: { response: { ${operations} } }`;

export const HEADER_OPERATIONS: readonly ContractCase[] = [
  {
    title: 'a value is made of the first of several headers',
    config: rules(`${to('v1')}, ${request("set: { x-first: '%REQ(x-m)%', x-cut: '%REQ(x-m):2%' }")}`),
    requests: [
      { ask: 'reviews/', with: ['x-m: one', 'x-m: two'], gets: 'v1', sent: { 'x-first': 'one', 'x-cut': 'on', 'x-m': 'one,two' } },
    ],
  },
  {
    title: 'what a rule removes has no value any more',
    config: rules(`${to('v1')}, ${request("remove: [x-old], set: { x-new: '%REQ(x-old)%', x-other: '%REQ(x-old?x-m)%' }")}`),
    requests: [{ ask: 'reviews/', with: ['x-old: 1', 'x-m: 2'], gets: 'v1', sent: { 'x-old': null, 'x-new': null, 'x-other': '2' } }],
  },
  {
    title: 'an empty value leaves its header alone',
    config: rules(`${to('v1')}, ${request("set: { x-a: '', x-b: '%REQ(x-none)%' }, add: { x-a: '%REQ(x-none)%' }")}`),
    requests: [
      { ask: 'reviews/', with: ['x-a: 1', 'x-b: 2'], gets: 'v1', sent: { 'x-a': '1', 'x-b': '2' } },
      { ask: 'reviews/', gets: 'v1', sent: { 'x-a': null, 'x-b': null } },
    ],
  },
  {
    title: 'an empty constant, too',
    config: rules(`${to('v1')}, ${request("set: { x-a: '' }")}`),
    requests: [{ ask: 'reviews/', with: ['x-a: 1'], gets: 'v1', sent: { 'x-a': '1' } }],
  },
  {
    title: 'a rule with several destinations sees what the destination has done',
    config: rules(
      `route: [${[60, 40]
        .map(
          (weight) =>
            `{ destination: { host: reviews, subset: v1 }, weight: ${weight}, headers: { request: { set: { x-a: destination } } } }`,
        )
        .join(', ')}], ${request("set: { x-from: '%REQ(x-a)%' }")}`,
    ),
    requests: [{ ask: 'reviews/', with: ['x-a: client'], gets: 'v1', sent: { 'x-a': 'destination', 'x-from': 'destination' } }],
  },
  {
    title: 'operations on the answer see the request as it went',
    config: rules(
      `${to('v1')}, rewrite: { uri: /new, authority: other }, headers: { request: { set: { x-a: set } }, response: { set: { x-path: '%REQ(:path)%', x-host: '%REQ(:authority)%', x-was: '%REQ(x-envoy-original-path)%', x-a: '%REQ(x-a)%', x-status: '%RESP(:status)%', x-details: '%RESPONSE_CODE_DETAILS%' } } }`,
    ),
    requests: [
      {
        ask: 'reviews/old',
        with: ['x-a: client'],
        gets: 'v1',
        answer: {
          'x-path': '/newold',
          'x-host': 'other',
          'x-was': '/old',
          'x-a': 'set',
          'x-status': '200',
          'x-details': 'via_upstream',
        },
      },
    ],
  },
  {
    title: 'the id of a request can be told to its client',
    config: rules(`${to('v1')}, ${response("set: { x-id: '%REQ(x-request-id)%' }")}`),
    requests: [{ ask: 'reviews/', with: ['x-request-id: chosen'], gets: 'v1', answer: { 'x-id': 'chosen' } }],
  },
  {
    title: 'values of a query, of bodies and of the answer',
    config: rules(
      `${to('v1')}, headers: { request: { set: { x-q: '%QUERY_PARAM(q)%' } }, response: { set: { x-sent: '%BYTES_RECEIVED%', x-code: '%RESPONSE_CODE%' } } }`,
    ),
    requests: [{ ask: 'POST reviews/?p=1&q=a%20b&q=2', body: 'hello', gets: 'v1', sent: { 'x-q': 'a%20b' }, answer: { 'x-code': '200' } }],
  },
  ...(['dead', 'empty', 'unknown'] as const).map((version): ContractCase => ({
    title: `operations act on answers in place of a version's: ${version}`,
    config: rules(`${to(version)}, ${response("set: { x-a: '%RESPONSE_CODE%' }, add: { strict-transport-security: max-age=1 }")}`),
    requests: [{ ask: 'reviews/', gets: 503, answer: { 'x-a': '503', 'strict-transport-security': 'max-age=1' } }],
  })),
  {
    title: 'operations act on an abort',
    config: rules(`${to('v1')}, fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }, ${response('set: { x-a: b }')}`),
    requests: [{ ask: 'reviews/', gets: 418, answer: { 'x-a': 'b' } }],
  },
  {
    title: 'and on an answer that does not come in time',
    config: rules(`${to('v1')}, timeout: 250ms, ${response('set: { x-a: b, content-type: text/html }')}`),
    requests: [{ ask: 'reviews/', with: ['x-do: slow'], gets: 504, answer: { 'x-a': 'b', 'content-type': 'text/html' } }],
  },
];
