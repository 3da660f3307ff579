/** BackendTLSPolicies: which is in force where, what is trusted, and what is said of them to whom. */
import { beforeAll, describe, expect, test } from 'vitest';
import { attached, gateway, httpRoute, type Said, service } from '../../../test/helpers/attached.ts';
import { authority, type Authority } from '../../../test/helpers/certificates.ts';

let ca: Authority;
beforeAll(async () => {
  ca = await authority();
});

const GW = gateway('gw', ['{ name: http, port: 80, protocol: HTTP }']);
const SERVICE = service('secure', 'default', '[{ name: https-1, port: 443 }, { name: https-2, port: 8443 }]');
const ROUTE = httpRoute('r', '{ parentRefs: [{ name: gw }], rules: [{ backendRefs: [{ name: secure, port: 443 }] }] }');
const ALL = GW + SERVICE + ROUTE;
const trusted = (name = 'trusted', text?: string, key = 'ca.crt'): string => `
apiVersion: v1
kind: ConfigMap
metadata: { name: ${name}, namespace: default }
data: { ${key}: ${JSON.stringify(text ?? ca.cert)} }
---`;
const policy = (name: string, more: { refs?: string; target?: string; meta?: string } = {}): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: ${name}, namespace: default${more.meta ?? ''} }
spec:
  targetRefs: [${more.target ?? "{ group: '', kind: Service, name: secure }"}]
  validation: { hostname: secure.example.com, ${more.refs ?? "caCertificateRefs: [{ group: '', kind: ConfigMap, name: trusted }]"} }
---`;
const part = (sectionName: string): string => `{ group: '', kind: Service, name: secure, sectionName: ${sectionName} }`;

const GOOD = { Accepted: 'True Accepted', ResolvedRefs: 'True ResolvedRefs' };
const NO_CA = 'False NoValidCACertificate';

describe('a BackendTLSPolicy', () => {
  test.each<readonly [what: string, yaml: () => string, expected: Said]>([
    ['with a CA in a ConfigMap is accepted', () => trusted() + policy('p'), GOOD],
    ['with the CAs of the system is accepted', () => policy('p', { refs: 'wellKnownCACertificates: System' }), GOOD],
    [
      'that trusts nobody is not',
      () => policy('p', { refs: 'caCertificateRefs: []' }),
      { Accepted: 'False Invalid', ResolvedRefs: 'True ResolvedRefs' },
    ],
    ['with a CA that is not there is not', () => policy('p'), { Accepted: NO_CA, ResolvedRefs: 'False InvalidCACertificateRef' }],
    [
      'with a ConfigMap without a CA is not',
      () => trusted('trusted', undefined, 'other') + policy('p'),
      { Accepted: NO_CA, ResolvedRefs: 'False InvalidCACertificateRef' },
    ],
    [
      'with a CA that is none is not',
      () => trusted('trusted', 'junk') + policy('p'),
      { Accepted: NO_CA, ResolvedRefs: 'False InvalidCACertificateRef' },
    ],
    [
      'with a CA of another kind is not',
      () => policy('p', { refs: "caCertificateRefs: [{ group: '', kind: Service, name: secure }]" }),
      { Accepted: NO_CA, ResolvedRefs: 'False InvalidKind' },
    ],
    [
      'with one good CA of two is accepted',
      () =>
        trusted() +
        policy('p', {
          refs: "caCertificateRefs: [{ group: '', kind: ConfigMap, name: none }, { group: '', kind: ConfigMap, name: trusted }]",
        }),
      { Accepted: 'True Accepted', ResolvedRefs: 'False InvalidCACertificateRef' },
    ],
    ['for a port by its name is accepted', () => trusted() + policy('p', { target: part('https-1') }), GOOD],
    [
      'for a port that is not there is not',
      () => trusted() + policy('p', { target: part('https-9') }),
      { Accepted: 'False TargetNotFound', ResolvedRefs: 'True ResolvedRefs' },
    ],
  ])('%s', (_what, yaml, expected) => {
    expect(attached(ALL + yaml()).said['BackendTLSPolicy default/p 0']).toEqual(expected);
  });

  test.each<readonly [what: string, target: string, reason: string]>([
    ['for no Service', "{ group: '', kind: Service, name: none }", 'TargetNotFound'],
    ['for another kind', '{ group: example.com, kind: Backend, name: secure }', 'Invalid'],
  ])('%s has no Gateway to be said to, and a warning', (_what, target, reason) => {
    const { attachments, diagnostics } = attached(ALL + trusted() + policy('p', { target }));
    expect(attachments.statuses.get('BackendTLSPolicy default/p')).toEqual({ ancestors: [] });
    expect(attachments.backendTls.size).toBe(0);
    expect(diagnostics).toMatchObject([
      { code: 'W_GATEWAY_API', kind: 'BackendTLSPolicy', message: expect.stringMatching(`^${reason}: `) },
    ]);
  });

  test('is said to every Gateway whose routes use its Service, and to no other', () => {
    const others =
      gateway('b', ['{ name: http, port: 81, protocol: HTTP }']) +
      gateway('unused', ['{ name: http, port: 82, protocol: HTTP }']) +
      gateway('mirror', ['{ name: http, port: 83, protocol: HTTP }']);
    const routes =
      httpRoute('s', '{ parentRefs: [{ name: b }], rules: [{ backendRefs: [{ name: secure, port: 8443 }] }] }') +
      httpRoute(
        'm',
        '{ parentRefs: [{ name: mirror }], rules: [{ filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: secure, port: 443 } } }] }] }',
      );
    const { attachments } = attached(ALL + others + routes + trusted() + policy('p', { meta: ', generation: 5' }));
    const ancestor = (name: string): object => ({
      ancestorRef: { group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: 'default', name },
      controllerName: 'serin.dev/gateway-controller',
      conditions: [{ observedGeneration: 5 }, { observedGeneration: 5 }],
    });
    expect(attachments.statuses.get('BackendTLSPolicy default/p')).toMatchObject({ ancestors: ['b', 'gw', 'mirror'].map(ancestor) });
  });

  test('that cannot be kept stays in force, so that nothing is sent in the clear', () => {
    const { attachments, said } = attached(ALL + policy('p'));
    expect(attachments.backendTls.get('secure.default.svc.cluster.local:443')).toMatchObject({
      ca: undefined,
      invalid: 'there is no ConfigMap trusted in namespace default',
    });
    expect(said['HTTPRoute default/r 0']).toEqual(GOOD);
  });

  test('trusts one CA, and says that the others are left out', () => {
    const refs = "caCertificateRefs: [{ group: '', kind: ConfigMap, name: trusted }, { group: '', kind: ConfigMap, name: second }]";
    const { attachments, diagnostics } = attached(ALL + trusted() + trusted('second') + policy('p', { refs }));
    expect(attachments.backendTls.get('secure.default.svc.cluster.local:443')).toMatchObject({ ca: 'configMap default/trusted' });
    expect(diagnostics.map(({ path }) => path)).toEqual(['spec.validation.caCertificateRefs[1]']);
  });
});

describe('of several BackendTLSPolicies', () => {
  const inForce = (yaml: string): Readonly<Record<string, string>> =>
    Object.fromEntries(
      [...attached(yaml).attachments.backendTls].map(
        ([
          key,
          {
            policy: { metadata },
          },
        ]) => [key.split(':')[1] ?? '', metadata.name],
      ),
    );
  const CONFLICTED = { Accepted: 'False Conflicted', ResolvedRefs: 'True ResolvedRefs' };

  test('for one Service the first in the alphabet is in force', () => {
    const yaml = ALL + trusted() + policy('b') + policy('a');
    expect(attached(yaml).said).toMatchObject({ 'BackendTLSPolicy default/a 0': GOOD, 'BackendTLSPolicy default/b 0': CONFLICTED });
    expect(inForce(yaml)).toEqual({ 443: 'a', 8443: 'a' });
  });

  test('the older is in force', () => {
    const yaml = ALL + trusted() + policy('a') + policy('b', { meta: ", creationTimestamp: '2020-01-01T00:00:00Z'" });
    expect(attached(yaml).said).toMatchObject({ 'BackendTLSPolicy default/a 0': CONFLICTED, 'BackendTLSPolicy default/b 0': GOOD });
  });

  test('for one port the first is in force', () => {
    const yaml = ALL + trusted() + policy('b', { target: part('https-1') }) + policy('a', { target: part('https-1') });
    expect(attached(yaml).said).toMatchObject({ 'BackendTLSPolicy default/a 0': GOOD, 'BackendTLSPolicy default/b 0': CONFLICTED });
    expect(inForce(yaml)).toEqual({ 443: 'a' });
  });

  test('one for a port and one for the whole Service are both in force, the narrower first', () => {
    const yaml = ALL + trusted() + policy('all') + policy('port', { target: part('https-2') });
    expect(attached(yaml).said).toMatchObject({ 'BackendTLSPolicy default/all 0': GOOD, 'BackendTLSPolicy default/port 0': GOOD });
    expect(inForce(yaml)).toEqual({ 443: 'all', 8443: 'port' });
  });

  test('one for two Services is accepted where one of them has another', () => {
    const both = "{ group: '', kind: Service, name: secure }, { group: '', kind: Service, name: other }";
    const yaml = ALL + service('other') + trusted() + policy('a') + policy('b', { target: both });
    expect(attached(yaml).said).toMatchObject({ 'BackendTLSPolicy default/a 0': GOOD, 'BackendTLSPolicy default/b 0': GOOD });
    expect(
      [...attached(yaml).attachments.backendTls].map(
        ([
          key,
          {
            policy: { metadata },
          },
        ]) => `${key} ${metadata.name}`,
      ),
    ).toContain('other.default.svc.cluster.local:80 b');
  });
});
