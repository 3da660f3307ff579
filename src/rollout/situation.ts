/** What a decision is made from, apart from the state: everything the engine has seen since the last one. Plain data. */
import type { Cause, Decision } from './analysis-decision.ts';

export interface Situation {
  /** For records only; nothing is decided by it. */
  readonly nowMs: number;
  /** Time served since the last decision, ms: capped, so that a stalled process has served nothing. */
  readonly passedMs: number;
  /** The data plane has acknowledged what the state says. */
  readonly isInForce: boolean;
  /** Of the canary against stable; absent while there is nothing to compare. */
  readonly judgement?: Judgement;
  readonly canary: Readiness;
  readonly stable: Readiness;
  /** The freeze window that lasts, in words. */
  readonly frozen?: string;
  /** Why the host cannot be released at all: a shift by hand, a subset that is not there. */
  readonly blocked?: string;
  /** Requests a second to the host, as far as it was measured. */
  readonly ratePerS?: number;
}

/** Whether a version can take requests. */
export interface Readiness {
  readonly isReady: boolean;
  /** `v3 has no healthy endpoint (2 of 2 fail their check)`; empty when it is ready. */
  readonly reason: string;
}

/** A verdict of analysis-verdict.ts, as far as it is acted on and recorded. */
export interface Judgement {
  readonly decision: Decision;
  readonly cause: Cause;
  /** One sentence for people. */
  readonly message: string;
  /** Requests the canary has answered at the weight in force. */
  readonly canaryRequests: number;
  readonly evidence: Readonly<Record<string, unknown>>;
}
