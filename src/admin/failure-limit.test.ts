import { expect, test } from 'vitest';
import { FailureLimit } from './failure-limit.ts';

test('five a second from one address, fifty in all; then a second later again', () => {
  let nowMs = 0;
  const limit = new FailureLimit(() => nowMs);
  const failures = (address: string, count: number): number =>
    Array.from({ length: count }, () => limit.mayFail(address)).filter(Boolean).length;
  expect(failures('127.0.0.1', 20)).toBe(5);
  expect(failures('::1', 20)).toBe(5);
  for (let other = 0; other < 8; other++) expect(failures(`10.0.0.${other}`, 6)).toBe(5);
  expect(failures('10.0.0.99', 5)).toBe(0);
  nowMs = 999;
  expect(failures('127.0.0.1', 1)).toBe(0);
  nowMs = 1000;
  expect(failures('127.0.0.1', 20)).toBe(5);
});
