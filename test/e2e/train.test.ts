/** Releases that require each other, in a running Serin with real traffic: who comes first, and who goes back first. */
import { Agent } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { askAdmin, rolloutStatus, untilRollout } from '../helpers/admin-api.ts';
import { eventually } from '../helpers/process-program.ts';
import { SerinProcess } from '../helpers/serin-process.ts';
import { ask, startUpstream, type Upstream } from '../helpers/upstream.ts';

let v1: Upstream;
let v2: Upstream;
let directory: string;
let process: SerinProcess;

beforeAll(async () => {
  [v1, v2] = await Promise.all([startUpstream('v1'), startUpstream('v2')]);
});
afterAll(() => Promise.all([v1.close(), v2.close()]));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-train-'));
});
afterEach(async () => {
  await process.end();
  rmSync(directory, { recursive: true, force: true });
});

async function up(rollouts: Readonly<Record<string, string>>, ...args: string[]): Promise<void> {
  const config = join(directory, 'serin.yaml');
  const services = Object.entries(rollouts).map(
    ([name, rollout]) =>
      `  ${name}:\n    versions: { v1: http://127.0.0.1:${v1.port}, v2: http://127.0.0.1:${v2.port} }\n    routes: [{ to: v1 }]\n    rollout: { stable: v1, canary: v2, ${rollout} }`,
  );
  writeFileSync(config, `services:\n${services.join('\n')}\n`);
  process = await start(config, args);
}

function start(config: string, args: readonly string[] = []): Promise<SerinProcess> {
  return new SerinProcess(['up', '-f', config, '--state', state(), '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0', ...args]).ready();
}

const Status = z.looseObject({
  phase: z.string(),
  message: z.string(),
  currentStepIndex: z.number().optional(),
  decisions: z.array(z.looseObject({ at: z.string(), action: z.string(), reason: z.string() })),
});
type Status = z.infer<typeof Status>;

const state = (): string => join(directory, 'state');
const statusOf = (name: string): Promise<Status> => rolloutStatus(process, state(), Status, name);
const until = (name: string, holds: (status: Status) => boolean): Promise<Status> => untilRollout(process, state(), Status, holds, name);

async function act(name: string, verb: string): Promise<void> {
  expect(await askAdmin(process, state(), { path: `rollouts/default/${name}/${verb}`, body: {} })).toMatchObject({ status: 200 });
}

interface Answer {
  readonly host: string;
  readonly version: string;
  readonly sentAtMs: number;
  readonly gotAtMs: number;
}

/** Requests without pause to a host, one after the other on each of two connections, until it is stopped. */
class Traffic {
  readonly answers: Answer[] = [];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #clients: Promise<void>[];
  #isStopped = false;

  constructor(hosts: readonly string[]) {
    this.#clients = hosts.flatMap((host) => [this.#client(host), this.#client(host)]);
  }

  async #client(host: string): Promise<void> {
    while (!this.#isStopped) {
      const sentAtMs = performance.now();
      const { body } = await ask(process.address('mesh'), { headers: { host }, agent: this.#agent });
      this.answers.push({ host, version: body, sentAtMs, gotAtMs: performance.now() });
    }
  }

  async stop(): Promise<readonly Answer[]> {
    this.#isStopped = true;
    await Promise.all(this.#clients);
    this.#agent.destroy();
    return this.answers;
  }
}

const TRAIN = { ratings: 'steps: [{ setWeight: 100 }]', reviews: 'steps: [{ setWeight: 100 }, { pause: {} }], requires: [ratings]' };

describe('two services together', { timeout: 120_000 }, () => {
  test('what is required is released first; taken back, it waits until who requires it is back', async () => {
    await up({ ...TRAIN, ratings: 'steps: [{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }]' });
    await until('ratings', ({ currentStepIndex }) => currentStepIndex === 1);
    const waiting = await until('reviews', ({ message }) => message === 'it requires default/ratings, whose v2 gets 50 %');
    expect(waiting.phase).toBe('Healthy');
    await act('ratings', 'promote');
    await until('reviews', ({ phase }) => phase === 'Paused');
    const traffic = new Traffic(['ratings', 'reviews']);
    await eventually(() => traffic.answers.length > 50, 'requests are answered');
    const turnedAtMs = performance.now();
    await act('ratings', 'undo');
    await until('ratings', ({ phase }) => phase === 'Degraded');
    const { length } = traffic.answers;
    await eventually(() => traffic.answers.length > length + 50, 'requests go on');
    const answers = await traffic.stop();
    const times = (host: string, version: string, at: 'sentAtMs' | 'gotAtMs'): number[] =>
      answers.filter((answer) => answer.host === host && answer.version === version).map((answer) => answer[at]);
    const firstOldRatings = Math.min(...times('ratings', 'v1', 'gotAtMs'));
    expect(firstOldRatings).toBeGreaterThan(turnedAtMs);
    // Nobody who came after the first answer of the old ratings got the new reviews.
    expect(times('reviews', 'v2', 'sentAtMs').filter((sentAtMs) => sentAtMs > firstOldRatings)).toEqual([]);
    const reviews = await statusOf('reviews');
    expect(reviews.decisions.at(-1)?.reason).toBe('back to v1: default/ratings, which it requires, is taken back');
    expect((await statusOf('ratings')).decisions.map(({ action, reason }) => `${action}: ${reason}`).slice(-2)).toEqual([
      'undo: on the way back to v1: promotion undone by hand; default/reviews goes back first',
      'undo: back to v1: promotion undone by hand; default/reviews goes back first',
    ]);
    expect(await askAdmin(process, state(), { path: 'rollouts/default/reviews/retry', body: {} })).toMatchObject({ status: 409 });
  });

  test('killed on the way, it goes on in the same order', async () => {
    await up(TRAIN);
    await until('reviews', ({ phase }) => phase === 'Paused');
    await act('ratings', 'undo');
    process.signal('SIGKILL');
    await process.finished;
    process = await start(join(directory, 'serin.yaml'));
    await until('ratings', ({ phase }) => phase === 'Degraded');
    const [ratings, reviews] = [await statusOf('ratings'), await statusOf('reviews')];
    expect(reviews.phase).toBe('Degraded');
    expect(Date.parse(reviews.decisions.at(-1)?.at ?? '')).toBeLessThanOrEqual(Date.parse(ratings.decisions.at(-1)?.at ?? ''));
  });
});

test('through several steps, with two workers, no sample shows 0 % or 100 %', { timeout: 120_000 }, async () => {
  await up(
    {
      reviews:
        'steps: [{ setWeight: 40 }, { pause: {} }, { setWeight: 45 }, { pause: {} }, { setWeight: 55 }, { pause: {} }, { setWeight: 60 }, { pause: {} }]',
    },
    '--workers',
    '2',
  );
  await until('reviews', ({ currentStepIndex }) => currentStepIndex === 1);
  const traffic = new Traffic(['reviews', 'reviews']);
  for (const step of [3, 5, 7]) {
    const { length } = traffic.answers;
    await eventually(() => traffic.answers.length > length + 100, 'samples');
    await act('reviews', 'promote');
    await until('reviews', ({ currentStepIndex }) => currentStepIndex === step);
  }
  const { length } = traffic.answers;
  await eventually(() => traffic.answers.length > length + 100, 'samples');
  const sides = (await traffic.stop()).map(({ version }) => (version === 'v2' ? 'c' : 's')).join('');
  // By chance a run of 50 has probability 1e-11 a request.
  expect(sides).not.toMatch(/c{50}|s{50}/);
});
