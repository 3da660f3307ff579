import { expect, test } from 'vitest';
import { HealthBoard, HealthView, healthKey } from './health-board.ts';

test('an endpoint is healthy until a check says otherwise, and a reader in another thread sees each change', () => {
  const board = new HealthBoard();
  const slot = board.slot(healthKey('127.0.0.1', 9080, '/healthz'));
  const view = new HealthView();
  view.attach(board.segments());
  expect(view.isHealthy(slot)).toBe(true);
  board.set(slot, false);
  expect(view.isHealthy(slot)).toBe(false);
  expect(board.isHealthy(slot)).toBe(false);
  board.set(slot, true);
  expect(view.isHealthy(slot)).toBe(true);
});

test('a key keeps its slot while the board grows, and a slot the reader has not been told of is healthy', () => {
  const board = new HealthBoard();
  const first = board.slot('first');
  const view = new HealthView();
  view.attach(board.segments());
  for (let i = 0; i < 10_000; i++) board.slot(`endpoint-${i}`);
  const last = board.slot('endpoint-9999');
  board.set(first, false);
  board.set(last, false);
  expect(board.slot('first')).toBe(first);
  expect(view.isHealthy(first)).toBe(false);
  expect(view.isHealthy(last)).toBe(true);
  view.attach(board.segments());
  expect(view.isHealthy(last)).toBe(false);
  expect(view.isHealthy(last - 1)).toBe(true);
});

test('the same path on different ports or addresses is a different endpoint, IPv6 included', () => {
  const keys = [healthKey('::1', 80, '/'), healthKey('::1:80', 80, '/'), healthKey('127.0.0.1', 80, '/'), healthKey('127.0.0.1', 8, '/0')];
  expect(new Set(keys).size).toBe(keys.length);
});
