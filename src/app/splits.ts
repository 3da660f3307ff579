/** How the rules of a snapshot split the traffic of services over their subsets, and routes of the Gateway API theirs over Services. */
import type { Weights } from '../admin/api-types.ts';
import { resolveHost } from '../config/hosts.ts';
import type { GatewayApiHttpRule, GrpcRule, HttpBackendRef } from '../config/gateway-api/types.ts';
import { findRoute, routeOfTarget } from '../config/release-target.ts';
import type { IstioTcpRoute } from '../config/resources.ts';
import type { Snapshot } from '../config/snapshot.ts';

/** What rules of every kind have. */
type Splitting = Pick<IstioTcpRoute, 'route'>;

type Kind = 'http' | 'tcp' | 'tls';

/**
 * The weights of the rule that splits a service, else of the last rule that sends it to subsets; of rules for whole connections where none is for
 * requests. Empty where no rule names a subset of it.
 *
 * @param target As release-target.ts has it; of a route, the weights of the rule that splits, else of its last one, by name of the Service.
 */
export function splitOf(snapshot: Snapshot, target: string): Weights {
  const route = routeOfTarget(target);
  return route === undefined ? splitOfService(snapshot, target) : splitOfRoute(findRoute(snapshot, route));
}

/** Services of other namespaces with theirs: `NAMESPACE/NAME`. */
function splitOfRoute(route: ReturnType<typeof findRoute>): Weights {
  const all: readonly (GatewayApiHttpRule | GrpcRule)[] = route?.spec.rules ?? [];
  const refs = all.map(({ backendRefs = [] }): readonly HttpBackendRef[] => backendRefs).filter(({ length }) => length > 0);
  const weights = new Map<string, number>();
  for (const { name, namespace, weight = 1 } of refs.find(({ length }) => length > 1) ?? refs.at(-1) ?? []) {
    const shown = namespace === undefined || namespace === route?.metadata.namespace ? name : `${namespace}/${name}`;
    weights.set(shown, (weights.get(shown) ?? 0) + weight);
  }
  return Object.fromEntries(weights);
}

function splitOfService(snapshot: Snapshot, host: string): Weights {
  const of = (kind: Kind): readonly Splitting[] =>
    snapshot.virtualServices.flatMap(({ metadata, spec }) => (spec[kind] ?? []).filter((rule) => isAllOf(rule, host, metadata.namespace)));
  const http = of('http');
  return splitBy(http.length > 0 ? http : [...of('tcp'), ...of('tls')]);
}

/** The same for all services at once, by full name. */
export function splitsOf(snapshot: Snapshot): ReadonlyMap<string, Weights> {
  const of = (kind: Kind): ReadonlyMap<string, readonly Splitting[]> => {
    const byHost = new Map<string, Splitting[]>();
    for (const { metadata, spec } of snapshot.virtualServices) {
      for (const rule of spec[kind] ?? []) {
        const host = resolveHost(rule.route?.[0]?.destination.host ?? '', metadata.namespace);
        if (!isAllOf(rule, host, metadata.namespace)) continue;
        const rules = byHost.get(host);
        if (rules === undefined) byHost.set(host, [rule]);
        else rules.push(rule);
      }
    }
    return byHost;
  };
  const [http, tcp, tls] = [of('http'), of('tcp'), of('tls')];
  const hosts = new Set([...http.keys(), ...tcp.keys(), ...tls.keys()]);
  return new Map([...hosts].map((host) => [host, splitBy(http.get(host) ?? [...(tcp.get(host) ?? []), ...(tls.get(host) ?? [])])]));
}

/** All requests of the rule go to the service. */
function isAllOf({ route = [] }: Splitting, host: string, namespace: string): boolean {
  return route.length > 0 && route.every(({ destination }) => resolveHost(destination.host, namespace) === host);
}

function splitBy(rules: readonly Splitting[]): Weights {
  const rule = rules.find((candidate) => (candidate.route ?? []).length > 1) ?? rules.at(-1);
  const weights = new Map<string, number>();
  for (const { destination, weight } of rule?.route ?? []) {
    if (destination.subset === undefined) continue;
    weights.set(destination.subset, (weights.get(destination.subset) ?? 0) + (weight ?? (rule?.route?.length === 1 ? 100 : 0)));
  }
  return Object.fromEntries(weights);
}
