/** Warnings about references and conflicts between resources, each at its line and with the nearest name. */
import { describe, expect, test } from 'vitest';
import { hasErrors } from '../base/diagnostic.ts';
import { loadText } from './load.ts';

const doc = (kind: string, name: string, spec: string, namespace = 'default'): string =>
  `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n---\n`;
const entry = (name: string, rest = ''): string =>
  doc(
    'ServiceEntry',
    name,
    `{ hosts: [${name}], ports: [{ number: 9080, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 127.0.0.1, labels: { version: v1 } }]${rest} }`,
  );
const rule = (host: string, ...subsets: string[]): string =>
  doc(
    'DestinationRule',
    host,
    `{ host: ${host}, subsets: [${subsets.map((name) => `{ name: ${name}, labels: { version: ${name} } }`).join(', ')}] }`,
  );
const service = (spec: string, name = 'reviews'): string => doc('VirtualService', name, spec);
const to = (destination: string): string => `{ hosts: [reviews], http: [{ route: [{ destination: ${destination} }] }] }`;
const gateway = (name: string, hosts: string, namespace = 'default'): string =>
  doc('Gateway', name, `{ servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ${hosts} }] }`, namespace);

function said(...documents: string[]): string[] {
  const { diagnostics } = loadText('x.yaml', documents.join(''));
  expect(hasErrors(diagnostics)).toBe(false);
  return diagnostics.map(({ code, path, hint }) => `${code} ${path}${hint?.startsWith('did you') === true ? ` (${hint})` : ''}`);
}

describe('destinations', () => {
  const HTTP = 'spec.http[0].route[0].destination';
  test.each([
    ['all there', [entry('reviews'), rule('reviews', 'v1'), service(to('{ host: reviews, subset: v1, port: { number: 9080 } }'))], []],
    ['full name', [entry('reviews'), service(to('{ host: reviews.default.svc.cluster.local }'))], []],
    ['unknown host', [entry('reviews'), service(to('{ host: reviws }'))], [`W_UNKNOWN_HOST ${HTTP}.host (did you mean reviews?)`]],
    [
      'host of another namespace',
      [entry('reviews'), doc('VirtualService', 'r', to('{ host: reviews }'), 'prod')],
      [`W_UNKNOWN_HOST ${HTTP}.host (did you mean reviews?)`],
    ],
    [
      'unknown subset',
      [entry('reviews'), rule('reviews', 'v1'), service(to('{ host: reviews, subset: v11 }'))],
      [`W_UNKNOWN_SUBSET ${HTTP}.subset (did you mean v1?)`],
    ],
    [
      'subset without DestinationRule',
      [entry('reviews'), service(to('{ host: reviews, subset: v1 }'))],
      [`W_UNKNOWN_SUBSET ${HTTP}.subset`],
    ],
    ['unknown port', [entry('reviews'), service(to('{ host: reviews, port: { number: 80 } }'))], [`W_UNKNOWN_PORT ${HTTP}.port.number`]],
    [
      'several ports, none chosen (IST0112)',
      [
        doc(
          'ServiceEntry',
          'reviews',
          '{ hosts: [reviews], resolution: STATIC, endpoints: [{ address: 127.0.0.1 }], ports: [{ number: 80, name: a, protocol: HTTP }, { number: 81, name: b, protocol: HTTP }] }',
        ),
        service(to('{ host: reviews }')),
      ],
      [`W_PORT_REQUIRED ${HTTP}.host`],
    ],
    [
      'wildcard service',
      [
        entry('reviews'),
        doc(
          'ServiceEntry',
          'w',
          '{ hosts: ["*.a.com"], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 127.0.0.1 }] }',
        ),
        service(to('{ host: b.a.com }')),
      ],
      [],
    ],
  ])('%s', (_name, documents, expected) => {
    expect(said(...documents)).toEqual(expected);
  });

  test('the same problem is said once a VirtualService', () => {
    const spec =
      '{ hosts: [reviews], http: [{ name: a, match: [{ uri: { prefix: /a } }], route: [{ destination: { host: nowhere } }] }, { route: [{ destination: { host: nowhere } }] }] }';
    expect(said(entry('reviews'), service(spec))).toEqual(['W_UNKNOWN_HOST spec.http[0].route[0].destination.host']);
  });
});

describe('gateways', () => {
  const bound = (gateways: string, hosts = '["a.com"]'): string =>
    service(`{ hosts: ${hosts}, gateways: ${gateways}, http: [{ redirect: { uri: /x } }] }`);
  test.each([
    ['there', [gateway('gw', '["*"]'), bound('[gw]')], []],
    ['in another namespace', [gateway('gw', '["*"]', 'infra'), bound('[infra/gw]')], []],
    [
      'not there (IST0101)',
      [gateway('gateway', '["*"]'), bound('[gatway]')],
      ['W_UNKNOWN_GATEWAY spec.gateways[0] (did you mean gateway?)'],
    ],
    ['named without its namespace', [gateway('gw', '["*"]', 'infra'), bound('[gw]')], ['W_UNKNOWN_GATEWAY spec.gateways[0]']],
    ['host not served (IST0132)', [gateway('gw', '["b.com"]'), bound('[gw]')], ['W_HOST_NOT_IN_GATEWAY spec.hosts[0]']],
    ['host served by a wildcard', [gateway('gw', '["*.com"]'), bound('[gw]')], []],
    ['namespace not allowed', [gateway('gw', '["./a.com"]', 'infra'), bound('[infra/gw]')], ['W_HOST_NOT_IN_GATEWAY spec.hosts[0]']],
    ['namespace allowed by name', [gateway('gw', '["default/a.com"]', 'infra'), bound('[infra/gw]')], []],
    ['mesh too: the host is served there', [gateway('gw', '["b.com"]'), bound('[gw, mesh]')], []],
    [
      'two for one host and port (IST0145)',
      [gateway('one', '["a.com"]'), gateway('two', '["b.com", "a.com"]')],
      ['W_GATEWAY_CONFLICT spec.servers[0].hosts[1]'],
    ],
  ])('%s', (_name, documents, expected) => {
    expect(said(...documents)).toEqual(expected);
  });
});

describe('one certificate in two Gateways (IST0138)', () => {
  const shows = (name: string, tls: string, namespace = 'default', selector = ''): string =>
    doc(
      'Gateway',
      name,
      `{ ${selector} servers: [{ port: { number: 443, name: https, protocol: HTTPS }, hosts: [${name}.example.com], tls: { mode: SIMPLE, ${tls} } }] }`,
      namespace,
    );
  const FILES = 'serverCertificate: /etc/a.pem, privateKey: /etc/a.key';
  test.each([
    [
      'a Secret',
      [shows('one', 'credentialName: a'), shows('two', 'credentialName: a')],
      ['W_DUPLICATE_CERTIFICATE spec.servers[0].tls.credentialName'],
    ],
    [
      'a Secret among several',
      [shows('one', 'credentialName: a'), shows('two', 'credentialNames: [b, a]')],
      ['W_DUPLICATE_CERTIFICATE spec.servers[0].tls.credentialNames[1]'],
    ],
    ['a file', [shows('one', FILES), shows('two', FILES, 'prod')], ['W_DUPLICATE_CERTIFICATE spec.servers[0].tls.serverCertificate']],
    ['different Secrets', [shows('one', 'credentialName: a'), shows('two', 'credentialName: b')], []],
    ['a Secret of the same name in another namespace', [shows('one', 'credentialName: a'), shows('two', 'credentialName: a', 'prod')], []],
    [
      'Gateways for different proxies',
      [shows('one', 'credentialName: a', 'default', 'selector: { app: x },'), shows('two', 'credentialName: a')],
      [],
    ],
  ])('%s', (_name, documents, expected) => {
    const { diagnostics } = loadText('x.yaml', documents.join(''));
    expect(diagnostics.map(({ code, path }) => `${code} ${path}`)).toEqual(expected);
  });
});

test('two VirtualServices for a mesh host (IST0109), by whatever name', () => {
  const found = said(
    entry('reviews'),
    service(to('{ host: reviews }'), 'one'),
    service(to('{ host: reviews }').replace('[reviews]', '[reviews.default.svc.cluster.local]'), 'two'),
  );
  expect(found).toEqual(['W_DUPLICATE_MESH_HOST spec.hosts[0]']);
});

test('a subset that selects nothing (IST0173), a rule for nobody, two rules, two entries', () => {
  expect(said(entry('reviews'), rule('reviews', 'v1', 'v2'))).toEqual(['W_EMPTY_SUBSET spec.subsets[1]']);
  expect(said(entry('reviews'), rule('rewievs', 'v1'))).toEqual(['W_UNUSED spec.host (did you mean reviews?)']);
  expect(said(entry('reviews'), rule('reviews', 'v1'), doc('DestinationRule', 'again', '{ host: reviews }'))).toEqual([
    'W_DUPLICATE_HOST spec.host',
  ]);
  expect(said(entry('reviews'), entry('reviews').replace('name: reviews,', 'name: other,'))).toEqual(['W_DUPLICATE_HOST spec.hosts[0]']);
});

test.each([
  ['the default of 10 % with one endpoint', '{}', ['W_NEVER_EJECTED spec.trafficPolicy.outlierDetection']],
  ['49 % with one endpoint', '{ maxEjectionPercent: 49 }', ['W_NEVER_EJECTED spec.trafficPolicy.outlierDetection']],
  ['all of them', '{ maxEjectionPercent: 100 }', []],
])('outlier detection that can eject nobody is said: %s', (_what, settings, found) => {
  const policy = doc('DestinationRule', 'reviews', `{ host: reviews, trafficPolicy: { outlierDetection: ${settings} } }`);
  expect(said(entry('reviews'), policy)).toEqual(found);
});

test('an unused service is no reason to say anything', () => {
  expect(said(entry('reviews'))).toEqual([]);
});
