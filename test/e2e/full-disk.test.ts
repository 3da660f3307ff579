/** Serin is started where nothing can be written any more: the machine was restarted, or Serin was, and the disk is still full. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { MAIN, SerinProcess } from '../helpers/serin-process.ts';
import { startUpstream, tally, type Upstream } from '../helpers/upstream.ts';

/** What a full disk says of every byte that is written, this limit says of it too. */
const FULL_DISK = ['sh', '-c', 'ulimit -f 0; exec "$@"', 'sh', process.execPath, MAIN];

let upstreams: readonly Upstream[] = [];
let directory = '';
let running: SerinProcess | undefined;

beforeAll(async () => {
  upstreams = await Promise.all(['v1', 'v2'].map((name) => startUpstream(name)));
});
afterAll(() => Promise.all(upstreams.map((upstream) => upstream.close())));
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-full-disk-'));
  const [v1, v2] = upstreams.map(({ port }) => `http://127.0.0.1:${port}`);
  const rollout = 'rollout: { stable: v1, canary: v2, steps: [{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }] }';
  writeFileSync(
    join(directory, 'config.yaml'),
    `services: { reviews: { versions: { v1: '${v1}', v2: '${v2}' }, routes: [{ to: v1 }], ${rollout} } }\n`,
  );
});
afterEach(async () => {
  await running?.end();
  rmSync(directory, { recursive: true, force: true });
});

const state = (): string => join(directory, 'state');

function up(command?: readonly string[]): SerinProcess {
  const args = ['up', '-f', join(directory, 'config.yaml'), '--state', state(), '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  running = new SerinProcess(args, command === undefined ? {} : { command });
  return running;
}

const Rollout = z.object({ status: z.looseObject({ message: z.string(), currentStepIndex: z.number() }) });

async function status(serin: SerinProcess): Promise<z.infer<typeof Rollout>['status']> {
  const { host, port } = serin.address('admin');
  const authorization = `Bearer ${readFileSync(join(state(), 'token'), 'utf8').trim()}`;
  const answer = await fetch(`http://${host}:${port}/api/v1/rollouts/default/reviews`, { headers: { authorization } });
  return Rollout.parse(await answer.json()).status;
}

async function stopIn(signal: NodeJS.Signals): Promise<void> {
  const serin = await up().ready();
  while ((await status(serin)).currentStepIndex !== 1) await tally(serin.address('mesh'), 10, { headers: { host: 'reviews' } });
  serin.signal(signal);
  await serin.finished;
}

test.each<NodeJS.Signals>(['SIGTERM', 'SIGKILL'])(
  'after %s traffic goes on at the same weights, and the state is kept for when there is space',
  async (signal) => {
    await stopIn(signal);
    const full = await up(FULL_DISK).ready();
    expect(full.err).toContain('commands find it by --admin ADDR:PORT only');
    const shares = await tally(full.address('mesh'), 200, { headers: { host: 'reviews' } });
    expect(Object.keys(shares).toSorted()).toEqual(['v1', 'v2']);
    await full.logged(/releases stand still, traffic goes on: /);
    expect((await status(full)).message).toMatch(/^stands still: /);
    full.signal('SIGTERM');
    await full.finished;

    const after = await up().ready();
    expect(await status(after)).toMatchObject({ currentStepIndex: 1, message: expect.stringContaining('waits for serin rollout promote') });
    expect(after.err).not.toMatch(/W_STATE/);
    expect(readdirSync(state()).filter((name) => name.includes('damaged'))).toEqual([]);
  },
);

test('a first start says what it cannot write, in one sentence, and leaves nothing half-made', async () => {
  const { code, err } = await up(FULL_DISK).finished;
  expect(code).toBe(1);
  expect(err).toMatch(
    /^serin: cannot write the token file \S+: EFBIG\b.*; make space there, or give another directory with --state DIR \[E_STATE_FILE\]$/m,
  );
  expect(existsSync(join(state(), 'token'))).toBe(false);
});
