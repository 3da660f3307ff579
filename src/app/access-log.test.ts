/** The file of the access log: what it takes is written, what it cannot write is counted, and a place where nothing can be written is refused at once. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { AccessLogError, AccessLogFile } from './access-log.ts';
import { silentLogger } from './logger.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-access-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const opened = (file: string): AccessLogFile => new AccessLogFile(file, systemClock, silentLogger());

test('lines are written, for nobody else to read', async () => {
  const file = join(directory, 'logs', 'access.log');
  const log = opened(file);
  expect(log.write({ text: 'one\ntwo\n', count: 2 })).toBe(true);
  await log.close();
  expect(readFileSync(file, 'utf8')).toBe('one\ntwo\n');
  expect([statSync(file).mode & 0o777, log.lost]).toEqual([0o600, 0]);
});

test('a disk that takes nothing costs lines, which are counted', async () => {
  const file = join(directory, 'access.log');
  const log = opened(file);
  rmSync(file);
  mkdirSync(file);
  expect(log.write({ text: 'one\ntwo\n', count: 2 })).toBe(true);
  await log.close();
  expect(log.lost).toBe(2);
});

test('more than may wait is refused', () => {
  expect(opened(join(directory, 'access.log')).write({ text: 'x'.repeat(5 * 1024 * 1024), count: 1 })).toBe(false);
});

test('where nothing can be written it says so', () => {
  expect(() => opened(directory)).toThrow(AccessLogError);
});
