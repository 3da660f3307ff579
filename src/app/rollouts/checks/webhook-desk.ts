/**
 * Webhooks: which are to be asked or told, in what order, and what came of it.
 *
 * Nothing is sent here before `dispatch`, which the caller calls once everything written down is durable: so each attempt is sent at most once.
 */
import { parseDuration } from '../../../base/duration.ts';
import type { WebhookSpec } from '../../../config/serin/metric-spec.ts';
import { gateKey, gatesBefore, hasTraffic, pendingGate, pollKey, type WebhookRun } from '../../../rollout/checks.ts';
import type { ActiveRun, DecisionRecord, RolloutState } from '../../../rollout/state.ts';
import { type CheckedRelease, checkedWebhooks, type Entry, isDue, setWebhook } from './entry.ts';
import type { ReleaseChecksDeps } from './release-checks.ts';
import { bodyOf, type Letter, send } from './webhook-call.ts';

const INTERVAL_MS = 10_000;

export class WebhookDesk {
  readonly #deps: ReleaseChecksDeps;
  #isClosed = false;

  constructor(deps: ReleaseChecksDeps) {
    this.#deps = deps;
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Events, and the end of a release: each decision since the last time, once. */
  tell(release: CheckedRelease, entry: Entry): void {
    const { state, records } = release;
    const { told, webhooks: known } = entry.stored;
    if (told === state.revision) return;
    const news = records.flatMap((record, index) => {
      const revision = state.revision - (records.length - 1 - index);
      return revision > told ? [{ record, revision }] : [];
    });
    for (const webhook of entry.definition.webhooks) {
      if (webhook.type === 'event') {
        for (const { record, revision } of news)
          this.#write(release, webhook, { key: `${record.run}/revision-${revision}`, record }, entry);
      } else if (webhook.type === 'post-rollout') {
        const key = endKey(state);
        const record = news.findLast(({ record: { action } }) => action !== 'scaleDown')?.record;
        if (key !== undefined && record !== undefined && known[webhook.name]?.key !== key)
          this.#write(release, webhook, { key, record }, entry);
      }
    }
    entry.stored = { ...entry.stored, told: state.revision };
    entry.isChanged = true;
  }

  /** Those that are asked as long as the release is under way, and the gate it stands at. */
  ask(release: CheckedRelease, active: ActiveRun, entry: Entry): void {
    const underWay = pollKey(release.state, active);
    for (const { webhook, run } of checkedWebhooks(entry)) {
      const isObeyed = webhook.type === 'rollback' && run?.key === underWay && run.phase === 'passed';
      const isPoll = webhook.type === 'rollback' || (webhook.type === 'rollout' && hasTraffic(active));
      if (isPoll && !isObeyed) this.#question(release, webhook, underWay, entry);
    }
    if (!entry.isAtGate) return;
    const key = gateKey(release.state, active);
    const pending = pendingGate(checkedWebhooks(entry), gatesBefore(active), key);
    if (pending === undefined) return;
    const { webhook, run } = pending;
    // A test that may have run is not run again by itself.
    if (webhook.type === 'pre-rollout' && run?.key === key && run.phase === 'unknown') return;
    this.#question(release, webhook, key, entry);
  }

  #question(release: CheckedRelease, webhook: WebhookSpec, key: string, entry: Entry): void {
    const id = `webhook ${webhook.name}`;
    if (entry.busy.has(id) || entry.outgoing.some((letter) => letter.webhook.name === webhook.name)) return;
    const { clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    const intervalMs = webhook.interval === undefined ? INTERVAL_MS : (parseDuration(webhook.interval) ?? INTERVAL_MS);
    const last = entry.stored.webhooks[webhook.name];
    const before = last?.key === key ? last : undefined;
    if (before !== undefined && !isDue(entry, id, nowMs, before.askedAtMs + intervalMs - clock.nowMs(), intervalMs)) return;
    entry.dueMs.set(id, nowMs + intervalMs);
    this.#write(release, webhook, { key, before }, entry);
  }

  #write(
    { name, host, state }: CheckedRelease,
    webhook: WebhookSpec,
    about: { readonly key: string; readonly before?: WebhookRun | undefined; readonly record?: DecisionRecord },
    entry: Entry,
  ): void {
    const { key, before, record } = about;
    const attempt = (before?.attempts ?? 0) + 1;
    const { refusals = 0, message = '' } = before ?? {};
    setWebhook(entry, webhook.name, { key, phase: 'asking', attempts: attempt, refusals, askedAtMs: this.#deps.clock.nowMs(), message });
    entry.outgoing.push({ webhook, rollout: name, key, attempt, body: bodyOf(webhook, name, host, state, key, record) });
  }

  /** Sends what is written down; each webhook gets one letter after the other. */
  dispatch(entry: Entry): void {
    for (const letter of entry.outgoing.splice(0)) {
      const { name } = letter.webhook;
      const before = entry.sent.get(name) ?? Promise.resolve();
      entry.sent.set(
        name,
        before.then(() => this.#deliver(letter, entry)),
      );
    }
  }

  async #deliver(letter: Letter, entry: Entry): Promise<void> {
    if (this.#isClosed) return;
    const { webhook, rollout, key, attempt } = letter;
    const { clock, hostEnv, logger } = this.#deps;
    const id = `webhook ${webhook.name}`;
    const controller = new AbortController();
    entry.busy.set(id, controller);
    const reply = await send(letter, { hostEnv, file: entry.definition.file }, clock.nowMs(), controller.signal);
    if (entry.busy.get(id) === controller) entry.busy.delete(id);
    if (controller.signal.aborted) return;
    if (reply.phase !== 'passed' && webhook.type !== 'rollback')
      logger.warn({ rollout, webhook: webhook.name, phase: reply.phase }, `webhook ${webhook.name} of ${rollout}: ${reply.message}`);
    const run = entry.stored.webhooks[webhook.name];
    // Something else was asked meanwhile.
    if (run?.key !== key || run.attempts !== attempt) return;
    setWebhook(entry, webhook.name, { ...run, ...reply, refusals: run.refusals + (reply.phase === 'refused' ? 1 : 0) });
  }
}

/** How the last run has ended; undefined while one is under way. A promotion that is undone later is another end. */
function endKey({ active, outcome, run }: RolloutState): string | undefined {
  return active !== undefined || outcome === undefined || outcome === 'settled' ? undefined : `${run}/${outcome}`;
}
