import { expect, test } from 'vitest';
import { count, duration, millis, percent } from './format.ts';

test.each([
  [0, '0'],
  [0.1234, '0.12'],
  [9.996, '10'],
  [12.34, '12.3'],
  [999.6, '1000'],
  [12_345, '12.3k'],
  [3_400_000, '3.4M'],
])('%s is %s', (value, text) => expect(count(value)).toBe(text));

test('what is missing is a dash, never 0', () => {
  expect([percent(null), millis(undefined), percent(0)]).toEqual(['–', '–', '0 %']);
});

test.each([
  [0, '0s'],
  [61, '1m 1s'],
  [3660, '1h 1m'],
  [200_000, '2d 7h'],
])('%s s', (seconds, text) => expect(duration(seconds)).toBe(text));
