/** Certificates of listeners, of clients, and those that are shown to backends: which are good, and what is said of those that are not. */
import { beforeAll, describe, expect, test } from 'vitest';
import {
  ACCEPTED,
  allowing,
  attached,
  configMap,
  gateway,
  GOOD_LISTENER as GOOD,
  grant,
  https,
  listenerSet,
  on,
  PASS,
  type Said,
  secret,
} from '../../../test/helpers/attached.ts';
import { authority, type Authority, type Issued } from '../../../test/helpers/certificates.ts';

let ca: Authority;
let shop: Issued;
beforeAll(async () => {
  ca = await authority();
  shop = await ca.issue(['shop']);
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const HTTP = '{ name: http, port: 80, protocol: HTTP }';
const pair = (): string => `{ tls.crt: ${base64(shop.cert)}, tls.key: ${base64(shop.key)} }`;

const BAD = { Accepted: 'True Accepted', Programmed: 'False Invalid' };

describe('the certificate of a listener', () => {
  test.each<[what: string, yaml: () => string, expected: Said]>([
    ['is good', () => secret('shop', pair()) + gateway('gw', [https('{ name: shop }')]), GOOD],
    ['is not there', () => gateway('gw', [https('{ name: none }')]), { ...BAD, ResolvedRefs: 'False InvalidCertificateRef' }],
    [
      'is of another group',
      () => secret('shop', pair()) + gateway('gw', [https('{ group: example.com, name: shop }')]),
      { ...BAD, ResolvedRefs: 'False InvalidCertificateRef' },
    ],
    [
      'is of another kind',
      () => secret('shop', pair()) + gateway('gw', [https('{ kind: ConfigMap, name: shop }')]),
      { ...BAD, ResolvedRefs: 'False InvalidCertificateRef' },
    ],
    [
      'is no certificate',
      () => secret('shop', `{ tls.crt: ${base64('Hello')}, tls.key: ${base64('world')} }`) + gateway('gw', [https('{ name: shop }')]),
      { ...BAD, ResolvedRefs: 'False InvalidCertificateRef' },
    ],
    [
      'is in a Secret of another type',
      () => secret('shop', pair(), 'default', 'Opaque') + gateway('gw', [https('{ name: shop }')]),
      { ...BAD, ResolvedRefs: 'False InvalidCertificateRef' },
    ],
    [
      'is not named',
      () => gateway('gw', ['{ name: https, port: 443, protocol: HTTPS, tls: {} }']),
      { ...BAD, ResolvedRefs: 'False InvalidCertificateRef' },
    ],
    [
      'is elsewhere without a grant',
      () => secret('shop', pair(), 'web') + gateway('gw', [https('{ name: shop, namespace: web }')]),
      { ...BAD, ResolvedRefs: 'False RefNotPermitted' },
    ],
    [
      'is elsewhere and not there, which is nobody’s business',
      () => gateway('gw', [https('{ name: shop, namespace: web }')]),
      { ...BAD, ResolvedRefs: 'False RefNotPermitted' },
    ],
    [
      'is elsewhere with a grant for it',
      () =>
        secret('shop', pair(), 'web') +
        grant('web', 'Gateway', 'default', 'Secret', 'shop') +
        gateway('gw', [https('{ name: shop, namespace: web }')]),
      GOOD,
    ],
    [
      'is elsewhere with a grant for all',
      () =>
        secret('shop', pair(), 'web') +
        grant('web', 'Gateway', 'default', 'Secret') +
        gateway('gw', [https('{ name: shop, namespace: web }')]),
      GOOD,
    ],
    [
      'is elsewhere with a grant for another',
      () =>
        secret('shop', pair(), 'web') +
        grant('web', 'Gateway', 'default', 'Secret', 'not-shop') +
        gateway('gw', [https('{ name: shop, namespace: web }')]),
      { ...BAD, ResolvedRefs: 'False RefNotPermitted' },
    ],
    [
      'is elsewhere with a grant for other Gateways',
      () =>
        secret('shop', pair(), 'web') +
        grant('web', 'Gateway', 'other', 'Secret') +
        gateway('gw', [https('{ name: shop, namespace: web }')]),
      { ...BAD, ResolvedRefs: 'False RefNotPermitted' },
    ],
    [
      'is elsewhere with a grant for routes',
      () =>
        secret('shop', pair(), 'web') +
        grant('web', 'HTTPRoute', 'default', 'Secret') +
        gateway('gw', [https('{ name: shop, namespace: web }')]),
      { ...BAD, ResolvedRefs: 'False RefNotPermitted' },
    ],
    [
      'is good beside one that is not',
      () => secret('shop', pair()) + gateway('gw', [https('{ name: none }, { name: shop }')]),
      { ...ACCEPTED, ResolvedRefs: 'False InvalidCertificateRef' },
    ],
  ])('%s', (_what, yaml, expected) => {
    expect(attached(yaml()).said).toMatchObject({ 'Gateway default/gw https': expected });
  });

  test('goes into the table by name, and without one nothing is served', () => {
    const { attachments } = attached(
      secret('shop', pair()) + gateway('gw', [https('{ name: shop }'), https('{ name: none }', 'other', 'other.com')]),
    );
    expect(attachments.listeners).toMatchObject([{ name: 'default/gw listeners[0]', certificates: ['secret default/shop'] }]);
  });

  test('ends TLS for TLSRoutes, too', () => {
    const terminating = '{ name: tls, port: 443, protocol: TLS, tls: { mode: Terminate, certificateRefs: [{ name: shop }] } }';
    const { said, attachments } = attached(secret('shop', pair()) + gateway('gw', [terminating]));
    expect(said).toMatchObject({ 'Gateway default/gw tls': { ...GOOD, kinds: 'TLSRoute' } });
    expect(attachments.listeners).toMatchObject([{ certificates: ['secret default/shop'] }]);
  });

  test('is not asked for where TLS passes through, which HTTPS cannot', () => {
    const yaml = gateway('gw', [on('tls', 443, 'TLS', 'a.com', PASS), on('https', 444, 'HTTPS', 'a.com', PASS)]);
    expect(attached(yaml).said).toMatchObject({
      'Gateway default/gw tls': GOOD,
      'Gateway default/gw https': { Accepted: 'False UnsupportedValue', Programmed: 'False Invalid' },
    });
  });

  test('is shown for names of another listener of the port, too', () => {
    const named = (name: string, hostname: string): string => https('{ name: shop }', name, hostname);
    const yaml =
      secret('shop', pair()) + gateway('gw', [named('a', 'foo.example.com'), named('b', 'foo.example.org'), named('c', '*.example.com')]);
    const { said } = attached(yaml);
    expect(said).toMatchObject({
      'Gateway default/gw a': { OverlappingTLSConfig: 'True OverlappingHostnames' },
      'Gateway default/gw c': { OverlappingTLSConfig: 'True OverlappingHostnames' },
    });
    expect(said['Gateway default/gw b']).not.toHaveProperty('OverlappingTLSConfig');
  });
});

describe('certificates of clients', () => {
  const frontend = (refs: string, mode = ''): string =>
    `tls: { frontend: { default: { validation: { caCertificateRefs: [${refs}]${mode} } } } }`;
  const REF = "{ group: '', kind: ConfigMap, name: trusted }";
  const gw = (more: string): string => secret('shop', pair()) + gateway('gw', [HTTP, https('{ name: shop }')], more);

  test.each<[what: string, yaml: () => string, expected: Said]>([
    ['lead to the CA of a ConfigMap', () => configMap('trusted', 'ca.crt', ca.cert) + gw(frontend(REF)), GOOD],
    [
      'lead to a CA that is not there',
      () => gw(frontend(REF)),
      { Accepted: 'False NoValidCACertificate', Programmed: 'False Invalid', ResolvedRefs: 'False InvalidCACertificateRef' },
    ],
    [
      'lead to a ConfigMap without a CA',
      () => configMap('trusted', 'other', ca.cert) + gw(frontend(REF)),
      { Accepted: 'False NoValidCACertificate', ResolvedRefs: 'False InvalidCACertificateRef' },
    ],
    [
      'lead to a CA that is none',
      () => configMap('trusted', 'ca.crt', shop.cert) + gw(frontend(REF)),
      { Accepted: 'False NoValidCACertificate', ResolvedRefs: 'False InvalidCACertificateRef' },
    ],
    [
      'lead to another kind',
      () => gw(frontend("{ group: '', kind: Service, name: trusted }")),
      { Accepted: 'False NoValidCACertificate', ResolvedRefs: 'False InvalidCACertificateKind' },
    ],
    [
      'lead elsewhere without a grant',
      () => configMap('trusted', 'ca.crt', ca.cert, 'web') + gw(frontend("{ group: '', kind: ConfigMap, name: trusted, namespace: web }")),
      { Accepted: 'False NoValidCACertificate', ResolvedRefs: 'False RefNotPermitted' },
    ],
    [
      'lead elsewhere with one',
      () =>
        configMap('trusted', 'ca.crt', ca.cert, 'web') +
        grant('web', 'Gateway', 'default', 'ConfigMap') +
        gw(frontend("{ group: '', kind: ConfigMap, name: trusted, namespace: web }")),
      GOOD,
    ],
    [
      'lead to one good CA of two',
      () => configMap('trusted', 'ca.crt', ca.cert) + gw(frontend(`{ group: '', kind: ConfigMap, name: none }, ${REF}`)),
      { ...ACCEPTED, ResolvedRefs: 'False InvalidCACertificateRef' },
    ],
  ])('%s', (_what, yaml, expected) => {
    expect(attached(yaml()).said).toMatchObject({ 'Gateway default/gw https': expected, 'Gateway default/gw http': GOOD });
  });

  test('are asked for on HTTPS, by port where there is something about the port', () => {
    const perPort = `tls: { frontend: { default: { validation: { caCertificateRefs: [${REF}] } }, perPort: [{ port: 443, tls: {} }] } }`;
    const validations = (more: string): unknown[] =>
      attached(configMap('trusted', 'ca.crt', ca.cert) + gw(more)).attachments.listeners.map(({ clientValidation }) => clientValidation);
    expect(validations(frontend(REF))).toEqual([undefined, { ca: 'configMap default/trusted', isUnchecked: false }]);
    expect(validations(frontend(REF, ', mode: AllowInsecureFallback'))).toEqual([
      undefined,
      { ca: 'configMap default/trusted', isUnchecked: true },
    ]);
    expect(validations(perPort)).toEqual([undefined, undefined]);
  });

  test('lead to one CA of several, and the others are a warning each', () => {
    const two = `${REF}, { group: '', kind: ConfigMap, name: second }`;
    const perPort = `tls: { frontend: { default: { validation: { caCertificateRefs: [${REF}] } }, perPort: [{ port: 443, tls: { validation: { caCertificateRefs: [${two}] } } }] } }`;
    const { diagnostics, said } = attached(configMap('trusted', 'ca.crt', ca.cert) + configMap('second', 'ca.crt', ca.cert) + gw(perPort));
    expect(diagnostics.map(({ code, path, message }) => [code, path, message])).toEqual([
      ['W_GATEWAY_API', 'spec.tls.frontend.perPort[0].tls.validation.caCertificateRefs[1]', 'one CA is used, so that second is not'],
    ]);
    expect(said).toMatchObject({ 'Gateway default/gw https': GOOD });
  });

  test('need not be good where the Gateway says so, which is a condition', () => {
    const { said } = attached(configMap('trusted', 'ca.crt', ca.cert) + gw(frontend(REF, ', mode: AllowInsecureFallback')));
    expect(said['Gateway default/gw']).toEqual({ ...ACCEPTED, InsecureFrontendValidationMode: 'True ConfigurationChanged' });
  });
});

describe('the certificate that is shown to backends', () => {
  test('goes with every listener by name where it is good', () => {
    const yaml = (name: string): string =>
      secret('shop', pair()) + gateway('gw', [HTTP], `tls: { backend: { clientCertificateRef: { name: ${name} } } }`);
    const shown = (name: string): unknown[] => attached(yaml(name)).attachments.listeners.map(({ clientCertificate }) => clientCertificate);
    expect(shown('shop')).toEqual(['secret default/shop']);
    expect(shown('none')).toEqual([undefined]);
  });

  const backend = (ref: string): string => `tls: { backend: { clientCertificateRef: ${ref} } }`;
  test.each<[what: string, yaml: () => string, expected: string]>([
    ['is good', () => secret('shop', pair()) + gateway('gw', [HTTP], backend('{ name: shop }')), 'True ResolvedRefs'],
    ['is not there', () => gateway('gw', [HTTP], backend('{ name: none }')), 'False InvalidClientCertificateRef'],
    ['is of another kind', () => gateway('gw', [HTTP], backend('{ kind: ConfigMap, name: none }')), 'False InvalidClientCertificateRef'],
    [
      'is no certificate',
      () => secret('shop', `{ tls.crt: ${base64('x')} }`) + gateway('gw', [HTTP], backend('{ name: shop }')),
      'False InvalidClientCertificateRef',
    ],
    ['is elsewhere without a grant', () => gateway('gw', [HTTP], backend('{ name: shop, namespace: web }')), 'False RefNotPermitted'],
  ])('%s', (_what, yaml, expected) => {
    expect(attached(yaml()).said['Gateway default/gw']).toEqual({ ...ACCEPTED, ResolvedRefs: expected });
  });
});

test('a ListenerSet has grants and names of its own', () => {
  const own = https('{ name: shop, namespace: web }');
  const yaml = (kind: string): string =>
    secret('shop', pair(), 'web') +
    grant('web', kind, 'default', 'Secret') +
    gateway('ls', [HTTP], allowing('from: Same')) +
    listenerSet('ls', [own], 'default', 'name: ls');
  expect(attached(yaml('Gateway')).said).toMatchObject({ 'ListenerSet default/ls https': { ResolvedRefs: 'False RefNotPermitted' } });
  const { said, attachments } = attached(yaml('ListenerSet'));
  expect(said).toMatchObject({ 'ListenerSet default/ls https': GOOD });
  expect(attachments.listeners.map(({ name }) => name)).toEqual(['default/ls listeners[0]', 'ListenerSet default/ls listeners[0]']);
});
