/** Named tokens with a real daemon: made, used and revoked while it runs, from the command line as people and programs do. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { serinHere } from '../helpers/serin-command.ts';
import { type Finished, SerinProcess } from '../helpers/serin-process.ts';

let directory: string;
let state: string;
let daemon: SerinProcess;

const CONFIG = `
services:
  reviews:
    versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }
    routes: [{ to: v1 }]
    rollout: { stable: v1, canary: v2, steps: [{ pause: {} }, { setWeight: 1 }, { pause: {} }, { setWeight: 100 }] }
`;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-tokens-'));
  state = join(directory, 'state');
  writeFileSync(join(directory, 'config.yaml'), CONFIG);
  daemon = await up();
});

afterEach(async () => {
  await daemon.end();
  rmSync(directory, { recursive: true, force: true });
});

function up(): Promise<SerinProcess> {
  const path = join(directory, 'config.yaml');
  return new SerinProcess(['up', '-f', path, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0']).ready();
}

const cli = (args: readonly string[], token?: string): Promise<Finished> =>
  serinHere([...args, '--state', state], token === undefined ? {} : { SERIN_TOKEN: token });

async function make(name: string, ...more: readonly string[]): Promise<string> {
  const made = await cli(['token', 'create', name, ...more]);
  expect(made).toMatchObject({ code: 0, err: expect.stringContaining(`token ${name}`) });
  return made.out.trim();
}

test('each scope may do what it says, and who did it is in the record and the audit', async () => {
  const [reader, operator] = [await make('grace'), await make('ana', '--scope', 'operate', '--expires', '30d')];
  expect(await cli(['rollout', 'status'], reader)).toMatchObject({ code: 0 });
  expect(await cli(['rollout', 'abort', 'reviews'], reader)).toMatchObject({
    code: 1,
    err: expect.stringContaining('the token grace has scope read; this needs scope operate'),
  });
  expect(await cli(['token', 'list'], operator)).toMatchObject({ code: 1, err: expect.stringContaining('needs scope admin') });

  expect(await cli(['rollout', 'pause', 'reviews', '--reason', 'the database moves'], operator)).toMatchObject({ code: 0 });
  expect(await cli(['rollout', 'resume', 'reviews'])).toMatchObject({ code: 0 });
  const history = (await cli(['rollout', 'history'], reader)).out;
  expect(history).toMatch(/ana +pause.*paused by hand: the database moves/);
  expect(history).toMatch(/admin +resume/);
  const listed = (await cli(['token', 'list'])).out;
  expect(listed).toMatch(/grace +read +admin +20/);
  expect(listed).toMatch(/ana +operate +admin +20\S+ +20\S+ +20/);
  expect(listed).not.toContain(operator);
  await daemon.end();
  const database = new DatabaseSync(join(state, 'state.db'), { readOnly: true });
  const rows = database.prepare("SELECT actor, action FROM audit WHERE action LIKE 'rollout %' ORDER BY sequence").all();
  database.close();
  expect(rows).toContainEqual(expect.objectContaining({ actor: 'ana', action: 'rollout pause' }));
  expect(rows).toContainEqual(expect.objectContaining({ actor: 'admin', action: 'rollout resume' }));
});

test('a token is good at once, over a restart, and no more once it is revoked', async () => {
  const token = await make('ana', '--scope', 'admin');
  daemon.signal('SIGKILL');
  await daemon.finished;
  daemon = await up();
  expect(await cli(['token', 'list'], token)).toMatchObject({ code: 0 });
  expect(await cli(['token', 'revoke', 'anna'])).toMatchObject({ code: 5, err: expect.stringContaining('did you mean ana?') });
  expect(await cli(['token', 'revoke', 'ana'])).toMatchObject({ code: 0, out: 'token ana is revoked\n' });
  expect(await cli(['rollout', 'list'], token)).toMatchObject({
    code: 1,
    err: expect.stringContaining('unauthorized: $SERIN_TOKEN is none'),
  });
});

test('--token-file goes before $SERIN_TOKEN, and is warned about where others can read it', async () => {
  const file = join(directory, 'grace.token');
  writeFileSync(file, `${await make('grace')}\n`, { mode: 0o600 });
  expect(await cli(['rollout', 'list', '--token-file', file], 'wrong')).toMatchObject({ code: 0, err: '' });
  chmodSync(file, 0o644);
  expect(await cli(['rollout', 'list', '--token-file', file])).toMatchObject({ code: 0, err: expect.stringContaining('chmod 600') });
  writeFileSync(file, 'two words\n');
  expect(await cli(['rollout', 'list', '--token-file', file])).toMatchObject({ code: 2, err: expect.stringContaining('holds no token') });
  expect(await cli(['rollout', 'list', '--token-file', join(directory, 'none')])).toMatchObject({ code: 1 });
});

test('usage: scopes, durations, names, and a name twice', async () => {
  expect(await cli(['token', 'create', 'ci', '--scope', 'root'])).toMatchObject({ code: 2 });
  expect(await cli(['token', 'create', 'ci', '--expires', '30'])).toMatchObject({ code: 2, err: expect.stringContaining("found '30'") });
  expect(await cli(['token', 'create', 'Ci'])).toMatchObject({ code: 3, err: expect.stringContaining('lower-case letters') });
  const made = await cli(['token', 'create', 'ci', '-o', 'json']);
  expect(JSON.parse(made.out)).toMatchObject({ name: 'ci', scope: 'read', isExpired: false, token: expect.stringMatching(/^serin_/) });
  expect(await cli(['token', 'create', 'ci'])).toMatchObject({ code: 6 });
});

test('the daemon never tells a token: not in its output, not in its files', async () => {
  const token = await make('ana', '--scope', 'operate');
  await cli(['rollout', 'status'], token);
  await cli(['rollout', 'status'], `${token}x`);
  const bootstrap = readFileSync(join(state, 'token'), 'utf8').trim();
  for (const secret of [token, bootstrap]) {
    expect(daemon.out + daemon.err).not.toContain(secret);
    for (const file of ['state.db', 'state.db-wal', 'state.backup.db'])
      expect(readFileSync(join(state, file)).includes(secret)).toBe(false);
  }
});
