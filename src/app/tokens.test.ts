/** Tokens over a real state: hashes only, in force at once, gone at once, still there after a restart. */
import type { Actor } from '../admin/access.ts';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Clock } from '../base/clock.ts';
import { silentLogger } from './logger.ts';
import { openState, type State } from './state.ts';
import { Tokens } from './tokens.ts';

const by = (name: string): Actor => ({ name, from: '127.0.0.1' });

let directory: string;
let state: State;
let nowMs: number;
const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-tokens-'));
  nowMs = Date.parse('2026-03-01T10:00:00Z');
  state = openState(directory, clock);
});

afterEach(() => {
  state.close();
  rmSync(directory, { recursive: true, force: true });
});

const open = (): Tokens => new Tokens('bootstrap', state, clock, silentLogger());

function reopened(): Tokens {
  state.close();
  state = openState(directory, clock);
  return open();
}

test('the token of the state directory is admin, and nobody else is anybody', () => {
  const tokens = open();
  expect(tokens.identify('bootstrap')).toEqual({ name: 'admin', scope: 'admin' });
  for (const other of ['', 'bootstrap ', 'admin']) expect(tokens.identify(other)).toBeUndefined();
  expect(tokens.list()).toEqual([]);
});

test('a token is in force when it is made, and after a restart; what is kept does not tell it', () => {
  const { token, ...shown } = open().create({ name: 'alice', scope: 'operate' }, by('admin'));
  expect(token).toMatch(/^serin_[\w-]{43}$/);
  expect(shown).toEqual({ name: 'alice', scope: 'operate', createdAt: '2026-03-01T10:00:00.000Z', createdBy: 'admin', isExpired: false });
  const again = reopened();
  expect(again.identify(token)).toEqual({ name: 'alice', scope: 'operate' });
  for (const file of readdirSync(directory)) {
    expect(readFileSync(join(directory, file)).includes(token.slice('serin_'.length))).toBe(false);
    expect(statSync(join(directory, file)).mode & 0o077).toBe(0);
  }
});

test('a revoked token is refused at once and after a restart; its name can be given again', () => {
  const tokens = open();
  const { token } = tokens.create({ name: 'alice', scope: 'admin' }, by('admin'));
  expect(tokens.revoke('alice', by('admin'))).toMatchObject({ name: 'alice' });
  expect(tokens.identify(token)).toBeUndefined();
  expect(reopened().identify(token)).toBeUndefined();
  const next = open().create({ name: 'alice', scope: 'read' }, by('admin'));
  expect(open().identify(next.token)).toEqual({ name: 'alice', scope: 'read' });
  expect(open().identify(token)).toBeUndefined();
});

test('an expired token is refused and shown as expired', () => {
  const tokens = open();
  const { token } = tokens.create({ name: 'ci', scope: 'read', expiresInSeconds: 60 }, by('admin'));
  nowMs += 59_999;
  expect(tokens.identify(token)).toBeDefined();
  nowMs += 1;
  expect(tokens.identify(token)).toBeUndefined();
  expect(tokens.list()).toMatchObject([{ name: 'ci', expiresAt: '2026-03-01T10:01:00.000Z', isExpired: true }]);
});

test('when it was last used is known to the minute, also after a restart', () => {
  const tokens = open();
  const { token } = tokens.create({ name: 'ci', scope: 'read' }, by('admin'));
  expect(tokens.list()[0]?.lastUsedAt).toBeUndefined();
  tokens.identify(token);
  nowMs += 30_000;
  tokens.identify(token);
  expect(reopened().list()[0]?.lastUsedAt).toBe('2026-03-01T10:00:00.000Z');
  nowMs += 30_000;
  const again = open();
  again.identify(token);
  expect(again.list()[0]?.lastUsedAt).toBe('2026-03-01T10:01:00.000Z');
});

test('who made and revoked it is in the audit table', () => {
  const tokens = open();
  tokens.create({ name: 'alice', scope: 'admin' }, by('admin'));
  tokens.create({ name: 'ci', scope: 'read' }, by('alice'));
  tokens.revoke('ci', by('alice'));
  const database = new DatabaseSync(join(directory, 'state.db'), { readOnly: true });
  const rows = database.prepare('SELECT actor, action, target FROM audit ORDER BY sequence').all();
  database.close();
  expect(rows.map(({ actor, action, target }) => [actor, action, target])).toEqual([
    ['admin', 'token create admin', 'alice'],
    ['alice', 'token create read', 'ci'],
    ['alice', 'token revoke', 'ci'],
  ]);
});

test.each(['admin', 'engine', 'Alice', 'a b', '-a', 'a/b', 'ä', ''])('the name %j is refused', (name) => {
  expect(() => open().create({ name, scope: 'read' }, by('admin'))).toThrow(expect.objectContaining({ code: 'E_NAME', status: 422 }));
});

test('a name twice, an unknown one, and the token of the state directory', () => {
  const tokens = open();
  tokens.create({ name: 'alice@example.com', scope: 'read' }, by('admin'));
  const thrown = (call: () => unknown, expected: object): void => expect(call).toThrow(expect.objectContaining(expected));
  thrown(() => tokens.create({ name: 'alice@example.com', scope: 'read' }, by('admin')), { status: 409, code: 'E_CONFLICT' });
  thrown(() => tokens.revoke('alice@example.org', by('admin')), { status: 404, extras: { hint: 'did you mean alice@example.com?' } });
  thrown(() => tokens.revoke('admin', by('admin')), { status: 422, code: 'E_NAME' });
});

test('what cannot be made durable is not in force', () => {
  // As a newer Serin would leave it: nothing is written to it.
  state.close();
  const database = new DatabaseSync(join(directory, 'state.db'));
  database.exec('PRAGMA user_version = 99');
  database.close();
  const tokens = reopened();
  expect(() => tokens.create({ name: 'alice', scope: 'read' }, by('admin'))).toThrow(expect.objectContaining({ status: 507 }));
  expect(tokens.list()).toEqual([]);
});

test('a document of tokens that cannot be read leaves the token of the state directory', () => {
  state.put('tokens', '{"version":1,"tokens":[{"name":"alice"}]}', { actor: 'test', action: 'test', target: 'tokens' });
  const tokens = open();
  expect(tokens.list()).toEqual([]);
  expect(tokens.identify('bootstrap')).toBeDefined();
});
