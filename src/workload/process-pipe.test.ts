/** The pipes processes print into: what comes out is what went in, and nothing is left on disk. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PipeMaker } from './process-pipe.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-pipe-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function collected(maker: PipeMaker, program: string, args: readonly string[]): Promise<{ bytes: Buffer; code: unknown }> {
  const chunks: Buffer[] = [];
  const ended = Promise.withResolvers<void>();
  const end = await maker.open((bytes) => chunks.push(Buffer.from(bytes)), ended.resolve);
  const child = spawn(program, args, { stdio: ['ignore', end, 'ignore'] });
  end.destroy();
  const [code]: unknown[] = await once(child, 'exit');
  await ended.promise;
  return { bytes: Buffer.concat(chunks), code };
}

const NODE = "process.stdout.write('x'.repeat(5_000_000)); process.stdout.write('end')";
// A stream that does not block would break this with an error.
const PYTHON = "import sys\nfor _ in range(50): sys.stdout.write('x' * 100000)\nsys.stdout.write('end')";

test.each([
  ['node', process.execPath, ['-e', NODE]],
  ['python3', 'python3', ['-c', PYTHON]],
])('everything %s prints arrives, however much', async (_name, program, args) => {
  if (spawnSync(program, ['--version']).status !== 0) return;
  const { bytes, code } = await collected(new PipeMaker(directory, directory), program, args);
  expect([code, bytes.length, bytes.subarray(-3).toString()]).toEqual([0, 5_000_003, 'end']);
});

test('the directory is the owner’s alone, holds nothing, and is gone after close', async () => {
  const maker = new PipeMaker(directory, '/nowhere');
  for (let i = 0; i < 3; i++) await collected(maker, process.execPath, ['-e', '']);
  expect(readdirSync(join(directory, 'pipes'))).toEqual([]);
  expect(statSync(join(directory, 'pipes')).mode & 0o777).toBe(0o700);
  rmSync(join(directory, 'pipes'), { recursive: true });
  expect((await collected(maker, process.execPath, ['-e', 'console.log(1)'])).bytes.toString()).toBe('1\n');
  maker.close();
  expect(existsSync(join(directory, 'pipes'))).toBe(false);
});

test('a state directory too deep for a socket is no hindrance', async () => {
  const deep = join(directory, 'd'.repeat(120));
  mkdirSync(deep);
  const maker = new PipeMaker(deep, directory);
  expect((await collected(maker, process.execPath, ['-e', 'console.log(1)'])).bytes.toString()).toBe('1\n');
  maker.close();
  expect(readdirSync(directory)).toEqual(['d'.repeat(120)]);
});
