/**
 * What metrics and webhooks say of a release, put together for plan.ts. Pure: from what has been measured and answered so far to what may happen.
 *
 * 1. A metric that has failed, or an outside order, takes the release back, in any phase of it.
 * 2. A metric that has ended undecided holds it until somebody decides.
 * 3. Nothing grows while the newest measurement of a metric is no success; an analysis step is passed only when every metric is successful.
 * 4. A gate is asked when everything else agrees, and a yes is for the step it was asked for.
 *
 * Metrics with `dryRun` are shown, and decide nothing.
 */
import type { Metric } from '../config/serin/metric-resolve.ts';
import type { WebhookSpec, WebhookType } from '../config/serin/metric-spec.ts';
import { countOf, type Measurement, type MetricRun } from './metric-run.ts';
import { FULL } from './spec.ts';
import type { ActiveRun, RolloutState } from './state.ts';

/** What plan.ts acts on. Each is a sentence for people; absent where there is nothing to say. */
export interface Checks {
  /** The release is taken back. */
  readonly harm?: ChecksFinding;
  /** Somebody has to decide. */
  readonly undecided?: ChecksFinding;
  /** Nothing grows for now. */
  readonly doubt?: string;
  /** The analysis step is not passed yet. */
  readonly unproved?: string;
  /** The next step is not confirmed yet. */
  readonly unconfirmed?: string;
}

export interface ChecksFinding {
  readonly message: string;
  readonly evidence: Readonly<Record<string, unknown>>;
}

/** A webhook that was asked, or told something. */
export interface WebhookRun {
  /** The decision it was asked for. */
  readonly key: string;
  /**
   * `asking`: written down before it is sent, not answered yet. `unknown`: Serin ended in between, or no answer came although it may have arrived; it is
   * not sent again by itself. `error`: it did not arrive.
   */
  readonly phase: 'asking' | 'passed' | 'refused' | 'error' | 'unknown';
  readonly attempts: number;
  /** Answers that were no yes, for this decision. */
  readonly refusals: number;
  /** Epoch ms of the last attempt. */
  readonly askedAtMs: number;
  /** What was answered, or why not, in words. */
  readonly message: string;
}

export interface CheckedMetric {
  readonly metric: Metric;
  readonly run: MetricRun | undefined;
}

export interface CheckedWebhook {
  readonly webhook: WebhookSpec;
  readonly run: WebhookRun | undefined;
}

/** Whether anything the canary could be judged by can have happened: it gets requests of some kind. */
export function hasTraffic({ weight, routes, mirror }: ActiveRun): boolean {
  return weight > 0 || routes.length > 0 || mirror > 0;
}

/** A metric with a `count` begins anew with each analysis step; a guard goes on through the whole release. */
export function metricKey({ run }: RolloutState, active: ActiveRun, { rules }: Metric): string {
  const whole = `${run}.${active.round ?? 0}`;
  if (rules.count === undefined) return whole;
  const step = active.steps.findLastIndex(({ wait }, index) => index <= active.step && wait?.kind === 'evidence');
  return `${whole}.${step}`;
}

/** Which gates the next step has to pass; none where nothing grows. */
export function gatesBefore(active: ActiveRun): readonly WebhookType[] {
  const set = active.steps[active.step + 1]?.set;
  const weight = set?.weight ?? active.weight;
  const grows = weight > active.weight;
  const shows = grows || set?.route?.match !== undefined || (set?.mirror ?? 0) > active.mirror;
  return [
    ...(shows && !hasTraffic(active) ? (['confirm-rollout', 'pre-rollout'] as const) : []),
    ...(grows ? (['confirm-traffic-increase'] as const) : []),
    ...(grows && weight === FULL ? (['confirm-promotion'] as const) : []),
  ];
}

/** The decision a gate is asked for. */
export function gateKey({ run }: RolloutState, active: ActiveRun): string {
  return `${run}.${active.round ?? 0}/step-${active.step + 1}`;
}

/** Of webhooks that are asked again and again as long as the release is under way. */
export function pollKey({ run }: RolloutState, active: ActiveRun): string {
  return `${run}.${active.round ?? 0}/under-way`;
}

/** @returns Undefined where there is nothing under way, or nothing that checks it. */
export function checksOf(
  state: RolloutState,
  metrics: readonly CheckedMetric[],
  webhooks: readonly CheckedWebhook[],
  stepBeganAtMs: number,
): Checks | undefined {
  const { active } = state;
  if (active === undefined || metrics.length + webhooks.length === 0) return undefined;
  const acting = metrics.filter(({ metric }) => !metric.dryRun);
  const harm = failed(acting) ?? order(webhooks, pollKey(state, active)) ?? refused(webhooks, state, active);
  const undecided = inconclusive(acting) ?? lost(webhooks, gateKey(state, active));
  const doubt = first(acting, doubtOf) ?? objection(webhooks, pollKey(state, active));
  const unproved = first(acting, (checked) => unprovedOf(checked, stepBeganAtMs));
  const unconfirmed = waiting(webhooks, gatesBefore(active), gateKey(state, active));
  return {
    ...(harm === undefined ? {} : { harm }),
    ...(undecided === undefined ? {} : { undecided }),
    ...(doubt === undefined ? {} : { doubt }),
    ...(unproved === undefined ? {} : { unproved }),
    ...(unconfirmed === undefined ? {} : { unconfirmed }),
  };
}

// --- metrics --------------------------------------------------------------------------------------------------------------------------

/** The condition as it stands in the file, for sentences. */
export function conditionOf({ successCondition, failureCondition, thresholdRange }: Metric): string {
  if (thresholdRange !== undefined) {
    const { min, max } = thresholdRange;
    return [...(min === undefined ? [] : [`at least ${min}`]), ...(max === undefined ? [] : [`at most ${max}`])].join(' and ');
  }
  if (successCondition !== undefined) return successCondition;
  return failureCondition === undefined ? 'exit code 0' : `not ${failureCondition}`;
}

function failed(metrics: readonly CheckedMetric[]): ChecksFinding | undefined {
  const found = metrics.find(({ run }) => run?.phase === 'Failed');
  if (found?.run === undefined) return undefined;
  const { metric, run } = found;
  const worst = run.measurements.findLast(({ phase }) => phase === 'Failed');
  const limit = metric.rules.failureLimit;
  const times = `${run.failed} of ${plural(countOf(run), 'measurement')} failed, ${limit === 0 ? 'none may' : `more than failureLimit ${limit}`}`;
  const message = `metric ${metric.name} is ${worst?.value ?? 'bad'} where ${conditionOf(metric)} is required (${times})`;
  return { message, evidence: { metric: metric.name, ...evidenceOf(metric, run) } };
}

function evidenceOf(metric: Metric, run: MetricRun): Readonly<Record<string, unknown>> {
  const { successful, failed, inconclusive, error } = run;
  return { condition: conditionOf(metric), successful, failed, inconclusive, error, measurements: run.measurements.map(shown) };
}

function shown({ phase, value, message }: Measurement): object {
  return { phase, ...(value === undefined ? {} : { value }), ...(message === '' ? {} : { message }) };
}

function inconclusive(metrics: readonly CheckedMetric[]): ChecksFinding | undefined {
  const found = metrics.find(({ run }) => run?.phase === 'Inconclusive' || run?.phase === 'Error');
  if (found?.run === undefined) return undefined;
  const { metric, run } = found;
  const last = run.measurements.at(-1);
  const { consecutiveErrorLimit, inconclusiveLimit } = metric.rules;
  const why =
    run.phase === 'Error'
      ? `${plural(run.consecutiveError, 'error')} in a row, more than consecutiveErrorLimit ${consecutiveErrorLimit}`
      : `${plural(run.inconclusive, 'measurement')} without a verdict, inconclusiveLimit is ${inconclusiveLimit}`;
  const message = `metric ${metric.name} decides nothing: ${why}; the last: ${last?.message ?? 'none'}`;
  return { message, evidence: { metric: metric.name, ...evidenceOf(metric, run) } };
}

function doubtOf({ metric, run }: CheckedMetric): string | undefined {
  const last = run?.measurements.at(-1);
  if (run === undefined || last === undefined || last.phase === 'Successful' || run.phase === 'Successful') return undefined;
  return `metric ${metric.name}: ${last.message}`;
}

/** Measured since the step began, and found good: with its `count` reached where it has one. */
function unprovedOf({ metric, run }: CheckedMetric, stepBeganAtMs: number): string | undefined {
  if (run === undefined) return `metric ${metric.name} was not measured yet`;
  if (run.phase === 'Successful') return undefined;
  const last = run.measurements.at(-1);
  if (last === undefined) return `metric ${metric.name} was not measured yet`;
  if (last.phase !== 'Successful') return `metric ${metric.name}: ${last.message}`;
  const { count } = metric.rules;
  if (count !== undefined) return `metric ${metric.name}: ${countOf(run)} of ${plural(count, 'measurement')} made`;
  return last.startedAtMs >= stepBeganAtMs ? undefined : `metric ${metric.name} was not measured in this step yet`;
}

// --- webhooks -------------------------------------------------------------------------------------------------------------------------

function order(webhooks: readonly CheckedWebhook[], key: string): ChecksFinding | undefined {
  const found = webhooks.find(({ webhook, run }) => webhook.type === 'rollback' && run?.key === key && run.phase === 'passed');
  return found?.run === undefined ? undefined : finding(found.webhook, found.run, `webhook ${found.webhook.name} orders the rollback`);
}

function refused(webhooks: readonly CheckedWebhook[], state: RolloutState, active: ActiveRun): ChecksFinding | undefined {
  for (const { webhook, run } of webhooks) {
    const key = webhook.type === 'pre-rollout' ? gateKey(state, active) : pollKey(state, active);
    const isTest = webhook.type === 'pre-rollout' || webhook.type === 'rollout';
    if (isTest && run?.key === key && run.refusals > (webhook.failureLimit ?? 0))
      return finding(webhook, run, `webhook ${webhook.name} (${webhook.type}) says no: ${run.message}`);
  }
  return undefined;
}

/** A test under way that says no, within its limit. */
function objection(webhooks: readonly CheckedWebhook[], key: string): string | undefined {
  const found = webhooks.find(({ webhook, run }) => webhook.type === 'rollout' && run?.key === key && run.phase === 'refused');
  return found?.run === undefined ? undefined : `webhook ${found.webhook.name} (rollout): ${found.run.message}`;
}

function finding({ name, type }: WebhookSpec, { attempts, refusals, message: answer }: WebhookRun, message: string): ChecksFinding {
  return { message, evidence: { webhook: name, type, attempts, refusals, answer } };
}

/** A test that may have run, with an answer nobody has. */
function lost(webhooks: readonly CheckedWebhook[], key: string): ChecksFinding | undefined {
  const found = webhooks.find(({ webhook, run }) => webhook.type === 'pre-rollout' && run?.key === key && run.phase === 'unknown');
  if (found?.run === undefined) return undefined;
  const { webhook, run } = found;
  return finding(
    webhook,
    run,
    `webhook ${webhook.name} (pre-rollout) was sent, and its answer is lost: ${run.message}; resume asks again, promote goes on without it`,
  );
}

/** The first gate that has not said yes, in the order they are asked. */
export function pendingGate(webhooks: readonly CheckedWebhook[], types: readonly WebhookType[], key: string): CheckedWebhook | undefined {
  for (const type of types) {
    const found = webhooks.find(({ webhook, run }) => webhook.type === type && !(run?.key === key && run.phase === 'passed'));
    if (found !== undefined) return found;
  }
  return undefined;
}

function waiting(webhooks: readonly CheckedWebhook[], types: readonly WebhookType[], key: string): string | undefined {
  const found = pendingGate(webhooks, types, key);
  if (found === undefined) return undefined;
  const { webhook, run } = found;
  const answer = run?.key === key && run.phase !== 'asking' ? `: ${run.message}` : '';
  return `waits for webhook ${webhook.name} (${webhook.type})${answer}`;
}

function first(metrics: readonly CheckedMetric[], reason: (checked: CheckedMetric) => string | undefined): string | undefined {
  for (const checked of metrics) {
    const found = reason(checked);
    if (found !== undefined) return found;
  }
  return undefined;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
