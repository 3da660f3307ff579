/**
 * The data plane as the rest of the program sees it: a table goes in, statistics come out through shared memory.
 *
 * With `workers: 0` it runs in the calling thread; otherwise in that many worker threads, which share their ports (SO_REUSEPORT), so that
 * nothing the control plane does delays a request.
 */
import { randomBytes } from 'node:crypto';
import { mirroredClusters } from '../routing/mirrored-clusters.ts';
import { byUserCounter, LEDGER_BYTES } from '../rollout/user-ledger.ts';
import type { RoutingTable } from '../routing/table.ts';
import { HealthBoard, healthKey } from '../telemetry/health-board.ts';
import { outlierKey } from '../telemetry/outlier-board.ts';
import { SharedRows } from '../telemetry/shared-rows.ts';
import { StatsRegistry, StatsWriter } from '../telemetry/shared-stats.ts';
import { DataPlane } from './data-plane.ts';
import type { DataPlaneUpdate, UserSlots } from './data-plane.ts';
import { dataPlaneSettings } from './options.ts';
import type { Binding, BoundListener, DataPlaneSettings, ProxyOptions } from './options.ts';
import type { Credentials } from '../config/credential.ts';
import { limitKey, OVERFLOWS } from './circuit-breaker.ts';
import { OutlierSweep } from './outlier-sweep.ts';
import { WorkerHandle } from './worker-handle.ts';
import type { WorkerEvents } from './worker-handle.ts';

/** Statistics key of requests that reached no cluster: no route, redirects, direct responses. */
export const UNROUTED = '';

/** Before the name of a cluster: statistics key of the copies it was sent as a mirror. */
export const MIRRORED = 'mirror|';

export interface Proxy {
  /**
   * Puts a table in force: resolves when every worker has bound every listener and serves by it. Rejects with `ListenError` when an address
   * cannot be taken; then everything is as before. Calls are carried out one after the other.
   *
   * @param credentials Every one that the table names.
   */
  apply(table: RoutingTable, bindings: readonly Binding[], credentials?: Credentials): Promise<readonly BoundListener[]>;
  /** Counters by `Cluster.name`, and `UNROUTED`. */
  readonly stats: StatsRegistry;
  readonly health: HealthBoard;
  /** By `outlierKey`: failures in a row and ejections, of clusters with outlier detection. */
  readonly outliers: Pick<SharedRows, 'find'>;
  listeners(): readonly BoundListener[];
  /** Requests in flight to an endpoint, over all workers and also when no table has it any more: at 0 the process behind it may be stopped. */
  activeRequests(endpoint: { readonly address: string; readonly port: number }): Promise<number>;
  /** Accepts no more, answers what is under way with `Connection: close`; resolves when all are done or `timeoutMs` has passed. */
  drain(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

/** One data plane, here or in a thread. */
export interface DataPlanePort {
  prepare(update: DataPlaneUpdate): Promise<readonly BoundListener[]>;
  commit(): Promise<void>;
  abort(): Promise<void>;
  activeRequests(address: string, port: number): Promise<number>;
  drain(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

export function createProxy(options: ProxyOptions): Proxy {
  return new ProxyHandle(options);
}

class ProxyHandle implements Proxy {
  readonly stats: StatsRegistry;
  readonly health = new HealthBoard();
  readonly outliers = new SharedRows();
  readonly #sweep = new OutlierSweep(this.outliers);
  readonly #limits = new SharedRows();
  readonly #ports: readonly DataPlanePort[];
  #listeners: readonly BoundListener[] = [];
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ProxyOptions) {
    const settings = dataPlaneSettings(options, `serin-${randomBytes(4).toString('hex')}`);
    const count = Math.max(1, options.workers);
    this.stats = new StatsRegistry(count);
    const unroutedSlot = this.stats.slot(UNROUTED);
    const onInternalError = options.onInternalError ?? (() => undefined);
    const onAccessLines = options.onAccessLines ?? (() => false);
    const onSpans = options.onSpans ?? (() => undefined);
    this.#ports =
      options.workers === 0
        ? [inThread(settings, unroutedSlot, { onInternalError, onAccessLines, onSpans })]
        : Array.from(
            { length: count },
            (_, worker) =>
              new WorkerHandle(
                { settings, worker, workers: count, unroutedSlot },
                { onInternalError, onAccessLines, onSpans, onDied: () => this.#forgetHeld(worker) },
              ),
          );
  }

  apply(table: RoutingTable, bindings: readonly Binding[], credentials: Credentials = new Map()): Promise<readonly BoundListener[]> {
    const applied = this.#last.then(() => this.#apply(table, bindings, credentials));
    this.#last = applied.catch(() => undefined);
    return applied;
  }

  async #apply(table: RoutingTable, bindings: readonly Binding[], credentials: Credentials): Promise<readonly BoundListener[]> {
    const clusterSlots = table.clusters.map((cluster) => this.stats.slot(cluster.name));
    const healthSlots = table.clusters.map((cluster) => {
      const { healthCheck } = cluster;
      return cluster.endpoints.map((endpoint) =>
        healthCheck === undefined ? -1 : this.health.slot(healthKey(endpoint.address, endpoint.port, healthCheck.path)),
      );
    });
    const outlierSlots = table.clusters.map(({ name, endpoints, outlierDetection }) =>
      endpoints.map(({ address, port }) => (outlierDetection === undefined ? -1 : this.outliers.slot(outlierKey(name, address, port)))),
    );
    const { observations = [], killSwitches = [] } = table;
    const userSlots = this.#userSlots(table);
    const update = {
      userSlots,
      table,
      observationSlots: new Map(observations.map((key) => [key, [this.stats.slot(`${key}|good`), this.stats.slot(`${key}|bad`)] as const])),
      killSlots: new Map(killSwitches.map((key) => [key, this.health.slot(key)])),
      mirrorSlots: new Map(mirroredClusters(table).map(([index, name]) => [index, this.stats.slot(`${MIRRORED}${name}`)])),
      clusterSlots,
      credentials,
      healthSlots,
      outlierSlots,
      limitSlots: table.clusters.map(({ name, limits }) =>
        limits === undefined ? [] : this.#ports.map((_, worker) => this.#limits.slot(limitKey(name, worker))),
      ),
      limitSegments: this.#limits.segments(),
      outlierSegments: this.outliers.segments(),
      statsSegments: this.stats.segments(),
      healthSegments: this.health.segments(),
      blocks: this.stats.blocks.all(),
    };
    const prepared: DataPlanePort[] = [];
    try {
      let bound: readonly BoundListener[] = [];
      for (const port of this.#ports) {
        // The first one's answer settles ports that were left open; the others share them.
        bound = await port.prepare({ ...update, bindings: prepared.length === 0 ? bindings : bound });
        prepared.push(port);
      }
      await Promise.all(prepared.map((port) => port.commit()));
      this.#listeners = bound;
      this.#sweep.watch(table.clusters);
      return bound;
    } catch (error) {
      await Promise.all(prepared.map((port) => port.abort()));
      throw error;
    }
  }

  /** Makes what users are counted in, where it is not there. */
  #userSlots({ ledgers = [] }: RoutingTable): ReadonlyMap<string, UserSlots> {
    const slots = new Map<string, UserSlots>();
    for (const { ledger, observations } of ledgers) {
      this.stats.blocks.block(ledger, LEDGER_BYTES);
      for (const key of observations)
        slots.set(key, { ledger, slots: byUserCounter((_counter, suffix) => this.stats.slot(`${key}|${suffix}`)) });
    }
    return slots;
  }

  listeners(): readonly BoundListener[] {
    return this.#listeners;
  }

  /** What a worker held that has died is held no longer. */
  #forgetHeld(worker: number): void {
    for (const key of this.#limits.keys()) if (key.endsWith(limitKey('', worker))) this.#limits.find(key)?.fill(0, 0, OVERFLOWS);
  }

  async activeRequests({ address, port }: { readonly address: string; readonly port: number }): Promise<number> {
    const counts = await Promise.all(this.#ports.map((plane) => plane.activeRequests(address, port)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async drain(timeoutMs: number): Promise<void> {
    await Promise.all(this.#ports.map((port) => port.drain(timeoutMs)));
  }

  async close(): Promise<void> {
    await this.#last;
    this.#sweep.close();
    await Promise.all(this.#ports.map((port) => port.close()));
  }
}

function inThread(
  settings: DataPlaneSettings,
  unroutedSlot: number,
  { onInternalError, onAccessLines, onSpans }: Omit<WorkerEvents, 'onDied'>,
): DataPlanePort {
  const plane = new DataPlane({
    settings,
    stats: new StatsWriter(0, 1),
    unroutedSlot,
    onInternalError,
    onSpans: (spans) => {
      onSpans(spans);
      plane.spansTaken(spans.length);
    },
    onAccessLines: (lines) => {
      const isKept = onAccessLines(lines);
      plane.accessTaken(lines.text.length, isKept ? 0 : lines.count);
    },
  });
  return {
    prepare: (update) => plane.prepare(update),
    commit: async () => plane.commit(),
    abort: async () => plane.abort(),
    activeRequests: async (address, port) => plane.activeRequests(address, port),
    drain: (timeoutMs) => plane.drain(timeoutMs),
    close: async () => plane.close(),
  };
}
