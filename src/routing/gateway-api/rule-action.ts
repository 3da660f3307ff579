import { parseDuration } from '../../base/duration.ts';
import type { GatewayApiHttpRule } from '../../config/gateway-api/types.ts';
import { NO_HEADER_OPS } from '../table.ts';
import type { DirectResponseAction, ForwardAction, Rewrite, Route } from '../table.ts';
import { released } from './released.ts';
import { compileBackends } from './backends.ts';
import { compileFilters } from './filters.ts';
import { refusedCluster, type RouteContext, ruleName, ruleSource } from './route-context.ts';
import { droppedRule, type Rule, unsupportedFilter } from './rules.ts';
import { compileSession } from './session.ts';

/** Where nothing is stated: Istio's number of retries, and Envoy's back-off. */
const DEFAULT_ATTEMPTS = 2;
const DEFAULT_BACKOFF_MS = 25;

/** A rule without its matches: everything but the conditions. */
export type RuleBody = Omit<Route, 'matches'>;

export function compileRuleBody(context: RouteContext, rule: Rule, index: number): RuleBody {
  const source = ruleSource(context.route, rule, index);
  const name = ruleName(rule, index);
  const common = { name, source };
  const dropped = droppedRule(rule);
  if (dropped !== undefined) return { ...common, ...NO_HEADERS, action: INVALID, unreachable: dropped.message };
  const unsupported = unsupportedFilter(rule);
  if (unsupported !== undefined) return { ...common, ...NO_HEADERS, action: refusal(context, name, unsupported.message) };
  const { clusters, all, filters } = compileBackends(context, rule.backendRefs ?? [], compileFilters(context, rule.filters));
  const { cors, redirect, requestHeaders, responseHeaders } = filters;
  const behaviour = { ...common, ...(cors === undefined ? {} : { cors }), responseHeaders };
  if (redirect !== undefined) return { ...behaviour, action: redirect, requestHeaders: NO_HEADER_OPS };
  // Nobody is meant to get the requests: no backend at all, or none with a weight (HTTPRouteRule.backendRefs).
  if (clusters.length === 0) {
    const action = refusal(context, name, 'no backend of the rule has a weight');
    return { ...behaviour, action, requestHeaders: NO_HEADER_OPS };
  }
  const rewrite = rewriteOf(filters.host, filters.path);
  const plain: ForwardAction = {
    kind: 'forward',
    clusters,
    totalWeight: clusters.reduce((sum, { weight }) => sum + weight, 0),
    ...(rewrite === undefined ? {} : { rewrite }),
    ...attemptsOf(rule),
    ...(filters.mirrors.length === 0 ? {} : { mirrors: filters.mirrors }),
    ...(rule.sessionPersistence === undefined ? {} : { session: compileSession(rule.sessionPersistence, source, name, all) }),
  };
  return { ...behaviour, action: released(context, rule.backendRefs ?? [], plain, all), requestHeaders };
}

const INVALID: DirectResponseAction = { kind: 'directResponse', status: 500, body: new Uint8Array() };
const NO_HEADERS = { requestHeaders: NO_HEADER_OPS, responseHeaders: NO_HEADER_OPS };

/**
 * What a rule that can send nothing anywhere answers with: 500, and to gRPC clients UNAVAILABLE, as for an invalid reference
 * (grpcroute-all-backends-weight-zero.go).
 *
 * @param rule Its name: each rule has a reason of its own.
 */
function refusal({ compilation, route }: RouteContext, rule: string, message: string): ForwardAction | DirectResponseAction {
  if (route.kind !== 'GRPCRoute') return INVALID;
  const { name, namespace } = route.metadata;
  // As a host that a VirtualService could name, should it be written as one (convert/).
  const label = rule.replace(/\[(\d+)\]$/, '-$1');
  const cluster = refusedCluster(compilation, route, { name: `${label}.${name}.${namespace}` }, message);
  return { kind: 'forward', clusters: [{ ...NO_HEADERS, cluster, weight: 1 }], totalWeight: 1, timeoutMs: 0 };
}

function rewriteOf(host: string | undefined, path: Rewrite['path']): Rewrite | undefined {
  if (host === undefined && path === undefined) return undefined;
  return { ...(path === undefined ? {} : { path }), ...(host === undefined ? {} : { host }) };
}

/** GRPCRoutes have less to say. */
type Limits = Pick<GatewayApiHttpRule, 'name' | 'timeouts' | 'retry'>;

/**
 * Without retries there is one try, so that its limit is the request's as well; with them it is each try's own, and tries that run into it, or whose
 * connection fails, are repeated beside those with a stated code (HTTPRouteRetry). `0s` is no limit, which an answer that is long in beginning has as well.
 */
function attemptsOf({ timeouts = {}, retry }: Limits): Pick<ForwardAction, 'timeoutMs' | 'isUnlimited' | 'retry'> {
  const requestMs = durationMs(timeouts.request);
  const tryMs = durationMs(timeouts.backendRequest);
  const unlimited = timeouts.request !== undefined && requestMs === 0 && tryMs === 0 ? { isUnlimited: true as const } : {};
  if (retry === undefined) {
    const timeoutMs = requestMs === 0 || tryMs === 0 ? Math.max(requestMs, tryMs) : Math.min(requestMs, tryMs);
    return { timeoutMs, ...unlimited };
  }
  const { codes = [], attempts = DEFAULT_ATTEMPTS, backoff } = retry;
  return {
    timeoutMs: requestMs,
    ...unlimited,
    retry: {
      attempts,
      on: ['connect-failure', 'refused-stream', 'reset'],
      statusCodes: codes,
      perTryTimeoutMs: tryMs,
      backoffMs: backoff === undefined ? DEFAULT_BACKOFF_MS : durationMs(backoff),
      ...(backoff === undefined ? {} : { backoffIsMinimum: true }),
      avoidsTried: true,
      repeatsAnything: false,
    },
  };
}

function durationMs(text: string | undefined): number {
  return (text === undefined ? undefined : parseDuration(text)) ?? 0;
}
