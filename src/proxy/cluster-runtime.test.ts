/** Which endpoint is picked: health, ejections, priorities, warm-up and hashes together. */
import { expect, test } from 'vitest';
import { ManualClock } from '../base/clock.ts';
import { seededRandom } from '../base/random.ts';
import { hashOf } from '../routing/consistent-hash.ts';
import type { Cluster } from '../routing/table.ts';
import { HealthView } from '../telemetry/health-board.ts';
import { SharedRows } from '../telemetry/shared-rows.ts';
import { StatsRegistry, StatsWriter } from '../telemetry/shared-stats.ts';
import { cluster as clusterOf } from '../../test/helpers/tables.ts';
import { ClusterRuntime, EndpointRuntime } from './cluster-runtime.ts';

const OUTLIERS = {
  consecutive5xxErrors: 1,
  consecutiveGatewayErrors: 0,
  splitLocalErrors: false,
  consecutiveLocalFailures: 0,
  errorStatuses: [],
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionPercent: 100,
  minHealthPercent: 0,
};

interface Rig {
  readonly runtime: ClusterRuntime;
  readonly endpoints: readonly EndpointRuntime[];
  readonly clock: ManualClock;
  /** How often each endpoint is picked, by port. */
  readonly picks: (count: number, key?: (n: number) => string) => Record<number, number>;
  /** An ejection, where one failure is enough. */
  readonly eject: (port: number) => void;
}

function rig(changes: Partial<Cluster>, ages: readonly number[] = []): Rig {
  const cluster = clusterOf([1, 2, 3, 4], changes);
  const registry = new StatsRegistry(1);
  const slot = registry.slot(cluster.name);
  const writer = new StatsWriter(0, 1);
  writer.attach(registry.segments());
  const rows = new SharedRows();
  const clock = new ManualClock();
  clock.advance(1_000_000);
  const endpoints = cluster.endpoints.map(
    ({ address, port }, index) => new EndpointRuntime(address, port, clock.monotonicMs() - (ages[index] ?? 0)),
  );
  const entries = endpoints.map((endpoint, index) => {
    const weight = cluster.endpoints[index]?.weight ?? 1;
    const outlier = cluster.outlierDetection === undefined ? undefined : rows.row(rows.slot(String(index)));
    return { endpoint, weight, healthSlot: -1, outlier, share: weight, credit: 0 };
  });
  const parts = { counters: writer.cluster(slot), health: new HealthView(), random: seededRandom(1), now: () => clock.monotonicMs() };
  const runtime = new ClusterRuntime(cluster, entries, parts);
  return {
    runtime,
    endpoints,
    clock,
    picks: (count, key) => {
      const counts: Record<number, number> = {};
      for (let n = 0; n < count; n++) {
        const port = runtime.pick(undefined, key === undefined ? undefined : hashOf(key(n)))?.port ?? 0;
        counts[port] = (counts[port] ?? 0) + 1;
      }
      return counts;
    },
    eject: (port) => {
      const endpoint = endpoints.find((each) => each.port === port);
      if (endpoint !== undefined) runtime.onResponse(endpoint, 500);
    },
  };
}

test('an ejected endpoint gets nothing; when all are ejected there is none', () => {
  const { picks, eject } = rig({ outlierDetection: OUTLIERS });
  eject(2);
  expect(picks(300)).toEqual({ 1: 100, 3: 100, 4: 100 });
  for (const port of [1, 3, 4]) eject(port);
  expect(picks(3)).toEqual({ 0: 3 });
});

test('below minHealthPercent health is not looked at', () => {
  const { picks, eject } = rig({ outlierDetection: { ...OUTLIERS, minHealthPercent: 50 } });
  eject(1);
  eject(2);
  expect(picks(100)).toEqual({ 3: 50, 4: 50 });
  eject(3);
  expect(picks(100)).toEqual({ 1: 25, 2: 25, 3: 25, 4: 25 });
});

test('far endpoints get what near ones cannot take', () => {
  const near = (port: number, priority: number): Cluster['endpoints'][number] => ({
    address: '127.0.0.1',
    port,
    weight: 1,
    labels: {},
    priority,
  });
  const { picks, eject } = rig({ outlierDetection: OUTLIERS, endpoints: [near(1, 0), near(2, 0), near(3, 1), near(4, 1)] });
  expect(Object.keys(picks(1000))).toEqual(['1', '2']);
  eject(1);
  // One of two healthy: 140 * 0.5 = 70 % stay.
  const counts = picks(10_000);
  expect(counts[1]).toBeUndefined();
  expect((counts[2] ?? 0) / 10_000).toBeCloseTo(0.7, 1);
  eject(2);
  expect(Object.keys(picks(1000))).toEqual(['3', '4']);
});

test.each(['ROUND_ROBIN', 'LEAST_REQUEST'] as const)(
  '%s: a new endpoint begins with a tenth of its share and grows into it',
  (loadBalancer) => {
    const { picks, clock } = rig(
      { loadBalancer, warmup: { durationMs: 60_000, minimumPercent: 10, aggression: 1 } },
      [99_999, 99_999, 99_999, 0],
    );
    expect((picks(31_000)[4] ?? 0) / 31_000).toBeCloseTo(0.1 / 3.1, 1);
    clock.advance(30_000);
    expect((picks(35_000)[4] ?? 0) / 35_000).toBeCloseTo(0.5 / 3.5, 1);
    clock.advance(30_000);
    expect((picks(40_000)[4] ?? 0) / 40_000).toBeCloseTo(0.25, 1);
  },
);

test('by hash a key keeps its endpoint while that is healthy, and requests without a key are balanced', () => {
  const hash = { key: { kind: 'header', name: 'user' }, table: { kind: 'ringHash', minimumSize: 1024 } } as const;
  const { runtime, picks, eject } = rig({ hash, outlierDetection: OUTLIERS });
  expect(Object.keys(picks(100, () => 'jason'))).toHaveLength(1);
  const before = runtime.pick(undefined, hashOf('jason'))?.port ?? 0;
  eject(before);
  const after = runtime.pick(undefined, hashOf('jason'))?.port ?? 0;
  expect(after).not.toBe(before);
  expect(Object.keys(picks(100, (n) => `user-${n}`))).toHaveLength(3);
  expect(Object.keys(picks(99))).toHaveLength(3);
});
