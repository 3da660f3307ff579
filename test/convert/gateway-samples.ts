/** Random HTTPRoutes and GRPCRoutes over the words of the requests; rules have names of their own. */
import type { Random } from '../../src/base/random.ts';
import { chance, pick } from './istio-samples.ts';

const PATHS = [
  '{ type: PathPrefix, value: / }',
  '{ type: PathPrefix, value: /a }',
  '{ value: /a/ }',
  '{ value: /a/b }',
  '{ type: Exact, value: /a }',
  '{ type: Exact, value: /a/b }',
  String.raw`{ type: RegularExpression, value: '/a/\w+' }`,
  "{ type: RegularExpression, value: '/.*b' }",
];
const VALUES = ['value: x', "type: RegularExpression, value: 'x.*'", "type: RegularExpression, value: '.*'"];

function match(random: Random, path: string): string {
  const parts = [`path: ${path}`];
  if (chance(random, 0.3)) parts.push(`headers: [{ name: ${pick(random, ['h1', 'H2'])}, ${pick(random, VALUES)} }]`);
  if (chance(random, 0.2)) parts.push(`queryParams: [{ name: q, ${pick(random, VALUES)} }]`);
  if (chance(random, 0.2)) parts.push(`method: ${pick(random, ['GET', 'POST'])}`);
  return `{ ${parts.join(', ')} }`;
}

const HEADERS = [
  'set: [{ name: X-A, value: "100%" }]',
  'add: [{ name: x-a, value: "2" }], remove: [x-b]',
  'set: [{ name: host, value: other.example }]',
];
const REDIRECTS = [
  '{}',
  '{ scheme: https, statusCode: 301 }',
  '{ hostname: r.example }',
  '{ hostname: r.example, port: 8443 }',
  '{ path: { type: ReplaceFullPath, replaceFullPath: /r } }',
];
const PREFIX_REDIRECT = '{ path: { type: ReplacePrefixMatch, replacePrefixMatch: /z } }';
const REWRITES = ['{ hostname: z.example }', '{ path: { type: ReplaceFullPath, replaceFullPath: /r } }'];
const PREFIX_REWRITES = ['/z', '/z/', '/', ''].map((value) => `{ path: { type: ReplacePrefixMatch, replacePrefixMatch: "${value}" } }`);
const CORS = [
  '{ allowOrigins: ["https://a.example"] }',
  '{ allowOrigins: ["https://*.example"], allowMethods: ["*"], allowCredentials: true }',
];

function backend(random: Random): string {
  const filters = chance(random, 0.15)
    ? `, filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { ${pick(random, HEADERS)} } }]`
    : '';
  return `{ name: ${pick(random, ['v1', 'v2', 'v3', 'v1', 'v2', 'gone'])}, port: 80${chance(random, 0.5) ? `, weight: ${pick(random, [0, 1, 3])}` : ''}${filters} }`;
}

function rule(random: Random, name: string): string {
  const isPrefix = chance(random, 0.25);
  const paths = Array.from({ length: !isPrefix && chance(random, 0.3) ? 2 : 1 }, () =>
    isPrefix ? pick(random, PATHS.slice(0, 4)) : pick(random, PATHS),
  );
  const parts = [`name: ${name}`, `matches: [${paths.map((path) => match(random, path)).join(', ')}]`];
  const filters: string[] = [];
  const isRedirect = chance(random, 0.15);
  if (chance(random, 0.2)) filters.push(`{ type: RequestHeaderModifier, requestHeaderModifier: { ${pick(random, HEADERS)} } }`);
  if (chance(random, 0.1))
    filters.push(`{ type: ResponseHeaderModifier, responseHeaderModifier: { ${pick(random, HEADERS.slice(0, 2))} } }`);
  if (chance(random, 0.1)) filters.push(`{ type: CORS, cors: ${pick(random, CORS)} }`);
  if (isRedirect) {
    filters.push(`{ type: RequestRedirect, requestRedirect: ${isPrefix ? PREFIX_REDIRECT : pick(random, REDIRECTS)} }`);
  } else {
    if (isPrefix || chance(random, 0.1))
      filters.push(`{ type: URLRewrite, urlRewrite: ${isPrefix ? pick(random, PREFIX_REWRITES) : pick(random, REWRITES)} }`);
    if (chance(random, 0.15))
      filters.push(
        `{ type: RequestMirror, requestMirror: { backendRef: { name: v3, port: 80 }${pick(random, ['', ', percent: 20', ', fraction: { numerator: 1, denominator: 3 }'])} } }`,
      );
    parts.push(`backendRefs: [${Array.from({ length: Math.floor(random() * 3) }, () => backend(random)).join(', ')}]`);
    if (chance(random, 0.2)) parts.push('timeouts: { request: 2s, backendRequest: 1s500ms }');
    if (chance(random, 0.2)) parts.push(`retry: ${pick(random, ['{ codes: [503], attempts: 2 }', '{ attempts: 1, backoff: 100ms }'])}`);
    if (chance(random, 0.1)) parts.push('sessionPersistence: { sessionName: s }');
  }
  if (filters.length > 0) parts.push(`filters: [${filters.join(', ')}]`);
  return `    - { ${parts.join(', ')} }`;
}

const VERSIONS = ['v1', 'v2', 'v3', 'shop'];

const service = (name: string, index: number): string => `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { ports: [{ name: http, port: ${name === 'shop' ? 9080 : 80} }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
ports: [{ name: http, port: ${9081 + index} }]
endpoints: [{ addresses: [127.0.0.1] }]
---
`;

const PARENTS = [
  '[{ name: front }]',
  '[{ name: front, sectionName: exact }]',
  '[{ group: "", kind: Service, name: shop }]',
  '[{ name: front }, { group: "", kind: Service, name: shop }]',
];

/** A Gateway, Services, and one to three routes. */
export function gatewaySample(random: Random): string {
  const routes = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, index) => {
    const head = `metadata: { name: ${pick(random, ['a', 'b'])}${index} }
spec:
  parentRefs: ${pick(random, PARENTS)}${chance(random, 0.4) ? '\n  hostnames: [shop.example]' : ''}
  rules:
`;
    if (chance(random, 0.1)) {
      const method = pick(random, ['service: svc', 'service: svc, method: M', 'method: M']);
      return `apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\n${head}    - { name: g${index}, matches: [{ method: { ${method} } }], backendRefs: [${backend(random)}] }\n`;
    }
    const rules = Array.from({ length: 1 + Math.floor(random() * 4) }, (_none, at) => rule(random, `r${index}-${at}`));
    return `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n${head}${rules.join('\n')}\n`;
  });
  return `${VERSIONS.map(service).join('')}apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: front }
spec:
  gatewayClassName: other
  listeners:
    - { name: all, port: 80, protocol: HTTP }
    - { name: exact, port: 80, protocol: HTTP, hostname: shop.example }
---
${routes.join('---\n')}`;
}
