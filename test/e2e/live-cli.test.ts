/** `serin status`, `top` and `logs` of a running Serin that carries requests: in a pipe, as JSON, and in a terminal. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LiveUpdate } from '../../src/admin/live-types.ts';
import { writeProgram } from '../helpers/process-program.ts';
import { replaceFile } from '../helpers/replace-file.ts';
import { type Finished, serin, SerinProcess } from '../helpers/serin-process.ts';
import { Terminal } from '../helpers/terminal.ts';
import { serinInTerminal } from '../helpers/terminal-session.ts';
import { ask, startUpstream, type Upstream } from '../helpers/upstream.ts';

let directory: string;
let state: string;
let config: string;
let upstream: Upstream;
let daemon: SerinProcess;
const loading = new AbortController();
let load: Promise<void>;

const files = (): string => `
services:
  reviews:
    versions: { v1: { run: node program.cjs, env: { NAME: one, TOKEN: abc } }, v2: http://127.0.0.1:${upstream.port} }
    routes: [{ split: { v1: 80, v2: 20 } }]
  ratings:
    versions: { v1: http://127.0.0.1:${upstream.port} }
    routes: [{ to: v1 }]
`;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-live-cli-'));
  [config, state] = [join(directory, 'serin.yaml'), join(directory, 'state')];
  writeProgram(directory);
  upstream = await startUpstream('v2');
  replaceFile(config, files());
  daemon = new SerinProcess(['up', '-f', config, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'], {
    env: { PATH: `${join(process.execPath, '..')}:${process.env['PATH'] ?? ''}` },
  });
  await daemon.ready();
  load = (async () => {
    while (!loading.signal.aborted) {
      await ask(daemon.address('mesh'), { headers: { host: 'reviews' } });
      await sleep(10);
    }
  })();
});

afterAll(async () => {
  loading.abort();
  await load;
  daemon.signal('SIGTERM');
  await daemon.finished;
  await upstream.close();
  rmSync(directory, { recursive: true, force: true });
});

const cli = (...args: string[]): Promise<Finished> => serin([...args, '--state', state]);

test('top in a pipe is one table, the busiest first; as JSON it is what the API says', async () => {
  const { code, out } = await cli('top');
  expect(code).toBe(0);
  expect(out).toMatch(/^[\d.,]+ requests a second, 0% fail, \d+ in flight\n\nSERVICE +VERSION +ROLE +WEIGHT +SHARE/);
  expect(out).toMatch(/^reviews +v1 +- +80% +\d+(?:\.\d)?% +\d+\S* +0% +\d+ +\S+ms +\S+ms +\S+ms +1\/1, 1\/1 processes$/m);
  expect(out.indexOf('\nreviews')).toBeLessThan(out.indexOf('\nratings'));
  expect(out).not.toContain('\u001b');
  const { out: json } = await cli('top', '-o', 'json', '-n', 'default');
  expect(LiveUpdate.parse(JSON.parse(json)).services.map(({ name }) => name)).toContain('reviews');
  expect((await cli('top', '-n', 'other')).out).toContain('no services');
});

test('top in a terminal is drawn over, in colours', async () => {
  const session = serinInTerminal(['top', '--state', state], { columns: 160 });
  await session.until(/\d in flight[\s\S]*\u001b\[\d+A\u001b\[J/);
  session.type('\u0003');
  const text = (await session.finished).replace('^C', '');
  expect(new Terminal(160).write(text).text.match(/^SERVICE/gm)).toHaveLength(1);
  expect(text).toContain('\u001b[1mSERVICE');
});

test('status is a page; exit 1 and a sentence when something is wrong', async () => {
  const well = await cli('status');
  expect(well).toMatchObject({ code: 0, err: '' });
  expect(well.out).toMatch(/^serin at http:\/\/127\.0\.0\.1:\d+ {2}all is well {2}configuration \S+ since \d{4}-/);
  expect(well.out).toMatch(/^mesh +http:\/\/127\.0\.0\.1:\d+ +services by name$/m);
  expect(well.out).toMatch(/^reviews +v2 +- +20%/m);

  const session = serinInTerminal(['status', '-w', '--state', state], { columns: 160 });
  await session.until(/all is well/);
  replaceFile(config, 'services: { reviews: 1 }\n');
  await session.until(/1 wrong[\s\S]*are not in force: \d+ error/);
  session.type('\u0003');
  await session.finished;
  const { code, out } = await cli('status');
  expect(code).toBe(1);
  expect(out).toMatch(/\nwrong\nthe files read at \S+ are not in force: \d+ error/);
  expect(JSON.parse((await cli('status', '-o', 'json')).out)).toMatchObject({
    configuration: { reload: { successful: false } },
    problems: [expect.any(String)],
  });
  replaceFile(config, files());
  while ((await cli('status')).code !== 0) await sleep(50);
});

test('logs of a version, and what it goes on to print', async () => {
  const { code, out } = await cli('logs', 'reviews-v1', '--lines', '5');
  expect(code).toBe(0);
  expect(out).toMatch(/^\d{4}-\S+Z \d+ out /m);
  expect(out.trim().split('\n').length).toBeLessThanOrEqual(5);
  const wrong = await cli('logs', 'reviews-v9');
  expect(wrong.code).toBe(5);
  expect(wrong.err).toMatch(/no process 'reviews-v9'\n {4}hint: did you mean reviews-v1/);
  expect((await cli('logs', 'reviews-v1', '--lines', '0')).err).toMatch(/whole number from 1 to 5000/);

  const following = new SerinProcess(['logs', 'reviews-v1', '-f', '-o', 'json', '--state', state]);
  await following.printed(/^\{"text":".*"\}$/m);
  replaceFile(config, files().replace('NAME: one', 'NAME: two'));
  await following.printed(/SIGTERM/);
  following.signal('SIGINT');
  expect((await following.finished).signal).toBe('SIGINT');
});

test('no Serin: exit 4 and what to do', async () => {
  for (const args of [['top'], ['status'], ['status', '-w'], ['logs', 'reviews-v1', '-f']]) {
    const { code, err } = await serin([...args, '--state', join(directory, 'none')]);
    expect([code, err]).toEqual([4, expect.stringContaining('serin up -f')]);
  }
});
