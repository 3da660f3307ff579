/** What the admin API needs from the rest of the program; `app/` provides it. Methods that refuse throw a ProblemError. */
import type { EventHub, EventSource } from './events.ts';
import type { Evidence, LogLine } from './live-types.ts';
import type { Verb as RolloutVerb } from '../rollout/verbs.ts';
import type { Actor } from './access.ts';
import type {
  ApiList,
  ApiObject,
  DiffRequest,
  DiffResult,
  ExplainRequest,
  NewToken,
  Preview,
  PreviewRequest,
  RolloutRequest,
  Shift,
  ShiftResult,
  Token,
  TokenRequest,
  Weights,
} from './api-types.ts';
import type { ApplyResult, ApplyTerms, Configuration, ConfigurationChange, ManifestsDiff, ResourceSource } from './resource-types.ts';
import type { AuditEntry } from './audit-types.ts';
import type { ProblemCode } from './problem.ts';

export interface Readiness {
  readonly ready: boolean;
  /** Why not; empty when ready. */
  readonly reasons: readonly string[];
}

export interface ReadLog {
  readonly lines: readonly LogLine[];
  /** The same lines, then those that come; to be opened once. */
  follow(): EventSource;
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
  /** Resolves when the resources are durable and in force. @param manifests YAML. @throws ProblemError */
  apply(manifests: string, terms: ApplyTerms): Promise<ApplyResult>;
  /** Of what was applied. @throws ProblemError */
  delete(kind: string, namespace: string, name: string, terms: ApplyTerms): Promise<ApplyResult>;
  /** @throws ProblemError 422 */
  diffManifests(manifests: string): ManifestsDiff;
  configuration(): Configuration;
  /** Newest first. */
  configurationHistory(): readonly ConfigurationChange[];
  /** @throws ProblemError 404 with the nearest name */
  source(kind: string, namespace: string, name: string): ResourceSource;
  listeners(): ApiList;
  clusters(): ApiList;
  endpoints(): ApiList;
  processes(): ApiList;
  /** @returns JSON; app/explain.ts says its shape. */
  explain(request: ExplainRequest): object;
  /** @throws ProblemError 422 where the configuration given cannot be used */
  diff(request: DiffRequest): DiffResult;
  shifts(): readonly Shift[];
  /** Resolves when the shift is durable and in force. @throws ProblemError */
  shift(namespace: string, host: string, weights: Weights, by: Actor): Promise<ShiftResult>;
  resetShift(namespace: string, host: string, by: Actor): Promise<ShiftResult>;
  rollouts(namespace: string | undefined): ApiList;
  /** @throws ProblemError 404 */
  rollout(namespace: string, name: string): ApiObject;
  /** Resolves with the Rollout when the change is durable and in force. @throws ProblemError */
  rolloutVerb(
    namespace: string,
    name: string,
    verb: RolloutVerb,
    request: RolloutRequest,
    terms: { readonly by: Actor; readonly idempotencyKey?: string; readonly ifMatch?: string },
  ): Promise<ApiObject>;
  /** @throws ProblemError */
  preview(namespace: string, name: string, request: PreviewRequest, by: Actor): Preview;
  tokens(): readonly Token[];
  /** @throws ProblemError */
  createToken(request: TokenRequest, by: Actor): NewToken;
  revokeToken(name: string, by: Actor): Token;
  /** @param before Only entries with a smaller number. */
  audit(limit: number, before: number | undefined): readonly AuditEntry[];
  /** Somebody signs in or out: for the audit. @throws ProblemError 507; then they do not. */
  session(by: Actor, action: string): void;
  /** Somebody who may do such things was refused this one: for the audit, where it can be written. */
  refused(by: Actor, action: string, target: string, code: ProblemCode): void;
  readonly events: EventHub;
  /** Of the last run of a Rollout. @throws ProblemError 404 */
  evidence(namespace: string, name: string): Evidence;
  /** @param asked Of which process, and how many of the last lines. @throws ProblemError 404, 422 */
  processLog(asked: { readonly name: string; readonly namespace: string | undefined; readonly lines: number }): Promise<ReadLog>;
  /** JSON of a `LiveUpdate` with everything. */
  live(): Promise<string>;
  /** An exception nobody expected, for the log. */
  onError(error: unknown): void;
}
