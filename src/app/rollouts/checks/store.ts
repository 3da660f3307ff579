/** Metrics and webhooks of a release as a document of the durable state, beside the release's own. */
import { z } from 'zod';
import type { WebhookRun } from '../../../rollout/checks.ts';
import { MAX_MEASUREMENTS, type MetricRun } from '../../../rollout/metric-run.ts';
import type { Change } from '../../audit-table.ts';
import type { State } from '../../state.ts';

const PREFIX = 'rollout-checks/';
const VERSION = 1;

export interface StoredChecks {
  /** By name. */
  readonly metrics: Readonly<Record<string, StoredMetric>>;
  readonly webhooks: Readonly<Record<string, WebhookRun>>;
  /** Revision of the release up to which its decisions were told to those who want to hear of them. */
  readonly told: number;
}

export interface StoredMetric extends MetricRun {
  /** Epoch ms: when the canary could get its first request, or the metric began anew. */
  readonly beganAtMs: number;
}

const count = z.number().int().min(0);
const measurement = z.strictObject({
  phase: z.enum(['Successful', 'Failed', 'Inconclusive', 'Error']),
  startedAtMs: z.number(),
  finishedAtMs: z.number(),
  value: z.exactOptional(z.string()),
  message: z.string(),
});
const metric = z.strictObject({
  key: z.string(),
  fingerprint: z.string(),
  phase: z.enum(['Running', 'Successful', 'Failed', 'Inconclusive', 'Error']),
  successful: count,
  failed: count,
  inconclusive: count,
  error: count,
  consecutiveError: count,
  consecutiveSuccess: count,
  measurements: z.array(measurement).max(MAX_MEASUREMENTS),
  beganAtMs: z.number(),
});
const webhook = z.strictObject({
  key: z.string(),
  phase: z.enum(['asking', 'passed', 'refused', 'error', 'unknown']),
  attempts: count,
  refusals: count,
  askedAtMs: z.number(),
  message: z.string(),
});
const stored = z.strictObject({
  version: z.literal(VERSION),
  metrics: z.record(z.string(), metric),
  webhooks: z.record(z.string(), webhook),
  told: count,
});

/** What was asked and not answered when Serin ended may have arrived, and is not asked again by itself. */
const INTERRUPTED = 'Serin ended before the answer came';

/** @returns Undefined where there is nothing, or nothing that can be read: then everything begins anew, and nothing of the past is told. */
export function loadChecks(state: State, name: string): StoredChecks | undefined {
  const found = stored.safeParse(parse(state.get(PREFIX + name)));
  if (!found.success) return undefined;
  const { metrics, webhooks, told } = found.data;
  const interrupted = Object.entries(webhooks).map(([hook, run]): [string, WebhookRun] => [
    hook,
    run.phase === 'asking' ? { ...run, phase: 'unknown', message: INTERRUPTED } : run,
  ]);
  return { metrics, webhooks: Object.fromEntries(interrupted), told };
}

/**
 * @param changes What must be in the copy of the state as well, and so in the audit table: none for measurements.
 * @throws StateWriteError; then nothing was written
 */
export function saveChecks(state: State, changed: ReadonlyMap<string, StoredChecks>, changes: readonly Change[]): void {
  const documents = new Map([...changed].map(([name, checks]) => [PREFIX + name, JSON.stringify({ version: VERSION, ...checks })]));
  state.putAll(documents, changes);
}

function parse(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
