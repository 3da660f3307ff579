/**
 * Metrics and webhooks of all releases, for the engine, which calls in this order and in every tick:
 *
 * 1. `look` for each release: takes in answers, writes down what is to be asked, and says what may happen;
 * 2. `flush`: what was taken in and written down is durable from here on, and only now a webhook is sent;
 * 3. `gate`, after the decision: whether the gates are to be asked.
 *
 * So a webhook is sent at most once for each attempt, whatever happens to the process, and nothing is decided on an answer that could be forgotten.
 */
import type { Clock } from '../../../base/clock.ts';
import type { Rollout } from '../../../config/resources.ts';
import type { HostEnv } from '../../../config/run-host.ts';
import { metricsOf } from '../../../config/serin/metric-resolve.ts';
import type { Snapshot } from '../../../config/snapshot.ts';
import { type CheckedMetric, type CheckedWebhook, type Checks, checksOf, metricKey } from '../../../rollout/checks.ts';
import type { DecisionRecord, RolloutState } from '../../../rollout/state.ts';
import type { Logger } from '../../logger.ts';
import type { Change } from '../../audit-table.ts';
import type { State } from '../../state.ts';
import { type CheckedRelease, checkedWebhooks, type Definition, type Entry } from './entry.ts';
import { MetricRunner } from './metric-runner.ts';
import { loadChecks, saveChecks } from './store.ts';
import { WebhookDesk } from './webhook-desk.ts';

export interface ReleaseChecksDeps {
  readonly state: State;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Serin's own environment. */
  readonly hostEnv: HostEnv;
}

export interface ShownChecks {
  readonly metrics: readonly CheckedMetric[];
  readonly webhooks: readonly CheckedWebhook[];
}

export class ReleaseChecks {
  readonly #deps: ReleaseChecksDeps;
  readonly #metrics: MetricRunner;
  readonly #webhooks: WebhookDesk;
  readonly #entries = new Map<string, Entry>();
  #snapshot: Snapshot | undefined;
  /** Those that have metrics or webhooks, by `namespace/name`. */
  #rollouts: ReadonlyMap<string, Rollout> = new Map();

  constructor(deps: ReleaseChecksDeps) {
    this.#deps = deps;
    this.#metrics = new MetricRunner(deps);
    this.#webhooks = new WebhookDesk(deps);
  }

  /** The configuration as it is now; cheap while it is the same. */
  configure(base: Snapshot): void {
    if (this.#snapshot === base) return;
    this.#snapshot = base;
    this.#rollouts = new Map(
      base.rollouts
        .filter(({ spec }) => (spec.analysis?.metrics ?? []).length + (spec.webhooks ?? []).length > 0)
        .map((rollout) => [`${rollout.metadata.namespace}/${rollout.metadata.name}`, rollout]),
    );
    for (const [name, { busy }] of this.#entries) {
      if (this.#rollouts.has(name)) continue;
      for (const controller of busy.values()) controller.abort();
      this.#entries.delete(name);
    }
  }

  /** Starts what is due. @returns What follows for the release; undefined where nothing checks it. */
  look(release: CheckedRelease): Checks | undefined {
    const rollout = this.#rollouts.get(release.name);
    if (rollout === undefined) return undefined;
    const { state, records } = release;
    const entry = this.#entryOf(release, rollout);
    this.#webhooks.tell(release, entry);
    // On the way back nobody is asked any more.
    if (state.active === undefined || state.active.back !== undefined) {
      entry.isAtGate = false;
      return undefined;
    }
    this.#metrics.measure(state, entry);
    this.#webhooks.ask(release, state.active, entry);
    return checksOf(state, currentMetrics(entry, state), checkedWebhooks(entry), stepBeganAtMs(records));
  }

  /** Whether `plan` has found that only the gates are missing. */
  gate(name: string, asks: boolean): void {
    const entry = this.#entries.get(name);
    if (entry !== undefined) entry.isAtGate = asks;
  }

  /** Makes durable what has changed, then sends. @throws StateWriteError; then nothing is sent, and the next call tries again. */
  flush(): void {
    const changed = [...this.#entries.values()].filter(({ isChanged }) => isChanged);
    if (changed.length === 0) return;
    saveChecks(this.#deps.state, new Map(changed.map(({ name, stored }) => [name, stored])), changed.flatMap(sentOnce));
    for (const entry of changed) {
      entry.isChanged = false;
      this.#webhooks.dispatch(entry);
    }
  }

  /** For the status: what they have said so far, also of a release that has ended. */
  shown(name: string): ShownChecks {
    const entry = this.#entries.get(name);
    if (entry === undefined) return { metrics: [], webhooks: [] };
    const metrics = entry.definition.metrics.map((metric) => ({ metric, run: entry.stored.metrics[metric.name] }));
    return { metrics, webhooks: checkedWebhooks(entry) };
  }

  /** Ends what is under way; its answers are lost. */
  close(): void {
    this.#webhooks.close();
    for (const { busy } of this.#entries.values()) for (const controller of busy.values()) controller.abort();
  }

  #entryOf({ name, state }: CheckedRelease, rollout: Rollout): Entry {
    const templates = this.#snapshot?.metricTemplates ?? [];
    // A run may be of other versions than the file names: `serin rollout start --to`.
    const { stable, canaries } = state;
    const canary = canaries.join('|');
    const of: Definition['of'] = [rollout, templates, stable, canary];
    const known = this.#entries.get(name);
    if (known !== undefined && known.definition.of.every((part, index) => part === of[index])) return known;
    const metrics = metricsOf(rollout, templates, { stable, canary });
    const definition = { of, metrics, webhooks: rollout.spec.webhooks ?? [], file: rollout.origin.file };
    const entry = known ?? this.#newEntry(name, state, definition);
    entry.definition = definition;
    const { stored } = entry;
    entry.stored = { ...stored, metrics: only(stored.metrics, metrics), webhooks: only(stored.webhooks, definition.webhooks) };
    this.#entries.set(name, entry);
    return entry;
  }

  #newEntry(name: string, { revision }: RolloutState, definition: Definition): Entry {
    const loaded = loadChecks(this.#deps.state, name);
    return {
      name,
      stored: loaded ?? { metrics: {}, webhooks: {}, told: revision },
      // What happens from now on is told, also when Serin ends before anything else is written.
      isChanged: loaded === undefined,
      definition,
      isAtGate: false,
      dueMs: new Map(),
      busy: new Map(),
      outgoing: [],
      sent: new Map(),
    };
  }
}

/** What is sent once for good: also a state that is restored from its copy must know of it. Gates are asked often, and may be asked again. */
function sentOnce({ name, outgoing }: Entry): readonly Change[] {
  return outgoing
    .filter(({ webhook: { type } }) => type === 'pre-rollout' || type === 'post-rollout' || type === 'event')
    .map(({ webhook }) => ({ actor: 'engine', action: `webhook ${webhook.type} ${webhook.name}`, target: name }));
}

/** Without what the files no longer name. */
function only<T>(runs: Readonly<Record<string, T>>, named: readonly { readonly name: string }[]): Readonly<Record<string, T>> {
  const names = new Set(named.map(({ name }) => name));
  return Object.fromEntries(Object.entries(runs).filter(([name]) => names.has(name)));
}

function currentMetrics({ definition, stored }: Entry, state: RolloutState): readonly CheckedMetric[] {
  const { active } = state;
  return definition.metrics.map((metric) => {
    const run = stored.metrics[metric.name];
    const isCurrent = active !== undefined && run?.key === metricKey(state, active, metric) && run.fingerprint === metric.fingerprint;
    return { metric, run: isCurrent ? run : undefined };
  });
}

/** Epoch ms. A step is entered with a record; what came after it (a pause, a resumption) is of the same step. */
function stepBeganAtMs(records: readonly DecisionRecord[]): number {
  const found = records.findLast(({ action }) => action === 'step' || action === 'promote' || action === 'skip' || action === 'start');
  return found === undefined ? 0 : Date.parse(found.at);
}
