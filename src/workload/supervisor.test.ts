/**
 * The supervisor between a configuration and a routing table, with real processes. The data plane is played: a test says when a table is in force and
 * how many requests an endpoint still has.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually, isRunning, writeProgram } from '../../test/helpers/process-program.ts';
import { systemClock } from '../base/clock.ts';
import { seededRandom } from '../base/random.ts';
import { loadText } from '../config/load.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { compile } from '../routing/compile.ts';
import type { RoutingTable } from '../routing/table.ts';
import { type ProcessState, Supervisor, type SupervisorEvent } from './supervisor.ts';

let directory: string;
let events: SupervisorEvent[];
let active: number;
let news: number;
let supervisor: Supervisor;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-supervisor-'));
  writeProgram(directory);
  [events, active, news] = [[], 0, 0];
  supervisor = new Supervisor({
    stateDirectory: directory,
    hostEnv: { PATH: process.env['PATH'] },
    clock: systemClock,
    random: seededRandom(2),
    drainTimeoutMs: 5000,
    activeRequests: () => Promise.resolve(active),
    onChange: () => void news++,
    onEvent: (event) => events.push(event),
  });
});

afterEach(async () => {
  await supervisor.close();
  rmSync(directory, { recursive: true, force: true });
});

const RUN = `run: ["${process.execPath}", program.cjs]`;

function snapshotOf(versions: string): Snapshot {
  const { snapshot, diagnostics } = loadText(
    join(directory, 'a.yaml'),
    `services: { reviews: { versions: { ${versions} }, routes: [{ to: v1 }] } }\n`,
  );
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  return snapshot;
}

const compiled = (snapshot: Snapshot): RoutingTable => compile(snapshot).table;
const ports = (table: RoutingTable): number[] =>
  (table.clusters.find(({ subset }) => subset === 'v1')?.endpoints ?? []).map(({ port }) => port);
const stateOf = (name: string): ProcessState | undefined => supervisor.states().find((state) => state.name === name);
const names = (): string[] => supervisor.states().map(({ name }) => name);

/** As the pipeline does it. @returns The table that is in force then. */
function bring(snapshot: Snapshot): RoutingTable {
  supervisor.want(snapshot);
  const table = supervisor.resolve(compiled(snapshot));
  supervisor.applied(table);
  return table;
}

async function ready(snapshot: Snapshot): Promise<RoutingTable> {
  bring(snapshot);
  expect(await supervisor.settled()).toEqual([]);
  return bring(snapshot);
}

describe('endpoints', () => {
  test('are those of ready instances, and news is told when that changes', async () => {
    const snapshot = snapshotOf(`v1: { ${RUN}, instances: 2, weight: 3 }`);
    expect(ports(bring(snapshot))).toEqual([]);
    expect(await supervisor.settled()).toEqual([]);
    expect(news).toBeGreaterThan(0);
    const table = bring(snapshot);
    const endpoints = table.clusters.find(({ subset }) => subset === 'v1')?.endpoints;
    expect(endpoints).toEqual(
      ['reviews-v1-1', 'reviews-v1-2'].map((name) => ({ ...stateOf(name)?.endpoint, weight: 3, labels: { version: 'v1' } })),
    );
  });

  test('stand beside given ones in the service as a whole', async () => {
    const snapshot = snapshotOf(`v1: { ${RUN} }, v2: http://127.0.0.1:9`);
    await ready(snapshot);
    const shared = compile(loadText('x', '').snapshot);
    expect(shared.table.clusters).toEqual([]);
    const table = supervisor.resolve({
      ...compiled(snapshot),
      clusters: compiled(snapshot).clusters.map((cluster) => ({
        ...cluster,
        endpoints: [{ address: '127.0.0.1', port: 9, weight: 1, labels: {} }],
      })),
    });
    expect(ports(table)).toEqual([9, stateOf('reviews-v1-1')?.endpoint?.port]);
  });

  test('a process that ends is out at once; a version without any says so', async () => {
    const snapshot = snapshotOf(`v1: { ${RUN} }`);
    await ready(snapshot);
    const before = news;
    process.kill(stateOf('reviews-v1-1')?.pid ?? 0, 'SIGKILL');
    await eventually(() => news > before, 'news is told');
    expect(ports(bring(snapshot))).toEqual([]);
    expect(events).toContainEqual({ kind: 'empty', name: 'reviews-v1' });
  });
});

describe('what is not wanted any more', () => {
  test('runs while the table in force has it, and until its requests have ended', async () => {
    await ready(snapshotOf(`v1: { ${RUN} }, v2: { ${RUN} }`));
    const pid = stateOf('reviews-v2-1')?.pid ?? 0;
    const rest = snapshotOf(`v1: { ${RUN} }`);
    // In no cluster: out of the table from the beginning, as no route leads to v2.
    active = 1;
    supervisor.want(rest);
    supervisor.applied(supervisor.resolve(compiled(rest)));
    await eventually(() => stateOf('reviews-v2-1')?.phase === 'draining', 'it drains');
    expect(isRunning(pid)).toBe(true);
    active = 0;
    await eventually(() => !isRunning(pid), 'it has ended');
    await eventually(() => names().length === 1, 'it is forgotten');
    expect(events).toContainEqual({ kind: 'drained', name: 'reviews-v2-1', leftRequests: 0 });
  });

  test('is kept while a table with it is in force or on its way', async () => {
    const snapshot = snapshotOf(`v1: { ${RUN} }`);
    const table = await ready(snapshot);
    const pid = stateOf('reviews-v1-1')?.pid ?? 0;
    const empty = snapshotOf('v1: http://127.0.0.1:9');
    supervisor.want(empty);
    expect(stateOf('reviews-v1-1')?.phase).toBe('ready');
    // The new table was refused.
    supervisor.want(snapshot);
    supervisor.applied(table);
    expect([stateOf('reviews-v1-1')?.phase, isRunning(pid)]).toEqual(['ready', true]);
    expect(ports(bring(snapshot))).toEqual(ports(table));
  });

  test('fewer instances: the last ones go', async () => {
    await ready(snapshotOf(`v1: { ${RUN}, instances: 3 }`));
    bring(snapshotOf(`v1: { ${RUN}, instances: 1 }`));
    await eventually(() => names().length === 1, 'two have gone');
    expect(names()).toEqual(['reviews-v1-1']);
  });
});

describe('a changed command', () => {
  test('is ready before the old one goes; they change places in one table', async () => {
    const old = await ready(snapshotOf(`v1: { ${RUN}, instances: 2 }`));
    const changed = snapshotOf(`v1: { ${RUN}, instances: 2, env: { DELAY_MS: 200 } }`);
    expect(ports(bring(changed))).toEqual(ports(old));
    expect(names()).toHaveLength(4);
    expect(await supervisor.settled()).toEqual([]);
    const fresh = ports(supervisor.resolve(compiled(changed)));
    expect(fresh).toHaveLength(2);
    expect(fresh.filter((port) => ports(old).includes(port))).toEqual([]);
    bring(changed);
    await eventually(() => names().length === 2, 'the old ones are gone');
    expect(ports(bring(changed))).toEqual(fresh);
  });

  test('that does not work leaves the old one serving', async () => {
    const old = await ready(snapshotOf(`v1: { ${RUN} }`));
    const changed = snapshotOf(`v1: { ${RUN}, env: { CRASH: 1 } }`);
    bring(changed);
    await eventually(() => events.filter(({ kind }) => kind === 'ended').length >= 3, 'the new one has failed three times');
    expect(ports(bring(changed))).toEqual(ports(old));
    const back = snapshotOf(`v1: { ${RUN} }`);
    expect(ports(bring(back))).toEqual(ports(old));
    await eventually(() => names().length === 1, 'the new one is given up');
  });
});

describe('warming up', () => {
  test('starts what is new and tells what is not ready; the rest is untouched', async () => {
    const snapshot = snapshotOf(`v1: { ${RUN} }`);
    await ready(snapshot);
    const more = snapshotOf(`v1: { ${RUN} }, v2: { ${RUN} }, v3: { ${RUN}, env: { CRASH: 1 }, ready: { timeout: 5s } }`);
    await supervisor.warmUp('files', more);
    await eventually(() => stateOf('reviews-v2-1')?.phase === 'ready', 'v2 is ready');
    expect(supervisor.notReady(more).map(({ version, why }) => [version.id, why])).toEqual([['default/reviews/v3', 'exit code 3']]);
    // Other changes go on meanwhile.
    bring(snapshot);
    expect(stateOf('reviews-v2-1')?.phase).toBe('ready');
    supervisor.coolDown('files');
    await eventually(() => names().join(',') === 'reviews-v1-1', 'what was new is gone again');
  });
});

describe('closing', () => {
  test('leaves nothing running', async () => {
    await ready(snapshotOf(`v1: { ${RUN}, instances: 3 }`));
    const pids = supervisor.states().map(({ pid }) => pid ?? 0);
    await supervisor.close();
    expect(pids.map(isRunning)).toEqual([false, false, false]);
    expect(supervisor.states().every(({ phase }) => phase === 'stopping')).toBe(true);
  });
});
