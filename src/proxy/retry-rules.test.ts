import { describe, expect, test } from 'vitest';
import { ResponseHead } from '../http/response-head.ts';
import type { RetryPolicy } from '../routing/table.ts';
import { RetryRules } from './retry-rules.ts';

function rules(on: RetryPolicy['on'], statusCodes: readonly number[] = []): RetryRules {
  return new RetryRules({ attempts: 1, on, statusCodes, perTryTimeoutMs: 0, backoffMs: 25, avoidsTried: true, repeatsAnything: false });
}

function answer(status: number, lines = ''): ResponseHead {
  const bytes = Buffer.from(`HTTP/1.1 ${status} x\r\n${lines}\r\n`, 'latin1');
  const head = new ResponseHead();
  head.reset(bytes, 0);
  head.scan(bytes.length);
  return head;
}

describe('answers', () => {
  test.each<readonly [RetryPolicy['on'][number], readonly number[]]>([
    ['5xx', [500, 501, 502, 503, 504, 599]],
    ['gateway-error', [502, 503, 504]],
    ['retriable-4xx', [409]],
    ['reset', []],
    ['connect-failure', []],
    ['retriable-status-codes', []],
    ['refused-stream', []],
  ])('%s covers %j', (condition, expected) => {
    const asked = rules([condition]);
    expect([200, 404, 409, 429, 500, 501, 502, 503, 504, 599].filter((status) => asked.covers(answer(status)))).toEqual(expected);
  });

  test('codes cover themselves', () => {
    expect([429, 500, 503].filter((status) => rules([], [429, 503]).covers(answer(status)))).toEqual([429, 503]);
  });

  test.each<readonly [RetryPolicy['on'][number], string]>([
    ['cancelled', '1'],
    ['deadline-exceeded', '4'],
    ['resource-exhausted', '8'],
    ['internal', '13'],
    ['unavailable', '14'],
  ])('%s covers grpc-status %s and no other', (condition, status) => {
    const statuses = Array.from({ length: 17 }, (_, code) => String(code));
    expect(statuses.filter((code) => rules([condition]).covers(answer(200, `grpc-status: ${code}\r\n`)))).toEqual([status]);
  });

  test('of an overloaded upstream are never covered, rate-limited ones only by their own condition', () => {
    expect(rules(['5xx', 'envoy-ratelimited']).covers(answer(503, 'x-envoy-overloaded: true\r\n'))).toBe(false);
    expect(rules(['5xx']).covers(answer(503, 'x-envoy-ratelimited: true\r\n'))).toBe(false);
    expect(rules(['envoy-ratelimited']).covers(answer(429, 'x-envoy-ratelimited: true\r\n'))).toBe(true);
  });
});

describe('no answer', () => {
  test.each<readonly [RetryPolicy['on'][number], readonly string[]]>([
    ['5xx', ['connect', 'reset', 'timeout']],
    ['gateway-error', ['connect', 'reset', 'timeout']],
    ['reset', ['connect', 'reset', 'timeout']],
    ['connect-failure', ['connect']],
    ['reset-before-request', ['connect']],
    ['retriable-4xx', []],
    ['unavailable', []],
  ])('%s covers %j', (condition, expected) => {
    expect((['connect', 'reset', 'timeout'] as const).filter((loss) => rules([condition]).coversLoss(loss))).toEqual(expected);
  });
});

test('the back-off grows with full jitter up to ten times its base', () => {
  const ceiling = (retry: number): number => rules([]).backoffMs(retry, 1);
  expect([1, 2, 3, 4, 5, 30].map(ceiling)).toEqual([25, 75, 175, 250, 250, 250]);
  expect(rules([]).backoffMs(3, 0)).toBe(0);
});

test('a back-off that is a minimum is waited for whatever the draw', () => {
  const minimum = new RetryRules({ ...rules([]).policy, backoffIsMinimum: true });
  expect([minimum.backoffMs(1, 0), minimum.backoffMs(3, 0), minimum.backoffMs(1, 0.5), minimum.backoffMs(30, 1)]).toEqual([
    25, 25, 37.5, 275,
  ]);
});
