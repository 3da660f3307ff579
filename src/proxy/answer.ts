/**
 * Answers Serin makes itself: the one place where a failure becomes a status (reliability P71). Bodies are fixed; nothing the request or an
 * upstream said is repeated.
 */
import { reasonPhrase } from '../http/status.ts';
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
  noCluster: failure(503, 'no_cluster', 'NC'),
  noHealthyUpstream: failure(503, 'no_healthy_upstream', 'UH'),
  connectFailed: failure(503, 'upstream_connect_failed', 'UF'),
  connectTimeout: failure(503, 'upstream_connect_timeout', 'UF'),
  upstreamTerminated: failure(502, 'upstream_terminated', 'UC'),
  upstreamProtocol: failure(502, 'upstream_protocol_error', 'UPE'),
  upstreamTimeout: failure(504, 'upstream_timeout', 'UT'),
  requestTimeout: failure(408, 'request_timeout', 'DT'),
  headerTimeout: failure(408, 'header_timeout'),
  incomplete: failure(400, 'client_incomplete', 'DPE'),
  badHeaderValue: failure(500, 'bad_header_value'),
  internal: failure(500, 'internal_error'),
} as const;

export interface Answer {
  readonly status: number;
  /** Complete lines besides framing, Date and Connection. */
  readonly fields: string;
  /** Octets as U+0000 to U+00FF. */
  readonly body: string;
}

export function failureAnswer(status: number, code: string, requestId: string): Answer {
  return {
    status,
    fields: `content-type: text/plain\r\nx-request-id: ${requestId}\r\nx-serin-error: ${code}\r\n`,
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
