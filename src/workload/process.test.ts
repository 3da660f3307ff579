/** One supervised process, with real ones: when it is ready, what happens when it ends, and that nothing of it is left. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually, isRunning, numbersIn, writeProgram } from '../../test/helpers/process-program.ts';
import { ask } from '../../test/helpers/upstream.ts';
import { systemClock } from '../base/clock.ts';
import { seededRandom } from '../base/random.ts';
import type { RunSpec } from '../config/resources.ts';
import { RotatingLog } from './process-log.ts';
import { OutputLog } from './process-output.ts';
import { PipeMaker } from './process-pipe.ts';
import { PortPool } from './process-port.ts';
import { ManagedProcess, type ProcessEndpoint, type ProcessEvent, type ProcessPhase } from './process.ts';

let directory: string;
let program: string;
let pipes: PipeMaker;
let events: ProcessEvent[];
let phases: string[];
let groups: string[];
let changed: () => void;
const managed: ManagedProcess[] = [];
const logs: OutputLog[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-process-'));
  program = writeProgram(directory);
  pipes = new PipeMaker(directory, tmpdir());
  [events, phases, groups, changed] = [[], [], [], () => undefined];
});

afterEach(async () => {
  await Promise.all(managed.splice(0).map((process) => process.stop()));
  // What a process said last is still being written.
  await Promise.all(logs.splice(0).map((log) => log.close()));
  rmSync(directory, { recursive: true, force: true });
});

function start(env: Record<string, string>, changes: Partial<RunSpec> = {}): ManagedProcess {
  const random = seededRandom(1);
  const nowMs = (): number => systemClock.monotonicMs();
  const log = new OutputLog(new RotatingLog({ file: join(directory, 'out.log'), maxBytes: 1_000_000, files: 2, nowMs }), systemClock);
  logs.push(log);
  const spec: RunSpec = { command: [process.execPath, program], env: { NAME: 'v1', ...env }, ...changes };
  const one = new ManagedProcess(
    { name: 'reviews-v1-1', host: 'reviews', isHttp2: false, spec, directory, log },
    {
      clock: systemClock,
      random,
      hostEnv: { PATH: process.env['PATH'], HOME: '/home/me', SERIN_TOKEN: 'secret' },
      ports: new PortPool(random),
      pipes,
      onGroup: (change, pid) => groups.push(`${change} ${pid}`),
      onChange: () => {
        phases.push(one.phase);
        changed();
      },
      onEvent: (event) => events.push(event),
    },
  );
  managed.push(one);
  return one;
}

/** Waits until the process has come into a phase that often; told by its own notice. */
async function reaches(phase: ProcessPhase, times = 1): Promise<void> {
  while (phases.filter((each) => each === phase).length < times) await new Promise<void>((resolve) => (changed = resolve));
}

function endpointOf(one: ManagedProcess): { host: string; port: number } {
  const endpoint: ProcessEndpoint | undefined = one.endpoint;
  if (endpoint === undefined) throw new Error(`${one.name} is ${one.phase}`);
  return { host: endpoint.address, port: endpoint.port };
}

describe('readiness', () => {
  test('by connecting: there is an endpoint only once it listens', async () => {
    const one = start({ DELAY_MS: '300' });
    expect(one.phase).toBe('starting');
    expect(one.endpoint).toBeUndefined();
    await reaches('ready');
    expect((await ask(endpointOf(one))).body).toBe('v1');
    expect(events.map(({ kind }) => kind)).toEqual(['ready']);
  });

  test('by its own path: listening is not enough', async () => {
    const ready = join(directory, 'go');
    const one = start({ READY_FILE: ready, STARTS: join(directory, 'starts') }, { ready: { path: '/ready' } });
    const [pid] = await numbersIn(join(directory, 'starts'));
    await eventually(
      () => existsSync(join(directory, 'out.log')) && readFileSync(join(directory, 'out.log'), 'utf8').includes('v1 listens'),
      'it listens',
    );
    expect([one.pid, one.phase, one.endpoint]).toEqual([pid, 'starting', undefined]);
    writeFileSync(ready, '');
    await reaches('ready');
    expect((await ask(endpointOf(one), { path: '/pid' })).body).toBe(String(pid));
  });

  test('that does not come in time ends the start, and the next is tried', async () => {
    start({ READY_FILE: join(directory, 'never') }, { ready: { path: '/ready', timeout: '3s' } });
    await reaches('waiting');
    expect(events[0]).toMatchObject({
      kind: 'failed',
      why: expect.stringMatching(/^not ready within 3000 ms: GET http:\S+\/ready: status 503$/),
    });
    expect(phases).not.toContain('ready');
    await reaches('starting');
  });
});

describe('a process that ends', () => {
  test('is started again, on another port, with growing pauses; its last words are told', async () => {
    const starts = join(directory, 'starts');
    const one = start({ CRASH: '1', STARTS: starts });
    await reaches('waiting', 4);
    const ended = events.filter((event) => event.kind === 'ended');
    expect(ended.map(({ how, wasReady, output }) => [how, wasReady, output])).toEqual(
      Array.from({ length: 4 }, () => ['exit code 3', false, ['last words of v1']]),
    );
    for (const [index, { restartMs }] of ended.entries()) {
      expect(restartMs).toBeGreaterThanOrEqual(100 * 2 ** index);
      expect(restartMs).toBeLessThan(100 * 2 ** (index + 1));
    }
    expect(new Set(await numbersIn(starts)).size).toBe(4);
    expect(one.restarts).toBe(3);
    expect(groups.filter((each) => each.startsWith('started'))).toHaveLength(4);
    expect(groups.filter((each) => each.startsWith('ended'))).toHaveLength(4);
  });

  test('after it served loses its endpoint at once and comes back', async () => {
    const one = start({});
    await reaches('ready');
    const first = one.pid;
    await ask(endpointOf(one), { path: '/exit' });
    await reaches('waiting');
    expect(one.endpoint).toBeUndefined();
    await reaches('ready', 2);
    expect(one.pid).not.toBe(first);
    expect(events.filter((event) => event.kind === 'ended')).toMatchObject([{ how: 'exit code 4', wasReady: true }]);
  });

  test('takes what it had started with it', async () => {
    const one = start({ GRANDCHILD: join(directory, 'grandchild') });
    await reaches('ready');
    const [grandchild = 0] = await numbersIn(join(directory, 'grandchild'));
    expect(isRunning(grandchild)).toBe(true);
    process.kill(one.pid ?? 0, 'SIGKILL');
    await eventually(() => !isRunning(grandchild), 'the grandchild has ended');
  });
});

describe('a program that cannot be started', () => {
  test.each([
    ['is not there', ['/no/such/program']],
    ['is no program', ['./program.cjs']],
    ['needs a variable that is not set', [process.execPath, '${NOT_SET}']],
  ])('%s: said, and tried again', async (_what, command) => {
    const one = start({}, { command });
    await reaches('waiting', 2);
    expect(events.map(({ kind }) => kind)).toEqual(['failed', 'failed']);
    expect(one.detail).toMatch(/^command: /);
  });
});

describe('stopping', () => {
  test('asks it to end, and waits until it has', async () => {
    const one = start({});
    await reaches('ready');
    const pid = one.pid ?? 0;
    await one.stop();
    expect([one.phase, one.endpoint, isRunning(pid)]).toEqual(['stopped', undefined, false]);
    expect(readFileSync(join(directory, 'out.log'), 'utf8')).toContain('SIGTERM');
    expect(events.map(({ kind }) => kind)).toEqual(['ready']);
    expect(groups).toEqual([`started ${pid}`, `ended ${pid}`]);
  });

  test('kills what ignores SIGTERM after its time, with its group', async () => {
    const one = start({ IGNORE_TERM: '1', GRANDCHILD: join(directory, 'grandchild') }, { stopTimeout: '300ms' });
    await reaches('ready');
    const [grandchild = 0] = await numbersIn(join(directory, 'grandchild'));
    const pid = one.pid ?? 0;
    await one.stop();
    await eventually(() => !isRunning(grandchild), 'the grandchild has ended');
    expect(isRunning(pid)).toBe(false);
    expect(events.at(-1)).toMatchObject({ kind: 'killed', pid, afterMs: 300 });
    expect(readFileSync(join(directory, 'out.log'), 'utf8')).toContain('SIGTERM ignored');
  });

  test('kills a grandchild that stays when the child has gone', async () => {
    const one = start({ GRANDCHILD: join(directory, 'grandchild') }, { stopTimeout: '300ms' });
    await reaches('ready');
    const [grandchild = 0] = await numbersIn(join(directory, 'grandchild'));
    await one.stop();
    await eventually(() => !isRunning(grandchild), 'the grandchild has ended');
  });

  test.each(['starting', 'waiting'])('while it is %s: nothing is started any more', async (phase) => {
    const starts = join(directory, 'starts');
    const one = start(phase === 'waiting' ? { CRASH: '1', STARTS: starts } : { DELAY_MS: '60000', STARTS: starts });
    if (phase === 'waiting') await reaches('waiting');
    else await numbersIn(starts);
    await Promise.all([one.stop(), one.stop()]);
    expect(one.phase).toBe('stopped');
    for (const pid of await numbersIn(starts)) expect(isRunning(pid)).toBe(false);
  });
});

describe('what it is given', () => {
  test('its port, the declared variables, and nothing else of Serin; its own group', async () => {
    const one = start({ STARS: 'black' });
    await reaches('ready');
    const env: unknown = JSON.parse((await ask(endpointOf(one), { path: '/env' })).body);
    expect(env).toEqual({ PATH: process.env['PATH'], HOME: '/home/me', NAME: 'v1', STARS: 'black', PORT: String(endpointOf(one).port) });
    expect(process.kill(-(one.pid ?? 0), 0)).toBe(true);
  });
});
