/**
 * Kubernetes' Services as what the rest of Serin knows services as: the ServiceEntry that says the same. Ports have the Service's numbers and the names of its
 * ports; endpoints are those of its EndpointSlices that are ready, each with the port that its slice gives the port's name. A Service of type ExternalName
 * is a name to look up.
 *
 * An EndpointSlice has no labels of Pods; the slice's own labels take their place, so that subsets of a DestinationRule can tell versions apart.
 */
import type { ServiceEntry, ServicePort, WorkloadEntrySpec } from '../resources.ts';
import type { Snapshot } from '../snapshot.ts';
import { resolveHost } from '../hosts.ts';
import {
  type EndpointSlice,
  type KubernetesService,
  type KubernetesServicePort,
  MANAGED_BY_LABEL,
  MIRRORED,
  SERVICE_NAME_LABEL,
} from './types.ts';

/** A ServiceEntry, or a Service in the form of one. */
export type ServiceDeclaration = Omit<ServiceEntry, 'kind'> & { readonly kind: 'ServiceEntry' | 'Service' };

type Kubernetes = Pick<Snapshot, 'kubernetesServices' | 'endpointSlices' | 'grpcRoutes'>;

/** In the order of the Services. */
export function declaredServices(snapshot: Kubernetes): readonly ServiceDeclaration[] {
  if (snapshot.kubernetesServices.length === 0) return [];
  const slices = slicesByService(snapshot.endpointSlices);
  const grpc = grpcPorts(snapshot.grpcRoutes);
  return snapshot.kubernetesServices.map((service) => {
    const { namespace, name } = service.metadata;
    return declaration(service, slices.get(`${namespace}/${name}`) ?? [], grpc);
  });
}

/** By `namespace/name`. Slices that were made of Endpoints are left out where there are others. */
function slicesByService(all: readonly EndpointSlice[]): ReadonlyMap<string, readonly EndpointSlice[]> {
  const found = new Map<string, EndpointSlice[]>();
  for (const slice of all) {
    const name = slice.metadata.labels?.[SERVICE_NAME_LABEL];
    if (name === undefined) continue;
    const key = `${slice.metadata.namespace}/${name}`;
    const same = found.get(key);
    if (same === undefined) found.set(key, [slice]);
    else if (isMirrored(slice) === same.every(isMirrored)) same.push(slice);
    else if (!isMirrored(slice)) found.set(key, [slice]);
  }
  return found;
}

function isMirrored({ metadata }: EndpointSlice): boolean {
  return metadata.labels?.[MANAGED_BY_LABEL] === MIRRORED;
}

function declaration(service: KubernetesService, slices: readonly EndpointSlice[], grpc: ReadonlySet<string>): ServiceDeclaration {
  const { apiVersion, kind, metadata, spec, origin } = service;
  const { namespace, name } = metadata;
  const tcp = (spec.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  const ports = tcp.map((port): ServicePort => ({
    number: port.port,
    name: portName(port),
    protocol: protocolOf(port, grpc.has(`${namespace}/${name}:${port.port}`)),
    ...(typeof port.targetPort === 'number' ? { targetPort: port.targetPort } : {}),
  }));
  const common = { apiVersion, kind, metadata, origin };
  const hosts = [resolveHost(name, namespace)];
  if (spec.type === 'ExternalName' && spec.externalName !== undefined) {
    return { ...common, spec: { hosts, ports, resolution: 'DNS', endpoints: [{ address: spec.externalName }] } };
  }
  return { ...common, spec: { hosts, ports, resolution: 'STATIC', endpoints: slices.flatMap(endpointsOf) } };
}

/** The name under which endpoints state their port; a lone port needs none. */
function portName({ name, port }: KubernetesServicePort): string {
  return name ?? (port === 0 ? '' : 'port');
}

function endpointsOf({ metadata, spec }: EndpointSlice): readonly WorkloadEntrySpec[] {
  const { [SERVICE_NAME_LABEL]: _service, [MANAGED_BY_LABEL]: _maker, ...labels } = metadata.labels ?? {};
  const ports = Object.fromEntries(
    spec.ports.flatMap(({ name, port }) => (port === undefined ? [] : [[name === undefined || name === '' ? 'port' : name, port]])),
  );
  return spec.endpoints.flatMap(({ addresses, conditions, zone }): readonly WorkloadEntrySpec[] => {
    // Unknown is ready (discovery/v1, EndpointConditions).
    const [address] = addresses;
    if (conditions?.ready === false || address === undefined) return [];
    return [{ address, ports, labels, ...(zone === undefined ? {} : { locality: `/${zone}` }) }];
  });
}

/** As Istio and the Gateway API read `appProtocol`; ports that GRPCRoutes send to speak HTTP/2 even if nobody says so. */
function protocolOf({ appProtocol = '' }: KubernetesServicePort, isGrpc: boolean): string {
  switch (appProtocol.toLowerCase()) {
    case 'kubernetes.io/h2c':
    case 'h2c':
    case 'http2':
      return 'HTTP2';
    case 'grpc':
      return 'GRPC';
    default:
      return isGrpc ? 'GRPC' : 'HTTP';
  }
}

/** `namespace/name:port` of every Service that a GRPCRoute names. */
function grpcPorts(routes: Snapshot['grpcRoutes']): ReadonlySet<string> {
  const ports = new Set<string>();
  for (const { metadata, spec } of routes) {
    for (const { backendRefs = [] } of spec.rules ?? []) {
      for (const { namespace = metadata.namespace, name, port } of backendRefs)
        if (port !== undefined) ports.add(`${namespace}/${name}:${port}`);
    }
  }
  return ports;
}
