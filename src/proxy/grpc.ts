/**
 * What gRPC says in HTTP/2's words (gRPC over HTTP2, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): which requests are calls, how long their client
 * waits, and what its statuses mean beside HTTP's.
 */
import { reasonPhrase } from '../http/status.ts';
import { UNSAID } from '../telemetry/cluster-counters.ts';
import type { GrpcStatus } from '../telemetry/cluster-counters.ts';
import type { Answer, Failure } from './answer.ts';

/** google.rpc.Code. */
const UNKNOWN = 2;
const DEADLINE_EXCEEDED = 4;
const LAST_STATUS = 16;

/** grpc/doc/http-grpc-status-mapping.md, and RESOURCE_EXHAUSTED for what is too large. */
const GRPC_STATUS_OF: ReadonlyMap<number, number> = new Map([
  [400, 13],
  [401, 16],
  [403, 7],
  [404, 12],
  [413, 8],
  [429, 14],
  [431, 8],
  [502, 14],
  [503, 14],
  [504, 14],
]);

/** Envoy's Grpc::Utility::grpcToHttpStatus, where it says that the server has failed. */
const FAILED_STATUSES: ReadonlyMap<string, number> = new Map([
  ['2', 500],
  ['4', 504],
  ['12', 501],
  ['13', 500],
  ['14', 503],
  ['15', 500],
]);

export function isGrpcType(contentType: string | undefined): boolean {
  return contentType === 'application/grpc' || contentType?.startsWith('application/grpc+') === true;
}

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 };

/** @returns ms; undefined where there is no valid `grpc-timeout`. */
export function grpcTimeoutMs(value: string | undefined): number | undefined {
  const parts = /^(\d{1,8})([HMSmun])$/.exec(value ?? '');
  return parts === null ? undefined : Number(parts[1]) * (UNIT_MS[parts[2] ?? ''] ?? 0);
}

/** The 5xx a call's status amounts to, for whoever counts failures; 200 where the server has not failed. */
export function httpStatusOfGrpc(grpcStatus: string): number {
  return FAILED_STATUSES.get(grpcStatus) ?? 200;
}

/**
 * The status of a call that has been answered.
 *
 * @param said        `grpc-status`; empty where there was none.
 * @param httpStatus  What a client goes by where there was none. 200 says nothing about the call.
 */
export function grpcStatusOf(said: string, httpStatus: number): GrpcStatus {
  if (said === '') return httpStatus === 200 ? UNSAID : (GRPC_STATUS_OF.get(httpStatus) ?? UNKNOWN);
  // Clients take a number they do not know for UNKNOWN, too.
  return /^\d{1,2}$/.test(said) && Number(said) <= LAST_STATUS ? Number(said) : UNKNOWN;
}

/** A failure in gRPC's own form: everything in the head, no body. @param isClientsTime  What ran out is the time the client gave. */
export function grpcFailureAnswer({ status, code }: Failure, requestId: string, isClientsTime: boolean): Answer {
  const grpcStatus = isClientsTime ? DEADLINE_EXCEEDED : (GRPC_STATUS_OF.get(status) ?? UNKNOWN);
  return {
    status: 200,
    grpcStatus,
    fields:
      `content-type: application/grpc\r\ngrpc-status: ${grpcStatus}\r\ngrpc-message: ${reasonPhrase(status)} (${code})\r\n` +
      `x-request-id: ${requestId}\r\nx-serin-error: ${code}\r\n`,
    body: '',
  };
}
