/** Rules for whole connections as extensions.filters.network.tcp_proxy.v3 TcpProxy. */
import type { Cluster, RoutingTable, TcpRoute } from '../routing/table.ts';
import { any, duration, type Message, present } from './message.ts';
import type { Notes } from './notes.ts';

/** Of a connection without a byte, where nothing is stated: Serin's, and Envoy's. */
const IDLE_MS = 3_600_000;
/** Another endpoint, once, where the first cannot be connected to. */
const MAX_TRIES = 2;

export function tcpProxy(route: TcpRoute, listener: string, table: RoutingTable, notes: Notes): Message {
  const clusters = route.clusters.flatMap(({ cluster }) => table.clusters[cluster] ?? []);
  const [only, ...others] = route.clusters.map(({ cluster, weight }) => ({ name: table.clusters[cluster]?.name ?? '', weight }));
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: any(
      'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
      present({
        stat_prefix: listener,
        ...(only !== undefined && others.length === 0 ? { cluster: only.name } : { weighted_clusters: { clusters: [only, ...others] } }),
        idle_timeout: duration(idleMs(route, clusters, notes)),
        max_connect_attempts: MAX_TRIES,
        hash_policy: clusters.some(({ hash }) => hash?.key.kind === 'sourceAddress') ? [{ source_ip: {} }] : undefined,
      }),
    ),
  };
}

/** 0: for ever, to Envoy as well. */
function idleMs({ source }: TcpRoute, clusters: readonly Cluster[], notes: Notes): number {
  const stated = new Set(clusters.map(({ tunnelIdleMs = IDLE_MS }) => tunnelIdleMs));
  const longest = stated.has(0) ? 0 : Math.max(...stated);
  if (stated.size > 1)
    notes.route(
      source,
      'W_ENVOY_DIFFERS',
      `a connection without a byte is ${longest === 0 ? 'never closed' : `closed after ${longest} ms`}, whichever destination it has: Envoy has one idle time a rule`,
      'state the same connectionPool.tcp.idleTimeout for all of them',
    );
  return longest;
}
