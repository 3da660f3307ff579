/**
 * Which services and versions there are to watch, and where what is counted about each stands. Follows from what is in force alone, so it is made once for
 * every configuration and not for every look.
 */
import { serviceIndex, subsetEndpoints, subsetProcesses, type Service } from '../../config/services.ts';
import type { LiveListener } from '../../admin/live-types.ts';
import type { Subset } from '../../config/resources.ts';
import type { Proxy } from '../../proxy/proxy.ts';
import { isEjected } from '../../proxy/outlier-detection.ts';
import type { Cluster, Listener, RoutingTable, WeightedCluster } from '../../routing/table.ts';
import { healthKey } from '../../telemetry/health-board.ts';
import { outlierKey } from '../../telemetry/outlier-board.ts';
import type { SharedRow } from '../../telemetry/shared-rows.ts';
import { formatAddress } from '../listen.ts';
import type { InForce } from '../pipeline.ts';
import { schemeOf } from '../served-listeners.ts';
import { splitsOf } from '../splits.ts';

export interface VersionPlan {
  readonly subset: string;
  /** Statistics keys: names of its clusters, one a port. */
  readonly keys: readonly string[];
  readonly endpoints: readonly WatchedEndpoint[];
  /** Endpoints that no cluster has, because no rule sends to the subset: nothing is known of their health. */
  readonly unwatched: number;
  /** `namespace/service/version` of what Serin runs of it; empty: nothing. */
  readonly processes: readonly string[];
  readonly weightPercent: number | null;
}

interface WatchedEndpoint {
  /** -1: not checked. */
  readonly healthSlot: number;
  readonly outlierRows: readonly SharedRow[];
}

export interface ServicePlan {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
  readonly versions: readonly VersionPlan[];
}

export interface LivePlan {
  readonly services: readonly ServicePlan[];
  readonly listeners: readonly LiveListener[];
}

type Boards = Pick<Proxy, 'health' | 'outliers'>;

export function livePlan({ effective, table, bound }: Pick<InForce, 'effective' | 'table' | 'bound'>, boards: Boards): LivePlan {
  const clusters = Map.groupBy(
    table.clusters.filter(({ missing }) => missing === undefined),
    ({ host }) => host,
  );
  const index = serviceIndex(effective);
  const splits = splitsOf(effective);
  const hosts = new Set([...index.services().map(({ host }) => host), ...clusters.keys()]);
  const services = [...hosts].map((host): ServicePlan => {
    const service = index.service(host);
    const own = clusters.get(host) ?? [];
    const subsets = index.destinationRule(host)?.subsets ?? [];
    const weights = splits.get(host) ?? {};
    const sum = Object.values(weights).reduce((total, weight) => total + weight, 0);
    const percentOf = (subset: string): number | null => (sum === 0 ? null : Math.round((10_000 * (weights[subset] ?? 0)) / sum) / 100);
    const whole = versionPlan('', own, { service, found: undefined, weightPercent: null }, boards);
    const versions = subsets.map((found) => versionPlan(found.name, own, { service, found, weightPercent: percentOf(found.name) }, boards));
    return { host, ...namesOf(host, service), versions: [whole, ...versions] };
  });
  const known = new Set(hosts);
  const listeners = bound.flatMap(({ listener: name, host, port }): LiveListener[] => {
    const listener = table.listeners.find((declared) => declared.name === name);
    if (listener === undefined) return [];
    const reached = [...hostsOf(listener, table)].filter((each) => known.has(each));
    return [{ name, address: formatAddress({ host, port }), scheme: schemeOf(listener), gateways: [...listener.gateways], hosts: reached }];
  });
  return { services, listeners };
}

interface VersionSource {
  readonly service: Service | undefined;
  /** Undefined for the whole service. */
  readonly found: Subset | undefined;
  readonly weightPercent: number | null;
}

/** @param clusters All of the service. */
function versionPlan(subset: string, clusters: readonly Cluster[], source: VersionSource, boards: Boards): VersionPlan {
  const { service, found, weightPercent } = source;
  const wanted = Object.entries(found?.labels ?? {});
  const endpoints = new Map<string, { healthSlot: number; outlierRows: SharedRow[] }>();
  for (const cluster of clusters) {
    if (cluster.subset !== '' && cluster.subset !== subset) continue;
    for (const { address, port, labels } of cluster.endpoints) {
      if (!wanted.every(([key, value]) => labels[key] === value)) continue;
      const key = `${address} ${port}`;
      const endpoint = endpoints.get(key) ?? { healthSlot: -1, outlierRows: [] };
      if (cluster.healthCheck !== undefined) endpoint.healthSlot = boards.health.slot(healthKey(address, port, cluster.healthCheck.path));
      const row = cluster.outlierDetection && boards.outliers.find(outlierKey(cluster.name, address, port));
      if (row !== undefined && cluster.subset === subset) endpoint.outlierRows.push(row);
      endpoints.set(key, endpoint);
    }
  }
  const processes = service === undefined ? [] : subsetProcesses(service, found?.labels ?? {}).map(({ id }) => id);
  const isKnown = endpoints.size > 0 || processes.length > 0 || service === undefined;
  const given = isKnown ? [] : found === undefined ? service.endpoints : subsetEndpoints(service, found);
  return {
    subset,
    keys: clusters.filter((cluster) => cluster.subset === subset).map(({ name }) => name),
    endpoints: [...endpoints.values()],
    unwatched: given.length,
    processes,
    weightPercent,
  };
}

/** How many there are, how many of them get requests, and how many outlier detection keeps from them. */
export function endpointCounts(
  { endpoints, unwatched }: VersionPlan,
  board: Proxy['health'],
): { total: number; healthy: number; ejected: number } {
  let healthy = unwatched;
  let ejected = 0;
  for (const { healthSlot, outlierRows } of endpoints) {
    const isOut = outlierRows.some(isEjected);
    if (isOut) ejected++;
    else if (healthSlot < 0 || board.isHealthy(healthSlot)) healthy++;
  }
  return { total: endpoints.length + unwatched, healthy, ejected };
}

function namesOf(host: string, service: Service | undefined): { readonly name: string; readonly namespace: string } {
  const [name = host, namespace = ''] = host.endsWith('.svc.cluster.local') ? host.split('.') : [host];
  return { name, namespace: namespace === '' ? (service?.namespace ?? '') : namespace };
}

/** Of every cluster some rule of the listener can send to. */
function hostsOf(listener: Listener, table: RoutingTable): ReadonlySet<string> {
  const hosts = new Set<string>();
  const add = ({ cluster }: Pick<WeightedCluster, 'cluster'>): void => void hosts.add(table.clusters[cluster]?.host ?? '');
  for (const { routes } of listener.virtualHosts)
    for (const { action, unreachable } of routes) if (action.kind === 'forward' && unreachable === undefined) action.clusters.forEach(add);
  const connections = [listener.passthrough, listener.tcp, ...(listener.tls ?? []).map(({ tcp }) => tcp)];
  for (const { clusters } of connections.flatMap((routes) => routes ?? [])) clusters.forEach(add);
  return hosts;
}
