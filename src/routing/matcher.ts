import { finish } from '../base/finish.ts';
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

  constructor(table: Pick<RoutingTable, 'listeners'>) {
    finish(this.#prepare(table));
  }

  /** The same in steps of a millisecond or so, for a thread that has requests to serve meanwhile. Each `next()` is a step. */
  static *gradually(table: RoutingTable): Generator<undefined, Matcher> {
    const matcher = new Matcher({ listeners: [] });
    yield* matcher.#prepare(table);
    return matcher;
  }

  *#prepare({ listeners }: Pick<RoutingTable, 'listeners'>): Generator<undefined, void> {
    for (const listener of listeners) {
      const matcher = new ListenerMatcher();
      yield* matcher.prepare(listener);
      this.#listeners.set(listener.name, matcher);
    }
  }

  /** By `Listener.name`. */
  listener(name: string): ListenerMatcher | undefined {
    return this.#listeners.get(name);
  }
}

export class ListenerMatcher {
  readonly #virtualHosts = new DomainIndex<RouteIndex<Hit>>();

  /** Once, before anything is asked. */
  *prepare({ virtualHosts }: Listener): Generator<undefined, void> {
    let untilStep = STEP_BLOCKS;
    for (const virtualHost of virtualHosts) {
      const blocks = liveBlocks(virtualHost);
      const index = yield* RouteIndex.gradually(blocks, STEP_BLOCKS);
      for (const domain of virtualHost.domains) this.#virtualHosts.add(domain, index);
      untilStep -= 1 + (blocks.length % STEP_BLOCKS);
      if (untilStep > 0) continue;
      untilStep = STEP_BLOCKS;
      yield;
    }
  }

  /** Undefined: no virtual host for the Host, or no route of it holds; the answer is 404, flag NR. */
  match(request: RequestView): Hit | undefined {
    return this.#virtualHosts.find(request.authority)?.find(request);
  }
}

/** Blocks that are prepared in a millisecond or so. */
const STEP_BLOCKS = 200;

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
