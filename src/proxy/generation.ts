/**
 * One table in force, with what the data plane made of it. Requests in flight keep theirs; a reload replaces the reference and nothing else.
 */
import type { ListenerMatcher, Matcher } from '../routing/matcher.ts';
import type { Route, RoutingTable, TcpRoute } from '../routing/table.ts';
import type { ClusterRuntime } from './cluster-runtime.ts';
import type { RouteParts, RouteRuntime } from './route-runtime.ts';
import { routeRuntime } from './route-runtime.ts';
import { TlsSites } from './tls-sites.ts';

export class Generation {
  readonly table: RoutingTable;
  readonly #parts: RouteParts;
  readonly #matcher: Matcher;
  readonly #routes = new Map<Route, RouteRuntime>();
  readonly #tls = new Map<string, TlsSites>();
  readonly #tcp = new Map<string, readonly TcpRoute[]>();

  constructor(table: RoutingTable, matcher: Matcher, parts: RouteParts) {
    this.table = table;
    this.#parts = parts;
    this.#matcher = matcher;
    for (const { name, tls, passthrough, tcp } of table.listeners) {
      if (tls !== undefined || passthrough !== undefined)
        this.#tls.set(name, new TlsSites(tls ?? [], passthrough ?? [], parts.credentials));
      if (tcp !== undefined) this.#tcp.set(name, tcp);
    }
  }

  /** Undefined where the listener's connections are something that can be looked into. */
  tcpRoutes(listener: string): readonly TcpRoute[] | undefined {
    return this.#tcp.get(listener);
  }

  /** @param index  In the table. */
  cluster(index: number): ClusterRuntime {
    const cluster = this.#parts.clusters[index];
    if (cluster === undefined) throw new Error(`broken invariant: a route names cluster ${index} of ${this.#parts.clusters.length}`);
    return cluster;
  }

  /** Undefined where the listener speaks no TLS. */
  tlsSites(listener: string): TlsSites | undefined {
    return this.#tls.get(listener);
  }

  listener(name: string): ListenerMatcher | undefined {
    return this.#matcher.listener(name);
  }

  route(route: Route): RouteRuntime {
    const known = this.#routes.get(route);
    if (known !== undefined) return known;
    const made = routeRuntime(route, this.#parts);
    this.#routes.set(route, made);
    return made;
  }
}
