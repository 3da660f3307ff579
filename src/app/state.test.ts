/** Durable state under damage: whatever happens to the file, the next start has the last good documents or says that it has not. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../base/clock.ts';
import { openState, StateWriteError } from './state.ts';
import { prepareDirectory, readDaemonInfo, stateDirectory, StateError, writeDaemonInfo } from './state-directory.ts';
import { lockState } from './state-lock.ts';
import { ensureToken, readToken } from './token.ts';

const clock = new ManualClock(Date.parse('2026-01-02T03:04:05Z'));
const CHANGE = { actor: 'test', action: 'shift', target: 'reviews' };

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-state-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function written(...bodies: string[]): void {
  const state = openState(directory, clock);
  for (const body of bodies) state.put('overlay', body, CHANGE);
  state.close();
}

describe('documents', () => {
  test('survive closing and opening again', () => {
    written('one', 'two');
    const state = openState(directory, clock);
    expect(state.get('overlay')).toBe('two');
    expect(state.notices).toEqual([]);
    state.close();
  });

  test('survive kill -9 right after put returned', () => {
    const script = `
      const { openState } = await import(${JSON.stringify(new URL('./state.ts', import.meta.url).href)});
      const { systemClock } = await import(${JSON.stringify(new URL('../base/clock.ts', import.meta.url).href)});
      openState(${JSON.stringify(directory)}, systemClock).put('overlay', 'durable', ${JSON.stringify(CHANGE)});
      process.kill(process.pid, 'SIGKILL');`;
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(child.signal).toBe('SIGKILL');
    const state = openState(directory, clock);
    expect(state.get('overlay')).toBe('durable');
    state.close();
  });

  test('are readable by their owner only', () => {
    written('one');
    for (const name of readdirSync(directory)) expect([name, statSync(join(directory, name)).mode & 0o077]).toEqual([name, 0]);
  });

  test('every change is recorded with who made it', () => {
    written('one', 'two');
    const database = new DatabaseSync(join(directory, 'state.db'), { readOnly: true });
    const rows = database.prepare('SELECT actor, action, target, at FROM audit ORDER BY sequence').all();
    database.close();
    expect(rows).toHaveLength(2);
    expect({ ...rows[1] }).toEqual({ ...CHANGE, at: '2026-01-02T03:04:05.000Z' });
  });
});

describe('damage', () => {
  test.each([
    ['an empty file', () => truncateSync(join(directory, 'state.db'), 0)],
    ['somebody else’s text', () => writeFileSync(join(directory, 'state.db'), 'hello '.repeat(2000))],
    [
      'a changed document',
      () => {
        const database = new DatabaseSync(join(directory, 'state.db'));
        database.exec("UPDATE document SET body = 'twp'");
        database.close();
      },
    ],
  ])('%s: the last good copy is in force, the damaged file is kept, and it is said', (_what, damage) => {
    written('one', 'two');
    damage();
    const state = openState(directory, clock);
    expect(state.get('overlay')).toBe('two');
    expect(state.notices.map((notice) => notice.code)).toEqual(['W_STATE_RECOVERED']);
    state.put('overlay', 'three', CHANGE);
    state.close();
    expect(readdirSync(directory).some((name) => name.startsWith('state.db.damaged-20260102T030405'))).toBe(true);
  });

  test('a file that is gone, what is left of its log as well: the last good copy', () => {
    written('one', 'two');
    rmSync(join(directory, 'state.db'));
    writeFileSync(join(directory, 'state.db-wal'), 'the log of a file that is gone');
    const state = openState(directory, clock);
    expect(state.get('overlay')).toBe('two');
    expect(state.notices).toEqual([
      { code: 'W_STATE_RECOVERED', message: expect.stringContaining('is gone (to begin without it, delete') },
    ]);
    state.close();
  });

  test('of both copies: an empty state, and it is said', () => {
    written('one');
    truncateSync(join(directory, 'state.db'), 0);
    writeFileSync(join(directory, 'state.backup.db'), 'junk');
    const state = openState(directory, clock);
    expect(state.get('overlay')).toBeUndefined();
    expect(state.notices.map((notice) => notice.code)).toEqual(['W_STATE_LOST']);
    state.put('overlay', 'new', CHANGE);
    expect(state.get('overlay')).toBe('new');
    state.close();
  });

  test('cut at any byte or with any bit flipped: never a crash, never a document nobody wrote', () => {
    written('{"weights":{"v1":90}}', '{"weights":{"v1":50}}');
    const files = ['state.db', 'state.backup.db'].map((name) => ({ name, content: readFileSync(join(directory, name)) }));
    const length = Math.min(...files.map((file) => file.content.length));
    fc.assert(
      fc.property(fc.nat(length - 1), fc.nat(7), fc.boolean(), fc.boolean(), (at, bit, cut, both) => {
        for (const file of readdirSync(directory)) rmSync(join(directory, file));
        for (const { name, content } of files) {
          const bytes = Buffer.from(content);
          if (name === 'state.db' || both) bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
          writeFileSync(join(directory, name), cut && (name === 'state.db' || both) ? bytes.subarray(0, at) : bytes, { mode: 0o600 });
        }
        const state = openState(directory, clock);
        const document = state.get('overlay');
        const said = state.notices.length > 0;
        state.close();
        if (document === undefined) expect(said).toBe(true);
        else expect(document).toBe('{"weights":{"v1":50}}');
      }),
      { numRuns: 150 },
    );
  });

  test('a newer schema is left untouched and cannot be written', () => {
    written('one');
    const database = new DatabaseSync(join(directory, 'state.db'));
    database.exec('PRAGMA user_version = 999; PRAGMA wal_checkpoint(TRUNCATE)');
    database.close();
    const before = readFileSync(join(directory, 'state.db'));
    const state = openState(directory, clock);
    expect(state.readOnly).toContain('newer Serin');
    expect(() => state.put('overlay', 'x', CHANGE)).toThrow(StateWriteError);
    state.close();
    expect(readFileSync(join(directory, 'state.db')).equals(before)).toBe(true);
  });

  test.each([
    ['a directory', () => mkdirSync(join(directory, 'state.db'))],
    ['a link', () => symlinkSync('/etc/hostname', join(directory, 'state.db'))],
    ['a pipe', () => expect(spawnSync('sh', ['-c', 'mkfifo "$0"', join(directory, 'state.db')]).status).toBe(0)],
  ])('%s in the place of the file is refused without hanging', (_what, lay) => {
    lay();
    expect(() => openState(directory, clock)).toThrow(/not a plain file/);
  });

  test('temporary files of an interrupted write are removed and said', () => {
    written('one');
    writeFileSync(join(directory, 'state.backup.db.tmp'), 'half');
    const state = openState(directory, clock);
    expect(state.notices.map((notice) => notice.code)).toEqual(['W_STATE_LEFTOVER']);
    expect(readdirSync(directory)).not.toContain('state.backup.db.tmp');
    state.close();
  });
});

test('a full disk changes nothing and says so', () => {
  // The file size limit of the shell stands in for a full disk: SQLite's writes fail past 96 KiB.
  const script = `
    const { openState } = await import(${JSON.stringify(new URL('./state.ts', import.meta.url).href)});
    const { systemClock } = await import(${JSON.stringify(new URL('../base/clock.ts', import.meta.url).href)});
    const state = openState(${JSON.stringify(directory)}, systemClock);
    state.put('overlay', 'small', ${JSON.stringify(CHANGE)});
    try { state.put('overlay', 'x'.repeat(300000), ${JSON.stringify(CHANGE)}); } catch (error) { console.log(error.name, state.get('overlay')); }
    state.put('overlay', 'after', ${JSON.stringify(CHANGE)});
    console.log(state.get('overlay'));`;
  const child = spawnSync('sh', ['-c', `ulimit -f 192; exec "$0" --input-type=module -e "$1"`, process.execPath, script], {
    encoding: 'utf8',
  });
  expect(child.stderr).toBe('');
  expect(child.stdout.trim().split('\n')).toEqual(['StateWriteError small', 'after']);
  const state = openState(directory, clock);
  expect(state.get('overlay')).toBe('after');
  state.close();
});

describe('the lock', () => {
  test('a second holder is refused with the first one’s pid, and may have it after release', () => {
    const lock = lockState(directory);
    writeDaemonInfo(directory, { pid: 4242, version: '0.0.0' });
    expect(() => lockState(directory)).toThrow(/locked by pid 4242/);
    lock.release();
    lockState(directory).release();
  });

  test('ends with its holder, however it ends, whatever daemon.json still says', () => {
    const script = `
      const { lockState } = await import(${JSON.stringify(new URL('./state-lock.ts', import.meta.url).href)});
      lockState(${JSON.stringify(directory)});
      process.kill(process.pid, 'SIGKILL');`;
    // The pid that daemon.json names is alive (it is ours): a lock by pid alone would be fooled.
    writeDaemonInfo(directory, { pid: process.pid, version: '0.0.0' });
    expect(spawnSync(process.execPath, ['--input-type=module', '-e', script]).signal).toBe('SIGKILL');
    lockState(directory).release();
  });

  test('junk in the lock file does not lock anybody out', () => {
    writeFileSync(join(directory, 'lock.db'), 'junk '.repeat(500));
    lockState(directory).release();
  });
});

describe('the directory', () => {
  test('is --state, then $SERIN_STATE, then $XDG_STATE_HOME/serin, then ~/.local/state/serin', () => {
    expect(stateDirectory('/a', { SERIN_STATE: '/b' })).toBe('/a');
    expect(stateDirectory(undefined, { SERIN_STATE: '/b', XDG_STATE_HOME: '/c' })).toBe('/b');
    expect(stateDirectory(undefined, { XDG_STATE_HOME: '/c' })).toBe('/c/serin');
    expect(stateDirectory(undefined, { XDG_STATE_HOME: 'relative' })).toMatch(/\/\.local\/state\/serin$/);
  });

  test('is made 0700; one that is open to others is warned about and left as it is', () => {
    expect(prepareDirectory(join(directory, 'a', 'b'))).toBeUndefined();
    expect(statSync(join(directory, 'a', 'b')).mode & 0o777).toBe(0o700);
    chmodSync(directory, 0o755);
    expect(prepareDirectory(directory)).toContain('chmod 700');
    expect(statSync(directory).mode & 0o777).toBe(0o755);
  });

  test('that cannot be used is named', () => {
    writeFileSync(join(directory, 'file'), '');
    expect(() => prepareDirectory(join(directory, 'file', 'state'))).toThrow(StateError);
    // A directory that is there and takes no new ones: mkdir's own recursion would not end.
    if (process.platform === 'linux') expect(() => prepareDirectory('/proc/serin/state')).toThrow(StateError);
    expect(() => prepareDirectory(join(directory, 'file', 'state'))).toThrow(join(directory, 'file', 'state'));
  });

  test('daemon.json that is missing or half written tells nothing', () => {
    expect(readDaemonInfo(directory)).toBeUndefined();
    writeFileSync(join(directory, 'daemon.json'), '{"pid": 12');
    expect(readDaemonInfo(directory)).toBeUndefined();
  });
});

describe('the token', () => {
  test('is made once, 256 bits, for the owner only', () => {
    const token = ensureToken(directory, () => undefined);
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    expect(statSync(join(directory, 'token')).mode & 0o777).toBe(0o600);
    expect(ensureToken(directory, () => undefined)).toBe(token);
    expect(readToken(directory)).toBe(token);
  });

  test('that others could read is closed and said', () => {
    ensureToken(directory, () => undefined);
    chmodSync(join(directory, 'token'), 0o644);
    const notices: string[] = [];
    ensureToken(directory, (notice) => notices.push(notice));
    expect(statSync(join(directory, 'token')).mode & 0o777).toBe(0o600);
    expect(notices[0]).toContain('0644');
  });

  test('that is damaged is replaced', () => {
    writeFileSync(join(directory, 'token'), '');
    expect(ensureToken(directory, () => undefined)).toMatch(/^[\w-]{43}$/);
  });
});
