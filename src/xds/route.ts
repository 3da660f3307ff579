/** Routes of the table as config.route.v3 Route: one for each of a rule's match blocks. */
import { PREVIEW_HEADER } from '../config/preview.ts';
import type {
  CorsPolicy,
  Endpoint,
  ForwardAction,
  HeaderOps,
  Listener,
  Route,
  RouteMatch,
  RouteSource,
  RoutingTable,
  WeightedCluster,
} from '../routing/table.ts';
import { headerMutations, isEmpty } from './headers.ts';
import { routeMatch } from './match.ts';
import { any, duration, type Message, present } from './message.ts';
import type { Notes } from './notes.ts';
import { corsPolicy, hashPolicy, httpFault, isMethodBound, mirrorPolicy, retryPolicy } from './policies.ts';
import { pathRewrite, redirectAction } from './redirect.ts';

const CORS_FILTER = 'envoy.filters.http.cors';
const FAULT_FILTER = 'envoy.filters.http.fault';

export function envoyRoutes(route: Route, listener: Listener, table: RoutingTable, notes: Notes): readonly Message[] {
  if (route.unreachable !== undefined) return [];
  if (route.cors !== undefined) sayWhatCorsDiffers(route.source, route.cors, notes);
  const blocks = route.matches.filter((match) => match.never === undefined && !isPreview(route, match, notes));
  return blocks.map((match) => {
    const { namespace, name } = route.source;
    return present({
      name: `${namespace}/${name} ${route.name}`,
      match: routeMatch(match),
      ...action(route, match, listener, table, notes),
      ...headerMutations(route.requestHeaders, route.cors === undefined ? route.responseHeaders : withVary(route.responseHeaders)),
      typed_per_filter_config: filterConfigs(route),
    });
  });
}

/** Answers that depend on the origin, which Envoy's CORS filter does not tell caches. */
function withVary(ops: HeaderOps): HeaderOps {
  return { ...ops, add: [...ops.add, { name: 'vary', value: ['origin'] }] };
}

/** A link's token is verified by Serin; Envoy would believe whoever writes the header. */
function isPreview({ source }: Route, match: RouteMatch, notes: Notes): boolean {
  const isOne = match.headers.some(({ name }) => name === PREVIEW_HEADER);
  if (isOne) notes.route(source, 'W_ENVOY_OMITTED', 'the preview links of a release are left out: Envoy cannot verify their tokens');
  return isOne;
}

function action(route: Route, match: RouteMatch, listener: Listener, table: RoutingTable, notes: Notes): Message {
  const { action: chosen } = route;
  switch (chosen.kind) {
    case 'redirect':
      if (
        chosen.scheme !== undefined &&
        chosen.host === undefined &&
        chosen.port === undefined &&
        listener.port !== 80 &&
        listener.port !== 443
      )
        notes.route(
          route.source,
          'W_ENVOY_DIFFERS',
          `the redirect to ${chosen.scheme} keeps a port of the request's Host; Serin leaves it out`,
          'state redirect.port',
        );
      return { redirect: redirectAction(chosen, match.uri, listener) };
    case 'directResponse':
      return { direct_response: { status: chosen.status, ...(chosen.body.length === 0 ? {} : { body: bodyOf(chosen.body) }) } };
    case 'forward':
      sayWhatDiffers(route, chosen, table, notes);
      if (canGlueDots(match, chosen))
        notes.route(
          route.source,
          'W_ENVOY_DIFFERS',
          `a path such as ${match.uri?.value}../x is rewritten to one with a dot segment, which Envoy passes on; Serin resolves it`,
          'end both the prefix and what replaces it with /',
        );
      return { route: routeAction(chosen, match, table) };
  }
}

/** Two harmless parts that are not divided by the same slash. */
function canGlueDots({ uri }: RouteMatch, { rewrite }: ForwardAction): boolean {
  return uri?.kind === 'prefix' && !uri.value.endsWith('/') && rewrite?.path?.kind === 'prefix' && rewrite.path.value.endsWith('/');
}

function bodyOf(body: Uint8Array): Message {
  const text = Buffer.from(body).toString('utf8');
  return Buffer.from(text, 'utf8').equals(body) ? { inline_string: text } : { inline_bytes: Buffer.from(body).toString('base64') };
}

function routeAction(forward: ForwardAction, match: RouteMatch, table: RoutingTable): Message {
  const { rewrite, timeoutMs, mirrors = [] } = forward;
  const [only, ...others] = forward.clusters;
  const isLone = only !== undefined && others.length === 0 && isEmpty(only.requestHeaders) && isEmpty(only.responseHeaders);
  const host = rewrite?.host ?? (isLone ? only.hostRewrite : undefined);
  return present({
    ...(isLone
      ? { cluster: nameOf(only, table) }
      : { weighted_clusters: { clusters: forward.clusters.map((each) => weightedCluster(each, table)) } }),
    // 503 or 500, not the start, is what a destination costs that is not there.
    cluster_not_found_response_code: statusesOfMissing(forward, table).has(500) ? 'INTERNAL_SERVER_ERROR' : 'SERVICE_UNAVAILABLE',
    ...(rewrite?.path === undefined ? {} : pathRewrite(rewrite.path, match.uri)),
    host_rewrite_literal: host,
    timeout: duration(timeoutMs),
    retry_policy: retryPolicy(forward.retry),
    request_mirror_policies: mirrors.length === 0 ? undefined : mirrors.map((mirror) => mirrorPolicy(mirror, table)),
    hash_policy: hashPolicies(forward, table),
  });
}

/** With which destinations are answered that are not there. */
function statusesOfMissing({ clusters }: ForwardAction, table: RoutingTable): ReadonlySet<number> {
  const missing = clusters.flatMap(({ cluster }) => table.clusters[cluster] ?? []).filter((cluster) => cluster.missing !== undefined);
  return new Set(missing.map(({ missingStatus }) => missingStatus ?? 503));
}

function weightedCluster(weighted: WeightedCluster, table: RoutingTable): Message {
  return present({
    name: nameOf(weighted, table),
    weight: weighted.weight,
    host_rewrite_literal: weighted.hostRewrite,
    ...headerMutations(weighted.requestHeaders, weighted.responseHeaders),
  });
}

function nameOf({ cluster }: WeightedCluster, { clusters }: RoutingTable): string {
  return clusters[cluster]?.name ?? '';
}

/** Serin's belong to the clusters, Envoy's to the route; the same key once. */
function hashPolicies({ clusters }: ForwardAction, table: RoutingTable): readonly Message[] | undefined {
  const policies = clusters.flatMap(({ cluster }) => {
    const hash = table.clusters[cluster]?.hash;
    return hash === undefined ? [] : [hashPolicy(hash)];
  });
  const distinct = new Map(policies.map((policy) => [JSON.stringify(policy), policy]));
  return distinct.size === 0 ? undefined : [...distinct.values()];
}

function filterConfigs({ cors, action: chosen }: Route): Message | undefined {
  const fault = chosen.kind === 'forward' ? chosen.fault : undefined;
  if (cors === undefined && fault === undefined) return undefined;
  return present({ [CORS_FILTER]: cors && corsPolicy(cors), [FAULT_FILTER]: fault && httpFault(fault) });
}

function sayWhatDiffers({ source }: Route, forward: ForwardAction, table: RoutingTable, notes: Notes): void {
  const { retry, fault, clusters, assignment, timeoutMs, session } = forward;
  if (session !== undefined)
    notes.route(source, 'W_ENVOY_OMITTED', 'no session is kept: each request is drawn by weight, and goes to any endpoint');
  if (retry?.backoffIsMinimum === true && retry.attempts > 0)
    notes.route(
      source,
      'W_ENVOY_DIFFERS',
      `a retry may come before its back-off of ${retry.backoffMs} ms is over: any time up to it is drawn`,
    );
  if (statusesOfMissing(forward, table).size > 1)
    notes.route(
      source,
      'W_ENVOY_DIFFERS',
      'some destinations that are not there are to be answered 500 and some 503; here all are answered 500',
    );
  if (retry !== undefined && isMethodBound(retry))
    notes.route(
      source,
      'W_ENVOY_DIFFERS',
      'requests that are not idempotent are never tried again; Serin does while nothing of them has been sent',
      'render with --istio-compat to retry every method',
    );
  if (fault !== undefined && !fault.isBeforeRouter && (timeoutMs > 0 || retry !== undefined))
    notes.route(source, 'W_ENVOY_DIFFERS', 'faults come once and before timeouts and retries; in Serin each attempt meets them');
  if (assignment !== undefined)
    notes.route(source, 'W_ENVOY_OMITTED', 'users are not kept on their version: each request is drawn by weight');
  if (clusters.some(({ release }) => release?.observation !== undefined))
    notes.route(source, 'W_ENVOY_OMITTED', 'the weights of a release stay as they are now: nothing is compared and nobody is promoted');
  if (clusters.some(({ release }) => release?.killSwitch !== undefined))
    notes.route(source, 'W_ENVOY_OMITTED', 'a canary that proves broken is not cut off');
  if (clusters.some(({ release }) => release?.fallbackOn !== undefined))
    notes.route(source, 'W_ENVOY_OMITTED', 'stable does not answer for a canary that fails');
  if (clusters.some(({ pathRewrite, mirrors, redirect }) => pathRewrite !== undefined || mirrors !== undefined || redirect !== undefined))
    notes.route(
      source,
      'W_ENVOY_OMITTED',
      'of one of several destinations, what rewrites its paths, redirects or copies its requests is left out',
    );
  const hashes = clusters.flatMap(({ cluster }) => table.clusters[cluster]?.hash ?? []);
  const keys = new Set(hashes.map(({ key }) => JSON.stringify(key)));
  if (keys.size > 1)
    notes.route(source, 'W_ENVOY_DIFFERS', 'destinations hash by different keys; here each hashes by all of them together');
}

function sayWhatCorsDiffers(
  source: RouteSource,
  { echoesRequested, allowMethods, allowHeaders, exposeHeaders, allowsCredentials }: CorsPolicy,
  notes: Notes,
): void {
  if (echoesRequested !== true) return;
  if (allowMethods === '*' || allowHeaders === '*')
    notes.route(
      source,
      'W_ENVOY_DIFFERS',
      'a preflight is told * where everything is allowed; Serin repeats the method and the headers that it asks for',
      'list the methods and headers',
    );
  if (exposeHeaders === '*' && allowsCredentials)
    notes.route(source, 'W_ENVOY_DIFFERS', 'answers with credentials expose *, which browsers take for a name; Serin leaves it out');
}

/** config.core.v3 Address. */
export function socketAddress({ address, port }: Pick<Endpoint, 'address' | 'port'>): Message {
  return { socket_address: { address, port_value: port } };
}

/** Filters that routes of this listener need, in the order in which requests pass them; the router is the last. */
export function httpFilters(routes: readonly Route[]): readonly Message[] {
  const isUsed = (wanted: (route: Route) => boolean): boolean => routes.some(wanted);
  const hasFault = isUsed(({ action: chosen }) => chosen.kind === 'forward' && chosen.fault !== undefined);
  return [
    ...(isUsed(({ cors }) => cors !== undefined)
      ? [{ name: CORS_FILTER, typed_config: any('envoy.extensions.filters.http.cors.v3.Cors') }]
      : []),
    ...(hasFault ? [{ name: FAULT_FILTER, typed_config: any('envoy.extensions.filters.http.fault.v3.HTTPFault') }] : []),
    { name: 'envoy.filters.http.router', typed_config: any('envoy.extensions.filters.http.router.v3.Router') },
  ];
}
