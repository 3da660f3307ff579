/**
 * Configuration nobody meant: random changes of real documents and random bytes. Loading always comes back with diagnostics, never throws, never
 * reaches a prototype, and says where each problem is.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDiagnostic, hasErrors } from '../base/diagnostic.ts';
import { CODES } from './codes.ts';
import { loadText, type LoadResult } from './load.ts';
import { renderIstio } from './render.ts';

const SEEDS = [
  `services:
  reviews:
    versions: { v1: http://127.0.0.1:9081, v2: { urls: [http://localhost:9082], weight: 2 } }
    routes:
      - match: { headers: { end-user: jason }, path: { regex: "/a.*" } }
        to: v2
      - split: { v1: 90, v2: 10 }
        timeout: 5s
`,
  `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
  labels: &labels { app: reviews }
spec:
  hosts: [reviews, "*.example.com"]
  gateways: [mesh, infra/gw]
  http:
    - name: jason
      match:
        - headers: { end-user: { exact: jason } }
          uri: { prefix: /reviews }
          withoutHeaders: { x: }
      fault: { delay: { fixedDelay: 7s, percentage: { value: 0.1 } } }
      route:
        - destination: { host: reviews, subset: v2 }
    - route:
        - destination: { host: reviews, subset: v1, port: { number: 9080 } }
          weight: 90
        - destination: { host: reviews, subset: v2 }
          weight: 10
      timeout: 0.5s
      retries: { attempts: 3, retryOn: "5xx,reset" }
`,
  `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  trafficPolicy:
    connectionPool: { tcp: { connectTimeout: 30ms }, http: { maxRequestsPerConnection: 1 } }
    outlierDetection: { consecutive5xxErrors: 5 }
    portLevelSettings: [{ port: { number: 80 }, loadBalancer: { simple: RANDOM } }]
  subsets: [{ name: v1, labels: { version: v1 } }]
---
apiVersion: v1
kind: List
items:
  - apiVersion: networking.istio.io/v1
    kind: Gateway
    metadata: { name: gw }
    spec: { selector: { a: b }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
`,
  `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: orders, generation: 2 }
spec:
  parentRefs: [{ name: front, sectionName: http }]
  hostnames: ["*.example.com"]
  rules:
    - matches:
        - path: { type: PathPrefix, value: /orders }
          headers: [{ name: end-user, value: jason }]
          queryParams: [{ type: RegularExpression, name: a, value: "b+" }]
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier: { set: [{ name: a, value: b }], remove: [c] }
        - type: URLRewrite
          urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: / } }
        - type: CORS
          cors: { allowOrigins: ["https://*.a.b"], maxAge: 5 }
      backendRefs: [{ name: orders, port: 80, weight: 9 }, { group: a, kind: B, name: c }]
      timeouts: { request: 10s, backendRequest: 1s }
      retry: { codes: [503], attempts: 2, backoff: 25ms }
      sessionPersistence: { type: Header, header: { name: s } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: orders }
spec: { rules: [{ matches: [{ method: { service: a.B, method: C } }], backendRefs: [{ name: orders, port: 80 }] }] }
`,
  `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: front }
spec:
  gatewayClassName: serin
  addresses: [{ value: 127.0.0.1 }]
  listeners:
    - name: http
      port: 80
      protocol: HTTP
      allowedRoutes: { namespaces: { from: Selector, selector: { matchLabels: { a: b } } }, kinds: [{ kind: HTTPRoute }] }
    - { name: https, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: cert }] } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: orders }
spec: { targetRefs: [{ group: "", kind: Service, name: orders }], validation: { hostname: a.b, wellKnownCACertificates: System } }
---
apiVersion: v1
kind: Service
metadata: { name: orders }
spec: { ports: [{ name: http, port: 80, targetPort: web, appProtocol: kubernetes.io/h2c }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: orders-1, labels: { kubernetes.io/service-name: orders } }
addressType: IPv4
ports: [{ name: http, port: 9080 }]
endpoints: [{ addresses: [127.0.0.1], conditions: { ready: true } }]
`,
];

const KNOWN_CODES = new Set<string>(Object.keys(CODES));

/** What must hold of any answer. */
function sound(result: LoadResult): void {
  for (const diagnostic of result.diagnostics) {
    expect(KNOWN_CODES.has(diagnostic.code)).toBe(true);
    expect(diagnostic.code.startsWith(diagnostic.severity === 'error' ? 'E_' : 'W_')).toBe(true);
    expect(diagnostic.message).toMatch(/^\S[^\n]*[^.\s]$/);
    expect(formatDiagnostic(diagnostic).length).toBeLessThan(4000);
    expect(diagnostic.line).toBeGreaterThanOrEqual(0);
  }
  if (!hasErrors(result.diagnostics)) renderIstio(result.resources);
  expect(Reflect.get({}, 'polluted')).toBeUndefined();
}

const SNIPPETS = [
  '__proto__',
  'constructor',
  ': ',
  '- ',
  '\n',
  '  ',
  '\t',
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
  '&a ',
  '*a',
  '<<: *labels',
  '!!js/function ',
  '|\n',
  '>',
  '#',
  ',',
  '%',
  '\0',
  '\uFEFF',
  '---\n',
  '...\n',
  '~',
  'null',
  '-1',
  '1e400',
  '.nan',
  'on',
  '5s',
  '(a+)+$',
  '/../',
  'é',
  '🎉',
  '\ud800',
];
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  drop: fc.nat(12),
  text: fc.oneof(fc.constantFrom(...SNIPPETS), fc.string({ maxLength: 4 })),
});

describe('loadText', () => {
  test('random edits of real documents', () => {
    fc.assert(
      fc.property(fc.constantFrom(...SEEDS), fc.array(edit, { minLength: 1, maxLength: 6 }), (seed, edits) => {
        let text = seed;
        for (const { at, drop, text: inserted } of edits) {
          const offset = Math.floor(at * text.length);
          text = text.slice(0, offset) + inserted + text.slice(offset + drop);
        }
        sound(loadText('x', text));
      }),
      { numRuns: 3000 },
    );
  });

  test('random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => sound(loadText('x', bytes))),
      { numRuns: 2000 },
    );
  });

  test('random JSON where a spec is expected', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('VirtualService', 'DestinationRule', 'Gateway', 'ServiceEntry', 'WorkloadEntry'),
        fc.json(),
        (kind, spec) => {
          sound(loadText('x', `{"apiVersion":"networking.istio.io/v1","kind":"${kind}","metadata":{"name":"x"},"spec":${spec}}`));
          sound(loadText('x', `{"services":${spec}}`));
          sound(loadText('x', `{"services":{"a":${spec}}}`));
          sound(loadText('x', `{"services":{"a":{"versions":${spec},"routes":[${spec}]}}}`));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('random JSON where a spec of the Gateway API or what a kind of the core says is expected', () => {
    const kinds = ['GatewayClass', 'Gateway', 'ListenerSet', 'HTTPRoute', 'GRPCRoute', 'TLSRoute', 'ReferenceGrant', 'BackendTLSPolicy'];
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.json(), (kind, value) => {
        const head = `{"apiVersion":"gateway.networking.k8s.io/v1","kind":"${kind}","metadata":{"name":"x"}`;
        sound(loadText('x', `${head},"spec":${value}}`));
        for (const key of ['listeners', 'rules', 'parentRefs', 'from', 'targetRefs', 'addresses'])
          sound(loadText('x', `${head},"spec":{"${key}":${value}}}`));
        for (const key of ['matches', 'filters', 'backendRefs', 'sessionPersistence']) {
          sound(loadText('x', `${head},"spec":{"rules":[{"${key}":${value}}]}}`));
          sound(loadText('x', `${head},"spec":{"rules":[{"${key}":[${value}]}]}}`));
        }
        for (const [core, key] of Object.entries({ Service: 'spec', Namespace: 'spec', ConfigMap: 'data', EndpointSlice: 'endpoints' })) {
          const apiVersion = core === 'EndpointSlice' ? 'discovery.k8s.io/v1' : 'v1';
          sound(loadText('x', `{"apiVersion":"${apiVersion}","kind":"${core}","metadata":{"name":"x"},"${key}":${value}}`));
        }
      }),
      { numRuns: 120 },
    );
  });

  test('patterns and names that make backtracking engines run forever', () => {
    const long = 'a'.repeat(5000);
    for (const value of [
      `(a+)+$`,
      `(a|a)*b`,
      `(.*)*x`,
      `${'a?'.repeat(400)}${'a'.repeat(200)}`,
      long,
      `${'-'.repeat(3000)}!`,
      `${'a.'.repeat(3000)}!`,
      '%'.repeat(3001),
      `${'1m'.repeat(3000)}x`,
      // Within every limit of length: held against the pattern.
      `${'a'.repeat(250)}!`,
      `${'a.'.repeat(125)}!`,
      `${'a b '.repeat(1000)} `,
      `${'!'.repeat(4000)}  `,
    ]) {
      const begin = process.cpuUsage();
      const spec = `{ hosts: ["${value}"], http: [{ timeout: "${value}", match: [{ uri: { regex: "${value}" }, headers: { "${value}": { exact: "${value}" } } }], headers: { request: { set: { a: "${value}" } } }, route: [{ destination: { host: "${value}" } }] }] }`;
      sound(loadText('x', `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: "${value}" }\nspec: ${spec}\n`));
      const rule = `{ name: "${value}", matches: [{ path: { value: "/${value}" }, headers: [{ name: "${value}", value: "${value}" }] }], filters: [{ type: CORS, cors: { allowOrigins: ["https://${value}"] } }, { type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: a, value: "${value}" }] } }], timeouts: { request: "${value}" }, backendRefs: [{ group: "${value}", kind: "${value}", name: "${value}" }] }`;
      const route = `{ hostnames: ["${value}"], rules: [${rule}] }`;
      sound(loadText('x', `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: "${value}" }\nspec: ${route}\n`));
      const gateway = `{ gatewayClassName: "${value}", addresses: [{ type: "${value}" }, { type: Hostname, value: "${value}" }], listeners: [{ name: "${value}", hostname: "${value}", port: 80, protocol: "${value}" }], infrastructure: { labels: { "${value}": "${value}" } } }`;
      sound(loadText('x', `apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: x }\nspec: ${gateway}\n`));
      expect(process.cpuUsage(begin).user / 1000).toBeLessThan(2000);
    }
  });

  test('10,000 rules and 10,000 mistakes are both dealt with', () => {
    const rules = (rule: (index: number) => string): string =>
      `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: big\nspec:\n  hosts:\n    - reviews\n  http:\n${Array.from({ length: 10_000 }, (_, index) => rule(index)).join('')}`;
    const good = loadText(
      'x',
      rules(
        (index) =>
          `    - match:\n        - uri:\n            prefix: /p${index}\n      route:\n        - destination:\n            host: reviews\n`,
      ),
    );
    expect(good.snapshot.virtualServices[0]?.spec.http).toHaveLength(10_000);
    const bad = loadText(
      'x',
      rules(
        (index) =>
          `    - match:\n        - uri:\n            prefx: /p${index}\n      route:\n        - destination:\n            host: a..b${index}\n`,
      ),
    );
    expect(bad.diagnostics.filter(({ code }) => code === 'E_UNKNOWN_KEY')).toHaveLength(10_000);
    expect(bad.diagnostics.filter(({ code }) => code === 'E_HOST')).toHaveLength(10_000);
  });
});
