import { parseDuration } from '../base/duration.ts';
import type {
  ClientTlsSettings,
  ConsistentHash,
  LoadBalancerSettings,
  OutlierDetectionSettings,
  TrafficPolicy,
} from '../config/resources.ts';
import type { Cluster, HashPolicy, Limits, LoadBalancer, OutlierDetection, Warmup } from './table.ts';

type Policy = Pick<
  Cluster,
  | 'loadBalancer'
  | 'connectTimeoutMs'
  | 'idleTimeoutMs'
  | 'tunnelIdleMs'
  | 'maxRequestsPerConnection'
  | 'maxConnectionMs'
  | 'keepAliveMs'
  | 'outlierDetection'
  | 'hash'
  | 'warmup'
  | 'limits'
  | 'proxyProtocol'
>;

/** Serin's own defaults are shorter than Istio's 10 s and 1 h: on one machine a connection stands at once or not at all (reliability P64). */
const DEFAULT_CONNECT_TIMEOUT_MS = 2000;
const DEFAULT_IDLE_TIMEOUT_MS = 3000;
/** Linux's tcp_keepalive_time, as in the proto. */
const DEFAULT_KEEP_ALIVE_MS = 7_200_000;

/**
 * What a DestinationRule means for one subset and port (destination_rule.proto; pilot/pkg/networking/core/cluster_traffic_policy.go).
 *
 * - A subset's policy overrides the destination's block by block.
 * - `portLevelSettings` replace their level wholesale for that port: a block absent there is at its default, not inherited. The destination's
 *   port level is applied first, then the subset's blocks, then the subset's own port level.
 * - `proxyProtocol` has no port level: a subset's takes the place of the destination's.
 */
export function effectivePolicy(destination: TrafficPolicy | undefined, subset: TrafficPolicy | undefined, port: number): Policy {
  const proxyProtocol = subset?.proxyProtocol ?? destination?.proxyProtocol;
  return {
    ...toPolicy(effectiveBlocks(destination, subset, port)),
    ...(proxyProtocol === undefined ? {} : { proxyProtocol: proxyProtocol.version ?? 'V1' }),
  };
}

/** By the same rules, the block that says how connections are secured. */
export function effectiveTls(
  destination: TrafficPolicy | undefined,
  subset: TrafficPolicy | undefined,
  port: number,
): ClientTlsSettings | undefined {
  return effectiveBlocks(destination, subset, port).tls;
}

/** The same before defaults. */
export function effectiveBlocks(destination: TrafficPolicy | undefined, subset: TrafficPolicy | undefined, port: number): Blocks {
  return portLevel(subset, port) ?? { ...atPort(destination, port), ...definedBlocks(subset) };
}

type Blocks = Pick<TrafficPolicy, 'loadBalancer' | 'connectionPool' | 'outlierDetection' | 'tls'>;

function atPort(policy: TrafficPolicy | undefined, port: number): Blocks {
  return portLevel(policy, port) ?? policy ?? {};
}

function portLevel(policy: TrafficPolicy | undefined, port: number): Blocks | undefined {
  return policy?.portLevelSettings?.find((settings) => settings.port?.number === port);
}

function definedBlocks(policy: TrafficPolicy | undefined): Blocks {
  return {
    ...(policy?.loadBalancer === undefined ? {} : { loadBalancer: policy.loadBalancer }),
    ...(policy?.connectionPool === undefined ? {} : { connectionPool: policy.connectionPool }),
    ...(policy?.outlierDetection === undefined ? {} : { outlierDetection: policy.outlierDetection }),
    ...(policy?.tls === undefined ? {} : { tls: policy.tls }),
  };
}

function toPolicy({ loadBalancer, connectionPool, outlierDetection }: Blocks): Policy {
  const hash = loadBalancer?.consistentHash === undefined ? undefined : hashPolicy(loadBalancer.consistentHash);
  const warmup = warmupOf(loadBalancer);
  const limits = limitsOf(connectionPool);
  const { tcpKeepalive, maxConnectionDuration } = connectionPool?.tcp ?? {};
  const tunnelIdle = connectionPool?.tcp?.idleTimeout;
  const tunnelIdleMs = tunnelIdle === undefined ? undefined : parseDuration(tunnelIdle);
  const maxConnectionMs = positive(maxConnectionDuration);
  return {
    loadBalancer: loadBalancerOf(loadBalancer?.simple),
    connectTimeoutMs: positive(connectionPool?.tcp?.connectTimeout) ?? DEFAULT_CONNECT_TIMEOUT_MS,
    idleTimeoutMs: positive(connectionPool?.http?.idleTimeout) ?? DEFAULT_IDLE_TIMEOUT_MS,
    maxRequestsPerConnection: connectionPool?.http?.maxRequestsPerConnection ?? 0,
    // Here 0 is no limit (destination_rule.proto).
    ...(tunnelIdleMs === undefined ? {} : { tunnelIdleMs }),
    ...(maxConnectionMs === undefined ? {} : { maxConnectionMs }),
    ...(tcpKeepalive === undefined ? {} : { keepAliveMs: positive(tcpKeepalive.time) ?? DEFAULT_KEEP_ALIVE_MS }),
    ...(outlierDetection === undefined ? {} : { outlierDetection: toOutlierDetection(outlierDetection) }),
    ...(hash === undefined ? {} : { hash }),
    ...(warmup === undefined ? {} : { warmup }),
    ...(limits === undefined ? {} : { limits }),
  };
}

/** Defaults of destination_rule.proto and pilot/pkg/networking/core/cluster_traffic_policy.go. */
function toOutlierDetection(settings: OutlierDetectionSettings): OutlierDetection {
  return {
    consecutive5xxErrors: settings.consecutive5xxErrors ?? 5,
    consecutiveGatewayErrors: settings.consecutiveGatewayErrors ?? 0,
    splitLocalErrors: settings.splitExternalLocalOriginErrors ?? false,
    consecutiveLocalFailures: settings.consecutiveLocalOriginFailures ?? 5,
    errorStatuses: (settings.outlierDetectionHttpErrorCodes ?? []).filter((status) => status < 500),
    intervalMs: positive(settings.interval) ?? 10_000,
    baseEjectionMs: positive(settings.baseEjectionTime) ?? 30_000,
    // 0 is unset here as well.
    maxEjectionPercent: settings.maxEjectionPercent || 10,
    minHealthPercent: settings.minHealthPercent ?? 0,
  };
}

/** Undefined where nothing is limited: 0 means unset, not zero (destination_rule.proto). */
function limitsOf(pool: TrafficPolicy['connectionPool']): Limits | undefined {
  const { maxConnections: connections = 0 } = pool?.tcp ?? {};
  const { http1MaxPendingRequests: pending = 0, http2MaxRequests: requests = 0 } = pool?.http ?? {};
  return [connections, pending, requests].some((limit) => limit > 0) ? { connections, pending, requests } : undefined;
}

/** Envoy's and Istio's defaults. */
const RING_SIZE = 1024;
const MAGLEV_SIZE = 65_537;

/** Undefined where there is nothing to hash. */
function hashPolicy(settings: ConsistentHash): HashPolicy | undefined {
  const key = hashKey(settings);
  if (key === undefined) return undefined;
  const { maglev, ringHash, minimumRingSize } = settings;
  const table =
    maglev === undefined
      ? { kind: 'ringHash' as const, minimumSize: ringHash?.minimumRingSize || minimumRingSize || RING_SIZE }
      : { kind: 'maglev' as const, size: maglev.tableSize || MAGLEV_SIZE };
  return { key, table };
}

function hashKey({ httpHeaderName, httpCookie, httpQueryParameterName, useSourceIp }: ConsistentHash): HashPolicy['key'] | undefined {
  if (httpHeaderName !== undefined && httpHeaderName !== '') return { kind: 'header', name: httpHeaderName.toLowerCase() };
  if (httpQueryParameterName !== undefined && httpQueryParameterName !== '') return { kind: 'queryParam', name: httpQueryParameterName };
  if (useSourceIp === true) return { kind: 'sourceAddress' };
  if (httpCookie === undefined) return undefined;
  const { name, path, ttl, attributes = [] } = httpCookie;
  if (ttl === undefined) return { kind: 'cookie', name };
  const seconds = Math.floor((parseDuration(ttl) ?? 0) / 1000);
  const parts = [
    ...(seconds === 0 ? [] : [`Max-Age=${seconds}`]),
    ...(path === undefined || path === '' ? [] : [`Path=${path}`]),
    ...attributes.map((attribute) =>
      attribute.value === undefined || attribute.value === '' ? attribute.name : `${attribute.name}=${attribute.value}`,
    ),
    'HttpOnly',
  ];
  return { kind: 'cookie', name, setAttributes: parts.map((part) => `; ${part}`).join('') };
}

function warmupOf(settings: LoadBalancerSettings | undefined): Warmup | undefined {
  const { warmup, warmupDurationSecs } = settings ?? {};
  const durationMs = positive(warmup?.duration ?? warmupDurationSecs);
  if (durationMs === undefined) return undefined;
  return { durationMs, minimumPercent: warmup?.minimumPercent ?? 10, aggression: warmup?.aggression ?? 1 };
}

/** In connection pools 0 means unset, not zero (destination_rule.proto). */
function positive(text: string | undefined): number | undefined {
  const ms = text === undefined ? undefined : parseDuration(text);
  return ms === undefined || ms === 0 ? undefined : ms;
}

/** PASSTHROUGH (send where the caller meant to) has no meaning here and falls back to Istio's default. */
function loadBalancerOf(simple: NonNullable<TrafficPolicy['loadBalancer']>['simple']): LoadBalancer {
  return simple === 'ROUND_ROBIN' || simple === 'RANDOM' ? simple : 'LEAST_REQUEST';
}
