/** Where backendRefs lead: to what is there and allowed, and never into another namespace without a grant. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../base/random.ts';
import { loadText } from '../../config/load.ts';
import { startCompilation } from '../compilation.ts';
import { type References, referencesOf, resolveBackend } from './references.ts';

function referencesIn(yaml: string): References {
  return referencesOf(startCompilation(loadText('test.yaml', yaml).snapshot, [], {}));
}

const SERVICES = `
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: books }
spec:
  ports:
    - { name: http, port: 80 }
    - { name: h2c, port: 81, appProtocol: kubernetes.io/h2c }
    - { name: ws, port: 82, appProtocol: kubernetes.io/ws }
    - { name: wss, port: 83, appProtocol: kubernetes.io/wss }
    - { name: mysql, port: 84, appProtocol: mysql }
    - { name: dns, port: 53, protocol: UDP }
    - { name: both-udp, port: 54, protocol: UDP }
    - { name: both-tcp, port: 54 }
    - { name: secure, port: 443, appProtocol: https }
---
apiVersion: v1
kind: Service
metadata: { name: dns, namespace: books }
spec: { ports: [{ name: dns, port: 53, protocol: UDP }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: portless, namespace: books }
spec: { hosts: [portless.books.svc.cluster.local], resolution: STATIC, endpoints: [{ address: 127.0.0.1 }] }
---
apiVersion: v1
kind: Service
metadata: { name: outside, namespace: books }
spec: { type: ExternalName, externalName: reviews.secrets.svc.cluster.local, ports: [{ port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ratings, namespace: istio-config }
spec: { hosts: [ratings.books.svc.cluster.local], ports: [{ number: 9080, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 127.0.0.1 }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: everything, namespace: books }
spec: { hosts: ['*.books.svc.cluster.local'], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: NONE }
---
apiVersion: v1
kind: Service
metadata: { name: tls-only, namespace: books }
spec: { ports: [{ name: wss, port: 83, appProtocol: kubernetes.io/wss }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: tls-only, namespace: books }
spec:
  targetRefs: [{ group: '', kind: Service, name: tls-only }]
  validation: { hostname: tls.example.com, wellKnownCACertificates: System }
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: { name: only-reviews, namespace: books }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop }]
  to: [{ group: '', kind: Service, name: reviews }]
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: { name: all-services, namespace: books }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: GRPCRoute, namespace: shop }]
  to: [{ group: '', kind: Service }]
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: { name: of-secrets, namespace: books }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: other }]
  to: [{ group: '', kind: Secret }]
`;

type Ref = Parameters<typeof resolveBackend>[3];

describe('a backendRef', () => {
  const references = referencesIn(SERVICES);
  test.each<[what: string, fromKind: string, fromNamespace: string, ref: Ref, expected: string]>([
    ['to a Service of its own namespace', 'HTTPRoute', 'books', { name: 'reviews', port: 80 }, 'reviews.books.svc.cluster.local:80'],
    [
      'that names its own namespace',
      'HTTPRoute',
      'books',
      { name: 'reviews', namespace: 'books', port: 80 },
      'reviews.books.svc.cluster.local:80',
    ],
    [
      'that writes the defaults',
      'HTTPRoute',
      'books',
      { group: '', kind: 'Service', name: 'reviews', port: 80 },
      'reviews.books.svc.cluster.local:80',
    ],
    ['to a port of HTTP/2', 'HTTPRoute', 'books', { name: 'reviews', port: 81 }, 'reviews.books.svc.cluster.local:81'],
    ['to a port of WebSocket', 'HTTPRoute', 'books', { name: 'reviews', port: 82 }, 'reviews.books.svc.cluster.local:82'],
    ['of a GRPCRoute to a port of WebSocket', 'GRPCRoute', 'books', { name: 'reviews', port: 82 }, 'UnsupportedProtocol'],
    [
      'to a port of WebSocket in TLS that nobody says how to verify',
      'HTTPRoute',
      'books',
      { name: 'reviews', port: 83 },
      'UnsupportedProtocol',
    ],
    ['to the same with a BackendTLSPolicy', 'HTTPRoute', 'books', { name: 'tls-only', port: 83 }, 'tls-only.books.svc.cluster.local:83'],
    ['to a port of HTTPS that nobody says how to verify', 'HTTPRoute', 'books', { name: 'reviews', port: 443 }, 'UnsupportedProtocol'],
    ['of a TLSRoute to a port of HTTPS', 'TLSRoute', 'books', { name: 'reviews', port: 443 }, 'reviews.books.svc.cluster.local:443'],
    ['to a port of a database', 'HTTPRoute', 'books', { name: 'reviews', port: 84 }, 'UnsupportedProtocol'],
    ['to a port of UDP', 'HTTPRoute', 'books', { name: 'reviews', port: 53 }, 'UnsupportedProtocol'],
    ['to a port of UDP and TCP', 'HTTPRoute', 'books', { name: 'reviews', port: 54 }, 'reviews.books.svc.cluster.local:54'],
    ['to another port of a Service of UDP', 'HTTPRoute', 'books', { name: 'dns', port: 80 }, 'BackendNotFound'],
    [
      'to any port of a ServiceEntry without ports',
      'HTTPRoute',
      'books',
      { name: 'portless', port: 4711 },
      'portless.books.svc.cluster.local:4711',
    ],
    ['to a port the Service does not have', 'HTTPRoute', 'books', { name: 'reviews', port: 8080 }, 'BackendNotFound'],
    ['without a port', 'HTTPRoute', 'books', { name: 'reviews' }, 'BackendNotFound'],
    ['to no Service', 'HTTPRoute', 'books', { name: 'nothing', port: 80 }, 'BackendNotFound'],
    ['to what only a wildcard ServiceEntry means', 'HTTPRoute', 'books', { name: 'anything', port: 80 }, 'BackendNotFound'],
    ['to a ServiceEntry by its short name', 'HTTPRoute', 'books', { name: 'ratings', port: 9080 }, 'ratings.books.svc.cluster.local:9080'],
    ['to a Service that is a name for something else', 'HTTPRoute', 'books', { name: 'outside', port: 80 }, 'InvalidKind'],
    ['that smuggles a namespace into the name', 'HTTPRoute', 'garden', { name: 'reviews.books', port: 80 }, 'BackendNotFound'],
    ['with a full name for a name', 'HTTPRoute', 'garden', { name: 'reviews.books.svc.cluster.local', port: 80 }, 'BackendNotFound'],
    ['to a wildcard', 'HTTPRoute', 'books', { name: '*', port: 80 }, 'BackendNotFound'],
    ['to another kind', 'HTTPRoute', 'books', { kind: 'ConfigMap', name: 'reviews', port: 80 }, 'InvalidKind'],
    ['to another group', 'HTTPRoute', 'books', { group: 'example.com', name: 'reviews', port: 80 }, 'InvalidKind'],
    [
      'that a grant allows by name',
      'HTTPRoute',
      'shop',
      { name: 'reviews', namespace: 'books', port: 80 },
      'reviews.books.svc.cluster.local:80',
    ],
    ['that a grant allows for another name', 'HTTPRoute', 'shop', { name: 'ratings', namespace: 'books', port: 9080 }, 'RefNotPermitted'],
    [
      'that a grant allows for all names',
      'GRPCRoute',
      'shop',
      { name: 'ratings', namespace: 'books', port: 9080 },
      'ratings.books.svc.cluster.local:9080',
    ],
    [
      'that a grant allows for another kind of route',
      'TLSRoute',
      'shop',
      { name: 'reviews', namespace: 'books', port: 80 },
      'RefNotPermitted',
    ],
    [
      'that a grant allows for another namespace',
      'HTTPRoute',
      'garden',
      { name: 'reviews', namespace: 'books', port: 80 },
      'RefNotPermitted',
    ],
    ['that a grant allows for Secrets', 'HTTPRoute', 'other', { name: 'reviews', namespace: 'books', port: 80 }, 'RefNotPermitted'],
    ['without a grant to what is not there', 'HTTPRoute', 'garden', { name: 'nothing', namespace: 'books', port: 80 }, 'RefNotPermitted'],
  ])('%s', (_what, fromKind, fromNamespace, ref, expected) => {
    const found = resolveBackend(references, fromKind, fromNamespace, ref);
    expect(found.kind === 'service' ? `${found.host}:${found.port}` : found.reason).toBe(expected);
  });
});

test('no backend of another namespace is found without a grant there that says so', () => {
  const seed = 20_261_128;
  const random = seededRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const namespaces = ['a', 'b', 'c', 'd', 'e'];
  const names = ['x', 'y', 'z'];
  const kinds = ['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'Gateway'];
  let crossings = 0;
  let refusals = 0;
  for (let round = 0; round < 60; round++) {
    const services = namespaces.flatMap((namespace) => names.map((name) => ({ namespace, name }))).filter(() => random() < 0.8);
    const grants = Array.from({ length: Math.floor(random() * 6) }, () => ({
      namespace: pick(namespaces),
      fromKind: pick(kinds),
      fromNamespace: pick(namespaces),
      toKind: random() < 0.8 ? 'Service' : 'Secret',
      name: random() < 0.5 ? undefined : pick(names),
    }));
    const yaml = [
      ...services.map(
        ({ namespace, name }) =>
          `apiVersion: v1\nkind: Service\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { ports: [{ port: 80 }] }`,
      ),
      ...grants.map(
        ({ namespace, fromKind, fromNamespace, toKind, name }, index) =>
          `apiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: { name: g${index}, namespace: ${namespace} }\nspec:\n  from: [{ group: gateway.networking.k8s.io, kind: ${fromKind}, namespace: ${fromNamespace} }]\n  to: [{ group: '', kind: ${toKind}${name === undefined ? '' : `, name: ${name}`} }]`,
      ),
    ].join('\n---\n');
    const references = referencesIn(yaml);
    for (let asked = 0; asked < 200; asked++) {
      const fromKind = pick(kinds);
      const from = pick(namespaces);
      const namespace = pick(namespaces);
      const name = pick(names);
      const found = resolveBackend(references, fromKind, from, { name, namespace, port: 80 });
      const isGranted = grants.some(
        (grant) =>
          grant.namespace === namespace &&
          grant.fromKind === fromKind &&
          grant.fromNamespace === from &&
          grant.toKind === 'Service' &&
          (grant.name === undefined || grant.name === name),
      );
      const isThere = services.some((service) => service.namespace === namespace && service.name === name);
      const isAllowed = from === namespace || isGranted;
      expect(found.kind, `seed ${seed}, round ${round}: ${fromKind} of ${from} to ${namespace}/${name}`).toBe(
        isAllowed && isThere ? 'service' : 'invalid',
      );
      if (found.kind === 'service') {
        expect(found.host).toBe(`${name}.${namespace}.svc.cluster.local`);
        if (from !== namespace) crossings += 1;
      } else if (found.reason === 'RefNotPermitted') refusals += 1;
    }
  }
  // The test is one of refusals and of permissions.
  expect(crossings).toBeGreaterThan(100);
  expect(refusals).toBeGreaterThan(1000);
});
