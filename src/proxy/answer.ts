/**
 * Answers Serin makes itself: the one place where a failure becomes a status (reliability P71). Bodies are fixed; nothing the request or an
 * upstream said is repeated.
 */
import { reasonPhrase } from '../http/status.ts';
import type { GrpcStatus } from '../telemetry/cluster-counters.ts';
import type { ResponseFlag } from '../telemetry/response-flag.ts';

export interface Failure {
  readonly status: number;
  /** `x-serin-error`. */
  readonly code: string;
  readonly flag?: ResponseFlag;
}

const failure = (status: number, code: string, flag?: ResponseFlag): Failure =>
  flag === undefined ? { status, code } : { status, code, flag };

export const FAILURES = {
  noRoute: failure(404, 'no_route', 'NR'),
  /** RFC 9110 §15.5.20: another TLS connection is the place for it. */
  misdirected: failure(421, 'misdirected_request', 'NR'),
  noCluster: failure(503, 'no_cluster', 'NC'),
  /** What the Gateway API calls an invalid reference. */
  invalidBackend: failure(500, 'invalid_backend', 'NC'),
  /** A limit of the cluster is reached (envoy: x-envoy-overloaded, never retried). */
  overflow: failure(503, 'upstream_overflow', 'UO'),
  noHealthyUpstream: failure(503, 'no_healthy_upstream', 'UH'),
  connectFailed: failure(503, 'upstream_connect_failed', 'UF'),
  connectTimeout: failure(503, 'upstream_connect_timeout', 'UF'),
  upstreamTerminated: failure(502, 'upstream_terminated', 'UC'),
  upstreamProtocol: failure(502, 'upstream_protocol_error', 'UPE'),
  upstreamTimeout: failure(504, 'upstream_timeout', 'UT'),
  requestTimeout: failure(408, 'request_timeout', 'DT'),
  headerTimeout: failure(408, 'header_timeout'),
  incomplete: failure(400, 'client_incomplete', 'DPE'),
  faultAbort: failure(503, 'fault_abort', 'FI'),
  badHeaderValue: failure(500, 'bad_header_value'),
  internal: failure(500, 'internal_error'),
} as const;

export interface Answer {
  readonly status: number;
  /** Complete lines besides framing, Date and Connection. */
  readonly fields: string;
  /** Octets as U+0000 to U+00FF. */
  readonly body: string;
  /** What `fields` say of a call in `grpc-status`. */
  readonly grpcStatus?: GrpcStatus;
}

export const ALLOWED_METHODS = 'allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n';

export function failureAnswer({ status, code, flag }: Failure, requestId: string): Answer {
  const more = status === 405 ? ALLOWED_METHODS : flag === 'UO' ? 'x-envoy-overloaded: true\r\n' : '';
  return {
    status,
    fields: `${status === 204 ? '' : 'content-type: text/plain\r\n'}x-request-id: ${requestId}\r\nx-serin-error: ${code}\r\n${more}`,
    body: `${status} ${reasonPhrase(status)}\n`,
  };
}

/** The whole message. A response to HEAD states the length of the body it leaves out. */
export function answerText(answer: Answer, date: string, isHead: boolean, closes: boolean): string {
  const { status, body } = answer;
  const hasBody = status !== 204 && status !== 304;
  return (
    `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n${answer.fields}` +
    (hasBody ? `content-length: ${body.length}\r\n` : '') +
    `date: ${date}\r\n${closes ? 'connection: close\r\n' : ''}\r\n${isHead || !hasBody ? '' : body}`
  );
}
