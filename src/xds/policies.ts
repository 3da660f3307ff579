/** What a route does besides routing: retries, faults, copies, CORS, and what requests are hashed by. */
import type { RetryCondition } from '../config/retry-on.ts';
import type { CorsPolicy, FaultInjection, HashPolicy, Mirror, RetryPolicy, RoutingTable } from '../routing/table.ts';
import { stringMatcher } from './match.ts';
import { any, duration, type Message, nonEmpty, perMillion, present } from './message.ts';

/** RFC 9110 §9.2.2, as `proxy/upstream-rules.ts` has them. */
const IDEMPOTENT = 'GET|HEAD|PUT|DELETE|OPTIONS|TRACE';
/** Hold only while nothing of the request has been processed, so that any method may be sent again. */
const UNSENT: ReadonlySet<RetryCondition> = new Set(['connect-failure', 'refused-stream', 'reset-before-request']);
const OTHER_ENDPOINTS_FIRST = {
  retry_host_predicate: [
    {
      name: 'envoy.retry_host_predicates.previous_hosts',
      typed_config: any('envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate'),
    },
  ],
  host_selection_retry_max_attempts: 5,
};
const MAX_BACKOFF_FACTOR = 10;

/** Serin's way without a policy, for whole virtual hosts: only what cannot be noticed. */
export const UNNOTICED: Message = { retry_on: 'connect-failure,reset-before-request', num_retries: 1, ...OTHER_ENDPOINTS_FIRST };

/** config.route.v3 RetryPolicy; undefined where the virtual host's own holds. */
export function retryPolicy(retry: RetryPolicy | undefined): Message | undefined {
  if (retry === undefined) return undefined;
  const { attempts, on, statusCodes, perTryTimeoutMs, backoffMs, avoidsTried } = retry;
  const conditions = new Set<string>([...on, ...(statusCodes.length > 0 ? ['retriable-status-codes'] : [])]);
  if (attempts === 0 || conditions.size === 0) return { num_retries: 0 };
  return present({
    retry_on: [...conditions].join(','),
    num_retries: attempts,
    per_try_timeout: perTryTimeoutMs === 0 ? undefined : duration(perTryTimeoutMs),
    retriable_status_codes: nonEmpty(statusCodes),
    retry_back_off: { base_interval: duration(backoffMs), max_interval: duration(MAX_BACKOFF_FACTOR * backoffMs) },
    retriable_request_headers: isMethodBound(retry)
      ? [{ name: ':method', string_match: { safe_regex: { regex: IDEMPOTENT } } }]
      : undefined,
    ...(avoidsTried ? OTHER_ENDPOINTS_FIRST : {}),
  });
}

/** Requests that are not idempotent must not be sent twice, and Envoy cannot tell which of them never got there. */
export function isMethodBound({ attempts, on, statusCodes, repeatsAnything }: RetryPolicy): boolean {
  return attempts > 0 && !repeatsAnything && (statusCodes.length > 0 || on.some((condition) => !UNSENT.has(condition)));
}

/** extensions.filters.http.fault.v3 HTTPFault. */
export function httpFault({ delay, abort }: FaultInjection): Message {
  return any(
    'envoy.extensions.filters.http.fault.v3.HTTPFault',
    present({
      delay: delay && { fixed_delay: duration(delay.ms), percentage: perMillion(delay.perMillion) },
      abort: abort && {
        ...(abort.grpcStatus === undefined ? { http_status: abort.status } : { grpc_status: abort.grpcStatus }),
        percentage: perMillion(abort.perMillion),
      },
    }),
  );
}

/** config.route.v3 RouteAction.RequestMirrorPolicy. */
export function mirrorPolicy({ cluster, perMillion: share, marksHost }: Mirror, { clusters }: RoutingTable): Message {
  return {
    cluster: clusters[cluster]?.name ?? '',
    runtime_fraction: { default_value: perMillion(share) },
    trace_sampled: false,
    ...(marksHost ? {} : { disable_shadow_host_suffix_append: true }),
  };
}

/** extensions.filters.http.cors.v3 CorsPolicy. */
export function corsPolicy(cors: CorsPolicy): Message {
  const { origins, allowMethods, allowHeaders, exposeHeaders, maxAgeSeconds, allowsCredentials, forwardsUnmatched } = cors;
  const stated = (text: string): string | undefined => (text === '' ? undefined : text);
  return any(
    'envoy.extensions.filters.http.cors.v3.CorsPolicy',
    present({
      allow_origin_string_match: origins.map(stringMatcher),
      allow_methods: stated(allowMethods),
      allow_headers: stated(allowHeaders),
      expose_headers: stated(exposeHeaders),
      max_age: maxAgeSeconds === undefined ? undefined : String(maxAgeSeconds),
      allow_credentials: allowsCredentials,
      forward_not_matching_preflights: forwardsUnmatched,
    }),
  );
}

/** config.route.v3 RouteAction.HashPolicy. */
export function hashPolicy({ key }: HashPolicy): Message {
  switch (key.kind) {
    case 'header':
      return { header: { header_name: key.name } };
    case 'queryParam':
      return { query_parameter: { name: key.name } };
    case 'sourceAddress':
      return { connection_properties: { source_ip: true } };
    case 'cookie':
      return { cookie: { name: key.name, ...(key.setAttributes === undefined ? {} : cookieAttributes(key.setAttributes)) } };
  }
}

/** @param text  `; Max-Age=60; Path=/; SameSite=Lax; HttpOnly`: Envoy adds HttpOnly by itself, and a cookie with ttl 0 lasts for the session. */
function cookieAttributes(text: string): Message {
  const pairs = text
    .split('; ')
    .slice(1)
    .map((part) => {
      const equals = part.indexOf('=');
      return equals === -1 ? { name: part, value: '' } : { name: part.slice(0, equals), value: part.slice(equals + 1) };
    });
  const valueOf = (wanted: string): string | undefined => pairs.find(({ name }) => name === wanted)?.value;
  const own = new Set(['Max-Age', 'Path', 'HttpOnly']);
  return present({
    ttl: `${valueOf('Max-Age') ?? 0}s`,
    path: valueOf('Path'),
    attributes: nonEmpty(pairs.filter(({ name }) => !own.has(name))),
  });
}
