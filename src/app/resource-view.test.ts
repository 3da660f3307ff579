/** Statuses are made by hand here: what they should say is the routing's business. */
import { describe, expect, test } from 'vitest';
import { ProblemError } from '../admin/problem.ts';
import { loadText, NO_FILES } from '../config/load.ts';
import { EMPTY_OVERLAY } from '../config/overlay.ts';
import type { Condition, GatewayApiStatus } from '../routing/gateway-api/status.ts';
import type { RoutingTable } from '../routing/table.ts';
import { configurationOf, sourceOf } from './configuration-view.ts';
import { conditionTimes } from './condition-times.ts';
import type { InForce } from './in-force.ts';
import { getResource, listResources } from './resource-view.ts';

const YAML = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: front, generation: 3 }
spec: { gatewayClassName: serin, listeners: [{ name: web, port: 8080, protocol: HTTP }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front }
spec: { servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*'] }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: back }
spec: { servers: [{ port: { number: 81, name: http, protocol: HTTP }, hosts: ['*'] }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: reviews }
spec: { parentRefs: [{ name: front }], rules: [{ backendRefs: [{ name: gone, port: 80 }] }] }
---
apiVersion: v1
kind: Namespace
metadata: { name: books, labels: { team: books } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: ca }
data: { ca.crt: a certificate }
---
apiVersion: v1
kind: Service
metadata: { name: reviews }
spec: { ports: [{ port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: reviews-1, labels: { kubernetes.io/service-name: reviews } }
addressType: IPv4
endpoints: [{ addresses: [127.0.0.1] }]
ports: [{ port: 9080 }]
`;

const accepted: Condition = { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'accepted', observedGeneration: 3 };
const unresolved: Condition = {
  type: 'ResolvedRefs',
  status: 'False',
  reason: 'BackendNotFound',
  message: 'no Service gone',
  observedGeneration: 1,
};

const STATUSES: ReadonlyMap<string, GatewayApiStatus> = new Map<string, GatewayApiStatus>([
  ['GatewayClass /serin', { conditions: [{ ...accepted, observedGeneration: 1 }] }],
  ['GatewayApiGateway default/front', { conditions: [accepted], listeners: [] }],
  ['HTTPRoute default/reviews', { parents: [{ parentRef: { name: 'front' }, controllerName: 'serin', conditions: [unresolved] }] }],
]);

const AT = '2026-01-02T03:04:05Z';

function inForce(): InForce {
  const { snapshot: base, diagnostics } = loadText('serin.yaml', YAML);
  expect(diagnostics).toEqual([]);
  const listener = { bind: '127.0.0.1', virtualHosts: [] };
  const table: RoutingTable = {
    version: '7',
    clusters: [],
    listeners: [
      { ...listener, name: '80', port: 80, gateways: ['default/front'] },
      { ...listener, name: '81', port: 81, gateways: ['default/back'] },
      { ...listener, name: '8080', port: 8080, gateways: ['default/front'] },
    ],
  };
  return {
    base,
    files: { ...NO_FILES, sources: [{ file: 'serin.yaml', content: YAML }] },
    manifests: [],
    overlay: EMPTY_OVERLAY,
    effective: base,
    compiled: table,
    table,
    statuses: STATUSES,
    conditionTimes: conditionTimes(STATUSES, new Map(), Date.parse(AT)),
    idle: new Map(),
    bound: [
      { listener: '80', host: '127.0.0.1', port: 18_000 },
      { listener: '8080', host: '127.0.0.1', port: 18_080 },
    ],
    fileDiagnostics: [],
    diagnostics: [
      {
        file: 'serin.yaml',
        line: 2,
        column: 1,
        code: 'W_INEFFECTIVE',
        severity: 'warning',
        kind: 'GatewayApiGateway',
        namespace: 'default',
        name: 'front',
        path: 'spec',
        message: 'something',
      },
    ],
    sinceMs: 0,
  };
}

const ISTIO = 'gateways.networking.istio.io';
const GATEWAY_API = 'gateways.gateway.networking.k8s.io';

describe('a resource of the Gateway API', () => {
  test('has the apiVersion and kind of its document, a generation, and its status with times', () => {
    expect(getResource(inForce(), GATEWAY_API, 'default', 'front')).toEqual({
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: {
        name: 'front',
        namespace: 'default',
        generation: 3,
        annotations: { 'serin.dev/origin': 'serin.yaml:2', 'serin.dev/addresses': '8080=127.0.0.1:18080' },
      },
      spec: { gatewayClassName: 'serin', listeners: [{ name: 'web', port: 8080, protocol: 'HTTP' }] },
      status: {
        addresses: [{ type: 'IPAddress', value: '127.0.0.1' }],
        conditions: [{ ...accepted, lastTransitionTime: AT }],
        listeners: [],
        validationMessages: [{ type: { code: 'W_INEFFECTIVE', name: 'W_INEFFECTIVE' }, level: 'WARNING', message: 'spec: something' }],
      },
    });
    expect(getResource(inForce(), 'httproutes', 'default', 'reviews')).toMatchObject({
      metadata: { generation: 1 },
      status: { parents: [{ parentRef: { name: 'front' }, conditions: [{ ...unresolved, lastTransitionTime: AT }] }] },
    });
  });

  test("Istio's Gateway of the same name has its own listeners and none of its warnings", () => {
    expect(getResource(inForce(), ISTIO, 'default', 'front')).toMatchObject({
      apiVersion: 'networking.istio.io/v1',
      status: {
        conditions: [{ type: 'Reconciled' }],
        listeners: [{ name: '80', port: 80, addresses: ['127.0.0.1:18000'] }],
      },
    });
    expect(getResource(inForce(), ISTIO, 'default', 'front').status).not.toHaveProperty('validationMessages');
  });

  test('the class that nobody declares is there, in any namespace, with its status', () => {
    const [only, ...others] = listResources(inForce(), 'gatewayclasses', 'books').items;
    expect(others).toEqual([]);
    expect(only).toEqual({
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'GatewayClass',
      metadata: { name: 'serin', generation: 1 },
      spec: { controllerName: 'serin.dev/gateway-controller' },
      status: { conditions: [{ ...accepted, observedGeneration: 1, lastTransitionTime: AT }] },
    });
    expect(getResource(inForce(), 'gatewayclasses', '-', 'serin')).toEqual(only);
  });
});

describe('gateways without a group', () => {
  test('are those of both groups', () => {
    const names = listResources(inForce(), 'gateways', undefined).items.map(({ apiVersion, metadata }) => `${apiVersion} ${metadata.name}`);
    expect(names).toEqual(['networking.istio.io/v1 front', 'networking.istio.io/v1 back', 'gateway.networking.k8s.io/v1 front']);
  });

  test('one of them is found by its name, unless two have it', () => {
    expect(getResource(inForce(), 'gateways', 'default', 'back').apiVersion).toBe('networking.istio.io/v1');
    for (const ask of [getResource, sourceOf]) {
      expect(problemOf(() => ask(inForce(), 'gateways', 'default', 'front'))).toMatchObject({
        status: 409,
        code: 'E_AMBIGUOUS',
        hint: `say ${ISTIO} or ${GATEWAY_API}`,
      });
    }
    expect(problemOf(() => getResource(inForce(), 'gateways', 'default', 'fron'))).toMatchObject({
      status: 404,
      message: "no Gateway 'fron' in namespace default",
      hint: 'did you mean front?',
    });
  });

  test('each has a path of its own in the configuration', () => {
    const { resources } = configurationOf({
      inForce: inForce(),
      lastReload: { successful: true, lastSuccessAtMs: 0, atMs: 0, errors: 0 },
      refused: undefined,
    });
    const gateways = resources.filter(({ name }) => name === 'front');
    expect(gateways.map(({ kind, apiKind, diagnostics }) => [kind, apiKind, diagnostics])).toEqual([
      [ISTIO, 'networking.istio.io/v1 Gateway', 0],
      [GATEWAY_API, 'gateway.networking.k8s.io/v1 Gateway', 1],
    ]);
    expect(resources.find(({ name }) => name === 'books')).toMatchObject({ kind: 'namespaces', namespace: '' });
  });
});

test('a Namespace belongs to none; an EndpointSlice and a ConfigMap have no spec, as in Kubernetes', () => {
  expect(getResource(inForce(), 'namespaces', 'default', 'books')).toMatchObject({
    metadata: { name: 'books', labels: { team: 'books' } },
  });
  expect(getResource(inForce(), 'namespaces', 'default', 'books').metadata).not.toHaveProperty('namespace');
  expect(getResource(inForce(), 'configmaps', 'default', 'ca')).toEqual({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'ca', namespace: 'default', annotations: { 'serin.dev/origin': expect.stringMatching(/^serin\.yaml:\d+$/) } },
    data: { 'ca.crt': 'a certificate' },
  });
  expect(getResource(inForce(), 'endpointslices', 'default', 'reviews-1')).toMatchObject({
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'] }],
    ports: [{ port: 9080 }],
  });
  expect(sourceOf(inForce(), 'configmaps', 'default', 'ca').declared).toMatchObject({ data: { 'ca.crt': 'a certificate' } });
});

test('the source of a route says its conditions one by one, with what they are about', () => {
  expect(sourceOf(inForce(), 'httproutes', 'default', 'reviews').conditions).toEqual([
    { about: 'parent Gateway front', isTrouble: true, ...unresolved, lastTransitionTime: AT },
  ]);
  expect(sourceOf(inForce(), ISTIO, 'default', 'front').conditions).toEqual([]);
});

function problemOf(ask: () => unknown): unknown {
  try {
    ask();
  } catch (error) {
    if (error instanceof ProblemError) return { status: error.status, code: error.code, message: error.message, ...error.extras };
  }
  throw new Error('there was no problem');
}
