import type { TrafficPolicy } from '../config/resources.ts';
import type { RetryLimit } from './table.ts';
import { effectiveBlocks } from './traffic-policy.ts';

/**
 * Where nothing is stated. A part of all that is in flight, retries among them, so that at a version that fails everything the load grows by 16 / 84: less than a
 * fifth (reliability F-17).
 */
export const DEFAULT_RETRY_LIMIT: RetryLimit = { percent: 16, atLeast: 3 };

/** What a budget does not state (config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget). */
const BUDGET_DEFAULTS: RetryLimit = { percent: 20, atLeast: 3 };

/**
 * How many retries a cluster may have under way. A `retryBudget` beats `maxRetries`, as in Envoy. Istio has no limit where neither is stated; Serin
 * then has a budget, so that a version that fails everything does not get several times its load.
 *
 * A subset's block replaces the destination's; budgets have no port level (destination_rule.proto).
 */
export function retryLimit(
  destination: TrafficPolicy | undefined,
  subset: TrafficPolicy | undefined,
  port: number,
  istioCompat: boolean,
): RetryLimit {
  const budget = subset?.retryBudget ?? destination?.retryBudget;
  if (budget !== undefined) {
    const { percent = BUDGET_DEFAULTS.percent, minRetryConcurrency = BUDGET_DEFAULTS.atLeast } = budget;
    return { percent, atLeast: minRetryConcurrency };
  }
  const { maxRetries = 0 } = effectiveBlocks(destination, subset, port).connectionPool?.http ?? {};
  // In connection pools 0 means unset, not zero.
  if (maxRetries > 0) return { percent: 0, atLeast: maxRetries };
  return istioCompat ? { percent: 0, atLeast: Number.POSITIVE_INFINITY } : DEFAULT_RETRY_LIMIT;
}
