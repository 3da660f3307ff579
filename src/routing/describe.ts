import { describeValue, prepareConditions } from './condition.ts';
import { headerValueText } from './header-value.ts';
import { percentText } from './per-million.ts';
import { DEFAULT_RETRY_LIMIT } from './retry-budget.ts';
import type {
  Cluster,
  CorsPolicy,
  FaultInjection,
  HashPolicy,
  HeaderOps,
  InjectedAbort,
  Limits,
  Mirror,
  OutlierDetection,
  RedirectAction,
  RetryLimit,
  RetryPolicy,
  Rewrite,
  Route,
  RouteMatch,
  SessionPersistence,
  UpstreamHttp2,
  WeightedCluster,
} from './table.ts';

/** Parts of a routing table in words: shared by the printed table and by explain, so that both call a thing the same. */

/** `uri prefix "/reviews", header end-user exact "jason"`; `everything` where nothing is asked. */
export function describeMatch(match: RouteMatch): string {
  const conditions = prepareConditions(match);
  return conditions.length === 0 ? 'everything' : conditions.map(({ what, expected }) => `${what} ${expected}`).join(', ');
}

/** `VirtualService default/reviews spec.http[0] reviews.yaml:12`. */
export function describeSource({ source }: Pick<Route, 'source'>): string {
  const place = source.line > 0 ? `${source.file}:${source.line}` : source.file;
  return [`${source.kind} ${source.namespace}/${source.name}`, source.path, place].filter((part) => part !== '').join(' ');
}

/** One line an operation, in the order in which they run: `remove x`, `set a: b`, `add c: %REQ(d)%`. */
export function describeOps(ops: HeaderOps): readonly string[] {
  return [
    ...ops.remove.map((name) => `remove ${name}`),
    ...ops.set.map(({ name, value }) => `set ${name}: ${headerValueText(value)}`),
    ...ops.add.map(({ name, value }) => `add ${name}: ${headerValueText(value)}`),
  ];
}

/** `90 %`, `33.3 %`: of all requests that take the route. */
export function describeShare({ weight }: Pick<WeightedCluster, 'weight'>, totalWeight: number): string {
  return `${Math.round((weight / totalWeight) * 1000) / 10} %`;
}

/** `127.0.0.1:9081 127.0.0.1:9082 weight 2`, or why there is none, and what is answered where that is not the usual 503. */
export function describeEndpoints(cluster: Pick<Cluster, 'missing' | 'missingStatus' | 'endpoints'>): string {
  const { missing, missingStatus } = cluster;
  if (missing !== undefined) return `none: ${missing}${missingStatus === undefined ? '' : `; answered with ${missingStatus}`}`;
  if (cluster.endpoints.length === 0) return 'none';
  return cluster.endpoints
    .map(
      ({ address, port, weight }) =>
        `${address.includes(':') ? `[${address}]` : address}:${port}${weight === 1 ? '' : ` weight ${weight}`}`,
    )
    .join(', ');
}

/** `HTTP/2 where the client speaks it, 100 streams a session, PING every 10000 ms, answered within 2000 ms`. */
export function describeHttp2({ use, maxConcurrentStreams, keepAlive }: UpstreamHttp2): string {
  return [
    `HTTP/2${use === 'always' ? '' : ' where the client speaks it'}`,
    ...(maxConcurrentStreams === 2 ** 31 - 1 ? [] : [`${maxConcurrentStreams} streams a session`]),
    ...(keepAlive === undefined ? [] : [`PING every ${keepAlive.intervalMs} ms, answered within ${keepAlive.timeoutMs} ms`]),
  ].join(', ');
}

/** One line: `origins exact "https://a.example"; methods GET; credentials; max age 60 s`. */
export function describeCors(cors: CorsPolicy): string {
  const { origins, allowMethods, allowHeaders, exposeHeaders, maxAgeSeconds, allowsCredentials, forwardsUnmatched, echoesRequested } = cors;
  return [
    `origins ${origins.map(describeValue).join(', ') || 'none'}`,
    ...(allowMethods === '' ? [] : [`methods ${allowMethods}`]),
    ...(allowHeaders === '' ? [] : [`headers ${allowHeaders}`]),
    ...(exposeHeaders === '' ? [] : [`exposed ${exposeHeaders}`]),
    ...(allowsCredentials ? ['credentials'] : []),
    ...(maxAgeSeconds === undefined ? [] : [`max age ${maxAgeSeconds} s`]),
    ...(echoesRequested === true && [allowMethods, allowHeaders].includes('*') ? ['* is answered with what was asked for'] : []),
    `other preflights ${forwardsUnmatched ? 'passed on' : 'answered without a word'}`,
  ].join('; ');
}

/** One line: `delay of 5000 ms for 10 %; abort with 503 for 0.0001 %; each attempt`. */
export function describeFault({ delay, abort, isBeforeRouter }: FaultInjection): string {
  return [
    ...(delay === undefined ? [] : [`delay of ${delay.ms} ms for ${percentText(delay.perMillion)}`]),
    ...(abort === undefined ? [] : [`abort with ${describeAbort(abort)} for ${percentText(abort.perMillion)}`]),
    isBeforeRouter ? 'once, before timeouts and retries' : 'each attempt, within timeouts and retries',
  ].join('; ');
}

function describeAbort({ status, grpcStatus }: InjectedAbort): string {
  return grpcStatus === undefined ? String(status) : `${status} (gRPC status ${grpcStatus})`;
}

/** One line: `at most 2 more on 5xx, 503; 1000 ms a try; back-off from 25 ms`. */
export function describeRetry(retry: RetryPolicy): string {
  if (retry.attempts === 0) return 'none';
  const { attempts, on, statusCodes, perTryTimeoutMs, backoffMs, backoffIsMinimum, avoidsTried, repeatsAnything } = retry;
  return [
    `at most ${attempts} more on ${[...on, ...statusCodes].join(', ') || 'nothing'}`,
    ...(perTryTimeoutMs === 0 ? [] : [`${perTryTimeoutMs} ms a try`]),
    `back-off ${backoffIsMinimum === true ? 'of at least' : 'from'} ${backoffMs} ms`,
    ...(avoidsTried ? ['other endpoints first'] : []),
    repeatsAnything ? 'any method' : 'what is not idempotent only before it is sent',
  ].join('; ');
}

/** Whether nobody has stated another. */
export function isDefaultLimit({ percent, atLeast }: RetryLimit): boolean {
  return percent === DEFAULT_RETRY_LIMIT.percent && atLeast === DEFAULT_RETRY_LIMIT.atLeast;
}

/** `20 % of the requests in flight, at least 3`. */
export function describeRetryLimit({ percent, atLeast }: RetryLimit): string {
  if (atLeast === Number.POSITIVE_INFINITY) return 'unlimited';
  return percent === 0 ? String(atLeast) : `${percent} % of requests in flight, at least ${atLeast}`;
}

/** `20 % to outbound|9080|v3|reviews.default.svc.cluster.local, Host marked -shadow`. */
export function describeMirror({ perMillion, marksHost }: Pick<Mirror, 'perMillion' | 'marksHost'>, cluster: string): string {
  return `${percentText(perMillion)} to ${cluster}${marksHost ? ', Host marked -shadow' : ''}`;
}

/** `cookie serin-session-0a1b2c3d; Path=/; HttpOnly, for 3600000 ms, on 2 destinations`. */
export function describeSession({ key, absoluteTimeoutMs, destinations }: SessionPersistence): string {
  return [
    key.kind === 'cookie' ? `cookie ${key.name}${key.attributes}` : `header ${key.name}`,
    ...(absoluteTimeoutMs === undefined ? [] : [`for ${absoluteTimeoutMs} ms`]),
    `on ${destinations.length} destination${destinations.length === 1 ? '' : 's'}`,
  ].join(', ');
}

/** `path prefix -> /v2`, `host -> ratings`. */
export function describeRewrite({ path, host }: Rewrite): string {
  const parts: string[] = [];
  if (path?.kind === 'regex') parts.push(`path regex ${JSON.stringify(path.match)} -> ${JSON.stringify(path.rewrite)}`);
  else if (path !== undefined) parts.push(`path ${path.kind} -> ${path.value}`);
  if (host !== undefined) parts.push(`host -> ${host}`);
  return parts.join(', ');
}

/** `301 scheme https, host a.example, path full /x`. */
export function describeRedirect({ status, scheme, host, port, path }: RedirectAction): string {
  const parts = [
    scheme === undefined ? '' : `scheme ${scheme}`,
    host === undefined ? '' : `host ${host}`,
    port === undefined ? '' : `port ${port}`,
    path === undefined ? '' : `path ${path.kind} ${path.value}`,
  ].filter((part) => part !== '');
  return `${status} ${parts.join(', ')}`;
}

/** What a cluster does beyond its load balancer, a line each; nothing of what is not set. */
export function describePolicies({ outlierDetection, hash, warmup, limits, tls, tunnelIdleMs }: Cluster): readonly string[] {
  return [
    ...(hash === undefined
      ? []
      : [`by hash of ${describeHashKey(hash)} (${hash.table.kind === 'maglev' ? 'Maglev' : 'ring hash'}), where a request has it`]),
    ...(warmup === undefined
      ? []
      : [`new endpoints begin with ${warmup.minimumPercent} % of their share, and have all of it after ${warmup.durationMs} ms`]),
    ...(limits === undefined ? [] : [`at once at most ${describeLimits(limits)}; more get 503 (UO)`]),
    ...(tunnelIdleMs === undefined
      ? []
      : [tunnelIdleMs === 0 ? 'tunnels may rest for ever' : `tunnels are closed after ${tunnelIdleMs} ms without a byte`]),
    ...(outlierDetection === undefined ? [] : [`outlier detection: ${describeOutliers(outlierDetection)}`]),
    ...(tls === undefined
      ? []
      : [
          `TLS for ${tls.sni}${tls.isVerified ? '' : ', not verified'}${tls.certificate === undefined ? '' : ', with a certificate of our own'}`,
        ]),
  ];
}

function describeHashKey({ key }: HashPolicy): string {
  switch (key.kind) {
    case 'header':
      return `header ${key.name}`;
    case 'queryParam':
      return `query parameter ${key.name}`;
    case 'cookie':
      return `cookie ${key.name}${key.setAttributes === undefined ? '' : ', set where there is none'}`;
    case 'sourceAddress':
      return 'the source address';
  }
}

function describeLimits({ connections, pending, requests }: Limits): string {
  const parts = [
    [connections, 'connections'],
    [pending, 'requests waiting for one'],
    [requests, 'requests in flight'],
  ] as const;
  return parts
    .filter(([limit]) => limit > 0)
    .map(([limit, what]) => `${limit} ${what}`)
    .join(', ');
}

function describeOutliers(spec: OutlierDetection): string {
  const counts = [
    [spec.consecutive5xxErrors, 'server errors'],
    [spec.consecutiveGatewayErrors, 'gateway errors'],
    [spec.splitLocalErrors ? spec.consecutiveLocalFailures : 0, 'failed connections'],
  ] as const;
  const causes = counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what} in a row`);
  return `out after ${causes.join(' or ') || 'nothing'}, for ${spec.baseEjectionMs} ms times the ejections; at most ${spec.maxEjectionPercent} % are out`;
}
