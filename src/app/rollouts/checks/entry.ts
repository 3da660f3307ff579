/** What is kept of one release's metrics and webhooks while Serin runs. Changed in place: whoever waits for an answer holds the same object. */
import type { MetricTemplate, Rollout } from '../../../config/resources.ts';
import type { Metric } from '../../../config/serin/metric-resolve.ts';
import type { WebhookSpec } from '../../../config/serin/metric-spec.ts';
import type { CheckedWebhook, WebhookRun } from '../../../rollout/checks.ts';
import type { DecisionRecord, RolloutState } from '../../../rollout/state.ts';
import type { StoredChecks, StoredMetric } from './store.ts';
import type { Letter } from './webhook-call.ts';

/** A release as the engine knows it. */
export interface CheckedRelease {
  /** `namespace/name`. */
  readonly name: string;
  readonly host: string;
  readonly state: RolloutState;
  readonly records: readonly DecisionRecord[];
}

export interface Entry {
  readonly name: string;
  stored: StoredChecks;
  /** Not durable yet. */
  isChanged: boolean;
  definition: Definition;
  /** Everything but the gates agrees to the next step. */
  isAtGate: boolean;
  /** Monotonic ms, by what is asked (`metric errors`, `webhook gate`): when it may be asked again. */
  readonly dueMs: Map<string, number>;
  /** Under way, by what is asked. */
  readonly busy: Map<string, AbortController>;
  /** Webhooks written down, or about to be, and not sent yet. */
  readonly outgoing: Letter[];
  /** By webhook: the last one sent, so that what is told is told in order. */
  readonly sent: Map<string, Promise<void>>;
}

/** What the files say, for the versions that are released. */
export interface Definition {
  readonly of: readonly [rollout: Rollout, templates: readonly MetricTemplate[], stable: string, canaries: string];
  readonly metrics: readonly Metric[];
  readonly webhooks: readonly WebhookSpec[];
  /** The Rollout's. */
  readonly file: string;
}

export function setMetric(entry: Entry, name: string, run: StoredMetric): void {
  entry.stored = { ...entry.stored, metrics: { ...entry.stored.metrics, [name]: run } };
  entry.isChanged = true;
}

export function setWebhook(entry: Entry, name: string, run: WebhookRun): void {
  entry.stored = { ...entry.stored, webhooks: { ...entry.stored.webhooks, [name]: run } };
  entry.isChanged = true;
}

export function checkedWebhooks({ definition, stored }: Entry): readonly CheckedWebhook[] {
  return definition.webhooks.map((webhook) => ({ webhook, run: stored.webhooks[webhook.name] }));
}

/** Whether `id` may be asked at `nowMs`. @param waitMs How long yet, where it was not asked since Serin started; at most `longestMs`. */
export function isDue({ dueMs }: Entry, id: string, nowMs: number, waitMs: number, longestMs: number): boolean {
  const known = dueMs.get(id) ?? nowMs + Math.min(Math.max(waitMs, 0), longestMs);
  dueMs.set(id, known);
  return nowMs >= known;
}
