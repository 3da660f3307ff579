/** Versions that Serin runs, through `serin up` as a user starts it: processes start, serve, change, crash and end; no request is lost. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually, isRunning, numbersIn, writeProgram } from '../helpers/process-program.ts';
import { RawLoad } from '../helpers/raw-load.ts';
import { replaceFile } from '../helpers/replace-file.ts';
import { serinHere } from '../helpers/serin-command.ts';
import { type Finished, SerinProcess } from '../helpers/serin-process.ts';
import { ask } from '../helpers/upstream.ts';

let directory: string;
let config: string;
let state: string;
const started: SerinProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-processes-'));
  [config, state] = [join(directory, 'serin.yaml'), join(directory, 'state')];
  writeProgram(directory);
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.stop()));
  rmSync(directory, { recursive: true, force: true });
});

function save(versions: string, routes = '[{ to: v1 }]'): void {
  replaceFile(config, `services:\n  reviews:\n    versions: { ${versions} }\n    routes: ${routes}\n`);
}

const RUN = 'run: node program.cjs';

function start(...args: string[]): SerinProcess {
  const process = new SerinProcess(['up', '-f', config, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0', ...args], {
    env: { PATH: nodeFirst(), COLOR: 'black' },
  });
  started.push(process);
  return process;
}

/** The Node these tests run with is the one on the PATH of Serin. */
function nodeFirst(): string {
  return `${join(process.execPath, '..')}:${process.env['PATH'] ?? ''}`;
}

const cli = (...args: string[]): Promise<Finished> => serinHere([...args, '--state', state]);
const REVIEWS = { headers: { host: 'reviews' } };
const body = async (process: SerinProcess, path = '/'): Promise<string> => (await ask(process.address('mesh'), { ...REVIEWS, path })).body;

interface Listed {
  readonly name: string;
  readonly phase: string;
  readonly pid: number;
}

async function processes(): Promise<Listed[]> {
  const { out } = await cli('get', 'processes', '-o', 'json');
  const { items } = JSON.parse(out) as { items: { metadata: { name: string }; status: { phase: string; pid: number } }[] };
  return items.map(({ metadata, status }) => ({ name: metadata.name, phase: status.phase, pid: status.pid }));
}

describe('starting', () => {
  test('ready is printed when the versions are; they serve by the split; Ctrl-C ends them', async () => {
    save(
      `v1: { ${RUN}, env: { NAME: v1, DELAY_MS: 300 } }, v2: { ${RUN}, env: { NAME: "\${COLOR}" }, instances: 2 }`,
      '[{ match: { headers: { who: jason } }, to: v2 }, { to: v1 }]',
    );
    const process = await start().ready();
    expect(await body(process)).toBe('v1');
    expect((await ask(process.address('mesh'), { headers: { host: 'reviews', who: 'jason' } })).body).toBe('black');
    const { out } = await cli('get', 'processes');
    expect(out).toMatch(
      /^NAME +VERSION +STATE +PID +ADDRESS +RESTARTS +UP +DETAIL\nreviews-v1-1 +v1 +ready +\d+ +127\.0\.0\.1:\d+ +0 +\d+s /,
    );
    const running = await processes();
    expect(running.map(({ name, phase }) => `${name} ${phase}`)).toEqual([
      'reviews-v1-1 ready',
      'reviews-v2-1 ready',
      'reviews-v2-2 ready',
    ]);
    process.signal('SIGINT');
    expect((await process.finished).code).toBe(0);
    expect(running.filter(({ pid }) => isRunning(pid))).toEqual([]);
    expect(JSON.parse(readFileSync(join(state, 'processes.json'), 'utf8'))).toEqual([]);
  });

  test('a version that does not become ready gets no request, the others serve, and it is said', async () => {
    save(
      `v1: { ${RUN}, env: { NAME: v1 } }, v2: { ${RUN}, env: { CRASH: 1, NAME: v2 }, ready: { timeout: 700ms } }`,
      '[{ split: { v1: 50, v2: 50 } }]',
    );
    const process = await start().ready();
    expect(process.err).toMatch(/not all processes are ready in time.*reviews-v2-1/);
    expect(process.err).toContain('last words of v2');
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask(process.address('mesh'), REVIEWS)));
    expect(new Set(answers.map((answer) => `${answer.status} ${answer.status === 200 ? answer.body : ''}`))).toEqual(
      new Set(['200 v1', '503 ']),
    );
    expect((await ask(process.address('admin'), { path: '/metrics' })).body).toMatch(/response_flags="UH"/);
  });

  test('what the machine lacks is refused before anything runs', async () => {
    save('v1: { run: not-a-program }, v2: { run: node program.cjs, env: { A: "${NOT_SET}" } }');
    const { code, err } = await start().finished;
    expect(code).toBe(3);
    expect(err).toMatch(
      /serin\.yaml:3:\d+: error: services\.reviews\.versions\.v1\.run: there is no program "not-a-program" on the PATH \[E_PROC_COMMAND\]/,
    );
    expect(err).toMatch(/services\.reviews\.versions\.v2\.env\.A: \$\{NOT_SET\} is not set in the environment of Serin \[E_CONFIG_ENV\]/);
  });

  test.skipIf(spawnSync('python3', ['--version']).status !== 0)('a Python server that takes its port as an argument', async () => {
    writeFileSync(join(directory, 'hello.txt'), 'from python');
    save('v1: { run: "python3 -m http.server ${PORT} --bind 127.0.0.1", ready: /hello.txt }');
    const process = await start().ready();
    expect(await body(process, '/hello.txt')).toBe('from python');
  });
});

describe('under load', () => {
  test('a changed command has no request fail: the new one is ready first, the old drained', async () => {
    save(`v1: { ${RUN}, env: { NAME: old }, instances: 2 }`);
    const process = await start().ready();
    const load = new RawLoad(process.address('mesh'), 'reviews', 8);
    const held = join(directory, 'held');
    const slow = ask(process.address('mesh'), { ...REVIEWS, path: `/held/${held}` });
    await eventually(() => existsSync(`${held}.arrived`), 'the slow request has arrived');
    const before = await processes();
    for (const name of ['new', 'newer', 'newest']) {
      save(`v1: { ${RUN}, env: { NAME: ${name}, DELAY_MS: 100 }, instances: 2 }`);
      await eventually(() => (load.tally.bodies.get(name) ?? 0) > 100, `${name} serves`);
    }
    // Whoever has the slow request is kept for it, however old; the other one of the first two is not.
    await eventually(async () => (await processes()).filter(({ phase }) => phase === 'draining').length === 1, 'one drains');
    expect(before.filter(({ pid }) => isRunning(pid))).toHaveLength(1);
    writeFileSync(held, '');
    expect((await slow).body).toBe('old');
    await eventually(() => before.every(({ pid }) => !isRunning(pid)), 'the old ones have ended');
    const tally = await load.stop();
    expect([tally.failed, tally.failures]).toEqual([0, []]);
    expect((await processes()).map(({ name, phase }) => `${name.slice(0, 10)} ${phase}`)).toEqual(['reviews-v1 ready', 'reviews-v1 ready']);
  });

  test('a version that is added gets its share only when it is ready; one that is removed ends', async () => {
    save(`v1: { ${RUN}, env: { NAME: v1 } }`);
    const process = await start().ready();
    const load = new RawLoad(process.address('mesh'), 'reviews', 4);
    const go = join(directory, 'go');
    save(
      `v1: { ${RUN}, env: { NAME: v1 } }, v2: { ${RUN}, env: { NAME: v2, READY_FILE: ${go} }, ready: /ready }`,
      '[{ split: { v1: 50, v2: 50 } }]',
    );
    await process.logged(/new configuration waits for its processes to be ready.*default\/reviews\/v2/);
    const sent = load.tally.sent;
    await eventually(() => load.tally.sent > sent + 100, 'requests go on');
    expect(load.tally.bodies.has('v2')).toBe(false);
    writeFileSync(go, '');
    await eventually(() => (load.tally.bodies.get('v2') ?? 0) > 50, 'v2 serves');
    const [, added] = await processes();
    const mark = process.err.length;
    save(`v1: { ${RUN}, env: { NAME: v1 } }`);
    await process.logged(/configuration changed/, mark);
    await eventually(() => !isRunning(added?.pid ?? 0), 'v2 has ended');
    const tally = await load.stop();
    expect([tally.failed, tally.failures]).toEqual([0, []]);
  });

  test('a new version that never becomes ready is refused, and nothing changes', async () => {
    save(`v1: { ${RUN}, env: { NAME: v1 } }`);
    const process = await start().ready();
    const load = new RawLoad(process.address('mesh'), 'reviews', 4);
    save(`v1: { ${RUN}, env: { NAME: v1 } }, v2: { ${RUN}, env: { CRASH: 1 }, ready: { timeout: 500ms } }`, '[{ to: v2 }]');
    await process.logged(/new configuration refused, the last good one stays: not ready in time: default\/reviews\/v2 \(exit code 3\)/);
    await eventually(async () => (await processes()).length === 1, 'v2 is given up');
    expect(await body(process)).toBe('v1');
    const tally = await load.stop();
    expect([tally.failed, [...tally.bodies.keys()]]).toEqual([0, ['v1']]);
  });

  test('files that change while a new version is waited for are what counts', async () => {
    save(`v1: { ${RUN}, env: { NAME: v1 } }`);
    const process = await start().ready();
    save(`v1: { ${RUN}, env: { NAME: v1 } }, v2: { ${RUN}, env: { READY_FILE: /none }, ready: /ready }`, '[{ to: v2 }]');
    await process.logged(/waits for its processes/);
    save(`v1: { ${RUN}, env: { NAME: v1 } }, v3: { ${RUN}, env: { NAME: v3 } }`, '[{ to: v3 }]');
    await eventually(async () => (await body(process)) === 'v3', 'v3 serves');
    await eventually(async () => (await processes()).map(({ name }) => name).join() === 'reviews-v1-1,reviews-v3-1', 'v2 is given up');
  });
});

describe('crashes', () => {
  test('of a process: its share gets 503 until it is back, and the log says so', async () => {
    save(`v1: { ${RUN}, env: { NAME: v1 } }`);
    const process = await start().ready();
    await body(process, '/exit');
    await process.logged(/process ended: exit code 4; it is started again in \d+ ms/);
    await process.logged(/no process of this version is ready: requests to it get 503 .*version=reviews-v1/);
    await eventually(async () => (await body(process)) === 'v1', 'it serves again');
  });

  test('of Serin (kill -9): no second copy and no orphan, with the next start or without', async () => {
    const starts = join(directory, 'starts');
    save(`v1: { ${RUN}, env: { NAME: v1, STARTS: ${starts}, IGNORE_TERM: 1 }, stopTimeout: 200ms }`);
    const first = await start().ready();
    first.signal('SIGKILL');
    await first.finished;
    const second = await start().ready();
    const [one = 0, two = 0, ...more] = await numbersIn(starts);
    expect(more).toEqual([]);
    expect([isRunning(one), isRunning(two)]).toEqual([false, true]);
    expect(await body(second)).toBe('v1');
    second.signal('SIGKILL');
    await second.finished;
    await eventually(() => !isRunning(two), 'the process has ended without Serin');
  });
});

describe('output', () => {
  test('a flood fills neither memory nor disk, and nothing waits for it', async () => {
    save(`v1: { ${RUN}, env: { NAME: v1 } }, v2: { ${RUN}, env: { NAME: v2, FLOOD: 1 }, ready: { timeout: 1s } }`, '[{ to: v1 }]');
    const process = await start().ready();
    const rssKb = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${process.child.pid}/status`, 'utf8'))?.[1]);
    const logs = join(state, 'logs');
    await eventually(() => existsSync(join(logs, 'default.reviews.v2.log')), 'there is a log');
    const atFirst = globalThis.process.platform === 'linux' ? rssKb() : 0;
    const load = new RawLoad(process.address('mesh'), 'reviews', 4, 3000);
    await load.done;
    expect(load.tally.failed).toBe(0);
    if (globalThis.process.platform === 'linux') expect(rssKb() - atFirst).toBeLessThan(64 * 1024);
    const bytes = readdirSync(logs).map((name) => statSync(join(logs, name)).size);
    expect(Math.max(...bytes)).toBeLessThanOrEqual(8 * 1024 * 1024);
    await eventually(
      () => readFileSync(join(logs, 'default.reviews.v2.log'), 'latin1').includes('bytes of output were left out'),
      'it says so',
    );
  });
});
