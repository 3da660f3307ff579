/** Real files, written and turned over by the real writer while they are read. */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogFollower, readLogTail } from './process-log-reader.ts';
import { RotatingLog } from './process-log.ts';

let directory: string;
let file: string;
let follower: LogFollower | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-log-'));
  file = join(directory, 'a.log');
});

afterEach(() => {
  follower?.stop();
  follower = undefined;
  rmSync(directory, { recursive: true, force: true });
});

const lines = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `line ${from + index} ${'é'.repeat(index % 40)}`);
const text = (from: number, to: number): string => `${lines(from, to).join('\n')}\n`;

test('no file: no lines', async () => {
  expect(await readLogTail(file, 10)).toEqual({ lines: [], end: { inode: undefined, offset: 0 } });
});

test.each([1, 10, 99, 100, 2500, 5000])('the last %i lines, over the files', async (count) => {
  writeFileSync(`${file}.2`, text(0, 2000));
  writeFileSync(`${file}.1`, text(2000, 4000));
  writeFileSync(file, `${text(4000, 4100)}half a li`);
  expect((await readLogTail(file, count)).lines).toEqual(lines(0, 4100).slice(-count));
});

test('lines that are longer than what is read at once', async () => {
  const long = ['a', 'b', 'c'].map((letter) => letter.repeat(200_000));
  writeFileSync(file, `${long.join('\n')}\n`);
  expect((await readLogTail(file, 2)).lines).toEqual(long.slice(1));
});

test('what comes is told once, in order, while the log is turned over again and again', async () => {
  const log = new RotatingLog({ file, maxBytes: 64 * 1024, files: 4, nowMs: () => performance.now() });
  log.write(text(0, 100));
  const written = (): boolean => existsSync(file) && readFileSync(file).length === Buffer.byteLength(text(0, 100));
  while (!written()) await sleep(5);
  const { lines: tail, end } = await readLogTail(file, 20);
  const told = [...tail];
  // Between reading and following.
  log.write(text(100, 200));
  follower = new LogFollower(file, end, (more) => void told.push(...more));
  follower.start();
  for (let at = 200; at < 6000; at += 100) {
    log.write(text(at, at + 100));
    // Ahead by less than a file: of those that were turned over, the follower goes on with the last.
    while (told.length < at - 600) await sleep(5);
  }
  while (told.length < 5920) await sleep(5);
  await log.close();
  expect(told).toEqual(
    lines(0, 0)
      .concat(...Array.from({ length: 60 }, (_, hundred) => lines(hundred * 100, hundred * 100 + 100)))
      .slice(80),
  );
});

test('a log that is not there yet, and a line that comes in pieces', async () => {
  const told: string[] = [];
  follower = new LogFollower(file, (await readLogTail(file, 5)).end, (more) => void told.push(...more));
  follower.start();
  await sleep(50);
  appendFileSync(file, 'one\ntw');
  while (told.length < 1) await sleep(20);
  appendFileSync(file, 'o\n');
  while (told.length < 2) await sleep(20);
  expect(told).toEqual(['one', 'two']);
});

test('a link is not followed', async () => {
  writeFileSync(join(directory, 'secret'), 'secret\n');
  symlinkSync(join(directory, 'secret'), file);
  await expect(readLogTail(file, 5)).rejects.toThrow('ELOOP');
});
