/**
 * `kill -9` of the daemon at random moments of a release: after each restart the same step and the same shares, in the API and as measured from
 * outside; what was answered is kept, what was asked and not answered has happened or has not.
 *
 * `SERIN_CRASHES` says how often (6), `SERIN_SEED` which random moments (1).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { seededRandom } from '../../src/base/random.ts';
import { askAdmin, untilRollout } from '../helpers/admin-api.ts';
import { SerinProcess } from '../helpers/serin-process.ts';
import { startUpstream, tally, type Upstream } from '../helpers/upstream.ts';

const CRASHES = Number(process.env['SERIN_CRASHES'] ?? 6);
const SEED = Number(process.env['SERIN_SEED'] ?? 1);

/** Steps that wait for somebody stand between steps that pass by themselves, so that a crash meets both. */
const WEIGHTS = [10, 25, 40, 60, 75, 90] as const;
const STEPS = WEIGHTS.map(
  (weight, index) => `{ stage: { setWeight: ${weight}, pause: ${index % 3 === 0 ? '{}' : '{ duration: 400ms }'} } }`,
);
const isHeld = (step: number): boolean => step % 3 === 0 && step < WEIGHTS.length;
const REQUESTS = 400;

const Status = z.looseObject({
  phase: z.string(),
  outcome: z.string().optional(),
  currentStepIndex: z.number().optional(),
  run: z.number(),
  weights: z.record(z.string(), z.number()).optional(),
  decisions: z.array(z.looseObject({ action: z.string(), run: z.number(), step: z.number(), canaryPercent: z.number() })),
});
type Status = z.infer<typeof Status>;

const upstreams: Upstream[] = [];
let daemon: SerinProcess | undefined;
let directory = '';

afterEach(async () => {
  await daemon?.end();
  await Promise.all(upstreams.splice(0).map((upstream) => upstream.close()));
  rmSync(directory, { recursive: true, force: true });
});

async function up(): Promise<SerinProcess> {
  const args = ['up', '-f', join(directory, 'config.yaml'), '--state', state()];
  daemon = new SerinProcess([...args, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0']);
  return daemon.ready();
}

const running = (): SerinProcess => daemon ?? expect.fail('no daemon was started');

const state = (): string => join(directory, 'state');

/** @throws Error where it is refused, or the daemon ends before it has answered */
async function act(verb: string): Promise<Status> {
  const { status, json } = await askAdmin(running(), state(), { path: `rollouts/default/reviews/${verb}`, body: {} });
  if (status !== 200) throw new Error(JSON.stringify(json));
  return z.object({ status: Status }).parse(json).status;
}

/** Of what is in force. */
const status = (): Promise<Status> => untilRollout(running(), state(), Status, () => true);

/** What somebody would ask of a release in this state. */
function nextVerb({ phase, outcome, currentStepIndex }: Status, random: () => number): string | undefined {
  if (currentStepIndex === undefined) return outcome === 'promoted' ? 'undo' : 'start';
  if (random() < 0.15) return 'abort';
  return phase === 'Paused' && isHeld(currentStepIndex) ? 'promote' : undefined;
}

/** The canary's share in this state; undefined where the release is about to begin. */
function shareOf({ currentStepIndex, outcome }: Status): number {
  if (currentStepIndex === undefined) return outcome === 'promoted' ? 100 : 0;
  return WEIGHTS[currentStepIndex] ?? (currentStepIndex === WEIGHTS.length ? 100 : 0);
}

/** Steps of one run: the next one each time, none twice. */
function expectNoStepSkipped({ decisions }: Status): void {
  for (const run of new Set(decisions.map((decision) => decision.run))) {
    const entered = decisions.filter((each) => each.run === run && (each.action === 'step' || each.action === 'promote') && each.step >= 0);
    expect(entered.map(({ step }) => step)).toEqual(entered.map((_, index) => index));
  }
}

test(`killed ${CRASHES} times (seed ${SEED}), a release goes on where it was`, { timeout: 60_000 + CRASHES * 20_000 }, async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-crash-'));
  upstreams.push(...(await Promise.all(['v1', 'v2'].map((name) => startUpstream(name)))));
  const [v1, v2] = upstreams.map(({ port }) => `http://127.0.0.1:${port}`);
  writeFileSync(
    join(directory, 'config.yaml'),
    `
services:
  reviews:
    versions: { v1: '${v1}', v2: '${v2}' }
    routes: [{ to: v1 }]
    rollout: { stable: v1, canary: v2, paused: true, steps: [${STEPS.join(', ')}] }
`,
  );
  const random = seededRandom(SEED);
  const restartMs: number[] = [];
  const met = new Map<string, number>();
  let squares = 0;
  let measured = 0;
  await up();
  let before = await act('start');
  for (let crash = 0; crash < CRASHES; crash++) {
    await tally(running().address('mesh'), 20, { headers: { host: 'reviews' } });
    const verb = nextVerb(before, random);
    const askMs = random() * 300;
    const killMs = askMs + random() * 60;
    const answered = sleep(askMs).then(() => (verb === undefined ? undefined : act(verb).catch(() => undefined)));
    await sleep(killMs);
    running().signal('SIGKILL');
    await running().finished;
    const answer = await answered;

    const beganAt = performance.now();
    const address = (await up()).address('mesh');
    const after = await status();
    restartMs.push(performance.now() - beganAt);
    // Nothing that was seen is gone, and an answer is a promise.
    const seen = answer ?? before;
    expect(after.decisions.slice(0, seen.decisions.length)).toEqual(seen.decisions);
    expectNoStepSkipped(after);
    if (answer !== undefined || verb === undefined) {
      if (seen.currentStepIndex === undefined || isHeld(seen.currentStepIndex)) expect(after.currentStepIndex).toBe(seen.currentStepIndex);
    }
    // The very first requests, while the step lasts.
    const counts = await tally(address, REQUESTS, { headers: { host: 'reviews' } });
    before = await status();
    expectNoStepSkipped(before);
    if (before.decisions.length !== after.decisions.length) continue;
    const share = shareOf(after);
    expect(after.weights).toEqual({ v1: 100 - share, v2: share });
    const expected = (REQUESTS * share) / 100;
    const variance = (expected * (100 - share)) / 100;
    const error = (counts['v2'] ?? 0) - expected;
    expect(Math.abs(error)).toBeLessThanOrEqual(6 * Math.sqrt(variance));
    if (variance > 0) {
      squares += error ** 2 / variance;
      measured++;
    }
    const where = after.currentStepIndex === undefined ? String(after.outcome) : `step ${after.currentStepIndex + 1}`;
    met.set(where, (met.get(where) ?? 0) + 1);
  }
  restartMs.sort((a, b) => a - b);
  const at = (share: number): string => `${(restartMs[Math.ceil(share * restartMs.length) - 1] ?? 0).toFixed(0)} ms`;
  console.log(
    `${CRASHES} kills: from start to the first answer median ${at(0.5)}, longest ${at(1)}; mean squared error of the share ${(squares / measured).toFixed(2)} of a binomial's over ${measured} measurements; killed in ${[...met].map(([where, count]) => `${where}: ${count}`).join(', ')}`,
  );
});
