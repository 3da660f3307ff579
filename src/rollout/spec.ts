/**
 * From what a Rollout says to what is performed: a list of steps, each of which sets something, waits for something, or both. Pure.
 *
 * The list of a run is made once, when it starts, and kept in its state: a file that changes under way changes the next run, so no step is
 * skipped or done twice.
 */
import { parseDuration } from '../base/duration.ts';
import type { HeaderRoute, ReleaseAssignment, ReleaseKey } from '../config/release.ts';
import type { HttpMatchRequest } from '../config/resources.ts';
import type {
  AbStrategy,
  BlueGreenStrategy,
  HeaderRouteMatch,
  RolloutAnalysis,
  RolloutAssignment,
  RolloutSpec,
  RolloutStep,
} from '../config/serin/rollout-spec.ts';
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
}

export interface StepSettings {
  /** 0 to `FULL`. */
  readonly weight?: number;
  /** The cohort of this name; without `match` there is none any more. */
  readonly route?: { readonly name: string; readonly match?: HeaderRoute['match'] };
  /** Percentage; 0: none any more. */
  readonly mirror?: number;
}

export type StepWait =
  /** `bake` is the same after everybody has moved. */
  | { readonly kind: 'time' | 'bake'; readonly ms: number }
  | { readonly kind: 'promotion' }
  /** `timeoutMs` 0: for ever. */
  | { readonly kind: 'evidence'; readonly atLeastMs: number; readonly timeoutMs: number }
  /** How much traffic there is; the steps of the ramp follow from it (`rampSteps`). */
  | { readonly kind: 'measure'; readonly ms: number };

/** Leaks and late onsets take time to show, however many requests there are. */
const SHORTEST_ANALYSIS_MS = 60_000;
/** The last analysis stands for everybody. */
const LAST_ANALYSIS_MS = 180_000;
/** Long enough to tell ten requests a second from a hundred. */
const MEASURE_MS = 15_000;
const SCALE_DOWN_DELAY = '30s';
const DEFAULT_COOKIE_AGE_MS = 30 * 24 * 3_600_000;
const COHORT = 'cohort';

/** The steps a run of `spec` begins with; those of an automatic ramp follow once the traffic is known. The last weight is always `FULL`. */
export function plannedSteps(spec: Pick<RolloutSpec, 'strategy'>): readonly PlannedStep[] {
  const { canary, blueGreen, ab } = spec.strategy ?? {};
  if (blueGreen !== undefined) return complete(blueGreenSteps(blueGreen));
  if (ab !== undefined) return abSteps(ab);
  if (canary?.steps !== undefined) return complete(canary.steps.map(canaryStep));
  return [{ title: 'measure traffic', set: { weight: 0 }, wait: { kind: 'measure', ms: MEASURE_MS } }];
}

/** @param ratePerS Requests a second to the host, both versions together. */
export function rampSteps(ratePerS: number, warmupMs: number): readonly PlannedStep[] {
  const weights = automaticWeights(ratePerS).map((weight) => Math.max(1, Math.round(weight * FULL)));
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
  if (step.pause !== undefined) return { title: pauseTitle(step.pause.duration), wait: pauseWait(step.pause.duration) };
  if (step.analysis !== undefined) return { title: 'analysis', wait: evidenceWait(step.analysis) };
  if (step.bake !== undefined) return { title: `bake ${step.bake.duration}`, wait: { kind: 'bake', ms: toMs(step.bake.duration) } };
  if (step.setMirrorRoute !== undefined) {
    const { percentage = 100 } = step.setMirrorRoute;
    return { title: `setMirrorRoute ${percentage}`, set: { mirror: percentage } };
  }
  if (step.setHeaderRoute !== undefined) {
    const { name = COHORT, match } = step.setHeaderRoute;
    return { title: match === undefined ? `setHeaderRoute ${name}: none` : `setHeaderRoute ${name}`, set: { route: route(name, match) } };
  }
  return stageStep(step.stage ?? {});
}

function stageStep({ match, setWeight, pause, analysis }: NonNullable<RolloutStep['stage']>): PlannedStep {
  const wait = analysis === undefined ? pause && pauseWait(pause.duration) : evidenceWait(analysis);
  const parts = [
    ...(match === undefined ? [] : ['cohort']),
    ...(setWeight === undefined ? [] : [`weight ${setWeight}`]),
    ...(analysis === undefined ? [] : ['analysis']),
    ...(pause === undefined ? [] : [pauseTitle(pause.duration)]),
  ];
  return {
    title: `stage: ${parts.join(', ')}`,
    set: {
      ...(setWeight === undefined ? {} : { weight: toWeight(setWeight) }),
      ...(match === undefined ? {} : { route: route(COHORT, match) }),
    },
    ...(wait === undefined ? {} : { wait }),
  };
}

function blueGreenSteps({
  preview,
  autoPromote = false,
  autoPromoteAfter,
  scaleDownDelay = SCALE_DOWN_DELAY,
}: BlueGreenStrategy): PlannedStep[] {
  const delayMs = toMs(scaleDownDelay);
  return [
    ...(preview === undefined ? [] : [{ title: 'preview', set: { route: route('preview', preview.match) } }]),
    ...(autoPromote && autoPromoteAfter === undefined ? [] : [{ title: pauseTitle(autoPromoteAfter), wait: pauseWait(autoPromoteAfter) }]),
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
  return complete(onEnd === 'promote' ? [compare] : [compare, { title: pauseTitle(undefined), wait: { kind: 'promotion' } }]);
}

/** Everybody is on the canary at the end. */
function complete(steps: readonly PlannedStep[]): readonly PlannedStep[] {
  const last = steps.findLast(({ set }) => set?.weight !== undefined)?.set?.weight;
  return last === FULL ? steps : [...steps, { title: 'setWeight 100', set: { weight: FULL } }];
}

function pauseWait(duration: string | undefined): StepWait {
  return duration === undefined ? { kind: 'promotion' } : { kind: 'time', ms: toMs(duration) };
}

function pauseTitle(duration: string | undefined): string {
  return duration === undefined ? 'pause until promoted' : `pause ${duration}`;
}

function evidenceWait({ atLeast, timeout }: NonNullable<RolloutStep['analysis']>): StepWait {
  return {
    kind: 'evidence',
    atLeastMs: atLeast === undefined ? SHORTEST_ANALYSIS_MS : toMs(atLeast),
    timeoutMs: timeout === undefined ? 0 : toMs(timeout),
  };
}

function route(name: string, match: readonly HeaderRouteMatch[] | undefined): NonNullable<StepSettings['route']> {
  if (match === undefined) return { name };
  return {
    name,
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

/** @param steps For the number of stages the evidence is planned for. */
export function analysisSpecOf(analysis: RolloutAnalysis | undefined, byUser: boolean, steps: readonly PlannedStep[]): AnalysisSpec {
  const { rollbackRisk, advanceRisk, errorTolerance, errorBudget, latencyTolerance, latencyBudget, warmup } = analysis ?? {};
  const stages = steps.filter(({ set }) => set?.weight !== undefined && set.weight > 0 && set.weight < FULL).length;
  return {
    ...DEFAULT_ANALYSIS,
    ...(rollbackRisk === undefined ? {} : { rollbackRisk }),
    ...(advanceRisk === undefined ? {} : { advanceRisk }),
    ...(errorTolerance === undefined ? {} : { errorTolerance: { ...DEFAULT_ANALYSIS.errorTolerance, absolute: errorTolerance } }),
    ...(errorBudget === undefined ? {} : { errorBudget }),
    ...(latencyTolerance === undefined ? {} : { latencyTolerance }),
    ...(latencyBudget === undefined ? {} : { latencyBudget }),
    ...(warmup === undefined ? {} : { warmupMs: toMs(warmup) }),
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
