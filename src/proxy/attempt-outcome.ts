/**
 * What an attempt has come to, for those who keep count: outlier detection hears of every one, the release of the one that was drawn. One object a client connection,
 * used again.
 */
import type { ResponseHead } from '../http/response-head.ts';
import { NOTHING_BESIDE } from '../telemetry/response-flag.ts';
import type { FlagsBeside, ResponseFlag } from '../telemetry/response-flag.ts';
import { countForRelease } from './accounting.ts';
import { NOBODY } from './assignment.ts';
import type { EndpointRuntime } from './cluster-runtime.ts';
import { httpStatusOfGrpc } from './grpc.ts';
import type { ClusterChoice } from './route-runtime.ts';

/** Where the attempt under way goes. */
export interface Destined {
  readonly choice: ClusterChoice | undefined;
  readonly endpoint: EndpointRuntime | undefined;
}

export class AttemptOutcome {
  readonly #to: Destined;
  /** Of the user the version was drawn for; of no meaning where it was not drawn by user. */
  userHash = NOBODY;
  /** Of the call, as soon as the upstream has said it; empty before. */
  grpcStatus = '';
  /** The release has counted the attempt that was drawn, or is not to. */
  isCounted = false;

  constructor(to: Destined) {
    this.#to = to;
  }

  begin(): void {
    this.grpcStatus = '';
    this.isCounted = false;
  }

  onResponse(status: number): void {
    const { choice, endpoint } = this.#to;
    if (endpoint !== undefined) choice?.cluster.onResponse(endpoint, status);
  }

  onNoResponse(): void {
    const { choice, endpoint } = this.#to;
    if (endpoint !== undefined) choice?.cluster.onNoResponse(endpoint);
  }

  /** @param isGrpc  Of a call the status says more, where it stands in the head because nothing goes before it. */
  onHead(head: ResponseHead, isGrpc: boolean): void {
    if (!isGrpc || head.status !== 200) {
      this.onResponse(head.status);
      return;
    }
    this.grpcStatus = head.joined('grpc-status') ?? '';
    if (this.grpcStatus !== '') this.onResponse(httpStatusOfGrpc(this.grpcStatus));
  }

  /** A call that was answered 200 is over: usually its status stands behind the answer. */
  onGrpcTrailers(trailers: readonly (readonly [string, string])[]): void {
    if (this.grpcStatus !== '') return;
    this.grpcStatus = trailers.find(([name]) => name.toLowerCase() === 'grpc-status')?.[1] ?? '';
    this.onResponse(httpStatusOfGrpc(this.grpcStatus));
  }

  /**
   * Counts the attempt for its release: only the one that was drawn. Those that follow it are no draws of their own, and would weigh a failing
   * version's requests more than others.
   *
   * @param durationMs  Of the request.
   */
  count(durationMs: number, status: number, flag: ResponseFlag | undefined, also: FlagsBeside = NOTHING_BESIDE): void {
    if (this.isCounted) return;
    this.isCounted = true;
    const observation = this.#to.choice?.observation;
    if (observation === undefined) return;
    const isBad = status >= 500 || flag !== undefined || httpStatusOfGrpc(this.grpcStatus) >= 500;
    countForRelease(observation, this.userHash, isBad, status, flag, also, durationMs);
  }
}
