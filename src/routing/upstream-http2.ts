import { parseDuration } from '../base/duration.ts';
import { isHttp2Protocol } from '../config/protocol.ts';
import type { TrafficPolicy } from '../config/resources.ts';
import type { UpstreamHttp2 } from './table.ts';
import { effectiveBlocks } from './traffic-policy.ts';

/** Envoy's default, 2^31 - 1, is no limit; an endpoint states its own. */
const UNLIMITED = 2 ** 31 - 1;

/**
 * Whether HTTP/2 is spoken to a port (pilot/pkg/networking/core/cluster_traffic_policy.go): by the protocol of the service's port, else by
 * `h2UpgradePolicy: UPGRADE`, else as the client does where `useClientProtocol` says so. DEFAULT is Istio's mesh-wide default, not to.
 *
 * @returns undefined for HTTP/1.1.
 */
export function upstreamHttp2(
  protocol: string | undefined,
  destination: TrafficPolicy | undefined,
  subset: TrafficPolicy | undefined,
  port: number,
): UpstreamHttp2 | undefined {
  const http = effectiveBlocks(destination, subset, port).connectionPool?.http;
  const isAlways = isHttp2Protocol(protocol) || http?.h2UpgradePolicy === 'UPGRADE';
  if (!isAlways && http?.useClientProtocol !== true) return undefined;
  const intervalMs = parseDuration(http?.http2KeepAlive?.interval ?? '');
  const timeoutMs = parseDuration(http?.http2KeepAlive?.timeout ?? '');
  const { maxConcurrentStreams = 0 } = http ?? {};
  return {
    use: isAlways ? 'always' : 'asClient',
    // In connection pools 0 means unset.
    maxConcurrentStreams: maxConcurrentStreams > 0 ? maxConcurrentStreams : UNLIMITED,
    ...(intervalMs === undefined || timeoutMs === undefined ? {} : { keepAlive: { intervalMs, timeoutMs } }),
  };
}
