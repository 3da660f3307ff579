/**
 * One metric of one release: from the answers of its provider to what has become of it. Pure.
 *
 * The counters are those of Argo Rollouts (analysis/analysis.go, read at 9f8d111d), cumulative, checked after every measurement, a later line of the
 * list over an earlier one:
 *
 *     failed > failureLimit                                 Failed         the release is taken back
 *     inconclusive > inconclusiveLimit                      Inconclusive   somebody has to decide
 *     errors in a row > consecutiveErrorLimit               Error          somebody has to decide
 *     successes in a row >= consecutiveSuccessLimit > 0     Successful
 *     measurements without an error >= count                Successful
 *
 * Where Serin differs, nothing passes that would not pass there: an empty answer and NaN are errors whatever the condition says of them, an error never
 * fails a release (there it ends the analysis, and the release with it), and a metric that asks for successes in a row has not got them by `count` alone.
 */
import type { MetricRules } from '../config/serin/metric-resolve.ts';

export type MeasurementPhase = 'Successful' | 'Failed' | 'Inconclusive' | 'Error';
/** Of a metric: `Running` until one of its limits is reached. */
export type MetricPhase = MeasurementPhase | 'Running';

export interface Measurement {
  readonly phase: MeasurementPhase;
  /** Epoch ms. */
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  /** The answer as JSON, cut short; absent where there was none. */
  readonly value?: string;
  /** Why it is no success, in words; empty for one. */
  readonly message: string;
}

export interface MetricRun {
  /** What it is a run of: `run.round`, with the analysis step where it begins anew with each of them. */
  readonly key: string;
  readonly fingerprint: string;
  readonly phase: MetricPhase;
  readonly successful: number;
  readonly failed: number;
  readonly inconclusive: number;
  readonly error: number;
  readonly consecutiveError: number;
  readonly consecutiveSuccess: number;
  /** The last ones, oldest first. */
  readonly measurements: readonly Measurement[];
}

/** As many as Argo Rollouts keeps. */
export const MAX_MEASUREMENTS = 10;

export function newRun(key: string, fingerprint: string): MetricRun {
  return {
    key,
    fingerprint,
    phase: 'Running',
    successful: 0,
    failed: 0,
    inconclusive: 0,
    error: 0,
    consecutiveError: 0,
    consecutiveSuccess: 0,
    measurements: [],
  };
}

/** The run after one more measurement; one that has ended stays as it is. */
export function measured(run: MetricRun, measurement: Measurement, rules: MetricRules): MetricRun {
  if (run.phase !== 'Running') return run;
  const { phase } = measurement;
  const counted: MetricRun = {
    ...run,
    successful: run.successful + (phase === 'Successful' ? 1 : 0),
    failed: run.failed + (phase === 'Failed' ? 1 : 0),
    inconclusive: run.inconclusive + (phase === 'Inconclusive' ? 1 : 0),
    error: run.error + (phase === 'Error' ? 1 : 0),
    consecutiveError: phase === 'Error' ? run.consecutiveError + 1 : 0,
    consecutiveSuccess: phase === 'Successful' ? run.consecutiveSuccess + 1 : 0,
    measurements: [...run.measurements, measurement].slice(-MAX_MEASUREMENTS),
  };
  return { ...counted, phase: assess(counted, rules) };
}

/** Measurements that count against `count`. */
export function countOf({ successful, failed, inconclusive }: MetricRun): number {
  return successful + failed + inconclusive;
}

function assess(run: MetricRun, rules: MetricRules): MetricPhase {
  const { count, consecutiveSuccessLimit } = rules;
  if (isAbove(run.consecutiveError, rules.consecutiveErrorLimit)) return 'Error';
  if (isAbove(run.inconclusive, rules.inconclusiveLimit)) return 'Inconclusive';
  if (isAbove(run.failed, rules.failureLimit)) return 'Failed';
  if (consecutiveSuccessLimit > 0 && run.consecutiveSuccess >= consecutiveSuccessLimit) return 'Successful';
  if (count === undefined || countOf(run) < count) return 'Running';
  return consecutiveSuccessLimit > 0 ? 'Inconclusive' : 'Successful';
}

/** -1: no limit. */
function isAbove(count: number, limit: number): boolean {
  return limit >= 0 && count > limit;
}
