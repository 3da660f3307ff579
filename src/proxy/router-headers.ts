/**
 * How a trusted peer wants its request handled: Envoy's own request headers (router_filter.rst), which it takes from internal requests only and
 * keeps to itself. Of strangers they are dropped unread (request-text.ts); what is no number there says nothing, as in Envoy.
 *
 * Read for nothing, because there is nothing they could change: `x-envoy-hedge-on-per-try-timeout`, `x-envoy-upstream-alt-stat-name` and
 * `x-envoy-decorator-operation`.
 */
import { isGrpcCondition, isRetryCondition, type RetryCondition } from '../config/retry-on.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { RetryPolicy } from '../routing/table.ts';
import { RetryRules } from './retry-rules.ts';

const TIMEOUT = 'x-envoy-upstream-rq-timeout-ms';
const PER_TRY_TIMEOUT = 'x-envoy-upstream-rq-per-try-timeout-ms';
const ALT_RESPONSE = 'x-envoy-upstream-rq-timeout-alt-response';
const MAX_RETRIES = 'x-envoy-max-retries';
const RETRY_ON = 'x-envoy-retry-on';
const RETRY_GRPC_ON = 'x-envoy-retry-grpc-on';
const RETRIABLE_STATUSES = 'x-envoy-retriable-status-codes';
const RETRIABLE_NAMES = 'x-envoy-retriable-header-names';

/** None of them is the upstream's business. */
export const ROUTER_HEADERS: readonly string[] = [
  TIMEOUT,
  PER_TRY_TIMEOUT,
  ALT_RESPONSE,
  MAX_RETRIES,
  RETRY_ON,
  RETRY_GRPC_ON,
  RETRIABLE_STATUSES,
  RETRIABLE_NAMES,
  'x-envoy-hedge-on-per-try-timeout',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-decorator-operation',
];

/** What of it a route says, or a request in its place. */
export interface RouterOrders {
  /** 0: none. */
  readonly timeoutMs: number;
  readonly retry: RetryRules | undefined;
  /** A time that is over is answered 204 instead of 504. */
  readonly isTimeoutEmpty: boolean;
}

/** Envoy's, where a request asks for retries that its route does not have. */
const NO_POLICY: RetryPolicy = {
  attempts: 1,
  on: [],
  statusCodes: [],
  perTryTimeoutMs: 0,
  backoffMs: 25,
  avoidsTried: true,
  repeatsAnything: false,
};

/** @returns undefined where the request says nothing about it. */
export function routerOrders(head: RequestHead, timeoutMs: number, retry: RetryRules | undefined): RouterOrders | undefined {
  if (!ROUTER_HEADERS.some((name) => head.joined(name) !== undefined)) return undefined;
  const wholeMs = numberOf(head.joined(TIMEOUT)) ?? timeoutMs;
  const statedMs = numberOf(head.joined(PER_TRY_TIMEOUT)) ?? retry?.policy.perTryTimeoutMs ?? 0;
  // One that could not end a try before everything ends says nothing.
  const perTryMs = wholeMs > 0 && statedMs >= wholeMs ? 0 : statedMs;
  const rules = retryOrders(head, retry, perTryMs);
  return {
    // Of a single try.
    timeoutMs: (rules?.policy.attempts ?? 0) === 0 && perTryMs > 0 ? perTryMs : wholeMs,
    retry: rules,
    isTimeoutEmpty: head.joined(ALT_RESPONSE) !== undefined,
  };
}

function retryOrders(head: RequestHead, retry: RetryRules | undefined, perTryTimeoutMs: number): RetryRules | undefined {
  const hasPolicy = retry !== undefined && retry.policy.attempts > 0;
  const asked = [...conditionsOf(head.joined(RETRY_ON), false), ...conditionsOf(head.joined(RETRY_GRPC_ON), true)];
  // Without anything to retry on their number means nothing.
  if (!hasPolicy && asked.length === 0) return retry;
  const base = hasPolicy ? retry.policy : { ...NO_POLICY, repeatsAnything: retry?.policy.repeatsAnything ?? false };
  const on = [...base.on, ...asked];
  const areStatusesAsked = on.includes('retriable-status-codes') || base.statusCodes.length > 0;
  const statuses = areStatusesAsked ? listOf(head.joined(RETRIABLE_STATUSES)).flatMap((text) => numberOf(text) ?? []) : [];
  const policy: RetryPolicy = {
    ...base,
    attempts: numberOf(head.joined(MAX_RETRIES)) ?? base.attempts,
    on,
    statusCodes: [...base.statusCodes, ...statuses],
    perTryTimeoutMs,
  };
  const names = on.includes('retriable-headers') ? listOf(head.joined(RETRIABLE_NAMES)) : [];
  return new RetryRules(
    policy,
    names.map((name) => name.toLowerCase()),
  );
}

function conditionsOf(value: string | undefined, isGrpc: boolean): readonly RetryCondition[] {
  return listOf(value)
    .filter(isRetryCondition)
    .filter((condition) => isGrpcCondition(condition) === isGrpc);
}

function listOf(value: string | undefined): readonly string[] {
  return value === undefined ? [] : value.split(',').map((item) => item.trim());
}

/** As many digits as a number of milliseconds can have without running away. */
function numberOf(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}
