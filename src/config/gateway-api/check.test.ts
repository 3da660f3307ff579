/**
 * What is said of mistakes in the Gateway API's kinds, and where. Which documents are refused at all, test/gateway-api-oracle.test.ts holds against the
 * definitions themselves.
 */
import { describe, expect, test } from 'vitest';
import { loadText } from '../load.ts';

function load(kind: string, spec: string, version = 'v1'): readonly string[] {
  const text = `apiVersion: gateway.networking.k8s.io/${version}\nkind: ${kind}\nmetadata: { name: x }\nspec: ${spec}\n`;
  return loadText('x.yaml', text).diagnostics.map(({ code, path, message }) => `${code} ${path}: ${message}`);
}

const listeners = (rest: string): string => `{ gatewayClassName: serin, listeners: [${rest}] }`;
const rule = (rest: string): string => `{ rules: [{ ${rest} }] }`;
const filter = (rest: string): string => rule(`filters: [{ ${rest} }]`);

test('problems stand at their own lines, several of them in one file', () => {
  const text = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: orders
spec:
  parentRefs:
    - name: front
    - name: front
  hostnames:
    - Orders.example.com
  rules:
    - matches:
        - path:
            type: Exact
            value: orders
          headers:
            - name: "end user"
              value: jason
      backendRef:
        - name: orders
      timeouts:
        request: 1.5s
    - backendRefs:
        - name: orders
        - name: carts
          port: 80
          weight: 1000001
`;
  const { diagnostics } = loadText('x.yaml', text);
  expect(diagnostics.map(({ line, column, code, path, message, hint }) => [`${line}:${column} ${code} ${path}`, message, hint])).toEqual([
    [
      '8:7 E_DUPLICATE spec.parentRefs[1]',
      'Gateway "front" is the parent of parentRefs[0] too',
      'give each a sectionName or port of its own, or keep one',
    ],
    [
      '10:7 E_HOST spec.hostnames[0]',
      'expected a host name, found "Orders.example.com"',
      'lower-case letters, digits, - and ., without a port; *. may stand before it',
    ],
    ['15:20 E_PATH spec.rules[0].matches[0].path.value', 'a path begins with /, found "orders"', undefined],
    [
      '17:21 E_HEADER_NAME spec.rules[0].matches[0].headers[0].name',
      'expected an HTTP header name, found "end user"',
      'letters, digits and - are safe',
    ],
    ['19:7 E_UNKNOWN_KEY spec.rules[0].backendRef', 'unknown key "backendRef"', 'did you mean backendRefs?'],
    [
      '22:18 E_DURATION spec.rules[0].timeouts.request',
      'expected a duration, found "1.5s"',
      'one to four whole numbers with units: 500ms, 30s, 1h30m',
    ],
    [
      '24:11 E_REQUIRED spec.rules[1].backendRefs[0]',
      'the reference to Service "orders" needs a port',
      'add port: with one of the ports of the Service',
    ],
    ['27:19 E_RANGE spec.rules[1].backendRefs[1].weight', 'value must be <= 1000000, found 1000001', undefined],
  ]);
});

test('what a definition does not refuse is read without a word', () => {
  expect(load('HTTPRoute', '{}')).toEqual([]);
  expect(load('HTTPRoute', rule('matches: [{}], backendRefs: [{ name: nobody, namespace: elsewhere, port: 1 }]'))).toEqual([]);
  expect(load('Gateway', listeners('{ name: a, port: 443, protocol: HTTPS }'))).toEqual([]);
});

test('the status that a controller has written is left out', () => {
  const text = `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: x }\nspec: {}\nstatus: { parents: [] }\n`;
  const { snapshot, diagnostics } = loadText('x.yaml', text);
  expect(diagnostics).toEqual([]);
  expect(snapshot.httpRoutes.map(({ spec }) => spec)).toEqual([{}]);
});

describe('listeners of Gateways and ListenerSets', () => {
  const CERTIFICATE = 'certificateRefs: [{ name: c }]';
  test.each([
    [
      `{ name: a, port: 80, protocol: HTTP, tls: { ${CERTIFICATE} } }`,
      'E_TLS spec.listeners[0].tls: a listener of protocol HTTP cannot have tls',
    ],
    [
      '{ name: a, port: 443, protocol: HTTPS, tls: { mode: Passthrough } }',
      'E_TLS spec.listeners[0].tls.mode: mode must be Terminate for protocol HTTPS, found Passthrough',
    ],
    ['{ name: a, port: 443, protocol: TLS }', 'E_TLS spec.listeners[0]: a listener of protocol TLS needs tls'],
    ['{ name: a, port: 443, protocol: HTTPS, tls: {} }', 'E_TLS spec.listeners[0].tls: mode Terminate needs a certificate'],
    [
      '{ name: a, port: 53, protocol: UDP, hostname: a.b }',
      'E_HOST spec.listeners[0].hostname: a listener of protocol UDP cannot have a hostname',
    ],
    [
      '{ name: a, port: 80, protocol: HTTP }, { name: a, port: 81, protocol: HTTP }',
      'E_DUPLICATE spec.listeners[1].name: listener name "a" is that of entry 0 too',
    ],
    [
      '{ name: a, port: 80, protocol: HTTP, hostname: a.b }, { name: b, port: 80, protocol: HTTP, hostname: a.b }',
      'E_DUPLICATE spec.listeners[1]: port 80, protocol "HTTP" and host "a.b" are those of listeners[0] too',
    ],
    ['{ name: a, port: 80, protocol: "?" }', 'E_PROTOCOL spec.listeners[0].protocol: expected a protocol, found "?"'],
  ])('%s', (text, expected) => {
    expect(load('Gateway', listeners(text))).toEqual([expected]);
    expect(load('ListenerSet', `{ parentRef: { name: g }, listeners: [${text}] }`)).toEqual([expected]);
  });
});

describe('Gateway', () => {
  const gateway = (rest: string): string => `{ gatewayClassName: serin, listeners: [{ name: a, port: 80, protocol: HTTP }], ${rest} }`;
  test.each([
    ['addresses: [{ value: localhost }]', 'E_ADDRESS spec.addresses[0].value: expected an IP address, found "localhost"'],
    [
      'addresses: [{ value: 127.0.0.1 }, { value: 127.0.0.1 }]',
      'E_DUPLICATE spec.addresses[1].value: address "127.0.0.1" is that of entry 0 too',
    ],
    [
      'tls: { frontend: { default: {}, perPort: [{ port: 80, tls: {} }, { port: 80, tls: {} }] } }',
      'E_DUPLICATE spec.tls.frontend.perPort[1].port: port 80 is that of entry 0 too',
    ],
    [
      'infrastructure: { labels: { a: b } }',
      'W_NOT_HONOURED spec.infrastructure: infrastructure has no effect in this release: nothing is created for a Gateway that could carry it: this one process serves every Gateway',
    ],
    [
      'defaultScope: All',
      'W_NOT_HONOURED spec.defaultScope: defaultScope has no effect in this release: routes belong to the Gateways they name',
    ],
  ])('%s', (text, expected) => {
    expect(load('Gateway', gateway(text))).toEqual([expected]);
  });

  test('keys of infrastructure are checked although they have no effect', () => {
    expect(load('Gateway', gateway('infrastructure: { annotations: { "a b": c } }'))[1]).toBe(
      'E_NAME spec.infrastructure.annotations["a b"]: key "a b" is malformed',
    );
  });
});

describe('HTTPRoute', () => {
  test.each([
    [
      '{ parentRefs: [{ name: g, sectionName: a }, { name: g, port: 80 }] }',
      'E_DUPLICATE spec.parentRefs[1]: Gateway "g" is the parent of parentRefs[0] too, which has a sectionName only; this one has a port only',
    ],
    ['{ rules: [{ name: a }, { name: a }] }', 'E_DUPLICATE spec.rules[1].name: rule name "a" is that of entry 0 too'],
    [
      `{ rules: [${`{ matches: [${'{}, '.repeat(64)}] }, `.repeat(2)}{}] }`,
      'E_RANGE spec.rules: number of matches of all rules must be <= 128, found 129',
    ],
    [
      rule('matches: [{ path: { value: /a%2Fb } }]'),
      'E_PATH spec.rules[0].matches[0].path.value: path "/a%2Fb" has %2F, which requests are rid of',
    ],
    [
      rule('matches: [{ path: { value: "/a?b" } }]'),
      'E_PATH spec.rules[0].matches[0].path.value: path "/a?b" has letters that a path cannot have',
    ],
    [
      rule('matches: [{ headers: [{ name: a, value: b }, { name: A, value: c }] }]'),
      'W_INEFFECTIVE spec.rules[0].matches[0].headers[1].name: header "A" is "a" in other letters: the first counts',
    ],
    [
      rule('matches: [{ path: { type: RegularExpression, value: "/a(" } }]'),
      'E_REGEX spec.rules[0].matches[0].path.value: regular expression "/a(": missing closing )',
    ],
    [
      rule('matches: [{ queryParams: [{ type: RegularExpression, name: a, value: "a(?!b)" }] }]'),
      'E_REGEX_UNSUPPORTED spec.rules[0].matches[0].queryParams[0].value: regular expression "a(?!b)": invalid or unsupported Perl syntax "(?!" at character 2',
    ],
    [
      filter('type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: Transfer-Encoding, value: chunked }] }'),
      'E_HEADER_FORBIDDEN spec.rules[0].filters[0].requestHeaderModifier.set[0].name: header "Transfer-Encoding" frames the message and cannot be changed by a rule',
    ],
    [filter('type: CORS'), 'E_REQUIRED spec.rules[0].filters[0]: a filter of type CORS needs cors'],
    [
      filter('type: URLRewrite, urlRewrite: {}, cors: {}'),
      'E_ONE_OF spec.rules[0].filters[0].cors: cors belongs to type CORS, found type URLRewrite',
    ],
    [
      rule('filters: [{ type: CORS, cors: {} }, { type: CORS, cors: {} }]'),
      'E_DUPLICATE spec.rules[0].filters[1].type: filter type "CORS" is that of entry 0 too',
    ],
    [
      rule('filters: [{ type: RequestRedirect, requestRedirect: {} }, { type: URLRewrite, urlRewrite: {} }]'),
      'E_ONE_OF spec.rules[0].filters[1]: filters cannot have both RequestRedirect and URLRewrite',
    ],
    [
      rule('filters: [{ type: RequestRedirect, requestRedirect: {} }], backendRefs: [{ name: a, port: 80 }]'),
      'E_REDIRECT spec.rules[0].filters[0]: a rule that redirects cannot have backendRefs',
    ],
    [
      rule('matches: [], filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /a } } }]'),
      'E_PATH spec.rules[0].filters[0]: URLRewrite with replacePrefixMatch needs exactly one match of type PathPrefix in the rule',
    ],
    [
      filter('type: CORS, cors: { allowOrigins: ["https://a.b", "*"] }'),
      'E_CORS spec.rules[0].filters[0].cors.allowOrigins[1]: "*" stands for all and must be the only entry',
    ],
    [
      filter('type: RequestMirror, requestMirror: { backendRef: { name: a, port: 80 }, fraction: { numerator: 3, denominator: 2 } }'),
      'E_RANGE spec.rules[0].filters[0].requestMirror.fraction.numerator: numerator must be <= denominator (2), found 3',
    ],
    [
      filter('type: ExternalAuth, externalAuth: { protocol: HTTP, backendRef: { name: a, port: 80 }, http: {} }'),
      'W_NOT_HONOURED spec.rules[0].filters[0].externalAuth: externalAuth has no effect in this release: nobody is asked whether a request may pass',
    ],
    [
      rule('timeouts: { request: 1s, backendRequest: 1001ms }'),
      'E_DURATION spec.rules[0].timeouts.backendRequest: backendRequest 1001ms must be <= request 1s',
    ],
    [
      rule('sessionPersistence: { cookie: { lifetimeType: Permanent } }'),
      'E_REQUIRED spec.rules[0].sessionPersistence: a cookie of lifetimeType Permanent needs absoluteTimeout',
    ],
    [rule('retry: { codes: [500, 500] }'), 'E_DUPLICATE spec.rules[0].retry.codes[1]: status 500 is that of entry 0 too'],
    [
      '{ useDefaultGateways: All }',
      'W_NOT_HONOURED spec.useDefaultGateways: useDefaultGateways has no effect in this release: a route belongs to the Gateways it names in parentRefs',
    ],
  ])('%s', (spec, expected) => {
    expect(load('HTTPRoute', spec)).toEqual([expected]);
  });

  test('an older field is told what it has become', () => {
    const text = `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: x }\nspec: ${rule('sessionPersistence: { cookie: {}, sessionName: a }')}\n`;
    expect(loadText('x.yaml', text).diagnostics.map(({ message, hint }) => [message, hint])).toEqual([
      ['unknown key "sessionName"', 'it became cookie.name and header.name with version 1.6'],
    ]);
  });

  test.each([
    rule('filters: [{ type: Cors, cors: {} }]'),
    rule('filters: [{ type: CORS, Cors: {} }]'),
    rule('filters: [{ type: URLRewrite, urlRewrite: { path: { type: Prefix, replacePrefixMatch: /a } } }]'),
    rule('sessionPersistence: { type: header, header: { name: a } }'),
    rule('backendRefs: [{ name: a, prot: 80 }]'),
  ])('one slip is one error: %s', (spec) => {
    expect(load('HTTPRoute', spec)).toEqual([expect.stringMatching(/^E_(?:ENUM|UNKNOWN_KEY) /)]);
  });

  test('a value of the wrong shape does not hide another mistake of the rule', () => {
    expect(load('HTTPRoute', rule('name: "A b", matches: [{ path: { value: a } }], backendRefs: [{ name: b }]'))).toEqual([
      'E_NAME spec.rules[0].name: expected a section name, found "A b"',
      'E_PATH spec.rules[0].matches[0].path.value: a path begins with /, found "a"',
      'E_REQUIRED spec.rules[0].backendRefs[0]: the reference to Service "b" needs a port',
    ]);
  });
});

describe('GRPCRoute', () => {
  test.each([
    [rule('matches: [{ method: {} }]'), 'E_REQUIRED spec.rules[0].matches[0].method: a method match needs service, method or both'],
    [
      rule('matches: [{ method: { service: "a b" } }]'),
      'E_NAME spec.rules[0].matches[0].method.service: expected the name of a gRPC service, found "a b"',
    ],
    [
      rule('matches: [{ method: { method: b.c } }]'),
      'E_NAME spec.rules[0].matches[0].method.method: expected the name of a gRPC method, found "b.c"',
    ],
    [
      filter('type: CORS'),
      'E_ENUM spec.rules[0].filters[0].type: expected one of ResponseHeaderModifier, RequestHeaderModifier, RequestMirror, ExtensionRef, found "CORS"',
    ],
  ])('%s', (spec, expected) => {
    expect(load('GRPCRoute', spec)).toEqual([expected]);
  });
});

describe('TLSRoute', () => {
  const RULES = 'rules: [{ backendRefs: [{ name: a, port: 443 }] }]';
  const TWO = 'rules: [{ backendRefs: [{ name: a, port: 443 }] }, { backendRefs: [{ name: b, port: 443 }] }]';
  test.each([
    [`{ hostnames: [a.b, "*.c"], parentRefs: [{ name: g }], ${RULES} }`, []],
    [`{ ${RULES} }`, ['E_REQUIRED spec: hostnames is required']],
    [`{ hostnames: [], ${RULES} }`, ['E_RANGE spec.hostnames: number of entries must be >= 1, found 0']],
    [`{ hostnames: [10.0.0.1], ${RULES} }`, ['E_HOST spec.hostnames[0]: expected a host name, found the address "10.0.0.1"']],
    [`{ hostnames: ["a.*.b"], ${RULES} }`, ['E_HOST spec.hostnames[0]: expected a host name, found "a.*.b"']],
    ['{ hostnames: [a.b] }', ['E_REQUIRED spec.rules: rules is required']],
    ['{ hostnames: [a.b], rules: [{ backendRefs: [] }] }', ['E_RANGE spec.rules[0].backendRefs: number of entries must be >= 1, found 0']],
    [`{ hostnames: [a.b], ${TWO} }`, ['E_RANGE spec.rules: number of entries must be <= 1, found 2']],
    [
      '{ hostnames: [a.b], rules: [{ backendRefs: [{ name: a }] }] }',
      ['E_REQUIRED spec.rules[0].backendRefs[0]: the reference to Service "a" needs a port'],
    ],
  ])('%s', (spec, expected) => {
    expect(load('TLSRoute', spec)).toEqual(expected);
  });

  test('v1alpha2 has routes for every host, and several rules', () => {
    expect(load('TLSRoute', `{ ${TWO} }`, 'v1alpha2')).toEqual([]);
    expect(load('TLSRoute', `{ ${TWO} }`, 'v1alpha3')).toHaveLength(2);
  });
});

describe('BackendTLSPolicy', () => {
  const TARGET = '{ group: "", kind: Service, name: a }';
  const policy = (validation: string, targets = TARGET): string =>
    `{ targetRefs: [${targets}], validation: { hostname: a.b, ${validation} } }`;
  test.each([
    [policy(''), 'E_ONE_OF spec.validation: caCertificateRefs or wellKnownCACertificates is required'],
    [
      policy('wellKnownCACertificates: System, caCertificateRefs: [{ group: "", kind: ConfigMap, name: c }]'),
      'E_ONE_OF spec.validation.wellKnownCACertificates: caCertificateRefs and wellKnownCACertificates exclude each other',
    ],
    [
      policy('wellKnownCACertificates: System, subjectAltNames: [{ type: URI, hostname: a, uri: "a://b" }]'),
      'E_ONE_OF spec.validation.subjectAltNames[0].hostname: hostname belongs to type Hostname, found type URI',
    ],
    [
      policy('wellKnownCACertificates: System', `${TARGET}, ${TARGET}`),
      'E_DUPLICATE spec.targetRefs[1]: Service "a" is the target of targetRefs[0] too',
    ],
    [
      policy('wellKnownCACertificates: Mozilla'),
      'E_TLS_CA spec.validation.wellKnownCACertificates: expected the name of a set of CAs, found "Mozilla"',
    ],
  ])('%s', (spec, expected) => {
    expect(load('BackendTLSPolicy', spec)).toEqual([expected]);
  });
});
