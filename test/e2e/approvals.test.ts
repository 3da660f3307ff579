/** Releases that people have to agree to, with a real daemon: who may, who may not, what is kept and shown. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { type AdminAnswer, askAdmin, untilReviews } from '../helpers/admin-api.ts';
import { type Finished, serin, SerinProcess } from '../helpers/serin-process.ts';
import { startUpstream, tally, type Upstream } from '../helpers/upstream.ts';

let v1: Upstream;
let v2: Upstream;
let directory: string;
let state: string;
let daemon: SerinProcess;
const MESH = { headers: { host: 'reviews' } };

beforeAll(async () => {
  [v1, v2] = await Promise.all([startUpstream('v1'), startUpstream('v2')]);
});

afterAll(() => Promise.all([v1.close(), v2.close()]));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-approvals-'));
  state = join(directory, 'state');
});

afterEach(async () => {
  await daemon.end();
  rmSync(directory, { recursive: true, force: true });
});

async function up(rollout?: string): Promise<void> {
  const config = join(directory, 'config.yaml');
  if (rollout !== undefined)
    writeFileSync(
      config,
      `
services:
  reviews:
    versions: { v1: http://127.0.0.1:${v1.port}, v2: http://127.0.0.1:${v2.port} }
    routes: [{ to: v1 }]
    rollout: { stable: v1, canary: v2, ${rollout} }
`,
    );
  daemon = await new SerinProcess(['up', '-f', config, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0']).ready();
}

const cli = (...args: readonly string[]): Promise<Finished> => serin(['rollout', ...args, 'reviews', '--state', state]);

const Made = z.object({ token: z.string() });

async function make(name: string): Promise<string> {
  const { json } = await askAdmin(daemon, state, { path: 'tokens', body: { name, scope: 'operate' } });
  return Made.parse(json).token;
}

/** @param token Default: the one of the state directory. */
const act = (verb: string, token?: string, body: object = {}): Promise<AdminAnswer> =>
  askAdmin(daemon, state, { path: `rollouts/default/reviews/${verb}`, body, ...(token === undefined ? {} : { token }) });

const until = (pattern: RegExp): Promise<void> => untilReviews(daemon, state, pattern);

test('two of three have to agree; the starter, strangers, the first token and --full do not get past', { timeout: 120_000 }, async () => {
  await up('paused: true, steps: [{ pause: { approval: { by: [ana, ben, cleo], count: 2 } } }, { setWeight: 100 }]');
  const [ana, ben, cleo, dora] = [await make('ana'), await make('ben'), await make('cleo'), await make('dora')];
  expect(await act('start', ana)).toMatchObject({ status: 200 });
  await until(/waits for 2 approvals by ben or cleo/);

  const refused = (detail: string): object => ({ status: 403, json: { code: 'E_APPROVAL', detail: expect.stringContaining(detail) } });
  expect(await act('promote', dora)).toMatchObject(refused('dora is not among those who may approve; ben or cleo may'));
  expect(await act('promote', ana)).toMatchObject(refused('ana started this release'));
  expect(await cli('promote')).toMatchObject({ code: 1, err: expect.stringContaining('admin is not among') });
  expect(await act('promote', ben, { full: true })).toMatchObject({
    status: 409,
    json: { detail: expect.stringContaining('cannot promote in full: step 1') },
  });

  expect(await act('promote', ben)).toMatchObject({
    status: 200,
    json: { status: { approval: { needed: 2, approved: ['ben'], awaited: ['cleo'] } } },
  });
  // An approval is durable.
  daemon.signal('SIGKILL');
  await daemon.finished;
  await up();
  expect((await cli('status')).out).toMatch(/approvals +1 of 2: ben; awaited from cleo/);
  expect(await tally(daemon.address('mesh'), 50, MESH)).toEqual({ v1: 50 });

  expect(await act('promote', cleo)).toMatchObject({ status: 200 });
  await until(/^Healthy/);
  expect(await tally(daemon.address('mesh'), 50, MESH)).toEqual({ v2: 50 });
  const history = (await cli('history')).out;
  expect(history).toMatch(/ana +start/);
  expect(history).toMatch(/ben +approve .*approved by ben, 1 of 2/);
  expect(history).toMatch(/cleo +approve .*approved by cleo, 2 of 2/);
  expect(history).toMatch(/cleo +promote .*approved by ben and cleo/);
});

test('blue-green switches after an approval; taking back needs none', { timeout: 120_000 }, async () => {
  await up('strategy: { blueGreen: { approval: { by: [ana] }, scaleDownDelay: 1h } }');
  const [ana, dora] = [await make('ana'), await make('dora')];
  await until(/waits for approval by ana/);
  expect(await act('promote', dora)).toMatchObject({ status: 403 });
  expect(await act('promote', ana)).toMatchObject({ status: 200 });
  expect(await tally(daemon.address('mesh'), 50, MESH)).toEqual({ v2: 50 });
  expect(await act('abort', dora)).toMatchObject({ status: 200 });
  expect(await tally(daemon.address('mesh'), 50, MESH)).toEqual({ v1: 50 });
});
