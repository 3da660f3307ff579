/**
 * One table in force, with what the data plane made of it. Requests in flight keep theirs; a reload replaces the reference and nothing else.
 */
import type { ListenerMatcher } from '../routing/matcher.ts';
import { Matcher } from '../routing/matcher.ts';
import type { Route, RoutingTable } from '../routing/table.ts';
import type { RouteParts, RouteRuntime } from './route-runtime.ts';
import { routeRuntime } from './route-runtime.ts';

export class Generation {
  readonly table: RoutingTable;
  readonly #parts: RouteParts;
  readonly #matcher: Matcher;
  readonly #routes = new Map<Route, RouteRuntime>();

  constructor(table: RoutingTable, parts: RouteParts) {
    this.table = table;
    this.#parts = parts;
    this.#matcher = new Matcher(table);
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
