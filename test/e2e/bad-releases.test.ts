/** Bad Rollouts, bad commands and bad requests about releases: each with its code and status, and the release under way is where it was. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually } from '../helpers/process-program.ts';
import { serin, SerinProcess } from '../helpers/serin-process.ts';
import { startUpstream, tally, type Upstream } from '../helpers/upstream.ts';

let directory = '';

describe('files', () => {
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'serin-bad-releases-'));
    writeFileSync(join(directory, 'plain.txt'), 'no program');
    writeFileSync(join(directory, 'open.secret'), 'hunter2\n');
    chmodSync(join(directory, 'open.secret'), 0o644);
    symlinkSync('/etc/hostname', join(directory, 'outside'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const rollout = (steps: string): string =>
    `services: { app: { versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }, routes: [{ to: v1 }], rollout: { stable: v1, canary: v2, steps: ${steps} } } }`;
  const program = (run: string): string => `services: { app: { versions: { v1: { run: ${run} } }, routes: [{ to: v1 }] } }`;

  test.each<[id: string, yaml: string, exit: number, code: string]>([
    ['B-24 smaller steps', rollout('[{ setWeight: 50 }, { setWeight: 10 }]'), 3, 'E_CONFIG_STEPS'],
    ['B-24 equal steps', rollout('[{ setWeight: 50 }, { setWeight: 50 }]'), 3, 'E_CONFIG_STEPS'],
    ['B-24 a first step of 0', rollout('[{ setWeight: 0 }, { setWeight: 100 }]'), 0, 'W_CONFIG_STEPS'],
    ['B-24 no last step of 100', rollout('[{ setWeight: 10 }]'), 0, 'W_CONFIG_STEPS'],
    ['B-25 no steps', rollout('[]'), 3, 'E_CONFIG_STEPS'],
    ['B-58 a pipe', program("'node a.js | tee log'"), 3, 'E_PROC_COMMAND'],
    ['B-58 a list of commands', program("'node a.js; rm -r x'"), 3, 'E_PROC_COMMAND'],
    ['B-58 a missing program', program('no-such-program-of-serin'), 3, 'E_PROC_COMMAND'],
    ['B-58 a file that is no program', program('./plain.txt'), 3, 'E_PROC_COMMAND'],
    ['B-59 a variable that is not set', program("node a.js, env: { A: '${NOT_SET_FOR_SERIN}' }"), 3, 'E_CONFIG_ENV'],
    ['B-59 a secret in the file', program("node a.js, env: { API_KEY: 'sk_live_abcdefghijklmnop' }"), 0, 'W_INLINE_SECRET'],
    ['B-60 a secret others can read', program('node a.js, env: { KEY: { file: open.secret } }'), 0, 'W_SECRET_PERMS'],
    ['B-60 a link out of the directory', program('node a.js, env: { KEY: { file: outside } }'), 3, 'E_SECRET_PATH'],
    ['B-60 a path out of the directory', program('node a.js, env: { KEY: { file: ../../etc/hostname } }'), 3, 'E_SECRET_PATH'],
  ])('%s', async (_id, yaml, exit, code) => {
    const file = join(directory, 'app.yaml');
    writeFileSync(file, yaml);
    const { code: ended, out, err } = await serin(['validate', '-f', file]);
    expect([ended, `${out}${err}`]).toEqual([exit, expect.stringContaining(`[${code}]`)]);
    // With its place, and a hint what to do.
    expect(`${out}${err}`).toMatch(/app\.yaml:1:\d+: [\s\S]*hint: /);
  });
});

describe('requests', () => {
  let upstreams: readonly Upstream[];
  let process: SerinProcess;
  let token: string;
  let before: unknown;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'serin-bad-requests-'));
    upstreams = await Promise.all(['v1', 'v2'].map((name) => startUpstream(name)));
    const [v1, v2] = upstreams.map(({ port }) => `http://127.0.0.1:${port}`);
    writeFileSync(
      join(directory, 'config.yaml'),
      `services:
  reviews:
    versions: { v1: '${v1}', v2: '${v2}' }
    routes: [{ to: v1 }]
    rollout: { stable: v1, canary: v2, steps: [{ setWeight: 30 }, { pause: {} }, { setWeight: 100 }] }
  details:
    versions: { v1: '${v1}', v2: http://127.0.0.1:1 }
    routes: [{ split: { v1: 100, v2: 0 } }]
    healthCheck: { path: /, interval: 100ms, unhealthyThreshold: 1 }
    rollout: { stable: v1, canary: v2, paused: true }
`,
    );
    const state = join(directory, 'state');
    const args = ['up', '-f', join(directory, 'config.yaml'), '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
    process = await new SerinProcess(args).ready();
    token = readFileSync(join(state, 'token'), 'utf8').trim();
    const shows = async (name: string, pattern: RegExp): Promise<boolean> =>
      pattern.test(JSON.stringify((await fetchJson(`rollouts/default/${name}`, {})).body));
    await eventually(() => shows('reviews', /"phase":"Paused".*"type":"InForce","status":"True"/), 'reviews waits at its second step');
    await eventually(() => shows('details', /v2 has no healthy endpoint: (?!not checked)/), 'details v2 is seen not to answer');
    before = await statusOf('reviews');
  });

  afterAll(async () => {
    await process.end();
    await Promise.all(upstreams.map((upstream) => upstream.close()));
    rmSync(directory, { recursive: true, force: true });
  });

  afterEach(async () => {
    expect(await statusOf('reviews')).toEqual(before);
    const { v1 = 0, v2 = 0 } = await tally(process.address('mesh'), 100, { headers: { host: 'reviews' } });
    expect(v1 + v2).toBe(100);
    // Seven standard deviations of a binomial(100, 0.3).
    expect(Math.abs(v2 - 30)).toBeLessThan(33);
  });

  async function fetchJson(path: string, init: RequestInit): Promise<{ status: number; body: unknown }> {
    const { host, port } = process.address('admin');
    const response = await fetch(`http://${host}:${port}/api/v1/${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...Object.fromEntries(new Headers(init.headers)) },
    });
    return { status: response.status, body: await response.json() };
  }

  const post = (path: string, body: object = {}, headers: Record<string, string> = {}): Promise<{ status: number; body: unknown }> =>
    fetchJson(`rollouts/default/${path}`, { method: 'POST', body: JSON.stringify(body), headers });

  const Shown = z.looseObject({
    status: z.object({
      phase: z.string(),
      currentStepIndex: z.number().optional(),
      weights: z.record(z.string(), z.number()).optional(),
      decisions: z.array(z.unknown()),
    }),
  });
  async function statusOf(name: string): Promise<unknown> {
    return Shown.parse((await fetchJson(`rollouts/default/${name}`, {})).body).status;
  }

  type BadRequest = [id: string, ask: () => Promise<{ status: number; body: unknown }>, status: number, code: string, detail: RegExp];

  test.each<BadRequest>([
    // What encodes a separator or a NUL is no path of the API at all.
    ...['..%2fx', 'a%2fb', '%00'].map((name): BadRequest => [
      `B-78 the name ${name}`,
      () => post(`${name}/promote`),
      404,
      'E_ADMIN_PATH',
      /./,
    ]),
    ...['x'.repeat(254), 'caf%C3%A9', 'UPPER'].map((name): BadRequest => [
      `B-78 the name ${name.slice(0, 20)}`,
      () => post(`${name}/promote`),
      422,
      'E_NAME',
      /./,
    ]),
    [
      'B-79 a start of what is under way',
      () => post('reviews/start'),
      409,
      'E_CONFLICT',
      /cannot start: the release is Paused at step 2 of 3/,
    ],
    ['B-80 a stale If-Match', () => post('reviews/promote', {}, { 'if-match': '"0"' }), 412, 'E_STALE', /has changed since/],
    ['B-82 a promotion of what does not wait', () => post('details/promote'), 409, 'E_CONFLICT', /cannot promote: the release is Healthy/],
    ['B-82 an abort of what is over', () => post('details/abort'), 409, 'E_CONFLICT', /cannot abort: the release is Healthy/],
    ['B-82 a pause of nothing', () => post('details/pause'), 409, 'E_CONFLICT', /cannot pause: the release is Healthy/],
    [
      'B-82 an undo of what is under way',
      () => post('reviews/undo'),
      409,
      'E_CONFLICT',
      /cannot undo: the release is Paused at step 2 of 3/,
    ],
    ['B-84 an unknown rollout', () => post('reviws/promote'), 404, 'E_NOT_FOUND', /no Rollout 'reviws'/],
    ['B-85 a version that cannot answer', () => post('details/start'), 422, 'E_TARGET_UNHEALTHY', /v2 has no healthy endpoint/],
    ['B-85 the version that serves', () => post('details/start', { to: 'v1' }), 422, 'E_NO_CHANGE', /v1 serves already/],
  ])('%s', async (_id, ask, status, code, detail) => {
    expect(await ask()).toMatchObject({ status, body: { code, detail: expect.stringMatching(detail) } });
  });

  test('B-84 the nearest name is the hint', async () => {
    expect(await post('reviws/promote')).toMatchObject({ body: { hint: 'did you mean reviews?' } });
  });

  test('B-81, B-82 what is asked for twice with one key is done once, also a pause of what is paused', async () => {
    const headers = { 'idempotency-key': 'twice' };
    const answers = await Promise.all([post('reviews/pause', {}, headers), post('reviews/pause', {}, headers), post('reviews/pause')]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const paused = Shown.parse(answers[2]?.body).status.decisions.length;
    const earlier = z.object({ decisions: z.array(z.unknown()) }).parse(before).decisions.length;
    expect(paused).toBe(earlier + 1);
    expect((await post('reviews/resume')).status).toBe(200);
    before = await statusOf('reviews');
  });

  test('B-83 a weight outside of the steps: the host of a release cannot be shifted', async () => {
    const shifted = await serin(['shift', 'reviews', 'v1=1', '--state', join(directory, 'state')]);
    expect(shifted).toMatchObject({ code: 6, err: expect.stringContaining('Rollout default/reviews moves') });
  });
});
