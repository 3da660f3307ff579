/**
 * From what a Rollout says to what is performed: a list of steps, each of which sets something, waits for something, or both. Pure.
 *
 * The list of a run is made once, when it starts, and kept in its state: a file that changes under way changes the next run, so no step is
 * skipped or done twice.
 */
import { parseDuration } from '../base/duration.ts';
import type { HeaderRoute, ReleaseAssignment, ReleaseKey } from '../config/release.ts';
import type { HttpMatchRequest } from '../config/resources.ts';
import {
  type AbStrategy,
  type BlueGreenStrategy,
  type HeaderRouteMatch,
  type RolloutAnalysis,
  type RolloutAssignment,
  type RolloutPause,
  type RolloutSpec,
  type RolloutStep,
  type RolloutStrategy,
  SHORTEST_ANALYSIS_MS,
} from '../config/serin/rollout-spec.ts';
import { type ApprovalRule, approvalRule, withApprovals } from './approval.ts';
import { type AnalysisSpec, automaticWeights, DEFAULT_ANALYSIS, WARMUP_WEIGHT } from './analysis-spec.ts';

/** Weights in hundredths of a percent: 1 is the smallest share, `FULL` everybody. */
export const FULL = 10_000;

export interface PlannedStep {
  /** As the user wrote it, in a few words: `setWeight 25`. */
  readonly title: string;
  readonly set?: StepSettings;
  readonly wait?: StepWait;
  /** Instead of going on, the release ends with everybody on stable. */
  readonly end?: 'rollback';
  /** Of several candidates the first that is proven not to be worse goes on alone; without it, somebody has to choose. */
  readonly choose?: 'proven';
}

export interface StepSettings {
  /** 0 to `FULL`. */
  readonly weight?: number;
  /** The cohort of this name; without `match` there is none any more. */
  readonly route?: { readonly name: string; readonly match?: HeaderRoute['match']; readonly to?: string };
  /** Percentage; 0: none any more. */
  readonly mirror?: number;
  /** Who gets the copies; default the first in the race. */
  readonly mirrorTo?: string;
}

export type StepWait =
  /** `bake` is the same after everybody has moved. */
  | { readonly kind: 'time' | 'bake'; readonly ms: number }
  | { readonly kind: 'promotion'; readonly approval?: ApprovalRule }
  /** `timeoutMs` 0: for ever. */
  | { readonly kind: 'evidence'; readonly atLeastMs: number; readonly timeoutMs: number }
  /** How much traffic there is; the steps of the ramp follow from it (`rampSteps`). */
  | { readonly kind: 'measure'; readonly ms: number };

/** The last analysis stands for everybody. */
const LAST_ANALYSIS_MS = 180_000;
/** Long enough to tell ten requests a second from a hundred. */
const MEASURE_MS = 15_000;
const SCALE_DOWN_DELAY = '30s';
const DEFAULT_COOKIE_AGE_MS = 30 * 24 * 3_600_000;
const COHORT = 'cohort';

/** The steps a run of `spec` begins with; those of an automatic ramp follow once the traffic is known. The last weight is always `FULL`. */
export function plannedSteps({ strategy, approval }: Pick<RolloutSpec, 'strategy' | 'approval'>): readonly PlannedStep[] {
  return withApprovals(strategySteps(strategy ?? {}), approval && approvalRule(approval));
}

function strategySteps({ canary, blueGreen, ab }: RolloutStrategy): readonly PlannedStep[] {
  if (blueGreen !== undefined) return complete(blueGreenSteps(blueGreen));
  if (ab !== undefined) return abSteps(ab);
  if (canary?.steps !== undefined) return complete(canary.steps.map(canaryStep));
  return [{ title: 'measure traffic', set: { weight: 0 }, wait: { kind: 'measure', ms: MEASURE_MS } }];
}

/**
 * @param ratePerS  Requests a second to the host, all versions together.
 * @param canaries  How many share the weights: each gets what it would get alone, as long as stable does not get less than one of them.
 */
export function rampSteps(ratePerS: number, warmupMs: number, canaries: number): readonly PlannedStep[] {
  const largest = canaries / (canaries + 1);
  const weights = [...new Set(automaticWeights(ratePerS).map((weight) => Math.round(Math.min(canaries * weight, largest) * FULL)))];
  const [first = FULL] = weights;
  const warmup = Math.round(WARMUP_WEIGHT * FULL);
  const steps: PlannedStep[] = [];
  if (warmupMs > 0 && first > warmup)
    steps.push({ title: `setWeight ${percent(warmup)} while it warms up`, set: { weight: warmup }, wait: { kind: 'time', ms: warmupMs } });
  for (const [index, weight] of weights.entries()) {
    const atLeastMs = index === weights.length - 1 ? LAST_ANALYSIS_MS : SHORTEST_ANALYSIS_MS;
    steps.push({ title: `setWeight ${percent(weight)}, analysis`, set: { weight }, wait: { kind: 'evidence', atLeastMs, timeoutMs: 0 } });
  }
  return complete(steps);
}

function canaryStep(step: RolloutStep): PlannedStep {
  if (step.setWeight !== undefined) return { title: `setWeight ${step.setWeight}`, set: { weight: toWeight(step.setWeight) } };
  if (step.pause !== undefined) return { title: pauseTitle(step.pause), wait: pauseWait(step.pause) };
  if (step.analysis !== undefined) return { title: 'analysis', wait: evidenceWait(step.analysis) };
  if (step.bake !== undefined) return { title: `bake ${step.bake.duration}`, wait: { kind: 'bake', ms: toMs(step.bake.duration) } };
  if (step.setMirrorRoute !== undefined) {
    const { percentage = 100, to } = step.setMirrorRoute;
    const title = `setMirrorRoute ${percentage}${to === undefined ? '' : ` to ${to}`}`;
    return { title, set: { mirror: percentage, ...(to === undefined ? {} : { mirrorTo: to }) } };
  }
  if (step.setHeaderRoute !== undefined) {
    const { name = COHORT, match, to } = step.setHeaderRoute;
    return {
      title: `setHeaderRoute ${name}${match === undefined ? ': none' : ''}${to === undefined ? '' : ` to ${to}`}`,
      set: { route: route(name, match, to) },
    };
  }
  return stageStep(step.stage ?? {});
}

function stageStep({ match, to, setWeight, pause, analysis }: NonNullable<RolloutStep['stage']>): PlannedStep {
  const wait = analysis === undefined ? pause && pauseWait(pause) : evidenceWait(analysis);
  const parts = [
    ...(match === undefined ? [] : [to === undefined ? 'cohort' : `cohort to ${to}`]),
    ...(setWeight === undefined ? [] : [`weight ${setWeight}`]),
    ...(analysis === undefined ? [] : ['analysis']),
    ...(pause === undefined ? [] : [pauseTitle(pause)]),
  ];
  return {
    title: `stage: ${parts.join(', ')}`,
    set: {
      ...(setWeight === undefined ? {} : { weight: toWeight(setWeight) }),
      ...(match === undefined ? {} : { route: route(COHORT, match, to) }),
    },
    ...(wait === undefined ? {} : { wait }),
  };
}

function blueGreenSteps({
  preview,
  approval,
  autoPromote = false,
  autoPromoteAfter,
  scaleDownDelay = SCALE_DOWN_DELAY,
}: BlueGreenStrategy): PlannedStep[] {
  const delayMs = toMs(scaleDownDelay);
  const pause: RolloutPause = {
    ...(autoPromoteAfter === undefined ? {} : { duration: autoPromoteAfter }),
    ...(approval === undefined ? {} : { approval }),
  };
  return [
    ...(preview === undefined ? [] : [{ title: 'preview', set: { route: route('preview', preview.match) } }]),
    ...(autoPromote && autoPromoteAfter === undefined ? [] : [{ title: pauseTitle(pause), wait: pauseWait(pause) }]),
    { title: 'switch', set: { weight: FULL } },
    ...(delayMs === 0 ? [] : [{ title: `bake ${scaleDownDelay}`, wait: { kind: 'bake' as const, ms: delayMs } }]),
  ];
}

function abSteps({ match, setWeight, duration, onEnd = 'pause' }: AbStrategy): readonly PlannedStep[] {
  const compare: PlannedStep = {
    title: `compare for ${duration}`,
    set: match === undefined ? { weight: toWeight(setWeight ?? 0) } : { route: route('audience', match) },
    wait: { kind: 'time', ms: toMs(duration) },
  };
  if (onEnd === 'rollback') return [compare, { title: 'end: back to stable', end: 'rollback' }];
  if (onEnd === 'promote') return [compare, { title: 'setWeight 100', set: { weight: FULL }, choose: 'proven' }];
  return complete([compare, { title: pauseTitle({}), wait: { kind: 'promotion' } }]);
}

/** Everybody is on the canary at the end. */
function complete(steps: readonly PlannedStep[]): readonly PlannedStep[] {
  const last = steps.findLast(({ set }) => set?.weight !== undefined)?.set?.weight;
  return last === FULL ? steps : [...steps, { title: 'setWeight 100', set: { weight: FULL } }];
}

function pauseWait({ duration, approval }: RolloutPause): StepWait {
  if (duration !== undefined) return { kind: 'time', ms: toMs(duration) };
  return { kind: 'promotion', ...(approval === undefined ? {} : { approval: approvalRule(approval) }) };
}

function pauseTitle({ duration, approval }: RolloutPause): string {
  if (duration !== undefined) return `pause ${duration}`;
  return approval === undefined ? 'pause until promoted' : 'pause until approved';
}

function evidenceWait({ atLeast, timeout }: NonNullable<RolloutStep['analysis']>): StepWait {
  return {
    kind: 'evidence',
    atLeastMs: atLeast === undefined ? SHORTEST_ANALYSIS_MS : toMs(atLeast),
    timeoutMs: timeout === undefined ? 0 : toMs(timeout),
  };
}

function route(name: string, match: readonly HeaderRouteMatch[] | undefined, to?: string): NonNullable<StepSettings['route']> {
  if (match === undefined) return { name };
  return {
    name,
    ...(to === undefined ? {} : { to }),
    match: match.map(({ headerName, headerValue }): HttpMatchRequest => ({ headers: { [headerName.toLowerCase()]: headerValue } })),
  };
}

function toWeight(percentage: number): number {
  return Math.round(percentage * 100);
}

/** `12.5` of 1250. */
export function percent(weight: number): number {
  return weight / 100;
}

/** Validation has let nothing else through. */
function toMs(duration: string): number {
  return parseDuration(duration) ?? 0;
}

export function deadlineMsOf({ deadline }: Pick<RolloutSpec, 'deadline'>): number | undefined {
  return deadline === undefined ? undefined : toMs(deadline);
}

/**
 * Of each candidate's comparison with stable. The risks are of the whole release, so the candidates share them (union bound: whatever the
 * comparisons have to do with each other, and they share stable's requests).
 *
 * @param steps     For the number of stages the evidence is planned for.
 * @param canaries  How many are compared.
 */
export function analysisSpecOf(
  analysis: RolloutAnalysis | undefined,
  byUser: boolean,
  steps: readonly PlannedStep[],
  canaries = 1,
): AnalysisSpec {
  const { errorTolerance, errorBudget, latencyTolerance, latencyBudget, warmup, relax } = analysis ?? {};
  const { rollbackRisk = DEFAULT_ANALYSIS.rollbackRisk, advanceRisk = DEFAULT_ANALYSIS.advanceRisk } = analysis ?? {};
  const stages = steps.filter(({ set }) => set?.weight !== undefined && set.weight > 0 && set.weight < FULL).length;
  return {
    ...DEFAULT_ANALYSIS,
    rollbackRisk: rollbackRisk / canaries,
    advanceRisk: advanceRisk / canaries,
    shareRisk: DEFAULT_ANALYSIS.shareRisk / canaries,
    ...(errorTolerance === undefined ? {} : { errorTolerance: { ...DEFAULT_ANALYSIS.errorTolerance, absolute: errorTolerance } }),
    ...(errorBudget === undefined ? {} : { errorBudget }),
    ...(latencyTolerance === undefined ? {} : { latencyTolerance }),
    ...(latencyBudget === undefined ? {} : { latencyBudget }),
    ...(warmup === undefined ? {} : { warmupMs: toMs(warmup) }),
    ...(relax === undefined ? {} : { patienceMs: relax === 'never' ? 0 : toMs(relax) }),
    plannedStages: Math.max(1, stages === 0 ? DEFAULT_ANALYSIS.plannedStages : stages),
    assignment: byUser ? 'user' : 'request',
  };
}

/** @param salt Another one for each release, so that it is not always the same users who go first. */
export function releaseAssignment(assignment: RolloutAssignment | undefined, salt: string): ReleaseAssignment | undefined {
  if (assignment === undefined || assignment.by === 'request') return undefined;
  const { header, cookie, setCookie, sourceAddress } = assignment;
  const maxAgeSeconds = Math.round((setCookie?.maxAge === undefined ? DEFAULT_COOKIE_AGE_MS : toMs(setCookie.maxAge)) / 1000);
  const keys: ReleaseKey[] = [
    ...(header === undefined ? [] : [{ kind: 'header' as const, name: header.toLowerCase() }]),
    ...(cookie === undefined ? [] : [{ kind: 'cookie' as const, name: cookie, ...(setCookie === undefined ? {} : { maxAgeSeconds }) }]),
    ...(sourceAddress === true ? [{ kind: 'sourceAddress' as const }] : []),
  ];
  return { salt, keys };
}
