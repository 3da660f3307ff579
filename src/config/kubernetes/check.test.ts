/** Kinds of Kubernetes' core: what they become, and what is said of mistakes in them. */
import { describe, expect, test } from 'vitest';
import { loadText } from '../load.ts';

const HEADS: Readonly<Record<string, string>> = { EndpointSlice: 'discovery.k8s.io/v1' };

function load(kind: string, rest: string, metadata = '{ name: x }'): ReturnType<typeof loadText> {
  return loadText('x.yaml', `apiVersion: ${HEADS[kind] ?? 'v1'}\nkind: ${kind}\nmetadata: ${metadata}\n${rest}`);
}

function said(kind: string, rest: string, metadata?: string): readonly string[] {
  const { diagnostics } = load(kind, rest, metadata);
  // A test of its own tells of Services without endpoints (../analyze-kubernetes.test.ts).
  return diagnostics.filter(({ code }) => code !== 'W_NO_ENDPOINTS').map(({ code, path, message }) => `${code} ${path}: ${message}`);
}

test('a Service as kubectl prints it is read without a word about its fields', () => {
  const printed = `apiVersion: v1
kind: Service
metadata:
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: "{}"
  creationTimestamp: "2026-03-01T10:00:00Z"
  name: reviews
  namespace: shop
  resourceVersion: "4711"
  uid: 6f0e5c0a-7d0c-4f0e-9d61-3f3c4b5a6d7e
spec:
  clusterIP: 10.96.12.34
  clusterIPs:
  - 10.96.12.34
  internalTrafficPolicy: Cluster
  ipFamilies:
  - IPv4
  ipFamilyPolicy: SingleStack
  ports:
  - appProtocol: kubernetes.io/h2c
    name: http
    port: 80
    protocol: TCP
    targetPort: web
  selector:
    app: reviews
  sessionAffinity: None
  type: ClusterIP
status:
  loadBalancer: {}
`;
  const { diagnostics, snapshot } = loadText('x.yaml', printed);
  expect(diagnostics.map(({ code }) => code)).toEqual(['W_NO_ENDPOINTS']);
  expect(snapshot.kubernetesServices[0]?.spec.ports).toEqual([
    { appProtocol: 'kubernetes.io/h2c', name: 'http', port: 80, protocol: 'TCP', targetPort: 'web' },
  ]);
});

test('lists that an API server has none of are empty', () => {
  const { snapshot } = load('EndpointSlice', 'addressType: IPv4\nendpoints: null\nports: null\n');
  expect(snapshot.endpointSlices.map(({ spec }) => spec)).toEqual([{ addressType: 'IPv4', endpoints: [], ports: [] }]);
  expect(load('ConfigMap', '').snapshot.configMaps.map(({ spec }) => spec)).toEqual([{ data: {} }]);
});

test('a Namespace is of no namespace, and is told so where it names one', () => {
  const { snapshot, diagnostics } = load('Namespace', '', '{ name: shop, namespace: other, labels: { tier: a } }');
  expect(snapshot.namespaces.map(({ metadata }) => metadata)).toEqual([{ name: 'shop', namespace: '', labels: { tier: 'a' } }]);
  expect(diagnostics.map(({ code, path, kind, namespace, name }) => [code, path, kind, namespace, name])).toEqual([
    ['W_INEFFECTIVE', 'metadata.namespace', 'Namespace', '', 'shop'],
  ]);
});

test('the generation that an API server counts is kept', () => {
  expect(load('Namespace', '', '{ name: shop, generation: 3 }').snapshot.namespaces[0]?.metadata.generation).toBe(3);
});

describe('Service', () => {
  const spec = (rest: string): string => `spec: { ${rest} }\n`;
  test.each([
    [spec('clusterIP: None'), []],
    [spec('type: ExternalName, externalName: example.com'), []],
    [spec('ports: [{ name: a, port: 53 }, { name: b, port: 53, protocol: UDP }]'), []],
    ['', ['E_REQUIRED spec: a Service needs at least one port']],
    [spec('type: ExternalName'), ['E_REQUIRED spec: a Service of type ExternalName needs externalName']],
    [spec('type: ExternalName, externalName: "a b"'), ['E_HOST spec.externalName: expected a host name, found "a b"']],
    [spec('ports: [{ port: 80 }, { name: b, port: 81 }]'), ['E_REQUIRED spec.ports[0].name: each of several ports needs a name']],
    [
      spec('ports: [{ name: a, port: 80 }, { name: a, port: 81 }]'),
      ['E_DUPLICATE spec.ports[1].name: port name "a" is that of ports[0] too'],
    ],
    [
      spec('ports: [{ name: a, port: 80 }, { name: b, port: 80 }]'),
      ['E_DUPLICATE spec.ports[1].port: port 80 of TCP is that of ports[0] too'],
    ],
    [spec('ports: [{ port: 80, name: A_b }]'), ['E_NAME spec.ports[0].name: port name "A_b" is not a DNS label']],
    [spec('ports: [{ port: 80, targetPort: 0 }]'), ['E_PORT spec.ports[0].targetPort: expected a port or the name of one, found 0']],
    [spec('ports: [{ port: 0 }]'), ['E_RANGE spec.ports[0].port: value must be >= 1, found 0']],
    [spec('prots: []'), ['E_UNKNOWN_KEY spec.prots: unknown key "prots"']],
    [
      spec('ports: [{ port: 80 }], sessionAffinity: ClientIP'),
      ['W_NOT_HONOURED spec.sessionAffinity: sessionAffinity ClientIP has no effect in this release'],
    ],
  ])('%s', (text, expected) => {
    expect(said('Service', text)).toEqual(expected);
  });

  test('its name becomes part of host names', () => {
    expect(said('Service', spec('clusterIP: None'), '{ name: a.b }')).toEqual([
      'E_NAME metadata.name: name "a.b" is not a valid Service name',
    ]);
  });

  test('ports of UDP are no ports of the service', () => {
    const text = 'spec: { ports: [{ name: dns, port: 53, protocol: UDP }, { name: web, port: 80 }] }\n';
    const route = `---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: r }\nspec: { hosts: [x], http: [{ route: [{ destination: { host: x } }] }] }\n`;
    expect(said('Service', text + route).filter((line) => line.startsWith('W_PORT_REQUIRED'))).toEqual([]);
  });
});

describe('EndpointSlice', () => {
  const label = '{ name: x-1, labels: { kubernetes.io/service-name: x } }';
  const SERVICE = '---\napiVersion: v1\nkind: Service\nmetadata: { name: x }\nspec: { ports: [{ port: 80 }] }\n';
  test.each([
    [
      'addressType: IPv6\nendpoints: [{ addresses: ["::1"], conditions: { ready: true }, zone: a, nodeName: b, targetRef: { kind: Pod } }]\n',
      [],
    ],
    ['addressType: FQDN\nendpoints: [{ addresses: [a.example.com] }]\n', []],
    [
      'addressType: IPv4\nendpoints: [{ addresses: ["::1"] }]\n',
      ['E_ADDRESS endpoints[0].addresses[0]: expected an address of type IPv4, found "::1"'],
    ],
    [
      'addressType: IPv4\nendpoints: [{ addresses: [010.0.0.1] }]\n',
      ['E_ADDRESS endpoints[0].addresses[0]: expected an address of type IPv4, found "010.0.0.1"'],
    ],
    ['addressType: IPv4\nendpoints: [{ addresses: [] }]\n', ['E_RANGE endpoints[0].addresses: number of entries must be >= 1, found 0']],
    ['endpoints: []\n', ['E_REQUIRED addressType: addressType is required']],
    ['addressType: IPv4\nports: [{ port: 80 }, { port: 81 }]\n', ['E_DUPLICATE ports[1].name: port name "" is that of ports[0] too']],
  ])('%s', (text, expected) => {
    expect(said('EndpointSlice', text + SERVICE, label)).toEqual(expected);
  });
});

describe('ConfigMap', () => {
  test.each([
    ['data: { ca.crt: x }\nbinaryData: { b: eA== }\nimmutable: true\n', []],
    ['data: { "a/b": x }\n', ['E_NAME data["a/b"]: key "a/b" is malformed']],
    ['data: { a: 1 }\n', ['E_TYPE data.a: expected a text, found 1']],
    ['binaryData: { a: "!" }\n', ['E_TYPE binaryData.a: the value of a is not base64']],
    ['data: { a: x }\nbinaryData: { a: eA== }\n', ['E_DUPLICATE binaryData.a: key "a" stands in data too']],
  ])('%s', (text, expected) => {
    expect(said('ConfigMap', text)).toEqual(expected);
  });
});
