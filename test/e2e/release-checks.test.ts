/** Releases that metrics and webhooks decide on, in a running Serin that is killed at bad moments. */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { untilRollout } from '../helpers/admin-api.ts';
import { type Finished, serin, SerinProcess } from '../helpers/serin-process.ts';
import { close, listen, startUpstream, tally, type Upstream } from '../helpers/upstream.ts';

interface Asked {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let v1: Upstream;
let v2: Upstream;
let other: Server;
let port: number;
let directory: string;
let state: string;
const started: SerinProcess[] = [];

/** What the other system was asked, and how it answers, by path; 404 for what has no answer, silence for `undefined`. */
let asked: Asked[];
let answers: Map<string, (() => { status: number; body: string }) | undefined>;

beforeAll(async () => {
  [v1, v2] = await Promise.all([startUpstream('v1'), startUpstream('v2')]);
  other = createServer((request, response) => void answer(request, response));
  port = await listen(other);
});

afterAll(() => Promise.all([v1.close(), v2.close(), close(other)]));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  const path = request.url ?? '';
  asked.push({ path, headers: request.headers, body: Buffer.concat(chunks).toString() });
  if (!answers.has(path)) return void response.writeHead(404).end();
  const found = answers.get(path)?.();
  if (found === undefined) return undefined;
  return void response.writeHead(found.status).end(found.body);
}

beforeEach(() => {
  asked = [];
  answers = new Map();
  directory = mkdtempSync(join(tmpdir(), 'serin-checks-'));
  state = join(directory, 'state');
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.end()));
  rmSync(directory, { recursive: true, force: true });
});

const always =
  (status: number, body = '') =>
  (): { status: number; body: string } => ({ status, body });

function save(rollout: string, more = ''): void {
  writeFileSync(
    join(directory, 'serin.yaml'),
    `
services:
  reviews:
    versions: { v1: http://127.0.0.1:${v1.port}, v2: http://127.0.0.1:${v2.port} }
    routes: [{ to: v1 }]
    rollout:
      stable: v1
      canary: v2
${rollout.replaceAll('URL', `http://127.0.0.1:${port}`)}
${more.replaceAll('URL', `http://127.0.0.1:${port}`)}`,
  );
}

async function up(): Promise<SerinProcess> {
  const config = join(directory, 'serin.yaml');
  const process = new SerinProcess(['up', '-f', config, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0']);
  started.push(process);
  return process.ready();
}

async function kill(process: SerinProcess): Promise<void> {
  process.signal('SIGKILL');
  await process.finished;
}

const Status = z.looseObject({
  phase: z.string(),
  message: z.string(),
  currentStepIndex: z.number().optional(),
  metrics: z
    .array(z.looseObject({ name: z.string(), phase: z.string(), count: z.number(), measurements: z.array(z.unknown()) }))
    .optional(),
  webhooks: z.array(z.looseObject({ name: z.string(), phase: z.string(), attempts: z.number(), message: z.string() })).optional(),
  decisions: z.array(z.looseObject({ action: z.string(), reason: z.string(), evidence: z.unknown().optional() })),
});
type Status = z.infer<typeof Status>;

const cli = (...args: string[]): Promise<Finished> => serin([...args, '--state', state]);

const until = (process: SerinProcess, holds: (status: Status) => boolean): Promise<Status> => untilRollout(process, state, Status, holds);

/** Until the other system was asked for `path` so often. */
async function askedFor(path: string, times = 1): Promise<Asked[]> {
  for (;;) {
    const found = asked.filter((request) => request.path === path);
    if (found.length >= times) return found;
    await sleep(20);
  }
}

const MESH = { headers: { host: 'reviews' } };

describe('metrics', { timeout: 60_000 }, () => {
  const TEMPLATE = `---
apiVersion: serin.dev/v1alpha1
kind: MetricTemplate
metadata: { name: orders }
spec:
  args: [{ name: least }]
  interval: 1s
  failureLimit: 1
  successCondition: result >= {{args.least}}
  provider: { web: { url: "URL/orders?of={{canary}}", jsonPath: "{$.rate}" } }
`;
  const ROLLOUT = `      steps: [{ setWeight: 50 }, { pause: {} }]
      analysis: { metrics: [{ template: orders, args: [{ name: least, value: "5" }] }] }`;

  test('one that fails more often than it may takes the release back, and says which, what and why', async () => {
    const values = [7, 4, 6, 3];
    let at = 0;
    answers.set('/orders?of=v2', () => ({ status: 200, body: JSON.stringify({ rate: values[at++] ?? 3 }) }));
    save(ROLLOUT, TEMPLATE);
    const process = await up();
    const { message, decisions, metrics } = await until(process, ({ phase }) => phase === 'Degraded');
    expect(message).toBe(
      'back to v1: metric orders is 3 where result >= 5 is required (2 of 4 measurements failed, more than failureLimit 1)',
    );
    expect(decisions.at(-1)?.evidence).toMatchObject({ metric: 'orders', failed: 2, successful: 2, condition: 'result >= 5' });
    expect(metrics).toMatchObject([{ name: 'orders', phase: 'Failed', count: 4 }]);
    expect(metrics?.[0]?.measurements).toHaveLength(4);
    expect(await tally(process.address('mesh'), 50, MESH)).toEqual({ v1: 50 });
    const shown = await cli('rollout', 'status', 'reviews');
    expect(shown.out).toMatch(/^metrics\n {2}orders +Failed +4 measured +3 does not meet result >= 5$/m);
    expect((await cli('get', 'metrictemplates')).out).toMatch(/^orders +web +1s$/m);
  });

  test('counts survive a kill, and nothing is measured twice as often after it', async () => {
    answers.set('/orders?of=v2', always(200, '{"rate":1}'));
    save(ROLLOUT.replace('args:', 'failureLimit: 4, args:'), TEMPLATE);
    const first = await up();
    await until(first, ({ metrics }) => (metrics?.[0]?.count ?? 0) >= 2);
    // What was counted is durable with the next tick.
    await askedFor('/orders?of=v2', 3);
    await kill(first);
    const second = await up();
    const { metrics, message } = await until(second, ({ phase }) => phase === 'Degraded');
    expect(message).toContain('5 of 5 measurements failed');
    expect(metrics).toMatchObject([{ phase: 'Failed', count: 5 }]);
  });

  test('an empty answer holds the release, and neither passes nor fails it', async () => {
    answers.set('/orders?of=v2', always(200, '{}'));
    save(
      `      steps: [{ setWeight: 50 }, { pause: { duration: 1s } }, { setWeight: 100 }]
      analysis: { metrics: [{ template: orders, consecutiveErrorLimit: 1, args: [{ name: least, value: "5" }] }] }`,
      TEMPLATE,
    );
    const process = await up();
    await until(process, ({ metrics }) => (metrics?.[0]?.measurements.length ?? 0) > 0);
    await tally(process.address('mesh'), 50, MESH);
    const held = await until(process, ({ phase, message: said }) => phase === 'Paused' && said.includes('decides nothing'));
    expect(held.message).toContain('the answer is empty');
    expect(held.decisions.at(-1)).toMatchObject({ action: 'pause' });
    // Somebody decides to go on: it is measured anew, and passes once there is an answer.
    answers.set('/orders?of=v2', always(200, '{"rate":9}'));
    expect((await cli('rollout', 'resume', 'reviews')).code).toBe(0);
    await tally(process.address('mesh'), 50, MESH);
    await until(process, ({ phase }) => phase === 'Healthy');
  });

  test('one that is tried dry is shown and decides nothing', async () => {
    answers.set('/orders?of=v2', always(200, '{"rate":1}'));
    save(ROLLOUT.replace('args:', 'dryRun: true, args:').replace('{ pause: {} }', '{ pause: { duration: 2s } }'), TEMPLATE);
    const process = await up();
    await until(process, ({ metrics }) => metrics?.[0]?.phase === 'Failed');
    await tally(process.address('mesh'), 50, MESH);
    await until(process, ({ phase }) => phase === 'Healthy');
  });
});

describe('webhooks', { timeout: 60_000 }, () => {
  const STEPS = 'steps: [{ setWeight: 50 }, { pause: { duration: 1s } }, { setWeight: 100 }]';

  test('gates are asked in order, each until it says yes, and only when everything else agrees', async () => {
    answers.set('/confirm', always(403, 'not yet'));
    for (const path of ['/pre', '/increase', '/promotion']) answers.set(path, always(200));
    save(`      ${STEPS}
      webhooks:
        - { name: promotion, type: confirm-promotion, url: "URL/promotion", interval: 1s }
        - { name: increase, type: confirm-traffic-increase, url: "URL/increase", interval: 1s }
        - { name: pre, type: pre-rollout, url: "URL/pre" }
        - { name: confirm, type: confirm-rollout, url: "URL/confirm", interval: 1s, metadata: { ticket: "42" } }
`);
    const process = await up();
    const [first, second] = await askedFor('/confirm', 2);
    expect(asked.map(({ path }) => path)).not.toContain('/pre');
    // Flagger's members, and the same decision asked twice.
    expect(JSON.parse(first?.body ?? '')).toMatchObject({
      name: 'reviews',
      namespace: 'default',
      phase: 'Waiting',
      metadata: { ticket: '42' },
      canaryWeight: 0,
      type: 'confirm-rollout',
    });
    expect(second?.headers['x-serin-decision']).toBe(first?.headers['x-serin-decision']);
    expect(second?.headers['idempotency-key']).not.toBe(first?.headers['idempotency-key']);
    expect((await until(process, ({ message }) => message.includes('not yet'))).message).toBe(
      'about to begin: waits for webhook confirm (confirm-rollout): answered 403: not yet',
    );
    expect(await tally(process.address('mesh'), 20, MESH)).toEqual({ v1: 20 });
    answers.set('/confirm', always(200));
    await askedFor('/increase');
    await until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    await tally(process.address('mesh'), 50, MESH);
    await until(process, ({ phase }) => phase === 'Healthy');
    const order = asked.map(({ path }) => path).filter((path, index, all) => path !== all[index - 1]);
    expect(order).toEqual(
      ['/confirm', '/pre', '/increase', '/increase', '/promotion'].filter((path, index, all) => path !== all[index - 1]),
    );
    expect(asked.filter(({ path }) => path === '/increase')).toHaveLength(2);
    const shown = await cli('rollout', 'status', 'reviews');
    expect(shown.out).toMatch(/^ {2}promotion +confirm-promotion +Passed +answered 200$/m);
  });

  test('a test before the first weight that says no takes the release back', async () => {
    answers.set('/pre', always(500, 'acceptance test failed'));
    save(`      ${STEPS}\n      webhooks: [{ name: acceptance, type: pre-rollout, url: "URL/pre" }]`);
    const process = await up();
    const { message } = await until(process, ({ phase }) => phase === 'Degraded');
    expect(message).toBe('back to v1: webhook acceptance (pre-rollout) says no: answered 500: acceptance test failed');
    expect(asked).toHaveLength(1);
  });

  test('an order from outside takes the release back in the middle of a pause', async () => {
    answers.set('/back', always(403));
    save(
      `      steps: [{ setWeight: 50 }, { pause: {} }]\n      webhooks: [{ name: brake, type: rollback, url: "URL/back", interval: 1s }]`,
    );
    const process = await up();
    await until(process, ({ phase }) => phase === 'Paused');
    await askedFor('/back', 2);
    answers.set('/back', always(200, 'incident 7'));
    const { message } = await until(process, ({ phase }) => phase === 'Degraded');
    expect(message).toBe('back to v1: webhook brake orders the rollback');
  });

  test('a test whose answer is lost in a crash is not run again by itself', async () => {
    answers.set('/pre', undefined);
    save(`      ${STEPS}\n      webhooks: [{ name: acceptance, type: pre-rollout, url: "URL/pre", timeout: 1m, interval: 1s }]`);
    const first = await up();
    await askedFor('/pre');
    await kill(first);
    answers.set('/pre', always(200));
    const second = await up();
    const held = await until(second, ({ phase }) => phase === 'Paused');
    expect(held.message).toContain('its answer is lost: Serin ended before the answer came; resume asks again');
    expect(held.webhooks).toMatchObject([{ name: 'acceptance', phase: 'Unknown', attempts: 1 }]);
    await sleep(1500);
    expect(asked).toHaveLength(1);
    expect((await cli('rollout', 'resume', 'reviews')).code).toBe(0);
    await askedFor('/pre', 2);
    await until(second, ({ currentStepIndex }) => currentStepIndex === 1);
    expect(new Set(asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(2);
  });

  test('events are told once each, in order and signed, whenever Serin is killed', async () => {
    const secret = join(directory, 'secret');
    writeFileSync(secret, 'tell nobody\n', { mode: 0o600 });
    for (const path of ['/event', '/post']) answers.set(path, always(200));
    save(`      steps: [{ setWeight: 50 }, { pause: {} }, { setWeight: 70 }, { pause: {} }]
      webhooks:
        - { name: chat, type: event, url: "URL/event", secret: { file: secret } }
        - { name: after, type: post-rollout, url: "URL/post" }
`);
    const first = await up();
    await until(first, ({ phase }) => phase === 'Paused');
    await askedFor('/event', 3);
    await kill(first);
    const second = await up();
    await until(second, ({ phase }) => phase === 'Paused');
    expect((await cli('rollout', 'abort', 'reviews')).code).toBe(0);
    await kill(second);
    const third = await up();
    await until(third, ({ phase }) => phase === 'Degraded');
    await sleep(1000);
    const events = asked.filter(({ path }) => path === '/event');
    const keys = events.map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys).size).toBe(keys.length);
    const bodies = events.map(({ body }) =>
      z.object({ action: z.string(), phase: z.string(), metadata: z.record(z.string(), z.string()) }).parse(JSON.parse(body)),
    );
    // Killed right after the decision: told before, after the start, or never; not twice.
    expect(bodies.map(({ action }) => action)).toEqual(['start', 'step', 'step', 'abort'].slice(0, bodies.length));
    expect(bodies.length).toBeGreaterThanOrEqual(3);
    expect(asked.filter(({ path }) => path === '/post').length).toBeLessThanOrEqual(1);
    expect(bodies[0]?.metadata['eventMessage']).toContain('release of v2 beside v1');
    for (const { headers, body } of events) {
      const { time = '', mac } = /^t=(?<time>\d+),v1=(?<mac>[0-9a-f]{64})$/.exec(String(headers['x-serin-signature']))?.groups ?? {};
      expect(mac).toBe(createHmac('sha256', 'tell nobody').update(`${time}.${body}`).digest('hex'));
    }
    const { out } = await cli('rollout', 'status', 'reviews', '-o', 'json');
    expect(out).not.toContain('tell nobody');
  });
});
