import { hostMatches, resolveHost } from '../config/hosts.ts';
import type { DestinationRule, ServiceEntry, ServicePort, Subset, TrafficPolicy, WorkloadEntrySpec } from '../config/resources.ts';
import type { Snapshot } from '../config/snapshot.ts';

/** What is known about one host: the ServiceEntry that declares it, its endpoints, and the DestinationRules in force. */
export interface Service {
  readonly host: string;
  readonly namespace: string;
  readonly ports: readonly ServicePort[];
  readonly resolution: NonNullable<ServiceEntry['spec']['resolution']>;
  readonly endpoints: readonly WorkloadEntrySpec[];
  readonly entry: ServiceEntry;
  readonly destinationRule?: { readonly subsets: readonly Subset[]; readonly trafficPolicy?: TrafficPolicy };
}

export interface ServiceIndex {
  service(host: string): Service | undefined;
  services(): readonly Service[];
}

export function serviceIndex(snapshot: Snapshot): ServiceIndex {
  const rules = new Map<string, DestinationRule[]>();
  for (const rule of snapshot.destinationRules) {
    const host = resolveHost(rule.spec.host, rule.metadata.namespace);
    const same = rules.get(host);
    if (same === undefined) rules.set(host, [rule]);
    else same.push(rule);
  }
  const wildcards = [...rules.keys()].filter((host) => host.startsWith('*')).sort((a, b) => b.length - a.length);
  const byHost = new Map<string, Service>();
  for (const entry of snapshot.serviceEntries) {
    for (const written of entry.spec.hosts) {
      const host = resolveHost(written, entry.metadata.namespace);
      if (byHost.has(host)) continue;
      const selector = entry.spec.workloadSelector?.labels;
      const endpoints =
        selector === undefined
          ? (entry.spec.endpoints ?? [])
          : snapshot.workloadEntries
              .filter((workload) => workload.metadata.namespace === entry.metadata.namespace && hasLabels(workload.spec.labels, selector))
              .map((workload) => workload.spec);
      const wildcard = wildcards.find((pattern) => hostMatches(pattern, host));
      const inForce = rules.get(host) ?? (wildcard === undefined ? undefined : rules.get(wildcard));
      byHost.set(host, {
        host,
        namespace: entry.metadata.namespace,
        ports: entry.spec.ports ?? [],
        resolution: entry.spec.resolution ?? 'NONE',
        endpoints,
        entry,
        ...(inForce === undefined ? {} : { destinationRule: mergeRules(inForce) }),
      });
    }
  }
  const all = [...byHost.values()];
  return { service: (host) => byHost.get(host), services: () => all };
}

function mergeRules(rules: readonly DestinationRule[]): NonNullable<Service['destinationRule']> {
  const subsets = new Map<string, Subset>();
  for (const rule of rules) for (const subset of rule.spec.subsets ?? []) if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
  const trafficPolicy = rules.find((rule) => rule.spec.trafficPolicy !== undefined)?.spec.trafficPolicy;
  return { subsets: [...subsets.values()], ...(trafficPolicy === undefined ? {} : { trafficPolicy }) };
}

function hasLabels(labels: Readonly<Record<string, string>> | undefined, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => labels?.[key] === value);
}
