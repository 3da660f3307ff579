import { expect, test } from 'vitest';
import { Counts } from '../../rollout/user-ledger.ts';
import { SharedBlocks } from '../../telemetry/shared-blocks.ts';
import { UserMemory } from './user-memory.ts';

const NAME = 'users|default/reviews|default/reviews#1';

test('who was counted before a restart is not counted again after it', () => {
  const before = new UserMemory(new SharedBlocks(), NAME);
  for (let user = 0; user < 1000; user++) before.ledger.visit(user * 7919, user % 2 === 0, true);
  const saved = before.encode();
  expect(saved).not.toContain('\n');
  const blocks = new SharedBlocks();
  const after = new UserMemory(blocks, NAME);
  expect(after.restore(saved)).toBe(true);
  // The block is the one the data plane counts in.
  const shared = new UserMemory(blocks, NAME).ledger;
  for (let user = 0; user < 1000; user++) {
    const visit = shared.visit(user * 7919, user % 2 === 0, true);
    expect([Counts.isFirstSeen(visit), Counts.isFirstFailure(visit), Counts.isFirstLatency(visit)]).toEqual([false, false, false]);
  }
  expect(Counts.isFirstSeen(shared.visit(4_000_000_000, false, true))).toBe(true);
});

test('what cannot be read is not guessed', () => {
  const memory = new UserMemory(new SharedBlocks(), NAME);
  expect(memory.restore(undefined)).toBe(false);
  expect(memory.restore('no deflate stream')).toBe(false);
});

test('a run that has ended leaves nothing behind', () => {
  const blocks = new SharedBlocks();
  new UserMemory(blocks, NAME).end();
  expect(blocks.all().size).toBe(0);
});
