/** Real files, changed in the ways editors, package managers and Kubernetes change them. */
import { mkdir, mkdtemp, rename, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watchFiles, type Watch } from './watch.ts';

let directory = '';
let watch: Watch | undefined;
let changes = 0;
let onChange: () => void = () => {};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'serin-watch-'));
  changes = 0;
});
afterEach(async () => {
  watch?.close();
  await rm(directory, { recursive: true });
});

const path = (name: string): string => join(directory, name);

/** Starts watching: every change from then on is signalled, and nothing before. */
async function start(...paths: string[]): Promise<void> {
  watch = watchFiles(
    paths,
    () => {
      changes++;
      onChange();
    },
    { debounceMs: 10, pollMs: 50 },
  );
  await watch.ready;
}

/** Resolves at the next signal, or after `limitMs` without one. */
function next(limitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), limitMs);
    onChange = () => {
      clearTimeout(timer);
      resolve(true);
    };
  });
}

async function signalled(change: () => Promise<unknown>): Promise<boolean> {
  const seen = next(5000);
  await change();
  return seen;
}

test('a file written in place, replaced by rename, deleted and back', async () => {
  const file = path('a.yaml');
  await writeFile(file, 'one');
  await start(file);
  expect(await signalled(() => writeFile(file, 'two'))).toBe(true);
  await writeFile(path('a.tmp'), 'three');
  expect(await signalled(() => rename(path('a.tmp'), file))).toBe(true);
  // The watch is on the name, not on the file that had it.
  expect(await signalled(() => writeFile(file, 'four'))).toBe(true);
  expect(await signalled(() => unlink(file))).toBe(true);
  expect(await signalled(() => writeFile(file, 'five'))).toBe(true);
});

test('a directory: files added, changed and removed', async () => {
  await mkdir(path('d'));
  await start(path('d'));
  expect(await signalled(() => writeFile(path('d/a.yaml'), 'one'))).toBe(true);
  expect(await signalled(() => writeFile(path('d/a.yaml'), 'two'))).toBe(true);
  expect(await signalled(() => unlink(path('d/a.yaml')))).toBe(true);
});

test('a mounted ConfigMap, whose ..data link is swapped', async () => {
  await mkdir(path('m/..1'), { recursive: true });
  await writeFile(path('m/..1/a.yaml'), 'one');
  await symlink('..1', path('m/..data'));
  await symlink('..data/a.yaml', path('m/a.yaml'));
  await start(path('m'));
  await mkdir(path('m/..2'));
  await writeFile(path('m/..2/a.yaml'), 'two');
  await symlink('..2', path('m/..tmp'));
  expect(await signalled(() => rename(path('m/..tmp'), path('m/..data')))).toBe(true);
});

test('a path that does not exist yet, in a directory that does not either', async () => {
  await writeFile(path('here.yaml'), 'x');
  await start(path('here.yaml'), path('later/a.yaml'));
  await mkdir(path('later'));
  expect(await signalled(() => writeFile(path('later/a.yaml'), 'one'))).toBe(true);
});

test('a touch without a change is no change; after close nothing is signalled', async () => {
  const file = path('a.yaml');
  await writeFile(file, 'one');
  await start(file);
  const before = changes;
  const seen = next(300);
  await utimes(file, new Date(0), new Date(0));
  expect(await seen).toBe(false);
  watch?.close();
  const afterClose = next(300);
  await writeFile(file, 'two');
  expect(await afterClose).toBe(false);
  expect(changes).toBe(before);
});
