/** What Istio's webhook refuses, and so does Serin. */
import { rules, split, to, type RefusedCase } from '../contract.ts';

export const REFUSED: readonly RefusedCase[] = [
  {
    vector: 'A9',
    title: 'several destinations, all of weight 0',
    config: rules(split({ v1: 0, v2: 0 })),
    path: 'spec.http[0].route',
    says: 'weight',
  },
  {
    title: 'a negative weight',
    config: rules(split({ v1: -1, v2: 2 })),
    path: 'spec.http[0].route[0].weight',
    says: '-1',
  },
  {
    vector: 'A16',
    title: 'a lone percent sign',
    config: rules(`${to('v1')}, headers: { request: { set: { a: "100%" } } }`),
    path: 'spec.http[0].headers.request.set.a',
    says: '%%',
  },
  {
    vector: 'A17',
    title: 'a percentage below a millionth',
    config: rules(`${to('v1')}, fault: { abort: { httpStatus: 500, percentage: { value: 0.00005 } } }`),
    path: 'spec.http[0].fault.abort.percentage.value',
    says: '0.0001',
  },
  {
    vector: 'A19',
    title: 'a space in retryOn',
    config: rules(`${to('v1')}, retries: { attempts: 2, retryOn: "5xx, gateway-error" }`),
    path: 'spec.http[0].retries.retryOn',
    says: 'gateway-error',
  },
  {
    title: 'attempts: 0 with a condition',
    config: rules(`${to('v1')}, retries: { attempts: 0, retryOn: 5xx }`),
    path: 'spec.http[0].retries',
    says: 'attempts',
  },
  {
    vector: 'A6',
    title: 'the regular expression * in headers',
    config: rules(`match: [{ headers: { x: { regex: '*' } } }], ${to('v1')}`),
    path: 'spec.http[0].match[0].headers.x.regex',
    says: '*',
  },
  {
    title: 'an empty prefix of a header',
    config: rules(`match: [{ headers: { x: { prefix: '' } } }], ${to('v1')}`),
    path: 'spec.http[0].match[0].headers.x.prefix',
    says: 'empty',
  },
  {
    title: 'a redirect that also routes',
    config: rules(`redirect: { uri: /x }, ${to('v1')}`),
    path: 'spec.http[0].route',
    says: 'redirect',
  },
  {
    title: 'a rule that does nothing',
    config: rules('match: [{ uri: { prefix: /x } }]'),
    path: 'spec.http[0]',
    says: 'route',
  },
  {
    title: 'prefixRewrite without a prefix to replace',
    config: rules('match: [{ uri: { exact: /x } }], redirect: { prefixRewrite: /y }'),
    path: 'spec.http[0].redirect.prefixRewrite',
    says: 'prefix',
  },
  {
    title: 'two ways to say the Host',
    config: rules(`rewrite: { authority: a }, headers: { request: { set: { host: b } } }, ${to('v1')}`),
    path: 'spec.http[0].headers.request.set.host',
    says: 'Host',
  },
];
