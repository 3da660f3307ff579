import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { failuresIn } from './cluster-totals.ts';
import { NO_CALL, UNSAID } from './cluster-counters.ts';
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
  test('is read back by exact status, with latency and requests in flight', () => {
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

  test('histograms of durations and sizes are kept a protocol, bounds included', () => {
    const registry = new StatsRegistry(1);
    const cluster = counters(registry, 'a');
    cluster.record(200, 0);
    for (const ms of [0, 0.5, 0.6, 3_600_000, 3_600_001, Number.NaN]) cluster.measure(false, ms, 0, 10);
    cluster.measure(true, 2, 11, 5_000_000);
    const { http, grpc } = registry.totals('a');
    const filled = ({ counts }: { readonly counts: readonly number[] }): unknown =>
      Object.fromEntries([...counts.entries()].filter(([, count]) => count > 0));
    expect(filled(http.durationMs)).toEqual({ 0: 3, 1: 1, 18: 1, 19: 1 });
    expect(http.durationMs.sum).toBeCloseTo(7_200_002.1, 3);
    expect([filled(http.requestBytes), http.requestBytes.sum]).toEqual([{ 0: 6 }, 0]);
    expect([filled(http.responseBytes), http.responseBytes.sum]).toEqual([{ 3: 6 }, 60]);
    expect([grpc.durationMs, grpc.requestBytes, grpc.responseBytes].map((each) => [filled(each), each.sum])).toEqual([
      [{ 2: 1 }, 2],
      [{ 4: 1 }, 11],
      [{ 19: 1 }, 5_000_000],
    ]);
  });

  test('calls are requests like others, and known by their own status besides', () => {
    const registry = new StatsRegistry(1);
    const stats = writer(registry);
    const slot = registry.slot('a');
    stats.attach(registry.segments());
    const cluster = stats.cluster(slot);
    const words = stats.slots(slot)?.[0] ?? new Float64Array();
    cluster.record(200, 1);
    cluster.flag('DC', 200);
    cluster.record(200, 1);
    cluster.recordCall(0, 200, undefined, 0, 5);
    cluster.recordCall(0, 200, undefined, 0, 5);
    cluster.recordCall(14, 200, 'UF', 0, 5);
    cluster.recordCall(UNSAID, 499, 'DR', 0, 5);
    const totals = registry.totals('a');
    expect([totals.requests, ...totals.statuses]).toEqual([6, [200, 5], [499, 1]]);
    cluster.recordCall(2, 503, undefined, 0, 9);
    cluster.record(500, 9);
    expect(failuresIn([words])).toBe(2);
    expect(totals.flags.map(({ flags, status, count }) => [flags, status, count])).toEqual([
      ['DC', 200, 1],
      ['UF', 200, 1],
      ['DR', 499, 1],
    ]);
    expect(totals.latency[bucketIndex(5)]).toBe(4);
    expect(totals.outcomes.map(({ status, flags, grpcStatus, count }) => [status, flags, grpcStatus, count])).toEqual([
      [200, '-', NO_CALL, 1],
      [200, 'DC', NO_CALL, 1],
      [200, '-', 0, 2],
      [200, 'UF', 14, 1],
      [499, 'DR', UNSAID, 1],
    ]);
  });

  test('an upstream that answers calls with everything there is takes no more memory: the rest is counted by its status alone', () => {
    const registry = new StatsRegistry(1);
    const cluster = counters(registry, 'a');
    for (let status = 100; status < 600; status++) for (let code = 0; code < 17; code++) cluster.recordCall(code, status, undefined, 0, 1);
    const { requests, statuses, outcomes } = registry.totals('a');
    expect([requests, statuses.size, new Set(statuses.values())]).toEqual([8500, 500, new Set([17])]);
    expect(outcomes.filter(({ grpcStatus }) => grpcStatus !== NO_CALL)).toHaveLength(64);
    expect(outcomes.reduce((sum, { count }) => sum + count, 0)).toBe(8500);
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
      { flag: 'UT', flags: 'UT', hasFallenBack: false, status: 504, count: 2 },
      { flag: 'UF', flags: 'UF', hasFallenBack: false, status: 503, count: 1 },
      { flag: 'DC', flags: 'DC', hasFallenBack: false, status: 0, count: 1 },
      { flag: 'UC', flags: 'UC', hasFallenBack: false, status: 503, count: 1 },
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
    expect(registry.totals('nobody')).toMatchObject({ requests: 0, active: 0, flags: [], outcomes: [] });
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

test('what is under way is known to every worker, and forgotten with the worker that had it', () => {
  const registry = new StatsRegistry(2);
  const slot = registry.slot('a');
  const worker = (number: number): StatsWriter => {
    const writer = new StatsWriter(number, 2);
    writer.attach(registry.segments());
    return writer;
  };
  const [first, second] = [worker(0).cluster(slot), worker(1).cluster(slot)];
  first.activeAdd(1);
  second.activeAdd(1);
  second.retryBegun();
  expect([first.active, first.retrying, second.active, second.retrying]).toEqual([2, 1, 2, 1]);
  second.retryEnded();
  second.retryBegun();
  worker(1).cluster(slot);
  expect([first.active, first.retrying, registry.totals('a').retries]).toEqual([1, 0, 2]);
});
