/**
 * The control plane's side of one run's guard: puts it into shared memory at every tick, and hears from there what a worker has proved.
 *
 * What a worker of an earlier process had proved, before that process was killed, is here from the start.
 */
import type { AnalysisState } from '../../rollout/analysis-state.ts';
import { GUARD_BLOCK_BYTES, GuardBlock, guardBlockName, type GuardStratum, type Proof } from '../../rollout/guard-block.ts';
import { GUARD_CELLS, guardOf } from '../../rollout/guard.ts';
import type { GrowthReader } from '../../telemetry/growth-reader.ts';
import type { StatsRegistry } from '../../telemetry/shared-stats.ts';

export interface GuardPostParts {
  readonly stats: Pick<StatsRegistry, 'blocks'>;
  /** `namespace/name` of the Rollout. */
  readonly rollout: string;
  readonly canary: string;
  readonly run: number;
  /** Proved before this process started. */
  readonly proved?: Proof;
}

/** A counter a guard counts by. */
export interface GuardCounter {
  readonly slot: number;
  readonly reader: GrowthReader;
}

/** One stratum, as the analysis reads it; undefined where something is no evidence. */
export interface GuardedStratum {
  /** In [0, 1]. */
  readonly weight: number;
  readonly killSlot: number;
  /** Canary bad, canary good, stable bad, stable good. */
  readonly failures: readonly (GuardCounter | undefined)[];
  /** Canary, stable. */
  readonly latencies: readonly GuardCounter[];
}

export class GuardPost {
  readonly #block: GuardBlock;
  readonly #run: number;
  readonly #proved: Proof | undefined;

  constructor({ stats, rollout, canary, run, proved }: GuardPostParts) {
    this.#block = new GuardBlock(stats.blocks.block(guardBlockName(rollout, canary), GUARD_BLOCK_BYTES));
    this.#block.reset();
    this.#run = run;
    this.#proved = proved;
  }

  get proof(): Proof | undefined {
    return this.#proved ?? this.#block.proof;
  }

  /** Before counts are read again, and while nobody may cut the canary off. */
  withdraw(): void {
    this.#block.withdraw();
  }

  /** The guard of the tick to come. @param strata All the analysis has open, in its order. */
  publish(analysis: AnalysisState, strata: readonly GuardedStratum[]): void {
    const guard = guardOf(
      analysis,
      strata.map(({ weight }) => weight),
    );
    if (guard === undefined) {
      this.#block.withdraw();
      return;
    }
    const orders = strata.map(({ killSlot, failures, latencies }): GuardStratum => ({
      failureSlots: failures.map((counter) => counter?.slot ?? -1),
      latencySlots: latencies.map(({ slot }) => slot),
      killSlot,
      told: told(failures, latencies, [guard.canaryBuckets, guard.stableBuckets]),
    }));
    this.#block.publish({ run: this.#run, guard, strata: orders });
  }
}

/** What the analysis has read, in the guard's cells. */
function told(
  failures: GuardedStratum['failures'],
  latencies: GuardedStratum['latencies'],
  buckets: readonly (readonly number[])[],
): Float64Array {
  const cells = new Float64Array(GUARD_CELLS);
  for (const [cell, counter] of failures.entries()) cells[cell] = counter?.reader.told ?? 0;
  for (const [arm, { reader }] of latencies.entries()) {
    for (const [i, above] of reader.toldAbove(buckets[arm] ?? []).entries()) {
      const at = 4 * (1 + i) + 2 * arm;
      cells[at] = above;
      cells[at + 1] = reader.told - above;
    }
  }
  return cells;
}
