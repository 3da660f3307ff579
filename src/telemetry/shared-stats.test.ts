import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import type { ClusterCounters } from './cluster-counters.ts';
import { bucketIndex, quantileMs } from './histogram.ts';
import { StatsRegistry, StatsWriter } from './shared-stats.ts';

function writer(registry: StatsRegistry, worker = 0, workers = 1): StatsWriter {
  const made = new StatsWriter(worker, workers);
  made.attach(registry.segments());
  return made;
}

/** The only worker's counters of a cluster. */
function counters(registry: StatsRegistry, key: string): ClusterCounters {
  const slot = registry.slot(key);
  return writer(registry).cluster(slot);
}

describe('what one worker records', () => {
  test('is read back by exact status, with latency, sum and requests in flight', () => {
    const registry = new StatsRegistry(1);
    const cluster = counters(registry, 'outbound|80|v1|reviews');
    cluster.activeAdd(1);
    cluster.activeAdd(1);
    cluster.record(200, 10);
    cluster.record(200, 30);
    cluster.record(418, 20);
    cluster.activeAdd(-1);

    const totals = registry.totals('outbound|80|v1|reviews');
    expect(totals.requests).toBe(3);
    expect(totals.active).toBe(1);
    expect(totals.durationSumMs).toBe(60);
    expect(totals.statuses).toEqual(
      new Map([
        [200, 2],
        [418, 1],
      ]),
    );
    expect(quantileMs(totals.latency, 0.5)).toBeCloseTo(20, 0);
    expect(totals.latency[bucketIndex(30)]).toBe(1);
  });

  test.each([100, 101, 199, 200, 599])('status %d is kept exactly', (status) => {
    const registry = new StatsRegistry(1);
    counters(registry, 'a').record(status, 1);
    expect([...registry.totals('a').statuses]).toEqual([[status, 1]]);
  });

  test.each([0, -1, 99, 600, 1000, Number.NaN])('%d is no status and is counted as 0', (status) => {
    const registry = new StatsRegistry(1);
    registry.slot('b');
    counters(registry, 'a').record(status, 1);
    expect([...registry.totals('a').statuses]).toEqual([[0, 1]]);
    expect(registry.totals('b').requests).toBe(0);
  });

  test('flags are counted by the status they came with', () => {
    const registry = new StatsRegistry(1);
    const cluster = counters(registry, 'a');
    for (const [flag, status] of [
      ['UT', 504],
      ['UF', 503],
      ['UT', 504],
      ['DC', 0],
      ['UC', 503],
    ] as const) {
      cluster.record(status, 1);
      cluster.flag(flag, status);
    }
    cluster.record(503, 1);
    expect(registry.totals('a').flags).toEqual([
      { flag: 'UT', status: 504, count: 2 },
      { flag: 'UF', status: 503, count: 1 },
      { flag: 'DC', status: 0, count: 1 },
      { flag: 'UC', status: 503, count: 1 },
    ]);
    expect(registry.totals('a').statuses.get(503)).toBe(3);
  });

  test('more kinds of flag than there is room for lose the flag, not the request, and harm no neighbour', () => {
    const registry = new StatsRegistry(1);
    const cluster = counters(registry, 'a');
    registry.slot('b');
    for (let status = 200; status < 300; status++) {
      cluster.record(status, 0.001);
      cluster.flag('FI', status);
    }
    const totals = registry.totals('a');
    expect(totals.requests).toBe(100);
    expect(totals.flags.length).toBeGreaterThanOrEqual(50);
    expect(totals.flags.every(({ count }) => count === 1)).toBe(true);
    expect(totals.latency[1]).toBe(100);
  });

  test('a count beyond 32 bits goes on growing', () => {
    const registry = new StatsRegistry(1);
    const cluster = counters(registry, 'a');
    cluster.record(200, 1);
    // Four billion requests are too many to send: put the count there by hand, wherever it is.
    for (const segment of registry.segments().slice(1)) {
      const words = new Float64Array(segment);
      for (const [at, value] of words.entries()) if (value === 1) words[at] = 2 ** 32 - 1;
    }
    cluster.record(200, 1);
    expect(registry.totals('a').statuses.get(200)).toBe(2 ** 32);
  });
});

describe('slots', () => {
  test('a key keeps its slot, and counters handed out before stay valid when memory grows', () => {
    const registry = new StatsRegistry(1);
    const first = registry.slot('first');
    const stats = writer(registry);
    const before = stats.cluster(first);
    before.record(200, 1);
    for (let i = 0; i < 1000; i++) registry.slot(`cluster-${i}`);
    expect(registry.slot('first')).toBe(first);
    stats.attach(registry.segments());
    before.record(200, 1);
    stats.cluster(registry.slot('cluster-999')).record(204, 1);
    expect(stats.cluster(first)).toBe(before);
    expect(registry.totals('first').requests).toBe(2);
    expect(registry.totals('cluster-999').requests).toBe(1);
    expect(registry.totals('cluster-998').requests).toBe(0);
    expect([...registry.keys()]).toHaveLength(1001);
  });

  test('an unknown key has zeros and gets no slot by being asked for', () => {
    const registry = new StatsRegistry(1);
    expect(registry.totals('nobody')).toMatchObject({ requests: 0, active: 0, durationSumMs: 0, flags: [] });
    expect([...registry.keys()]).toEqual([]);
  });
});

test('threads write side by side and the reader sees the exact sum', async () => {
  const workers = 2;
  const perWorker = 20_000;
  const registry = new StatsRegistry(workers);
  const slots = ['a', 'b'].map((key) => registry.slot(key));
  const source = new URL('shared-stats.ts', import.meta.url).href;
  const threads = Array.from(
    { length: workers },
    (_, worker) =>
      new Worker(
        `const { workerData: d } = require('node:worker_threads');
         import(d.source).then(({ StatsWriter }) => {
           const stats = new StatsWriter(d.worker, d.workers);
           stats.attach(d.segments);
           for (let i = 0; i < d.perWorker; i++) {
             stats.cluster(d.slots[i % 2]).record(200 + d.worker, 5);
             stats.worker.add('requestsTotal', 1);
           }
         });`,
        { eval: true, workerData: { source, worker, workers, perWorker, slots, segments: registry.segments() } },
      ),
  );
  await Promise.all(threads.map((thread) => once(thread, 'exit')));
  for (const key of ['a', 'b']) {
    expect(registry.totals(key).statuses).toEqual(
      new Map([
        [200, perWorker / 2],
        [201, perWorker / 2],
      ]),
    );
  }
  expect(registry.workers().map((totals) => totals.requestsTotal)).toEqual([perWorker, perWorker]);
});

test("each worker's own counters stand apart and gauges come down again", () => {
  const registry = new StatsRegistry(2);
  const [one, two] = [writer(registry, 0, 2), writer(registry, 1, 2)];
  one.worker.add('downstreamConnectionsActive', 1);
  one.worker.add('downstreamConnectionsActive', 1);
  one.worker.add('downstreamConnectionsActive', -1);
  two.worker.add('malformedTotal', 1);
  expect(registry.workers()).toMatchObject([
    { downstreamConnectionsActive: 1, malformedTotal: 0 },
    { downstreamConnectionsActive: 0, malformedTotal: 1 },
  ]);
});
