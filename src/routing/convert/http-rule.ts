/** A rule of a VirtualService, as it is compiled for one port, as rules of an HTTPRoute. */
import type {
  GatewayApiHttpMatch,
  GatewayApiHttpRule,
  HttpBackendRef,
  HttpRequestRedirectFilter,
  HttpRouteFilter,
} from '../../config/gateway-api/types.ts';
import { isCatchAll } from '../compile-match.ts';
import { describeFault } from '../describe.ts';
import { NO_HEADER_OPS } from '../table.ts';
import type {
  Cluster,
  DirectResponseAction,
  ForwardAction,
  HeaderOps,
  RedirectAction,
  Route,
  RouteMatch,
  WeightedCluster,
} from '../table.ts';
import { below, type Changes, type Spot } from './changes.ts';
import { convertHeaders, layered, MOST_OPERATIONS } from './header-filter.ts';
import { convertMatch } from './http-match.ts';
import type { KubernetesServices } from './kubernetes-services.ts';
import { fullPath, prefixChange } from './path-change.ts';
import { convertCors, convertRetry, convertTimes, type Lost } from './policies.ts';

/** Where a rule is served. */
export interface RuleTarget {
  readonly port: number;
  readonly scheme: 'http' | 'https';
}

export interface RuleContext {
  readonly changes: Changes;
  readonly services: KubernetesServices;
  readonly clusters: readonly Cluster[];
  /** Of the HTTPRoute. */
  readonly namespace: string;
  readonly target: RuleTarget;
  /** Nobody else has rules for the hosts. */
  readonly isAlone: boolean;
  /** A Service of another namespace is referred to. */
  readonly needsGrant: (namespace: string) => void;
}

/** One match, and what has become of it. */
export interface ConvertedBlock {
  readonly from: RouteMatch;
  readonly to: GatewayApiHttpMatch;
}

export interface ConvertedRule {
  /** Without matches. */
  readonly rule: Omit<GatewayApiHttpRule, 'matches'>;
  readonly blocks: readonly ConvertedBlock[];
}

/** Most of each in one rule (httproute_types.go). */
const MOST_BACKENDS = 16;

/**
 * Blocks that need a path of their own put in place of what they matched become rules of their own.
 *
 * @returns empty where the rule has no equivalent, which the changes say
 */
export function convertRule(context: RuleContext, route: Route, spot: Spot): readonly ConvertedRule[] {
  const { changes } = context;
  const blocks = route.matches.flatMap((from, index): readonly ConvertedBlock[] => {
    if (from.never !== undefined) return [];
    const at = route.matches.length === 1 && from.path === spot.path ? spot : below(spot, `match[${index}]`);
    const converted = convertMatch(from);
    if (converted.kind === 'none') {
      changes.leftOut(
        below(at, converted.field),
        `the match is left out: ${converted.reason}`,
        'its requests go on to other rules, or are answered with 404',
      );
      return [];
    }
    for (const { message, hint } of converted.paths) changes.differs(below(at, 'uri'), message, hint);
    return converted.matches.map((to) => ({ from, to }));
  });
  if (blocks.length === 0) return [];
  const { action } = route;
  if (action.kind === 'directResponse') return answered(context, route, action, blocks, spot);
  if (action.kind === 'redirect') return perPath(blocks, (block) => redirectRule(context, route, action, block, spot));
  if (action.clusters.length > MOST_BACKENDS) {
    changes.leftOut(spot, `the rule is left out: there may be ${MOST_BACKENDS} destinations, found ${action.clusters.length}`);
    return [];
  }
  return perPath(blocks, (block) => forwardRule(context, route, action, block, spot));
}

type RuleWithoutMatches = ConvertedRule['rule'];

/** Blocks for which the rule comes out the same stay together, unless it replaces a prefix, of which a rule may have one. */
function perPath(blocks: readonly ConvertedBlock[], make: (block: ConvertedBlock) => RuleWithoutMatches): readonly ConvertedRule[] {
  const rules: { readonly rule: RuleWithoutMatches; readonly blocks: ConvertedBlock[]; readonly key: string }[] = [];
  for (const block of blocks) {
    const rule = make(block);
    const key = JSON.stringify(rule);
    const last = rules.at(-1);
    const needsOwn = key.includes('"ReplacePrefixMatch"');
    if (last?.key === key && !needsOwn) last.blocks.push(block);
    else rules.push({ rule, key, blocks: [needsOwn ? withPath(block) : block] });
  }
  return rules.map(({ rule, blocks: own }) => ({ rule, blocks: own }));
}

/** A prefix is only replaced where one is written. */
function withPath({ from, to }: ConvertedBlock): ConvertedBlock {
  return { from, to: { path: { type: 'PathPrefix', value: '/' }, ...to } };
}

/** A rule with nowhere to go is answered with 500: nobody gets its requests, which is what the author asked for. */
function answered(
  context: RuleContext,
  route: Route,
  { status, body }: DirectResponseAction,
  blocks: readonly ConvertedBlock[],
  spot: Spot,
): readonly ConvertedRule[] {
  const { changes } = context;
  const at = below(spot, 'directResponse');
  const isPlain = route.cors === undefined && route.responseHeaders === NO_HEADER_OPS;
  if (status === 404 && isPlain && context.isAlone && blocks.every(({ from }) => isCatchAll(from))) {
    if (body.length > 0)
      changes.omitted(below(at, 'body'), 'an answer has no body: the rule is left out, and what no rule takes is answered with 404');
    return [];
  }
  if (status !== 500 || body.length > 0) {
    const message = `an answer cannot be written down: requests are answered with 500, not ${status}${body.length > 0 ? ' and a body' : ''}`;
    changes.differs(at, message, 'send them to a service that answers so');
  }
  const filters = commonFilters(context, route, NO_HEADER_OPS, spot);
  return [{ rule: filters.length === 0 ? {} : { filters }, blocks }];
}

function redirectRule(context: RuleContext, route: Route, action: RedirectAction, block: ConvertedBlock, spot: Spot): RuleWithoutMatches {
  const { changes } = context;
  const at = below(spot, 'redirect');
  const [host = '', hostPort] = action.host?.split(':') ?? [];
  const isHost = HOSTNAME.test(host);
  if (action.host !== undefined && !isHost)
    changes.omitted(below(at, 'authority'), `${action.host} cannot stand in a redirect: Location keeps the request's host`);
  const port = hostPort === undefined ? redirectPort(context, action, at) : Number(hostPort);
  const { path } = action;
  const change =
    path === undefined
      ? undefined
      : path.kind === 'full'
        ? { modifier: fullPath(path.value) }
        : prefixChange(path.value, block.from.uri, block.to.path);
  if (path !== undefined && change?.modifier === undefined)
    changes.omitted(below(at, 'prefixRewrite'), 'beside such a match no prefix can be replaced: Location keeps the path');
  if (change !== undefined && 'differs' in change) changes.differs(below(at, 'prefixRewrite'), change.differs ?? '');
  const requestRedirect: HttpRequestRedirectFilter = {
    ...(action.scheme === undefined ? {} : { scheme: action.scheme }),
    ...(action.host === undefined || !isHost ? {} : { hostname: host }),
    ...(change?.modifier === undefined ? {} : { path: change.modifier }),
    ...(port === undefined ? {} : { port }),
    statusCode: action.status,
  };
  return { filters: [...commonFilters(context, route, NO_HEADER_OPS, spot), { type: 'RequestRedirect', requestRedirect }] };
}

/** Undefined: what the Gateway API takes by itself, the scheme's port or else the listener's, is meant. */
function redirectPort({ changes, target }: RuleContext, { scheme, host, port }: RedirectAction, at: Spot): number | undefined {
  const isKept = port === 'fromRequest' || (port === undefined && host === undefined && (scheme === undefined || scheme === target.scheme));
  if (isKept) {
    changes.differs(at, `the port in Location is the listener's, ${target.port}, not that of the request's Host`);
    return scheme === undefined ? undefined : target.port;
  }
  if (typeof port === 'number') return port;
  const usual = (scheme ?? target.scheme) === 'https' ? 443 : 80;
  return scheme !== undefined || target.port === usual ? undefined : usual;
}

/** Of PreciseHostname: no wildcard, and no port. */
const HOSTNAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function forwardRule(context: RuleContext, route: Route, action: ForwardAction, block: ConvertedBlock, spot: Spot): RuleWithoutMatches {
  const { changes } = context;
  const tell = ({ kind, field, message, hint }: Lost): void => changes[kind](below(spot, field), message, hint);
  if (action.fault !== undefined) changes.omitted(below(spot, 'fault'), `no failures are made on purpose: ${describeFault(action.fault)}`);
  const { retry, lost } = convertRetry(action.retry);
  lost.forEach(tell);
  const [only, ...others] = action.clusters;
  const isLone = only !== undefined && others.length === 0;
  const request = layered(
    route.requestHeaders,
    action.clusters.map(({ requestHeaders }) => requestHeaders),
  );
  const response = layered(
    route.responseHeaders,
    action.clusters.map(({ responseHeaders }) => responseHeaders),
  );
  const filters = commonFilters(context, { ...route, responseHeaders: response.rule }, request.rule, spot);
  const host = action.rewrite?.host ?? (isLone ? only.hostRewrite : undefined);
  const rewrite = { ...hostRewrite(changes, host, spot), ...pathRewrite(changes, action, block, spot) };
  if (Object.keys(rewrite).length > 0) filters.push({ type: 'URLRewrite', urlRewrite: rewrite });
  for (const { cluster, perMillion, marksHost } of action.mirrors ?? []) {
    if (marksHost) changes.differs(below(spot, 'mirrors'), 'copies have the Host of the request, not one that ends in -shadow');
    const backendRef = reference(context, cluster, below(spot, 'mirrors'));
    const percent = perMillion / 10_000;
    const share =
      percent === 100 ? {} : Number.isInteger(percent) ? { percent } : { fraction: { numerator: perMillion, denominator: 1_000_000 } };
    filters.push({ type: 'RequestMirror', requestMirror: { backendRef, ...share } });
  }
  const backendRefs = action.clusters.map((weighted, index): HttpBackendRef => {
    const at = below(spot, `route[${index}]`);
    const own = isLone ? [] : backendFilters(context, weighted, request.destinations[index], response.destinations[index], at);
    const weight = isLone ? {} : { weight: scaled(weighted.weight, action, changes, at) };
    return { ...reference(context, weighted.cluster, at), ...weight, ...(own.length === 0 ? {} : { filters: own }) };
  });
  return {
    ...(filters.length === 0 ? {} : { filters }),
    backendRefs,
    ...convertTimes(action),
    ...(retry === undefined ? {} : { retry }),
  };
}

const MOST_WEIGHT = 1_000_000;

function scaled(weight: number, { clusters }: ForwardAction, changes: Changes, at: Spot): number {
  const largest = Math.max(...clusters.map((each) => each.weight));
  if (largest <= MOST_WEIGHT) return weight;
  const kept = Math.max(1, Math.round((weight * MOST_WEIGHT) / largest));
  if (kept * largest !== weight * MOST_WEIGHT)
    changes.differs(below(at, 'weight'), `weights go up to ${MOST_WEIGHT}: ${weight} becomes ${kept}`);
  return kept;
}

/** CORS and headers. */
function commonFilters(context: RuleContext, { cors, responseHeaders }: Route, requestHeaders: HeaderOps, spot: Spot): HttpRouteFilter[] {
  const filters: HttpRouteFilter[] = [];
  if (cors !== undefined) {
    const { filter, lost } = convertCors(cors);
    for (const { kind, field, message } of lost) context.changes[kind](below(spot, field), message);
    if (filter !== undefined) filters.push({ type: 'CORS', cors: filter });
  }
  filters.push(...headerFilters(context.changes, requestHeaders, responseHeaders, spot));
  return filters;
}

function backendFilters(
  { changes }: RuleContext,
  { hostRewrite: host }: WeightedCluster,
  requestHeaders = NO_HEADER_OPS,
  responseHeaders = NO_HEADER_OPS,
  spot: Spot,
): readonly HttpRouteFilter[] {
  const urlRewrite = hostRewrite(changes, host, spot);
  return [
    ...headerFilters(changes, requestHeaders, responseHeaders, spot),
    ...(urlRewrite.hostname === undefined ? [] : [{ type: 'URLRewrite', urlRewrite } as const]),
  ];
}

function headerFilters(changes: Changes, requestHeaders: HeaderOps, responseHeaders: HeaderOps, spot: Spot): readonly HttpRouteFilter[] {
  const filters: HttpRouteFilter[] = [];
  for (const [side, ops] of [['request', requestHeaders] as const, ['response', responseHeaders] as const]) {
    const { filter, dynamic, joined } = convertHeaders(ops);
    const at = below(spot, `headers.${side}`);
    for (const name of dynamic)
      changes.omitted(at, `${name} is left alone: a value is sent as it is written, and this one is made for each ${side}`);
    for (const name of joined) changes.differs(at, `${name} is one line with all values, not a line for each`);
    if (filter === undefined) continue;
    const { set = [], add = [], remove = [] } = filter;
    if (Math.max(set.length, add.length, remove.length) > MOST_OPERATIONS) {
      changes.omitted(at, `more than ${MOST_OPERATIONS} headers of a kind cannot be changed: none is`);
      continue;
    }
    filters.push(
      side === 'request'
        ? { type: 'RequestHeaderModifier', requestHeaderModifier: filter }
        : { type: 'ResponseHeaderModifier', responseHeaderModifier: filter },
    );
  }
  return filters;
}

function hostRewrite(changes: Changes, host: string | undefined, spot: Spot): { readonly hostname?: string } {
  if (host === undefined) return {};
  if (HOSTNAME.test(host)) return { hostname: host };
  changes.omitted(
    below(spot, 'rewrite.authority'),
    `${host} cannot be written as Host: it must be a name without a port; the request's own goes upstream`,
  );
  return {};
}

function pathRewrite(
  changes: Changes,
  { rewrite }: ForwardAction,
  { from, to }: ConvertedBlock,
  spot: Spot,
): { readonly path?: ReturnType<typeof fullPath> } {
  const path = rewrite?.path;
  if (path === undefined) return {};
  if (path.kind === 'regex') {
    changes.omitted(below(spot, 'rewrite.uriRegexRewrite'), 'no pattern can be replaced: the path goes upstream as it came');
    return {};
  }
  const { modifier, differs } = prefixChange(path.value, from.uri, to.path);
  const at = below(spot, 'rewrite.uri');
  if (modifier === undefined) changes.omitted(at, 'beside such a match no prefix can be replaced: the path goes upstream as it came');
  if (differs !== undefined) changes.differs(at, differs);
  return modifier === undefined ? {} : { path: modifier };
}

function reference({ clusters, services, namespace, changes, needsGrant }: RuleContext, index: number, spot: Spot): HttpBackendRef {
  const { host = '', subset = '', port = 0 } = clusters[index] ?? {};
  const backend = services.backend(host, subset, port, port);
  if (backend.missing !== undefined) {
    changes.differs(below(spot, 'destination'), `${backend.missing}: its share of the requests is answered with 500, not 503`);
  }
  if (backend.namespace !== namespace) needsGrant(backend.namespace);
  return { name: backend.name, ...(backend.namespace === namespace ? {} : { namespace: backend.namespace }), port: backend.port };
}
