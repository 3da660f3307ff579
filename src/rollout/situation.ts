/** What a decision is made from, apart from the state: everything the engine has seen since the last one. Plain data. */
import type { Cause, Decision } from './analysis-decision.ts';
import type { Checks } from './checks.ts';
import type { TrainSituation } from './train.ts';

export interface Situation {
  /** For records only; nothing is decided by it. */
  readonly nowMs: number;
  /** Time served since the last decision, ms: capped, so that a stalled process has served nothing. */
  readonly passedMs: number;
  /** The data plane has acknowledged what the state says. */
  readonly isInForce: boolean;
  /** Of what is released against stable; absent while there is nothing to compare. Of several candidates: `together` of race.ts. */
  readonly judgement?: Judgement;
  readonly canary: Readiness;
  /** By subset, where several candidates are in the race. */
  readonly each?: Readonly<Record<string, CandidateSituation>>;
  readonly stable: Readiness;
  /** The freeze window that lasts, in words. */
  readonly frozen?: string;
  /** Why the host cannot be released at all: a shift by hand, a subset that is not there. */
  readonly blocked?: string;
  /** Of the releases it requires and that require it. */
  readonly train?: TrainSituation;
  /** Metrics of other systems, and webhooks; absent where the Rollout has none. */
  readonly checks?: Checks;
  /** Requests a second to the host, as far as it was measured. */
  readonly ratePerS?: number;
}

export interface CandidateSituation {
  readonly readiness: Readiness;
  readonly judgement?: Judgement;
}

/** Whether a version can take requests. */
export interface Readiness {
  readonly isReady: boolean;
  /** `v3 has no healthy endpoint (2 of 2 fail their check)`; empty when it is ready. */
  readonly reason: string;
  /** The files do not have it at all; then nothing of the release is in force, and they are. */
  readonly isMissing?: true;
  /** Serin runs it: where it is not ready it is started, or being started. */
  readonly isRun?: true;
  /** Those that can take requests now; absent where nobody knows. */
  readonly endpoints?: number;
}

/** A verdict of analysis-verdict.ts, as far as it is acted on and recorded. */
export interface Judgement {
  readonly decision: Decision;
  readonly cause: Cause;
  /** One sentence for people. */
  readonly message: string;
  /** Where it is safe to go on: what has been ruled out, a part of a sentence. */
  readonly proved?: string | undefined;
  /** Requests the canary has answered at the weight in force. */
  readonly canaryRequests: number;
  /** The canary fails nearly every request: no other version can do worse. */
  readonly failsAll?: boolean;
  readonly evidence: Readonly<Record<string, unknown>>;
}
