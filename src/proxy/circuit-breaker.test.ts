/** Limits over several workers: never exceeded, given back, and first come first served. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Limits } from '../routing/table.ts';
import { sharedRow, SharedRows, type SharedRow } from '../telemetry/shared-rows.ts';
import { CircuitBreaker, HELD, type Held, OVERFLOWS } from './circuit-breaker.ts';

const NONE: Limits = { connections: 0, pending: 0, requests: 0 };
const KINDS = Object.keys(HELD) as Held[];

function breakers(
  count: number,
  limits: Partial<Limits>,
): { readonly breakers: readonly CircuitBreaker[]; readonly rows: readonly SharedRow[] } {
  const board = new SharedRows();
  const slots = Array.from({ length: count }, (_, worker) => board.slot(`c ${worker}`));
  const rows = slots.map((slot) => sharedRow(board.segments(), slot));
  return { rows, breakers: rows.map((own) => new CircuitBreaker({ ...NONE, ...limits }, own, rows)) };
}

test('whatever the workers do, no limit is exceeded and what is refused was at its limit', () => {
  const event = fc.record({ worker: fc.nat(2), kind: fc.constantFrom(...KINDS), acquires: fc.boolean() });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), fc.integer({ min: 1, max: 4 }), (events, limit) => {
      const { breakers: workers } = breakers(3, { connections: limit, pending: limit, requests: limit });
      const held = new Map<string, number>();
      const total = (kind: Held): number => [0, 1, 2].reduce((sum, worker) => sum + (held.get(`${worker} ${kind}`) ?? 0), 0);
      for (const { worker, kind, acquires } of events) {
        const key = `${worker} ${kind}`;
        const mine = held.get(key) ?? 0;
        if (acquires) {
          const before = total(kind);
          const isGranted = workers[worker]?.acquire(kind) === true;
          expect(isGranted).toBe(before < limit);
          if (isGranted) held.set(key, mine + 1);
        } else if (mine > 0) {
          workers[worker]?.release(kind);
          held.set(key, mine - 1);
        }
        expect(total(kind)).toBeLessThanOrEqual(limit);
      }
    }),
  );
});

test('0 is no limit, and every refusal is counted', () => {
  const {
    breakers: [first],
    rows: [row],
  } = breakers(1, { requests: 1 });
  for (let n = 0; n < 100; n++) expect(first?.acquire('connections')).toBe(true);
  expect([first?.acquire('requests'), first?.acquire('requests'), first?.acquire('requests')]).toEqual([true, false, false]);
  expect(row?.[OVERFLOWS + HELD.requests]).toBe(2);
});

test('who waits first is woken first, once; who has gone is passed over', () => {
  const {
    breakers: [breaker],
  } = breakers(1, { connections: 1 });
  const woken: string[] = [];
  const waiting = ['a', 'b', 'c'].map((name) => ({ onConnectionFree: () => void woken.push(name) }));
  for (const each of waiting) breaker?.wait(each);
  expect(breaker?.acquire('connections')).toBe(true);
  breaker?.forget(waiting[1]!);
  breaker?.release('connections');
  expect(woken).toEqual(['a']);
  breaker?.wake();
  breaker?.wake();
  expect(woken).toEqual(['a', 'c']);
});
