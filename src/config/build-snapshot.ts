/** Resources to a Snapshot: by kind, in the order of age, with a version that is a hash of what they say. */
import { createHash } from 'node:crypto';
import type { Release } from './release.ts';
import { resourceText } from './resource-text.ts';
import type { AnyResource, ResourceKind } from './resources.ts';
import { EMPTY_SNAPSHOT, type Snapshot } from './snapshot.ts';

/** A Snapshot of `resources`, oldest first: those with a `creationTimestamp` by it, then the others as given. */
export function buildSnapshot(resources: readonly AnyResource[], releases: readonly Release[] = []): Snapshot {
  if (resources.length === 0) return EMPTY_SNAPSHOT;
  const aged = resources.toSorted((a, b) => age(a) - age(b) || 0);
  return {
    version: contentHash(aged, releases),
    virtualServices: ofKind(aged, 'VirtualService'),
    destinationRules: ofKind(aged, 'DestinationRule'),
    gateways: ofKind(aged, 'Gateway'),
    serviceEntries: ofKind(aged, 'ServiceEntry'),
    workloadEntries: ofKind(aged, 'WorkloadEntry'),
    secrets: ofKind(aged, 'Secret'),
    rollouts: ofKind(aged, 'Rollout'),
    metricTemplates: ofKind(aged, 'MetricTemplate'),
    notifications: ofKind(aged, 'Notification'),
    gatewayClasses: ofKind(aged, 'GatewayClass'),
    gatewayApiGateways: ofKind(aged, 'GatewayApiGateway'),
    listenerSets: ofKind(aged, 'ListenerSet'),
    httpRoutes: ofKind(aged, 'HTTPRoute'),
    grpcRoutes: ofKind(aged, 'GRPCRoute'),
    tlsRoutes: ofKind(aged, 'TLSRoute'),
    referenceGrants: ofKind(aged, 'ReferenceGrant'),
    backendTlsPolicies: ofKind(aged, 'BackendTLSPolicy'),
    kubernetesServices: ofKind(aged, 'Service'),
    endpointSlices: ofKind(aged, 'EndpointSlice'),
    namespaces: ofKind(aged, 'Namespace'),
    configMaps: ofKind(aged, 'ConfigMap'),
    releases,
  };
}

/** Epoch ms; without a timestamp as young as can be. */
function age(resource: AnyResource): number {
  const stated = resource.metadata.creationTimestamp;
  return stated === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(stated);
}

function ofKind<K extends ResourceKind>(resources: readonly AnyResource[], kind: K): Extract<AnyResource, { kind: K }>[] {
  return resources.filter((resource): resource is Extract<AnyResource, { kind: K }> => resource.kind === kind);
}

function contentHash(resources: readonly AnyResource[], releases: readonly Release[]): string {
  const hash = createHash('sha256');
  for (const resource of resources) hash.update(resourceText(resource));
  for (const release of releases) hash.update(JSON.stringify(release));
  return hash.digest('hex').slice(0, 16);
}
