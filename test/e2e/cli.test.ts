/** The command as a process: pipes, signals, colours, the launcher, and the published package. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readDaemonInfo } from '../../src/app/state-directory.ts';
import { MAIN, serin, SerinProcess } from '../helpers/serin-process.ts';
import { ask } from '../helpers/upstream.ts';

const ROOT = join(import.meta.dirname, '../..');
const LAUNCHER = join(ROOT, 'bin/serin.cjs');
const CONFIG =
  'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: a }\nspec: { hosts: [a.example], http: [{ directResponse: { status: 204 } }] }\n';

let directory: string;
let config: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-cli-'));
  config = join(directory, 'config.yaml');
  writeFileSync(config, CONFIG);
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const UP = (): string[] => ['up', '-f', config, '--state', join(directory, 'state'), '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];

/** A Node older than the floor, where this machine has one: what the launcher is for. */
const OLD_NODE = (process.env['PATH'] ?? '')
  .split(delimiter)
  .concat('/usr/bin', '/usr/local/bin')
  .map((folder) => join(folder, 'node'))
  .find((file) => {
    const major = Number(/^v(\d+)/.exec(spawnSync(file, ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1] ?? 99);
    return major < 24;
  });

describe('output', () => {
  test('to a reader that goes away ends in silence', () => {
    const many = `${CONFIG}---\n`.repeat(3000).replaceAll(/name: a }/g, () => `name: a${Math.trunc(performance.now() * 1e6)}, wrong: 1 }`);
    writeFileSync(config, many);
    const { stderr, stdout } = spawnSync('sh', ['-c', `"${process.execPath}" "${MAIN}" validate -f "${config}" -o json | head -1`], {
      encoding: 'utf8',
    });
    expect([stderr, stdout]).toEqual(['', '[\n']);
  });

  test('that cannot be written: exit 1 and a message', () => {
    const { status, stderr } = spawnSync('sh', ['-c', `"${process.execPath}" "${MAIN}" validate -f "${config}" > /dev/full`], {
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^serin: cannot write to standard output: .*ENOSPC/);
    expect(stderr).not.toContain(' at ');
  });

  test('has colours only where they are wanted', async () => {
    writeFileSync(config, CONFIG.replace('spec:', 'spce:'));
    const escape = '\u001b[';
    expect((await serin(['validate', '-f', config])).out).not.toContain(escape);
    expect((await serin(['validate', '-f', config], { env: { NO_COLOR: '1', COLUMNS: '20' } })).out).not.toContain(escape);
    expect((await serin(['validate', '-f', config], { env: { FORCE_COLOR: '1' } })).out).toContain(escape);
    expect((await serin(['validate', '-f', config, '-o', 'json'], { env: { FORCE_COLOR: '1' } })).out).not.toContain(escape);
  });
});

describe('arguments', () => {
  test('a megabyte, newlines and emoji are refused without harm', async () => {
    const { code, err } = await serin(['x'.repeat(100_000)]);
    expect(code).toBe(2);
    expect(err).toContain('unknown command');
    expect((await serin(['🐦\n\u001b[2J'])).err).not.toContain('\u001b');
  });
});

describe('the state directory', () => {
  test('that cannot be written: exit 1 naming the path', async () => {
    writeFileSync(join(directory, 'file'), '');
    const { code, err } = await serin(['up', '-f', config, '--state', join(directory, 'file/state')]);
    expect(code).toBe(1);
    expect(err).toContain(join(directory, 'file/state'));
  });

  test('is found by $SERIN_STATE and $XDG_STATE_HOME', async () => {
    const up = new SerinProcess(['up', '-f', config, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'], {
      env: { XDG_STATE_HOME: directory },
    });
    await up.ready();
    expect((await serin(['get', 'vs'], { env: { SERIN_STATE: join(directory, 'serin') } })).out).toContain('a.example');
    up.signal('SIGTERM');
    expect((await up.finished).code).toBe(0);
  });
});

describe('the launcher', () => {
  test('runs the program in its own process on a new Node', () => {
    const { status, stdout } = spawnSync(process.execPath, [LAUNCHER, '--version'], { encoding: 'utf8' });
    expect([status, stdout]).toEqual([0, `${String(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version)}\n`]);
    expect(spawnSync(process.execPath, [LAUNCHER, 'nonsense']).status).toBe(2);
  });

  // Skipped where every Node on the PATH is new enough.
  describe.skipIf(OLD_NODE === undefined)('on an old Node', () => {
    const old = OLD_NODE ?? '';

    test('starts the one npm brought and ends as it ended', () => {
      expect(spawnSync(old, [LAUNCHER, '--version']).status).toBe(0);
      expect(spawnSync(old, [LAUNCHER, 'nonsense']).status).toBe(2);
      expect(spawnSync(old, [LAUNCHER, 'validate', '-f', '-'], { input: CONFIG }).status).toBe(0);
    });

    test('passes SIGTERM on and ends with 0', async () => {
      const up = await new SerinProcess(UP(), { command: [old, LAUNCHER] }).ready();
      up.signal('SIGTERM');
      expect(await up.finished).toMatchObject({ code: 0, signal: null });
    });

    test('a signal sent to the whole group, so twice to the program, is one: it drains', async () => {
      const up = await new SerinProcess(UP(), { command: [old, LAUNCHER] }).ready();
      process.kill(readDaemonInfo(join(directory, 'state'))?.pid ?? 0, 'SIGTERM');
      up.signal('SIGTERM');
      expect(await up.finished).toMatchObject({ code: 0, signal: null });
      expect(up.err).not.toContain('requests in flight are lost');
    });

    test('kill -9 of the launcher leaves no orphan on the state directory', async () => {
      const first = await new SerinProcess(UP(), { command: [old, LAUNCHER] }).ready();
      first.signal('SIGKILL');
      // Output is complete only when the program itself has ended, too.
      await first.finished;
      const second = await new SerinProcess(UP()).ready();
      expect((await ask(second.address('admin'), { path: '/readyz' })).status).toBe(200);
      second.signal('SIGTERM');
      await second.finished;
    });

    test('without one says so in a line and ends with 1', () => {
      cpSync(LAUNCHER, join(directory, 'bin/serin.cjs'), { recursive: true });
      const { status, stdout, stderr } = spawnSync(old, [join(directory, 'bin/serin.cjs'), '--version'], { encoding: 'utf8' });
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^serin: needs Node 24 or newer, this is v\d+\.[^\n]*\n$/);
    });
  });
});

test('the published package starts, serves and ends', async () => {
  execFileSync(process.execPath, [join(ROOT, 'scripts/build.ts')], { stdio: 'pipe' });
  const manifest: Record<string, unknown> = JSON.parse(readFileSync(join(ROOT, 'dist/package.json'), 'utf8'));
  expect(manifest).toMatchObject({ name: 'serin', bin: { serin: 'bin/serin.cjs' } });
  for (const member of ['private', 'devDependencies', 'optionalDependencies', 'scripts']) expect(manifest).not.toHaveProperty(member);
  // As npm installs it: inside node_modules, where Node strips no types.
  const installed = join(directory, 'node_modules/serin');
  cpSync(join(ROOT, 'dist'), installed, { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(installed, 'node_modules'));
  const command = [process.execPath, join(installed, 'bin/serin.cjs')];
  expect((await serin(['--version'], { command })).out).toBe(`${String(manifest['version'])}\n`);
  const up = await new SerinProcess(UP(), { command }).ready();
  expect((await ask(up.address('mesh'), { headers: { host: 'a.example' } })).status).toBe(204);
  up.signal('SIGTERM');
  expect((await up.finished).code).toBe(0);
}, 60_000);
