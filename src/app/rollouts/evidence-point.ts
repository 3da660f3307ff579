/**
 * One moment of a run's evidence, as the API shows it and as it is kept: five digits of each number in an array, a third as long as the object with its names.
 */
import type { Evidence, EvidenceMetric, EvidencePoint } from '../../admin/live-types.ts';
import { canaryWeight, type RolloutState } from '../../rollout/state.ts';
import { FULL, percent } from '../../rollout/spec.ts';
import { sharesOf } from '../../rollout/race.ts';
import type { Verdict } from '../../rollout/analysis-verdict.ts';
import type { Comparisons } from './comparisons.ts';

const UNITS = { errors: 'ratio', p50: 'ms', p90: 'ms', p99: 'ms', latency: 'factor' } as const;
const NAMES = ['errors', 'p50', 'p90', 'p99', 'latency'] as const;

type Metric = Verdict['metrics'][number];
/** nStable, nCanary, stable, canary, effect, low, high, margin. */
type MetricRow = readonly (number | null)[];
type CandidateRow = readonly [subset: string, evidence: number, rollbackAt: number, metrics: readonly MetricRow[]];
type PointRow = readonly [
  atMs: number,
  elapsedMs: number,
  step: number,
  weights: readonly (readonly [string, number])[],
  candidates: readonly CandidateRow[],
];

/** @returns Text without a line break; undefined while there is nothing to compare. */
export function evidencePointText(state: RolloutState, comparisons: Comparisons, nowMs: number): string | undefined {
  const { active, canaries, stable } = state;
  const candidates = canaries.flatMap((subset): CandidateRow[] => {
    const analyst = comparisons.of(subset);
    if (analyst === undefined) return [];
    const { evidence, rollbackAt, metrics } = analyst.verdict();
    const rows = NAMES.map((name) => rowOf(metrics.find((metric) => metric.name === name)));
    return [[subset, short(evidence), rollbackAt, rows]];
  });
  if (active === undefined || candidates.length === 0) return undefined;
  const weight = canaryWeight(state);
  const weights = Object.entries({ [stable]: FULL - weight, ...sharesOf(state, weight) }).map(
    ([subset, share]) => [subset, percent(share)] as const,
  );
  return JSON.stringify([nowMs, Math.round(active.activeMs), active.step, weights, candidates] satisfies PointRow);
}

/** @param text As `evidencePointText` made it. */
function evidencePoint(text: string): EvidencePoint {
  const [atMs, elapsedMs, stepIndex, weights, candidates] = JSON.parse(text) as PointRow;
  return {
    at: new Date(atMs).toISOString(),
    elapsedSeconds: Math.floor(elapsedMs / 1000),
    stepIndex,
    weights: Object.fromEntries(weights),
    candidates: Object.fromEntries(
      candidates.map(([subset, evidence, rollbackAt, rows]) => [
        subset,
        { evidence, rollbackAt, metrics: rows.map((row, index) => metricOf(NAMES[index] ?? 'errors', row)) },
      ]),
    ),
  };
}

/** @param latest Of this moment, beside those that are kept. */
export function evidenceOfRun(run: number, texts: readonly string[], latest: string | undefined): Evidence {
  const points = [...texts, ...(latest === undefined ? [] : [latest])].map(evidencePoint);
  const margins: Record<string, number | null> = Object.fromEntries(NAMES.map((name) => [name, null]));
  for (const { metrics } of Object.values(points.at(-1)?.candidates ?? {}))
    for (const { name, margin } of metrics) margins[name] = Math.max(margins[name] ?? margin, margin);
  return { run, margins, points };
}

function rowOf(metric: Metric | undefined): MetricRow {
  const { n, stable, canary, effect, interval, margin } = metric ?? {};
  return [
    n?.stable ?? 0,
    n?.canary ?? 0,
    ...[stable, canary, effect, interval?.low, interval?.high, margin].map((value) => (value === undefined ? null : short(value))),
  ];
}

function metricOf(name: EvidenceMetric['name'], row: MetricRow): EvidenceMetric {
  const [stableRequests, canaryRequests, stable = null, canary = null, effect = null, low = null, high = null, margin] = row;
  return {
    name,
    unit: UNITS[name],
    n: { stable: stableRequests ?? 0, canary: canaryRequests ?? 0 },
    stable,
    canary,
    effect,
    low,
    high,
    margin: margin ?? 0,
  };
}

function short(value: number): number {
  return Number(value.toPrecision(5));
}
