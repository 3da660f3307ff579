/** What the admin API needs from the rest of the program; `app/` provides it. Methods that refuse throw a ProblemError. */
import type { Verb as RolloutVerb } from '../rollout/verbs.ts';
import type { ApiList, ApiObject, ExplainRequest, RolloutRequest, Shift, ShiftResult, Weights } from './api-types.ts';

export interface Readiness {
  readonly ready: boolean;
  /** Why not; empty when ready. */
  readonly reasons: readonly string[];
}

export interface AdminPorts {
  /** Version of this Serin. */
  readonly version: string;
  readiness(): Readiness;
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  /** @param kind plural lower case, as in the path. @throws ProblemError 404 with the nearest kind */
  list(kind: string, namespace: string | undefined): ApiList;
  /** @throws ProblemError 404 with the nearest name */
  get(kind: string, namespace: string, name: string): ApiObject;
  listeners(): ApiList;
  clusters(): ApiList;
  endpoints(): ApiList;
  processes(): ApiList;
  /** @returns JSON; app/explain.ts says its shape. */
  explain(request: ExplainRequest): object;
  shifts(): readonly Shift[];
  /** Resolves when the shift is durable and in force. @throws ProblemError */
  shift(namespace: string, host: string, weights: Weights): Promise<ShiftResult>;
  resetShift(namespace: string, host: string): Promise<ShiftResult>;
  rollouts(namespace: string | undefined): ApiList;
  /** @throws ProblemError 404 */
  rollout(namespace: string, name: string): ApiObject;
  /** Resolves with the Rollout when the change is durable and in force. @throws ProblemError */
  rolloutVerb(
    namespace: string,
    name: string,
    verb: RolloutVerb,
    request: RolloutRequest,
    terms: { readonly idempotencyKey?: string; readonly ifMatch?: string },
  ): Promise<ApiObject>;
  /** An exception nobody expected, for the log. */
  onError(error: unknown): void;
}
