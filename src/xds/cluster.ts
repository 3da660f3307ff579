/** Clusters of the table as config.cluster.v3 Cluster, with their endpoints in them. */
import type { Cluster, Endpoint, HealthCheck, Limits, OutlierDetection, RetryLimit } from '../routing/table.ts';
import { any, duration, type Message, type NamedMessage, present } from './message.ts';
import { socketAddress } from './route.ts';
import { type TlsContextOptions, upstreamTlsContext } from './tls.ts';

/** Without a number Envoy has limits of its own (1024; 3 retries). */
const UNLIMITED = 4_294_967_295;
/** RFC 9113 §6.5.2; Envoy takes no more. */
const MAX_STREAMS = 2_147_483_647;
const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

export function envoyCluster(cluster: Cluster, options: TlsContextOptions): NamedMessage {
  const { name, discovery, connectTimeoutMs, outlierDetection, healthCheck, keepAliveMs, processes = [] } = cluster;
  const { notes } = options;
  if (processes.length > 0)
    notes.about(
      `cluster ${name}`,
      'W_ENVOY_OMITTED',
      `nothing starts ${processes.map(({ id }) => id).join(', ')}, whose address is Serin's to choose`,
      'run it by other means and give it an address in the place of run',
    );
  return {
    name,
    ...present({
      type: discovery === 'STATIC' ? 'STATIC' : 'STRICT_DNS',
      dns_lookup_family: discovery === 'STATIC' ? undefined : 'V4_PREFERRED',
      connect_timeout: duration(connectTimeoutMs),
      ...loadBalancing(cluster, options),
      load_assignment: { cluster_name: name, endpoints: byPriority(cluster.endpoints) },
      // Requests go to endpoints that are healthy, or to none: Envoy would go to all when half of them are not.
      common_lb_config: { healthy_panic_threshold: { value: outlierDetection?.minHealthPercent ?? 0 } },
      circuit_breakers: { thresholds: [thresholds(cluster.limits, cluster.retryLimit)] },
      outlier_detection: outlierDetection && outliers(outlierDetection),
      health_checks: healthCheck && [httpHealthCheck(healthCheck, cluster.host, cluster.http2?.use === 'always')],
      upstream_connection_options:
        keepAliveMs === undefined ? undefined : { tcp_keepalive: { keepalive_time: Math.max(1, Math.round(keepAliveMs / 1000)) } },
      transport_socket: transportSocket(cluster, options),
      typed_extension_protocol_options: { [HTTP_OPTIONS]: httpOptions(cluster) },
    }),
  };
}

function transportSocket({ tls, proxyProtocol }: Cluster, options: TlsContextOptions): Message | undefined {
  const inner = tls && upstreamTlsContext(tls, options);
  if (proxyProtocol === undefined) return inner;
  return {
    name: 'envoy.transport_sockets.upstream_proxy_protocol',
    typed_config: any('envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport', {
      config: { version: proxyProtocol },
      transport_socket: inner ?? {
        name: 'envoy.transport_sockets.raw_buffer',
        typed_config: any('envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer'),
      },
    }),
  };
}

function loadBalancing({ name, loadBalancer, hash, warmup }: Cluster, { notes }: TlsContextOptions): Message {
  const cannotWarm = (policy: string): void => {
    if (warmup !== undefined) notes.about(`cluster ${name}`, 'W_ENVOY_OMITTED', `endpoints do not warm up: Envoy's ${policy} cannot do it`);
  };
  if (hash !== undefined) {
    cannotWarm('consistent hashing');
    return hash.table.kind === 'maglev'
      ? { lb_policy: 'MAGLEV', maglev_lb_config: { table_size: hash.table.size } }
      : { lb_policy: 'RING_HASH', ring_hash_lb_config: { minimum_ring_size: hash.table.minimumSize } };
  }
  const slowStart = warmup && {
    slow_start_config: {
      slow_start_window: duration(warmup.durationMs),
      aggression: { default_value: warmup.aggression, runtime_key: 'serin.slow_start.aggression' },
      min_weight_percent: { value: warmup.minimumPercent },
    },
  };
  switch (loadBalancer) {
    case 'RANDOM':
      cannotWarm('RANDOM');
      return { lb_policy: 'RANDOM' };
    case 'ROUND_ROBIN':
      return present({ lb_policy: 'ROUND_ROBIN', round_robin_lb_config: slowStart });
    case 'LEAST_REQUEST':
      return present({ lb_policy: 'LEAST_REQUEST', least_request_lb_config: slowStart });
  }
}

/** Priorities have no gaps, in Envoy as in the table. */
function byPriority(endpoints: readonly Endpoint[]): readonly Message[] {
  const levels = Map.groupBy(endpoints, ({ priority = 0 }) => priority);
  return [...levels]
    .toSorted(([a], [b]) => a - b)
    .map(([priority, level]) => ({ ...(priority === 0 ? {} : { priority }), lb_endpoints: level.map(lbEndpoint) }));
}

function lbEndpoint(endpoint: Endpoint): Message {
  return {
    endpoint: { address: socketAddress(endpoint) },
    ...(endpoint.weight === 1 ? {} : { load_balancing_weight: endpoint.weight }),
  };
}

function thresholds(limits: Limits | undefined, { percent, atLeast }: RetryLimit): Message {
  const orUnlimited = (limit = 0): number => (limit === 0 ? UNLIMITED : limit);
  return {
    max_connections: orUnlimited(limits?.connections),
    max_pending_requests: orUnlimited(limits?.pending),
    max_requests: orUnlimited(limits?.requests),
    ...(percent === 0
      ? { max_retries: Math.min(atLeast, UNLIMITED) }
      : { retry_budget: { budget_percent: { value: percent }, min_retry_concurrency: atLeast } }),
  };
}

function outliers(spec: OutlierDetection): Message {
  const enforced = (count: number): number => (count === 0 ? 0 : 100);
  const { consecutive5xxErrors, consecutiveGatewayErrors, splitLocalErrors, consecutiveLocalFailures } = spec;
  return {
    ...counted('consecutive_5xx', consecutive5xxErrors),
    ...counted('consecutive_gateway_failure', consecutiveGatewayErrors),
    enforcing_consecutive_5xx: enforced(consecutive5xxErrors),
    enforcing_consecutive_gateway_failure: enforced(consecutiveGatewayErrors),
    ...(splitLocalErrors
      ? {
          split_external_local_origin_errors: true,
          ...counted('consecutive_local_origin_failure', consecutiveLocalFailures),
          enforcing_consecutive_local_origin_failure: enforced(consecutiveLocalFailures),
        }
      : {}),
    // Serin does not compare endpoints with each other.
    enforcing_success_rate: 0,
    enforcing_local_origin_success_rate: 0,
    interval: duration(spec.intervalMs),
    base_ejection_time: duration(spec.baseEjectionMs),
    max_ejection_percent: spec.maxEjectionPercent,
  };
}

function counted(field: string, count: number): Message {
  return count === 0 ? {} : { [field]: count };
}

function httpHealthCheck(
  { path, intervalMs, timeoutMs, unhealthyThreshold, healthyThreshold }: HealthCheck,
  host: string,
  isHttp2: boolean,
): Message {
  return {
    interval: duration(intervalMs),
    // Serin checks whether or not there is traffic.
    no_traffic_interval: duration(intervalMs),
    timeout: duration(timeoutMs),
    unhealthy_threshold: unhealthyThreshold,
    healthy_threshold: healthyThreshold,
    reuse_connection: false,
    http_health_check: {
      host,
      path,
      ...(isHttp2 ? { codec_client_type: 'HTTP2' } : {}),
      expected_statuses: [{ start: 200, end: 300 }],
      // Counted by the threshold; any other status would condemn at once.
      retriable_statuses: [
        { start: 100, end: 200 },
        { start: 300, end: 600 },
      ],
    },
  };
}

function httpOptions(cluster: Cluster): Message {
  const { idleTimeoutMs, maxRequestsPerConnection, maxConnectionMs, outlierDetection } = cluster;
  const errors = outlierDetection?.errorStatuses ?? [];
  return any(
    HTTP_OPTIONS,
    present({
      common_http_protocol_options: present({
        idle_timeout: duration(idleTimeoutMs),
        max_requests_per_connection: maxRequestsPerConnection === 0 ? undefined : maxRequestsPerConnection,
        max_connection_duration: maxConnectionMs === undefined ? undefined : duration(maxConnectionMs),
      }),
      ...upstreamProtocol(cluster),
      outlier_detection: errors.length === 0 ? undefined : { error_matcher: errorMatcher(errors) },
    }),
  );
}

/** HTTP/1.1 where nothing is said; HTTP/2 by ALPN over TLS, and by prior knowledge without. */
function upstreamProtocol({ http2, tls }: Cluster): Message {
  if (http2 === undefined) return { explicit_http_config: { http_protocol_options: {} } };
  const { maxConcurrentStreams, keepAlive } = http2;
  const options = present({
    max_concurrent_streams: Math.min(maxConcurrentStreams, MAX_STREAMS),
    connection_keepalive: keepAlive && { interval: duration(keepAlive.intervalMs), timeout: duration(keepAlive.timeoutMs) },
  });
  if (http2.use === 'asClient') return { use_downstream_protocol_config: { http_protocol_options: {}, http2_protocol_options: options } };
  return tls === undefined
    ? { explicit_http_config: { http2_protocol_options: options } }
    : { auto_config: { http_protocol_options: {}, http2_protocol_options: options } };
}

/** Statuses below 500 that count as errors, beside all others. */
function errorMatcher(statuses: readonly number[]): Message {
  const regex = ['5[0-9][0-9]', ...statuses].join('|');
  return { http_response_headers_match: { headers: [{ name: ':status', string_match: { safe_regex: { regex } } }] } };
}
