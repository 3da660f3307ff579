/** `serin up --access-log`: every worker's requests stand in one file when it has ended, and what is not asked for is not written. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SerinProcess } from '../helpers/serin-process.ts';
import { ask, startUpstream, type Upstream } from '../helpers/upstream.ts';

let upstream: Upstream;
let directory: string;

beforeEach(async () => {
  upstream = await startUpstream('v1');
  directory = mkdtempSync(join(tmpdir(), 'serin-access-log-'));
  writeFileSync(
    join(directory, 'app.yaml'),
    `services: { app: { versions: { v1: 'http://127.0.0.1:${upstream.port}' }, routes: [{ to: v1 }] } }\n`,
  );
});
afterEach(async () => {
  await upstream.close();
  rmSync(directory, { recursive: true, force: true });
});

function up(...args: readonly string[]): SerinProcess {
  const addresses = ['--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--state', join(directory, 'state')];
  return new SerinProcess(['up', '-f', join(directory, 'app.yaml'), ...addresses, ...args]);
}

const file = (): string => join(directory, 'state', 'logs', 'access.log');

test('all of two workers', { timeout: 60_000 }, async () => {
  const process_ = await up('--access-log', 'all', '--workers', '2').ready();
  const paths = Array.from({ length: 40 }, (_, index) => `/${index}`);
  await Promise.all(paths.map((path) => ask(process_.address('mesh'), { path, headers: { host: 'app' } })));
  process_.signal('SIGTERM');
  await process_.finished;
  const lines = readFileSync(file(), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.map(({ path }) => String(path)).toSorted()).toEqual(paths.toSorted());
  expect(new Set(lines.map(({ upstream_cluster: cluster }) => cluster))).toEqual(new Set(['outbound|80|v1|app.default.svc.cluster.local']));
});

test('none without it; a file without it, and words it does not know, are refused', { timeout: 60_000 }, async () => {
  const process_ = await up().ready();
  await ask(process_.address('mesh'), { headers: { host: 'app' } });
  await process_.end();
  expect(existsSync(file())).toBe(false);
  for (const [args, message] of [
    [['--access-log-file', 'x'], '--access-log-file without --access-log logs nothing'],
    [['--access-log', '200%'], "expected off, errors, all, or a percentage above 0 such as 1%, found '200%'"],
    [['--access-log', 'all', '--access-log-file', directory], 'E_ACCESS_LOG'],
  ] as const) {
    const refused = up(...args);
    const { code, err } = await refused.finished;
    expect([code !== 0, err.includes(message) ? message : err]).toEqual([true, message]);
  }
});
