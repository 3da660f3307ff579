import { expect, test } from 'vitest';
import { FAILED, Tally } from './tally.ts';

test('tells shares by user, failures last', () => {
  const tally = new Tally();
  for (let index = 0; index < 8; index++) tally.record(1000, undefined, 'v1');
  tally.record(1000, undefined, FAILED);
  tally.record(1000, undefined, 'v2');
  tally.record(1000, 'jason', 'v2');
  expect(tally.line(2000)).toBe('last 30 s   jason: v2 100 % of 1   others: v1 80 %, v2 10 %, failed 10 % of 10');
});

test('forgets what is older than half a minute', () => {
  const tally = new Tally();
  tally.record(0, undefined, 'v1');
  tally.record(20_000, undefined, 'v2');
  expect(tally.line(31_000)).toBe('last 30 s   others: v2 100 % of 1');
  expect(tally.line(51_000)).toBe('last 30 s   no answers yet');
});
