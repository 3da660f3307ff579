/** Big configurations for the benchmark, as YAML that Istio takes too. All routes lead to the one service `app`. */

const DESTINATIONS = `    - destination: { host: app, subset: v1 }
      weight: 90
    - destination: { host: app, subset: v2 }
      weight: 10
`;

function virtualService(name: string, host: string, rules: readonly string[], gateway = 'mesh'): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name} }
spec:
  hosts: [${host}]
  gateways: [${gateway}]
  http:
${rules.join('')}`;
}

/** `r00042`. */
export function numbered(letter: string, number: number): string {
  return `${letter}${String(number).padStart(5, '0')}`;
}

/** One VirtualService with `count` rules, each for a prefix of its own: `/r00000/`, `/r00001/`, ... */
export function manyRules(count: number): string {
  const rules = Array.from(
    { length: count },
    (_, index) => `  - match: [{ uri: { prefix: /${numbered('r', index)}/ } }]\n    route:\n${DESTINATIONS}`,
  );
  return virtualService('app', 'app', rules);
}

/** `count` VirtualServices, each for a host of its own: `h00000.example.com`, ... */
export function manyHosts(count: number): string {
  return Array.from({ length: count }, (_, index) => {
    const name = numbered('h', index);
    return virtualService(name, `${name}.example.com`, [`  - route:\n${DESTINATIONS}`]);
  }).join('---\n');
}

/** The Gateway, and the service as two Services of Kubernetes, for `manyHttpRoutes` and `manyPathRoutes`. */
export function gatewayApiService({ v1, v2 }: { readonly v1: number; readonly v2: number }): string {
  const service = (name: string, port: number): string => `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { ports: [{ name: main, port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
ports: [{ name: main, port: ${port} }]
endpoints: [{ addresses: [127.0.0.1] }]
---
`;
  return `${service('app-v1', v1)}${service('app-v2', v2)}apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: front }
spec: { gatewayClassName: serin, listeners: [{ name: http, port: ${GATEWAY_PORT}, protocol: HTTP }] }
`;
}

/** Of `gatewayApiService`'s Gateway. */
export const GATEWAY_PORT = 80;

function httpRoute(name: string, match: string): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec:
  parentRefs: [{ name: front }]
${match}    backendRefs:
    - { name: app-v1, port: 80, weight: 90 }
    - { name: app-v2, port: 80, weight: 10 }
`;
}

/** `count` HTTPRoutes, each for a host of its own. */
export function manyHttpRoutes(count: number): string {
  return Array.from({ length: count }, (_, index) => {
    const name = numbered('h', index);
    return httpRoute(name, `  hostnames: [${name}.example.com]\n  rules:\n  - matches: [{ path: { type: PathPrefix, value: / } }]\n`);
  }).join('---\n');
}

/** `count` HTTPRoutes for one host, each with a path of its own: they are one list, in the order of precedence. */
export function manyPathRoutes(count: number): string {
  return Array.from({ length: count }, (_, index) => {
    const name = numbered('r', index);
    return httpRoute(name, `  hostnames: [app]\n  rules:\n  - matches: [{ path: { type: PathPrefix, value: /${name} } }]\n`);
  }).join('---\n');
}

/**
 * One rule for everything, 90 % to v1: in the mesh, or behind a Gateway for every host.
 *
 * @param more Lines of the rule, indented by four.
 */
export function splitRule(more: string, gateway?: string): string {
  return virtualService('app', gateway === undefined ? 'app' : "'*'", [`  - route:\n${DESTINATIONS}${more}`], gateway);
}

/**
 * The service itself: two versions on two ports of this machine.
 *
 * @param policy   Lines of its DestinationRule, indented by two.
 * @param protocol Of its port.
 * @param name     Its host.
 */
export function appService({ v1, v2 }: { readonly v1: number; readonly v2: number }, policy = '', protocol = 'HTTP', name = 'app'): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec:
  hosts: [${name}.default.svc.cluster.local]
  ports: [{ number: 80, name: main, protocol: ${protocol} }]
  resolution: STATIC
  endpoints:
  - { address: 127.0.0.1, ports: { main: ${v1} }, labels: { version: v1 } }
  - { address: 127.0.0.1, ports: { main: ${v2} }, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name} }
spec:
  host: ${name}
  subsets:
  - { name: v1, labels: { version: v1 } }
  - { name: v2, labels: { version: v2 } }
${policy}`;
}
