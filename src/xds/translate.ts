/**
 * The routing table as Envoy's resources: the same table that the embedded data plane works from, so that both serve the same.
 *
 * Pure and deterministic. Everything the table says is in the result or among `unsupported`.
 */
import type { Diagnostic } from '../base/diagnostic.ts';
import type { Credentials } from '../config/credential.ts';
import type { Cluster, Listener, RoutingTable, TlsSite } from '../routing/table.ts';
import { envoyCluster } from './cluster.ts';
import { type BoundAddress, envoyListener } from './listener.ts';
import { type Message, type NamedMessage, present } from './message.ts';
import { Notes } from './notes.ts';
import { routeConfiguration } from './route-configuration.ts';
import { siteRoutes } from './site-routes.ts';

export interface EnvoyOptions {
  /** Where each listener is bound, by its name; one that is not here is left out. */
  readonly addresses: ReadonlyMap<string, BoundAddress>;
  /** Certificates and keys to write out, by name of the credential; of others only the paths are. */
  readonly credentials?: Credentials;
  /** Protocols a client may upgrade to, lower case; none where there is no list. */
  readonly upgrades?: readonly string[];
}

export interface EnvoyResources {
  /** config.listener.v3 Listener. Each holds its routes. */
  readonly listeners: readonly NamedMessage[];
  /** config.route.v3 RouteConfiguration, of the listeners in their order. */
  readonly routes: readonly NamedMessage[];
  /** config.cluster.v3 Cluster, with their endpoints. One whose destination is not there has none: its requests are answered 503. */
  readonly clusters: readonly NamedMessage[];
  /** What is not carried over, and what Envoy does in another way (`W_ENVOY_…`). */
  readonly unsupported: readonly Diagnostic[];
}

export function envoyResources(table: RoutingTable, { addresses, credentials = new Map(), upgrades = [] }: EnvoyOptions): EnvoyResources {
  const notes = new Notes();
  const options = { credentials, notes };
  const listeners: NamedMessage[] = [];
  const routes: NamedMessage[] = [];
  for (const listener of table.listeners) {
    const bound = addresses.get(listener.name);
    if (bound === undefined) continue;
    const configuration = carriesHttp(listener) ? [routeConfiguration(listener, table, notes)] : [];
    routes.push(...configuration);
    const [whole] = configuration;
    const routesOf = (site?: TlsSite): Message =>
      present({ route_config: whole && siteRoutes(whole, listener, site), ...upgradesOf(upgrades) });
    listeners.push(envoyListener(listener, bound, routesOf, table, options));
  }
  for (const cluster of clustersOfRequests(table)) sayTunnelIdle(cluster, notes);
  const clusters = table.clusters.filter(({ missing }) => missing === undefined).map((cluster) => envoyCluster(cluster, options));
  return { listeners, routes, clusters, unsupported: notes.diagnostics };
}

/** Whether any connection to it has requests in it that are routed one by one. */
function carriesHttp({ tls, passthrough, tcp }: Listener): boolean {
  return tls === undefined ? tcp === undefined && passthrough === undefined : tls.some((site) => site.tcp === undefined);
}

/** Rules for whole connections have an idle time of their own. */
function clustersOfRequests({ listeners, clusters }: RoutingTable): readonly Cluster[] {
  const routes = listeners.flatMap(({ virtualHosts }) => virtualHosts.flatMap((host) => host.routes));
  const used = new Set(routes.flatMap(({ action }) => (action.kind === 'forward' ? action.clusters.map(({ cluster }) => cluster) : [])));
  return clusters.filter((_, index) => used.has(index));
}

function sayTunnelIdle({ name, tunnelIdleMs, missing }: Cluster, notes: Notes): void {
  if (tunnelIdleMs === undefined || missing !== undefined) return;
  notes.about(
    `cluster ${name}`,
    'W_ENVOY_DIFFERS',
    `a tunnel is closed after 5 minutes without a byte, not ${tunnelIdleMs === 0 ? 'never' : `after ${tunnelIdleMs} ms`}`,
  );
}

/** Of the connection manager, like the routes. */
function upgradesOf(upgrades: readonly string[]): Message {
  return upgrades.length === 0 ? {} : { upgrade_configs: upgrades.map((upgrade_type) => ({ upgrade_type })) };
}
