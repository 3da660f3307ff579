import { describe, expect, test } from 'vitest';
import { frozenBy } from './freeze-window.ts';
import type { FreezeWindow } from './rollout-spec.ts';

const at = (text: string): number => Date.parse(text);

describe('frozenBy', () => {
  // 2026-12-25 is a Friday.
  test.each<[what: string, window: FreezeWindow, instant: string, frozen: boolean]>([
    ['before an instant', { from: '2026-12-24T00:00:00Z', to: '2026-12-27T00:00:00Z' }, '2026-12-23T23:59:59Z', false],
    ['at its start', { from: '2026-12-24T00:00:00Z', to: '2026-12-27T00:00:00Z' }, '2026-12-24T00:00:00Z', true],
    ['at its end', { from: '2026-12-24T00:00:00Z', to: '2026-12-27T00:00:00Z' }, '2026-12-27T00:00:00Z', false],
    ['every day, by day', { from: '09:00', to: '17:00' }, '2026-12-25T12:00:00Z', true],
    ['every day, in the evening', { from: '09:00', to: '17:00' }, '2026-12-25T17:00:00Z', false],
    ['another day', { from: '09:00', to: '17:00', days: ['thu'] }, '2026-12-25T12:00:00Z', false],
    ['past midnight, the evening', { from: '18:00', to: '08:00', days: ['fri'] }, '2026-12-25T23:00:00Z', true],
    ['past midnight, the morning after', { from: '18:00', to: '08:00', days: ['fri'] }, '2026-12-26T07:59:00Z', true],
    ['past midnight, the morning of the day itself', { from: '18:00', to: '08:00', days: ['fri'] }, '2026-12-25T07:00:00Z', false],
    ['a whole day', { from: '00:00', to: '24:00', days: ['fri'] }, '2026-12-25T23:59:59Z', true],
    ['after a whole day', { from: '00:00', to: '24:00', days: ['fri'] }, '2026-12-26T00:00:00Z', false],
    ['in a zone ahead of UTC', { from: '00:00', to: '01:00', days: ['sat'], timeZone: 'Europe/Berlin' }, '2026-12-25T23:30:00Z', true],
  ])('%s', (_what, window, instant, frozen) => {
    expect(frozenBy([window], at(instant)) !== undefined).toBe(frozen);
  });

  test('says how long and why', () => {
    const window = { from: '2026-12-24T00:00:00Z', to: '2026-12-27T00:00:00Z', reason: 'holidays' };
    expect(frozenBy([window], at('2026-12-25T00:00:00Z'))).toBe('until 2026-12-27T00:00:00Z (holidays)');
  });
});
