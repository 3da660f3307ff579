import { isIP } from 'node:net';
import { parseDuration } from '../base/duration.ts';
import { healthCheckOf } from '../config/health-check.ts';
import type { ServicePort, WorkloadEntrySpec } from '../config/resources.ts';
import { effectivePolicy } from './traffic-policy.ts';
import { type Service, type ServiceIndex, subsetProcesses } from '../config/services.ts';
import type { Cluster, Endpoint, HealthCheck } from './table.ts';

/**
 * The clusters that routes refer to, made on first use and shared by name: a service's port, whole or one subset of it.
 *
 * A reference to something that is not there makes a cluster with `missing` and no endpoints, so that one wrong name costs 503 on its own share and
 * nothing else (vector A34).
 */
export class ClusterTable {
  readonly #services: ServiceIndex;
  readonly #indexes = new Map<string, number>();
  readonly #clusters: Cluster[] = [];

  constructor(services: ServiceIndex) {
    this.#services = services;
  }

  get clusters(): readonly Cluster[] {
    return this.#clusters;
  }

  /**
   * Index of the cluster for a destination.
   *
   * @param host    Resolved to its full name.
   * @param subset  Empty for the whole service.
   * @param port    As the destination states it, or undefined: then a service's only port, else `listenerPort` (Istio GetDestinationCluster).
   */
  use(host: string, subset: string, port: number | undefined, listenerPort: number): number {
    const service = this.#services.service(host);
    const [onlyPort, ...otherPorts] = service?.ports ?? [];
    const chosen = port ?? (onlyPort !== undefined && otherPorts.length === 0 ? onlyPort.number : listenerPort);
    const name = `outbound|${chosen}|${subset}|${host}`;
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    const index = this.#clusters.length;
    this.#clusters.push(makeCluster(this.#services, name, host, subset, chosen));
    this.#indexes.set(name, index);
    return index;
  }
}

function makeCluster(services: ServiceIndex, name: string, host: string, subsetName: string, portNumber: number): Cluster {
  const service = services.service(host);
  const rule = services.destinationRule(host);
  const port = service?.ports.find((candidate) => candidate.number === portNumber);
  const subset = rule?.subsets.find((candidate) => candidate.name === subsetName);
  const common = {
    name,
    host,
    subset: subsetName,
    port: portNumber,
    ...effectivePolicy(rule?.trafficPolicy, subset?.trafficPolicy, portNumber),
  };
  const missing = whyMissing(service, host, subsetName, subset !== undefined, port);
  if (missing !== undefined || service === undefined || port === undefined) {
    return { ...common, missing: missing ?? `no service ${host}`, discovery: 'STATIC', endpoints: [] };
  }
  const endpoints = endpointsOf(service, port, host).filter((endpoint) => hasLabels(endpoint.labels, subset?.labels ?? {}));
  const processes = subsetProcesses(service, subset?.labels ?? {});
  const check = healthCheck(service);
  return {
    ...common,
    discovery: endpoints.every((endpoint) => isIP(endpoint.address) !== 0) ? 'STATIC' : 'DNS',
    endpoints,
    ...(processes.length === 0 ? {} : { processes }),
    ...(check === undefined ? {} : { healthCheck: check }),
  };
}

function whyMissing(
  service: Service | undefined,
  host: string,
  subset: string,
  hasSubset: boolean,
  port: ServicePort | undefined,
): string | undefined {
  if (service === undefined) return `no service ${host}`;
  if (port === undefined)
    return `service ${host} has no such port, only ${service.ports.map(({ number }) => number).join(', ') || 'none at all'}`;
  if (subset !== '' && !hasSubset) return `no DestinationRule for ${host} has a subset ${subset}`;
  return undefined;
}

/**
 * The service's endpoints. Where its resolution says that the host name is the address (NONE, DYNAMIC_DNS, DNS without endpoints), the host that the
 * destination names: under a wildcard ServiceEntry that is not the entry's own. With NONE, Istio would pass the connection to whatever address the
 * caller had looked up, which a proxy that callers address by name does not know.
 */
function endpointsOf(service: Service, port: ServicePort, host: string): readonly Endpoint[] {
  const { resolution, endpoints, entry } = service;
  const isListed =
    endpoints.some(({ address }) => address !== service.host) || entry.spec.workloadSelector !== undefined || service.processes.length > 0;
  if (resolution === 'STATIC' || isListed) return endpoints.flatMap((endpoint) => toEndpoint(endpoint, port));
  return host.startsWith('*') ? [] : [{ address: host, port: port.targetPort ?? port.number, weight: 1, labels: {} }];
}

function toEndpoint(endpoint: WorkloadEntrySpec, port: ServicePort): readonly Endpoint[] {
  if (endpoint.address === undefined) return [];
  const named = port.name === undefined ? undefined : endpoint.ports?.[port.name];
  return [
    {
      address: endpoint.address,
      port: named ?? port.targetPort ?? port.number,
      weight: Math.max(1, endpoint.weight ?? 1),
      labels: endpoint.labels ?? {},
    },
  ];
}

function hasLabels(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

/** Durations and thresholds that the annotation leaves out: see `HealthCheckSpec`. */
function healthCheck(service: Service): HealthCheck | undefined {
  const spec = healthCheckOf(service.entry.metadata);
  if (spec === undefined) return undefined;
  return {
    path: spec.path,
    intervalMs: durationOr(spec.interval, 5000),
    timeoutMs: durationOr(spec.timeout, 1000),
    unhealthyThreshold: spec.unhealthyThreshold ?? 2,
    healthyThreshold: spec.healthyThreshold ?? 1,
  };
}

function durationOr(text: string | undefined, fallbackMs: number): number {
  return (text === undefined ? undefined : parseDuration(text)) ?? fallbackMs;
}
