/** The parts of the admin API's answers that the dashboard reads, and which have no schema of their own there: statuses of Rollouts and explanations. */
import type { Explanation } from '../../../src/routing/explanation.ts';

export type { Explanation } from '../../../src/routing/explanation.ts';

export interface ExplainAnswer {
  readonly considered: readonly { readonly listener: string; readonly servesHost: boolean }[];
  readonly explanation: Explanation;
  readonly text: string;
}

export interface Metric {
  readonly name: 'errors' | 'p50' | 'p90' | 'p99' | 'latency';
  readonly n: { readonly stable: number; readonly canary: number };
  readonly stable?: number;
  readonly canary?: number;
  readonly effect?: number;
  readonly interval?: { readonly low: number; readonly high?: number };
  readonly margin: number;
  readonly ruledOut?: number;
  readonly sentence: string;
}

export interface Evidence {
  /** E-value: a rollback when it reaches `rollbackAt`. */
  readonly evidence: number;
  readonly rollbackAt: number;
  readonly pValue: number;
  readonly shareEvidence: number;
  readonly metrics: readonly Metric[];
}

export interface Analysis extends Evidence {
  readonly decision?: 'continue' | 'rollback' | 'safe' | 'inconclusive';
  readonly reason: string;
}

export interface Decision {
  readonly at: string;
  readonly by: string;
  readonly action: string;
  readonly reason: string;
  readonly run: number;
  readonly step: number;
  readonly canaryPercent: number;
  readonly evidence?: Partial<Evidence>;
}

export interface Candidate {
  readonly subset: string;
  readonly fate: string;
  readonly weight: number;
  readonly reason?: string;
  readonly analysis?: Analysis;
}

export interface RolloutStatus {
  readonly phase: 'Healthy' | 'Progressing' | 'Paused' | 'Degraded';
  readonly message: string;
  readonly host: string;
  readonly stable: string;
  readonly canary?: string;
  readonly canaries?: readonly string[];
  /** Of a route, whose Services are the versions; `host` is then no service. */
  readonly route?: { readonly kind: string; readonly namespace: string; readonly name: string };
  readonly outcome?: string;
  readonly run: number;
  readonly currentStepIndex?: number;
  readonly currentStep?: string;
  readonly steps?: readonly string[];
  readonly elapsedSeconds?: number;
  readonly stepElapsedSeconds?: number;
  readonly cohorts?: readonly string[];
  readonly mirrorPercent?: number;
  readonly approval?: { readonly needed: number; readonly approved: readonly string[]; readonly awaited: readonly string[] };
  readonly weights?: Readonly<Record<string, number>>;
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string; readonly message: string }[];
  readonly analysis?: Analysis;
  readonly candidates?: readonly Candidate[];
  readonly metrics?: readonly { readonly name: string; readonly condition: string; readonly phase: string; readonly message: string }[];
  readonly webhooks?: readonly { readonly name: string; readonly type: string; readonly phase: string; readonly message: string }[];
  readonly decisions: readonly Decision[];
}

export interface Rollout {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly resourceVersion: string };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status: RolloutStatus;
}

export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly hint?: string;
}
