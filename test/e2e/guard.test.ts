/** The data plane cuts a broken canary off by itself while the control plane is busy, and what it has proved is not lost with the process. */
import { createServer, type Server } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { readProofs } from '../../src/proxy/proof-file.ts';
import { askAdmin, untilRollout } from '../helpers/admin-api.ts';
import { MAIN, SerinProcess } from '../helpers/serin-process.ts';
import { settled } from '../helpers/turns.ts';
import { ask, close, listen, startUpstream, type Upstream } from '../helpers/upstream.ts';

const BUSY = join(import.meta.dirname, '../helpers/busy-on-signal.ts');

let stable: Upstream;
let canary: Server;
/** What the new version does, and what it has seen. */
let isBroken: boolean;
let requests: number;
let failedAtMs: number[];
let directory: string;
let config: string;
let state: string;
const started: SerinProcess[] = [];
let traffic: NodeJS.Timeout | undefined;

beforeEach(async () => {
  isBroken = false;
  requests = 0;
  failedAtMs = [];
  stable = await startUpstream('v1');
  canary = createServer((_request, response) => {
    requests++;
    if (isBroken) failedAtMs.push(Date.now());
    response.writeHead(isBroken ? 500 : 200).end('v2');
  });
  directory = mkdtempSync(join(tmpdir(), 'serin-guard-'));
  config = join(directory, 'config.yaml');
  state = join(directory, 'state');
  writeFileSync(
    config,
    `
services:
  reviews:
    versions: { v1: http://127.0.0.1:${stable.port}, v2: http://127.0.0.1:${await listen(canary)} }
    routes: [{ to: v1 }]
    rollout: { stable: v1, canary: v2, steps: [{ setWeight: 20 }, { pause: {} }, { setWeight: 100 }] }
`,
  );
});

afterEach(async () => {
  clearInterval(traffic);
  await Promise.all(started.splice(0).map((process) => process.end()));
  await Promise.all([stable.close(), close(canary)]);
  rmSync(directory, { recursive: true, force: true });
});

/** Once this file is there the main thread is free again. */
const enough = (): string => join(directory, 'enough');

async function up(workers: number): Promise<SerinProcess> {
  const args = ['up', '-f', config, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', String(workers)];
  const process_ = new SerinProcess(args, { command: [process.execPath, '--import', BUSY, MAIN], env: { BUSY_UNTIL: enough() } });
  started.push(process_);
  return process_.ready();
}

function askAllTheTime(process: SerinProcess): void {
  const mesh = process.address('mesh');
  clearInterval(traffic);
  let underWay = 0;
  traffic = setInterval(() => {
    if (underWay >= 50) return;
    underWay++;
    void ask(mesh, { headers: { host: 'reviews' } })
      .catch(() => undefined)
      .finally(() => underWay--);
  }, 5);
}

const Status = z.looseObject({
  phase: z.string(),
  decisions: z.array(z.looseObject({ action: z.string(), by: z.string(), reason: z.string(), evidence: z.unknown().optional() })),
});
type Status = z.infer<typeof Status>;

const takenBack = (process: SerinProcess): Promise<Status> => untilRollout(process, state, Status, ({ phase }) => phase === 'Degraded');

/** The test's own time limit ends it otherwise. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10);
}

const proofs = (): ReturnType<typeof readProofs> => readProofs(join(state, 'proofs'));

/** The new version begins to fail while the main thread is busy. @returns once workers have the proof: how long after fifteen failures, ms, by their clock. */
async function breakWhileBusy(process: SerinProcess): Promise<number> {
  rmSync(enough(), { force: true });
  askAllTheTime(process);
  const { length } = process.out;
  const before = requests;
  await until(() => requests > before);
  process.signal('SIGUSR2');
  await until(() => process.out.slice(length).includes('busy\n'));
  failedAtMs = [];
  isBroken = true;
  await until(() => proofs().length > 0);
  // Fifteen are a generous proof: guard.test.ts needs eight.
  return (proofs()[0]?.atMs ?? Number.NaN) - (failedAtMs[14] ?? Number.POSITIVE_INFINITY);
}

/** The control plane says so as soon as it can. */
async function expectTakenBack(process: SerinProcess): Promise<void> {
  writeFileSync(enough(), '');
  const last = (await takenBack(process)).decisions.at(-1);
  expect(last).toMatchObject({ action: 'rollback', by: 'engine', evidence: { dataPlane: { at: expect.stringMatching(/^20/) } } });
  expect(last?.reason).toMatch(/^back to v1: the data plane has taken the weight to 0: .*\d/);
  await until(() => proofs().length === 0);
}

test.each([1, 2])(
  '%i workers: a canary gets nothing within a second of the proof, while the main thread is busy',
  { timeout: 120_000 },
  async (workers) => {
    const process = await up(workers);
    let tookMs = await breakWhileBusy(process);
    // What was sent before the proof has arrived; nothing is sent after it.
    const failed = await settled(() => failedAtMs.length);
    const served = stable.requests();
    await until(() => stable.requests() > served + 200);
    expect(failedAtMs).toHaveLength(failed);
    await expectTakenBack(process);
    // The shortest of a few: what else the machine has to do is no part of it.
    for (let tries = 1; tries < 4 && tookMs >= 1000; tries++) {
      isBroken = false;
      await askAdmin(process, state, { path: 'rollouts/default/reviews/retry', body: {} });
      await untilRollout(process, state, Status, ({ phase }) => phase === 'Paused');
      tookMs = await breakWhileBusy(process);
      await expectTakenBack(process);
    }
    expect(tookMs).toBeLessThan(1000);
  },
);

test('killed between the proof and its record, it has taken the release back', { timeout: 120_000 }, async () => {
  const first = await up(1);
  await breakWhileBusy(first);
  first.signal('SIGKILL');
  await first.finished;
  clearInterval(traffic);
  // What it had sent before may still lie in the sockets.
  const failed = await settled(() => failedAtMs.length);
  const again = await up(1);
  askAllTheTime(again);
  expect((await takenBack(again)).decisions.at(-1)?.reason).toContain('the data plane has taken the weight to 0');
  expect(failedAtMs).toHaveLength(failed);
  const answers = await Promise.all(Array.from({ length: 100 }, () => ask(again.address('mesh'), { headers: { host: 'reviews' } })));
  expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['v1']));
});
