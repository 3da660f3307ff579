/** Releases in a running Serin, with real processes and sockets: steps, promotion, proof and rollback, abort, crashes, mistakes. */
import { Agent, createServer, type Server } from 'node:http';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { rolloutStatus, untilRollout } from '../helpers/admin-api.ts';
import { eventually } from '../helpers/process-program.ts';
import { replaceFile } from '../helpers/replace-file.ts';
import { type Finished, serin, SerinProcess } from '../helpers/serin-process.ts';
import { ask, close, listen, startUpstream, tally, type Upstream } from '../helpers/upstream.ts';

let v1: Upstream;
let v2: Upstream;
let broken: Server;
let brokenPort: number;
let directory: string;
let config: string;
let state: string;
const started: SerinProcess[] = [];

beforeAll(async () => {
  [v1, v2] = await Promise.all([startUpstream('v1'), startUpstream('v2')]);
  broken = createServer((_request, response) => response.writeHead(500).end('broken'));
  brokenPort = await listen(broken);
});

afterAll(() => Promise.all([v1.close(), v2.close(), close(broken)]));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-rollout-'));
  config = join(directory, 'config.yaml');
  state = join(directory, 'state');
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.end()));
  rmSync(directory, { recursive: true, force: true });
});

interface Shape {
  readonly rollout?: string;
  readonly canaryPort?: number;
}

function save({ rollout, canaryPort = v2.port }: Shape): void {
  const text = `
services:
  reviews:
    versions: { v1: http://127.0.0.1:${v1.port}, v2: http://127.0.0.1:${canaryPort} }
    routes: [{ to: v1 }]
${rollout === undefined ? '' : `    rollout: { stable: v1, canary: v2, ${rollout} }\n`}`;
  replaceFile(config, text);
}

async function up(): Promise<SerinProcess> {
  const process = new SerinProcess(['up', '-f', config, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0']);
  started.push(process);
  return process.ready();
}

const cli = (...args: string[]): Promise<Finished> => serin(['rollout', ...args, '--state', state]);

const Status = z.looseObject({
  phase: z.string(),
  outcome: z.string().optional(),
  message: z.string(),
  currentStepIndex: z.number().optional(),
  stepElapsedSeconds: z.number().optional(),
  run: z.number(),
  weights: z.record(z.string(), z.number()).optional(),
  conditions: z.array(z.looseObject({ message: z.string() })),
  decisions: z.array(z.looseObject({ action: z.string(), by: z.string(), reason: z.string(), evidence: z.unknown().optional() })),
});
type Status = z.infer<typeof Status>;
const Rollout = z.looseObject({ metadata: z.looseObject({ resourceVersion: z.string() }), status: Status });
const MESH = { headers: { host: 'reviews' } };

interface Asked {
  readonly verb?: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The admin API itself, which is quicker than a process a question. */
async function api(process: SerinProcess, { verb, body = {}, headers = {} }: Asked = {}): Promise<{ status: number; json: unknown }> {
  const { host, port } = process.address('admin');
  const token = readFileSync(join(state, 'token'), 'utf8').trim();
  const path = `http://${host}:${port}/api/v1/rollouts/default/reviews${verb === undefined ? '' : `/${verb}`}`;
  const response = await fetch(path, {
    method: verb === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    ...(verb === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: await response.json() };
}

const statusOf = (process: SerinProcess): Promise<Status> => rolloutStatus(process, state, Status);
const until = (process: SerinProcess, holds: (status: Status) => boolean): Promise<Status> => untilRollout(process, state, Status, holds);

const STEPS = 'steps: [{ setWeight: 10 }, { pause: {} }, { setWeight: 50 }, { pause: {} }, { setWeight: 100 }]';

describe('a canary in steps', () => {
  test('begins by itself, waits for a person at each pause, and is the stable version at the end', async () => {
    save({ rollout: STEPS });
    const process = await up();
    await until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const counts = await tally(process.address('mesh'), 1000, MESH);
    // Five standard deviations of a binomial(1000, 0.1).
    expect(Math.abs((counts['v2'] ?? 0) - 100)).toBeLessThan(48);

    expect(await cli('promote', 'reviews')).toMatchObject({ code: 0 });
    await until(process, ({ currentStepIndex }) => currentStepIndex === 3);
    await tally(process.address('mesh'), 50, MESH);
    expect(await cli('promote', 'reviews')).toMatchObject({ code: 0 });
    const waited = await cli('wait', 'reviews', '--timeout', '60s');
    expect(waited).toMatchObject({ code: 0 });
    expect(waited.out).toContain('v2 is promoted');
    expect(await tally(process.address('mesh'), 100, MESH)).toEqual({ v2: 100 });
    const status = await statusOf(process);
    expect(status.decisions.map(({ action, by }) => `${action} ${by}`)).toEqual([
      'start engine',
      'step engine',
      'step engine',
      'promote admin',
      'step engine',
      'promote admin',
      'promote engine',
    ]);
  });

  test('stays promoted over a restart, whatever the files say, and goes back on request', async () => {
    save({ rollout: 'steps: [{ setWeight: 100 }]' });
    const first = await up();
    await until(first, ({ outcome }) => outcome === 'promoted');
    await first.end();
    const second = await up();
    expect(await tally(second.address('mesh'), 50, MESH)).toEqual({ v2: 50 });
    expect(await cli('undo')).toMatchObject({ code: 0 });
    expect(await tally(second.address('mesh'), 50, MESH)).toEqual({ v1: 50 });
    expect((await statusOf(second)).phase).toBe('Degraded');
  });

  test('a cohort sees the new version at weight 0, nobody else does', async () => {
    save({
      rollout:
        'steps: [{ setHeaderRoute: { match: [{ headerName: end-user, headerValue: { exact: jason } }] } }, { pause: {} }, { setWeight: 100 }]',
    });
    const process = await up();
    await until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    expect(await tally(process.address('mesh'), 50, { headers: { host: 'reviews', 'end-user': 'jason' } })).toEqual({ v2: 50 });
    expect(await tally(process.address('mesh'), 50, MESH)).toEqual({ v1: 50 });
  });

  test('users keep their side while the weight grows, and all come back after an abort', async () => {
    save({ rollout: `${STEPS}, assignment: { by: user, header: end-user }` });
    const process = await up();
    await until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const users = Array.from({ length: 200 }, (_, index) => `user-${index}`);
    const sides = (): Promise<string[]> =>
      Promise.all(users.map(async (user) => (await ask(process.address('mesh'), { headers: { host: 'reviews', 'end-user': user } })).body));
    const small = await sides();
    expect(await sides()).toEqual(small);
    await api(process, { verb: 'promote' });
    await until(process, ({ currentStepIndex }) => currentStepIndex === 3);
    const large = await sides();
    expect(users.filter((_, index) => small[index] === 'v2' && large[index] !== 'v2')).toEqual([]);
    expect(large.filter((side) => side === 'v2').length).toBeGreaterThan(small.filter((side) => side === 'v2').length);
    await api(process, { verb: 'abort' });
    expect(new Set(await sides())).toEqual(new Set(['v1']));
  });
});

describe('going back', () => {
  test('after an abort every new request goes to stable, within 500 ms', async () => {
    save({ rollout: 'steps: [{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }]' });
    const process = await up();
    const stop = new AbortController();
    let answers = 0;
    let lastCanaryAt = 0;
    let lastSentAt = 0;
    const traffic = load(process.address('mesh'), stop.signal, (body, sentAtMs) => {
      answers++;
      lastSentAt = Math.max(lastSentAt, sentAtMs);
      if (body === 'v2') lastCanaryAt = Math.max(lastCanaryAt, sentAtMs);
    });
    const tookMs: number[] = [];
    // The shortest of a few: what else the machine has to do is no part of it.
    for (let tries = 0; tries < 5; tries++) {
      if (tries > 0) expect((await api(process, { verb: 'retry' })).status).toBe(200);
      await until(process, ({ currentStepIndex }) => currentStepIndex === 1);
      const inForceAt = performance.now();
      await eventually(() => lastCanaryAt > inForceAt, 'the canary gets requests');
      const askedAt = performance.now();
      expect((await api(process, { verb: 'abort' })).status).toBe(200);
      const answeredAt = performance.now();
      const before = answers;
      await eventually(() => lastSentAt > answeredAt && answers > before + 100, 'requests go on');
      expect(lastCanaryAt).toBeLessThan(answeredAt);
      tookMs.push(lastCanaryAt - askedAt);
    }
    stop.abort();
    await traffic;
    expect(Math.min(...tookMs)).toBeLessThan(500);
    expect(await statusOf(process)).toMatchObject({ phase: 'Degraded', weights: { v1: 100, v2: 0 } });
  });

  test('a canary that fails is taken back by proof, within a handful of failed requests, with a sentence that says why', async () => {
    save({ rollout: 'steps: [{ setWeight: 20 }, { pause: {} }, { setWeight: 100 }]', canaryPort: brokenPort });
    const process = await up();
    await until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    let failed = 0;
    let asked = 0;
    while ((await statusOf(process)).phase !== 'Degraded' && asked < 5000) {
      for (let request = 0; request < 5; request++, asked++) if ((await ask(process.address('mesh'), MESH)).status === 500) failed++;
      await sleep(50);
    }
    const status = await until(process, ({ phase }) => phase === 'Degraded');
    expect(failed).toBeLessThan(30);
    const last = status.decisions.at(-1);
    expect(last).toMatchObject({ action: 'rollback', by: 'engine' });
    expect(last?.reason).toMatch(/^back to v1: .*\d/);
    expect(last?.evidence).toMatchObject({ rollbackAt: 100 });
    await eventually(() => process.err.includes(last?.reason ?? 'no reason'), 'the log says why');
    expect(await tally(process.address('mesh'), 100, MESH)).toEqual({ v1: 100 });
    expect(await cli('wait')).toMatchObject({ code: 1 });
  });

  test('without any request the release neither passes nor fails, and says so', async () => {
    save({ rollout: 'steps: [{ setWeight: 20 }, { pause: { duration: 300ms } }, { setWeight: 100 }]' });
    const process = await up();
    const status = await until(process, ({ message }) => message.includes('no canary request'));
    expect(status).toMatchObject({ phase: 'Progressing', currentStepIndex: 1, weights: { v1: 80, v2: 20 } });
    // Requests, and it goes on by itself.
    await tally(process.address('mesh'), 100, MESH);
    await until(process, ({ phase }) => phase === 'Healthy');
  });
});

/** Requests without pause, one after the other on each of a few connections, until `stop` is aborted; what each got, with when it was sent. */
async function load(
  address: { readonly host: string; readonly port: number },
  stop: AbortSignal,
  onAnswer: (body: string, sentAtMs: number) => void,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const client = async (): Promise<void> => {
    while (!stop.aborted) {
      const sentAtMs = performance.now();
      onAnswer((await ask(address, { ...MESH, agent })).body, sentAtMs);
    }
  };
  await Promise.all([client(), client(), client(), client()]);
  agent.destroy();
}

describe('by evidence', () => {
  test('a good canary is promoted by itself, with the numbers that say why', { timeout: 120_000 }, async () => {
    // What is ruled out is a canary that fails five points more often, or is three times as slow: a minute's evidence in seconds.
    save({
      rollout:
        'steps: [{ setWeight: 50 }, { analysis: { atLeast: 1s } }, { setWeight: 100 }], analysis: { warmup: 500ms, errorBudget: 0.05, latencyTolerance: 2, latencyBudget: 3 }',
    });
    const process = await up();
    const stop = new AbortController();
    const traffic = load(process.address('mesh'), stop.signal, () => undefined);
    const status = await until(process, ({ phase }) => phase === 'Healthy' || phase === 'Degraded');
    stop.abort();
    await traffic;
    expect(status.phase).toBe('Healthy');
    const decided = status.decisions.find(({ reason }) => reason.includes('setWeight 100'));
    expect(status.message).toMatch(/^v2 is promoted: .*; a rise of 5 points or more and being 200 % slower or more are ruled out/);
    expect(decided).toMatchObject({
      action: 'step',
      by: 'engine',
      evidence: { metrics: expect.arrayContaining([expect.objectContaining({ name: 'errors' })]) },
    });
  });

  test('between two steps nobody sees 0 % or 100 %', async () => {
    save({ rollout: 'steps: [{ setWeight: 45 }, { pause: {} }, { setWeight: 55 }, { pause: {} }, { setWeight: 100 }]' });
    const process = await up();
    await until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const stop = new AbortController();
    let sides = '';
    const traffic = load(process.address('mesh'), stop.signal, (body) => {
      sides += body === 'v2' ? 'c' : 's';
    });
    await eventually(() => sides.length > 200, 'there are samples');
    await api(process, { verb: 'promote' });
    await until(process, ({ currentStepIndex }) => currentStepIndex === 3);
    const { length } = sides;
    await eventually(() => sides.length > length + 200, 'there are samples');
    stop.abort();
    await traffic;
    // By chance a run of 40 has probability 4e-11 a request.
    expect(sides).not.toMatch(/c{40}|s{40}/);
  });
});

describe('blue-green', () => {
  test('testers see green first, the switch is everybody at once, blue is an instant way back', async () => {
    save({
      rollout:
        'strategy: { blueGreen: { preview: { match: [{ headerName: x-preview, headerValue: { exact: "yes" } }] }, scaleDownDelay: 1h } }',
    });
    const process = await up();
    await until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const mesh = process.address('mesh');
    expect(await tally(mesh, 30, { headers: { host: 'reviews', 'x-preview': 'yes' } })).toEqual({ v2: 30 });
    expect(await tally(mesh, 30, MESH)).toEqual({ v1: 30 });
    await api(process, { verb: 'promote' });
    expect(await tally(mesh, 30, MESH)).toEqual({ v2: 30 });
    await until(process, ({ message }) => message.includes('bake 1h'));
    await api(process, { verb: 'abort' });
    expect(await tally(mesh, 30, MESH)).toEqual({ v1: 30 });
  });
});

describe('crashes', () => {
  test('kill -9 at random moments: the same step, the same weights, time served is not served again', { timeout: 120_000 }, async () => {
    save({ rollout: 'steps: [{ setWeight: 30 }, { pause: { duration: 1h } }, { setWeight: 100 }]' });
    let process = await up();
    const before = await until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    for (let kill = 0; kill < 5; kill++) {
      await sleep(kill * 130);
      process.signal('SIGKILL');
      await process.finished;
      process = await up();
      const after = await statusOf(process);
      expect(after).toMatchObject({ phase: 'Paused', currentStepIndex: 1, run: 1, weights: { v1: 70, v2: 30 } });
      expect(after.decisions).toEqual(before.decisions);
    }
    const counts = await tally(process.address('mesh'), 1000, MESH);
    expect(Math.abs((counts['v2'] ?? 0) - 300)).toBeLessThan(73);
    // A crash costs the second since it was last written down, or a little more where the machine is busy.
    await until(process, ({ stepElapsedSeconds = 0 }) => stepElapsedSeconds >= 4);
    process.signal('SIGKILL');
    await process.finished;
    process = await up();
    expect((await statusOf(process)).stepElapsedSeconds).toBeGreaterThanOrEqual(2);
  });

  test('killed while it takes a release back, it has taken it back', async () => {
    save({ rollout: STEPS });
    const process = await up();
    await until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const aborted = api(process, { verb: 'abort' });
    await aborted;
    process.signal('SIGKILL');
    await process.finished;
    const again = await up();
    expect(await tally(again.address('mesh'), 50, MESH)).toEqual({ v1: 50 });
    expect((await statusOf(again)).phase).toBe('Degraded');
  });
});

describe('what people ask for', () => {
  test('a service without a Rollout: start by hand, beside what serves', { timeout: 120_000 }, async () => {
    save({});
    const process = await up();
    const result = await cli('start', 'reviews', '--to', 'v2', '-o', 'json');
    expect(result).toMatchObject({ code: 0, err: '' });
    expect(Rollout.parse(JSON.parse(result.out)).status).toMatchObject({ phase: 'Progressing', stable: 'v1', canary: 'v2' });
    expect(await cli('promote', 'reviews', '--full')).toMatchObject({ code: 0 });
    await until(process, ({ phase }) => phase === 'Healthy');
    expect(await tally(process.address('mesh'), 50, MESH)).toEqual({ v2: 50 });
    // Of the same name after a restart.
    await process.end();
    const again = await up();
    expect(await tally(again.address('mesh'), 50, MESH)).toEqual({ v2: 50 });
    // Once the files say the same, they are in force again, and the host can be shifted by hand.
    replaceFile(config, readFileSync(config, 'utf8').replace('to: v1', 'to: v2'));
    let shifted = await serin(['shift', 'reviews', 'v1=1', '--state', state]);
    for (; shifted.code === 6; shifted = await serin(['shift', 'reviews', 'v1=1', '--state', state]));
    expect(shifted.code).toBe(0);
    expect(await tally(again.address('mesh'), 50, MESH)).toEqual({ v1: 50 });
  });

  test('exit codes: unknown 5, not now 6, not releasable 3, usage 2', { timeout: 120_000 }, async () => {
    save({ rollout: STEPS });
    const process = await up();
    await until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    expect(await cli('status', 'reviws')).toMatchObject({ code: 5, err: expect.stringContaining('did you mean reviews?') });
    expect(await cli('retry', 'reviews')).toMatchObject({
      code: 6,
      err: expect.stringContaining('cannot retry: the release is Paused at step 2 of 5'),
    });
    expect(await cli('start', 'reviews')).toMatchObject({ code: 6 });
    await api(process, { verb: 'abort' });
    expect(await cli('start', 'reviews', '--to', 'v1')).toMatchObject({ code: 3, err: expect.stringContaining('v1 serves already') });
    expect(await cli('start', 'reviews', '--from', 'v2')).toMatchObject({
      code: 3,
      err: expect.stringContaining('default/reviews says which version serves'),
    });
    expect(await cli('wait', '--timeout', 'soon')).toMatchObject({ code: 2 });
    expect(await cli('rollot')).toMatchObject({ code: 2 });
  });

  test('two promotes with one Idempotency-Key are one; a stale If-Match is refused', async () => {
    save({ rollout: STEPS });
    const process = await up();
    await until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const { metadata } = Rollout.parse((await api(process)).json);
    const headers = { 'idempotency-key': 'k1' };
    const answers = await Promise.all([api(process, { verb: 'promote', headers }), api(process, { verb: 'promote', headers })]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    await until(process, ({ currentStepIndex }) => currentStepIndex === 3);
    expect((await api(process, { verb: 'promote', headers })).status).toBe(200);
    expect((await statusOf(process)).currentStepIndex).toBe(3);
    const stale = await api(process, { verb: 'promote', headers: { 'if-match': `"${metadata.resourceVersion}"` } });
    expect(stale).toMatchObject({ status: 412, json: { code: 'E_STALE' } });
  });

  test('a shift of a host that a release moves is refused, and the other way round', async () => {
    save({ rollout: STEPS });
    const process = await up();
    await until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const shifted = await serin(['shift', 'reviews', 'v1=1', '--state', state]);
    expect(shifted).toMatchObject({ code: 6, err: expect.stringContaining('Rollout default/reviews moves') });
  });

  test('another pair in the file takes the release back and starts the new one', async () => {
    save({ rollout: STEPS });
    const process = await up();
    await until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const text = readFileSync(config, 'utf8').replace('stable: v1, canary: v2', 'stable: v2, canary: v1');
    replaceFile(config, text);
    const status = await until(process, ({ run }) => run === 2);
    expect(status).toMatchObject({ stable: 'v2', canary: 'v1' });
    expect(status.decisions.map(({ action }) => action)).toContain('supersede');
  });

  test('a version with no healthy endpoint is not started, the reason is shown', async () => {
    writeFileSync(
      config,
      `
services:
  reviews:
    versions: { v1: http://127.0.0.1:${v1.port}, v2: http://127.0.0.1:${brokenPort} }
    routes: [{ split: { v1: 100, v2: 0 } }]
    healthCheck: { path: /, interval: 100ms, unhealthyThreshold: 1 }
    rollout: { stable: v1, canary: v2, paused: true }
`,
    );
    const process = await up();
    await until(process, ({ conditions }) => conditions.some(({ message }) => message.includes('no healthy endpoint')));
    expect(await api(process, { verb: 'start' })).toMatchObject({
      status: 422,
      json: { code: 'E_TARGET_UNHEALTHY', detail: expect.stringContaining('v2 has no healthy endpoint') },
    });
    expect(await tally(process.address('mesh'), 50, MESH)).toEqual({ v1: 50 });
  });
});
