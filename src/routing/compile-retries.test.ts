import { describe, expect, test } from 'vitest';
import { compileRetries } from './compile-retries.ts';

const DEFAULT_ON = ['connect-failure', 'refused-stream', 'unavailable', 'cancelled'];

describe('without retries', () => {
  test('nothing is tried again but what cannot be noticed', () => {
    expect(compileRetries(undefined, false)).toBeUndefined();
  });

  test("Istio's default is in force where Istio is followed", () => {
    expect(compileRetries(undefined, true)).toEqual({
      attempts: 2,
      on: DEFAULT_ON,
      statusCodes: [],
      perTryTimeoutMs: 0,
      backoffMs: 25,
      avoidsTried: true,
      repeatsAnything: true,
    });
  });
});

test('attempts 0 switches them off', () => {
  expect(compileRetries({ attempts: 0 }, true)?.attempts).toBe(0);
});

test("conditions and codes are told apart; without retryOn they are Istio's default", () => {
  expect(compileRetries({ attempts: 3, retryOn: '5xx,503,reset,409' }, false)).toMatchObject({
    on: ['5xx', 'reset'],
    statusCodes: [503, 409],
  });
  expect(compileRetries({ attempts: 3 }, false)).toMatchObject({ on: DEFAULT_ON, statusCodes: [], repeatsAnything: false });
});

test('times and hosts are taken over', () => {
  expect(compileRetries({ attempts: 1, perTryTimeout: '1.5s', backoff: '10ms', retryIgnorePreviousHosts: false }, false)).toMatchObject({
    perTryTimeoutMs: 1500,
    backoffMs: 10,
    avoidsTried: false,
  });
});
