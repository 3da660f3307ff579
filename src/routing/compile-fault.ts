import { parseDuration } from '../base/duration.ts';
import type { HttpFaultInjection } from '../config/resources.ts';
import { perMillion } from './per-million.ts';
import type { FaultInjection, InjectedAbort } from './table.ts';

/** google.rpc.Code with what each means over plain HTTP (google/rpc/code.proto). */
const GRPC: Readonly<Record<string, readonly [code: number, status: number]>> = {
  OK: [0, 200],
  CANCELLED: [1, 499],
  UNKNOWN: [2, 500],
  INVALID_ARGUMENT: [3, 400],
  DEADLINE_EXCEEDED: [4, 504],
  NOT_FOUND: [5, 404],
  ALREADY_EXISTS: [6, 409],
  PERMISSION_DENIED: [7, 403],
  RESOURCE_EXHAUSTED: [8, 429],
  FAILED_PRECONDITION: [9, 400],
  ABORTED: [10, 409],
  OUT_OF_RANGE: [11, 400],
  UNIMPLEMENTED: [12, 501],
  INTERNAL: [13, 500],
  UNAVAILABLE: [14, 503],
  DATA_LOSS: [15, 500],
  UNAUTHENTICATED: [16, 401],
};

/** Failures a rule asks for. Without a percentage they are injected into no request (Istio route.go, TranslateFault). */
export function compileFault(fault: HttpFaultInjection | undefined, istioCompat: boolean): FaultInjection | undefined {
  const delay = compileDelay(fault?.delay);
  const abort = compileAbort(fault?.abort);
  if (delay === undefined && abort === undefined) return undefined;
  return { ...(delay === undefined ? {} : { delay }), ...(abort === undefined ? {} : { abort }), isBeforeRouter: istioCompat };
}

function compileDelay(delay: HttpFaultInjection['delay']): FaultInjection['delay'] {
  const share = perMillion(delay?.percentage ?? (delay?.percent === undefined ? undefined : { value: delay.percent }), 0);
  const ms = delay?.fixedDelay === undefined ? undefined : parseDuration(delay.fixedDelay);
  return share === 0 || ms === undefined || ms === 0 ? undefined : { perMillion: share, ms };
}

function compileAbort(abort: HttpFaultInjection['abort']): FaultInjection['abort'] {
  const share = perMillion(abort?.percentage, 0);
  const answer = abort === undefined ? undefined : abortAnswer(abort);
  return share === 0 || answer === undefined ? undefined : { perMillion: share, ...answer };
}

function abortAnswer({ httpStatus, grpcStatus = '' }: NonNullable<HttpFaultInjection['abort']>): InjectedAbort | undefined {
  if (httpStatus !== undefined) return { status: httpStatus };
  const grpc = GRPC[grpcStatus];
  return grpc && { status: grpc[1], grpcStatus: grpc[0] };
}
