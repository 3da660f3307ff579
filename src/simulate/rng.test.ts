import { expect, test } from 'vitest';
import { Rng } from './rng.ts';

test('the numbers are the same everywhere', () => {
  const rng = new Rng(20261122);
  expect([rng.u32(), rng.u32(), rng.u32(), rng.u32()]).toEqual([1327428303, 3533534972, 57485846, 2097879363]);
  const other = new Rng(1);
  expect(Array.from({ length: 5 }, () => other.poisson(100))).toEqual([84, 114, 98, 108, 87]);
  expect(Array.from({ length: 10 }, () => other.poisson(0.2))).toEqual([1, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
});
