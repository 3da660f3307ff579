import { prepareConditions } from './condition.ts';
import { describeOps } from './describe.ts';
import { DomainIndex } from './domain-index.ts';
import type { ClusterExplanation, Explanation, ForwardExplanation, MatchExplanation, RuleExplanation } from './explanation.ts';
import { redirectLocation } from './redirect.ts';
import { pathAndQuery } from './request-view.ts';
import type { RequestView } from './request-view.ts';
import { rewritePath } from './rewrite.ts';
import type { ForwardAction, Route, RouteMatch, RoutingTable, VirtualHost } from './table.ts';

export type { Explanation } from './explanation.ts';
export { formatExplanation } from './format-explanation.ts';

/**
 * Explains one request against a listener of a table, without sending anything.
 *
 * Decides by the same `DomainIndex` and the same prepared conditions as `Matcher`, walked one by one instead of looked up, so the two agree.
 */
export function explain(table: RoutingTable, listenerName: string, request: RequestView): Explanation {
  const { method, scheme, authority, path, query } = request;
  const common = { listener: listenerName, request: { method, scheme, authority, path, query }, requestHeaders: [], responseHeaders: [] };
  const notFound = { status: 404, responseFlag: 'NR' } as const;
  const listener = table.listeners.find(({ name }) => name === listenerName);
  if (listener === undefined) return { ...common, outcome: 'noListener', rules: [] };
  const domains = new DomainIndex<{ readonly virtualHost: VirtualHost; readonly domain: string }>();
  for (const virtualHost of listener.virtualHosts) for (const domain of virtualHost.domains) domains.add(domain, { virtualHost, domain });
  const found = domains.find(authority);
  if (found === undefined) return { ...common, outcome: 'noVirtualHost', answer: notFound, rules: [] };
  const { virtualHost, domain } = found;
  const { rules, taken } = explainRules(virtualHost, request);
  const placed = { ...common, virtualHost: { name: virtualHost.name, domain }, rules };
  if (taken === undefined) return { ...placed, outcome: 'noRoute', answer: notFound };
  const { action } = taken.route;
  const headers = { requestHeaders: describeOps(taken.route.requestHeaders), responseHeaders: describeOps(taken.route.responseHeaders) };
  if (action.kind === 'redirect') {
    const location = redirectLocation(action, taken.match, request, listener.port);
    return { ...placed, ...headers, outcome: action.kind, answer: { status: action.status, location } };
  }
  if (action.kind === 'directResponse') {
    return { ...placed, ...headers, outcome: action.kind, answer: { status: action.status, bodyBytes: action.body.length } };
  }
  return { ...placed, ...headers, outcome: action.kind, forward: explainForward(table, action, taken.match, request) };
}

interface Taken {
  readonly route: Route;
  readonly match: RouteMatch;
}

function explainRules(
  virtualHost: VirtualHost,
  request: RequestView,
): { readonly rules: readonly RuleExplanation[]; readonly taken: Taken | undefined } {
  let taken: Taken | undefined;
  const rules = virtualHost.routes.map((route): RuleExplanation => {
    const { name, source } = route;
    if (route.unreachable !== undefined) return { name, source, verdict: 'unreachable', reason: route.unreachable, matches: [] };
    if (taken !== undefined) return { name, source, verdict: 'notReached', reason: `${taken.route.name} took the request`, matches: [] };
    const matches: MatchExplanation[] = [];
    for (const match of route.matches) {
      const explained = explainMatch(match, request);
      matches.push(explained);
      if (explained.verdict === 'holds') {
        taken = { route, match };
        break;
      }
    }
    return { name, source, verdict: taken === undefined ? 'lost' : 'taken', matches };
  });
  return { rules, taken };
}

/** All conditions are asked, not only up to the first that fails: who mends one wants to know of the next. */
function explainMatch(match: RouteMatch, request: RequestView): MatchExplanation {
  const conditions = prepareConditions(match).map((condition) => ({
    what: condition.what,
    expected: condition.expected,
    found: condition.found(request) ?? null,
    holds: condition.holds(request),
  }));
  const { path, never } = match;
  if (never !== undefined) return { path, verdict: 'never', reason: never, conditions };
  return { path, verdict: conditions.every(({ holds }) => holds) ? 'holds' : 'fails', conditions };
}

function explainForward(table: RoutingTable, action: ForwardAction, match: RouteMatch, request: RequestView): ForwardExplanation {
  const clusters = action.clusters.flatMap((weighted): readonly ClusterExplanation[] => {
    const cluster = table.clusters[weighted.cluster];
    if (cluster === undefined) return [];
    const { name, host, subset, port, discovery, loadBalancer, endpoints, missing } = cluster;
    return [
      {
        name,
        host,
        subset,
        port,
        discovery,
        loadBalancer,
        endpoints,
        ...(missing === undefined ? {} : { missing }),
        share: weighted.weight / action.totalWeight,
        authority: action.rewrite?.host ?? weighted.hostRewrite ?? request.authority,
        requestHeaders: describeOps(weighted.requestHeaders),
        responseHeaders: describeOps(weighted.responseHeaders),
      },
    ];
  });
  const path = rewritePath(action.rewrite, match, request.path);
  return { clusters, path: pathAndQuery({ path, query: request.query }), timeoutMs: action.timeoutMs };
}
