/**
 * `spec` of a Rollout (serin.dev/v1alpha1), as validation has let it through: durations are still the user's text, weights are percentages of
 * the host's requests (two decimals at most), exactly one member of a step and of a strategy is set. Step names are Argo Rollouts' where they
 * fit. `normalizeStrategy` of rollout/spec.ts turns it into what is performed.
 */
export interface RolloutSpec {
  /** Service, as a DestinationRule names it. */
  readonly host: string;
  /** Subset that serves today. */
  readonly stable: string;
  /** Subset being released. */
  readonly canary: string;
  /** Not started when it is applied, only by `serin rollout start`. */
  readonly paused?: boolean;
  readonly assignment?: RolloutAssignment;
  /** Default: rollout/spec.ts. */
  readonly strategy?: RolloutStrategy;
  readonly analysis?: RolloutAnalysis;
  /** While one of them lasts, nothing starts and no weight grows; rolling back is always possible. */
  readonly freeze?: readonly FreezeWindow[];
  /** Time under way (paused and down times not counted) after which a release that is not promoted is rolled back. */
  readonly deadline?: string;
}

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

/** Exactly one member. `ramp: auto`: weights and pace follow from the traffic and the evidence, within `analysis.errorBudget`. */
export interface CanaryStrategy {
  readonly steps?: readonly RolloutStep[];
  readonly ramp?: 'auto';
}

/** Exactly one member. */
export interface RolloutStep {
  /** Percentage, 0 to 100. */
  readonly setWeight?: number;
  /** Without a duration: until `serin rollout promote`. */
  readonly pause?: { readonly duration?: string };
  /** Without `match` the route of that name is removed. */
  readonly setHeaderRoute?: { readonly name?: string; readonly match?: readonly HeaderRouteMatch[] };
  /** Percentage of the host's requests that are also sent to the canary, whose answers nobody sees; 0 ends it. */
  readonly setMirrorRoute?: { readonly percentage?: number };
  /** Waits for evidence that the next weight is safe. */
  readonly analysis?: { readonly atLeast?: string; readonly timeout?: string };
  /** The stable version stays warm, for an instant way back. There is nobody left to compare with, so nothing is decided by evidence. */
  readonly bake?: { readonly duration: string };
  /** A cohort and a weight together, and what is waited for. */
  readonly stage?: RolloutStage;
}

export interface RolloutStage {
  readonly match?: readonly HeaderRouteMatch[];
  readonly setWeight?: number;
  readonly pause?: { readonly duration?: string };
  readonly analysis?: { readonly atLeast?: string; readonly timeout?: string };
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
  /** What follows the duration; default `pause`: until somebody decides. */
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
  /** Without a verdict after an analysis step's `timeout`: hold until somebody decides, or roll back. */
  readonly onInconclusive?: 'hold' | 'rollback';
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
