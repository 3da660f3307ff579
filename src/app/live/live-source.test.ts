/** When counters are looked at, and what of them is told: over real shared counters. Nothing here does I/O, so time is moved by hand. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LiveUpdate } from '../../admin/live-types.ts';
import { ManualClock } from '../../base/clock.ts';
import { loadText } from '../../config/load.ts';
import { EMPTY_OVERLAY } from '../../config/overlay.ts';
import type { Cluster, OutlierDetection } from '../../routing/table.ts';
import { HealthBoard, healthKey } from '../../telemetry/health-board.ts';
import { EJECTION, outlierKey, WORD } from '../../telemetry/outlier-board.ts';
import { SharedRows } from '../../telemetry/shared-rows.ts';
import { StatsRegistry, StatsWriter } from '../../telemetry/shared-stats.ts';
import { inForceOf } from '../../../test/helpers/engine-rig.ts';
import { silentLogger } from '../logger.ts';
import type { InForce } from '../pipeline.ts';
import { newState } from '../../rollout/state.ts';
import type { Rollouts } from '../rollouts/engine.ts';
import { LiveSource } from './live-source.ts';

const HOST = 'reviews.default.svc.cluster.local';
const CONFIG = `
services:
  reviews:
    versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }
    routes: [{ split: { v1: 90, v2: 10 } }]
    healthCheck: { path: /healthz }
`;

const DETECTION: OutlierDetection = {
  consecutive5xxErrors: 5,
  consecutiveGatewayErrors: 0,
  splitLocalErrors: false,
  consecutiveLocalFailures: 0,
  errorStatuses: [],
  intervalMs: 1000,
  baseEjectionMs: 1000,
  maxEjectionPercent: 100,
  minHealthPercent: 0,
};

type Released = ReturnType<Rollouts['released']> extends Iterable<infer One> ? One : never;

const clock = new ManualClock(Date.parse('2026-01-02T03:04:05Z'));
let source: LiveSource;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => {
  source.stop();
  vi.useRealTimers();
});

function pass(ms: number): void {
  clock.advance(ms);
  vi.advanceTimersByTime(ms);
}

function start(
  change: (cluster: Cluster) => Cluster = (cluster) => cluster,
  config = CONFIG,
  released: readonly Released[] = [],
): {
  stats: StatsRegistry;
  health: HealthBoard;
  outliers: SharedRows;
  inForce: InForce;
} {
  const stats = new StatsRegistry(1);
  const [health, outliers] = [new HealthBoard(), new SharedRows()];
  stats.slot('');
  const { snapshot, diagnostics } = loadText('a.yaml', config);
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const compiled = inForceOf(snapshot, EMPTY_OVERLAY);
  const inForce = { ...compiled, table: { ...compiled.table, clusters: compiled.table.clusters.map(change) } };
  for (const { name } of inForce.table.clusters) stats.slot(name);
  source = new LiveSource({
    pipeline: { inForce },
    proxy: { stats, health, outliers },
    processes: { states: () => [] },
    rollouts: { released: () => released },
    clock,
    logger: silentLogger(),
  });
  return { stats, health, outliers, inForce };
}

const parsed = (text: string): LiveUpdate => LiveUpdate.parse(JSON.parse(text));

test('nothing is looked at before somebody watches, nor from ten seconds after the last has gone', () => {
  start();
  pass(5000);
  expect(source.looks).toBe(0);
  source.open(() => undefined);
  pass(2000);
  expect(source.looks).toBe(2);
  source.close();
  pass(9000);
  expect(source.looks).toBe(11);
  pass(60_000);
  expect(source.looks).toBe(11);
});

test('a question alone has it look for a while, and waits for rates', async () => {
  const { stats } = start();
  const asked = source.full();
  const writer = new StatsWriter(0, 1);
  writer.attach(stats.segments());
  for (let request = 0; request < 100; request++)
    writer.cluster(stats.slot(`outbound|80|${request < 80 ? 'v1' : 'v2'}|${HOST}`)).record(request === 99 ? 500 : 200, 7);
  pass(1000);
  const update = parsed(await asked);
  expect(update).toMatchObject({ full: true, windowSeconds: 1, requestsPerSecond: 100, errorsPerSecond: 1 });
  expect(update.services).toMatchObject([
    {
      host: HOST,
      requestsPerSecond: 100,
      versions: [
        { subset: 'v1', requestsPerSecond: 80, errorsPerSecond: 0, share: 0.8, weightPercent: 90, p50Ms: 7.01, p99Ms: 7.01 },
        { subset: 'v2', requestsPerSecond: 20, errorsPerSecond: 1, share: 0.2, weightPercent: 10 },
      ],
    },
  ]);
});

test('health, ejections and requests in flight are told without a request that ends', () => {
  const { stats, health, outliers, inForce } = start((cluster) => ({ ...cluster, outlierDetection: DETECTION }));
  const cluster = inForce.table.clusters.find(({ subset }) => subset === 'v2');
  const row = outliers.row(outliers.slot(outlierKey(cluster?.name ?? '', '127.0.0.1', 2)));
  const told: LiveUpdate[] = [];
  source.open(({ data }) => told.push(parsed(data)));
  for (const { data } of source.greeting()) Array.from(data);
  health.set(health.slot(healthKey('127.0.0.1', 1, cluster?.healthCheck?.path ?? '')), false);
  row[WORD.ejected] = EJECTION.inForce;
  const writer = new StatsWriter(0, 1);
  writer.attach(stats.segments());
  writer.cluster(stats.slot(cluster?.name ?? '')).activeAdd(1);
  pass(1000);
  expect(told).toHaveLength(1);
  expect(told[0]?.services[0]?.versions).toMatchObject([
    { subset: 'v1', endpoints: { total: 1, healthy: 0, ejected: 0 }, activeRequests: 0 },
    { subset: 'v2', endpoints: { total: 1, healthy: 0, ejected: 1 }, activeRequests: 1 },
  ]);
  pass(1000);
  expect(told).toHaveLength(2);
  expect(told[1]?.services).toEqual([]);
});

test('versions of a release are told apart: subsets of a service, and Services of a route', async () => {
  const service = (name: string): string =>
    `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }] }\n`;
  const promoted = (host: string, stable: string, canary: string): Released => ({
    name: 'default/shop',
    host,
    state: { ...newState({ stable, canaries: [canary] }), outcome: 'promoted' },
  });
  start(undefined, `${CONFIG}${service('shop-v1')}${service('shop-v2')}`, [
    promoted(HOST, 'v1', 'v2'),
    promoted('httproute/default/shop', 'shop-v1', 'shop-v2'),
  ]);
  const asked = source.full();
  pass(1000);
  const { services } = parsed(await asked);
  const roles = services.flatMap(({ name, versions }) => versions.map(({ subset, role }) => `${name} ${subset} ${role ?? '-'}`));
  expect(roles.toSorted()).toEqual(['reviews v1 -', 'reviews v2 stable', 'shop-v1  -', 'shop-v2  stable']);
});
