/** Metrics and webhooks in the status of a Rollout; of metrics the members are those of Argo Rollouts' metricResults. */
import { conditionOf } from '../../../rollout/checks.ts';
import { countOf, type Measurement } from '../../../rollout/metric-run.ts';
import type { ShownChecks } from './release-checks.ts';

/** `status.metrics` and `status.webhooks`; neither where the Rollout has none. */
export function checksStatus({ metrics, webhooks }: ShownChecks): { readonly metrics?: object[]; readonly webhooks?: object[] } {
  return {
    ...(metrics.length === 0 ? {} : { metrics: metrics.map(metricObject) }),
    ...(webhooks.length === 0 ? {} : { webhooks: webhooks.map(webhookObject) }),
  };
}

function metricObject({ metric, run }: ShownChecks['metrics'][number]): object {
  const { name, template, dryRun, rules } = metric;
  const fixed = {
    name,
    ...(template === undefined ? {} : { template }),
    condition: conditionOf(metric),
    ...(dryRun ? { dryRun } : {}),
    ...(rules.count === undefined ? {} : { wantedCount: rules.count }),
  };
  if (run === undefined) return { ...fixed, phase: 'Pending', message: 'not measured yet', count: 0, measurements: [] };
  const { phase, successful, failed, inconclusive, error, consecutiveError, consecutiveSuccess, measurements } = run;
  return {
    ...fixed,
    phase,
    message: measurements.at(-1)?.message ?? 'not measured yet',
    count: countOf(run),
    successful,
    failed,
    inconclusive,
    error,
    consecutiveError,
    consecutiveSuccess,
    measurements: measurements.map(measurementObject),
  };
}

function measurementObject({ phase, value, message, startedAtMs, finishedAtMs }: Measurement): object {
  return {
    phase,
    ...(value === undefined ? {} : { value }),
    ...(message === '' ? {} : { message }),
    startedAt: new Date(startedAtMs).toISOString(),
    finishedAt: new Date(finishedAtMs).toISOString(),
  };
}

const PHASES = { asking: 'Asking', passed: 'Passed', refused: 'Refused', error: 'Error', unknown: 'Unknown' } as const;

function webhookObject({ webhook: { name, type }, run }: ShownChecks['webhooks'][number]): object {
  if (run === undefined) return { name, type, phase: 'Pending', message: 'not sent yet', attempts: 0 };
  const { phase, message, attempts, refusals, askedAtMs, key } = run;
  return { name, type, phase: PHASES[phase], message, attempts, refusals, askedAt: new Date(askedAtMs).toISOString(), decision: key };
}
