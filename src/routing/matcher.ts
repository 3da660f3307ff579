import { DomainIndex } from './domain-index.ts';
import type { RequestView } from './request-view.ts';
import { RouteIndex } from './route-index.ts';
import type { Listener, Route, RouteMatch, RoutingTable, VirtualHost } from './table.ts';

/** What a request met: made once per match block when the table is prepared, so that matching allocates nothing. */
export interface Hit {
  readonly virtualHost: VirtualHost;
  readonly route: Route;
  readonly match: RouteMatch;
}

/**
 * A table prepared for matching; one per data plane and table, immutable but for the bounded cache of host names.
 *
 * Request -> listener -> virtual host (`DomainIndex`) -> first block that holds (`RouteIndex`). There is no falling through from one virtual host
 * to a less specific one when none of its routes hold: that request gets 404, as with Envoy.
 */
export class Matcher {
  readonly #listeners = new Map<string, ListenerMatcher>();

  constructor(table: RoutingTable) {
    for (const listener of table.listeners) this.#listeners.set(listener.name, new ListenerMatcher(listener));
  }

  /** By `Listener.name`. */
  listener(name: string): ListenerMatcher | undefined {
    return this.#listeners.get(name);
  }
}

export class ListenerMatcher {
  readonly #virtualHosts = new DomainIndex<RouteIndex<Hit>>();

  constructor(listener: Listener) {
    for (const virtualHost of listener.virtualHosts) {
      const index = new RouteIndex<Hit>(liveBlocks(virtualHost));
      for (const domain of virtualHost.domains) this.#virtualHosts.add(domain, index);
    }
  }

  /** Undefined: no virtual host for the Host, or no route of it holds; the answer is 404, flag NR. */
  match(request: RequestView): Hit | undefined {
    return this.#virtualHosts.find(request.authority)?.find(request);
  }
}

/** The blocks that can hold here, in order. `explain` shows the others with their reason. */
function liveBlocks(virtualHost: VirtualHost): { readonly match: RouteMatch; readonly hit: Hit }[] {
  const blocks: { readonly match: RouteMatch; readonly hit: Hit }[] = [];
  for (const route of virtualHost.routes) {
    if (route.unreachable !== undefined) continue;
    for (const match of route.matches) {
      if (match.never === undefined) blocks.push({ match, hit: { virtualHost, route, match } });
    }
  }
  return blocks;
}
