/**
 * Retries of one cluster under way, against what its requests in flight allow (Envoy's RetryBudget), over all workers. Two workers that look at the
 * same instant may both find room; the next one does not.
 */
import type { RetryLimit } from '../routing/table.ts';
import type { ClusterCounters } from '../telemetry/cluster-counters.ts';

export class RetryBudget {
  readonly #limit: RetryLimit;
  readonly #counters: ClusterCounters;

  constructor(limit: RetryLimit, counters: ClusterCounters) {
    this.#limit = limit;
    this.#counters = counters;
  }

  /** @returns Whether there is room for one more; then `release` follows. */
  acquire(): boolean {
    const counters = this.#counters;
    const allowed = Math.max(this.#limit.atLeast, Math.floor((this.#limit.percent / 100) * counters.active));
    if (counters.retrying >= allowed) {
      counters.retryRefused();
      return false;
    }
    counters.retryBegun();
    return true;
  }

  release(): void {
    this.#counters.retryEnded();
  }
}
