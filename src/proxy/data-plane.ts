/**
 * One thread's data plane: listeners, endpoints, and the table in force.
 *
 * A change comes in two steps, so that several workers change together or not at all: `prepare` builds the new generation and binds the
 * addresses it needs beyond those there are; `commit` swaps one reference and lets go of what is no longer wanted. `abort` undoes `prepare`.
 */
import { BlockList } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { systemClock } from '../base/clock.ts';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { systemRandom } from '../base/random.ts';
import { byUserCounter, type UserCounter, UserLedger } from '../rollout/user-ledger.ts';
import type { Cluster, Endpoint, RoutingTable } from '../routing/table.ts';
import { HealthView } from '../telemetry/health-board.ts';
import { sharedRow } from '../telemetry/shared-rows.ts';
import type { SpanRecord } from '../telemetry/span-record.ts';
import type { StatsWriter } from '../telemetry/shared-stats.ts';
import { AccessLog } from './access-log.ts';
import type { AccessLines } from './access-log.ts';
import type { ClusterEndpoint } from './cluster-runtime.ts';
import { ClusterRuntime, EndpointRuntime } from './cluster-runtime.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { DataPlaneContext } from './context.ts';
import { Matcher } from '../routing/matcher.ts';
import { Generation } from './generation.ts';
import { GuardKeeper } from './guard-keeper.ts';
import { ProxyListener } from './listener.ts';
import type { Credentials } from '../config/credential.ts';
import { upstreamTlsOptions } from './upstream-tls.ts';
import type { Binding, BoundListener, DataPlaneSettings } from './options.ts';
import { writeProof } from './proof-file.ts';
import type { Observation } from './route-runtime.ts';
import { Tracer } from './tracer.ts';
import { UserArm } from './user-arm.ts';

/** A table with what a worker needs beside it; plain data, posted between threads. */
export interface DataPlaneUpdate {
  readonly table: RoutingTable;
  readonly bindings: readonly Binding[];
  readonly statsSegments: readonly SharedArrayBuffer[];
  readonly healthSegments: readonly SharedArrayBuffer[];
  /** By name: guards of releases, and which of their users have been counted. */
  readonly blocks: ReadonlyMap<string, SharedArrayBuffer>;
  /** By cluster. */
  readonly clusterSlots: readonly number[];
  /** By cluster and endpoint; -1 where nothing checks it. */
  readonly healthSlots: readonly (readonly number[])[];
  readonly outlierSegments: readonly SharedArrayBuffer[];
  /** By cluster and endpoint; -1 where there is no outlier detection. */
  readonly outlierSlots: readonly (readonly number[])[];
  readonly limitSegments: readonly SharedArrayBuffer[];
  /** By cluster and worker; empty where nothing is limited. */
  readonly limitSlots: readonly (readonly number[])[];
  /** Statistics slots of `RoutingTable.observations`, good and bad, by key. */
  readonly observationSlots: ReadonlyMap<string, readonly [good: number, bad: number]>;
  /** Where users of `RoutingTable.ledgers` are counted, by observation: the block that knows them, and statistics slots. */
  readonly userSlots: ReadonlyMap<string, UserSlots>;
  readonly credentials: Credentials;
  /** Health slots of `RoutingTable.killSwitches`, by key. */
  readonly killSlots: ReadonlyMap<string, number>;
  /** Statistics slots of copies, by cluster; only of clusters that are some route's mirror. */
  readonly mirrorSlots: ReadonlyMap<number, number>;
}

export interface UserSlots {
  readonly ledger: string;
  readonly slots: Readonly<Record<UserCounter, number>>;
}

interface Prepared {
  readonly generation: Generation;
  readonly listeners: Map<string, ProxyListener>;
  readonly added: readonly ProxyListener[];
  readonly bindings: readonly Binding[];
}

const DRAIN_POLL_MS = 20;

const PROOF_NOT_WRITTEN =
  'a canary was cut off, but the proof could not be written to the state directory: a crash before the rollback would lose it';

export class DataPlane {
  readonly #settings: DataPlaneSettings;
  readonly #stats: StatsWriter;
  readonly #unroutedSlot: number;
  readonly #onInternalError: (error: unknown) => void;
  readonly #onAccessLines: (lines: AccessLines) => void;
  readonly #onSpans: (spans: readonly SpanRecord[]) => void;
  readonly #health = new HealthView();
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #guards: GuardKeeper;
  readonly #trusted = new BlockList();
  readonly #endpoints = new Map<string, EndpointRuntime>();
  /** In no table any more, but with requests in flight. */
  readonly #leavingEndpoints = new Set<EndpointRuntime>();
  readonly #worker: number;
  /** By cluster. */
  readonly #breakers = new Map<string, CircuitBreaker>();
  #context: DataPlaneContext | undefined;
  /** By the address asked for. */
  #listeners = new Map<string, ProxyListener>();
  readonly #bound = new Map<ProxyListener, BoundListener>();
  readonly #leaving = new Set<ProxyListener>();
  #prepared: Prepared | undefined;

  constructor(parts: {
    readonly settings: DataPlaneSettings;
    readonly stats: StatsWriter;
    /** This one's number among the workers; default 0. */
    readonly worker?: number;
    readonly unroutedSlot: number;
    readonly onInternalError: (error: unknown) => void;
    /** Takes lines of the access log; `accessTaken` says when. */
    readonly onAccessLines?: (lines: AccessLines) => void;
    /** Takes spans; `spansTaken` says when. */
    readonly onSpans?: (spans: readonly SpanRecord[]) => void;
    readonly random?: Random;
    readonly clock?: Clock;
  }) {
    this.#settings = parts.settings;
    this.#stats = parts.stats;
    this.#worker = parts.worker ?? 0;
    this.#unroutedSlot = parts.unroutedSlot;
    this.#onInternalError = parts.onInternalError;
    this.#random = parts.random ?? systemRandom();
    const clock = parts.clock ?? systemClock;
    this.#clock = clock;
    this.#onAccessLines = parts.onAccessLines ?? (() => undefined);
    this.#onSpans = parts.onSpans ?? (() => undefined);
    const { proofDirectory } = parts.settings;
    this.#guards = new GuardKeeper({
      stats: parts.stats,
      health: this.#health,
      wallMs: () => clock.nowMs(),
      onProof: (found) => {
        if (proofDirectory !== undefined)
          writeProof(proofDirectory, found).catch((cause: unknown) => parts.onInternalError(new Error(PROOF_NOT_WRITTEN, { cause })));
      },
    });
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
    this.#guards.attach(update.blocks);
    const context = this.#ready();
    const generation = await this.#generation(update);
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

  /** Lines of the access log have been taken. */
  accessTaken(chars: number, dropped: number): void {
    this.#context?.accessLog?.taken(chars, dropped);
  }

  spansTaken(count: number): void {
    this.#context?.tracer?.taken(count);
  }

  /** Requests in flight to an endpoint, whether the table has it or no longer. */
  activeRequests(address: string, port: number): number {
    let active = 0;
    for (const endpoint of this.#endpoints.values()) if (endpoint.address === address && endpoint.port === port) active += endpoint.active;
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
    this.#guards.close();
    for (const listener of [...this.#listeners.values(), ...this.#leaving]) listener.destroy();
    this.#context?.mirrors.close();
    for (const endpoint of this.#endpoints.values()) closeIdle(endpoint);
    this.#listeners.clear();
    this.#leaving.clear();
    this.#context?.wheel.close();
    this.#context?.accessLog?.flush();
    this.#context?.tracer?.flush();
  }

  #ready(): DataPlaneContext {
    const { accessLog, tracing } = this.#settings;
    this.#context ??= new DataPlaneContext({
      settings: this.#settings,
      random: this.#random,
      health: this.#health,
      counters: this.#stats.worker,
      unrouted: this.#stats.cluster(this.#unroutedSlot),
      clock: this.#clock,
      onInternalError: this.#onInternalError,
      tracer: tracing && new Tracer(tracing, this.#random, this.#stats.worker, this.#onSpans),
      accessLog: accessLog && new AccessLog(accessLog, this.#random, this.#stats.worker, this.#onAccessLines),
    });
    return this.#context;
  }

  async #generation(update: DataPlaneUpdate): Promise<Generation> {
    const clusters: ClusterRuntime[] = [];
    for (const [index, cluster] of update.table.clusters.entries()) {
      if (index % CLUSTERS_A_TURN === CLUSTERS_A_TURN - 1) await setImmediate();
      clusters.push(this.#cluster(cluster, index, update));
    }
    const matcher = await overTurns(Matcher.gradually(update.table));
    return new Generation(update.table, matcher, {
      clusters,
      observe: (key) => this.#observation(key, update),
      credentials: update.credentials,
      killSlot: (key) => update.killSlots.get(key),
      mirrorCounters: (cluster) => this.#stats.cluster(update.mirrorSlots.get(cluster) ?? this.#unroutedSlot),
    });
  }

  #observation(key: string, { observationSlots, userSlots, blocks }: DataPlaneUpdate): Observation | undefined {
    const slots = observationSlots.get(key);
    if (slots === undefined) return undefined;
    const arm = { good: this.#stats.cluster(slots[0]), bad: this.#stats.cluster(slots[1]) };
    const users = userSlots.get(key);
    const block = users === undefined ? undefined : blocks.get(users.ledger);
    if (users === undefined || block === undefined) return arm;
    const counters = byUserCounter((counter) => this.#stats.cluster(users.slots[counter]));
    return { ...arm, users: new UserArm(new UserLedger(block), counters) };
  }

  #cluster(cluster: Cluster, index: number, update: DataPlaneUpdate): ClusterRuntime {
    const tls = cluster.tls === undefined ? undefined : upstreamTlsOptions(cluster.tls, update.credentials);
    const breaker = this.#breaker(cluster, update.limitSlots[index] ?? [], update);
    const endpoints = cluster.endpoints.map((endpoint, position): ClusterEndpoint => {
      const key = endpointKey(cluster, endpoint);
      let runtime = this.#endpoints.get(key);
      if (runtime === undefined) {
        runtime = new EndpointRuntime(endpoint.address, endpoint.port, this.#clock.monotonicMs());
        this.#endpoints.set(key, runtime);
      }
      runtime.tls = tls;
      runtime.breaker = breaker;
      const { weight } = endpoint;
      const outlierSlot = update.outlierSlots[index]?.[position] ?? -1;
      return {
        endpoint: runtime,
        weight,
        healthSlot: update.healthSlots[index]?.[position] ?? -1,
        outlier: outlierSlot === -1 ? undefined : sharedRow(update.outlierSegments, outlierSlot),
        share: weight,
        credit: 0,
      };
    });
    return new ClusterRuntime(cluster, endpoints, {
      counters: this.#stats.cluster(update.clusterSlots[index] ?? this.#unroutedSlot),
      breaker,
      health: this.#health,
      random: this.#random,
      now: () => this.#clock.monotonicMs(),
    });
  }

  /** The same from table to table, so that what is held stays counted. */
  #breaker({ name, limits }: Cluster, slots: readonly number[], { limitSegments }: DataPlaneUpdate): CircuitBreaker | undefined {
    if (limits === undefined) return undefined;
    const known = this.#breakers.get(name);
    if (known !== undefined) {
      known.limits = limits;
      return known;
    }
    const rows = slots.map((slot) => sharedRow(limitSegments, slot));
    const own = rows[this.#worker];
    if (own === undefined) throw new Error(`broken invariant: cluster ${name} has a row for each worker`);
    const breaker = new CircuitBreaker(limits, own, rows);
    this.#breakers.set(name, breaker);
    return breaker;
  }

  #dropUnusedEndpoints(table: RoutingTable): void {
    const used = new Set(table.clusters.flatMap((cluster) => cluster.endpoints.map((endpoint) => endpointKey(cluster, endpoint))));
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

/** Made in a millisecond or so. */
const CLUSTERS_A_TURN = 200;

/** One step a turn of the event loop, with requests in between. */
async function overTurns<Result>(work: Generator<undefined, Result>): Promise<Result> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    await setImmediate();
  }
}

/** Which clusters share the connections to an address: those that speak plain text to it from the first byte on, without limits. */
function endpointKey({ name, tls, limits, proxyProtocol }: Cluster, { address, port }: Endpoint): string {
  const isShared = tls === undefined && limits === undefined && proxyProtocol === undefined;
  // What has said it once is of no use where it is to be said in another way, or not at all.
  return isShared ? `${address} ${port}` : `${address} ${port} ${name} ${proxyProtocol ?? ''}`;
}

function closeIdle(endpoint: EndpointRuntime): void {
  for (const connection of endpoint.idle.slice()) connection.close();
  for (const session of endpoint.sessions.slice()) session.retire();
}

/** Listeners that ask for any free port are told apart by their name. */
function addressKey(binding: Binding): string {
  return binding.port === 0 ? `${binding.host} 0 ${binding.listener}` : `${binding.host} ${binding.port}`;
}

function declaredPort(table: RoutingTable, name: string): number {
  return table.listeners.find((listener) => listener.name === name)?.port ?? 0;
}
