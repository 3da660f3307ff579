/**
 * A cluster as a data plane lives with it: its endpoints with their connections, its counters, and whose turn is next.
 *
 * Endpoints are shared by all clusters that name the same address, and outlive a table: a reload keeps warm connections.
 */
import type { Random } from '../base/random.ts';
import type { Cluster } from '../routing/table.ts';
import type { ClusterCounters } from '../telemetry/cluster-counters.ts';
import type { HealthView } from '../telemetry/health-board.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

export class EndpointRuntime {
  readonly address: string;
  readonly port: number;
  /** Idle connections, the most recently used last. */
  readonly idle: UpstreamConnection[] = [];
  /** Requests in flight, over all clusters. */
  active = 0;

  constructor(address: string, port: number) {
    this.address = address;
    this.port = port;
  }
}

export interface ClusterEndpoint {
  readonly endpoint: EndpointRuntime;
  readonly weight: number;
  /** On the health view; -1 where nothing checks it. */
  readonly healthSlot: number;
  /** Smooth weighted round robin's credit. */
  credit: number;
}

export class ClusterRuntime {
  readonly cluster: Cluster;
  readonly counters: ClusterCounters;
  readonly #endpoints: readonly ClusterEndpoint[];
  readonly #hasEqualWeights: boolean;
  readonly #health: HealthView;
  readonly #random: Random;
  #turn: number;

  constructor(cluster: Cluster, endpoints: readonly ClusterEndpoint[], counters: ClusterCounters, health: HealthView, random: Random) {
    this.cluster = cluster;
    this.counters = counters;
    this.#endpoints = endpoints;
    this.#hasEqualWeights = endpoints.every((entry) => entry.weight === endpoints[0]?.weight);
    this.#health = health;
    this.#random = random;
    // Not all workers begin at the same endpoint.
    this.#turn = Math.floor(random() * Math.max(1, endpoints.length));
  }

  /**
   * Chooses an endpoint among the healthy ones.
   *
   * @param avoided  Left out if there is any other: it has just failed this request.
   * @returns        undefined when none is healthy.
   */
  pick(avoided: EndpointRuntime | undefined): EndpointRuntime | undefined {
    const only = this.#endpoints[0];
    if (only === undefined) return undefined;
    if (this.#endpoints.length === 1) return this.#isHealthy(only) ? only.endpoint : undefined;
    const candidates = this.#candidates(avoided);
    switch (this.cluster.loadBalancer) {
      case 'ROUND_ROBIN':
        return this.#hasEqualWeights ? this.#nextInTurn(candidates) : nextByCredit(candidates);
      case 'RANDOM':
        return this.#byWeight(candidates)?.endpoint;
      case 'LEAST_REQUEST':
        return this.#leastRequest(candidates);
    }
  }

  #isHealthy(entry: ClusterEndpoint): boolean {
    return entry.healthSlot === -1 || this.#health.isHealthy(entry.healthSlot);
  }

  #candidates(avoided: EndpointRuntime | undefined): readonly ClusterEndpoint[] {
    const isUsable = (entry: ClusterEndpoint): boolean => entry.endpoint !== avoided && this.#isHealthy(entry);
    if (this.#endpoints.every(isUsable)) return this.#endpoints;
    const usable = this.#endpoints.filter(isUsable);
    return usable.length > 0 ? usable : this.#endpoints.filter((entry) => this.#isHealthy(entry));
  }

  #nextInTurn(candidates: readonly ClusterEndpoint[]): EndpointRuntime | undefined {
    this.#turn = (this.#turn + 1) % Math.max(1, candidates.length);
    return candidates[this.#turn]?.endpoint;
  }

  /** An independent draw, by weight. */
  #byWeight(candidates: readonly ClusterEndpoint[]): ClusterEndpoint | undefined {
    if (this.#hasEqualWeights) return candidates[Math.floor(this.#random() * candidates.length)];
    let total = 0;
    for (const entry of candidates) total += entry.weight;
    let ticket = this.#random() * total;
    for (const entry of candidates) {
      ticket -= entry.weight;
      if (ticket < 0) return entry;
    }
    return candidates.at(-1);
  }

  /**
   * The less busy of two drawn at random (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001; Envoy's LEAST_REQUEST
   * with its default choice_count 2). Draws are by weight, so a heavier endpoint is offered more often.
   */
  #leastRequest(candidates: readonly ClusterEndpoint[]): EndpointRuntime | undefined {
    const first = this.#byWeight(candidates)?.endpoint;
    const second = this.#byWeight(candidates)?.endpoint;
    if (first === undefined || second === undefined) return first;
    return second.active < first.active ? second : first;
  }
}

/** nginx's smooth weighted round robin: everyone earns its weight, the richest serves and pays the total. */
function nextByCredit(candidates: readonly ClusterEndpoint[]): EndpointRuntime | undefined {
  let total = 0;
  let richest: ClusterEndpoint | undefined;
  for (const entry of candidates) {
    entry.credit += entry.weight;
    total += entry.weight;
    if (richest === undefined || entry.credit > richest.credit) richest = entry;
  }
  if (richest === undefined) return undefined;
  richest.credit -= total;
  return richest.endpoint;
}
