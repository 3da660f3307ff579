/** Endpoints of core/v1: what they become, where they count, and what is said of mistakes in them. */
import { describe, expect, test } from 'vitest';
import { loadText } from '../load.ts';
import { declaredServices } from './services.ts';

const SERVICE = '---\napiVersion: v1\nkind: Service\nmetadata: { name: x }\nspec: { ports: [{ name: http, port: 80 }] }\n';
const endpoints = (subsets: string, metadata = '{ name: x, labels: { version: v1 } }'): string =>
  `---\napiVersion: v1\nkind: Endpoints\nmetadata: ${metadata}\nsubsets: ${subsets}\n`;
const SLICE = `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: x-1, labels: { kubernetes.io/service-name: x } }
addressType: IPv4
ports: [{ name: http, port: 9000 }]
endpoints: [{ addresses: [127.0.0.9] }]
`;
const ONE = '[{ addresses: [{ ip: 127.0.0.1 }], ports: [{ name: http, port: 8080 }] }]';

function endpointsOf(yaml: string): unknown {
  const { snapshot, diagnostics } = loadText('x.yaml', yaml);
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  return declaredServices(snapshot).flatMap(({ spec }) => spec.endpoints ?? []);
}

test('are those of their Service, with the ports of their subset; what is not ready is not asked', () => {
  const first =
    '{ addresses: [{ ip: 127.0.0.1 }, { ip: "::1" }], notReadyAddresses: [{ ip: 127.0.0.2 }], ports: [{ name: http, port: 8080 }] }';
  const second =
    '{ addresses: [{ ip: 127.0.0.3, nodeName: n, targetRef: { kind: Pod } }], ports: [{ name: http, port: 8081, protocol: TCP }] }';
  expect(endpointsOf(SERVICE + endpoints(`[${first}, ${second}]`))).toEqual([
    { address: '127.0.0.1', ports: { http: 8080 }, labels: { version: 'v1' } },
    { address: '::1', ports: { http: 8080 }, labels: { version: 'v1' } },
    { address: '127.0.0.3', ports: { http: 8081 }, labels: { version: 'v1' } },
  ]);
});

test.each([
  ['before', endpoints(ONE) + SLICE],
  ['after', SLICE + endpoints(ONE)],
])('count nothing where the Service has an EndpointSlice: %s it', (_where, both) => {
  expect(endpointsOf(SERVICE + both)).toEqual([{ address: '127.0.0.9', ports: { http: 9000 }, labels: {} }]);
});

test('are no Service’s where their label says so', () => {
  expect(endpointsOf(SERVICE + endpoints(ONE, '{ name: x, labels: { endpointslice.kubernetes.io/skip-mirror: "true" } }'))).toEqual([]);
});

test('without a Service are warned about', () => {
  expect(loadText('x.yaml', endpoints(ONE)).diagnostics.map(({ code, message }) => `${code}: ${message}`)).toEqual([
    'W_UNUSED: Service "x" is not there in namespace default; the endpoints are not used',
  ]);
});

describe('mistakes', () => {
  test.each([
    ['null', []],
    ['[{ addresses: [{ ip: a.example }] }]', ['E_ADDRESS subsets[0].addresses[0].ip: expected an IP address, found "a.example"']],
    [
      '[{ addresses: [{ ip: 127.0.0.1 }], ports: [{ port: 80 }, { port: 81 }] }]',
      [
        'E_NAME subsets[0].ports[0].name: port name "" is not a DNS label',
        'E_NAME subsets[0].ports[1].name: port name "" is not a DNS label',
      ],
    ],
    ['[{ adresses: [] }]', ['E_UNKNOWN_KEY subsets[0].adresses: unknown key "adresses"']],
  ])('%s', (subsets, expected) => {
    const { diagnostics } = loadText('x.yaml', endpoints(subsets));
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    expect(errors.map(({ code, path, message }) => `${code} ${path}: ${message}`)).toEqual(expected);
  });
});
