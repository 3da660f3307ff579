import { describe, expect, test } from 'vitest';
import { SlotsView } from './growth-reader.ts';
import { bucketIndex } from './histogram.ts';
import { SharedBlocks } from './shared-blocks.ts';
import { StatsRegistry, StatsWriter } from './shared-stats.ts';

describe('what a worker sees of a slot', () => {
  test('is what a growth reader has told, over all workers, as soon as it is there', () => {
    const registry = new StatsRegistry(2);
    const slot = registry.slot('a');
    const reader = registry.growth('a') ?? expect.unreachable();
    const writers = [0, 1].map((worker) => {
      const writer = new StatsWriter(worker, 2);
      writer.attach(registry.segments());
      return writer;
    });
    const view = new SlotsView(writers[0]?.slots(slot) ?? expect.unreachable());
    const buckets = [bucketIndex(10), bucketIndex(50)];
    for (const [index, ms] of [1, 20, 30, 100, 7, 60].entries()) {
      writers[index % 2]?.cluster(slot).record(200, ms);
      view.look(buckets);
      reader.read(() => undefined);
      expect(view.total).toBe(index + 1);
      expect(reader.told).toBe(view.total);
      expect([view.above(0), view.above(1)]).toEqual(reader.toldAbove(buckets));
    }
    expect([view.above(0), view.above(1)]).toEqual([4, 2]);
    view.look([bucketIndex(25)]);
    expect(view.above(0)).toBe(3);
  });

  test('is nothing before its memory has been handed over', () => {
    const registry = new StatsRegistry(1);
    const writer = new StatsWriter(0, 1);
    writer.attach(registry.segments());
    expect(writer.slots(registry.slot('later'))).toBeUndefined();
  });
});

test('a block keeps its contents until it is dropped', () => {
  const blocks = new SharedBlocks();
  new Uint8Array(blocks.block('a', 8))[0] = 7;
  expect(new Uint8Array(blocks.block('a', 8))[0]).toBe(7);
  const before = blocks.all();
  blocks.drop('a');
  expect(blocks.all().has('a')).toBe(false);
  expect(before.has('a')).toBe(true);
  expect(new Uint8Array(blocks.block('a', 8))[0]).toBe(0);
});
