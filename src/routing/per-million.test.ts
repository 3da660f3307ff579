import { expect, test } from 'vitest';
import { perMillion, percentText } from './per-million.ts';

test.each([
  [{ value: 100 }, 1_000_000],
  [{ value: 0.0001 }, 1],
  [{ value: 0.0003 }, 3],
  [{ value: 0.00019 }, 1],
  [{ value: 33.3333 }, 333_333],
  [{ value: 0 }, 0],
  [{}, 0],
])('%j is %i in a million', (percentage, expected) => {
  expect(perMillion(percentage, 1_000_000)).toBe(expected);
});

test('no percentage is what the field means by it', () => {
  expect([perMillion(undefined, 0), perMillion(undefined, 1_000_000)]).toEqual([0, 1_000_000]);
});

test('is printed as a percentage again', () => {
  expect([1, 200_000, 333_333].map(percentText)).toEqual(['0.0001 %', '20 %', '33.3333 %']);
});
