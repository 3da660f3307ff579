/** A release of three versions in a running Serin: one that fails leaves, another is chosen, a crash in between changes nothing. */
import { createServer, type Server } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { rolloutStatus, untilRollout } from '../helpers/admin-api.ts';
import { RawLoad } from '../helpers/raw-load.ts';
import { serin, type Finished, SerinProcess } from '../helpers/serin-process.ts';
import { ask, close, listen, startUpstream, tally, type Upstream } from '../helpers/upstream.ts';

let good: readonly Upstream[];
let broken: Server;
let brokenPort: number;
let directory: string;
let state: string;
const started: SerinProcess[] = [];

beforeAll(async () => {
  good = await Promise.all(['v1', 'v2', 'v4'].map((name) => startUpstream(name)));
  broken = createServer((_request, response) => response.writeHead(500).end('v3'));
  brokenPort = await listen(broken);
});

afterAll(() => Promise.all([...good.map((upstream) => upstream.close()), close(broken)]));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-several-'));
  state = join(directory, 'state');
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.end()));
  rmSync(directory, { recursive: true, force: true });
});

async function up(rollout: string): Promise<SerinProcess> {
  const [v1, v2, v4] = good.map(({ port }) => `http://127.0.0.1:${port}`);
  const config = join(directory, 'config.yaml');
  writeFileSync(
    config,
    `services:
  reviews:
    versions: { v1: ${v1}, v2: ${v2}, v3: http://127.0.0.1:${brokenPort}, v4: ${v4} }
    routes: [{ to: v1 }]
${rollout}`,
  );
  const process = new SerinProcess(['up', '-f', config, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0']);
  started.push(process);
  return process.ready();
}

const cli = (...args: string[]): Promise<Finished> => serin(['rollout', ...args, '--state', state]);

const Status = z.looseObject({
  phase: z.string(),
  message: z.string(),
  weights: z.record(z.string(), z.number()),
  candidates: z.array(z.looseObject({ subset: z.string(), fate: z.string(), weight: z.number(), reason: z.string().optional() })),
  decisions: z.array(z.looseObject({ action: z.string(), by: z.string(), reason: z.string(), evidence: z.unknown().optional() })),
});
type Status = z.infer<typeof Status>;

const until = (process: SerinProcess, holds: (found: Status) => boolean): Promise<Status> => untilRollout(process, state, Status, holds);

/** Requests go on until it is so. */
async function underLoad(process: SerinProcess, holds: (found: Status) => boolean): Promise<Status> {
  const load = new RawLoad(process.address('mesh'), 'reviews', 4);
  const found = await until(process, holds);
  await load.stop();
  return found;
}

const fates = ({ candidates }: Status): Record<string, string> => Object.fromEntries(candidates.map(({ subset, fate }) => [subset, fate]));
const MESH = { headers: { host: 'reviews' } };

test('one fails and is dropped, the others go on over a crash, one of them is chosen and promoted', { timeout: 120_000 }, async () => {
  const rollout =
    '    rollout: { stable: v1, canaries: [v2, v3, v4], steps: [{ setWeight: 30 }, { pause: {} }, { setWeight: 60 }, { setWeight: 100 }] }\n';
  const process = await up(rollout);
  await until(process, ({ phase }) => phase === 'Paused');
  const dropped = await underLoad(process, (found) => fates(found)['v3'] === 'dropped');
  expect(dropped).toMatchObject({ phase: 'Paused', weights: { v1: 80, v2: 10, v3: 0, v4: 10 } });
  expect(fates(dropped)).toEqual({ v2: 'inRace', v3: 'dropped', v4: 'inRace' });
  const drop = dropped.decisions.find(({ action }) => action === 'drop');
  expect(drop).toMatchObject({
    by: 'engine',
    reason: expect.stringMatching(/^v3 is dropped: .*; v2 and v4 go on$/),
    evidence: expect.anything(),
  });
  expect(Object.keys(await tally(process.address('mesh'), 300, MESH)).toSorted()).toEqual(['v1', 'v2', 'v4']);

  process.signal('SIGKILL');
  await process.finished;
  const again = await up(rollout);
  expect(await rolloutStatus(again, state, Status)).toMatchObject({ phase: 'Paused', weights: dropped.weights });
  expect(Object.keys(await tally(again.address('mesh'), 300, MESH)).toSorted()).toEqual(['v1', 'v2', 'v4']);

  expect(await cli('promote', 'reviews')).toMatchObject({ code: 0 });
  const choosing = await underLoad(again, ({ message }) => message.includes('still in the race'));
  expect(choosing).toMatchObject({ phase: 'Paused', weights: { v1: 40, v2: 30, v3: 0, v4: 30 } });
  expect(await cli('promote', 'reviews')).toMatchObject({ code: 6, err: expect.stringContaining('one of v2, v4: name it with --to') });
  expect(await cli('promote', 'reviews', '--to', 'v3')).toMatchObject({ code: 6, err: expect.stringContaining('v3 is not in the race') });
  expect(await cli('promote', 'reviews', '--to', 'v4')).toMatchObject({ code: 0 });
  const done = await underLoad(again, ({ phase }) => phase === 'Healthy');
  expect(fates(done)).toEqual({ v2: 'outdone', v3: 'dropped', v4: 'promoted' });
  expect(await tally(again.address('mesh'), 100, MESH)).toEqual({ v4: 100 });

  const shown = await cli('status', 'reviews');
  expect(shown.out).toContain('v1 stable, v2 and v3 and v4 canaries');
  const lines = shown.out.split('\n').filter((line) => /^ {2}v\d/.test(line));
  expect(lines).toEqual([
    '  v2  outdone: v4 was chosen: chosen by hand',
    expect.stringMatching(/^ {2}v3 {2}dropped: .*error rate/),
    '  v4  promoted',
  ]);
  expect(await cli('undo', 'reviews')).toMatchObject({ code: 0 });
  expect(await tally(again.address('mesh'), 100, MESH)).toEqual({ v1: 100 });
});

test('by hand, for a service without a Rollout; a cohort for one of them, by the file', { timeout: 120_000 }, async () => {
  const process = await up('');
  expect(await cli('start', 'reviews', '--to', 'v2', '--to', 'v4')).toMatchObject({
    code: 0,
    out: expect.stringContaining('v2 and v4 canaries'),
  });
  expect(fates(await rolloutStatus(process, state, Status))).toEqual({ v2: 'inRace', v4: 'inRace' });
  expect(await cli('start', 'reviews', '--to', 'v2', '--to', 'v2')).toMatchObject({ code: 3 });
  expect(await cli('promote', 'reviews', '--full', '--to', 'v2')).toMatchObject({ code: 0 });
  await until(process, ({ phase }) => phase === 'Healthy');
  expect(await tally(process.address('mesh'), 100, MESH)).toEqual({ v2: 100 });
  await process.end();

  rmSync(state, { recursive: true });
  const cohort = '{ setHeaderRoute: { match: [{ headerName: end-user, headerValue: { exact: jason } }], to: v4 } }';
  const other = await up(`    rollout: { stable: v1, canaries: [v2, v4], steps: [${cohort}, { pause: {} }, { setWeight: 100 }] }\n`);
  await until(other, ({ phase }) => phase === 'Paused');
  expect((await ask(other.address('mesh'), { headers: { host: 'reviews', 'end-user': 'jason' } })).body).toContain('v4');
  expect(await tally(other.address('mesh'), 50, MESH)).toEqual({ v1: 50 });
});
