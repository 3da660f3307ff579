/**
 * A state directory in every bad condition a start can meet, in the middle of a release at 30 %: what is said, that traffic goes on, and that nothing is
 * lost which could be kept. Where others keep a journal of their own Serin has SQLite's, so the items about journals are about its WAL.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { SerinProcess } from '../helpers/serin-process.ts';
import { startUpstream, tally, type Upstream } from '../helpers/upstream.ts';

let upstreams: readonly Upstream[] = [];
let directory = '';
let state = '';
let running: SerinProcess | undefined;

beforeAll(async () => {
  upstreams = await Promise.all(['v1', 'v2'].map((name) => startUpstream(name)));
});
afterAll(() => Promise.all(upstreams.map((upstream) => upstream.close())));

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-bad-state-'));
  state = join(directory, 'state');
  save('rollout: { stable: v1, canary: v2, steps: [{ setWeight: 10 }, { setWeight: 30 }, { pause: {} }, { setWeight: 100 }] }');
  running = await up().ready();
  // A step at a time, each of them a request.
  for (let status = await rollout(); status.currentStepIndex !== 2; status = await rollout()) await ask(20);
  running.signal('SIGKILL');
  await running.finished;
});

afterEach(async () => {
  await running?.end();
  rmSync(directory, { recursive: true, force: true });
});

function save(more: string): void {
  const [v1, v2] = upstreams.map(({ port }) => `http://127.0.0.1:${port}`);
  const text = `services: { reviews: { versions: { v1: '${v1}', v2: '${v2}' }, routes: [{ to: v1 }], ${more} } }\n`;
  writeFileSync(join(directory, 'config.yaml'), text);
}

function up(): SerinProcess {
  const args = ['up', '-f', join(directory, 'config.yaml'), '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  running = new SerinProcess(args);
  return running;
}

const Status = z.looseObject({
  phase: z.string(),
  message: z.string(),
  currentStepIndex: z.number().optional(),
  weights: z.record(z.string(), z.number()).optional(),
  decisions: z.array(z.unknown()),
});

async function call(verb?: string): Promise<{ status: number; body: unknown }> {
  const { host, port } = running?.address('admin') ?? { host: '', port: 0 };
  const token = readFileSync(join(state, 'token'), 'utf8').trim();
  const response = await fetch(`http://${host}:${port}/api/v1/rollouts/default/reviews${verb === undefined ? '' : `/${verb}`}`, {
    method: verb === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(verb === undefined ? {} : { body: '{}' }),
  });
  return { status: response.status, body: await response.json() };
}

async function rollout(): Promise<z.infer<typeof Status>> {
  return z.object({ status: Status }).parse((await call()).body).status;
}

function ask(count: number): Promise<Record<string, number>> {
  return tally(running?.address('mesh') ?? { host: '', port: 0 }, count, { headers: { host: 'reviews' } });
}

const file = (name: string): string => join(state, name);

/** The database as it is, WAL and all. */
function changeDatabase(change: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(file('state.db'));
  change(database);
  database.close();
}

const DOCUMENT = 'rollout/default/reviews';

/** Somebody's program rewrites the document, with a checksum that is right. @returns what it is then */
function rewrite(edit: (body: string) => string): string {
  let written = '';
  changeDatabase((database) => {
    const { body } = database.prepare('SELECT body FROM document WHERE name = ?').get(DOCUMENT) ?? {};
    const next = edit(String(body));
    expect(next).not.toBe(body);
    const sum = createHash('sha256').update(`${DOCUMENT}\0${next}`).digest('hex');
    database.prepare('UPDATE document SET body = ?, sha256 = ? WHERE name = ?').run(next, sum, DOCUMENT);
    written = next;
  });
  return written;
}

const copies = (): string[] => readdirSync(state).filter((name) => name.includes('.damaged-'));

/** The release is where it was, and traffic agrees. */
async function expectIntact(): Promise<void> {
  expect(await rollout()).toMatchObject({ phase: 'Paused', currentStepIndex: 2, weights: { v1: 70, v2: 30 } });
  const { v1 = 0, v2 = 0 } = await ask(400);
  expect(v1 + v2).toBe(400);
  // Six standard deviations of a binomial(400, 0.3).
  expect(Math.abs(v2 - 120)).toBeLessThan(55);
}

test.each<[what: string, damage: () => void]>([
  ['B-215 a file of 0 bytes', () => truncateSync(file('state.db'), 0)],
  ['B-216 a truncated file', () => truncateSync(file('state.db'), 5000)],
  ['B-217 a flipped bit', () => flip(file('state.db'), 20_000)],
  ['B-217 a changed document', () => changeDatabase((database) => database.exec("UPDATE document SET body = body || ' '"))],
  ['B-223 a file of 10 GB', () => truncateSync(file('state.db'), 10 * 1024 ** 3)],
])('%s: W_STATE_RECOVERED, the release goes on from the last good copy', async (_what, damage) => {
  // What is in the log only is put into the file, so that the damage is not repaired by it.
  changeDatabase((database) => database.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
  damage();
  const process = await up().ready();
  expect(process.err).toContain('W_STATE_RECOVERED');
  expect(copies().length).toBeGreaterThan(0);
  await expectIntact();
});

function flip(path: string, from: number): void {
  const bytes = readFileSync(path);
  // One bit of each page's content: of one alone it might be in space that is not used.
  for (let at = from % 4096; at < bytes.length; at += 512) bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

test.each<[what: string, edit: (body: string) => string]>([
  [
    'B-218 weight 50000',
    (body) => body.replace('"weight":3000,"routes"', '"weight":50000,"routes"').replace('"weight":3000', '"weight":50000'),
  ],
  ['B-218 step 99', (body) => body.replace('"step":2,', '"step":99,')],
  ['B-218 another type', (body) => body.replace('"run":1', '"run":"one"')],
  ['B-219 a version of the document from the future', (body) => body.replace(/"version":\d+/, '"version":999')],
  ['B-222 __proto__', (body) => body.replace('"state":{', '"state":{"__proto__":{"stable":"v2"},')],
  ['B-220 half of a document', (body) => body.slice(0, body.length / 2)],
])('%s in the document: E_STATE_INVALID, its host gets what the files say, nothing is overwritten', async (_what, edit) => {
  const written = rewrite(edit);
  const process = await up().ready();
  expect(process.err).toContain('E_STATE_INVALID');
  expect(process.err).toContain('state of Rollout default/reviews cannot be used');
  expect(await ask(50)).toEqual({ v1: 50 });
  process.signal('SIGKILL');
  await process.finished;
  changeDatabase((database) => {
    const { body } = database.prepare('SELECT body FROM document WHERE name = ?').get(DOCUMENT) ?? {};
    expect(body).toBe(written);
  });
});

test('B-219 a schema of the future: W_STATE_READ_ONLY, changes are refused with 507, the file stays as it is', async () => {
  changeDatabase((database) => database.exec('PRAGMA user_version = 999; PRAGMA wal_checkpoint(TRUNCATE)'));
  const before = readFileSync(file('state.db'));
  const process = await up().ready();
  expect(process.err).toContain('W_STATE_READ_ONLY');
  expect(await ask(50)).toEqual({ v1: 50 });
  expect(await call('start')).toMatchObject({ status: 507, body: { code: 'E_STATE_WRITE' } });
  process.signal('SIGTERM');
  await process.finished;
  expect(readFileSync(file('state.db')).equals(before)).toBe(true);
});

test.each([0.2, 0.5, 0.8, 0.99])(
  'B-216, B-220, B-221 (SQLite’s WAL in their place) cut at %d of its length: an earlier moment, whole',
  async (share) => {
    const log = file('state.db-wal');
    const size = statSync(log).size;
    expect(size).toBeGreaterThan(0);
    truncateSync(log, Math.floor(size * share));
    await up().ready();
    const { currentStepIndex = -1, weights, decisions } = await rollout();
    // No share that was never decided; what is missing is decided again, with steps in order.
    expect(weights).toEqual(
      [
        { v1: 100, v2: 0 },
        { v1: 90, v2: 10 },
        { v1: 70, v2: 30 },
        { v1: 70, v2: 30 },
      ][currentStepIndex + 1],
    );
    expect(decisions.length).toBeGreaterThan(0);
    const { v1 = 0, v2 = 0 } = await ask(50);
    expect(v1 + v2).toBe(50);
  },
);

test.each<[what: string, lay: (path: string) => void]>([
  ['a directory', (path) => mkdirSync(path)],
  ['a link', (path) => symlinkSync('/etc/hostname', path)],
  ['a pipe', (path) => expect(spawnSync('sh', ['-c', 'mkfifo "$0"', path]).status).toBe(0)],
])('B-223 %s in the place of the state: exit 1 with E_STATE_FILE, nothing hangs, what was there is kept', async (_what, lay) => {
  renameSync(file('state.db'), file('kept.db'));
  lay(file('state.db'));
  const { code, err } = await up().finished;
  expect(code).toBe(1);
  expect(err).toMatch(/state\.db is not a plain file; move it away/);
  expect(existsSync(file('kept.db'))).toBe(true);
});

test('B-225 files of an interrupted write: W_STATE_LEFTOVER, removed, the release goes on', async () => {
  writeFileSync(file('state.backup.db.tmp'), 'half');
  const process = await up().ready();
  expect(process.err).toContain('W_STATE_LEFTOVER');
  expect(readdirSync(state)).not.toContain('state.backup.db.tmp');
  await expectIntact();
});

test('B-226 a lock whose pid is somebody else’s by now does not keep Serin out; a live one does', async () => {
  writeFileSync(file('daemon.json'), JSON.stringify({ pid: process.pid, version: '0.0.0' }));
  const first = await up().ready();
  await expectIntact();
  const second = await up().finished;
  expect(second.code).toBe(1);
  expect(second.err).toContain(`is locked by pid ${first.child.pid}`);
  running = first;
  await expectIntact();
});

test('B-227 the Rollout is gone from the files: orphaned, everybody on what the files say, and back where it was when it returns', async () => {
  save('');
  const first = await up().ready();
  expect(await rollout()).toMatchObject({ message: expect.stringContaining('orphaned') });
  expect(await ask(50)).toEqual({ v1: 50 });
  first.signal('SIGKILL');
  await first.finished;
  save('rollout: { stable: v1, canary: v2, steps: [{ setWeight: 10 }, { setWeight: 30 }, { pause: {} }, { setWeight: 100 }] }');
  await up().ready();
  await expectIntact();
});

test('B-228 times of the future change nothing: what counts is time served', async () => {
  rewrite((body) => body.replaceAll(/"at":"20\d\d/g, '"at":"2199'));
  await up().ready();
  await expectIntact();
});

test('B-229 the state holds no token, and is its owner’s alone', () => {
  const token = readFileSync(file('token'), 'utf8').trim();
  expect(statSync(state).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(state)) {
    const path = file(name);
    if (!statSync(path).isFile()) continue;
    expect([name, statSync(path).mode & 0o077]).toEqual([name, 0]);
    if (name !== 'token') expect(readFileSync(path, 'latin1').includes(token)).toBe(false);
  }
});
