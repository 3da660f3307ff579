import { isCatchAll } from './compile-match.ts';
import type { Route, RouteMatch } from './table.ts';

/**
 * The routes of one virtual host, from the VirtualServices that name it, oldest first.
 *
 * Within one VirtualService, what stands after a rule that takes everything is never reached (Istio drops it: BuildHTTPRoutesForVirtualService).
 * Of several, each one's take-everything blocks move behind everybody's other rules (Istio SortVHostRoutes; vector A12), where only the first of
 * them is reached. Unreachable routes stay in the list, marked, at its end or in their place, so that explain can name them.
 */
export function mergeRoutes(lists: readonly (readonly Route[])[]): readonly Route[] {
  const [only, ...others] = lists;
  if (only === undefined) return [];
  if (others.length === 0) return markUnreachable(only);
  const particular: Route[] = [];
  const general: Route[] = [];
  const dead: Route[] = [];
  for (const list of lists) {
    for (const route of markUnreachable(list)) {
      if (route.unreachable !== undefined) {
        dead.push(route);
        continue;
      }
      const at = route.matches.findIndex(isCatchAll);
      if (at === -1) {
        particular.push(route);
        continue;
      }
      if (at > 0) particular.push({ ...route, matches: route.matches.slice(0, at) });
      general.push({ ...route, matches: route.matches.slice(at) });
    }
  }
  return [...particular, ...markUnreachable(general), ...dead];
}

/** True while some request may reach the route on its listener. */
export function isLive(route: Route): boolean {
  return route.unreachable === undefined && route.matches.some((match: RouteMatch) => match.never === undefined);
}

/** Notes of what stands behind a rule that takes everything that no request gets there. */
export function markUnreachable(routes: readonly Route[]): readonly Route[] {
  const at = routes.findIndex((route) => route.unreachable === undefined && route.matches.some(isCatchAll));
  const taker = routes[at];
  if (taker === undefined || at === routes.length - 1) return routes;
  const { kind, namespace, name } = taker.source;
  const unreachable = `an earlier rule takes everything: ${taker.name} of ${kind} ${namespace}/${name}`;
  return routes.map((route, index) => (index > at && route.unreachable === undefined ? { ...route, unreachable } : route));
}
