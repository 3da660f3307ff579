/**
 * A cluster as a data plane lives with it: its endpoints with their connections, its counters, and whose turn is next.
 *
 * Endpoints are shared by all clusters that name the same address in plain text, and outlive a table: a reload keeps warm connections. With TLS, or with limits on its
 * connections, a cluster has endpoints of its own.
 */
import type { ConnectionOptions } from 'node:tls';
import type { Random } from '../base/random.ts';
import { type HashTable, hashTable } from '../routing/consistent-hash.ts';
import type { Cluster, Warmup } from '../routing/table.ts';
import type { ClusterCounters } from '../telemetry/cluster-counters.ts';
import type { HealthView } from '../telemetry/health-board.ts';
import type { SharedRow } from '../telemetry/shared-rows.ts';
import { Balancer } from './load-balancer.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import { RetryBudget } from './retry-budget.ts';
import { isEjected, OutlierDetector } from './outlier-detection.ts';
import type { ClientSession } from './http2/client-session.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

export class EndpointRuntime {
  readonly address: string;
  readonly port: number;
  /** When this data plane first had it, on its clock, ms. */
  readonly since: number;
  /** How connections to it are secured from now on; undefined: they are not. */
  tls: ConnectionOptions | undefined;
  /** Of the one cluster whose endpoint it is; undefined where nothing is limited. */
  breaker: CircuitBreaker | undefined;
  /** Connections open or being made, in this data plane. */
  connections = 0;
  /** Idle connections, the most recently used last. */
  readonly idle: UpstreamConnection[] = [];
  /** Those of HTTP/2 that take more requests. */
  readonly sessions: ClientSession[] = [];
  /** Requests in flight, over all clusters. */
  active = 0;

  constructor(address: string, port: number, since: number) {
    this.address = address;
    this.port = port;
    this.since = since;
  }
}

export interface ClusterEndpoint {
  readonly endpoint: EndpointRuntime;
  readonly weight: number;
  /** On the health view; -1 where nothing checks it. */
  readonly healthSlot: number;
  /** Undefined where the cluster has no outlier detection. */
  readonly outlier: SharedRow | undefined;
  /** What of its weight counts now: all of it, once it is warm. */
  share: number;
  /** Smooth weighted round robin's credit. */
  credit: number;
}

export class ClusterRuntime {
  readonly cluster: Cluster;
  readonly counters: ClusterCounters;
  readonly retryBudget: RetryBudget;
  /** Undefined where nothing is limited. */
  readonly breaker: CircuitBreaker | undefined;
  readonly endpoints: readonly ClusterEndpoint[];
  /** By priority; one level where nothing is nearer than the rest. */
  readonly #levels: readonly (readonly ClusterEndpoint[])[];
  readonly #random: Random;
  readonly #hasEqualWeights: boolean;
  readonly #health: HealthView;
  readonly #now: () => number;
  readonly #balancer: Balancer;
  readonly #detector: OutlierDetector | undefined;
  /** Where outlier detection counts. */
  readonly #rows = new Map<EndpointRuntime, SharedRow>();
  #hashTable: HashTable | undefined;
  #warmUntil: number;

  constructor(
    cluster: Cluster,
    endpoints: readonly ClusterEndpoint[],
    parts: {
      readonly counters: ClusterCounters;
      readonly breaker?: CircuitBreaker | undefined;
      readonly health: HealthView;
      readonly random: Random;
      readonly now: () => number;
    },
  ) {
    this.cluster = cluster;
    this.counters = parts.counters;
    this.retryBudget = new RetryBudget(cluster.retryLimit, parts.counters);
    this.breaker = parts.breaker;
    this.endpoints = endpoints;
    this.#levels = levelsOf(cluster, endpoints);
    this.#random = parts.random;
    this.#hasEqualWeights = endpoints.every((entry) => entry.weight === endpoints[0]?.weight);
    this.#health = parts.health;
    this.#now = parts.now;
    this.#balancer = new Balancer(cluster.loadBalancer, parts.random, endpoints.length);
    for (const { endpoint, outlier } of endpoints) if (outlier !== undefined) this.#rows.set(endpoint, outlier);
    if (cluster.outlierDetection !== undefined) this.#detector = new OutlierDetector(cluster.outlierDetection, [...this.#rows.values()]);
    const { warmup } = cluster;
    this.#warmUntil = warmup === undefined ? 0 : Math.max(0, ...endpoints.map(({ endpoint }) => endpoint.since + warmup.durationMs));
  }

  /**
   * Chooses an endpoint among the healthy ones.
   *
   * @param avoided  Left out if there is any other: it has just failed this request.
   * @param hash     Of the request's key, where the cluster chooses by hash and the request has one.
   * @returns        undefined when none is healthy.
   */
  pick(avoided: EndpointRuntime | undefined, hash?: number): EndpointRuntime | undefined {
    const only = this.endpoints[0];
    if (only === undefined) return undefined;
    if (this.endpoints.length === 1) return this.isHealthy(only) || this.#panics(0, 1) ? only.endpoint : undefined;
    const candidates = this.#candidates(avoided);
    if (candidates.length === 0) return undefined;
    if (hash !== undefined && this.cluster.hash !== undefined) return this.#byHash(hash, candidates);
    const isWarming = this.#warmUntil > 0 && this.#warm();
    return this.#balancer.choose(candidates, this.#hasEqualWeights && !isWarming);
  }

  /** For outlier detection: an endpoint's answer. */
  onResponse(endpoint: EndpointRuntime, status: number): void {
    if (this.#detector === undefined) return;
    const row = this.#rows.get(endpoint);
    if (row !== undefined) this.#detector.onResponse(row, status);
  }

  /** For outlier detection: an endpoint did not answer. */
  onNoResponse(endpoint: EndpointRuntime): void {
    if (this.#detector === undefined) return;
    const row = this.#rows.get(endpoint);
    if (row !== undefined) this.#detector.onLocalFailure(row);
  }

  /** As far as is known: neither ejected nor failing its checks. */
  isHealthy(entry: ClusterEndpoint): boolean {
    if (entry.outlier !== undefined && isEjected(entry.outlier)) return false;
    return entry.healthSlot === -1 || this.#health.isHealthy(entry.healthSlot);
  }

  /** So few are healthy that health is not looked at: spreading the load is better than crushing what is left (Envoy's panic threshold). */
  #panics(healthy: number, all: number): boolean {
    return 100 * healthy < (this.cluster.outlierDetection?.minHealthPercent ?? 0) * all;
  }

  #candidates(avoided: EndpointRuntime | undefined): readonly ClusterEndpoint[] {
    const endpoints = this.#levels.length === 1 ? this.endpoints : this.#level();
    let usable = 0;
    for (const entry of endpoints) if (entry.endpoint !== avoided && this.isHealthy(entry)) usable++;
    if (usable === endpoints.length) return endpoints;
    const healthy = endpoints.filter((entry) => this.isHealthy(entry));
    const allowed = this.#panics(healthy.length, endpoints.length) ? endpoints : healthy;
    const others = allowed.filter((entry) => entry.endpoint !== avoided);
    return others.length > 0 ? others : allowed;
  }

  /**
   * A level drawn by what each can take: Envoy's, which trusts a level with all requests down to 100 in 140 of its endpoints healthy, and gives the next one what is
   * left (envoy docs, "Priority levels").
   */
  #level(): readonly ClusterEndpoint[] {
    const capacities = this.#levels.map((level) => Math.min(1, (OVERPROVISIONING * this.#healthyOf(level)) / level.length));
    const total = Math.min(
      1,
      capacities.reduce((sum, capacity) => sum + capacity, 0),
    );
    let ticket = this.#random() * total;
    for (const [index, capacity] of capacities.entries()) {
      ticket -= capacity;
      if (ticket < 0) return this.#levels[index] ?? this.endpoints;
    }
    return this.endpoints;
  }

  #healthyOf(level: readonly ClusterEndpoint[]): number {
    let healthy = 0;
    for (const entry of level) if (this.isHealthy(entry)) healthy++;
    return healthy;
  }

  #byHash(hash: number, candidates: readonly ClusterEndpoint[]): EndpointRuntime | undefined {
    const endpoints = this.endpoints;
    if (this.#hashTable === undefined && this.cluster.hash !== undefined) {
      const listed = endpoints.map(({ endpoint: { address, port }, weight }) => ({ address, port, weight }));
      this.#hashTable = hashTable(this.cluster.hash.table, listed);
    }
    const isAll = candidates.length === endpoints.length;
    const position = this.#hashTable?.pick(hash, (at) => isAll || candidates.some((entry) => entry === endpoints[at])) ?? -1;
    return endpoints[position]?.endpoint;
  }

  /** Sets the shares of endpoints that are not warm yet. @returns Whether there are any. */
  #warm(): boolean {
    const { warmup } = this.cluster;
    const now = this.#now();
    const isOver = warmup === undefined || now >= this.#warmUntil;
    if (isOver) this.#warmUntil = 0;
    for (const entry of this.endpoints) entry.share = isOver ? entry.weight : entry.weight * warmth(warmup, now - entry.endpoint.since);
    return !isOver;
  }
}

/** Envoy's default overprovisioning_factor. */
const OVERPROVISIONING = 1.4;

function levelsOf(cluster: Cluster, endpoints: readonly ClusterEndpoint[]): readonly (readonly ClusterEndpoint[])[] {
  const byPriority = Map.groupBy(endpoints, (_, index) => cluster.endpoints[index]?.priority ?? 0);
  return [...byPriority].toSorted(([a], [b]) => a - b).map(([, level]) => level);
}

/** What of its weight an endpoint has after so long (envoy.config.cluster.v3.Cluster.SlowStartConfig). */
function warmth({ durationMs, minimumPercent, aggression }: Warmup, ageMs: number): number {
  if (ageMs >= durationMs) return 1;
  return Math.max(minimumPercent / 100, (Math.max(1, ageMs) / durationMs) ** (1 / aggression));
}
