import { expect, test } from 'vitest';
import { BUCKETS, bucketIndex, quantileMs } from '../../telemetry/histogram.ts';
import { StatsRegistry, StatsWriter } from '../../telemetry/shared-stats.ts';
import { VersionWindow, WINDOW_LOOKS } from './version-window.ts';

function rig(): { window: VersionWindow; record: (status: number, ms: number, key?: string) => void } {
  const stats = new StatsRegistry(2);
  const writer = new StatsWriter(1, 2);
  for (const key of ['a', 'b']) stats.slot(key);
  writer.attach(stats.segments());
  writer.cluster(stats.slot('a')).record(500, 9999);
  const window = new VersionWindow();
  window.follow(['a', 'b'], stats);
  return { window, record: (status, ms, key = 'a') => writer.cluster(stats.slot(key)).record(status, ms) };
}

test('percentiles are those of the requests of the last ten looks, and no others', () => {
  const { window, record } = rig();
  const looks: number[][] = [];
  for (let look = 0; look < 30; look++) {
    const latencies =
      look > 18
        ? []
        : Array.from({ length: look % 4 === 3 ? 0 : 1 + ((look * 7) % 5) }, (_, i) => 0.01 + ((look * 31 + i * 977) % 5000) / 3);
    for (const [i, ms] of latencies.entries()) record(200, ms, i % 2 === 0 ? 'a' : 'b');
    looks.push(latencies);
    window.look(1);
    const counts = new Float64Array(BUCKETS);
    for (const ms of looks.slice(-WINDOW_LOOKS).flat()) counts[bucketIndex(ms)] = (counts[bucketIndex(ms)] ?? 0) + 1;
    expect(window.percentiles?.[0]).toBe(quantileMs(counts, 0.5));
    expect(window.percentiles?.[1]).toBe(quantileMs(counts, 0.9));
    expect(window.percentiles?.[2]).toBe(quantileMs(counts, 0.99));
  }
  expect(window.percentiles).toBeUndefined();
  expect(window.look(1)).toBe(false);
});

test('the last second counts half, and what is over is gone after three', () => {
  const { window, record } = rig();
  for (let request = 0; request < 6; request++) record(request === 0 ? 503 : 200, 1);
  record(0, 1);
  expect(window.look(0.5)).toBe(true);
  expect([window.requestsPerSecond, window.failuresPerSecond]).toEqual([14, 4]);
  window.look(1);
  expect(window.requestsPerSecond).toBeCloseTo((2 * 14) / 5);
  window.look(1);
  expect(window.requestsPerSecond).toBeCloseTo(14 / 6);
  window.look(1);
  expect([window.requestsPerSecond, window.failuresPerSecond]).toEqual([0, 0]);
});

test('a key that comes begins where it is, one that stays goes on', () => {
  const stats = new StatsRegistry(1);
  const writer = new StatsWriter(0, 1);
  const [a, b] = [stats.slot('a'), stats.slot('b')];
  writer.attach(stats.segments());
  const window = new VersionWindow();
  window.follow(['a'], stats);
  writer.cluster(a).record(200, 1);
  writer.cluster(b).record(500, 1);
  window.follow(['a', 'b'], stats);
  window.look(1);
  expect([window.requestsPerSecond, window.failuresPerSecond]).toEqual([1, 0]);
});
