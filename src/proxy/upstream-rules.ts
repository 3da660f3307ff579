/** When an upstream connection may carry a request, how its answer is framed, and how long it may rest: the same for requests and for copies. */
import type { BodyFraming } from '../http/body-reader.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Cluster } from '../routing/table.ts';

/** RFC 9110 §9.2.2. */
export const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']);

/** A request that is not idempotent uses only a connection that was used this recently (reliability P68). */
export const FRESH_MS = 1000;

/** Interim answers before the final one. */
export const MAX_INTERIM_RESPONSES = 32;

/** RFC 9112 §6.3. */
export function responseFraming(method: string, head: ResponseHead): BodyFraming {
  if (method === 'HEAD' || head.status === 204 || head.status === 304) return 'none';
  if (head.isChunked) return 'chunked';
  return head.contentLength === -1 ? 'untilClose' : 'length';
}

/** How long a connection may rest after this answer: a second less than its upstream says. */
export function restMs(cluster: Cluster, head: ResponseHead): number {
  return head.keepAliveSeconds === -1 ? cluster.idleTimeoutMs : Math.min(cluster.idleTimeoutMs, (head.keepAliveSeconds - 1) * 1000);
}
