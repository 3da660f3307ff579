/**
 * The data plane as the rest of the program sees it: a table goes in, statistics come out through shared memory.
 *
 * With `workers: 0` it runs in the calling thread; otherwise in that many worker threads, which share their ports (SO_REUSEPORT), so that
 * nothing the control plane does delays a request.
 */
import { randomBytes } from 'node:crypto';
import type { RoutingTable } from '../routing/table.ts';
import { HealthBoard, healthKey } from '../telemetry/health-board.ts';
import { StatsRegistry, StatsWriter } from '../telemetry/shared-stats.ts';
import { DataPlane } from './data-plane.ts';
import type { DataPlaneUpdate } from './data-plane.ts';
import { dataPlaneSettings } from './options.ts';
import type { Binding, BoundListener, DataPlaneSettings, ProxyOptions } from './options.ts';
import { WorkerHandle } from './worker-handle.ts';

/** Statistics key of requests that reached no cluster: no route, redirects, direct responses. */
export const UNROUTED = '';

export interface Proxy {
  /**
   * Puts a table in force: resolves when every worker has bound every listener and serves by it. Rejects with `ListenError` when an address
   * cannot be taken; then everything is as before. Calls are carried out one after the other.
   */
  apply(table: RoutingTable, bindings: readonly Binding[]): Promise<readonly BoundListener[]>;
  /** Counters by `Cluster.name`, and `UNROUTED`. */
  readonly stats: StatsRegistry;
  readonly health: HealthBoard;
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
  readonly #ports: readonly DataPlanePort[];
  #listeners: readonly BoundListener[] = [];
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ProxyOptions) {
    const settings = dataPlaneSettings(options, `serin-${randomBytes(4).toString('hex')}`);
    const count = Math.max(1, options.workers);
    this.stats = new StatsRegistry(count);
    const unroutedSlot = this.stats.slot(UNROUTED);
    const onInternalError = options.onInternalError ?? (() => undefined);
    this.#ports =
      options.workers === 0
        ? [inThread(settings, new StatsWriter(0, 1), unroutedSlot, onInternalError)]
        : Array.from(
            { length: count },
            (_, worker) => new WorkerHandle({ settings, worker, workers: count, unroutedSlot }, onInternalError),
          );
  }

  apply(table: RoutingTable, bindings: readonly Binding[]): Promise<readonly BoundListener[]> {
    const applied = this.#last.then(() => this.#apply(table, bindings));
    this.#last = applied.catch(() => undefined);
    return applied;
  }

  async #apply(table: RoutingTable, bindings: readonly Binding[]): Promise<readonly BoundListener[]> {
    const clusterSlots = table.clusters.map((cluster) => this.stats.slot(cluster.name));
    const healthSlots = table.clusters.map((cluster) => {
      const { healthCheck } = cluster;
      return cluster.endpoints.map((endpoint) =>
        healthCheck === undefined ? -1 : this.health.slot(healthKey(endpoint.address, endpoint.port, healthCheck.path)),
      );
    });
    const { observations = [], killSwitches = [] } = table;
    const update = {
      table,
      observationSlots: new Map(observations.map((key) => [key, [this.stats.slot(`${key}|good`), this.stats.slot(`${key}|bad`)] as const])),
      killSlots: new Map(killSwitches.map((key) => [key, this.health.slot(key)])),
      clusterSlots,
      healthSlots,
      statsSegments: this.stats.segments(),
      healthSegments: this.health.segments(),
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
      return bound;
    } catch (error) {
      await Promise.all(prepared.map((port) => port.abort()));
      throw error;
    }
  }

  listeners(): readonly BoundListener[] {
    return this.#listeners;
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
    await Promise.all(this.#ports.map((port) => port.close()));
  }
}

function inThread(
  settings: DataPlaneSettings,
  stats: StatsWriter,
  unroutedSlot: number,
  onInternalError: (error: unknown) => void,
): DataPlanePort {
  const plane = new DataPlane({ settings, stats, unroutedSlot, onInternalError });
  return {
    prepare: (update) => plane.prepare(update),
    commit: async () => plane.commit(),
    abort: async () => plane.abort(),
    activeRequests: async (address, port) => plane.activeRequests(address, port),
    drain: (timeoutMs) => plane.drain(timeoutMs),
    close: async () => plane.close(),
  };
}
