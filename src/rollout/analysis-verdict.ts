/**
 * The verdict for people and machines: the decision, and for each metric how many requests, what effect with which interval, what is ruled out.
 *
 * Effects and intervals describe; the decision rests on the evidence alone (analysis-decision.ts).
 */
import { growthPerRequest } from '../stats/label-bet.ts';
import { addStratum, riskDifference } from '../stats/risk-difference.ts';
import type { Estimate } from '../stats/risk-difference.ts';
import { bucketMiddleMs, BUCKETS } from '../telemetry/histogram.ts';
import { trafficPerS } from './analysis-baseline.ts';
import { errorMargin, latencyMargin } from './analysis-bets.ts';
import { certifiedLevel, decide, isMetricCleared, isObservable, sufficientLevel } from './analysis-decision.ts';
import type { Cause, Decision } from './analysis-decision.ts';
import { metricSentence, reasonSentence, ruledOut } from './analysis-sentence.ts';
import { QUANTILES } from './analysis-spec.ts';
import { advanceFrom, METRICS } from './analysis-state.ts';
import type { AnalysisState } from './analysis-state.ts';
import { advanceEvidence, metricEvidence, mismatchEvidence, rollbackEvidence } from './analysis.ts';

type MetricName = 'errors' | 'p50' | 'p90' | 'p99' | 'latency';

interface Interval {
  /** -1 while the data set no lower end to a slowdown. */
  readonly low: number;
  /** Undefined while the data set no upper end. */
  readonly high: number | undefined;
}

export interface MetricReport {
  readonly name: MetricName;
  /** Requests compared: errors since the start, latency in this stage (without failures and warm-up). */
  readonly n: { readonly stable: number; readonly canary: number };
  /** Failing share in [0, 1], or the quantile in ms. */
  readonly stable: number | undefined;
  readonly canary: number | undefined;
  /** Errors: difference of failing shares, stratified. Latency: how many times as slow, minus 1. Undefined without data on both sides. */
  readonly effect: number | undefined;
  /** Of the effect; holds at every look, at 95 %, under the assumptions of risk-difference.ts. */
  readonly interval: Interval | undefined;
  /** Regression that must be ruled out before the next weight, in units of the effect. The larger, the less traffic there is. */
  readonly margin: number;
  /** Smallest regression that has been ruled out in this stage. */
  readonly ruledOut: number | undefined;
  /** E-value against "within tolerance". */
  readonly evidence: number;
  /** E-value against "worse by the margin"; enough at `1 / advanceRisk`. */
  readonly clearance: number;
  /** Whether the metric has a say in going on: there is too little traffic to see some quantiles. */
  readonly isObservable: boolean;
  readonly sentence: string;
}

export interface Verdict {
  readonly decision: Decision;
  readonly cause: Cause;
  readonly metrics: readonly MetricReport[];
  /** E-value of all metrics together; a rollback at `rollbackAt`. */
  readonly evidence: number;
  readonly rollbackAt: number;
  /** Always-valid p-value of "within tolerance": the largest evidence so far, inverted. */
  readonly pValue: number;
  /** E-value against the canary getting the share its weight promises. */
  readonly shareEvidence: number;
  /** Time until the margin is likely to be ruled out if the canary is as good as stable; undefined when nothing can be said. */
  readonly etaMs: number | undefined;
  /** One sentence: what and why. */
  readonly reason: string;
  /** Of a safe decision: what it has proved, a part of a sentence. */
  readonly proved?: string;
}

/** Chance that an interval shown ever misses. */
const INTERVAL_LEVEL = 0.05;
/** Canary requests at which a latency interval is narrowest. */
const EXPECTED_REQUESTS = 500;
const QUANTILE_NAMES = ['p50', 'p90', 'p99'] as const;

export function verdict(state: AnalysisState): Verdict {
  const ruling = decide(state);
  const metrics = [errorReport(state), ...QUANTILE_NAMES.map((name, i) => quantileReport(state, name, i))];
  const common = commonShift(metrics.slice(1));
  const reports = [...metrics, common].map((report) => ({ ...report, sentence: metricSentence(report) }));
  const etaMs = ruling.decision === 'continue' ? eta(state) : undefined;
  const evidence = expCapped(rollbackEvidence(state));
  const rollbackAt = 1 / state.spec.rollbackRisk;
  return {
    ...ruling,
    metrics: reports,
    evidence,
    rollbackAt,
    pValue: Math.min(1, Math.exp(-state.rollback.peak)),
    shareEvidence: expCapped(mismatchEvidence(state)),
    etaMs,
    reason: reasonSentence(state, ruling, reports, etaMs),
    ...(ruling.decision === 'safe' ? { proved: ruledOut(state, reports) } : {}),
  };
}

type Draft = Omit<MetricReport, 'sentence'>;

function errorReport(state: AnalysisState): Draft {
  const { stable, canary, stage, spec, errors } = state;
  const level = certifiedLevel(state, 0);
  const found = errors.expectedVariance > 0 ? riskDifference(withOpenStratum(state), INTERVAL_LEVEL, errors.expectedVariance) : undefined;
  const nextWeight = stage.nextWeight > 0 ? stage.nextWeight : 1;
  return {
    name: 'errors',
    n: { stable: stable.requests, canary: canary.requests },
    stable: stable.requests > 0 ? stable.failures / stable.requests : undefined,
    canary: canary.requests > 0 ? canary.failures / canary.requests : undefined,
    effect: found?.effect,
    interval: found === undefined ? undefined : { low: found.low, high: found.high },
    margin: errorMargin(spec, nextWeight, sufficientLevel(state, 0)),
    ruledOut: level === undefined || stage.number === 0 ? undefined : errorMargin(spec, nextWeight, level),
    evidence: expCapped(metricEvidence(state, 0)),
    clearance: expCapped(advanceEvidence(state, sufficientLevel(state, 0), 0)),
    isObservable: true,
  };
}

/** The estimate's sums with the stratum that is still open, without closing it. */
function withOpenStratum(state: AnalysisState): { difference: number; weight: number; variance: number } {
  const { errors, open } = state;
  const sums = { difference: errors.difference, weight: errors.weight, variance: errors.variance };
  addStratum(sums, open.canary, open.canaryFailures, open.stable, open.stableFailures);
  return sums;
}

function quantileReport(state: AnalysisState, name: 'p50' | 'p90' | 'p99', index: number): Draft {
  const { stage, spec } = state;
  const metric = 1 + index;
  const quantile = QUANTILES[index] ?? 0.5;
  const level = certifiedLevel(state, metric);
  const stable = cumulative(stage.stableLatency);
  const canary = cumulative(stage.canaryLatency);
  const nextWeight = stage.nextWeight > 0 ? stage.nextWeight : 1;
  const stableMs = msAt(stable, quantile);
  const canaryMs = msAt(canary, quantile);
  return {
    name,
    n: { stable: stable.total, canary: canary.total },
    stable: stableMs,
    canary: canaryMs,
    effect: stableMs === undefined || canaryMs === undefined ? undefined : canaryMs / stableMs - 1,
    interval: slowdownInterval(stable, canary, quantile),
    margin: latencyMargin(spec, nextWeight, sufficientLevel(state, metric)) - 1,
    ruledOut: level === undefined || stage.number === 0 ? undefined : latencyMargin(spec, nextWeight, level) - 1,
    evidence: expCapped(metricEvidence(state, metric)),
    clearance: expCapped(advanceEvidence(state, sufficientLevel(state, metric), metric)),
    isObservable: isObservable(state, metric),
  };
}

/** Latency as a whole: the slowdown all quantiles agree on, if they do. */
function commonShift(quantiles: readonly Draft[]): Draft {
  const effects = quantiles.flatMap(({ effect }) => (effect === undefined ? [] : [Math.log1p(effect)]));
  const intervals = quantiles.flatMap(({ interval }) => (interval === undefined ? [] : [interval]));
  const low = Math.max(...intervals.map((each) => each.low));
  const high = Math.min(...intervals.map((each) => each.high ?? Number.POSITIVE_INFINITY));
  const judged = quantiles.filter((each) => each.isObservable);
  const ruledOut = judged.map((each) => each.ruledOut);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    name: 'latency',
    n: quantiles[0]?.n ?? { stable: 0, canary: 0 },
    stable: undefined,
    canary: undefined,
    effect: effects.length === 0 ? undefined : Math.expm1(mean(effects)),
    interval: intervals.length === 0 || low > high ? undefined : { low, high: Number.isFinite(high) ? high : undefined },
    margin: Math.max(...quantiles.map((each) => each.margin)),
    ruledOut: ruledOut.length === 0 || ruledOut.includes(undefined) ? undefined : Math.max(...ruledOut.map((each) => each ?? 0)),
    evidence: mean(quantiles.map((each) => each.evidence)),
    clearance: Math.min(...judged.map((each) => each.clearance)),
    isObservable: judged.length > 0,
  };
}

interface Cumulative {
  readonly total: number;
  /** Counts up to and including each bucket. */
  readonly upTo: Float64Array;
}

function cumulative(histogram: Float64Array): Cumulative {
  const upTo = new Float64Array(BUCKETS);
  let total = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    total += histogram[bucket] ?? 0;
    upTo[bucket] = total;
  }
  return { total, upTo };
}

/** Quantile at any rank in (0, 1]; undefined outside, and without data. */
function msAt({ total, upTo }: Cumulative, rank: number): number | undefined {
  if (total === 0 || rank > 1) return undefined;
  const wanted = Math.max(1, Math.ceil(rank * total));
  let low = 0;
  let high = BUCKETS - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((upTo[middle] ?? 0) >= wanted) high = middle;
    else low = middle + 1;
  }
  return bucketMiddleMs(low);
}

/**
 * Slowdowns the data do not contradict: factors f for which the canary exceeds f times stable's quantile about as often as stable exceeds the
 * quantile itself, by the always-valid interval of the difference (risk-difference.ts). All of one stage, so one stratum.
 */
function slowdownInterval(stable: Cumulative, canary: Cumulative, quantile: number): Interval | undefined {
  const stableMs = msAt(stable, quantile);
  if (stableMs === undefined || canary.total === 0) return undefined;
  const stableSlow = stable.total - Math.max(1, Math.ceil(quantile * stable.total));
  const expectedVariance = EXPECTED_REQUESTS * quantile * (1 - quantile);
  const difference = (bucket: number): Estimate | undefined => {
    const sums = { difference: 0, weight: 0, variance: 0 };
    addStratum(sums, canary.total, canary.total - (canary.upTo[bucket] ?? 0), stable.total, stableSlow);
    return riskDifference(sums, INTERVAL_LEVEL / QUANTILES.length, expectedVariance);
  };
  // The canary's excess falls with the bucket; the ends are where it stops being surely above 0, and starts being surely below.
  const low = firstBucket((bucket) => (difference(bucket)?.low ?? 0) <= 0);
  const high = firstBucket((bucket) => (difference(bucket)?.high ?? 0) < 0);
  return {
    low: low === 0 ? -1 : bucketMiddleMs(low) / stableMs - 1,
    high: high === BUCKETS ? undefined : bucketMiddleMs(high) / stableMs - 1,
  };
}

/** First bucket for which a condition that stays true holds; BUCKETS when none. */
function firstBucket(holds: (bucket: number) => boolean): number {
  let low = 0;
  let high = BUCKETS;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Missing nats of the slowest metric over what its bet gains if the canary is as good as stable. */
function eta(state: AnalysisState): number | undefined {
  const { stage, plan, spec } = state;
  const perMs = trafficPerS(state.baseline) / 1000;
  if (stage.number === 0 || plan.weight !== stage.weight || perMs <= 0) return undefined;
  const enough = Math.log(1 / spec.advanceRisk);
  let requests = 0;
  for (let metric = 0; metric < METRICS; metric++) {
    if (!isObservable(state, metric) || isMetricCleared(state, metric)) continue;
    const level = sufficientLevel(state, metric);
    const at = 4 * advanceFrom(level, metric);
    const [canaryBad = 0, canaryGood = 0, stableBad = 0, stableGood = 0] = state.advance.bets.subarray(at, at + 4);
    const gain = growthPerRequest([canaryBad, canaryGood, stableBad, stableGood], stage.weight);
    if (!(gain > 0)) return undefined;
    // Half of the stake is on the other alternative.
    requests = Math.max(requests, (enough + Math.LN2 - advanceEvidence(state, level, metric)) / gain);
  }
  const byEvidence = Math.max(0, requests) / perMs;
  return Math.max(byEvidence, stage.minimumMs - (state.elapsedMs - stage.beganMs), 0);
}

/** E-values are shown, so they may be cut off where nobody reads on; inside they stay logarithms. */
function expCapped(log: number): number {
  return Math.exp(Math.min(log, 690));
}
