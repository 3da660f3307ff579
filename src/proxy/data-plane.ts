/**
 * One thread's data plane: listeners, endpoints, and the table in force.
 *
 * A change comes in two steps, so that several workers change together or not at all: `prepare` builds the new generation and binds the
 * addresses it needs beyond those there are; `commit` swaps one reference and lets go of what is no longer wanted. `abort` undoes `prepare`.
 */
import { BlockList } from 'node:net';
import { systemClock } from '../base/clock.ts';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { systemRandom } from '../base/random.ts';
import type { Cluster, RoutingTable } from '../routing/table.ts';
import { HealthView } from '../telemetry/health-board.ts';
import type { StatsWriter } from '../telemetry/shared-stats.ts';
import type { ClusterEndpoint } from './cluster-runtime.ts';
import { ClusterRuntime, EndpointRuntime } from './cluster-runtime.ts';
import { DataPlaneContext } from './context.ts';
import { Generation } from './generation.ts';
import { ProxyListener } from './listener.ts';
import type { Binding, BoundListener, DataPlaneSettings } from './options.ts';

/** A table with what a worker needs beside it; plain data, posted between threads. */
export interface DataPlaneUpdate {
  readonly table: RoutingTable;
  readonly bindings: readonly Binding[];
  readonly statsSegments: readonly SharedArrayBuffer[];
  readonly healthSegments: readonly SharedArrayBuffer[];
  /** By cluster. */
  readonly clusterSlots: readonly number[];
  /** By cluster and endpoint; -1 where nothing checks it. */
  readonly healthSlots: readonly (readonly number[])[];
  /** Statistics slots of `RoutingTable.observations`, good and bad, by key. */
  readonly observationSlots: ReadonlyMap<string, readonly [good: number, bad: number]>;
  /** Health slots of `RoutingTable.killSwitches`, by key. */
  readonly killSlots: ReadonlyMap<string, number>;
}

interface Prepared {
  readonly generation: Generation;
  readonly listeners: Map<string, ProxyListener>;
  readonly added: readonly ProxyListener[];
  readonly bindings: readonly Binding[];
}

const DRAIN_POLL_MS = 20;

export class DataPlane {
  readonly #settings: DataPlaneSettings;
  readonly #stats: StatsWriter;
  readonly #unroutedSlot: number;
  readonly #onInternalError: (error: unknown) => void;
  readonly #health = new HealthView();
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #trusted = new BlockList();
  readonly #endpoints = new Map<string, EndpointRuntime>();
  /** In no table any more, but with requests in flight. */
  readonly #leavingEndpoints = new Set<EndpointRuntime>();
  #context: DataPlaneContext | undefined;
  /** By the address asked for. */
  #listeners = new Map<string, ProxyListener>();
  readonly #bound = new Map<ProxyListener, BoundListener>();
  readonly #leaving = new Set<ProxyListener>();
  #prepared: Prepared | undefined;

  constructor(parts: {
    readonly settings: DataPlaneSettings;
    readonly stats: StatsWriter;
    readonly unroutedSlot: number;
    readonly onInternalError: (error: unknown) => void;
    readonly random?: Random;
    readonly clock?: Clock;
  }) {
    this.#settings = parts.settings;
    this.#stats = parts.stats;
    this.#unroutedSlot = parts.unroutedSlot;
    this.#onInternalError = parts.onInternalError;
    this.#random = parts.random ?? systemRandom();
    this.#clock = parts.clock ?? systemClock;
    for (const block of parts.settings.trustedProxies) {
      const [address = '', prefix] = block.split('/');
      const family = address.includes(':') ? 'ipv6' : 'ipv4';
      if (prefix === undefined) this.#trusted.addAddress(address, family);
      else this.#trusted.addSubnet(address, Number(prefix), family);
    }
  }

  /**
   * @returns Where every listener of the update is bound. Rejects with `ListenError`; then nothing has changed.
   */
  async prepare(update: DataPlaneUpdate): Promise<readonly BoundListener[]> {
    this.#stats.attach(update.statsSegments);
    this.#health.attach(update.healthSegments);
    const context = this.#ready();
    const generation = this.#generation(update);
    const listeners = new Map<string, ProxyListener>();
    const added: ProxyListener[] = [];
    const bound: BoundListener[] = [];
    try {
      for (const binding of update.bindings) {
        const key = addressKey(binding);
        const existing = this.#listeners.get(key);
        if (existing !== undefined) {
          listeners.set(key, existing);
          bound.push({ listener: binding.listener, host: binding.host, port: this.#bound.get(existing)?.port ?? binding.port });
          continue;
        }
        const listener = new ProxyListener(
          context,
          this.#trusted,
          binding.listener,
          declaredPort(update.table, binding.listener),
          generation,
        );
        const where = await listener.start(binding);
        added.push(listener);
        listeners.set(key, listener);
        this.#bound.set(listener, where);
        bound.push(where);
      }
    } catch (error) {
      for (const listener of added) this.#discard(listener);
      throw error;
    }
    this.#prepared = { generation, listeners, added, bindings: update.bindings };
    return bound;
  }

  commit(): void {
    const prepared = this.#prepared;
    if (prepared === undefined) return;
    this.#prepared = undefined;
    for (const binding of prepared.bindings) {
      const listener = prepared.listeners.get(addressKey(binding));
      if (listener === undefined) continue;
      listener.name = binding.listener;
      listener.declaredPort = declaredPort(prepared.generation.table, binding.listener);
      listener.generation = prepared.generation;
    }
    const kept = new Set(prepared.listeners.values());
    for (const listener of this.#listeners.values()) {
      if (kept.has(listener)) continue;
      // Those it has accepted keep the table they came with until they are done.
      listener.stop();
      this.#bound.delete(listener);
      this.#leaving.add(listener);
    }
    this.#listeners = prepared.listeners;
    this.#dropUnusedEndpoints(prepared.generation.table);
    for (const listener of this.#leaving) {
      if (listener.isEmpty) this.#leaving.delete(listener);
    }
    for (const endpoint of this.#leavingEndpoints) {
      if (endpoint.active === 0) this.#leavingEndpoints.delete(endpoint);
    }
  }

  abort(): void {
    for (const listener of this.#prepared?.added ?? []) this.#discard(listener);
    this.#prepared = undefined;
  }

  /** Requests in flight to an endpoint, whether the table has it or no longer. */
  activeRequests(address: string, port: number): number {
    let active = this.#endpoints.get(`${address} ${port}`)?.active ?? 0;
    for (const endpoint of this.#leavingEndpoints) {
      if (endpoint.active === 0) this.#leavingEndpoints.delete(endpoint);
      else if (endpoint.address === address && endpoint.port === port) active += endpoint.active;
    }
    return active;
  }

  /** Accepts no more and waits until every connection is done, or until `timeoutMs` has passed. */
  async drain(timeoutMs: number): Promise<void> {
    const context = this.#ready();
    context.isDraining = true;
    const listeners = [...this.#listeners.values(), ...this.#leaving];
    for (const listener of listeners) listener.stop();
    const giveUpAt = context.now() + timeoutMs;
    while (listeners.some((listener) => !listener.isEmpty) && context.now() < giveUpAt) {
      await new Promise((resolve) => {
        setTimeout(resolve, DRAIN_POLL_MS);
      });
    }
  }

  close(): void {
    this.abort();
    for (const listener of [...this.#listeners.values(), ...this.#leaving]) listener.destroy();
    for (const endpoint of this.#endpoints.values()) closeIdle(endpoint);
    this.#listeners.clear();
    this.#leaving.clear();
    this.#context?.wheel.close();
  }

  #ready(): DataPlaneContext {
    this.#context ??= new DataPlaneContext({
      settings: this.#settings,
      random: this.#random,
      health: this.#health,
      counters: this.#stats.worker,
      unrouted: this.#stats.cluster(this.#unroutedSlot),
      clock: this.#clock,
      onInternalError: this.#onInternalError,
    });
    return this.#context;
  }

  #generation(update: DataPlaneUpdate): Generation {
    const clusters = update.table.clusters.map((cluster, index) => this.#cluster(cluster, index, update));
    return new Generation(update.table, {
      clusters,
      observe: (key) => {
        const slots = update.observationSlots.get(key);
        return slots && { good: this.#stats.cluster(slots[0]), bad: this.#stats.cluster(slots[1]) };
      },
      killSlot: (key) => update.killSlots.get(key),
    });
  }

  #cluster(cluster: Cluster, index: number, update: DataPlaneUpdate): ClusterRuntime {
    const endpoints = cluster.endpoints.map((endpoint, position): ClusterEndpoint => {
      const key = `${endpoint.address} ${endpoint.port}`;
      let runtime = this.#endpoints.get(key);
      if (runtime === undefined) {
        runtime = new EndpointRuntime(endpoint.address, endpoint.port);
        this.#endpoints.set(key, runtime);
      }
      return { endpoint: runtime, weight: endpoint.weight, healthSlot: update.healthSlots[index]?.[position] ?? -1, credit: 0 };
    });
    const counters = this.#stats.cluster(update.clusterSlots[index] ?? this.#unroutedSlot);
    return new ClusterRuntime(cluster, endpoints, counters, this.#health, this.#random);
  }

  #dropUnusedEndpoints(table: RoutingTable): void {
    const used = new Set(table.clusters.flatMap((cluster) => cluster.endpoints.map((endpoint) => `${endpoint.address} ${endpoint.port}`)));
    for (const [key, endpoint] of this.#endpoints) {
      if (used.has(key)) continue;
      closeIdle(endpoint);
      this.#endpoints.delete(key);
      if (endpoint.active > 0) this.#leavingEndpoints.add(endpoint);
    }
  }

  #discard(listener: ProxyListener): void {
    this.#bound.delete(listener);
    listener.destroy();
  }
}

function closeIdle(endpoint: EndpointRuntime): void {
  for (const connection of endpoint.idle.slice()) connection.close();
}

/** Listeners that ask for any free port are told apart by their name. */
function addressKey(binding: Binding): string {
  return binding.port === 0 ? `${binding.host} 0 ${binding.listener}` : `${binding.host} ${binding.port}`;
}

function declaredPort(table: RoutingTable, name: string): number {
  return table.listeners.find((listener) => listener.name === name)?.port ?? 0;
}
