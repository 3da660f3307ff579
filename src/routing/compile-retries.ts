import { parseDuration } from '../base/duration.ts';
import type { HttpRetry } from '../config/resources.ts';
import { isRetryCondition, isRetryStatus, type RetryCondition } from '../config/retry-on.ts';
import type { RetryPolicy } from './table.ts';

/** Istio's default policy, of routes that state none and of those that state no `retryOn` (retry.go, DefaultPolicy). */
const DEFAULT_ATTEMPTS = 2;
const DEFAULT_ON: readonly RetryCondition[] = ['connect-failure', 'refused-stream', 'unavailable', 'cancelled'];

/** Envoy's. */
const DEFAULT_BACKOFF_MS = 25;

/**
 * What is tried again on a route (semantics.md 2.1.6).
 *
 * @returns undefined where nothing is stated: Serin then only repeats what cannot be noticed, and Istio's default policy needs `istioCompat`.
 *          With `attempts` 0 nothing is.
 */
export function compileRetries(retries: HttpRetry | undefined, istioCompat: boolean): RetryPolicy | undefined {
  if (retries === undefined && !istioCompat) return undefined;
  const { attempts = 0, perTryTimeout, retryOn = '', backoff, retryIgnorePreviousHosts } = retries ?? { attempts: DEFAULT_ATTEMPTS };
  const tokens = retryOn === '' ? DEFAULT_ON : retryOn.split(',');
  return {
    attempts,
    on: tokens.filter(isRetryCondition),
    statusCodes: tokens.filter(isRetryStatus).map(Number),
    perTryTimeoutMs: durationMs(perTryTimeout) ?? 0,
    backoffMs: durationMs(backoff) ?? DEFAULT_BACKOFF_MS,
    avoidsTried: retryIgnorePreviousHosts ?? true,
    repeatsAnything: istioCompat,
  };
}

function durationMs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDuration(text);
}
