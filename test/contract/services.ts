/**
 * The services that every case of the contract is about: as Istio's resources, one service with subsets, and as Kubernetes', one Service a version
 * (`reviews-v1` and so on), with `reviews` for all of them. `reviews-v2` and `reviews-v3` are also in namespace `other`.
 */
import type { Version } from './contract.ts';

/** Reserved for tcpmux, which nobody runs: connections are refused. */
const DEAD_PORT = 1;

export function servicesYaml(ports: Readonly<Record<Version, number>>): string {
  const endpoints = Object.entries({ ...ports, dead: DEAD_PORT }).map(
    ([version, port]) => `    - { address: 127.0.0.1, ports: { http: ${port} }, labels: { version: ${version} } }`,
  );
  const subsets = [...Object.keys(ports), 'dead', 'empty'].map((name) => `    - { name: ${name}, labels: { version: ${name} } }`);
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: reviews }
spec:
  hosts: [reviews]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints:
${endpoints.join('\n')}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets:
${subsets.join('\n')}
${Object.entries({ ...ports, dead: DEAD_PORT, empty: undefined })
  .map(([version, port]) => kubernetesService(`reviews-${version}`, 'default', port))
  .join('')}${kubernetesService('reviews-v2', 'other', ports.v2)}${kubernetesService('reviews-v3', 'other', ports.v3)}`;
}

/** Port 80 is for HTTP and gRPC as it comes, 81 says that it speaks HTTP/2. */
function kubernetesService(name: string, namespace: string, port: number | undefined): string {
  const endpoints = port === undefined ? '[]' : '[{ addresses: [127.0.0.1] }]';
  return `---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec: { ports: [{ name: http, port: 80 }, { name: h2c, port: 81, appProtocol: kubernetes.io/h2c }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, namespace: ${namespace}, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
ports: [{ name: http, port: ${port ?? DEAD_PORT} }, { name: h2c, port: ${port ?? DEAD_PORT} }]
endpoints: ${endpoints}
`;
}
