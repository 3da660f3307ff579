/** Where a request is sent: its endpoint and its connection, one after the other while it is tried again. One object a client connection, used again. */
import type { CircuitBreaker, Waiting } from './circuit-breaker.ts';
import type { ClusterRuntime, EndpointRuntime } from './cluster-runtime.ts';
import type { DataPlaneContext } from './context.ts';
import type { ProxiedConnection } from './proxied-connection.ts';
import { newLink, pooledLink } from './upstream-link.ts';
import type { UpstreamLink, UpstreamUser } from './upstream-link.ts';

/** Istio's host_selection_retry_max_attempts: after so many the endpoint is taken although it has been tried. */
const MAX_PICKS = 5;
const MAX_TRIED = 16;

/** What a request wants a connection for. */
export interface Demand {
  readonly cluster: ClusterRuntime;
  readonly method: string;
  /** Of its key, where the cluster chooses by hash. */
  readonly hash: number | undefined;
  /** Where its session is. */
  readonly seat: EndpointRuntime | undefined;
  /** It asks for another protocol: a connection of its own, of HTTP/1.1 (reliability P60). */
  readonly isUpgrade: boolean;
}

export class UpstreamSide implements Waiting {
  endpoint: EndpointRuntime | undefined;
  connection: UpstreamLink | undefined;
  /** Connections replaced without anybody noticing. */
  freeTries = 0;
  /** That have failed this request. */
  readonly #tried: EndpointRuntime[] = [];
  readonly #context: DataPlaneContext;
  readonly #user: UpstreamUser;
  /** Counts this request among those without a connection. */
  #pendingAt: CircuitBreaker | undefined;
  /** For a connection of others to become free. */
  #waitsFor: Demand | undefined;

  /** One object, used again. */
  readonly #sending: {
    method: string;
    readonly isHttp2: boolean;
    isUpgrade: boolean;
    readonly client: ProxiedConnection;
    wantsNew: boolean;
  };

  /** @param isHttp2  The client speaks HTTP/2. */
  constructor(context: DataPlaneContext, user: UpstreamUser, client: ProxiedConnection, isHttp2: boolean) {
    this.#sending = { method: '', isHttp2, isUpgrade: false, client, wantsNew: false };
    this.#context = context;
    this.#user = user;
  }

  begin(): void {
    this.endpoint = undefined;
    this.connection = undefined;
    this.freeTries = 0;
    this.#tried.length = 0;
  }

  /**
   * From the pool or anew, or when one is free; `onUpstreamReady` follows, or `onUpstreamLost`.
   *
   * @param avoidsTried  Not to an endpoint that has been tried, if there is another.
   * @returns            Why nothing follows: no endpoint is healthy, or too many requests wait for a connection.
   */
  connect(demand: Demand, avoidsTried: boolean): 'unhealthy' | 'overflow' | undefined {
    const endpoint = this.#pick(demand, avoidsTried);
    return endpoint === undefined ? 'unhealthy' : this.#attach(demand, endpoint);
  }

  #attach(demand: Demand, endpoint: EndpointRuntime): 'overflow' | undefined {
    const { cluster, method, isUpgrade } = demand;
    if (this.endpoint !== undefined) this.endpoint.active--;
    this.endpoint = endpoint;
    endpoint.active++;
    const sending = this.#sending;
    sending.method = method;
    sending.isUpgrade = isUpgrade;
    sending.wantsNew = this.freeTries > 0 || isUpgrade;
    const pooled = pooledLink(this.#context, cluster.cluster, endpoint, this.#user, sending);
    if (pooled !== undefined) {
      this.connection = pooled;
      return undefined;
    }
    const { breaker } = endpoint;
    if (breaker !== undefined) {
      if (this.#pendingAt === undefined && !breaker.acquire('pending')) return 'overflow';
      this.#pendingAt = breaker;
      // What rests for other clients is of no use to this one.
      if (cluster.cluster.proxyProtocol !== undefined && !breaker.hasRoom('connections')) endpoint.idle[0]?.close();
      if (!breaker.acquire('connections')) {
        // Without any connection to this endpoint nobody would ever wake what waits for one (Envoy does the same).
        if (endpoint.connections > 0) {
          this.#waitsFor = demand;
          breaker.wait(this);
          return undefined;
        }
        breaker.force('connections');
      }
    }
    this.connection = newLink(this.#context, cluster.cluster, endpoint, this.#user, sending);
    return undefined;
  }

  onConnectionFree(): void {
    const demand = this.#waitsFor;
    if (demand === undefined) return;
    this.#waitsFor = undefined;
    const endpoint = demand.seat ?? demand.cluster.pick(undefined, demand.hash);
    if (endpoint === undefined) this.#user.onUpstreamLost('connect-failed');
    else this.#attach(demand, endpoint);
  }

  #pick({ cluster, hash, seat }: Demand, avoidsTried: boolean): EndpointRuntime | undefined {
    if (seat !== undefined) return seat;
    const last = this.endpoint;
    if (last === undefined || !avoidsTried) return cluster.pick(undefined, hash);
    if (this.#tried.length < MAX_TRIED && !this.#tried.includes(last)) this.#tried.push(last);
    let picked = cluster.pick(last, hash);
    for (let more = 1; more < MAX_PICKS && picked !== undefined && this.#tried.includes(picked); more++) picked = cluster.pick(last, hash);
    return picked;
  }

  /** There is a connection, or none is wanted any more. */
  settle(): void {
    if (this.#pendingAt === undefined) return;
    if (this.#waitsFor !== undefined) this.#pendingAt.forget(this);
    this.#waitsFor = undefined;
    this.#pendingAt.release('pending');
    this.#pendingAt = undefined;
  }

  /** Closes the connection: what it carries is not wanted any more. */
  drop(): void {
    this.settle();
    this.connection?.close();
    this.connection = undefined;
  }

  /** Nothing more is sent. */
  end(): void {
    this.settle();
    if (this.endpoint !== undefined) this.endpoint.active--;
    this.endpoint = undefined;
  }
}
