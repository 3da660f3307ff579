/**
 * The Gateway API's resources as Istio's, with everything that behaves in another way afterwards (semantics.md 2.7).
 *
 * Rules are read from the routing table: there they are in the order in which they count, references have been followed, and every host has its own. What is
 * written down is a VirtualService for each set of hosts with the same rules, in that order.
 */
import { buildSnapshot } from '../../config/build-snapshot.ts';
import { SERIN_GATEWAY_CLASS } from '../../config/gateway-api/types.ts';
import { isGatewayApiKind } from '../../config/gateway-api/read.ts';
import { isKubernetesKind } from '../../config/kubernetes/read.ts';
import { copyOrigin } from '../../config/origins.ts';
import { resolveHost } from '../../config/hosts.ts';
import type { AnyResource, VirtualService } from '../../config/resources.ts';
import { boundGateways } from '../compile-match.ts';
import { compile } from '../compile.ts';
import type { GatewayApiStatuses } from '../gateway-api/status.ts';
import { statusKey } from '../gateway-api/status.ts';
import { Changes, spotOf } from './changes.ts';
import { decidedHosts, ineffectiveHosts } from './decided-hosts.ts';
import { istioGateways } from './gateway-listeners-to-istio.ts';
import { istioServices } from './services-to-istio.ts';
import { tableToIstio } from './table-to-istio.ts';
import type { Conversion } from './to-gateway-api.ts';

/** @param resources Validated, in the order in which they were given; Istio's stay as they are. */
export function toIstio(resources: readonly AnyResource[]): Conversion {
  const changes = new Changes();
  const snapshot = buildSnapshot(resources.map(ofOurClass));
  const { table, statuses } = compile({ ...snapshot, virtualServices: [], gateways: [] });
  const gateways = istioGateways(snapshot, changes);
  const services = istioServices(snapshot, changes);
  const rules = tableToIstio(snapshot, table, gateways.made, changes);
  sayWhatIsNotAccepted(resources, statuses, changes);
  const decided = decidedHosts(resources);
  const kept = resources.flatMap((resource): readonly AnyResource[] => {
    const { kind } = resource;
    if (kind === 'VirtualService') return withoutHosts(resource, ineffectiveHosts(resource, decided), changes);
    return kind === 'Secret' || !(isGatewayApiKind(kind) || isKubernetesKind(kind)) ? [resource] : [];
  });
  return { resources: [...kept, ...services, ...gateways.resources, ...rules], changes: changes.diagnostics };
}

/** A VirtualService would have a say again over hosts whose routes are VirtualServices, too. */
function withoutHosts(resource: VirtualService, hosts: readonly string[], changes: Changes): readonly VirtualService[] {
  if (hosts.length === 0) return [resource];
  const { metadata, spec } = resource;
  const isWhole = (spec.hosts ?? []).every((host) => hosts.includes(resolveHost(host, metadata.namespace)));
  const isMeshOnly = boundGateways(spec.gateways, metadata.namespace).length === 1;
  if (isWhole && isMeshOnly) {
    changes.leftOut(spotOf(resource), 'the VirtualService is left out: its hosts obey routes of the Gateway API already');
    return [];
  }
  changes.differs(
    spotOf(resource, 'spec.hosts'),
    `${hosts.join(', ')} obeys the VirtualService beside the rules of its routes of the Gateway API`,
  );
  return [resource];
}

/** Whoever's the class is: what is asked is what the resources say. */
function ofOurClass(resource: AnyResource): AnyResource {
  if (resource.kind !== 'GatewayApiGateway') return resource;
  return copyOrigin(resource, { ...resource, spec: { ...resource.spec, gatewayClassName: SERIN_GATEWAY_CLASS } });
}

function sayWhatIsNotAccepted(resources: readonly AnyResource[], statuses: GatewayApiStatuses, changes: Changes): void {
  for (const resource of resources) {
    if (resource.kind !== 'HTTPRoute' && resource.kind !== 'GRPCRoute' && resource.kind !== 'TLSRoute') continue;
    const status = statuses.get(statusKey(resource));
    if (status === undefined || !('parents' in status)) continue;
    const refusals = status.parents.flatMap(({ conditions }) =>
      conditions.filter((each) => each.type === 'Accepted' && each.status === 'False'),
    );
    for (const { message } of refusals) changes.leftOut(spotOf(resource), `the route is left out where it is not accepted: ${message}`);
    if (status.parents.length === 0) changes.leftOut(spotOf(resource), 'the route is left out: none of its parents is known here');
  }
}
