import type {
  BackendTlsPolicy,
  GatewayApiGateway,
  GatewayApiHttpRoute,
  GatewayClass,
  GrpcRoute,
  ListenerSet,
  ReferenceGrant,
  TlsRoute,
} from './gateway-api/types.ts';
import type { ConfigMap, EndpointSlice, KubernetesNamespace, KubernetesService } from './kubernetes/types.ts';
import type { Release } from './release.ts';
import type {
  AnyResource,
  DestinationRule,
  Gateway,
  MetricTemplate,
  Notification,
  Rollout,
  Secret,
  ServiceEntry,
  VirtualService,
  WorkloadEntry,
} from './resources.ts';

/**
 * Everything that is configured at one moment, validated; immutable. `routing/` compiles it, and nothing else reads the user's files.
 *
 * Order inside each list is the order of age: `creationTimestamp` where stated, else the order in which files and documents were given. It
 * decides merges (semantics.md 2.1.1).
 */
export interface Snapshot {
  /** Hash of the content; equal content has an equal version. */
  readonly version: string;
  readonly virtualServices: readonly VirtualService[];
  readonly destinationRules: readonly DestinationRule[];
  readonly gateways: readonly Gateway[];
  readonly serviceEntries: readonly ServiceEntry[];
  readonly workloadEntries: readonly WorkloadEntry[];
  readonly secrets: readonly Secret[];
  readonly rollouts: readonly Rollout[];
  readonly metricTemplates: readonly MetricTemplate[];
  readonly notifications: readonly Notification[];
  readonly gatewayClasses: readonly GatewayClass[];
  readonly gatewayApiGateways: readonly GatewayApiGateway[];
  readonly listenerSets: readonly ListenerSet[];
  readonly httpRoutes: readonly GatewayApiHttpRoute[];
  readonly grpcRoutes: readonly GrpcRoute[];
  readonly tlsRoutes: readonly TlsRoute[];
  readonly referenceGrants: readonly ReferenceGrant[];
  readonly backendTlsPolicies: readonly BackendTlsPolicy[];
  readonly kubernetesServices: readonly KubernetesService[];
  readonly endpointSlices: readonly EndpointSlice[];
  readonly namespaces: readonly KubernetesNamespace[];
  readonly configMaps: readonly ConfigMap[];
  /** Releases the overlay has put in force; each host at most once. Empty in what the files alone say. */
  readonly releases: readonly Release[];
}

export const EMPTY_SNAPSHOT: Snapshot = {
  version: 'empty',
  virtualServices: [],
  destinationRules: [],
  gateways: [],
  serviceEntries: [],
  workloadEntries: [],
  secrets: [],
  rollouts: [],
  metricTemplates: [],
  notifications: [],
  gatewayClasses: [],
  gatewayApiGateways: [],
  listenerSets: [],
  httpRoutes: [],
  grpcRoutes: [],
  tlsRoutes: [],
  referenceGrants: [],
  backendTlsPolicies: [],
  kubernetesServices: [],
  endpointSlices: [],
  namespaces: [],
  configMaps: [],
  releases: [],
};

/** Every resource in it, kind by kind. */
export function resourcesIn({ version: _version, releases: _releases, ...kinds }: Snapshot): AnyResource[] {
  return Object.values(kinds).flatMap((resources: readonly AnyResource[]) => resources);
}
