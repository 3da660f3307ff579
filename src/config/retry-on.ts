/** The language of `retryOn`, which routes are written in, and trusted peers' requests (semantics.md 2.1.6). */

const HTTP_CONDITIONS = [
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'envoy-ratelimited',
  'http3-post-connect-failure',
] as const;

/** By the status of a gRPC call. */
const GRPC_CONDITIONS = ['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable'] as const;

/**
 * Conditions besides status codes. Over HTTP/1.1 `refused-stream` and `http3-post-connect-failure` never hold; `retriable-headers` and
 * `retriable-status-codes` say nothing by themselves.
 */
export const RETRY_CONDITIONS = [...HTTP_CONDITIONS, ...GRPC_CONDITIONS] as const;

export type RetryCondition = (typeof RETRY_CONDITIONS)[number];

const GRPC: ReadonlySet<string> = new Set(GRPC_CONDITIONS);
const ALL: ReadonlySet<string> = new Set(RETRY_CONDITIONS);

export function isRetryCondition(token: string): token is RetryCondition {
  return ALL.has(token);
}

export function isGrpcCondition(condition: RetryCondition): boolean {
  return GRPC.has(condition);
}

export function isRetryStatus(token: string): boolean {
  return /^[1-5]\d\d$/.test(token);
}
