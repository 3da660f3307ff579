/**
 * Which services there are, where their endpoints stand and which DestinationRule is theirs: the lookups that analysis, overlay and
 * routing/ share. Pure; built once for a Snapshot.
 *
 * Several ServiceEntries for one host are one service: the oldest one's, with the endpoints and ports of the others added when its
 * resolution is theirs too. Several DestinationRules for one host are merged by age: subsets of all, the first of a name counting; the oldest
 * trafficPolicy (Istio's rule, semantics 2.1.9). A wildcard rule (`*.example.com`) applies where no rule names the host, the longest first.
 */
import { hostMatches, normalizeHost, resolveHost } from './hosts.ts';
import { declaredServices, type ServiceDeclaration } from './kubernetes/services.ts';
import { isIpAddress } from './names.ts';
import type { DestinationRule, ServiceEntrySpec, ServicePort, Subset, TrafficPolicy, WorkloadEntrySpec } from './resources.ts';
import { runId, runSpecsOf } from './run.ts';
import type { Snapshot } from './snapshot.ts';

export type Resolution = NonNullable<ServiceEntrySpec['resolution']>;

export interface Service {
  /** Full name in lower case; a wildcard only where a ServiceEntry has one. */
  readonly host: string;
  readonly namespace: string;
  readonly ports: readonly ServicePort[];
  readonly resolution: Resolution;
  /** Written out or selected; without `unix://` addresses. For DNS without endpoints: the host itself. */
  readonly endpoints: readonly WorkloadEntrySpec[];
  /** Versions that Serin runs: endpoints that come and go with their processes. */
  readonly processes: readonly ProcessVersion[];
  /** The oldest ServiceEntry for the host; of a Service of Kubernetes, the one that would say the same. */
  readonly entry: ServiceDeclaration;
  readonly destinationRule?: MergedDestinationRule;
}

export interface ProcessVersion {
  /** As `runId` makes it. */
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of each instance. */
  readonly weight: number;
}

export interface MergedDestinationRule {
  readonly subsets: readonly Subset[];
  readonly trafficPolicy?: TrafficPolicy;
  /** Oldest first; never empty. */
  readonly resources: readonly DestinationRule[];
}

export interface ServiceIndex {
  /** The service of a full name (see `resolveHost`); a wildcard ServiceEntry's where no other has the name. */
  service(fqdn: string): Service | undefined;
  /** In the order of age. */
  services(): readonly Service[];
  /** Also for hosts that are no known service. */
  destinationRule(fqdn: string): MergedDestinationRule | undefined;
}

export function serviceIndex(snapshot: Snapshot): ServiceIndex {
  const rules = indexRules(snapshot.destinationRules);
  const services = new Map<string, Service>();
  for (const entry of [...snapshot.serviceEntries, ...declaredServices(snapshot)]) {
    for (const host of entry.spec.hosts) {
      const fqdn = resolveHost(host, entry.metadata.namespace);
      const service = serviceOf(fqdn, entry, snapshot, rules);
      const earlier = services.get(fqdn);
      services.set(fqdn, earlier === undefined ? service : joined(earlier, service));
    }
  }
  const all = [...services.values()];
  const wildcards = all.filter(({ host }) => host.startsWith('*')).sort((a, b) => b.host.length - a.host.length);
  return {
    service: (fqdn) => services.get(fqdn) ?? wildcards.find(({ host }) => hostMatches(host, fqdn)),
    services: () => all,
    destinationRule: (fqdn) => rules.find(fqdn),
  };
}

function serviceOf(host: string, entry: ServiceDeclaration, snapshot: Snapshot, rules: RuleIndex): Service {
  const { ports = [], resolution = 'NONE' } = entry.spec;
  const destinationRule = rules.find(host);
  return {
    host,
    namespace: entry.metadata.namespace,
    ports,
    resolution,
    endpoints: endpointsOf(host, entry, snapshot),
    processes: processesOf(entry),
    entry,
    ...(destinationRule === undefined ? {} : { destinationRule }),
  };
}

function endpointsOf(host: string, entry: ServiceDeclaration, snapshot: Snapshot): readonly WorkloadEntrySpec[] {
  const { resolution = 'NONE', endpoints, workloadSelector } = entry.spec;
  if (resolution === 'NONE' || resolution === 'DYNAMIC_DNS') return [];
  if (workloadSelector !== undefined) {
    const wanted = Object.entries(workloadSelector.labels ?? {});
    return snapshot.workloadEntries
      .filter(
        ({ metadata, spec }) =>
          metadata.namespace === entry.metadata.namespace && wanted.every(([key, value]) => spec.labels?.[key] === value),
      )
      .map(({ spec }) => spec)
      .filter((spec) => isReachable(spec) && (resolution !== 'STATIC' || isIpAddress(spec.address ?? '')));
  }
  if (endpoints === undefined || endpoints.length === 0) {
    const isNamed = resolution !== 'STATIC' && !host.startsWith('*') && runSpecsOf(entry.metadata).size === 0;
    return isNamed ? [{ address: host }] : [];
  }
  return endpoints.filter(isReachable);
}

function processesOf({ metadata }: ServiceDeclaration): readonly ProcessVersion[] {
  return [...runSpecsOf(metadata)].map(([version, { weight = 1 }]) => ({ id: runId(metadata, version), labels: { version }, weight }));
}

function isReachable({ address }: WorkloadEntrySpec): boolean {
  return address !== undefined && address !== '' && !address.startsWith('unix://');
}

function joined(older: Service, younger: Service): Service {
  if (older.resolution !== younger.resolution) return older;
  const numbers = new Set(older.ports.map(({ number }) => number));
  return {
    ...older,
    ports: [...older.ports, ...younger.ports.filter(({ number }) => !numbers.has(number))],
    endpoints: [...older.endpoints, ...younger.endpoints],
    processes: [...older.processes, ...younger.processes],
  };
}

interface RuleIndex {
  find(host: string): MergedDestinationRule | undefined;
}

function indexRules(rules: readonly DestinationRule[]): RuleIndex {
  const byHost = new Map<string, DestinationRule[]>();
  for (const rule of rules) {
    const host = resolveHost(rule.spec.host, rule.metadata.namespace);
    const same = byHost.get(host);
    if (same === undefined) byHost.set(host, [rule]);
    else same.push(rule);
  }
  const merged = new Map([...byHost].map(([host, same]) => [host, mergeRules(same)]));
  const wildcards = [...merged].filter(([host]) => host.startsWith('*')).sort(([a], [b]) => b.length - a.length);
  return { find: (host) => merged.get(host) ?? wildcards.find(([pattern]) => hostMatches(pattern, host))?.[1] };
}

function mergeRules(rules: readonly DestinationRule[]): MergedDestinationRule {
  const subsets = new Map<string, Subset>();
  let trafficPolicy: TrafficPolicy | undefined;
  for (const { spec } of rules) {
    trafficPolicy ??= spec.trafficPolicy;
    for (const subset of spec.subsets ?? []) if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
  }
  return { subsets: [...subsets.values()], resources: rules, ...(trafficPolicy === undefined ? {} : { trafficPolicy }) };
}

/** The versions Serin runs that a subset selects. */
export function subsetProcesses(service: Service, labels: Readonly<Record<string, string>>): readonly ProcessVersion[] {
  const wanted = Object.entries(labels);
  return service.processes.filter((version) => wanted.every(([key, value]) => version.labels[key] === value));
}

/** The endpoints a subset selects; all of them for a subset without labels. */
export function subsetEndpoints(service: Service, subset: Subset): readonly WorkloadEntrySpec[] {
  const wanted = Object.entries(subset.labels ?? {});
  return service.endpoints.filter(({ labels }) => wanted.every(([key, value]) => labels?.[key] === value));
}

/** A host of a VirtualService bound to the mesh, as it is looked up: in full, or as written when it is a wildcard. */
export function meshHost(host: string, namespace: string): string {
  return resolveHost(normalizeHost(host), namespace);
}
