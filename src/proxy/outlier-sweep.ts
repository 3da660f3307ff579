/** Ends ejections when their time is up: one tick an interval for each cluster, in the control plane, for all workers. */
import type { Cluster, OutlierDetection } from '../routing/table.ts';
import { outlierKey } from '../telemetry/outlier-board.ts';
import { hostMs, type SharedRow, type SharedRows } from '../telemetry/shared-rows.ts';
import { sweep } from './outlier-detection.ts';

/** Finer than any interval a person writes. */
const SHORTEST_TICK_MS = 20;

interface Swept {
  readonly spec: OutlierDetection;
  readonly rows: readonly SharedRow[];
  nextAt: number;
}

export class OutlierSweep {
  readonly #board: SharedRows;
  #clusters: ReadonlyMap<string, Swept> = new Map();
  #timer: NodeJS.Timeout | undefined;

  constructor(board: SharedRows) {
    this.#board = board;
  }

  /** The clusters of the table in force. One that stays keeps its rhythm. */
  watch(clusters: readonly Cluster[]): void {
    const next = new Map<string, Swept>();
    for (const { name, endpoints, outlierDetection: spec } of clusters) {
      if (spec === undefined) continue;
      const rows = endpoints.map(({ address, port }) => this.#board.row(this.#board.slot(outlierKey(name, address, port))));
      next.set(name, { spec, rows, nextAt: this.#clusters.get(name)?.nextAt ?? hostMs() + spec.intervalMs });
    }
    this.#clusters = next;
    clearInterval(this.#timer);
    if (next.size === 0) return;
    const tickMs = Math.max(SHORTEST_TICK_MS, Math.min(...[...next.values()].map(({ spec }) => spec.intervalMs)) / 4);
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = hostMs();
    for (const cluster of this.#clusters.values()) {
      if (((now - cluster.nextAt) | 0) < 0) continue;
      cluster.nextAt = (now + cluster.spec.intervalMs) | 0;
      sweep(cluster.spec, cluster.rows, now);
    }
  }
}
