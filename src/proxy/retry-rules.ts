/**
 * Which failed attempts a route's policy tries again (Envoy's retry_state_impl.cc, wouldRetryFromHeaders and wouldRetryFromReset; semantics.md
 * 2.1.6), prepared once a route.
 */
import type { RetryCondition } from '../config/retry-on.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { RetryPolicy } from '../routing/table.ts';

/**
 * How an attempt ended without an answer.
 *
 * - `connect`: no connection, so nothing was sent
 * - `reset`: broken off, or an answer that is none
 * - `timeout`: its own time is over
 */
export type LostAttempt = 'connect' | 'reset' | 'timeout';

/** google.rpc.Code. */
const GRPC_CONDITIONS: ReadonlyMap<string, RetryCondition> = new Map([
  ['1', 'cancelled'],
  ['4', 'deadline-exceeded'],
  ['8', 'resource-exhausted'],
  ['13', 'internal'],
  ['14', 'unavailable'],
]);

const MAX_BACKOFF_FACTOR = 10;

export class RetryRules {
  readonly policy: RetryPolicy;
  /** Whether the policy reaches beyond the connection: then bodies are kept for it. */
  readonly isAboutAnswers: boolean;
  readonly #on: ReadonlySet<RetryCondition>;
  readonly #codes: ReadonlySet<number>;
  /** One of them in an answer is a reason. */
  readonly #names: readonly string[];
  /** Whether answers are to be looked at beyond their status. */
  readonly #asksFields: boolean;

  /** @param names  Of `retriable-headers`, in lower case. Routes have no way to say them. */
  constructor(policy: RetryPolicy, names: readonly string[] = []) {
    this.policy = policy;
    this.#names = names;
    this.#on = new Set(policy.on);
    this.#codes = new Set(policy.statusCodes);
    this.#asksFields =
      names.length > 0 ||
      policy.on.includes('envoy-ratelimited') ||
      [...GRPC_CONDITIONS.values()].some((condition) => this.#on.has(condition));
    this.isAboutAnswers = policy.attempts > 0 && (this.#codes.size > 0 || policy.on.some((condition) => condition !== 'connect-failure'));
  }

  /** An answer whose head has come, and of which the client has seen nothing. */
  covers(head: ResponseHead): boolean {
    // Asked of every answer: what can be told without looking at fields comes first.
    if (!this.coversStatus(head.status) && !(this.#asksFields && this.#coversFields(head))) return false;
    if (head.joined('x-envoy-overloaded') !== undefined) return false;
    return head.joined('x-envoy-ratelimited') === undefined || this.#on.has('envoy-ratelimited');
  }

  #coversFields(head: ResponseHead): boolean {
    const grpcStatus = head.joined('grpc-status');
    if (grpcStatus !== undefined && this.coversGrpcStatus(grpcStatus)) return true;
    if (this.#names.some((name) => head.joined(name) !== undefined)) return true;
    return this.#on.has('envoy-ratelimited') && head.joined('x-envoy-ratelimited') !== undefined;
  }

  coversStatus(status: number): boolean {
    if (status >= 500 && status <= 599 && this.#on.has('5xx')) return true;
    if (status >= 502 && status <= 504 && this.#on.has('gateway-error')) return true;
    if (status === 409 && this.#on.has('retriable-4xx')) return true;
    return this.#codes.has(status);
  }

  coversGrpcStatus(status: string): boolean {
    const condition = GRPC_CONDITIONS.get(status);
    return condition !== undefined && this.#on.has(condition);
  }

  coversLoss(loss: LostAttempt): boolean {
    // No answer counts as the 503 it would become.
    if (this.#on.has('5xx') || this.#on.has('gateway-error') || this.#on.has('reset')) return true;
    return loss === 'connect' && (this.#on.has('connect-failure') || this.#on.has('reset-before-request'));
  }

  /**
   * How long to wait before a retry: anything from 0 to (2^n - 1) times the base, at most ten times it; and the base besides, where it is a minimum.
   *
   * @param retry   1 for the first.
   * @param ratio   Uniform in [0, 1).
   */
  backoffMs(retry: number, ratio: number): number {
    const { backoffMs: baseMs, backoffIsMinimum } = this.policy;
    return (backoffIsMinimum === true ? baseMs : 0) + ratio * Math.min(2 ** retry - 1, MAX_BACKOFF_FACTOR) * baseMs;
  }
}
