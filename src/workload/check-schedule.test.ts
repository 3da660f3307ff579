import { expect, test } from 'vitest';
import { seededRandom } from '../base/random.ts';
import { CheckSchedule, startDelayMs } from './check-schedule.ts';

/** The most events within any second, given all their times. */
function mostInASecond(timesMs: number[]): number {
  const sorted = timesMs.sort((a, b) => a - b);
  let most = 0;
  let from = 0;
  for (const [at, timeMs] of sorted.entries()) {
    while ((sorted[from] ?? 0) <= timeMs - 1000) from++;
    most = Math.max(most, at - from + 1);
  }
  return most;
}

/** Due times of one endpoint up to `untilMs`, when each check takes `checkMs`. */
function dueTimes(startMs: number, intervalMs: number, untilMs: number, random: () => number, checkMs = 1): number[] {
  const schedule = new CheckSchedule(startMs, intervalMs, random);
  const times = [startMs];
  for (let nowMs = startMs + checkMs; nowMs < untilMs; nowMs = (times.at(-1) ?? 0) + checkMs) times.push(schedule.nextMs(nowMs));
  return times;
}

test('10,000 endpoints with an interval of 10 s are never checked more than 1,100 times in any second, start included (F-34)', () => {
  const random = seededRandom(34);
  const starts = Array.from({ length: 10_000 }, (_, index) => startDelayMs(index, 10_000, random));
  expect(mostInASecond(starts.flatMap((startMs) => dueTimes(startMs, 10_000, 120_000, random)))).toBeLessThanOrEqual(1100);
});

test('a few endpoints get their first check at once, not an interval later', () => {
  const random = seededRandom(1);
  expect(Math.max(...[0, 1, 2].map((index) => startDelayMs(index, 10_000, random)))).toBeLessThan(10);
});

test('an endpoint is checked about once an interval, not at exactly equal distances', () => {
  const times = dueTimes(0, 1000, 100_000, seededRandom(2));
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(950);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(1050);
  expect(new Set(gaps.map((gap) => Math.round(gap))).size).toBeGreaterThan(20);
  expect(times.length).toBeGreaterThanOrEqual(100);
});

test('rounds that were missed are left out, whatever kept us', () => {
  const schedule = new CheckSchedule(0, 1000, seededRandom(3));
  const dueMs = schedule.nextMs(7_300);
  expect(dueMs).toBeGreaterThan(7_900);
  expect(dueMs).toBeLessThan(8_100);
  expect(schedule.nextMs(dueMs)).toBeGreaterThan(8_900);
});

test('a check that takes longer than its interval is followed by one in the future', () => {
  const times = dueTimes(0, 100, 5_000, seededRandom(4), 250);
  for (const [index, time] of times.slice(1).entries()) expect(time - (times[index] ?? 0)).toBeGreaterThan(250);
});
