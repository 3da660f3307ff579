/** Step 10 of a request's life: a few integer additions in shared memory. */
import { NO_CALL } from '../telemetry/cluster-counters.ts';
import type { ClusterCounters, GrpcStatus } from '../telemetry/cluster-counters.ts';
import { NOTHING_BESIDE } from '../telemetry/response-flag.ts';
import type { FlagsBeside, ResponseFlag } from '../telemetry/response-flag.ts';
import type { Observation } from './route-runtime.ts';

/** For the cluster that answered. */
export function countRequest(
  counters: ClusterCounters,
  grpcStatus: GrpcStatus,
  status: number,
  flag: ResponseFlag | undefined,
  also: FlagsBeside,
  durationMs: number,
): void {
  if (grpcStatus === NO_CALL) count(counters, status, flag, also, durationMs);
  else counters.recordCall(grpcStatus, status, flag, also, durationMs);
}

function count(counters: ClusterCounters, status: number, flag: ResponseFlag | undefined, also: FlagsBeside, durationMs: number): void {
  counters.record(status, durationMs);
  if (flag !== undefined || also !== NOTHING_BESIDE) counters.flag(flag, status, also);
}

/**
 * For the release whose arm was drawn; `userHash` only counts where it was drawn by user. What the client broke off or broke says nothing about the version.
 */
export function countForRelease(
  { good, bad, users }: Observation,
  userHash: number,
  isBad: boolean,
  status: number,
  flag: ResponseFlag | undefined,
  also: FlagsBeside,
  durationMs: number,
): void {
  if (flag === 'DC' || flag === 'DR' || flag === 'DPE') return;
  count(isBad ? bad : good, status, flag, also, durationMs);
  users?.record(userHash, isBad, status, durationMs);
}
