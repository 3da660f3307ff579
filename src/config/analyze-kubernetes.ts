/** What can only be seen across resources of Kubernetes' core and the Gateway API, and no status says. */
import { nearest } from '../base/nearest.ts';
import { resolveHost, serviceHost } from './hosts.ts';
import { type EndpointSlice, type KubernetesService, SERVICE_NAME_LABEL } from './kubernetes/types.ts';
import { show, type Place } from './report.ts';
import type { ServiceIndex } from './services.ts';
import type { Snapshot } from './snapshot.ts';
import type { Path } from './yaml-node.ts';

/** EndpointSlices whose endpoints are nobody's. */
export function analyzeEndpointSlices(
  { endpointSlices, kubernetesServices }: Pick<Snapshot, 'endpointSlices' | 'kubernetesServices'>,
  placeOf: (slice: EndpointSlice, path: Path) => Place | undefined,
): void {
  if (endpointSlices.length === 0) return;
  const services = new Map<string, Set<string>>();
  for (const { metadata } of kubernetesServices) {
    const names = services.get(metadata.namespace) ?? new Set();
    services.set(metadata.namespace, names.add(metadata.name));
  }
  for (const slice of endpointSlices) {
    const { namespace, labels } = slice.metadata;
    const name = labels?.[SERVICE_NAME_LABEL];
    if (name === undefined) {
      placeOf(slice, ['metadata', labels === undefined ? 'name' : 'labels'])?.warn(
        'W_UNUSED',
        `an EndpointSlice without the label ${SERVICE_NAME_LABEL} is of no Service; its endpoints are not used`,
        `add labels: { ${SERVICE_NAME_LABEL}: SERVICE }`,
      );
      continue;
    }
    const names = services.get(namespace);
    if (names?.has(name) === true) continue;
    const close = nearest(name, [...(names ?? [])].slice(0, MAX_CANDIDATES));
    placeOf(slice, ['metadata', 'labels', SERVICE_NAME_LABEL])?.warn(
      'W_UNUSED',
      `Service ${show(name)} is not there in namespace ${namespace}; the endpoints are not used`,
      close === undefined ? undefined : `did you mean ${close}?`,
    );
  }
}

/** Services that nobody answers for, unless routes say who does. */
export function analyzeServices(
  snapshot: Snapshot,
  services: ServiceIndex,
  placeOf: (service: KubernetesService, path: Path) => Place | undefined,
): void {
  if (snapshot.kubernetesServices.length === 0) return;
  const routed = routedHosts(snapshot);
  for (const service of snapshot.kubernetesServices) {
    const { name, namespace } = service.metadata;
    const host = serviceHost(name, namespace);
    const found = services.service(host);
    if (found === undefined || found.ports.length === 0 || routed.has(host)) continue;
    if (found.endpoints.length > 0 || found.processes.length > 0) continue;
    placeOf(service, ['metadata', 'name'])?.warn(
      'W_NO_ENDPOINTS',
      `Service ${show(name)} has no endpoint that is ready: its requests are answered with 503`,
      `add an EndpointSlice with labels: { ${SERVICE_NAME_LABEL}: ${name} }`,
    );
  }
}

/** Whose requests in the mesh go where a route says. */
function routedHosts({ virtualServices, httpRoutes, grpcRoutes, tlsRoutes }: Snapshot): ReadonlySet<string> {
  const hosts = virtualServices.flatMap(({ metadata, spec }) => (spec.hosts ?? []).map((host) => resolveHost(host, metadata.namespace)));
  const parents = [...httpRoutes, ...grpcRoutes, ...tlsRoutes].flatMap(({ metadata, spec }) =>
    (spec.parentRefs ?? []).flatMap(({ kind, name, namespace = metadata.namespace }) =>
      kind === 'Service' ? [serviceHost(name, namespace)] : [],
    ),
  );
  return new Set([...hosts, ...parents]);
}

/** Comparing a slip with thousands of names takes long. */
const MAX_CANDIDATES = 1000;

/** Whether what a VirtualService takes for a Gateway of Istio is one of the Gateway API. */
export function isGatewayApiGateway(
  { gatewayApiGateways }: Pick<Snapshot, 'gatewayApiGateways'>,
  reference: string,
  namespace: string,
): boolean {
  const full = reference.includes('/') ? reference : `${namespace}/${reference}`;
  return gatewayApiGateways.some(({ metadata }) => `${metadata.namespace}/${metadata.name}` === full);
}
