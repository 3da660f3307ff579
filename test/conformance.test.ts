/**
 * Statuses that the conformance suite of the Gateway API expects, as data: each case has the name of a test of the suite. What the suite asks of
 * requests is in `test/contract/`, of connections in `conformance-traffic.test.ts`; docs/conformance.md tells of every test where it is held, and the tests at the end keep that page true.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { TITLED } from './contract/cases.ts';
import { authority } from './helpers/certificates.ts';
import {
  allowing,
  attached,
  configMap,
  gateway,
  grant,
  httpRoute,
  https,
  listenerSet,
  on,
  PASS,
  type Said,
  secret,
  service,
} from './helpers/attached.ts';

const HTTP = on('http', 80, 'HTTP');
const KINDS = (kinds: string): string => `, allowedRoutes: { kinds: [${kinds}] }`;
const FROM = (rules: string): string => httpRoute('route', `{ parentRefs: [{ name: gw }], rules: [${rules}] }`);
const GRANT_OF_GATEWAYS = grant('web', 'Gateway', 'default', 'Secret', 'shop');
const CERTIFICATE_OF_WEB = https('{ name: shop, namespace: web }');

const OF_WEB = (name: string): string => `backendRefs: [{ name: ${name}, namespace: web, port: 80 }]`;
const BASE64 = (text: string): string => Buffer.from(text).toString('base64');
const ISSUER = await authority();
const ISSUED = await ISSUER.issue(['shop.example']);
const OWN = `{ tls.crt: ${BASE64(ISSUED.cert)}, tls.key: ${BASE64(ISSUED.key)} }`;
const TLS_ROUTE = (name: string, spec: string): string => httpRoute(name, spec).replace('kind: HTTPRoute', 'kind: TLSRoute');
const TO_V1 = 'rules: [{ backendRefs: [{ name: v1, port: 80 }] }]';

interface StatusCase {
  /** `ShortName` of the suite's test. */
  readonly name: string;
  readonly yaml: string;
  readonly expected: Readonly<Record<string, Said>>;
  /** Conditions that are not there. */
  readonly absent?: Readonly<Record<string, string>>;
}

const STATUSES: readonly StatusCase[] = [
  {
    name: 'GatewayWithAttachedRoutes',
    yaml:
      gateway('gw', [HTTP, on('other', 8080, 'HTTP')]) +
      service('v1') +
      httpRoute('a', '{ parentRefs: [{ name: gw, sectionName: http }], rules: [{ backendRefs: [{ name: v1, port: 80 }] }] }') +
      httpRoute('b', '{ parentRefs: [{ name: gw, sectionName: http }], rules: [{ backendRefs: [{ name: none, port: 80 }] }] }'),
    expected: {
      'Gateway default/gw http': { Accepted: 'True Accepted', ResolvedRefs: 'True ResolvedRefs', attached: '2' },
      'Gateway default/gw other': { Accepted: 'True Accepted', attached: '0' },
    },
  },
  {
    name: 'GatewayInvalidRouteKind',
    yaml: gateway('gw', [on('bad', 80, 'HTTP', undefined, KINDS('{ kind: Bad }'))]),
    expected: { 'Gateway default/gw bad': { ResolvedRefs: 'False InvalidRouteKinds', kinds: '', attached: '0' } },
  },
  {
    name: 'GatewayInvalidRouteKind',
    yaml: gateway('gw', [on('both', 80, 'HTTP', undefined, KINDS('{ kind: Bad }, { kind: HTTPRoute }'))]),
    expected: { 'Gateway default/gw both': { ResolvedRefs: 'False InvalidRouteKinds', kinds: 'HTTPRoute', attached: '0' } },
  },
  {
    name: 'GatewayListenerUnsupportedProtocol',
    yaml: gateway('gw', [on('bad', 80, 'example.com/other')]),
    expected: {
      'Gateway default/gw': { Accepted: 'False ListenersNotValid' },
      'Gateway default/gw bad': { Accepted: 'False UnsupportedProtocol', kinds: '', attached: '0' },
    },
  },
  {
    name: 'GatewayListenerUnsupportedProtocol',
    yaml: gateway('gw', [HTTP, on('bad', 81, 'example.com/other')]),
    expected: {
      'Gateway default/gw': { Accepted: 'True ListenersNotValid' },
      'Gateway default/gw http': { Accepted: 'True Accepted' },
      'Gateway default/gw bad': { Accepted: 'False UnsupportedProtocol', kinds: '' },
    },
  },
  {
    name: 'GatewayListenerProtocolAndRouteKindConflicts',
    yaml:
      gateway('gw', [
        on('tls', 443, 'TLS', 'a.example', `${PASS}${KINDS('{ kind: TLSRoute }')}`),
        on('conflicted-https', 8443, 'HTTPS', undefined, ', tls: { certificateRefs: [{ name: shop }] }'),
        on('conflicted-tls', 8443, 'TLS', undefined, PASS),
      ]) +
      service('v1') +
      httpRoute('disallowed', '{ parentRefs: [{ name: gw, sectionName: tls }], rules: [{ backendRefs: [{ name: v1, port: 80 }] }] }'),
    expected: {
      'Gateway default/gw tls': { Accepted: 'True Accepted', attached: '0' },
      'Gateway default/gw conflicted-https': {
        Accepted: 'False Invalid',
        Programmed: 'False Invalid',
        Conflicted: 'True ProtocolConflict',
      },
      'Gateway default/gw conflicted-tls': { Accepted: 'False Invalid', Programmed: 'False Invalid', Conflicted: 'True ProtocolConflict' },
      'HTTPRoute default/disallowed 0': { Accepted: 'False NotAllowedByListeners', ResolvedRefs: 'True ResolvedRefs' },
    },
  },
  {
    name: 'GatewayOverlappingTLSConfigHostnames',
    yaml: gateway('gw', [
      on('foo', 443, 'HTTPS', 'foo.example.com', ', tls: { certificateRefs: [{ name: shop }] }'),
      on('deep', 443, 'HTTPS', 'bar.bar.example.com', ', tls: { certificateRefs: [{ name: shop }] }'),
      on('wild', 443, 'HTTPS', '*.example.com', ', tls: { certificateRefs: [{ name: shop }] }'),
      on('apart', 443, 'HTTPS', 'example.org', ', tls: { certificateRefs: [{ name: shop }] }'),
      on('port', 8443, 'HTTPS', 'foo.example.com', ', tls: { certificateRefs: [{ name: shop }] }'),
    ]),
    absent: { 'Gateway default/gw apart': 'OverlappingTLSConfig', 'Gateway default/gw port': 'OverlappingTLSConfig' },
    expected: {
      'Gateway default/gw foo': { Accepted: 'True Accepted', OverlappingTLSConfig: 'True OverlappingHostnames' },
      'Gateway default/gw deep': { Accepted: 'True Accepted', OverlappingTLSConfig: 'True OverlappingHostnames' },
      'Gateway default/gw wild': { Accepted: 'True Accepted', OverlappingTLSConfig: 'True OverlappingHostnames' },
    },
  },
  ...['{ name: none }', '{ group: wrong.example.com, name: shop }', '{ kind: Wrong, name: shop }', '{ name: junk }'].map(
    (ref): StatusCase => ({
      name: 'GatewayInvalidTLSConfiguration',
      yaml:
        gateway('gw', [HTTP, https(ref)]) +
        secret('junk', '{ tls.crt: SGVsbG8gd29ybGQK, tls.key: SGVsbG8gd29ybGQK }') +
        service('v1') +
        httpRoute('route', '{ parentRefs: [{ name: gw, sectionName: http }], rules: [{ backendRefs: [{ name: v1, port: 80 }] }] }'),
      expected: {
        'Gateway default/gw https': { ResolvedRefs: 'False InvalidCertificateRef', attached: '0', kinds: 'HTTPRoute GRPCRoute' },
      },
    }),
  ),
  ...[
    ['{ name: none }', 'InvalidClientCertificateRef'],
    ['{ group: wrong.example.com, name: shop }', 'InvalidClientCertificateRef'],
    ['{ kind: Wrong, name: shop }', 'InvalidClientCertificateRef'],
    ['{ name: junk }', 'InvalidClientCertificateRef'],
    ['{ name: shop, namespace: web }', 'RefNotPermitted'],
  ].map(([ref, reason]): StatusCase => ({
    name: 'GatewayInvalidTLSBackendConfiguration',
    yaml:
      gateway('gw', [HTTP], `tls: { backend: { clientCertificateRef: ${ref} } }`) +
      secret('junk', '{ tls.crt: SGVsbG8gd29ybGQK, tls.key: SGVsbG8gd29ybGQK }') +
      secret('shop', OWN, 'web'),
    expected: { 'Gateway default/gw': { Accepted: 'True Accepted', ResolvedRefs: `False ${reason}` } },
  })),
  ...[
    ['{ group: "", kind: ConfigMap, name: none }', 'InvalidCACertificateRef'],
    ['{ group: "", kind: Service, name: v1 }', 'InvalidCACertificateKind'],
    ['{ group: "", kind: ConfigMap, name: trusted, namespace: web }', 'RefNotPermitted'],
  ].map(([ref, reason]): StatusCase => ({
    name: 'GatewayInvalidFrontendClientCertificateValidation',
    yaml:
      gateway(
        'gw',
        [https('{ name: shop }'), https('{ name: shop }', 'bad').replace('443', '8443')],
        `tls: { frontend: { default: { validation: { caCertificateRefs: [{ group: "", kind: ConfigMap, name: trusted }] } }, perPort: [{ port: 8443, tls: { validation: { caCertificateRefs: [${ref}] } } }] } }`,
      ) +
      secret('shop', OWN) +
      configMap('trusted', 'ca.crt', ISSUER.cert) +
      configMap('trusted', 'ca.crt', ISSUER.cert, 'web') +
      service('v1'),
    expected: {
      'Gateway default/gw https': { ResolvedRefs: 'True ResolvedRefs', Accepted: 'True Accepted', Programmed: 'True Programmed' },
      'Gateway default/gw bad': { ResolvedRefs: `False ${reason}`, Accepted: 'False NoValidCACertificate', Programmed: 'False Invalid' },
    },
  })),
  {
    name: 'GatewaySecretMissingReferenceGrant',
    yaml: gateway('gw', [CERTIFICATE_OF_WEB]) + secret('shop', '{}', 'web'),
    expected: { 'Gateway default/gw https': { ResolvedRefs: 'False RefNotPermitted' } },
  },
  {
    name: 'GatewaySecretMissingReferencedSecret',
    yaml: gateway('gw', [CERTIFICATE_OF_WEB]) + GRANT_OF_GATEWAYS,
    expected: { 'Gateway default/gw https': { ResolvedRefs: 'False InvalidCertificateRef' } },
  },
  {
    name: 'GatewaySecretInvalidReferenceGrant',
    yaml:
      gateway('gw', [CERTIFICATE_OF_WEB]) +
      secret('shop', '{}', 'web') +
      [
        grant('app', 'Gateway', 'default', 'Secret', 'shop'),
        grant('web', 'Gateway', 'default', 'Secret', 'shop').replace(
          'from: [{ group: gateway.networking.k8s.io',
          'from: [{ group: other.example',
        ),
        grant('web', 'HTTPRoute', 'default', 'Secret', 'shop'),
        grant('web', 'Gateway', 'other', 'Secret', 'shop'),
        grant('web', 'Gateway', 'default', 'Secret', 'shop').replace("group: ''", 'group: other.example'),
        grant('web', 'Gateway', 'default', 'Service', 'shop'),
        grant('web', 'Gateway', 'default', 'Secret', 'other'),
      ]
        .map((each, index) => each.replace('name: g-', `name: g${index}-`))
        .join(''),
    expected: { 'Gateway default/gw https': { ResolvedRefs: 'False RefNotPermitted', attached: '0' } },
  },
  ...['shop', undefined].map((named): StatusCase => ({
    name: named === undefined ? 'GatewaySecretReferenceGrantAllInNamespace' : 'GatewaySecretReferenceGrantSpecific',
    yaml: gateway('gw', [CERTIFICATE_OF_WEB]) + secret('shop', OWN, 'web') + grant('web', 'Gateway', 'default', 'Secret', named),
    expected: { 'Gateway default/gw https': { Programmed: 'True Programmed', ResolvedRefs: 'True ResolvedRefs', attached: '0' } },
  })),
  ...[
    ['gw, port: 8080', 'HTTPRouteInvalidParentRefNotMatchingListenerPort'],
    ['gw, sectionName: http, port: 8080', 'HTTPRouteInvalidParentRefSectionNameNotMatchingPort'],
  ].map(([parent, name = '']): StatusCase => ({
    name,
    yaml:
      gateway('gw', [HTTP, on('other', parent === 'gw, port: 8080' ? 81 : 8080, 'HTTP')]) +
      httpRoute('route', `{ parentRefs: [{ name: ${parent} }] }`),
    expected: {
      'HTTPRoute default/route 0': { Accepted: 'False NoMatchingParent', ResolvedRefs: 'True ResolvedRefs' },
      'Gateway default/gw http': { attached: '0' },
      'Gateway default/gw other': { attached: '0' },
    },
  })),
  {
    name: 'HTTPRoutePartiallyInvalidViaInvalidReferenceGrant',
    yaml:
      gateway('gw', [HTTP]) +
      service('v1', 'web') +
      service('v2', 'web') +
      grant('web', 'HTTPRoute', 'default', 'Service', 'v1') +
      FROM(`{ matches: [{ path: { value: /v2 } }], ${OF_WEB('v2')} }, { ${OF_WEB('v1')} }`),
    expected: { 'HTTPRoute default/route 0': { Accepted: 'True Accepted', ResolvedRefs: 'False RefNotPermitted' } },
  },
  {
    name: 'HTTPRouteInvalidNonExistentBackendRef',
    yaml: gateway('gw', [HTTP]) + FROM('{ backendRefs: [{ name: none, port: 80 }] }'),
    expected: { 'HTTPRoute default/route 0': { Accepted: 'True Accepted', ResolvedRefs: 'False BackendNotFound' } },
  },
  {
    name: 'HTTPRouteInvalidBackendRefUnknownKind',
    yaml: gateway('gw', [HTTP]) + FROM('{ backendRefs: [{ kind: NonExistent, name: none, port: 80 }] }'),
    expected: { 'HTTPRoute default/route 0': { Accepted: 'True Accepted', ResolvedRefs: 'False InvalidKind' } },
  },
  {
    name: 'HTTPRouteInvalidCrossNamespaceBackendRef',
    yaml: gateway('gw', [HTTP]) + service('v1', 'web') + FROM('{ backendRefs: [{ name: v1, namespace: web, port: 80 }] }'),
    expected: { 'HTTPRoute default/route 0': { ResolvedRefs: 'False RefNotPermitted' } },
  },
  {
    name: 'HTTPRouteInvalidCrossNamespaceParentRef',
    yaml: gateway('gw', [HTTP]) + httpRoute('route', '{ parentRefs: [{ name: gw, namespace: default }] }', 'web'),
    expected: { 'HTTPRoute web/route 0': { Accepted: 'False NotAllowedByListeners' }, 'Gateway default/gw http': { attached: '0' } },
  },
  {
    name: 'HTTPRouteInvalidParentRefNotMatchingSectionName',
    yaml: gateway('gw', [HTTP]) + httpRoute('route', '{ parentRefs: [{ name: gw, sectionName: none }] }'),
    expected: { 'HTTPRoute default/route 0': { Accepted: 'False NoMatchingParent' }, 'Gateway default/gw http': { attached: '0' } },
  },
  {
    name: 'HTTPRouteNoMatchingListenerHostname',
    yaml:
      gateway('gw', [on('http', 80, 'HTTP', 'a.example')]) + httpRoute('route', '{ parentRefs: [{ name: gw }], hostnames: [b.example] }'),
    expected: { 'HTTPRoute default/route 0': { Accepted: 'False NoMatchingListenerHostname' } },
  },
  {
    name: 'ListenerSetDefaultNotAllowed',
    yaml: gateway('gw', [HTTP]) + listenerSet('set', [on('own', 81, 'HTTP')]),
    expected: { 'ListenerSet default/set': { Accepted: 'False NotAllowed' } },
  },
  {
    name: 'ListenerSetHostnameConflict',
    yaml:
      gateway('gw', [on('a', 80, 'HTTP', 'a.example')], allowing('from: Same')) +
      listenerSet('one', [on('b', 80, 'HTTP', 'b.example'), on('a', 80, 'HTTP', 'a.example')]) +
      listenerSet('two', [on('b', 80, 'HTTP', 'b.example')]),
    expected: {
      'Gateway default/gw a': { Accepted: 'True Accepted', Programmed: 'True Programmed', Conflicted: 'False NoConflicts' },
      'ListenerSet default/one': { Accepted: 'True ListenersNotValid', Programmed: 'True Programmed' },
      'ListenerSet default/one a': {
        Accepted: 'False HostnameConflict',
        Programmed: 'False HostnameConflict',
        Conflicted: 'True HostnameConflict',
      },
      'ListenerSet default/two': { Accepted: 'False ListenersNotValid', Programmed: 'False ListenersNotValid' },
    },
  },
  {
    name: 'ListenerSetAllowedRoutesNamespaces',
    yaml:
      gateway('gw', [HTTP], allowing('from: All')) +
      `
apiVersion: v1
kind: Namespace
metadata: { name: books, labels: { allowed: ns } }
---` +
      listenerSet('set', [
        on('all', 80, 'HTTP', 'all.example', ', allowedRoutes: { namespaces: { from: All } }'),
        on('same', 80, 'HTTP', 'same.example', ', allowedRoutes: { namespaces: { from: Same } }'),
        on(
          'some',
          80,
          'HTTP',
          'some.example',
          ', allowedRoutes: { namespaces: { from: Selector, selector: { matchLabels: { allowed: ns } } } }',
        ),
      ]) +
      ['default', 'books', 'web']
        .map((namespace) => httpRoute('route', '{ parentRefs: [{ kind: ListenerSet, name: set, namespace: default }] }', namespace))
        .join(''),
    expected: {
      'ListenerSet default/set all': { Accepted: 'True Accepted', attached: '3' },
      'ListenerSet default/set same': { Accepted: 'True Accepted', attached: '1' },
      'ListenerSet default/set some': { Accepted: 'True Accepted', attached: '1' },
      ...Object.fromEntries(
        ['default', 'books', 'web'].map((namespace) => [`HTTPRoute ${namespace}/route 0`, { Accepted: 'True Accepted' }]),
      ),
    },
  },
  {
    name: 'ListenerSetAllowedRoutesSupportedKinds',
    yaml:
      gateway('gw', [HTTP], allowing('from: All')) +
      listenerSet('set', [on('tls-only', 80, 'HTTP', 'tls.example', KINDS('{ kind: TLSRoute }'))]),
    expected: {
      'Gateway default/gw': { Accepted: 'True Accepted' },
      'ListenerSet default/set tls-only': { ResolvedRefs: 'False InvalidRouteKinds', kinds: '', attached: '0' },
    },
  },
  {
    name: 'TLSRouteInvalidReferenceGrant',
    yaml:
      gateway('gw', [on('tls', 443, 'TLS', undefined, PASS)]) +
      service('v1', 'web') +
      grant('web', 'HTTPRoute', 'default', 'Service') +
      TLS_ROUTE('route', `{ parentRefs: [{ name: gw }], hostnames: [a.example], rules: [{ ${OF_WEB('v1')} }] }`),
    expected: { 'TLSRoute default/route 0': { Accepted: 'True Accepted', ResolvedRefs: 'False RefNotPermitted' } },
  },
  ...[
    ['{ name: none, port: 80 }', 'BackendNotFound', 'TLSRouteInvalidBackendRefNonexistent'],
    ['{ kind: NonExistent, name: v1, port: 80 }', 'InvalidKind', 'TLSRouteInvalidBackendRefUnknownKind'],
  ].map(([ref, reason, name = '']): StatusCase => ({
    name,
    yaml:
      gateway('gw', [on('tls', 443, 'TLS', undefined, PASS)]) +
      TLS_ROUTE('route', `{ parentRefs: [{ name: gw }], hostnames: [a.example], rules: [{ backendRefs: [${ref}] }] }`),
    expected: { 'TLSRoute default/route 0': { Accepted: 'True Accepted', ResolvedRefs: `False ${reason}` } },
  })),
  ...[
    [on('http', 80, 'HTTP', undefined, KINDS('{ kind: TLSRoute }')), '', 'NotAllowedByListeners'],
    [on('http', 80, 'HTTP', undefined, KINDS('{ kind: HTTPRoute }')), '', 'NotAllowedByListeners'],
    [https('{ name: shop }').replace(', tls:', `${KINDS('{ kind: TLSRoute }')}, tls:`), '', 'NotAllowedByListeners'],
    [on('tls', 443, 'TLS', undefined, PASS), ', sectionName: none', 'NoMatchingParent'],
  ].map(([listener = '', section = '', reason = '']): StatusCase => ({
    name: 'TLSRouteInvalidNoMatchingListener',
    yaml:
      gateway('gw', [listener]) +
      secret('shop', OWN) +
      service('v1') +
      TLS_ROUTE('route', `{ parentRefs: [{ name: gw${section} }], hostnames: [tls.example.com], ${TO_V1} }`),
    expected: {
      'TLSRoute default/route 0': { Accepted: `False ${reason}` },
      [`Gateway default/gw ${/name: (\w+)/.exec(listener)?.[1]}`]: { attached: '0' },
    },
  })),
  ...['tls.example.com', '*.example.com'].map((hostname): StatusCase => ({
    name: 'TLSRouteInvalidNoMatchingListenerHostname',
    yaml:
      gateway('gw', [on('tls', 443, 'TLS', hostname, PASS)]) +
      service('v1') +
      TLS_ROUTE('route', `{ parentRefs: [{ name: gw }], hostnames: [other.example.org], ${TO_V1} }`),
    expected: {
      'TLSRoute default/route 0': { Accepted: 'False NoMatchingListenerHostname' },
      'Gateway default/gw tls': { attached: '0' },
    },
  })),
  ...[
    ['default', 'True Accepted', 'True Programmed', 'True ResolvedRefs'],
    ['other', 'False ListenersNotValid', 'False ListenersNotValid', 'False RefNotPermitted'],
  ].map(([granted = '', Accepted = '', Programmed = '', ResolvedRefs = '']): StatusCase => ({
    name: 'ListenerSetReferenceGrant',
    yaml:
      gateway('gw', [HTTP], allowing('from: All')) +
      listenerSet('set', [https('{ name: shop, namespace: web }', 'own')]) +
      secret('shop', OWN, 'web') +
      grant('web', 'ListenerSet', granted, 'Secret'),
    expected: { 'ListenerSet default/set': { Accepted, Programmed }, 'ListenerSet default/set own': { ResolvedRefs } },
  })),
  {
    name: 'TLSRouteListenerPassthroughSupportedKinds',
    yaml: gateway('gw', [on('tls', 443, 'TLS', undefined, `${PASS}${KINDS('{ kind: TLSRoute }, { kind: TCPRoute }')}`)]),
    expected: { 'Gateway default/gw tls': { ResolvedRefs: 'False InvalidRouteKinds', kinds: 'TLSRoute', attached: '0' } },
  },
  ...[
    ['{ type: example.com/named, value: x }, { value: nonsense }, { value: 127.0.0.2 }', 'False UnsupportedAddress', 'False Invalid'],
    ['{ value: nonsense }, { value: 127.0.0.2 }', 'True Accepted', 'False AddressNotUsable'],
    ['{ value: 127.0.0.2 }', 'True Accepted', 'True Programmed'],
  ].map(([addresses, Accepted = '', Programmed = '']): StatusCase => ({
    name: 'GatewayStaticAddresses',
    yaml: gateway('gw', [HTTP], `addresses: [${addresses}]`),
    expected: { 'Gateway default/gw': { Accepted, Programmed } },
  })),
];

describe('statuses of the conformance suite', () => {
  test.each(STATUSES.map((each) => [each.name, each] as const))('%s', (_name, { yaml, expected, absent = {} }) => {
    const { said } = attached(yaml);
    expect(said).toMatchObject(expected);
    for (const [of, condition] of Object.entries(absent)) expect(said[of]).not.toHaveProperty(condition);
  });
});

test('64 listeners of one Gateway are served', () => {
  const many = Array.from({ length: 64 }, (_, index) => on(`l${index}`, 80, 'HTTP', `h${index}.example`));
  expect(attached(gateway('gw', many)).attachments.listeners).toHaveLength(64);
});

describe('docs/conformance.md', () => {
  const connections = readFileSync('test/conformance-traffic.test.ts', 'utf8');
  const page = readFileSync('docs/conformance.md', 'utf8');
  const rows = page.split('\n').filter((line) => /^\| [A-Z]/.test(line) && !line.startsWith('| Test '));
  const where = rows.map((row): [string, string] => {
    const [, name = '', place = ''] = row.split('|').map((cell) => cell.trim());
    return [name, place];
  });
  const titles = new Set(TITLED.map(([, { title }]) => title));
  const named = new Set(STATUSES.map(({ name }) => name));

  test.each(where.flatMap(([name, places]) => places.split(/(?<=^here); /).map((place) => [name, place] as const)))(
    '%s: %s',
    (name, place) => {
      const traffic = /^traffic(?:: (.*))?$/.exec(place);
      const contract = /^contract: (.*)$/.exec(place)?.[1];
      const unit = /^`([^`]+\.test\.ts)`(?:: (.*))?$/.exec(place);
      if (contract !== undefined) expect(titles).toContain(contract);
      else if (unit !== null) {
        const [, file = '', title] = unit;
        expect(existsSync(file)).toBe(true);
        if (title !== undefined) expect(readFileSync(file, 'utf8')).toContain(`'${title}'`);
      } else if (traffic !== null) expect(connections).toContain(`'${traffic[1] ?? name}`);
      else if (place === 'here') expect(named).toContain(name);
      else expect(place).toMatch(/^not held: /);
    },
  );

  test('every status that is tested has its row', () => {
    expect([...named].filter((name) => where.every(([row]) => row !== name))).toEqual([]);
  });
});
