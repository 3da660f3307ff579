import { expect, test } from 'vitest';
import { retryLimit } from './retry-budget.ts';

const PORT = 80;

test.each<readonly [string, ...Parameters<typeof retryLimit>, ReturnType<typeof retryLimit>]>([
  ['less than a fifth of other requests, and three, where nothing is said', undefined, undefined, PORT, false, { percent: 16, atLeast: 3 }],
  [
    'no limit where nothing is said and Istio is followed',
    undefined,
    undefined,
    PORT,
    true,
    { percent: 0, atLeast: Number.POSITIVE_INFINITY },
  ],
  ['the budget', { retryBudget: { percent: 50, minRetryConcurrency: 1 } }, undefined, PORT, true, { percent: 50, atLeast: 1 }],
  ['a budget’s own defaults', { retryBudget: {} }, undefined, PORT, true, { percent: 20, atLeast: 3 }],
  ['the subset’s budget', { retryBudget: { percent: 50 } }, { retryBudget: { percent: 1 } }, PORT, false, { percent: 1, atLeast: 3 }],
  ['maxRetries', { connectionPool: { http: { maxRetries: 7 } } }, undefined, PORT, false, { percent: 0, atLeast: 7 }],
  [
    'nothing for maxRetries 0, which means unset',
    { connectionPool: { http: { maxRetries: 0 } } },
    undefined,
    PORT,
    false,
    { percent: 16, atLeast: 3 },
  ],
  [
    'the budget before maxRetries',
    { retryBudget: { percent: 10 }, connectionPool: { http: { maxRetries: 7 } } },
    undefined,
    PORT,
    false,
    { percent: 10, atLeast: 3 },
  ],
])('a cluster’s retries are limited by %s', (_, destination, subset, port, istioCompat, expected) => {
  expect(retryLimit(destination, subset, port, istioCompat)).toEqual(expected);
});
