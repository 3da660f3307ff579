import { describe, expect, test } from 'vitest';
import { newUserCounts } from './observation.ts';
import { Counts, LEDGER_BYTES, REQUESTS_PER_USER, UserLedger } from './user-ledger.ts';

describe('UserLedger', () => {
  test('a user counts once, however many of the requests fail', () => {
    const ledger = new UserLedger();
    const counts = newUserCounts();
    for (let i = 0; i < 100; i++) ledger.record(counts, 42, 'timeout', 0, true);
    expect(counts).toMatchObject({ firstSeen: 1, firstFailures: 1 });
    expect(counts.firstLatency.size).toBe(0);
  });

  test('the first latency is the first good one after the warm-up', () => {
    const ledger = new UserLedger();
    const counts = newUserCounts();
    ledger.record(counts, 7, undefined, 100, false);
    ledger.record(counts, 7, 'reset', 200, true);
    ledger.record(counts, 7, undefined, 300, true);
    ledger.record(counts, 7, undefined, 400, true);
    expect([...counts.firstLatency.buckets.subarray(0, counts.firstLatency.size)]).toEqual([300]);
  });

  test('in a stage so many requests of a user count, in the next one again', () => {
    const ledger = new UserLedger();
    const counts = newUserCounts();
    for (let i = 0; i < 50; i++) ledger.record(counts, 7, i === 0 ? 'status5xx' : undefined, 1, true);
    expect(counts.capped.requests).toBe(REQUESTS_PER_USER);
    expect(counts.capped.failures.status5xx).toBe(1);
    ledger.beginStage();
    for (let i = 0; i < 50; i++) ledger.record(counts, 7, undefined, 1, true);
    expect(counts.capped.requests).toBe(2 * REQUESTS_PER_USER);
    expect(counts.firstSeen).toBe(1);
  });

  test('few of ten thousand users are lost to shared slots', () => {
    const ledger = new UserLedger();
    const counts = newUserCounts();
    for (let user = 0; user < 10_000; user++) ledger.record(counts, Math.imul(user, 0x9e3779b9) >>> 0, undefined, 1, true);
    expect(counts.firstSeen).toBeGreaterThan(9750);
  });

  test('two workers on one buffer count a user once', () => {
    const buffer = new SharedArrayBuffer(LEDGER_BYTES);
    const counts = newUserCounts();
    new UserLedger(buffer).record(counts, 7, 'connect', 0, true);
    new UserLedger(buffer).record(counts, 7, 'connect', 0, true);
    expect(counts).toMatchObject({ firstSeen: 1, firstFailures: 1 });
  });

  test('who was known before a restart is known after it', () => {
    const before = new UserLedger();
    const counts = newUserCounts();
    before.record(counts, 7, 'connect', 0, true);
    before.record(counts, 8, undefined, 5, true);
    const after = new UserLedger();
    after.record(counts, 9, 'reset', 0, true);
    after.addMarks(before.marks());
    for (const user of [7, 9]) after.record(counts, user, 'timeout', 0, true);
    expect(counts).toMatchObject({ firstSeen: 3, firstFailures: 2 });
    after.record(counts, 8, 'timeout', 0, true);
    expect(counts).toMatchObject({ firstSeen: 3, firstFailures: 3 });
  });

  test('somebody without a key was drawn for one request only, and each counts', () => {
    const ledger = new UserLedger();
    for (let i = 0; i < 3; i++) {
      const visit = ledger.visit(-1, i === 0, true);
      expect(Counts.isFirstSeen(visit) && Counts.isWithinCap(visit)).toBe(true);
      expect([Counts.isFirstFailure(visit), Counts.isFirstLatency(visit)]).toEqual(i === 0 ? [true, false] : [false, true]);
    }
  });

  test('whether latencies count is seen by all who share it', () => {
    const buffer = new SharedArrayBuffer(LEDGER_BYTES);
    const [control, worker] = [new UserLedger(buffer), new UserLedger(buffer)];
    expect(worker.isWarm).toBe(false);
    control.isWarm = true;
    expect(worker.isWarm).toBe(true);
  });
});
