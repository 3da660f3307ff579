/** What becomes of output: lines with time and pid, files that rotate, floods that are left out. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../base/clock.ts';
import { RotatingLog } from './process-log.ts';
import { LineSplitter, OutputLog, ProcessOutput } from './process-output.ts';

let directory: string;
let clock: ManualClock;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-output-'));
  clock = new ManualClock(Date.UTC(2026, 0, 31, 12));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const file = (): string => join(directory, 'a.log');
const logOf = (maxBytes = 1_000_000, files = 3): RotatingLog =>
  new RotatingLog({ file: file(), maxBytes, files, nowMs: () => clock.monotonicMs() });

/** Chunks come in a buffer that is overwritten, as from a pipe. */
function read(output: ProcessOutput, chunks: readonly (string | Buffer)[], pid = 7): void {
  const { onBytes, onEnd } = output.reader('out', () => pid);
  for (const chunk of chunks) {
    const shared = Buffer.from(chunk);
    onBytes(shared);
    shared.fill(0);
  }
  onEnd();
}

describe('lines', () => {
  test('are the same however the bytes are cut', () => {
    const text = 'one\n\nthrée\r\nfour 🐦 five\nlast';
    const bytes = Buffer.from(text);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
        const splitter = new LineSplitter();
        const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const lines = at.slice(1).flatMap((end, index) => splitter.split(bytes.subarray(at[index], end)));
        expect([...lines, ...splitter.end()]).toEqual(['one', '', 'thrée', 'four 🐦 five', 'last']);
      }),
    );
  });

  test('that never end are cut, and hold no memory', () => {
    const splitter = new LineSplitter();
    for (let i = 0; i < 100; i++) expect(splitter.split(Buffer.alloc(65_536, 'x'))).toEqual([]);
    const [line = '', next] = splitter.split(Buffer.from('y\nnext\n'));
    expect(line).toMatch(/^x{8192}…$/);
    expect(next).toBe('next');
    expect(splitter.end()).toEqual([]);
  });

  test('are written with time, pid and stream; the last are kept', async () => {
    const log = new OutputLog(logOf(), clock);
    const output = new ProcessOutput(log, []);
    read(output, [Array.from({ length: 30 }, (_, i) => `line ${i}\n`).join(''), 'no end']);
    await log.close();
    expect(readFileSync(file(), 'utf8').split('\n').slice(0, 2)).toEqual([
      '2026-01-31T12:00:00.000Z 7 out line 0',
      '2026-01-31T12:00:00.000Z 7 out line 1',
    ]);
    expect(output.tail).toHaveLength(10);
    expect(output.tail.slice(-2)).toEqual(['line 29', 'no end']);
  });
});

test('what a process was handed and prints is neither written nor kept', async () => {
  const log = new OutputLog(logOf(), clock);
  const output = new ProcessOutput(log, ['S3CRET']);
  read(output, ['it is S3C', 'RET\n', 'token=other\n']);
  await log.close();
  expect(readFileSync(file(), 'utf8')).not.toContain('S3CRET');
  expect(output.tail).toEqual(['it is redacted', 'token=redacted']);
});

describe('a flood', () => {
  test('is left out beyond the budget, and the log says how much', async () => {
    const log = new OutputLog(logOf(64 * 1024 * 1024), clock);
    const output = new ProcessOutput(log, []);
    const block = Buffer.alloc(65_536, 'x'.repeat(63) + '\n');
    read(
      output,
      Array.from({ length: 500 }, () => block),
    );
    clock.advance(1000);
    read(output, ['calm\n']);
    await log.close();
    const text = readFileSync(file(), 'utf8');
    const left = Number(/\[(\d+) bytes of output were left out/.exec(text)?.[1]);
    expect(left).toBeGreaterThan(29_000_000);
    expect(text.length).toBeLessThan(5_000_000);
    expect(text.endsWith('out calm\n')).toBe(true);
  });
});

describe('files', () => {
  test('rotate at their size and never exceed their number', async () => {
    const log = logOf(300_000, 3);
    for (let i = 0; i < 2000; i++) {
      // False: more waits than may; the file is behind.
      while (!log.write(`${String(i).padStart(999, '.')}\n`)) await new Promise((resolve) => setImmediate(resolve));
    }
    await log.close();
    expect(readdirSync(directory).sort()).toEqual(['a.log', 'a.log.1', 'a.log.2']);
    for (const name of readdirSync(directory)) expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(300_000);
    const kept = ['a.log.2', 'a.log.1', 'a.log'].map((name) => readFileSync(join(directory, name), 'utf8')).join('');
    expect(kept.endsWith(`${'1999'.padStart(999, '.')}\n`)).toBe(true);
    const numbers = kept
      .trim()
      .split('\n')
      .map((line) => Number(line.replaceAll('.', '')));
    expect(numbers).toEqual(numbers.map((_, index) => 2000 - numbers.length + index));
  });

  test('go on where an earlier Serin stopped', async () => {
    writeFileSync(file(), 'old\n');
    const log = logOf();
    log.write('new\n');
    await log.close();
    expect(readFileSync(file(), 'utf8')).toBe('old\nnew\n');
  });

  test('are readable by nobody else, and a link is not followed', async () => {
    const log = logOf();
    log.write('x\n');
    await log.close();
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    rmSync(file());
    writeFileSync(join(directory, 'victim'), 'untouched');
    symlinkSync(join(directory, 'victim'), file());
    const linked = logOf();
    linked.write('x\n');
    await linked.close();
    expect(readFileSync(join(directory, 'victim'), 'utf8')).toBe('untouched');
  });

  test('that cannot be written cost lines and nothing else; they are tried again', async () => {
    const log = new RotatingLog({ file: join(directory, 'no/such/a.log'), maxBytes: 1000, files: 2, nowMs: () => clock.monotonicMs() });
    expect(log.write('lost\n')).toBe(true);
    await expect.poll(() => log.write('refused\n')).toBe(false);
    clock.advance(2000);
    expect(log.write('tried again\n')).toBe(true);
    await log.close();
  });
});
