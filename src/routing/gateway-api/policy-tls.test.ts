import { describe, expect, test } from 'vitest';
import { gateway, route, served, type Served, to } from '../../../test/helpers/gateway-api.ts';
import { authority } from '../../../test/helpers/certificates.ts';
import type { Cluster } from '../table.ts';

const policy = (validation: string, section = ''): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: v1 }
spec:
  targetRefs: [{ group: '', kind: Service, name: v1${section} }]
  validation: ${validation}
`;
const ROUTE = route('HTTPRoute', 'r', `[{ ${to('v1')} }]`);

function tlsOf({ table }: Served): Cluster['tls'] {
  return table.clusters.find(({ host, subset }) => host.startsWith('v1.') && subset === '')?.tls;
}

describe('a BackendTLSPolicy', () => {
  test('has TLS spoken to the ports of its Service, for the name it states', () => {
    expect(tlsOf(served(gateway(), ROUTE, policy('{ hostname: v1.internal, wellKnownCACertificates: System }')))).toEqual({
      sni: 'v1.internal',
      subjectAltNames: [],
      isVerified: true,
    });
  });

  test('lists the names of which one must be in the certificate in place of that', () => {
    const names = '[{ type: Hostname, hostname: a.internal }, { type: URI, uri: "spiffe://a/b" }]';
    expect(
      tlsOf(served(gateway(), ROUTE, policy(`{ hostname: v1.internal, wellKnownCACertificates: System, subjectAltNames: ${names} }`))),
    ).toMatchObject({ sni: 'v1.internal', subjectAltNames: ['a.internal', 'spiffe://a/b'] });
  });

  test('says nothing of other Services', () => {
    const { table } = served(
      gateway(),
      route('HTTPRoute', 'r', `[{ ${to('v1', 'v2')} }]`),
      policy('{ hostname: a, wellKnownCACertificates: System }'),
    );
    expect(table.clusters.map(({ host, tls }) => [host.split('.')[0], tls?.sni]).filter(([, sni]) => sni !== undefined)).toEqual([
      ['v1', 'a'],
    ]);
  });

  test('counts before what a DestinationRule says', () => {
    const rule = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: v1 }
spec: { host: v1, trafficPolicy: { tls: { mode: SIMPLE, sni: of-the-rule, insecureSkipVerify: true } } }
`;
    expect(tlsOf(served(gateway(), ROUTE, rule))?.sni).toBe('of-the-rule');
    const both = tlsOf(served(gateway(), ROUTE, rule, policy('{ hostname: of-the-policy, wellKnownCACertificates: System }')));
    expect(both).toMatchObject({ sni: 'of-the-policy', isVerified: true });
  });

  test('that cannot be kept has its requests refused with 500, not sent in the clear', () => {
    const broken = served(gateway(), ROUTE, policy('{ hostname: a, caCertificateRefs: [{ group: "", kind: ConfigMap, name: gone }] }'));
    expect(broken.outcome('GET http://a.example/')).toBe('500');
    const [cluster] = broken.explain('GET http://a.example/').forward?.clusters ?? [];
    expect(cluster?.missing).toContain('gone');
    expect(cluster?.endpoints).toEqual([]);
  });
});

describe('the certificate a Gateway shows to backends', async () => {
  const { cert, key } = await (await authority()).issue(['client.example']);
  const secret = (name: string): string => `
apiVersion: v1
kind: Secret
metadata: { name: ${name} }
type: kubernetes.io/tls
data:
  tls.crt: ${Buffer.from(cert).toString('base64')}
  tls.key: ${Buffer.from(key).toString('base64')}
`;
  const showing = (name: string, port: number): string =>
    gateway(port)
      .replace('{ name: front }', `{ name: ${name} }`)
      .replace('gatewayClassName: serin,', `gatewayClassName: serin, tls: { backend: { clientCertificateRef: { name: ${name} } } },`);
  const POLICY = policy('{ hostname: a, wellKnownCACertificates: System }');

  test('goes to those that speak TLS, with clusters of their own for each certificate', () => {
    const { table } = served(
      ...['one', 'two'].flatMap((name, index) => [
        secret(name),
        showing(name, 81 + index),
        route('HTTPRoute', name, `[{ ${to('v1', 'v2')} }]`, `  parentRefs: [{ name: ${name} }]`),
      ]),
      POLICY,
    );
    const used = table.clusters.filter(({ name }) => name.includes('|8080||v')).map(({ name, tls }) => [name, tls?.certificate]);
    expect(used).toEqual([
      ['outbound|8080||v1.default.svc.cluster.local', undefined],
      ['outbound|8080||v2.default.svc.cluster.local', undefined],
      ['outbound|8080||v3.default.svc.cluster.local', undefined],
      ['outbound|8080||v1.default.svc.cluster.local|secret default/one', 'secret default/one'],
      ['outbound|8080||v1.default.svc.cluster.local|secret default/two', 'secret default/two'],
    ]);
  });
});
