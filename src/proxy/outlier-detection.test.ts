/** Ejections by Envoy's counters and arithmetic, with workers as views of one shared memory. */
import { describe, expect, test } from 'vitest';
import type { OutlierDetection } from '../routing/table.ts';
import { WORD } from '../telemetry/outlier-board.ts';
import { hostMs, sharedRow, SharedRows, type SharedRow } from '../telemetry/shared-rows.ts';
import { isEjected, OutlierDetector, sweep } from './outlier-detection.ts';

const SPEC: OutlierDetection = {
  consecutive5xxErrors: 5,
  consecutiveGatewayErrors: 0,
  splitLocalErrors: false,
  consecutiveLocalFailures: 5,
  errorStatuses: [],
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionPercent: 100,
  minHealthPercent: 0,
};

interface Cluster {
  readonly detector: OutlierDetector;
  readonly rows: readonly SharedRow[];
}

/** The same endpoints as seen by so many workers. */
function workers(count: number, endpoints: number, spec: Partial<OutlierDetection> = {}): Cluster[] {
  const board = new SharedRows();
  const slots = Array.from({ length: endpoints }, (_, n) => board.slot(`c 127.0.0.1 ${n}`));
  return Array.from({ length: count }, () => {
    const rows = slots.map((slot) => sharedRow(board.segments(), slot));
    return { rows, detector: new OutlierDetector({ ...SPEC, ...spec }, rows) };
  });
}

function one(endpoints: number, spec: Partial<OutlierDetection> = {}): Cluster {
  const [cluster] = workers(1, endpoints, spec);
  if (cluster === undefined) throw new Error('one was asked for');
  return cluster;
}

/** What happens one after the other to the first of three endpoints: a status, or `x` for no answer. */
function isEjectedBy(events: readonly (number | 'x')[], spec: Partial<OutlierDetection>): boolean {
  const { detector, rows } = one(3, spec);
  const [row] = rows;
  if (row === undefined) throw new Error('three were asked for');
  for (const event of events) {
    if (event === 'x') detector.onLocalFailure(row);
    else detector.onResponse(row, event);
  }
  return isEjected(row);
}

describe('what ejects', () => {
  test.each<[what: string, events: (number | 'x')[], spec: Partial<OutlierDetection>, ejected: boolean]>([
    ['four server errors do not', [500, 500, 500, 500], {}, false],
    ['five in a row do', [500, 501, 502, 503, 504], {}, true],
    ['five with a success between them do not', [500, 500, 200, 500, 500, 500], {}, false],
    ['a client error is a success', [500, 500, 404, 500, 500, 500], {}, false],
    ['a code that is listed is an error', [500, 429, 500, 429, 500], { errorStatuses: [429] }, true],
    ['with a count of 0 nothing does', [500, 500, 500, 500, 500, 500], { consecutive5xxErrors: 0 }, false],
    ['gateway errors by their own count', [503, 502], { consecutiveGatewayErrors: 2 }, true],
    ['a 500 is no gateway error and ends their row', [503, 500, 503], { consecutiveGatewayErrors: 2 }, false],
    ['no answer counts as a gateway error', ['x', 503, 'x'], { consecutiveGatewayErrors: 3 }, true],
    ['no answer counts as a server error', ['x', 'x', 'x', 'x', 'x'], {}, true],
    [
      'split: no answer does not count there',
      ['x', 'x', 'x', 'x', 500],
      { splitLocalErrors: true, consecutive5xxErrors: 1, consecutiveLocalFailures: 9 },
      true,
    ],
    ['split: no answer has its own count', ['x', 'x'], { splitLocalErrors: true, consecutiveLocalFailures: 2 }, true],
    ['split: any answer ends its row', ['x', 500, 'x'], { splitLocalErrors: true, consecutiveLocalFailures: 2 }, false],
  ])('%s', (_what, events, spec, ejected) => {
    expect(isEjectedBy(events, spec)).toBe(ejected);
  });

  test('failures are added up over workers', () => {
    const [a, b] = workers(2, 3);
    for (let n = 0; n < 3; n++) a!.detector.onResponse(a!.rows[0]!, 500);
    for (let n = 0; n < 2; n++) b!.detector.onResponse(b!.rows[0]!, 500);
    expect(isEjected(a!.rows[0]!)).toBe(true);
  });
});

test.each([
  [10, 9, 0],
  [10, 10, 1],
  [50, 4, 2],
  [50, 3, 1],
  [100, 3, 3],
  [34, 3, 1],
  [33, 3, 0],
])('%i % of %i endpoints: at most %i are ejected, the others are counted as overflow', (maxEjectionPercent, endpoints, most) => {
  const { detector, rows } = one(endpoints, { maxEjectionPercent });
  for (const row of rows) for (let n = 0; n < 5; n++) detector.onResponse(row, 500);
  expect(rows.filter(isEjected)).toHaveLength(most);
  expect(rows.reduce((sum, row) => sum + (row[WORD.overflows] ?? 0), 0)).toBe(endpoints - most);
});

test('an ejection lasts the base time, twice as long the second time, and is forgotten interval by interval', () => {
  const { detector, rows } = one(1);
  const [row] = rows;
  if (row === undefined) throw new Error('one was asked for');
  const eject = (): number => {
    for (let n = 0; n < 5; n++) detector.onResponse(row, 503);
    return hostMs();
  };
  let at = eject();
  sweep(SPEC, rows, at + 29_000);
  expect(isEjected(row)).toBe(true);
  sweep(SPEC, rows, at + 30_001);
  expect(isEjected(row)).toBe(false);

  at = eject();
  sweep(SPEC, rows, at + 59_000);
  expect(isEjected(row)).toBe(true);
  sweep(SPEC, rows, at + 60_001);
  expect(isEjected(row)).toBe(false);

  sweep(SPEC, rows, at + 70_000);
  sweep(SPEC, rows, at + 80_000);
  at = eject();
  sweep(SPEC, rows, at + 30_001);
  expect(isEjected(row)).toBe(false);
});

test('no ejection lasts longer than five minutes, unless the base does', () => {
  const { rows } = one(1);
  const [row] = rows;
  if (row === undefined) throw new Error('one was asked for');
  row[WORD.ejected] = 1;
  row[WORD.multiplier] = 50;
  row[WORD.ejectedAt] = 1000;
  sweep(SPEC, rows, 1000 + 299_000);
  expect(isEjected(row)).toBe(true);
  sweep(SPEC, rows, 1000 + 300_000);
  expect(isEjected(row)).toBe(false);
});
