import { expect, test } from 'vitest';
import { compileFault } from './compile-fault.ts';

test('without a percentage nothing is injected (vector A17)', () => {
  expect(compileFault({ delay: { fixedDelay: '1s' }, abort: { httpStatus: 500 } }, false)).toBeUndefined();
  expect(compileFault({ abort: { httpStatus: 500, percentage: { value: 0 } } }, false)).toBeUndefined();
  expect(compileFault(undefined, false)).toBeUndefined();
});

test('percentages are to a millionth', () => {
  expect(compileFault({ abort: { httpStatus: 500, percentage: { value: 0.0001 } } }, false)?.abort).toEqual({ perMillion: 1, status: 500 });
});

test('delay and abort are drawn apart; the deprecated percent counts where there is no percentage', () => {
  const delay = { fixedDelay: '7s', percent: 30 };
  expect(compileFault({ delay, abort: { httpStatus: 503, percentage: { value: 100 } } }, true)).toEqual({
    delay: { perMillion: 300_000, ms: 7000 },
    abort: { perMillion: 1_000_000, status: 503 },
    isBeforeRouter: true,
  });
});

test.each([
  ['UNAVAILABLE', 14, 503],
  ['NOT_FOUND', 5, 404],
  ['RESOURCE_EXHAUSTED', 8, 429],
])('gRPC status %s is %i, and %i over plain HTTP', (name, grpcStatus, status) => {
  expect(compileFault({ abort: { grpcStatus: name, percentage: { value: 100 } } }, false)?.abort).toMatchObject({ grpcStatus, status });
});

test('an abort without an answer to give injects nothing', () => {
  expect(compileFault({ abort: { percentage: { value: 100 } } }, false)).toBeUndefined();
});
