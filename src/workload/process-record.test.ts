/** What an earlier Serin left running is ended, and nothing else is. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually, isRunning } from '../../test/helpers/process-program.ts';
import { ProcessRecord } from './process-record.ts';

let directory: string;
const children: ChildProcess[] = [];
const nowMs = (): number => performance.now();
const record = (problems: string[] = []): ProcessRecord => new ProcessRecord(directory, (problem) => problems.push(problem));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-record-'));
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function sleeper(script = 'console.log(1); setInterval(() => {}, 1000)'): Promise<number> {
  const child = spawn(process.execPath, ['-e', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return child.pid ?? 0;
}

describe('reaping', () => {
  test('ends what is recorded and still runs, also when it ignores SIGTERM', async () => {
    const pids = [await sleeper(), await sleeper("process.on('SIGTERM', () => {}); console.log(1); setInterval(() => {}, 1000)")];
    const earlier = record();
    for (const [index, pid] of pids.entries()) earlier.add(pid, `p${index}`);
    expect(await record().reap(nowMs)).toEqual(pids.map((pid, index) => ({ pid, name: `p${index}` })));
    for (const pid of pids) await eventually(() => !isRunning(pid), `${pid} has ended`);
    expect(await record().reap(nowMs)).toEqual([]);
  });

  test('leaves a process alone that only has the same number', async () => {
    const pid = await sleeper();
    record().add(pid, 'p');
    const file = join(directory, 'processes.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"started":"[^"]*"/, '"started":"1"'));
    expect(await record().reap(nowMs)).toEqual([]);
    expect(isRunning(pid)).toBe(true);
  });

  test('leaves everything alone after a restart of the machine', async () => {
    const pid = await sleeper();
    record().add(pid, 'p');
    const file = join(directory, 'processes.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"boot":"[^"]*"/, '"boot":"another"'));
    expect(await record().reap(nowMs)).toEqual([]);
    expect(isRunning(pid)).toBe(true);
  });

  test('ends what is left of a group whose first process is gone', async () => {
    const grandchild = join(directory, 'grandchild');
    const pid = await sleeper(
      `const child = require('node:child_process').spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1000)'], { stdio: ['ignore', 'pipe', 'ignore'] });
       child.stdout.once('data', () => { require('node:fs').writeFileSync(${JSON.stringify(grandchild)}, String(child.pid)); console.log(1); });
       setInterval(() => {}, 1000)`,
    );
    record().add(pid, 'p');
    process.kill(pid, 'SIGKILL');
    await eventually(() => !isRunning(pid), 'the first has ended');
    const left = Number(readFileSync(grandchild, 'utf8'));
    expect(isRunning(left)).toBe(true);
    expect(await record().reap(nowMs)).toEqual([{ pid, name: 'p' }]);
    await eventually(() => !isRunning(left), 'the grandchild has ended');
  });

  test.each(['', '{', '[]', '[{"pid":-1}]', '{"pid":1}'])('a record that holds %j ends nothing', async (text) => {
    writeFileSync(join(directory, 'processes.json'), text);
    expect(await record().reap(nowMs)).toEqual([]);
  });
});

describe('the file', () => {
  test('is the owner’s alone and loses what has ended', async () => {
    const pid = await sleeper();
    const current = record();
    current.add(pid, 'p');
    const file = join(directory, 'processes.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    current.remove(pid);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual([]);
    expect(await record().reap(nowMs)).toEqual([]);
    expect(isRunning(pid)).toBe(true);
  });

  test('that cannot be written is said, and nothing fails', () => {
    rmSync(directory, { recursive: true });
    const problems: string[] = [];
    record(problems).add(process.pid, 'p');
    expect(problems).toHaveLength(1);
  });
});
