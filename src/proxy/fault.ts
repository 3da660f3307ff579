/** Failures made on purpose: what is drawn for one attempt, and the answer an abort gives. */
import type { Random } from '../base/random.ts';
import type { FaultInjection, InjectedAbort } from '../routing/table.ts';
import { FAILURES, failureAnswer } from './answer.ts';
import type { Answer } from './answer.ts';
import { grpcFailureAnswer } from './grpc.ts';

const MILLION = 1_000_000;

/** ms to wait; 0 where none was drawn. */
export function drawDelay({ delay }: FaultInjection, random: Random): number {
  return delay !== undefined && random() * MILLION < delay.perMillion ? delay.ms : 0;
}

export function drawAbort({ abort }: FaultInjection, random: Random): InjectedAbort | undefined {
  return abort !== undefined && random() * MILLION < abort.perMillion ? abort : undefined;
}

/** In gRPC's own form where the request is a call. */
export function abortAnswer({ status, grpcStatus }: InjectedAbort, isGrpc: boolean, requestId: string): Answer {
  const failure = { ...FAILURES.faultAbort, status };
  if (!isGrpc) return failureAnswer(failure, requestId);
  if (grpcStatus === undefined) return grpcFailureAnswer(failure, requestId, false);
  return {
    status: 200,
    grpcStatus,
    fields: `content-type: application/grpc\r\ngrpc-status: ${grpcStatus}\r\ngrpc-message: fault filter abort\r\nx-request-id: ${requestId}\r\n`,
    body: '',
  };
}
