import { isIP } from 'node:net';
import { parseDuration } from '../base/duration.ts';
import { healthCheckOf } from '../config/health-check.ts';
import type { ServicePort, Subset, WorkloadEntrySpec } from '../config/resources.ts';
import { type MergedDestinationRule, type Service, type ServiceIndex, subsetProcesses } from '../config/services.ts';
import { upstreamTls } from './compile-tls.ts';
import { retryLimit } from './retry-budget.ts';
import { byLocality, type PlacedEndpoint } from './locality.ts';
import { effectiveBlocks, effectivePolicy, effectiveTls } from './traffic-policy.ts';
import { upstreamHttp2 } from './upstream-http2.ts';
import { type Attachments, backendKey, type BackendTls } from './gateway-api/model.ts';
import { policyTls } from './gateway-api/policy-tls.ts';
import type { Cluster, HealthCheck, UpstreamTls } from './table.ts';

/** Of `CompileOptions`. */
export interface ClusterOptions {
  readonly istioCompat?: boolean;
  readonly locality?: string;
}

/**
 * The clusters that routes refer to, made on first use and shared by name: a service's port, whole or one subset of it.
 *
 * A reference to something that is not there makes a cluster with `missing` and no endpoints, so that one wrong name costs 503 on its own share and
 * nothing else (vector A34).
 */
export class ClusterTable {
  readonly #services: ServiceIndex;
  readonly #options: ClusterOptions;
  readonly #indexes = new Map<string, number>();
  readonly #clusters: Cluster[] = [];
  #backendTls: Attachments['backendTls'] = new Map();

  constructor(services: ServiceIndex, options: ClusterOptions) {
    this.#services = services;
    this.#options = options;
  }

  get clusters(): readonly Cluster[] {
    return this.#clusters;
  }

  /** BackendTLSPolicies, by which clusters that are made from now on go before anything else says how TLS is spoken. */
  obey(policies: Attachments['backendTls']): void {
    this.#backendTls = policies;
  }

  /**
   * Index of the cluster for a destination.
   *
   * @param host    Resolved to its full name.
   * @param subset  Empty for the whole service.
   * @param port    As the destination states it, or undefined: then a service's only port, else `listenerPort` (Istio GetDestinationCluster).
   * @param clientCertificate Name of a credential that is shown where a BackendTLSPolicy has TLS spoken.
   */
  use(host: string, subset: string, port: number | undefined, listenerPort: number, clientCertificate?: string): number {
    const service = this.#services.service(host);
    const [onlyPort, ...otherPorts] = service?.ports ?? [];
    const chosen = port ?? (onlyPort !== undefined && otherPorts.length === 0 ? onlyPort.number : listenerPort);
    const policy = this.#backendTls.get(backendKey(host, chosen));
    // Connections with a certificate are no use to Gateways that have another, or none.
    const certificate = policy === undefined ? undefined : clientCertificate;
    const name = `outbound|${chosen}|${subset}|${host}${certificate === undefined ? '' : `|${certificate}`}`;
    return this.#add(name, () => makeCluster(this.#services, name, host, subset, chosen, this.#options, policy, certificate));
  }

  /**
   * Index of the cluster for a reference that leads nowhere by the Gateway API's rules, also where there is a service of that name.
   *
   * @param message What is wrong.
   * @param status  `Cluster.missingStatus`.
   */
  useInvalid(host: string, port: number, message: string, status: 500 | undefined): number {
    const name = `${status === undefined ? 'unavailable' : 'invalid'}|${port}||${host}`;
    return this.#add(name, () => {
      const common = { name, host, subset: '', port, ...effectivePolicy(undefined, undefined, port) };
      const limit = retryLimit(undefined, undefined, port, this.#options.istioCompat === true);
      const missing = { missing: message, ...(status === undefined ? {} : { missingStatus: status }) };
      return { ...common, retryLimit: limit, ...missing, discovery: 'STATIC', endpoints: [] };
    });
  }

  #add(name: string, make: () => Cluster): number {
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    const index = this.#clusters.length;
    this.#clusters.push(make());
    this.#indexes.set(name, index);
    return index;
  }
}

function makeCluster(
  services: ServiceIndex,
  name: string,
  host: string,
  subsetName: string,
  portNumber: number,
  { istioCompat = false, locality }: ClusterOptions,
  policy: BackendTls | undefined,
  clientCertificate: string | undefined,
): Cluster {
  const service = services.service(host);
  const rule = services.destinationRule(host);
  const port = service?.ports.find((candidate) => candidate.number === portNumber);
  const subset = rule?.subsets.find((candidate) => candidate.name === subsetName);
  const tls = policy === undefined ? rule && clusterTls(rule, subset, host, portNumber) : policyTls(policy, clientCertificate);
  const http2 = upstreamHttp2(port?.protocol, rule?.trafficPolicy, subset?.trafficPolicy, portNumber);
  const common = {
    name,
    host,
    subset: subsetName,
    port: portNumber,
    ...effectivePolicy(rule?.trafficPolicy, subset?.trafficPolicy, portNumber),
    ...(tls === undefined ? {} : { tls }),
    ...(http2 === undefined ? {} : { http2 }),
    retryLimit: retryLimit(rule?.trafficPolicy, subset?.trafficPolicy, portNumber, istioCompat),
  };
  if (policy?.invalid !== undefined) return { ...common, missing: policy.invalid, missingStatus: 500, discovery: 'STATIC', endpoints: [] };
  const missing = whyMissing(service, host, subsetName, subset !== undefined, port);
  if (missing !== undefined || service === undefined || port === undefined) {
    return { ...common, missing: missing ?? `no service ${host}`, discovery: 'STATIC', endpoints: [] };
  }
  const selected = endpointsOf(service, port, host).filter((endpoint) => hasLabels(endpoint.labels, subset?.labels ?? {}));
  const { loadBalancer, outlierDetection } = effectiveBlocks(rule?.trafficPolicy, subset?.trafficPolicy, portNumber);
  const near = loadBalancer?.localityLbSetting ?? loadBalancer?.zoneAwareLbSetting;
  const endpoints = byLocality(selected, near, locality, outlierDetection !== undefined);
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

function clusterTls(rule: MergedDestinationRule, subset: Subset | undefined, host: string, port: number): UpstreamTls | undefined {
  const settings = effectiveTls(rule.trafficPolicy, subset?.trafficPolicy, port);
  // Credentials are looked for where the resource is that names them.
  const [oldest] = rule.resources;
  const owner =
    rule.resources.find(({ spec }) =>
      subset?.trafficPolicy?.tls === settings ? spec.subsets?.some((own) => own === subset) : spec.trafficPolicy === rule.trafficPolicy,
    ) ?? oldest;
  return owner && upstreamTls(settings, host, owner.metadata.namespace, owner.origin);
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
function endpointsOf(service: Service, port: ServicePort, host: string): readonly PlacedEndpoint[] {
  const { resolution, endpoints, entry } = service;
  const isListed =
    endpoints.some(({ address }) => address !== service.host) || entry.spec.workloadSelector !== undefined || service.processes.length > 0;
  if (resolution === 'STATIC' || isListed) return endpoints.flatMap((endpoint) => toEndpoint(endpoint, port));
  return host.startsWith('*') ? [] : [{ address: host, port: port.targetPort ?? port.number, weight: 1, labels: {} }];
}

function toEndpoint(endpoint: WorkloadEntrySpec, port: ServicePort): readonly PlacedEndpoint[] {
  if (endpoint.address === undefined) return [];
  const named = port.name === undefined ? undefined : endpoint.ports?.[port.name];
  return [
    {
      address: endpoint.address,
      port: named ?? port.targetPort ?? port.number,
      weight: Math.max(1, endpoint.weight ?? 1),
      labels: endpoint.labels ?? {},
      ...(endpoint.locality === undefined ? {} : { locality: endpoint.locality }),
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
