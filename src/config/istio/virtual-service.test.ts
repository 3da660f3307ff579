/** A VirtualService field by field: what Istio's webhook refuses is refused, at the field; what it accepts is accepted. */
import { describe, expect, test } from 'vitest';
import { loadText } from '../load.ts';

/** Errors of a VirtualService with this spec, as `path CODE`; the references it makes are not the matter here. */
function errorsOf(spec: string, severity: 'error' | 'warning' = 'error'): string[] {
  const text = `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: x }\nspec: ${spec}\n`;
  return loadText('x.yaml', text)
    .diagnostics.filter((diagnostic) => diagnostic.severity === severity && !/^W_(?:UNKNOWN|NOT_HONOURED)/.test(diagnostic.code))
    .map(({ path, code }) => `${path.replace(/^spec\./, '')} ${code}`);
}

const withRule = (rule: string): string => `{ hosts: [a], http: [${rule}] }`;
const withMatch = (match: string): string => withRule(`{ match: [${match}], route: [{ destination: { host: a } }] }`);
const routed = (rest: string): string => withRule(`{ route: [{ destination: { host: a } }], ${rest} }`);

const REDIRECT = '{ redirect: { uri: /x } }';
const ROUTE = '{ route: [{ destination: { host: a } }] }';

describe('hosts and gateways', () => {
  test.each([
    ['{ http: [] }', ['spec E_REQUIRED', 'spec E_REQUIRED']],
    ['{ hosts: [a] }', ['spec E_REQUIRED']],
    ['{ hosts: [a, a], http: [ROUTE] }', ['hosts[1] E_DUPLICATE']],
    ['{ hosts: ["*.b.com", a.b.com], http: [ROUTE] }', ['hosts[1] E_DUPLICATE']],
    ['{ hosts: [a.b.com, "*.com"], http: [ROUTE] }', ['hosts[1] E_DUPLICATE']],
    ['{ hosts: ["*", a.b.com], gateways: [g], http: [ROUTE] }', ['hosts[1] E_DUPLICATE']],
    ['{ hosts: ["*"], http: [ROUTE] }', ['hosts[0] E_HOST']],
    ['{ hosts: ["*"], gateways: [g, mesh], http: [ROUTE] }', ['hosts[0] E_HOST']],
    ['{ hosts: ["*"], gateways: [g], http: [ROUTE] }', []],
    ['{ hosts: ["10.0.0.1"], gateways: [g], http: [ROUTE] }', []],
    ['{ hosts: [a..b], http: [ROUTE] }', ['hosts[0] E_HOST']],
    ['{ hosts: ["*.*.a"], http: [ROUTE] }', ['hosts[0] E_HOST']],
    ['{ hosts: ["-a"], http: [ROUTE] }', ['hosts[0] E_HOST']],
    ['{ hosts: ["a b"], http: [ROUTE] }', ['hosts[0] E_HOST']],
    ['{ hosts: [a/b], http: [ROUTE] }', ['hosts[0] E_HOST']],
    ['{ hosts: [bücher.example], http: [ROUTE] }', ['hosts[0] E_HOST']],
    [`{ hosts: [${'a.'.repeat(130)}a], http: [ROUTE] }`, ['hosts[0] E_HOST']],
    ['{ hosts: [a], gateways: [ns/gw, mesh], http: [ROUTE] }', []],
    ['{ hosts: [a], gateways: [NS/gw], http: [ROUTE] }', ['gateways[0] E_NAME']],
    ['{ hosts: [a], gateways: [ns/], http: [ROUTE] }', ['gateways[0] E_NAME']],
    ['{ hosts: [a], exportTo: [".", x], http: [ROUTE] }', []],
    ['{ hosts: [a], exportTo: [".", default], http: [ROUTE] }', ['exportTo[1] E_EXPORT_TO']],
    ['{ hosts: [a], exportTo: ["*", x], http: [ROUTE] }', ['exportTo E_EXPORT_TO']],
    ['{ hosts: [a], exportTo: ["~"], http: [ROUTE] }', ['exportTo[0] E_EXPORT_TO']],
    ['{ http: [ROUTE] }', []],
    ['{ gateways: [g], http: [ROUTE] }', ['gateways E_ONE_OF']],
    ['{ http: [{ delegate: { name: b } }] }', ['http[0].delegate E_ROUTE']],
  ])('%s', (spec, expected) => {
    expect(errorsOf(spec.replaceAll('ROUTE', ROUTE))).toEqual(expected);
  });

  test('an IDN host is shown as punycode', () => {
    const text =
      'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: x }\nspec: { hosts: [bücher.example], http: [] }\n';
    expect(
      loadText('x', text)
        .diagnostics.map(({ message }) => message)
        .join(),
    ).toContain('xn--bcher-kva.example');
  });
});

describe('actions of a rule', () => {
  test.each([
    ['{}', ['http[0] E_ROUTE']],
    ['{ route: [] }', ['http[0] E_ROUTE']],
    [REDIRECT, []],
    ['{ directResponse: { status: 503 } }', []],
    ['{ redirect: { uri: /x }, route: [{ destination: { host: a } }] }', ['http[0].route E_ROUTE']],
    ['{ redirect: { uri: /x }, fault: { abort: { httpStatus: 500 } } }', ['http[0].fault E_ROUTE']],
    ['{ redirect: { uri: /x }, rewrite: { uri: /y } }', ['http[0].rewrite E_ROUTE']],
    ['{ redirect: { uri: /x }, directResponse: { status: 200 } }', ['http[0].directResponse E_ROUTE']],
    ['{ directResponse: { status: 200 }, route: [{ destination: { host: a } }] }', ['http[0].route E_ROUTE']],
    ['{ directResponse: { status: 200 }, rewrite: { uri: /y } }', ['http[0].rewrite E_ROUTE']],
    ['{ delegate: { name: b, namespace: c } }', []],
    ['{ delegate: { name: b }, route: [{ destination: { host: a } }] }', ['http[0].route E_ROUTE']],
    ['{ delegate: { name: b }, redirect: { uri: /x } }', ['http[0].redirect E_ROUTE']],
    ['{ delegate: { name: b }, match: [{ uri: { regex: /x } }] }', ['http[0].match[0].uri.regex E_STRING_MATCH']],
  ])('%s', (rule, expected) => {
    expect(errorsOf(withRule(rule))).toEqual(expected);
  });
});

describe('match', () => {
  test.each([
    ['{ uri: { exact: /x } }', []],
    ['{ uri: { prefix: "" } }', []],
    ['{ uri: { exact: /x, prefix: /y } }', ['uri E_STRING_MATCH']],
    ['{ uri: { regex: "" } }', ['uri.regex E_REGEX']],
    ['{ uri: { regex: "(" } }', ['uri.regex E_REGEX']],
    ['{ uri: { regex: "[z-a]" } }', ['uri.regex E_REGEX']],
    ['{ uri: { regex: "(a+)+$" } }', []],
    ['{ uri: { regex: "a{1,100000}" } }', ['uri.regex E_REGEX']],
    ['{ uri: { regex: "(?=a)b" } }', ['uri.regex E_REGEX_UNSUPPORTED']],
    ['{ uri: { regex: "(?<!a)b" } }', ['uri.regex E_REGEX_UNSUPPORTED']],
    ['{ uri: { regex: "(a)\\\\1" } }', ['uri.regex E_REGEX_UNSUPPORTED']],
    [`{ uri: { regex: "${'a'.repeat(1024)}" } }`, []],
    [`{ uri: { regex: "${'a'.repeat(1025)}" } }`, ['uri.regex E_REGEX']],
    [`{ uri: { regex: "${'é'.repeat(513)}" } }`, ['uri.regex E_REGEX']],
    ['{ method: { prefix: "" } }', ['method.prefix E_STRING_MATCH']],
    ['{ scheme: { exact: "" }, authority: { exact: h } }', []],
    ['{ headers: { x: {} } }', []],
    ['{ headers: { x: { exact: "" } } }', []],
    ['{ headers: { x: { prefix: "" } } }', ['headers.x.prefix E_STRING_MATCH']],
    ['{ headers: { x: { regex: "*" } } }', ['headers.x.regex E_REGEX']],
    ['{ withoutHeaders: { x: { regex: "*" } } }', []],
    ['{ withoutHeaders: { x: } }', []],
    ['{ headers: { x: } }', ['headers.x E_TYPE']],
    ['{ queryParams: { x: } }', ['queryParams.x E_TYPE']],
    ['{ headers: { ":method": { exact: GET } } }', []],
    ['{ headers: { ":nothing": { exact: GET } } }', ['headers[":nothing"] E_HEADER_NAME']],
    ['{ headers: { "X Y": {} } }', ['headers["X Y"] E_HEADER_NAME']],
    ['{ headers: { "": {} } }', ['headers[""] E_HEADER_NAME']],
    ['{ withoutHeaders: { "x:y": {} } }', ['withoutHeaders["x:y"] E_HEADER_NAME']],
    ['{ queryParams: { q: { exact: "1" } }, port: 80, ignoreUriCase: true }', []],
    ['{ port: 65536 }', ['port E_PORT']],
    ['{ port: -1 }', ['port E_RANGE']],
    ['{ sourceLabels: { a: b }, sourceNamespace: ns, gateways: [mesh], statPrefix: p, name: n }', []],
    ['{ sourceLabels: { "a b": c } }', ['sourceLabels["a b"] E_NAME']],
    ['{ sourceNamespace: Ns }', ['sourceNamespace E_NAME']],
    ['{ gateways: ["a b"] }', ['gateways[0] E_NAME']],
  ])('%s', (match, expected) => {
    expect(errorsOf(withMatch(match))).toEqual(expected.map((line) => `http[0].match[0].${line}`));
  });

  test.each(['foo', '/a?b', '/a#b', '/a b', '/a/../b', '/%zz'])(
    'path %s is accepted, as Istio does, but warned about: it never matches (B-42)',
    (path) => {
      expect(errorsOf(withMatch(`{ uri: { exact: "${path}" } }`))).toEqual([]);
      expect(errorsOf(withMatch(`{ uri: { exact: "${path}" } }`), 'warning')).toEqual(['http[0].match[0].uri.exact W_INEFFECTIVE']);
    },
  );
});

describe('destinations and weights', () => {
  const split = (...destinations: string[]): string => withRule(`{ route: [${destinations.join(', ')}] }`);
  test.each([
    [split('{ destination: { host: a }, weight: 0 }'), []],
    [split('{ destination: { host: a } }', '{ destination: { host: b } }'), ['http[0].route E_WEIGHT']],
    [split('{ destination: { host: a }, weight: 0 }', '{ destination: { host: b }, weight: 0 }'), ['http[0].route E_WEIGHT']],
    [split('{ destination: { host: a }, weight: 1 }', '{ destination: { host: b }, weight: 3 }'), []],
    [split('{ destination: { host: a }, weight: 0 }', '{ destination: { host: b }, weight: 250 }'), []],
    [split('{ destination: { host: a }, weight: -1 }', '{ destination: { host: b }, weight: 3 }'), ['http[0].route[0].weight E_WEIGHT']],
    [split('{ destination: { host: a }, weight: 9007199254740993 }'), ['http[0].route[0].weight E_RANGE']],
    [split('{ destination: { host: a }, weight: "10" }'), ['http[0].route[0].weight E_TYPE']],
    [split('{ destination: { host: a }, weight: 10.5 }'), ['http[0].route[0].weight E_TYPE']],
    [split('{ destination: { host: a }, weight: true }'), ['http[0].route[0].weight E_TYPE']],
    [split('{ destination: { host: a }, weight: null }'), ['http[0].route[0].weight E_TYPE']],
    [split('{ destination: { host: a }, weight: .nan }'), ['http[0].route[0].weight E_TYPE']],
    [split('{ destination: { host: a }, weight: .inf }'), ['http[0].route[0].weight E_TYPE']],
    [split('{ destination: { host: a }, weight: 1e400 }'), ['http[0].route[0].weight E_TYPE']],
    [split('{ destination: { host: "*" } }'), ['http[0].route[0].destination.host E_HOST']],
    [split('{ destination: { host: "" } }'), ['http[0].route[0].destination.host E_HOST']],
    [split('{ destination: {} }'), ['http[0].route[0].destination.host E_REQUIRED']],
    [split('{ weight: 1 }'), ['http[0].route[0].destination E_REQUIRED']],
    [split('{ destination: { host: a, subset: "V 1" } }'), ['http[0].route[0].destination.subset E_NAME']],
    [split('{ destination: { host: a, port: { number: 0 } } }'), ['http[0].route[0].destination.port.number E_PORT']],
    [split('{ destination: { host: a, port: {} } }'), ['http[0].route[0].destination.port.number E_PORT']],
    [split('{ destination: { host: a, port: { number: 80a } } }'), ['http[0].route[0].destination.port.number E_TYPE']],
    [split('{ destination: { host: a, port: { number: 65536 } } }'), ['http[0].route[0].destination.port.number E_PORT']],
  ])('%s', (spec, expected) => {
    expect(errorsOf(spec)).toEqual(expected);
  });
});

describe('headers', () => {
  test.each([
    ['{ request: { set: { x: "100%%" }, add: { y: "%REQ(:path)%" }, remove: [z] } }', []],
    ['{ request: { set: { x: "%HOSTNAME%" } } }', []],
    ['{ request: { set: { x: "%START_TIME(%Y)%" } } }', []],
    ['{ request: { set: { x: "abc%123" } } }', ['request.set.x E_HEADER_VALUE']],
    ['{ request: { set: { x: "%START_TIME%%" } } }', ['request.set.x E_HEADER_VALUE']],
    ['{ request: { set: { x: "%" } } }', ['request.set.x E_HEADER_VALUE']],
    ['{ request: { set: { x: "a\\r\\nX: y" } } }', ['request.set.x E_HEADER_VALUE']],
    ['{ request: { set: { x: "a\\0b" } } }', ['request.set.x E_HEADER_VALUE']],
    ['{ request: { set: { x: "☃" } } }', ['request.set.x E_HEADER_VALUE']],
    ['{ request: { set: { "X Y": a } } }', ['request.set["X Y"] E_HEADER_NAME']],
    ['{ request: { add: { "": a } } }', ['request.add[""] E_HEADER_NAME']],
    ['{ request: { set: { Host: a } } }', []],
    ['{ request: { set: { ":authority": a } } }', []],
    ['{ request: { set: { ":path": a } } }', ['request.set[":path"] E_HEADER_FORBIDDEN']],
    ['{ request: { set: { Host: a }, add: { ":authority": b } } }', ['request.add[":authority"] E_ONE_OF']],
    ['{ request: { remove: [Host] } }', ['request.remove[0] E_HEADER_FORBIDDEN']],
    ['{ response: { set: { Host: a } } }', ['response.set.Host E_HEADER_FORBIDDEN']],
    ['{ response: { remove: [":status"] } }', ['response.remove[0] E_HEADER_FORBIDDEN']],
    ['{ request: { set: { Connection: a } } }', ['request.set.Connection E_HEADER_FORBIDDEN']],
    ['{ request: { add: { content-length: "1" } } }', ['request.add["content-length"] E_HEADER_FORBIDDEN']],
    ['{ response: { set: { Transfer-Encoding: chunked } } }', ['response.set["Transfer-Encoding"] E_HEADER_FORBIDDEN']],
    ['{ request: { set: { a: "1", A: "2" } } }', ['request.set.A E_DUPLICATE']],
  ])('%s, on the rule and on a destination', (headers, expected) => {
    expect(errorsOf(routed(`headers: ${headers}`))).toEqual(expected.map((line) => `http[0].headers.${line}`));
    const onDestination = expected.filter((line) => !line.endsWith('E_ONE_OF')).map((line) => `http[0].route[0].headers.${line}`);
    expect(errorsOf(withRule(`{ route: [{ destination: { host: a }, headers: ${headers} }] }`))).toEqual(onDestination);
  });
});

describe('the rest of a rule', () => {
  test.each([
    ['timeout: 5s', []],
    ['timeout: 0s', ['timeout E_DURATION']],
    ['timeout: "5"', ['timeout E_DURATION']],
    ['timeout: 5 minutes', ['timeout E_DURATION']],
    ['timeout: "-1s"', ['timeout E_DURATION']],
    ['timeout: "1:30"', ['timeout E_DURATION']],
    ['timeout: 1e9d', ['timeout E_DURATION']],
    ['timeout: 0.5ms', ['timeout E_DURATION']],
    ['timeout: 1.5ms', ['timeout E_DURATION']],
    ['rewrite: {}', ['rewrite E_ONE_OF']],
    ['rewrite: { uri: /a, uriRegexRewrite: { match: a, rewrite: b } }', ['rewrite E_ONE_OF']],
    ['rewrite: { uriRegexRewrite: { match: "/(.*)", rewrite: "/\\\\1" } }', []],
    ['rewrite: { uriRegexRewrite: { match: "(", rewrite: b } }', ['rewrite.uriRegexRewrite.match E_REGEX']],
    ['rewrite: { uriRegexRewrite: { match: a } }', ['rewrite.uriRegexRewrite.rewrite E_REQUIRED']],
    ['rewrite: { authority: a }, headers: { request: { set: { host: b } } }', ['headers.request.set.host E_ONE_OF']],
    ['rewrite: { uri: "/a b" }', ['rewrite.uri E_PATH']],
    ['retries: { attempts: 3, perTryTimeout: 2s, retryOn: "5xx,reset,503" }', []],
    ['retries: { attempts: 0 }', []],
    ['retries: { attempts: 0, perTryTimeout: 2s }', ['retries E_RETRY']],
    ['retries: { attempts: -1 }', ['retries.attempts E_RETRY']],
    ['retries: { attempts: 3, retryOn: "5xx, reset" }', ['retries.retryOn E_RETRY']],
    ['retries: { attempts: 3, retryOn: nonsense }', ['retries.retryOn E_RETRY']],
    ['retries: { attempts: 3, backoff: 0s }', ['retries.backoff E_DURATION']],
    ['fault: {}', ['fault E_FAULT']],
    ['fault: { delay: { fixedDelay: 7s, percentage: { value: 0.0001 } } }', []],
    ['fault: { delay: { fixedDelay: 7s, percentage: { value: 0.00005 } } }', ['fault.delay.percentage.value E_RANGE']],
    ['fault: { abort: { httpStatus: 500, percentage: { value: 100.1 } } }', ['fault.abort.percentage.value E_RANGE']],
    ['fault: { abort: { httpStatus: 199 } }', ['fault.abort.httpStatus E_RANGE']],
    ['fault: { abort: { httpStatus: 500, grpcStatus: ABORTED } }', ['fault.abort E_ONE_OF']],
    ['fault: { abort: { grpcStatus: NO_IDEA } }', ['fault.abort.grpcStatus E_FAULT']],
    ['fault: { abort: { http2Error: X } }', ['fault.abort.http2Error E_FAULT']],
    ['fault: { delay: { exponentialDelay: 1s } }', ['fault.delay.exponentialDelay E_FAULT']],
    ['mirror: { host: b }, mirrorPercentage: { value: 50 }', []],
    ['mirror: { host: b }, mirrorPercentage: { value: 101 }', ['mirrorPercentage.value E_RANGE']],
    ['mirror: { host: b }, mirrorPercent: 101', ['mirrorPercent E_RANGE']],
    ['mirror: { host: b }, mirrors: [{ destination: { host: c } }]', ['mirrors E_ONE_OF']],
    ['mirrors: [{ destination: { host: c }, percentage: { value: -1 } }]', ['mirrors[0].percentage.value E_RANGE']],
    ['mirrors: [{ percentage: { value: 1 } }]', ['mirrors[0].destination E_REQUIRED']],
    ['corsPolicy: { allowOrigins: [{ exact: "https://a" }], allowMethods: [GET, "*"], allowHeaders: [x], maxAge: 24h }', []],
    ['corsPolicy: { allowOrigins: [{}] }', ['corsPolicy.allowOrigins[0] E_CORS']],
    ['corsPolicy: { allowMethods: [get] }', ['corsPolicy.allowMethods[0] E_CORS']],
    ['corsPolicy: { exposeHeaders: ["a b"] }', ['corsPolicy.exposeHeaders[0] E_HEADER_NAME']],
    ['corsPolicy: { maxAge: 1500ms }', ['corsPolicy.maxAge E_CORS']],
    ['corsPolicy: { unmatchedPreflights: DROP }', ['corsPolicy.unmatchedPreflights E_ENUM']],
  ])('%s', (field, expected) => {
    expect(errorsOf(routed(field))).toEqual(expected.map((line) => `http[0].${line}`));
  });

  test.each([
    ['{}', ['redirect E_REDIRECT']],
    ['{ authority: h }', []],
    ['{ scheme: https }', []],
    ['{ port: 8443 }', []],
    ['{ derivePort: FROM_REQUEST_PORT }', []],
    ['{ port: 80, derivePort: FROM_REQUEST_PORT }', ['redirect E_ONE_OF']],
    ['{ uri: /x, prefixRewrite: /y }', ['redirect E_ONE_OF']],
    ['{ uri: /x, redirectCode: 308 }', []],
    ['{ uri: /x, redirectCode: 200 }', ['redirect.redirectCode E_REDIRECT']],
    ['{ uri: /x, redirectCode: 399 }', ['redirect.redirectCode E_REDIRECT']],
    ['{ scheme: javascript }', ['redirect.scheme E_REDIRECT']],
    ['{ uri: "javascript:alert(1)" }', ['redirect.uri E_REDIRECT']],
    ['{ uri: //evil }', ['redirect.uri E_REDIRECT']],
    ['{ uri: "/a\\r\\nb" }', ['redirect.uri E_REDIRECT']],
    ['{ authority: "a/b" }', ['redirect.authority E_REDIRECT']],
    ['{ port: 65536 }', ['redirect.port E_PORT']],
  ])('redirect %s', (redirect, expected) => {
    expect(errorsOf(withRule(`{ redirect: ${redirect} }`))).toEqual(expected.map((line) => `http[0].${line}`));
  });

  test('prefixRewrite needs a prefix in every match', () => {
    const rule = (match: string): string => withRule(`{ match: [${match}], redirect: { prefixRewrite: / } }`);
    expect(errorsOf(rule('{ uri: { prefix: /foo } }'))).toEqual([]);
    expect(errorsOf(rule('{ uri: { prefix: /foo } }, { uri: { exact: /bar } }'))).toEqual(['http[0].redirect.prefixRewrite E_REDIRECT']);
  });

  test.each([
    ['{ status: 200, body: { string: ok } }', []],
    ['{ status: 99 }', ['status E_RANGE']],
    ['{ status: 1000 }', ['status E_RANGE']],
    ['{ status: 2xx }', ['status E_TYPE']],
    ['{ body: { string: x } }', ['status E_REQUIRED']],
    ['{ status: 200, body: { string: x, bytes: eA== } }', ['body E_ONE_OF']],
    ['{ status: 200, body: { bytes: "!!" } }', ['body.bytes E_TYPE']],
    [`{ status: 200, body: { string: ${'x'.repeat(1024 * 1024 + 1)} } }`, ['body E_RANGE']],
  ])('directResponse %.60s', (response, expected) => {
    expect(errorsOf(withRule(`{ directResponse: ${response} }`))).toEqual(expected.map((line) => `http[0].directResponse.${line}`));
  });

  test('a body above 100 KiB is warned about', () => {
    expect(errorsOf(withRule(`{ directResponse: { status: 200, body: { string: ${'x'.repeat(102_401)} } } }`), 'warning')).toEqual([
      'http[0].directResponse.body W_INEFFECTIVE',
    ]);
  });
});

describe('tls and tcp', () => {
  const route = 'route: [{ destination: { host: a } }]';
  test.each([
    [`tls: [{ match: [{ sniHosts: [a.b.com], port: 443 }], ${route} }]`, []],
    [`tls: [{ match: [{ sniHosts: [c.com] }], ${route} }]`, ['tls[0].match[0].sniHosts[0] E_HOST']],
    [`tls: [{ match: [{ sniHosts: [] }], ${route} }]`, ['tls[0].match[0].sniHosts E_REQUIRED']],
    [`tls: [{ match: [], ${route} }]`, ['tls[0].match E_REQUIRED']],
    ['tls: [{ match: [{ sniHosts: [a.b.com] }] }]', ['tls[0] E_REQUIRED']],
    [`tcp: [{ match: [{ port: 27017, destinationSubnets: [10.0.0.0/8], sourceSubnet: 10.1.2.3 }], ${route} }]`, []],
    [`tcp: [{ match: [{ destinationSubnets: [10.0.0.0/33] }], ${route} }]`, ['tcp[0].match[0].destinationSubnets[0] E_ADDRESS']],
    [`tcp: [{ match: [{ port: 70000 }], ${route} }]`, ['tcp[0].match[0].port E_PORT']],
    ['tcp: [{ route: [{ destination: { host: a } }, { destination: { host: b } }] }]', ['tcp[0].route E_WEIGHT']],
  ])('%s', (rules, expected) => {
    expect(errorsOf(`{ hosts: ["*.b.com"], gateways: [g], ${rules} }`)).toEqual(expected);
  });
});

describe('what one VirtualService shows to be useless', () => {
  test('rules after one that matches everything (IST0130)', () => {
    expect(
      errorsOf(`{ hosts: [a], http: [{ name: all, match: [{ uri: { prefix: / } }], ${ROUTE.slice(2)}, ${ROUTE}, ${REDIRECT}] }`, 'warning'),
    ).toEqual(['http[1] W_UNREACHABLE']);
    expect(errorsOf(`{ hosts: [a], http: [${REDIRECT}, ${ROUTE}] }`, 'warning')).toEqual(['http[1] W_UNREACHABLE']);
    expect(errorsOf(`{ hosts: [a], http: [{ match: [{ uri: { prefix: /x } }], ${ROUTE.slice(2)}, ${ROUTE}] }`, 'warning')).toEqual([]);
  });

  test('a match that an earlier rule has too (IST0131)', () => {
    const rule = `{ match: [{ name: NAME, uri: { prefix: /x } }], ${ROUTE.slice(2)}`;
    expect(errorsOf(`{ hosts: [a], http: [${rule}, ${rule.replace('NAME', 'OTHER')}] }`, 'warning')).toEqual([
      'http[1].match[0] W_SHADOWED',
    ]);
  });
});

test('one mistake does not hide another', () => {
  expect(errorsOf('{ hosts: [a], http: [{ timeout: 5, rout: [], retries: { attempts: -1 } }], Gateways: [] }').sort()).toEqual([
    'Gateways E_UNKNOWN_KEY',
    'http[0].retries.attempts E_RETRY',
    'http[0].rout E_UNKNOWN_KEY',
    'http[0].timeout E_TYPE',
  ]);
});

describe('neither does one that leaves a hole', () => {
  const NEGATIVE = '{ destination: { host: b }, weight: -5 }';
  test.each([
    [`[{ route: [{ destination: { host: 5 }, weight: 1 }, ${NEGATIVE}] }]`, ['http[0].route[0].destination.host E_TYPE']],
    [
      `[{ route: [{ destination: { hsot: a } }, ${NEGATIVE}] }]`,
      ['http[0].route[0].destination.host E_REQUIRED', 'http[0].route[0].destination.hsot E_UNKNOWN_KEY'],
    ],
    [
      `[{ route: [{ destinaton: { host: a } }, ${NEGATIVE}] }]`,
      ['http[0].route[0].destination E_REQUIRED', 'http[0].route[0].destinaton E_UNKNOWN_KEY'],
    ],
    [`[{ route: [null, ${NEGATIVE}] }]`, ['http[0].route[0] E_TYPE']],
    [`[{ match: [7], route: [{ destination: { host: a } }, ${NEGATIVE}] }]`, ['http[0].match[0] E_TYPE']],
    [`[{ route: { host: a } }, 7, { route: [{ destination: { host: a } }, ${NEGATIVE}] }]`, ['http[0].route E_TYPE', 'http[1] E_TYPE']],
  ])('%s', (http, others) => {
    const { diagnostics } = loadText(
      'x',
      `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: a }\nspec: { hosts: [a], http: ${http} }\n`,
    );
    const found = diagnostics.map(({ path, code }) => `${path.replace('spec.', '')} ${code}`);
    const rule = http.startsWith('[{ route: {') ? 2 : 0;
    expect(found.toSorted()).toEqual([...others, `http[${rule}].route[1].weight E_WEIGHT`].toSorted());
  });

  test('a misspelt match does not make its rule one for everything', () => {
    const { diagnostics } = loadText(
      'x',
      'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: a }\nspec: { hosts: [a], http: [{ mtach: [], redirect: { uri: /a } }, { redirect: { uri: /b } }] }\n',
    );
    expect(diagnostics.map(({ code }) => code)).toEqual(['E_UNKNOWN_KEY']);
  });
});
