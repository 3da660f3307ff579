/** Keys and endpoints: shares by weight, and which keys move when an endpoint is lost or comes back. */
import { describe, expect, test } from 'vitest';
import { type HashedEndpoint, hashOf, hashTable } from './consistent-hash.ts';
import type { HashPolicy } from './table.ts';

const KEYS = Array.from({ length: 20_000 }, (_, n) => hashOf(`user-${n}`));
const TABLES: readonly HashPolicy['table'][] = [
  { kind: 'ringHash', minimumSize: 1024 },
  { kind: 'maglev', size: 65_537 },
];

function endpoints(weights: readonly number[]): HashedEndpoint[] {
  return weights.map((weight, n) => ({ address: `10.0.0.${n + 1}`, port: 80, weight }));
}

const all = (): boolean => true;

describe.each(TABLES)('$kind', (spec) => {
  test('a key goes to the same endpoint always, also in a table made anew', () => {
    const [first, second] = [hashTable(spec, endpoints([1, 1, 1])), hashTable(spec, endpoints([1, 1, 1]))];
    expect(KEYS.map((key) => first.pick(key, all))).toEqual(KEYS.map((key) => second.pick(key, all)));
  });

  test('endpoints get keys in proportion to their weights', () => {
    const table = hashTable(spec, endpoints([1, 2, 5]));
    const counts = [0, 0, 0];
    for (const key of KEYS) counts[table.pick(key, all)]!++;
    // A ring of 1,024 places is uneven by a tenth or so: 1/sqrt(places of an endpoint).
    for (const [position, weight] of [1, 2, 5].entries())
      expect(Math.abs(counts[position]! / KEYS.length - weight / 8)).toBeLessThan(spec.kind === 'maglev' ? 0.01 : 0.05);
  });

  test('when an endpoint is lost only its own keys move, and they spread over the others', () => {
    const table = hashTable(spec, endpoints([1, 1, 1, 1]));
    const takers = new Set<number>();
    for (const key of KEYS) {
      const before = table.pick(key, all);
      const after = table.pick(key, (position) => position !== 2);
      if (before === 2) takers.add(after);
      else expect(after).toBe(before);
    }
    expect([...takers].toSorted((a, b) => a - b)).toEqual([0, 1, 3]);
  });

  test('when an endpoint is added no more than about its share of the keys moves', () => {
    const [three, four] = [hashTable(spec, endpoints([1, 1, 1])), hashTable(spec, endpoints([1, 1, 1, 1]))];
    const moved = KEYS.filter((key) => three.pick(key, all) !== four.pick(key, all)).length;
    expect(moved / KEYS.length).toBeGreaterThan(0.15);
    expect(moved / KEYS.length).toBeLessThan(0.35);
  });

  test('without a usable endpoint there is none', () => {
    expect(hashTable(spec, endpoints([1, 1])).pick(7, () => false)).toBe(-1);
  });

  test('one endpoint has all keys', () => {
    const table = hashTable(spec, endpoints([3]));
    expect(new Set(KEYS.map((key) => table.pick(key, all)))).toEqual(new Set([0]));
  });
});
