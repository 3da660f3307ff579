/** Warnings across resources of Kubernetes' core and the Gateway API. */
import { describe, expect, test } from 'vitest';
import { loadText } from './load.ts';

const slice = (metadata: string): string =>
  `---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: ${metadata}\naddressType: IPv4\nendpoints: [{ addresses: [127.0.0.1] }]\n`;
const SERVICE = '---\napiVersion: v1\nkind: Service\nmetadata: { name: reviews }\nspec: { ports: [{ port: 80 }] }\n';
const GATEWAY = `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: front }
spec: { gatewayClassName: serin, listeners: [{ name: http, port: 80, protocol: HTTP }] }
`;

function said(text: string): readonly string[] {
  return loadText('x.yaml', text)
    .diagnostics.filter(({ code }) => code !== 'W_NO_ENDPOINTS')
    .map(({ line, code, path, message, hint }) => `${line} ${code} ${path}: ${message}${hint === undefined ? '' : ` (${hint})`}`);
}

test('an EndpointSlice of a Service that is there is read without a word', () => {
  expect(said(SERVICE + slice('{ name: a, labels: { kubernetes.io/service-name: reviews } }'))).toEqual([]);
});

test('an EndpointSlice of no Service is warned about, with the nearest name there is', () => {
  expect(said(SERVICE + slice('{ name: a, labels: { app: reviews } }'))).toEqual([
    '9 W_UNUSED metadata.labels: an EndpointSlice without the label kubernetes.io/service-name is of no Service; its endpoints are not used (add labels: { kubernetes.io/service-name: SERVICE })',
  ]);
  expect(said(SERVICE + slice('{ name: a, labels: { kubernetes.io/service-name: reviws } }'))).toEqual([
    '9 W_UNUSED metadata.labels["kubernetes.io/service-name"]: Service "reviws" is not there in namespace default; the endpoints are not used (did you mean reviews?)',
  ]);
  expect(said(SERVICE + slice('{ name: a, namespace: b, labels: { kubernetes.io/service-name: reviews } }'))).toEqual([
    '9 W_UNUSED metadata.labels["kubernetes.io/service-name"]: Service "reviews" is not there in namespace b; the endpoints are not used',
  ]);
});

test('a warning about an item of a List stands at the line of the item', () => {
  const item = (name: string): string =>
    `  - apiVersion: discovery.k8s.io/v1\n    kind: EndpointSlice\n    metadata: { name: ${name} }\n    addressType: IPv4\n    endpoints: []\n`;
  const { diagnostics } = loadText('x.yaml', `# all of them\napiVersion: v1\nkind: List\nitems:\n${item('a')}${item('b')}`);
  expect(diagnostics.map(({ line, column, code, name }) => `${line}:${column} ${code} ${name}`)).toEqual([
    '7:23 W_UNUSED a',
    '12:23 W_UNUSED b',
  ]);
});

test('a VirtualService that names a Gateway of the Gateway API is told what to write', () => {
  const virtualService = (gateway: string): string =>
    `---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: r }\nspec: { hosts: [a.b], gateways: [${gateway}], http: [{ route: [{ destination: { host: reviews } }] }] }\n`;
  for (const name of ['front', 'default/front']) {
    expect(said(SERVICE + slice('{ name: a, labels: { kubernetes.io/service-name: reviews } }') + GATEWAY + virtualService(name))).toEqual([
      `21 W_UNKNOWN_GATEWAY spec.gateways[0]: Gateway "${name}" is one of the Gateway API, which a VirtualService cannot be bound to (write an HTTPRoute with it in parentRefs, or a Gateway of networking.istio.io)`,
    ]);
  }
});

test('a resource given twice is refused by the name documents have for it', () => {
  expect(said(GATEWAY + GATEWAY)).toEqual([
    '9 E_DUPLICATE metadata.name: Gateway default/front is given twice: also at x.yaml:2 (rename or remove one of them)',
  ]);
  const namespace = '---\napiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n';
  expect(said(namespace + namespace)).toEqual([
    '8 E_DUPLICATE metadata.name: Namespace shop is given twice: also at x.yaml:2 (rename or remove one of them)',
  ]);
});

test('a Gateway of Istio and one of the Gateway API may have one name', () => {
  const istio =
    '---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: front }\nspec: { servers: [{ port: { number: 81, name: http, protocol: HTTP }, hosts: ["*"] }] }\n';
  expect(said(GATEWAY + istio)).toEqual([]);
});

describe('a Service without endpoints', () => {
  const none = (text: string): readonly string[] =>
    loadText('x.yaml', text)
      .diagnostics.filter(({ code }) => code === 'W_NO_ENDPOINTS')
      .map(({ line, path, name, hint }) => `${line} ${path} ${name} (${hint})`);
  const HINT = '(add an EndpointSlice with labels: { kubernetes.io/service-name: reviews })';
  const LABELS = '{ name: a, labels: { kubernetes.io/service-name: reviews } }';
  const route = (kind: string, spec: string): string =>
    `---\napiVersion: ${kind === 'VirtualService' ? 'networking.istio.io' : 'gateway.networking.k8s.io'}/v1\nkind: ${kind}\nmetadata: { name: r }\nspec: { ${spec} }\n`;

  test('is warned about, with and without an EndpointSlice that has none that is ready', () => {
    expect(none(SERVICE)).toEqual([`4 metadata.name reviews ${HINT}`]);
    const unready = slice(LABELS).replace('127.0.0.1] }', '127.0.0.1], conditions: { ready: false } }');
    expect(none(SERVICE + unready)).toEqual([`4 metadata.name reviews ${HINT}`]);
  });

  test.each([
    ['that has some', SERVICE + slice(LABELS)],
    ['whose slice is refused', SERVICE + slice(LABELS).replace('addressType: IPv4', 'addressType: IPv6')],
    ['that is a name to look up', SERVICE.replace('spec: {', 'spec: { type: ExternalName, externalName: a.example,')],
    ['that has no ports', SERVICE.replace('ports: [{ port: 80 }]', 'clusterIP: None')],
    ['whose requests a route has', SERVICE + route('HTTPRoute', 'parentRefs: [{ group: "", kind: Service, name: reviews }]')],
    [
      'whose requests a VirtualService has',
      SERVICE + route('VirtualService', 'hosts: [reviews], http: [{ route: [{ destination: { host: other } }] }]'),
    ],
  ])('is none %s', (_what, text) => {
    expect(none(text)).toEqual([]);
  });
});
