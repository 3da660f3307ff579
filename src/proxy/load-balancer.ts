/** Whose turn it is, among endpoints that may be used: Envoy's and Istio's simple load balancers over entries with weights. */
import type { Random } from '../base/random.ts';
import type { LoadBalancer } from '../routing/table.ts';
import type { ClusterEndpoint, EndpointRuntime } from './cluster-runtime.ts';

/** Candidates are never empty. */
export class Balancer {
  readonly #kind: LoadBalancer;
  readonly #random: Random;
  #turn: number;

  /** @param size Not all workers begin at the same endpoint of so many. */
  constructor(kind: LoadBalancer, random: Random, size: number) {
    this.#kind = kind;
    this.#random = random;
    this.#turn = Math.floor(random() * Math.max(1, size));
  }

  /** @param isEven All candidates have the same weight. */
  choose(candidates: readonly ClusterEndpoint[], isEven: boolean): EndpointRuntime | undefined {
    switch (this.#kind) {
      case 'ROUND_ROBIN':
        return isEven ? this.#nextInTurn(candidates) : nextByCredit(candidates);
      case 'RANDOM':
        return this.#byWeight(candidates, isEven)?.endpoint;
      case 'LEAST_REQUEST':
        return this.#leastRequest(candidates, isEven);
    }
  }

  #nextInTurn(candidates: readonly ClusterEndpoint[]): EndpointRuntime | undefined {
    this.#turn = (this.#turn + 1) % Math.max(1, candidates.length);
    return candidates[this.#turn]?.endpoint;
  }

  /** An independent draw, by weight. */
  #byWeight(candidates: readonly ClusterEndpoint[], isEven: boolean): ClusterEndpoint | undefined {
    if (isEven) return candidates[Math.floor(this.#random() * candidates.length)];
    let total = 0;
    for (const entry of candidates) total += entry.share;
    let ticket = this.#random() * total;
    for (const entry of candidates) {
      ticket -= entry.share;
      if (ticket < 0) return entry;
    }
    return candidates.at(-1);
  }

  /**
   * The less busy of two drawn at random (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001; Envoy's LEAST_REQUEST
   * with its default choice_count 2). Draws are by weight, so a heavier endpoint is offered more often.
   */
  #leastRequest(candidates: readonly ClusterEndpoint[], isEven: boolean): EndpointRuntime | undefined {
    const first = this.#byWeight(candidates, isEven)?.endpoint;
    const second = this.#byWeight(candidates, isEven)?.endpoint;
    if (first === undefined || second === undefined) return first;
    return second.active < first.active ? second : first;
  }
}

/** nginx's smooth weighted round robin: everyone earns its weight, the richest serves and pays the total. */
function nextByCredit(candidates: readonly ClusterEndpoint[]): EndpointRuntime | undefined {
  let total = 0;
  let richest: ClusterEndpoint | undefined;
  for (const entry of candidates) {
    entry.credit += entry.share;
    total += entry.share;
    if (richest === undefined || entry.credit > richest.credit) richest = entry;
  }
  if (richest === undefined) return undefined;
  richest.credit -= total;
  return richest.endpoint;
}
