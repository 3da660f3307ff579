import { BUCKETS, bucketOf } from '../base/bucket.ts';
import type { ReleaseKey } from '../config/release.ts';
import { prepareConditions } from './condition.ts';
import { describeCors, describeFault, describeOps, describePolicies, describeRetry, describeSession } from './describe.ts';
import { DomainIndex } from './domain-index.ts';
import type {
  AssignmentExplanation,
  ClusterExplanation,
  Explanation,
  ForwardExplanation,
  MatchExplanation,
  MirrorExplanation,
  RuleExplanation,
} from './explanation.ts';
import { redirectLocation } from './redirect.ts';
import { pathAndQuery } from './request-view.ts';
import type { RequestView } from './request-view.ts';
import { destinationRewrite, rewritePath } from './rewrite.ts';
import { shadowHost } from './shadow-host.ts';
import type { ForwardAction, Mirror, Route, RouteMatch, RoutingTable, VirtualHost, WeightedCluster } from './table.ts';
import { userKey } from './user-key.ts';
import { pickCluster } from './weighted-pick.ts';

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
  const { cors } = taken.route;
  const headers = {
    requestHeaders: describeOps(taken.route.requestHeaders),
    responseHeaders: describeOps(taken.route.responseHeaders),
    ...(cors === undefined ? {} : { cors: describeCors(cors) }),
  };
  if (action.kind === 'redirect') {
    const location = redirectLocation(action, taken.match, request, listener.port);
    return { ...placed, ...headers, outcome: action.kind, answer: { status: action.status, location } };
  }
  if (action.kind === 'directResponse') {
    return { ...placed, ...headers, outcome: action.kind, answer: { status: action.status, bodyBytes: action.body.length } };
  }
  return { ...placed, ...headers, outcome: action.kind, forward: explainForward(table, listener.port, action, taken.match, request) };
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

/** By user a cluster may have several ranges of buckets; how large they are together is what there is to say. */
function inOneRow({ clusters, assignment }: ForwardAction): readonly WeightedCluster[] {
  if (assignment === undefined) return clusters;
  const rows = new Map<number, WeightedCluster>();
  for (const weighted of clusters) {
    const before = rows.get(weighted.cluster);
    rows.set(weighted.cluster, { ...weighted, weight: weighted.weight + (before?.weight ?? 0) });
  }
  return [...rows.values()];
}

function keyWords(key: ReleaseKey): string {
  return key.kind === 'sourceAddress' ? 'source address' : `${key.kind} ${key.name}`;
}

/** The bucket and the cluster as the data plane finds them (proxy/assignment.ts). A request that is only explained comes from nowhere, so it has no source address. */
function explainAssignment(table: RoutingTable, action: ForwardAction, request: RequestView): AssignmentExplanation | undefined {
  const { assignment } = action;
  if (assignment === undefined) return undefined;
  const by = assignment.keys.map(keyWords);
  const known = userKey(assignment, request, undefined);
  if (known === undefined) return { by, user: null, bucket: null, cluster: null };
  const bucket = bucketOf(assignment.salt, known.value);
  const { cluster } = pickCluster(action, (bucket + 0.5) / BUCKETS);
  return { by, user: { by: keyWords(known.key), value: known.value }, bucket, cluster: table.clusters[cluster]?.name ?? null };
}

/** What Serin does by itself, because nobody can notice it. */
const WITHOUT_POLICY = 'none but a connection that could not be made, and an idempotent request without a body on a connection just closed';

function fallbackOf(table: RoutingTable, { release }: WeightedCluster): Pick<ClusterExplanation, 'fallback'> {
  const stable = release?.fallback === undefined ? undefined : table.clusters[release.fallback.cluster];
  if (stable === undefined || release?.fallbackOn === undefined) return {};
  return { fallback: { to: stable.name, statusCodes: release.fallbackOn } };
}

/** @param authority As it is sent without copies in mind. */
function explainMirrors(table: RoutingTable, mirrors: readonly Mirror[] = [], authority: string): readonly MirrorExplanation[] {
  return mirrors.flatMap(({ cluster: index, perMillion, marksHost }) => {
    const cluster = table.clusters[index];
    if (cluster === undefined) return [];
    const { name, endpoints, missing } = cluster;
    return [
      {
        name,
        endpoints,
        ...(missing === undefined ? {} : { missing }),
        percent: perMillion / 10_000,
        authority: marksHost ? shadowHost(authority) : authority,
      },
    ];
  });
}

function explainForward(
  table: RoutingTable,
  listenerPort: number,
  action: ForwardAction,
  match: RouteMatch,
  request: RequestView,
): ForwardExplanation {
  const clusters = inOneRow(action).flatMap((weighted): readonly ClusterExplanation[] => {
    const cluster = table.clusters[weighted.cluster];
    if (cluster === undefined) return [];
    const { name, host, subset, port, discovery, loadBalancer, endpoints, http2, missing, missingStatus } = cluster;
    const rewrite = destinationRewrite(action, weighted);
    const ownPath = weighted.pathRewrite && rewritePath(rewrite, match, request.path);
    const authority = rewrite?.host ?? request.authority;
    const { redirect, mirrors: ownMirrors } = weighted;
    return [
      {
        name,
        host,
        subset,
        port,
        discovery,
        loadBalancer,
        endpoints,
        ...(http2 === undefined ? {} : { http2 }),
        ...(missing === undefined ? {} : { missing }),
        ...(missingStatus === undefined ? {} : { missingStatus }),
        policies: describePolicies(cluster),
        share: weighted.weight / action.totalWeight,
        authority,
        ...(redirect === undefined ? {} : { location: redirectLocation(redirect, match, request, listenerPort) }),
        ...(ownMirrors === undefined ? {} : { mirrors: explainMirrors(table, ownMirrors, authority) }),
        ...(ownPath === undefined ? {} : { path: pathAndQuery({ path: ownPath, query: request.query }) }),
        ...fallbackOf(table, weighted),
        requestHeaders: describeOps(weighted.requestHeaders),
        responseHeaders: describeOps(weighted.responseHeaders),
      },
    ];
  });
  const path = rewritePath(action.rewrite, match, request.path);
  const mirrors = explainMirrors(table, action.mirrors, clusters[0]?.authority ?? request.authority);
  const assignment = explainAssignment(table, action, request);
  return {
    clusters,
    ...(assignment === undefined ? {} : { assignment }),
    path: pathAndQuery({ path, query: request.query }),
    timeoutMs: action.timeoutMs,
    ...(action.isUnlimited === undefined ? {} : { isUnlimited: action.isUnlimited }),
    retries: action.retry === undefined ? WITHOUT_POLICY : describeRetry(action.retry),
    ...(action.session === undefined ? {} : { session: describeSession(action.session) }),
    ...(action.fault === undefined ? {} : { fault: describeFault(action.fault) }),
    ...(mirrors.length === 0 ? {} : { mirrors }),
  };
}
