/** Measures what is due. An answer counts for the run it was asked for, and for no other that has begun meanwhile. */
import type { Metric } from '../../../config/serin/metric-resolve.ts';
import { hasTraffic, metricKey } from '../../../rollout/checks.ts';
import { measured, newRun } from '../../../rollout/metric-run.ts';
import { judge } from '../../../rollout/metric-verdict.ts';
import type { RolloutState } from '../../../rollout/state.ts';
import { type Entry, isDue, setMetric } from './entry.ts';
import { ask } from './providers.ts';
import type { ReleaseChecksDeps } from './release-checks.ts';
import type { StoredMetric } from './store.ts';

/** Of all releases together; what is due beyond waits for the next tick. */
const MAX_MEASURING = 32;
/** After an error, of a metric that is measured once. As in Argo Rollouts. */
const ERROR_RETRY_MS = 10_000;

export class MetricRunner {
  readonly #deps: ReleaseChecksDeps;
  #measuring = 0;

  constructor(deps: ReleaseChecksDeps) {
    this.#deps = deps;
  }

  /** Starts every measurement of the release that is due. */
  measure(state: RolloutState, entry: Entry): void {
    const { active } = state;
    if (active === undefined || !hasTraffic(active)) return;
    for (const metric of entry.definition.metrics) this.#start(metric, this.#runOf(metric, metricKey(state, active, metric), entry), entry);
  }

  #start(metric: Metric, run: StoredMetric, entry: Entry): void {
    const id = idOf(metric);
    if (run.phase !== 'Running' || entry.busy.has(id) || this.#measuring >= MAX_MEASURING) return;
    const { clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    const intervalMs = metric.rules.intervalMs ?? ERROR_RETRY_MS;
    const last = run.measurements.at(-1);
    const longestMs = last === undefined ? metric.rules.initialDelayMs : intervalMs;
    // After a start by the wall clock, which may have jumped.
    const waitMs = (last?.startedAtMs ?? run.beganAtMs) + longestMs - clock.nowMs();
    if (!isDue(entry, id, nowMs, waitMs, longestMs)) return;
    entry.dueMs.set(id, nowMs + intervalMs);
    void this.#take(metric, run.key, entry);
  }

  /** The run that goes on, or a new one: of another run, step or round, or measured otherwise. */
  #runOf(metric: Metric, key: string, entry: Entry): StoredMetric {
    const found = entry.stored.metrics[metric.name];
    if (found?.key === key && found.fingerprint === metric.fingerprint) return found;
    const id = idOf(metric);
    entry.busy.get(id)?.abort();
    entry.busy.delete(id);
    entry.dueMs.delete(id);
    const begun: StoredMetric = { ...newRun(key, metric.fingerprint), beganAtMs: this.#deps.clock.nowMs() };
    setMetric(entry, metric.name, begun);
    return begun;
  }

  async #take(metric: Metric, key: string, entry: Entry): Promise<void> {
    const { clock, hostEnv, logger } = this.#deps;
    const id = idOf(metric);
    const controller = new AbortController();
    entry.busy.set(id, controller);
    this.#measuring++;
    const startedAtMs = clock.nowMs();
    const judged = judge(metric, await ask(metric, hostEnv, controller.signal));
    this.#measuring--;
    if (entry.busy.get(id) === controller) entry.busy.delete(id);
    const run = entry.stored.metrics[metric.name];
    if (controller.signal.aborted || run?.key !== key || run.fingerprint !== metric.fingerprint) return;
    const next = measured(run, { ...judged, startedAtMs, finishedAtMs: clock.nowMs() }, metric.rules);
    setMetric(entry, metric.name, { ...next, beganAtMs: run.beganAtMs });
    if (judged.phase !== 'Successful')
      logger.warn(
        { rollout: entry.name, metric: metric.name, phase: judged.phase },
        `metric ${metric.name} of ${entry.name}: ${judged.message}`,
      );
  }
}

function idOf({ name }: Metric): string {
  return `metric ${name}`;
}
