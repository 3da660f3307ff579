/** The data plane cuts a broken canary off by itself while the control plane is busy, and what it has proved is not lost with the process. */
import { createServer, type Server } from 'node:http';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { readProofs } from '../../src/proxy/proof-file.ts';
import { MAIN, SerinProcess } from '../helpers/serin-process.ts';
import { ask, close, listen, startUpstream, type Upstream } from '../helpers/upstream.ts';

const BUSY = join(import.meta.dirname, '../helpers/busy-on-signal.ts');

let stable: Upstream;
let canary: Server;
/** What the new version does, and what it has seen. */
let isBroken: boolean;
let failed: number;
let lastAtMs: number;
let directory: string;
let config: string;
let state: string;
const started: SerinProcess[] = [];
let traffic: NodeJS.Timeout | undefined;

beforeEach(async () => {
  isBroken = false;
  failed = 0;
  lastAtMs = 0;
  stable = await startUpstream('v1');
  canary = createServer((_request, response) => {
    lastAtMs = performance.now();
    if (isBroken) failed++;
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
  traffic = setInterval(() => void ask(mesh, { headers: { host: 'reviews' } }).catch(() => undefined), 5);
}

const Status = z.object({
  status: z.looseObject({
    phase: z.string(),
    decisions: z.array(z.looseObject({ action: z.string(), by: z.string(), reason: z.string(), evidence: z.unknown().optional() })),
  }),
});

async function statusOf(process: SerinProcess): Promise<z.infer<typeof Status>['status']> {
  const { host, port } = process.address('admin');
  const authorization = `Bearer ${readFileSync(join(state, 'token'), 'utf8').trim()}`;
  const response = await fetch(`http://${host}:${port}/api/v1/rollouts/default/reviews`, { headers: { authorization } });
  return Status.parse(await response.json()).status;
}

/** The test's own time limit ends it otherwise. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(10);
}

test.each([1, 2])(
  '%i workers: a canary gets nothing within a second of the proof, while the main thread is busy',
  { timeout: 60_000 },
  async (workers) => {
    const process = await up(workers);
    askAllTheTime(process);
    await until(() => lastAtMs > 0);
    process.signal('SIGUSR2');
    await until(() => process.out.includes('busy\n'));
    isBroken = true;
    // Of 20 % of 200 requests a second, fifteen are a generous proof: guard.test.ts needs eight.
    await until(() => failed >= 15 || readProofs(join(state, 'proofs')).length > 0);
    const provedAtMs = performance.now();
    await until(() => performance.now() - provedAtMs > 1000);
    const failedByThen = failed;
    const servedByThen = stable.requests();
    await sleep(1000);
    expect(lastAtMs - provedAtMs).toBeLessThan(1000);
    expect(failed).toBe(failedByThen);
    expect(stable.requests()).toBeGreaterThan(servedByThen);
    // And the control plane says so as soon as it can.
    writeFileSync(enough(), '');
    await until(async () => (await statusOf(process)).phase === 'Degraded');
    const last = (await statusOf(process)).decisions.at(-1);
    expect(last).toMatchObject({ action: 'rollback', by: 'engine', evidence: { dataPlane: { at: expect.stringMatching(/^20/) } } });
    expect(last?.reason).toMatch(/^back to v1: the data plane has taken the weight to 0: .*\d/);
    await until(() => readProofs(join(state, 'proofs')).length === 0);
  },
);

test('killed between the proof and its record, it has taken the release back', { timeout: 60_000 }, async () => {
  const first = await up(1);
  askAllTheTime(first);
  await until(() => lastAtMs > 0);
  first.signal('SIGUSR2');
  await until(() => first.out.includes('busy\n'));
  isBroken = true;
  await until(() => readProofs(join(state, 'proofs')).length > 0);
  first.signal('SIGKILL');
  await first.finished;
  clearInterval(traffic);
  const failedByThen = failed;
  const again = await up(1);
  askAllTheTime(again);
  await until(async () => (await statusOf(again)).phase === 'Degraded');
  expect((await statusOf(again)).decisions.at(-1)?.reason).toContain('the data plane has taken the weight to 0');
  expect(failed).toBe(failedByThen);
  const answers = await Promise.all(Array.from({ length: 100 }, () => ask(again.address('mesh'), { headers: { host: 'reviews' } })));
  expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['v1']));
});
