import { parseDuration } from '../base/duration.ts';
import type { TrafficPolicy } from '../config/resources.ts';
import type { Cluster, LoadBalancer } from './table.ts';

type Policy = Pick<Cluster, 'loadBalancer' | 'connectTimeoutMs' | 'idleTimeoutMs' | 'maxRequestsPerConnection'>;

/** Serin's own defaults are shorter than Istio's 10 s and 1 h: on one machine a connection stands at once or not at all (reliability P64). */
const DEFAULT_CONNECT_TIMEOUT_MS = 2000;
const DEFAULT_IDLE_TIMEOUT_MS = 3000;

/**
 * What a DestinationRule means for one subset and port (destination_rule.proto; pilot/pkg/networking/core/cluster_traffic_policy.go).
 *
 * - A subset's policy overrides the destination's block by block.
 * - `portLevelSettings` replace their level wholesale for that port: a block absent there is at its default, not inherited. The destination's
 *   port level is applied first, then the subset's blocks, then the subset's own port level.
 */
export function effectivePolicy(destination: TrafficPolicy | undefined, subset: TrafficPolicy | undefined, port: number): Policy {
  const base = atPort(destination, port);
  const merged = { ...base, ...definedBlocks(subset) };
  const subsetPort = portLevel(subset, port);
  return toPolicy(subsetPort ?? merged);
}

type Blocks = Pick<TrafficPolicy, 'loadBalancer' | 'connectionPool'>;

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
  };
}

function toPolicy({ loadBalancer, connectionPool }: Blocks): Policy {
  return {
    loadBalancer: loadBalancerOf(loadBalancer?.simple),
    connectTimeoutMs: positive(connectionPool?.tcp?.connectTimeout) ?? DEFAULT_CONNECT_TIMEOUT_MS,
    idleTimeoutMs: positive(connectionPool?.http?.idleTimeout) ?? DEFAULT_IDLE_TIMEOUT_MS,
    maxRequestsPerConnection: connectionPool?.http?.maxRequestsPerConnection ?? 0,
  };
}

/** In connection pools 0 means unset, not zero (destination_rule.proto). */
function positive(text: string | undefined): number | undefined {
  const ms = text === undefined ? undefined : parseDuration(text);
  return ms === undefined || ms === 0 ? undefined : ms;
}

/** PASSTHROUGH (send where the caller meant to) and consistentHash have no meaning here yet; both fall back to Istio's default. */
function loadBalancerOf(simple: NonNullable<TrafficPolicy['loadBalancer']>['simple']): LoadBalancer {
  return simple === 'ROUND_ROBIN' || simple === 'RANDOM' ? simple : 'LEAST_REQUEST';
}
