/** The new version against stable over time: for each metric the difference, the range it is in at 95 % whenever one looks, and the margin that has to be ruled out. */
import type { JSX } from 'preact';
import { useMemo, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import type { Evidence, EvidencePoint } from '../../../src/admin/live-types.ts';
import { segment } from '../data/api.ts';
import { connection } from '../data/events.ts';
import { NONE, percent, percentOf100 } from '../data/format.ts';
import { color, palette } from '../data/theme.ts';
import type { Analysis, Metric, Rollout } from '../data/types.ts';
import { Chart, type ChartSeries } from './chart.tsx';
import { useAnswer } from './use-answer.ts';

const NEW_POINT_MS = 1000;

/** The evidence of the run so far as Serin kept it, and what the stream has brought since. */
export function useEvidence(rollout: Rollout): readonly EvidencePoint[] {
  const { metadata, status } = rollout;
  const path = `/api/v1/rollouts/${segment(metadata.namespace)}/${segment(metadata.name)}/evidence`;
  const { value } = useAnswer<Evidence>(path, `${status.run} ${connection.value.state}`);
  const since = useRef<{ run: number; points: EvidencePoint[] }>({ run: -1, points: [] });
  if (since.current.run !== status.run) since.current = { run: status.run, points: [] };
  const point = pointOf(rollout);
  const { points } = since.current;
  const last = points.at(-1);
  if (point !== undefined && (last === undefined || Date.parse(point.at) - Date.parse(last.at) >= NEW_POINT_MS)) points.push(point);
  const kept = value?.run === status.run ? value.points : [];
  const lastKept = kept.at(-1)?.at ?? '';
  const length = points.length;
  return useMemo(() => [...kept, ...points.filter(({ at }) => at > lastKept)], [kept, lastKept, length, status.run]);
}

/** Now, as a point; undefined while nothing is compared. */
function pointOf({ status }: Rollout): EvidencePoint | undefined {
  const all: (readonly [string, Analysis])[] =
    status.analysis === undefined
      ? (status.candidates ?? []).flatMap(({ subset, analysis }) => (analysis === undefined ? [] : [[subset, analysis] as const]))
      : [[status.canary ?? '', status.analysis]];
  if (all.length === 0 || status.elapsedSeconds === undefined) return undefined;
  return {
    at: new Date().toISOString(),
    elapsedSeconds: status.elapsedSeconds,
    stepIndex: status.currentStepIndex ?? -1,
    weights: status.weights ?? {},
    candidates: Object.fromEntries(
      all.map(([subset, { evidence, rollbackAt, metrics }]) => [
        subset,
        {
          evidence,
          rollbackAt,
          metrics: metrics.map((metric) => ({
            name: metric.name,
            unit: metric.name === 'errors' ? ('ratio' as const) : ('factor' as const),
            n: metric.n,
            stable: metric.stable ?? null,
            canary: metric.canary ?? null,
            effect: metric.effect ?? null,
            low: metric.interval?.low ?? null,
            high: metric.interval?.high ?? null,
            margin: metric.margin,
          })),
        },
      ]),
    ),
  };
}

const TITLES: Readonly<Record<Metric['name'], string>> = {
  errors: 'Error rate',
  p50: 'Median latency',
  p90: '90th percentile',
  p99: '99th percentile',
  latency: 'Latency overall',
};

interface EvidenceChartsProps {
  readonly subset: string;
  readonly analysis: Analysis;
  readonly evidence: readonly EvidencePoint[];
}

export function EvidenceCharts({ subset, analysis, evidence }: EvidenceChartsProps): JSX.Element {
  const { decision, reason, evidence: eValue, rollbackAt } = analysis;
  return (
    <div class="evidence">
      <p class={`verdict ${decision ?? ''}`}>
        <b>{subset}</b>: {reason}
      </p>
      <p class="meter">
        <span id={`proof-${subset}`}>Proof of harm</span>
        <meter min={0} max={1} low={0.5} high={0.9} optimum={0} value={proofOf(eValue, rollbackAt)} aria-labelledby={`proof-${subset}`} />
        <span class="sub">
          e-value {eValue.toPrecision(3)}; the release is rolled back at {rollbackAt}
        </span>
      </p>
      <p class="sub">
        Lines are the difference to stable, in the range it is in (95 %, whenever one looks); dashed is the regression that has to be ruled
        out before the next weight.
      </p>
      <div class="charts">
        {analysis.metrics.map((metric) => (
          <MetricChart key={metric.name} subset={subset} metric={metric} evidence={evidence} />
        ))}
      </div>
    </div>
  );
}

/** Of the way from no evidence to a rollback, on the scale on which evidence adds up. */
function proofOf(eValue: number, rollbackAt: number): number {
  return eValue <= 1 ? 0 : Math.min(1, Math.log(eValue) / Math.log(rollbackAt));
}

function MetricChart({
  subset,
  metric,
  evidence,
}: {
  readonly subset: string;
  readonly metric: Metric;
  readonly evidence: readonly EvidencePoint[];
}): JSX.Element {
  const colours = palette.value;
  const { data, hasData } = useMemo(() => {
    const own = evidence.map(({ candidates }) => candidates[subset]?.metrics.find(({ name }) => name === metric.name));
    const columns: uPlot.AlignedData = [
      evidence.map(({ at }) => Date.parse(at) / 1000),
      // What is open at one end reaches to the edge of the picture.
      own.map((point) => (point === undefined || point.low === null ? null : (point.high ?? OPEN))),
      own.map((point) => point?.low ?? null),
      own.map((point) => point?.effect ?? null),
      own.map((point) => point?.margin ?? null),
      evidence.map(() => 0),
    ];
    return { data: columns, hasData: own.some((point) => point?.effect !== undefined && point.effect !== null) };
  }, [evidence, subset, metric.name]);
  const series = useMemo(
    (): ChartSeries[] => [
      { label: 'upper', stroke: color('canary-line'), width: 1, points: { show: false } },
      { label: 'lower', stroke: color('canary-line'), width: 1, points: { show: false } },
      { label: 'difference', stroke: color('canary-ink'), width: 2, points: { show: false } },
      { label: 'margin', stroke: color('bad'), width: 1.5, dash: [6, 4], points: { show: false } },
      { label: 'none', stroke: color('muted'), width: 1, points: { show: false } },
    ],
    [colours],
  );
  const isRatio = metric.name === 'errors';
  return (
    <figure>
      <figcaption>
        {TITLES[metric.name]}{' '}
        <span>
          {signed(metric.effect, isRatio)}{' '}
          {metric.interval !== undefined && `[${signed(metric.interval.low, isRatio)}, ${signed(metric.interval.high, isRatio)}]`}
        </span>
      </figcaption>
      {hasData ? (
        <Chart
          label={`${TITLES[metric.name]}: ${metric.sentence}`}
          data={data}
          series={series}
          bands={[{ series: [1, 2], fill: color('canary-band') }]}
          format={(value) => (value >= OPEN ? 'open' : signed(value, isRatio))}
          range={(min, max) => inSight(min, max, data, isRatio)}
        />
      ) : (
        <p class="sub">no data yet</p>
      )}
      <p class="sub">{metric.sentence}</p>
    </figure>
  );
}

/** Stands for an upper end that the data do not set yet: beyond every picture. */
const OPEN = 1e6;

/** Around the difference and the margin; intervals that are wide at the beginning do not make everything else a flat line. */
function inSight(min: number, max: number, [, , , effects, margins]: uPlot.AlignedData, isRatio: boolean): [number, number] {
  const numbers = [...(effects ?? []), ...(margins ?? [])].filter((value): value is number => typeof value === 'number' && value < OPEN);
  const most = Math.max(isRatio ? 0.01 : 0.05, ...numbers.map(Math.abs));
  return [Math.max(min, -most * 1.6), Math.min(max, most * 1.6)].map((end) => (end === 0 ? most * 0.1 : end)) as [number, number];
}

function signed(value: number | undefined, isRatio: boolean): string {
  if (value === undefined) return isRatio ? NONE : 'open';
  const text = percent(Math.abs(value)).replace(' %', isRatio ? ' pt' : ' %');
  return `${value < 0 ? '−' : '+'}${text}`;
}

const stepped = uPlot.paths.stepped?.({ align: 1 });

/** What the new version got, with the decisions as vertical lines. */
export function WeightChart({
  rollout,
  evidence,
}: {
  readonly rollout: Rollout;
  readonly evidence: readonly EvidencePoint[];
}): JSX.Element | null {
  const { status } = rollout;
  const colours = palette.value;
  const decisions = status.decisions.filter(({ run }) => run === status.run);
  const points = useMemo(() => {
    // Decisions say when the weight changed, the points what it was in between and is now.
    const weights = [
      ...decisions.map(({ at, canaryPercent }) => [Date.parse(at) / 1000, canaryPercent] as const),
      ...evidence.map(({ at, weights: then }) => [Date.parse(at) / 1000, sumOfOthers(then, status.stable)] as const),
    ].sort(([a], [b]) => a - b);
    return [weights.map(([at]) => at), weights.map(([, weight]) => weight)] satisfies uPlot.AlignedData;
  }, [evidence, decisions.length]);
  const series = useMemo(
    (): ChartSeries[] => [
      {
        label: 'new version',
        stroke: color('canary-line'),
        fill: color('canary-band'),
        width: 2,
        points: { show: false },
        ...(stepped === undefined ? {} : { paths: stepped }),
      },
    ],
    [colours],
  );
  if (points[0].length < 2) return null;
  return (
    <section>
      <h2>Weight</h2>
      <Chart
        label={`Share of the new version over time, now ${percentOf100(points[1].at(-1))}`}
        height={140}
        data={points}
        series={series}
        format={percentOf100}
        range={() => [0, 100]}
        marks={decisions.map(({ at }) => Date.parse(at) / 1000)}
      />
    </section>
  );
}

function sumOfOthers(weights: Readonly<Record<string, number>>, stable: string): number {
  return Object.entries(weights).reduce((sum, [subset, weight]) => (subset === stable ? sum : sum + weight), 0);
}
