/** The audit log in the durable state: what it has, how it grows out of an earlier schema, and that it is never without a change it should have. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AuditEntry } from '../admin/audit-types.ts';
import { ManualClock } from '../base/clock.ts';
import { changeBy } from './audit-table.ts';
import { openState, StateWriteError } from './state.ts';

const clock = new ManualClock(Date.parse('2026-01-02T03:04:05Z'));
const ANA = { name: 'ana', from: '127.0.0.1', reason: 'the database moves' };

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-audit-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

test('who, from where, what, why and with what result, newest first; hashes only where something changed', () => {
  const state = openState(directory, clock);
  const heard: AuditEntry[] = [];
  state.onAudit((entry) => heard.push(entry));
  state.put('overlay', 'one', changeBy(ANA, 'shift', 'reviews'));
  state.record({ actor: 'ben', action: 'abortRollout', target: 'default/reviews', result: 'E_CONFLICT' });
  const [refused, done] = state.audit(10);
  expect(done).toEqual({
    sequence: 1,
    at: '2026-01-02T03:04:05.000Z',
    actor: 'ana',
    from: '127.0.0.1',
    action: 'shift',
    target: 'reviews',
    reason: 'the database moves',
    result: 'done',
    beforeSha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    afterSha256: '7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed',
  });
  expect(refused).toMatchObject({ sequence: 2, actor: 'ben', result: 'E_CONFLICT' });
  expect(refused).toHaveProperty('beforeSha256', refused?.afterSha256);
  expect(state.audit(1, 2)).toEqual([done]);
  expect(heard).toEqual([done, refused]);
  state.close();
});

test('an entry is durable when record returns, whatever becomes of the process', () => {
  const script = `
    const { openState } = await import(${JSON.stringify(new URL('./state.ts', import.meta.url).href)});
    const { systemClock } = await import(${JSON.stringify(new URL('../base/clock.ts', import.meta.url).href)});
    openState(${JSON.stringify(directory)}, systemClock).record({ actor: 'ana', action: 'session login', target: 'ana' });
    process.kill(process.pid, 'SIGKILL');`;
  expect(spawnSync(process.execPath, ['--input-type=module', '-e', script]).signal).toBe('SIGKILL');
  const state = openState(directory, clock);
  expect(state.audit(10)).toMatchObject([{ actor: 'ana', action: 'session login' }]);
  state.close();
});

/** As Serin 0.1 made it. */
const SCHEMA_1 = `
  CREATE TABLE document (name TEXT PRIMARY KEY, body TEXT NOT NULL, sha256 TEXT NOT NULL, written_at TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL,
    before_sha256 TEXT NOT NULL, after_sha256 TEXT NOT NULL
  ) STRICT;
  INSERT INTO document VALUES ('overlay', 'one', '7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed', 'then');
  INSERT INTO audit VALUES (41, 'then', 'admin', 'shift', 'reviews', 'a', 'b');
  PRAGMA application_id = 1936877934;
  PRAGMA user_version = 1;
`;

function writeSchema1(): void {
  const database = new DatabaseSync(join(directory, 'state.db'));
  database.exec(SCHEMA_1);
  database.close();
}

test('a state of schema 1 keeps its documents and its entries, and takes new ones', () => {
  writeSchema1();
  for (const sequence of [42, 43]) {
    const state = openState(directory, clock);
    expect(state.notices).toEqual([]);
    expect(state.get('overlay')).toBe('one');
    expect(state.audit(10).at(-1)).toEqual({
      sequence: 41,
      at: 'then',
      actor: 'admin',
      action: 'shift',
      target: 'reviews',
      result: 'done',
      beforeSha256: 'a',
      afterSha256: 'b',
    });
    state.record(changeBy(ANA, 'shift', 'reviews'));
    expect(state.audit(1)).toMatchObject([{ sequence, reason: 'the database moves' }]);
    state.close();
  }
});

test('a state of schema 1 that cannot be written is left as it was, and not taken for damaged', () => {
  writeSchema1();
  const lock = new DatabaseSync(join(directory, 'state.db'));
  lock.exec('PRAGMA journal_mode = WAL; BEGIN IMMEDIATE');
  expect(() => openState(directory, clock)).toThrow(/cannot bring .* up to schema 2: .*; it is as it was/);
  lock.exec('ROLLBACK');
  lock.close();
  const state = openState(directory, clock);
  expect(state.get('overlay')).toBe('one');
  state.close();
});

test('the last 10,000 entries are kept', { timeout: 60_000 }, () => {
  const state = openState(directory, clock);
  state.record(changeBy(ANA, 'first', ''));
  state.close();
  const database = new DatabaseSync(join(directory, 'state.db'));
  database.exec("UPDATE sqlite_sequence SET seq = 10000 WHERE name = 'audit'");
  database.close();
  const again = openState(directory, clock);
  again.record(changeBy(ANA, 'last', ''));
  expect(again.audit(10).map(({ action, sequence }) => [action, sequence])).toEqual([['last', 10_001]]);
  again.close();
});

test('a state of a newer Serin takes no entries and shows none', () => {
  openState(directory, clock).close();
  const database = new DatabaseSync(join(directory, 'state.db'));
  database.exec('PRAGMA user_version = 999');
  database.close();
  const state = openState(directory, clock);
  expect(() => state.record(changeBy(ANA, 'shift', ''))).toThrow(StateWriteError);
  expect(state.audit(10)).toEqual([]);
  state.close();
});
