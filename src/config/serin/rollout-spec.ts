import type { RolloutApproval } from './approval.ts';

/**
 * `spec` of a Rollout (serin.dev/v1alpha1), as validation has let it through: durations are still the user's text, weights are percentages of
 * the host's requests (two decimals at most), exactly one member of a step and of a strategy is set. Step names are Argo Rollouts' where they
 * fit. `normalizeStrategy` of rollout/spec.ts turns it into what is performed.
 */
import type { MetricUse, WebhookSpec } from './metric-spec.ts';

export interface RolloutSpec {
  /** Service, as a DestinationRule names it. Exactly one of `host` and `route` (`targetOf`). */
  readonly host?: string;
  /** A route of the Gateway API: versions are then Services of its namespace. */
  readonly route?: RolloutRoute;
  /** Subset, or Service, that serves today. */
  readonly stable: string;
  /** The one being released. Exactly one of `canary` and `canaries` (`canariesOf`). */
  readonly canary?: string;
  /** Several that are released beside each other, until one of them is left. */
  readonly canaries?: readonly string[];
  /** Not started when it is applied, only by `serin rollout start`. */
  readonly paused?: boolean;
  readonly assignment?: RolloutAssignment;
  /** Default: rollout/spec.ts. */
  readonly strategy?: RolloutStrategy;
  readonly analysis?: RolloutAnalysis;
  readonly webhooks?: readonly WebhookSpec[];
  /** While one of them lasts, nothing starts and no weight grows; rolling back is always possible. */
  readonly freeze?: readonly FreezeWindow[];
  /** Time under way (paused and down times not counted) after which a release that is not promoted is rolled back. */
  readonly deadline?: string;
  /** Nothing grows without it: default of every pause until promoted, and one is added before each growth that has none (rollout/approval.ts). */
  readonly approval?: RolloutApproval;
  readonly rollback?: RolloutRollback;
  readonly fallback?: RolloutFallback;
  /** Rollouts that have to be released before it, and are taken back after it; `name` in the same namespace, or `namespace/name`. */
  readonly requires?: readonly string[];
}

export interface RolloutRoute {
  /** Default HTTPRoute. */
  readonly kind?: 'HTTPRoute' | 'GRPCRoute';
  readonly name: string;
  /** Default: the Rollout's. */
  readonly namespace?: string;
}

/** The way back to stable; without it, everybody goes at once where stable is warm. */
export interface RolloutRollback {
  /** When it is walked in steps: where stable has been stopped or is smaller than it was (`cold`, the default), or `always`. */
  readonly when?: 'cold' | 'always';
  /** Stable's shares on the way, percentages that grow; default 10, 25, 50, 100. */
  readonly steps?: readonly number[];
  /** Between two of them; default `10s`. */
  readonly interval?: string;
}

/** Idempotent requests of the canary's share that it gives no answer, or one of these statuses (default 502, 503, 504), are answered by stable. */
export type RolloutFallback = 'stable' | { readonly to: 'stable'; readonly statusCodes?: readonly number[] };

export function fallbackStatuses(fallback: RolloutFallback): readonly number[] {
  return (fallback === 'stable' ? undefined : fallback.statusCodes) ?? [502, 503, 504];
}

/** The versions being released, in order. */
export function canariesOf({ canary, canaries }: Pick<RolloutSpec, 'canary' | 'canaries'>): readonly string[] {
  return canaries ?? (canary === undefined ? [] : [canary]);
}

/** More than anybody compares at once: each has to be proved on its own, with its part of the traffic and of the risk. */
export const MAX_CANARIES = 8;

export interface RolloutAssignment {
  readonly by: 'request' | 'user';
  /** What names a user, in this order; the first that a request has counts. */
  readonly header?: string;
  readonly cookie?: string;
  /** Only where a request has none of the keys; `cookie` names it. */
  readonly setCookie?: { readonly maxAge?: string };
  readonly sourceAddress?: boolean;
}

/** Exactly one member. */
export interface RolloutStrategy {
  readonly canary?: CanaryStrategy;
  readonly blueGreen?: BlueGreenStrategy;
  readonly ab?: AbStrategy;
}

/** Exactly one of `steps` and `ramp`. `ramp: auto`: weights and pace follow from the traffic and the evidence, within `analysis.errorBudget`. */
export interface CanaryStrategy {
  readonly steps?: readonly RolloutStep[];
  readonly ramp?: 'auto';
  /** How long the version nobody is on any more is kept running after the end; default `30s`. */
  readonly scaleDownDelay?: string;
}

/** Exactly one member. */
export interface RolloutStep {
  /** Percentage, 0 to 100. */
  readonly setWeight?: number;
  readonly pause?: RolloutPause;
  /** Without `match` the route of that name is removed. `to`: one of `canaries`; default the first that is in the race. */
  readonly setHeaderRoute?: { readonly name?: string; readonly match?: readonly HeaderRouteMatch[]; readonly to?: string };
  /** Percentage of the host's requests that are also sent to the canary, whose answers nobody sees; 0 ends it. */
  readonly setMirrorRoute?: { readonly percentage?: number; readonly to?: string };
  /** Waits for evidence that the next weight is safe. */
  readonly analysis?: { readonly atLeast?: string; readonly timeout?: string };
  /** The stable version stays warm, for an instant way back. There is nobody left to compare with, so nothing is decided by evidence. */
  readonly bake?: { readonly duration: string };
  /** A cohort and a weight together, and what is waited for. */
  readonly stage?: RolloutStage;
}

/** Of an analysis that states no `atLeast`: leaks and late onsets take time to show, however many requests there are. */
export const SHORTEST_ANALYSIS_MS = 60_000;

export interface RolloutStage {
  readonly match?: readonly HeaderRouteMatch[];
  /** Where the cohort goes, as in `setHeaderRoute`. */
  readonly to?: string;
  readonly setWeight?: number;
  readonly pause?: RolloutPause;
  readonly analysis?: { readonly atLeast?: string; readonly timeout?: string };
}

/** Without a duration: until `serin rollout promote`; with an approval: by those it names. */
export interface RolloutPause {
  readonly duration?: string;
  readonly approval?: RolloutApproval;
}

/** A cohort is every request that one of its entries holds for. */
export interface HeaderRouteMatch {
  readonly headerName: string;
  /** Exactly one member. */
  readonly headerValue: { readonly exact?: string; readonly prefix?: string; readonly regex?: string };
}

export interface BlueGreenStrategy {
  /** Who sees the new version before everybody does. */
  readonly preview?: { readonly match: readonly HeaderRouteMatch[] };
  /** Who has to agree to the switch. */
  readonly approval?: RolloutApproval;
  /** Default false: `serin rollout promote` switches. */
  readonly autoPromote?: boolean;
  /** With `autoPromote`: how long the preview lasts first. */
  readonly autoPromoteAfter?: string;
  /** How long the old version stays warm after the switch; default `30s`. */
  readonly scaleDownDelay?: string;
}

export interface AbStrategy {
  /** Who gets the new version; else `setWeight`. */
  readonly match?: readonly HeaderRouteMatch[];
  readonly setWeight?: number;
  readonly duration: string;
  /** What follows the duration; default `pause`: until somebody decides. `promote`: of several, the first that is proven not to be worse. */
  readonly onEnd?: 'pause' | 'promote' | 'rollback';
}

/** What they mean, their defaults and the reasons: rollout/analysis-spec.ts. */
export interface RolloutAnalysis {
  readonly rollbackRisk?: number;
  readonly advanceRisk?: number;
  /** Fraction of requests: 0.001 is a tenth of a percent. */
  readonly errorTolerance?: number;
  readonly errorBudget?: number;
  /** Factors: 1.1 is a tenth slower. */
  readonly latencyTolerance?: number;
  readonly latencyBudget?: number;
  /** Latency of the first requests after a start does not count. */
  readonly warmup?: string;
  /**
   * Where ruling out the budget would take a step longer than this at the present traffic, it goes on when a multiple of it is ruled out. `never`:
   * however long it takes.
   */
  readonly relax?: string;
  /** Without a verdict after an analysis step's `timeout`: hold until somebody decides, or roll back. */
  readonly onInconclusive?: 'hold' | 'rollback';
  /** Other evidence: measured from the canary's first request on. */
  readonly metrics?: readonly MetricUse[];
}

/** From one instant to another (RFC 3339), or on weekdays from one time of day to another (`18:00`), past midnight where `to` is earlier. */
export interface FreezeWindow {
  readonly from: string;
  readonly to: string;
  readonly days?: readonly Weekday[];
  /** IANA name; default UTC. With times of day only. */
  readonly timeZone?: string;
  readonly reason?: string;
}

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];
