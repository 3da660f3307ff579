/** Big configurations for the benchmark, as YAML that Istio takes too. All routes lead to the one service `app`. */

const DESTINATIONS = `    - destination: { host: app, subset: v1 }
      weight: 90
    - destination: { host: app, subset: v2 }
      weight: 10
`;

function virtualService(name: string, host: string, rules: readonly string[]): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name} }
spec:
  hosts: [${host}]
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

/** The service itself: two versions on two ports of this machine. */
export function appService({ v1, v2 }: { readonly v1: number; readonly v2: number }): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: app }
spec:
  hosts: [app.default.svc.cluster.local]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints:
  - { address: 127.0.0.1, ports: { http: ${v1} }, labels: { version: v1 } }
  - { address: 127.0.0.1, ports: { http: ${v2} }, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: app }
spec:
  host: app
  subsets:
  - { name: v1, labels: { version: v1 } }
  - { name: v2, labels: { version: v2 } }
`;
}
