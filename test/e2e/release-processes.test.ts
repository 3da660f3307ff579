/**
 * Releases of versions that Serin runs, with real processes: the new one is started for its release, the old one goes away at the end, and comes back
 * for the way back; no request is lost.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { askAdmin, rolloutStatus, untilRollout } from '../helpers/admin-api.ts';
import { eventually, writeProgram } from '../helpers/process-program.ts';
import { RawLoad } from '../helpers/raw-load.ts';
import { replaceFile } from '../helpers/replace-file.ts';
import { type Finished, serin, SerinProcess } from '../helpers/serin-process.ts';
import { ask, tally } from '../helpers/upstream.ts';

let directory: string;
let config: string;
let state: string;
const started: SerinProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-release-processes-'));
  [config, state] = [join(directory, 'serin.yaml'), join(directory, 'state')];
  writeProgram(directory);
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.stop()));
  rmSync(directory, { recursive: true, force: true });
});

const starts = (version: string): string => join(directory, `starts-${version}`);
const startsOf = (version: string): number =>
  existsSync(starts(version)) ? readFileSync(starts(version), 'utf8').trim().split('\n').length : 0;
const run = (version: string, env = ''): string =>
  `${version}: { run: node program.cjs, env: { NAME: ${version}, STARTS: ${starts(version)}${env} } }`;

function save(versions: readonly string[], rollout: string, routes = '[{ to: v1 }]'): void {
  const lines = ['services:', '  reviews:', `    versions: { ${versions.join(', ')} }`, `    routes: ${routes}`];
  if (rollout !== '') lines.push(`    rollout: { ${rollout} }`);
  replaceFile(config, `${lines.join('\n')}\n`);
}

function start(): Promise<SerinProcess> {
  const process = new SerinProcess(['up', '-f', config, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'], {
    env: { PATH: `${join(globalThis.process.execPath, '..')}:${globalThis.process.env['PATH'] ?? ''}` },
  });
  started.push(process);
  return process.ready();
}

const cli = (...args: string[]): Promise<Finished> => serin([...args, '--state', state]);
const MESH = { headers: { host: 'reviews' } };

const Processes = z.object({
  items: z.array(z.looseObject({ metadata: z.looseObject({ name: z.string() }), status: z.looseObject({ phase: z.string() }) })),
});

/** `reviews-v1-1 ready, reviews-v2 stopped` */
async function processes(process: SerinProcess): Promise<string> {
  return Processes.parse((await askAdmin(process, state, { path: 'processes' })).json)
    .items.map(({ metadata, status }) => `${metadata.name} ${status.phase}`)
    .toSorted()
    .join(', ');
}

const runs = async (process: SerinProcess, expected: string): Promise<void> =>
  eventually(async () => (await processes(process)) === expected, expected);

const Status = z.looseObject({
  phase: z.string(),
  message: z.string(),
  weights: z.record(z.string(), z.number()).optional(),
  decisions: z.array(z.looseObject({ action: z.string(), reason: z.string(), canaryPercent: z.number() })),
});
type Status = z.infer<typeof Status>;

const status = (process: SerinProcess): Promise<Status> => rolloutStatus(process, state, Status);
const until = (process: SerinProcess, holds: (status: Status) => boolean): Promise<Status> => untilRollout(process, state, Status, holds);

/** A verb of `serin rollout`, which has to succeed. */
async function rollout(...args: string[]): Promise<void> {
  const [verb = '', ...rest] = args;
  expect(await cli('rollout', verb, 'reviews', ...rest)).toMatchObject({ code: 0, err: '' });
}

const STRATEGY = 'strategy: { canary: { scaleDownDelay: 500ms, steps: [{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }] } }';

describe('a canary of a program', { timeout: 120_000 }, () => {
  test('is started for its release, and the old version stops after it; not one request is lost', async () => {
    save([run('v1'), run('v2', ', DELAY_MS: 300')], `stable: v1, canary: v2, paused: true, ${STRATEGY}`);
    const process = await start();
    expect(await processes(process)).toBe('reviews-v1-1 ready, reviews-v2 stopped');
    expect((await cli('get', 'processes')).out).toMatch(/reviews-v2 +v2 +stopped .*nothing sends to it: its release has not started/);
    expect(startsOf('v2')).toBe(0);
    const load = new RawLoad(process.address('mesh'), 'reviews', 4);
    await rollout('start');
    await eventually(() => (load.tally.bodies.get('v2') ?? 0) > 50, 'v2 serves');
    await until(process, ({ phase }) => phase === 'Paused');
    expect(await processes(process)).toBe('reviews-v1-1 ready, reviews-v2-1 ready');
    await rollout('promote');
    await runs(process, 'reviews-v1 stopped, reviews-v2-1 ready');
    const sent = load.tally.sent;
    await eventually(() => load.tally.sent > sent + 50, 'v2 goes on');
    const done = await load.stop();
    expect([done.failed, done.failures]).toEqual([0, []]);
    expect((await cli('get', 'processes')).out).toContain('nothing sends to it: v2 serves in its place');
    expect((await status(process)).decisions.at(-1)).toMatchObject({
      action: 'scaleDown',
      reason: 'v1 is not needed any more: kept for 0.5s after the end',
    });
    // How it ended is still what the status says.
    expect((await status(process)).message).toMatch(/^v2 is promoted/);
    // The stopped one is not started again, however Serin ends.
    process.signal('SIGKILL');
    await process.finished;
    const again = await start();
    expect(await processes(again)).toBe('reviews-v1 stopped, reviews-v2-1 ready');
    expect([startsOf('v1'), startsOf('v2')]).toEqual([1, 2]);
    expect(await tally(again.address('mesh'), 20, MESH)).toEqual({ v2: 20 });
  });

  test('without a Rollout: start --to v2; a rule of the files that names the old version keeps it, no matter who serves', async () => {
    save([run('v1'), run('v2'), run('v3')], '');
    const process = await start();
    const all = 'reviews-v1-1 ready, reviews-v2-1 ready, reviews-v3-1 ready';
    expect(await processes(process)).toBe(all);
    await rollout('start', '--to', 'v2');
    await rollout('promote', '--full');
    await until(process, (now) => now.phase === 'Healthy');
    const mark = process.err.length;
    save([run('v1'), run('v2'), run('v3')], '', '[{ match: { headers: { who: jason } }, to: v1 }, { to: v2 }]');
    await process.logged(/configuration changed/, mark);
    expect(await tally(process.address('mesh'), 20, MESH)).toEqual({ v2: 20 });
    expect(await tally(process.address('mesh'), 20, { headers: { host: 'reviews', who: 'jason' } })).toEqual({ v1: 20 });
    expect(await processes(process)).toBe(all);
  });

  test('taken back, the new version is kept for a look, then stops; a second try starts it again', async () => {
    save([run('v1'), run('v2')], `stable: v1, canary: v2, ${STRATEGY}`);
    const process = await start();
    await until(process, ({ phase, weights }) => phase === 'Paused' && weights?.['v2'] === 50);
    await rollout('abort');
    expect((await status(process)).phase).toBe('Degraded');
    await runs(process, 'reviews-v1-1 ready, reviews-v2 stopped');
    const load = new RawLoad(process.address('mesh'), 'reviews', 2);
    await rollout('retry');
    await eventually(() => (load.tally.bodies.get('v2') ?? 0) > 20, 'v2 serves again');
    const done = await load.stop();
    expect([done.failed, done.failures]).toEqual([0, []]);
    expect(startsOf('v2')).toBe(2);
  });

  test('a version that never is ready gets no request; the release waits and says why', async () => {
    save([run('v1'), `v2: { run: node program.cjs, env: { CRASH: 1 }, ready: { timeout: 500ms } }`], `stable: v1, canary: v2, ${STRATEGY}`);
    const process = await start();
    await until(process, (now) => now.message.includes('exit code 3'));
    expect((await status(process)).phase).toBe('Progressing');
    expect(await tally(process.address('mesh'), 50, MESH)).toEqual({ v1: 50 });
  });

  test('a shift onto a stopped version, and files that name it, start it first', async () => {
    save([run('v1'), run('v2'), run('v3')], `stable: v1, canary: v2, paused: true, ${STRATEGY}`);
    const process = await start();
    const load = new RawLoad(process.address('mesh'), 'reviews', 4);
    expect(await cli('shift', 'reviews', 'v1=50', 'v2=50')).toMatchObject({ code: 0 });
    await eventually(() => (load.tally.bodies.get('v2') ?? 0) > 20, 'v2 serves');
    expect(await cli('shift', 'reviews', '--reset')).toMatchObject({ code: 0 });
    await eventually(async () => (await processes(process)).includes('reviews-v2 stopped'), 'v2 has stopped');
    save([run('v1'), run('v2'), run('v3')], `stable: v1, canary: v2, paused: true, ${STRATEGY}`, '[{ split: { v1: 50, v2: 50 } }]');
    const before = load.tally.bodies.get('v2') ?? 0;
    await eventually(() => (load.tally.bodies.get('v2') ?? 0) > before + 20, 'v2 serves by the files');
    const done = await load.stop();
    expect([done.failed, done.failures]).toEqual([0, []]);
  });
});

describe('the way back onto a version that was stopped', { timeout: 120_000 }, () => {
  const promoted = async (rollback: string): Promise<SerinProcess> => {
    save([run('v1', ', DELAY_MS: 300'), run('v2')], `stable: v1, canary: v2, ${STRATEGY}, ${rollback}`);
    const process = await start();
    await until(process, ({ phase, weights }) => phase === 'Paused' && weights?.['v2'] === 50);
    await tally(process.address('mesh'), 100, MESH);
    await rollout('promote');
    await runs(process, 'reviews-v1 stopped, reviews-v2-1 ready');
    return process;
  };

  test('starts it, waits until it is ready, and moves the shares in steps: no request fails', async () => {
    const process = await promoted('rollback: { steps: [20, 60], interval: 400ms }');
    const load = new RawLoad(process.address('mesh'), 'reviews', 4);
    // Its answer, and no later one: everybody may be back before the next.
    const { json } = await askAdmin(process, state, { path: 'rollouts/default/reviews/undo', body: {} });
    expect(json).toMatchObject({ status: { phase: 'Progressing' } });
    await until(process, (now) => now.phase === 'Degraded');
    const sent = load.tally.sent;
    await eventually(() => load.tally.sent > sent + 50, 'requests go on');
    const done = await load.stop();
    expect([done.failed, done.failures]).toEqual([0, []]);
    expect(await tally(process.address('mesh'), 20, MESH)).toEqual({ v1: 20 });
    const { decisions } = await status(process);
    const since = decisions.findLastIndex(({ action }) => action === 'scaleDown');
    expect(decisions.slice(since + 1).map(({ action, canaryPercent }) => `${action} ${canaryPercent}`)).toEqual([
      'undo 100',
      'step 80',
      'step 40',
      'undo 0',
    ]);
    await runs(process, 'reviews-v1-1 ready, reviews-v2 stopped');
  });

  test('goes on after kill -9 where it was', async () => {
    const process = await promoted('rollback: { steps: [20, 60], interval: 1h }');
    await rollout('undo');
    await until(process, (now) => now.weights?.['v1'] === 20);
    process.signal('SIGKILL');
    await process.finished;
    const again = await start();
    expect(await status(again)).toMatchObject({ phase: 'Progressing', weights: { v1: 20, v2: 80 } });
    expect(await processes(again)).toBe('reviews-v1-1 ready, reviews-v2-1 ready');
    // Somebody who cannot wait.
    await rollout('undo', '--full');
    await until(again, (now) => now.phase === 'Degraded');
    expect(await tally(again.address('mesh'), 20, MESH)).toEqual({ v1: 20 });
  });

  test('a Rollout that leaves the files: they come into force when what they send to runs again', async () => {
    const process = await promoted('rollback: { interval: 100ms }');
    const load = new RawLoad(process.address('mesh'), 'reviews', 4);
    save([run('v1', ', DELAY_MS: 300'), run('v2')], '');
    await eventually(async () => (await ask(process.address('mesh'), MESH)).body === 'v1', 'v1 serves, as the files say');
    const done = await load.stop();
    expect([done.failed, done.failures]).toEqual([0, []]);
  });
});
