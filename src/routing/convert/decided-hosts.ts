/** Services of the mesh that obey routes of the Gateway API, and therefore no VirtualService (`meshListener`). */
import { MESH_GATEWAY } from '../../config/gateway-name.ts';
import { resolveHost } from '../../config/hosts.ts';
import type { AnyResource, VirtualService } from '../../config/resources.ts';
import { boundGateways } from '../compile-match.ts';

/** Full names. */
export function decidedHosts(resources: readonly AnyResource[]): ReadonlySet<string> {
  const hosts = new Set<string>();
  for (const resource of resources) {
    if (resource.kind !== 'HTTPRoute' && resource.kind !== 'GRPCRoute') continue;
    for (const { kind, name, namespace = resource.metadata.namespace } of resource.spec.parentRefs ?? []) {
      if (kind === 'Service') hosts.add(resolveHost(name, namespace));
    }
  }
  return hosts;
}

/** Those of its hosts that it has no say over, where it is for the mesh at all. */
export function ineffectiveHosts({ metadata, spec }: VirtualService, decided: ReadonlySet<string>): readonly string[] {
  if (!boundGateways(spec.gateways, metadata.namespace).includes(MESH_GATEWAY)) return [];
  return (spec.hosts ?? []).map((host) => resolveHost(host, metadata.namespace)).filter((host) => decided.has(host));
}
