/** What a run is begun with and its way back needs, also after its end. Plain data; part of the durable state. Pure. */
import { parseDuration } from '../base/duration.ts';
import type { ReleaseAssignment } from '../config/release.ts';
import { fallbackStatuses, type RolloutSpec } from '../config/serin/rollout-spec.ts';
import type { AnalysisSpec } from './analysis-spec.ts';
import type { Situation } from './situation.ts';

export interface RunTerms {
  /** Endpoints of stable at the start; absent where nobody knew. */
  readonly stableEndpoints?: number;
  /** How long the version nobody is on any more is kept running, ms: the old one after a promotion, the canary after a way back. */
  readonly keepMs: { readonly promoted: number; readonly takenBack: number };
  readonly rollback: RollbackTerms;
  readonly analysis: AnalysisSpec;
  readonly assignment?: ReleaseAssignment;
  /** Runs of the Rollouts it requires that it is bound to (train.ts). */
  readonly requires?: Readonly<Record<string, number>>;
  /** Statuses of a canary that stable answers in place of, beside requests without an answer; absent: no request falls back. */
  readonly fallbackOn?: readonly number[];
}

export interface RollbackTerms {
  readonly when: 'cold' | 'always';
  /** Stable's shares, 1 to `FULL`, growing. */
  readonly shares: readonly number[];
  readonly intervalMs: number;
}

export interface WayBack {
  /** How the run ends when stable has everything. */
  readonly outcome: 'rolledBack' | 'aborted' | 'undone';
  readonly why: string;
  /** Everybody as soon as stable is ready, however few its endpoints are. */
  readonly atOnce: boolean;
}

const KEEP = '30s';
const DEFAULT_STEPS = [10, 25, 50, 100] as const;
const DEFAULT_INTERVAL = '10s';

export function runTerms(
  { strategy, rollback = {}, fallback }: Pick<RolloutSpec, 'strategy' | 'rollback' | 'fallback'>,
  analysis: AnalysisSpec,
  assignment: ReleaseAssignment | undefined,
  { stable, train }: Pick<Situation, 'stable' | 'train'>,
): RunTerms {
  const { canary, blueGreen } = strategy ?? {};
  const takenBack = toMs(canary?.scaleDownDelay ?? blueGreen?.scaleDownDelay ?? KEEP);
  const { when = 'cold', steps = DEFAULT_STEPS, interval = DEFAULT_INTERVAL } = rollback;
  return {
    ...(stable.endpoints === undefined ? {} : { stableEndpoints: stable.endpoints }),
    // Blue-green has kept blue warm for that long already, as its last step.
    keepMs: { promoted: blueGreen === undefined ? takenBack : 0, takenBack },
    rollback: { when, shares: steps.map((share) => Math.round(share * 100)), intervalMs: toMs(interval) },
    analysis,
    ...(assignment === undefined ? {} : { assignment }),
    ...(train?.runs === undefined ? {} : { requires: train.runs }),
    ...(fallback === undefined ? {} : { fallbackOn: fallbackStatuses(fallback) }),
  };
}

/** Validation has let nothing else through. */
function toMs(duration: string): number {
  return parseDuration(duration) ?? 0;
}
