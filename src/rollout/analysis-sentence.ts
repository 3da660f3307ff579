/**
 * The verdict in words. Every sentence carries the numbers it rests on: how many requests, what effect, which interval.
 */
import { advanceEvidence, metricEvidence } from './analysis.ts';
import { isMetricCleared, isObservable, sufficientLevel } from './analysis-decision.ts';
import type { Ruling } from './analysis-decision.ts';
import { RELAX_LEVELS } from './analysis-spec.ts';
import { METRICS } from './analysis-state.ts';
import type { AnalysisState } from './analysis-state.ts';
import type { MetricReport } from './analysis-verdict.ts';
import { FAILURE_CLASSES } from './observation.ts';
import type { FailureClass } from './observation.ts';

const FAILURE_WORDS: Readonly<Record<FailureClass, string>> = {
  status5xx: '5xx answers',
  connect: 'refused connections',
  reset: 'broken connections',
  timeout: 'timeouts',
  grpc: 'gRPC errors',
  fallback: 'answers that stable had to give',
};

const METRIC_WORDS: Readonly<Record<MetricReport['name'], string>> = {
  errors: 'error rate',
  p50: 'p50 latency',
  p90: 'p90 latency',
  p99: 'p99 latency',
  latency: 'latency overall',
};

const METRIC_NAMES = ['errors', 'p50', 'p90', 'p99'] as const;

/** One metric, whatever the decision. */
export function metricSentence(report: Omit<MetricReport, 'sentence'>): string {
  const { name, n, effect } = report;
  const words = METRIC_WORDS[name];
  if (n.canary === 0) return `${words}: no canary requests, so nothing can be said`;
  if (n.stable === 0 || effect === undefined) return `${words}: no stable requests to compare ${count(n.canary)} canary requests with`;
  const ruledOut = report.ruledOut === undefined ? 'nothing is ruled out yet' : `${size(name, report.ruledOut)} is ruled out`;
  const reach = report.isObservable ? ruledOut : 'too little traffic to judge';
  return `${words}: ${compared(report)}; ${reach}`;
}

function compared(report: Omit<MetricReport, 'sentence'>): string {
  const { name, n, stable, canary, effect = 0, interval } = report;
  const range = interval === undefined ? '' : ` (95 % interval ${ends(interval.low, interval.high)})`;
  const change = `${signed(name, effect)}${range}`;
  if (name === 'errors') {
    return `canary ${percent(canary ?? 0)} of ${count(n.canary)} requests, stable ${percent(stable ?? 0)} of ${count(n.stable)}, difference ${change}`;
  }
  if (name === 'latency') return `canary against stable ${change} over ${count(n.canary)} and ${count(n.stable)} requests`;
  return `canary ${ms(canary ?? 0)} over ${count(n.canary)} requests, stable ${ms(stable ?? 0)} over ${count(n.stable)}, ${change}`;
}

/** The decision and its reason. */
export function reasonSentence(
  state: AnalysisState,
  { decision, cause }: Ruling,
  reports: readonly MetricReport[],
  etaMs: number | undefined,
): string {
  const { stage, spec } = state;
  const next = percent(stage.nextWeight);
  switch (cause) {
    case 'regression': {
      const worst = reports[strongest(state)] ?? reports[0];
      const kind = worst?.name === 'errors' ? mostly(state) : '';
      return worst === undefined
        ? 'rolled back: the canary is worse than tolerated'
        : `rolled back: ${METRIC_WORDS[worst.name]} is worse than tolerated: ${compared(worst)}${kind}; a good release is stopped in at most ${percent(spec.rollbackRisk)} of rollouts`;
    }
    case 'traffic': {
      const { canary, stable } = state;
      const share = percent(canary.requests / Math.max(1, canary.requests + stable.requests));
      const action = decision === 'rollback' ? 'rolled back' : 'on hold';
      return `${action}: the canary gets ${share} of ${count(canary.requests + stable.requests)} requests, which is not what its weight (now ${percent(stage.weight)}) says; something between the router and the counters loses or moves requests`;
    }
    case 'no-data':
      return stage.canaryRequests === 0
        ? `on hold: no canary requests since the weight was set to ${percent(stage.weight)}; without traffic a release neither passes nor fails`
        : `on hold: no canary requests for ${time(stage.silentMs)}; without traffic a release neither passes nor fails`;
    case 'undecided':
      return `on hold: undecided after ${time(state.elapsedMs - stage.beganMs)} at ${percent(stage.weight)}; ${missing(state, reports)}${concession(state)}`;
    case 'cleared': {
      const errors = reports[0];
      const seen = errors === undefined ? '' : `${METRIC_WORDS.errors}: ${compared(errors)}; `;
      return `safe to go to ${next}: ${ruledOut(state, reports)}; ${seen}chance of going on with a regression that large is at most ${percent(spec.advanceRisk)}`;
    }
    case 'minimum-time':
      return `holding at ${percent(stage.weight)}: ${time(stage.minimumMs - (state.elapsedMs - stage.beganMs))} of this step's minimum time left`;
    case 'suspicion': {
      const worst = reports[strongest(state)];
      return `holding at ${percent(stage.weight)}: the canary looks worse, without proof so far: ${worst === undefined ? '' : compared(worst)}`;
    }
    case 'gathering':
      return stage.number === 0
        ? 'waiting for the first step'
        : `gathering evidence at ${percent(stage.weight)}: ${missing(state, reports)}${concession(state)}${etaMs === undefined ? '' : `; about ${time(etaMs)} to go if the canary is as good as stable`}`;
  }
}

/** What a cleared step has proved, whatever it was asked for: the smallest regressions that are ruled out, and what nobody could judge. */
export function ruledOut(state: AnalysisState, reports: readonly MetricReport[]): string {
  const proved = reports.filter(({ name, isObservable: judged }) => judged && (name === 'errors' || name === 'latency'));
  const sizes = proved.flatMap((report) => (report.ruledOut === undefined ? [] : [size(report.name, report.ruledOut)]));
  const unseen = reports.filter(({ name, isObservable: judged }) => !judged && name !== 'latency').map(({ name }) => METRIC_WORDS[name]);
  return [
    `${sizes.join(' and ')} ${sizes.length === 1 ? 'is' : 'are'} ruled out${concession(state)}`,
    ...(unseen.length === 0 ? [] : [`${unseen.join(', ')}: too little traffic to judge`]),
  ].join('; ');
}

/** That more than the budget suffices, and why. */
function concession(state: AnalysisState): string {
  const parts = METRIC_NAMES.flatMap((name, metric) => {
    const times = RELAX_LEVELS[sufficientLevel(state, metric)] ?? 1;
    return times === 1 || !isObservable(state, metric) ? [] : [`${times} times for the ${METRIC_WORDS[name]}`];
  });
  if (parts.length === 0) return '';
  return ` (a multiple of the budget suffices: ${parts.join(', ')}; less would take longer than relax allows at this traffic)`;
}

/** Metric with the most evidence for a rollback. */
function strongest(state: AnalysisState): number {
  let best = 0;
  for (let metric = 1; metric < METRICS; metric++) if (metricEvidence(state, metric) > metricEvidence(state, best)) best = metric;
  return best;
}

/** What keeps the step from being cleared: the required metric with the least evidence. */
function missing(state: AnalysisState, reports: readonly MetricReport[]): string {
  const clearance = (metric: number): number => advanceEvidence(state, sufficientLevel(state, metric), metric);
  let least: number | undefined;
  for (let metric = 0; metric < METRICS; metric++) {
    if (!isObservable(state, metric) || isMetricCleared(state, metric)) continue;
    if (least === undefined || clearance(metric) < clearance(least)) least = metric;
  }
  const report = least === undefined ? undefined : reports[least];
  if (report === undefined) return 'every metric is cleared';
  return `${METRIC_WORDS[report.name]}: ${size(report.name, report.margin)} is not ruled out yet after ${count(report.n.canary)} canary requests`;
}

/** Names the most common kind of failure when it is most of them. */
function mostly(state: AnalysisState): string {
  const { byClass, failures } = state.canary;
  for (const [i, kind] of FAILURE_CLASSES.entries()) {
    if ((byClass[i] ?? 0) > failures / 2) return `, mostly ${FAILURE_WORDS[kind]}`;
  }
  return '';
}

function size(name: MetricReport['name'], value: number): string {
  return name === 'errors' ? `a rise of ${digits(100 * value)} points or more` : `being ${digits(100 * value)} % slower or more`;
}

function signed(name: MetricReport['name'], value: number): string {
  return `${number(value)} ${name === 'errors' ? 'points' : '%'}`;
}

function ends(low: number, high: number | undefined): string {
  if (low <= -1) return high === undefined ? 'unknown' : `up to ${number(high)}`;
  return high === undefined ? `from ${number(low)}` : `${number(low)} to ${number(high)}`;
}

/** Hundredths with their sign: points or percent. */
function number(value: number): string {
  return `${value < 0 ? '-' : '+'}${digits(100 * Math.abs(value))}`;
}

function percent(share: number): string {
  return `${digits(100 * share)} %`;
}

function ms(value: number): string {
  return value < 10_000 ? `${digits(value)} ms` : `${digits(value / 1000)} s`;
}

/** At most three figures, none of them after nothing but zeros. */
function digits(value: number): string {
  if (value >= 100) return count(Math.round(value));
  return String(Number(value.toPrecision(value < 1 ? 2 : 3)));
}

function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}

function time(value: number): string {
  const seconds = Math.max(0, Math.ceil(value / 1000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${digits(seconds / 3600)} h`;
}
