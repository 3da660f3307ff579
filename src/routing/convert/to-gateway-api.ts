/**
 * Istio's resources as the Gateway API's, with everything that behaves in another way afterwards (semantics.md 2.7).
 *
 * What can be said exactly is, if need be in another form; where the idiomatic form differs (a path prefix by elements) it is used and the difference said. No
 * rule takes requests that were another's without that being said.
 */
import type { ReferenceGrant } from '../../config/gateway-api/types.ts';
import { GATEWAY_API_GROUP } from '../../config/gateway-api/types.ts';
import { buildSnapshot } from '../../config/build-snapshot.ts';
import type { AnyResource, ResourceKind } from '../../config/resources.ts';
import type { Diagnostic } from '../../base/diagnostic.ts';
import { startCompilation } from '../compilation.ts';
import { Changes, spotOf } from './changes.ts';
import { decidedHosts } from './decided-hosts.ts';
import { convertDestinationRules } from './destination-rules.ts';
import { convertGateways } from './istio-gateways.ts';
import { KubernetesServices } from './kubernetes-services.ts';
import { type ConvertedServices, VirtualServiceConversion } from './virtual-services.ts';

export interface Conversion {
  readonly resources: readonly AnyResource[];
  /** Warnings, at the places they are about. */
  readonly changes: readonly Diagnostic[];
}

const CONVERTED: ReadonlySet<ResourceKind> = new Set(['VirtualService', 'DestinationRule', 'Gateway', 'ServiceEntry', 'WorkloadEntry']);
const SERINS_OWN: ReadonlySet<ResourceKind> = new Set(['Rollout', 'MetricTemplate', 'Notification']);

/** @param resources Validated, in the order in which they were given; those of the Gateway API and of Kubernetes stay as they are. */
export function toGatewayApi(resources: readonly AnyResource[]): Conversion {
  const changes = new Changes();
  const compilation = startCompilation(buildSnapshot(resources), [], {});
  const services = new KubernetesServices(compilation.snapshot, changes);
  const gateways = convertGateways(compilation.snapshot.gateways, changes);
  const converter = new VirtualServiceConversion(compilation, changes, services, gateways.listeners, decidedHosts(resources));
  const { routes, grants } = converter.convert(compilation.snapshot.virtualServices);
  const policies = convertDestinationRules(compilation, services, changes);
  for (const resource of resources) {
    if (SERINS_OWN.has(resource.kind)) changes.leftOut(spotOf(resource), `${resource.kind} is left out: it is Serin's own`);
  }
  const kept = resources.filter(({ kind }) => !CONVERTED.has(kind) && !SERINS_OWN.has(kind));
  return {
    resources: [...kept, ...services.resources, ...gateways.resources, ...routes, ...policies, ...referenceGrants(grants, resources)],
    changes: changes.diagnostics,
  };
}

/** One for each namespace that routes of others refer to. */
function referenceGrants(grants: ConvertedServices['grants'], [anything]: readonly AnyResource[]): readonly ReferenceGrant[] {
  if (anything === undefined) return [];
  const namespaces = [...new Set(grants.map(({ to }) => to))].sort();
  return namespaces.map((namespace): ReferenceGrant => ({
    apiVersion: `${GATEWAY_API_GROUP}/v1`,
    kind: 'ReferenceGrant',
    metadata: { name: 'routes', namespace },
    spec: {
      from: grants.filter(({ to }) => to === namespace).map(({ kind, from }) => ({ group: GATEWAY_API_GROUP, kind, namespace: from })),
      to: [{ group: '', kind: 'Service' }],
    },
    origin: anything.origin,
  }));
}
