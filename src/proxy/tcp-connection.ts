/**
 * A client's connection that is passed on whole: to one endpoint, by the rule and the draw of its first moment.
 *
 *   connecting ──> tunnel          either ──> closed
 *
 * Nothing is read of the client before the upstream stands. An upstream that cannot be connected to is replaced by another endpoint once; for outlier
 * detection it has failed (Envoy's tcp_proxy; consecutive connect failures).
 */
import type { Socket } from 'node:net';
import { hashOf } from '../routing/consistent-hash.ts';
import type { TcpRoute } from '../routing/table.ts';
import { pickCluster } from '../routing/weighted-pick.ts';
import { takeOver } from './accepted-socket.ts';
import type { ClusterRuntime, EndpointRuntime } from './cluster-runtime.ts';
import type { DataPlaneContext } from './context.ts';
import type { ClientConnection, ProxyListener } from './listener.ts';
import type { ProxiedConnection } from './proxied-connection.ts';
import { OWN_READS, ReadBuffers, type Reads } from './read-buffers.ts';
import { Tunnel } from './tunnel.ts';
import { UpstreamConnection } from './upstream-connection.ts';
import type { UpstreamLoss, UpstreamUser } from './upstream-link.ts';

/** `plain` is as accepted and unread; `begun` is paused, and what has been read of it stands before the rest again. */
export type TcpAccepted = { readonly plain: Socket } | { readonly begun: Socket };

const MAX_TRIES = 2;

export class TcpConnection implements ClientConnection, UpstreamUser {
  readonly #listener: ProxyListener;
  readonly #context: DataPlaneContext;
  readonly #client: Socket;
  readonly #reads: Reads;
  readonly #cluster: ClusterRuntime | undefined;
  readonly #hash: number | undefined;
  readonly #carried: ProxiedConnection;
  #endpoint: EndpointRuntime | undefined;
  #upstream: UpstreamConnection | undefined;
  #tunnel: Tunnel | undefined;
  #hasClientEnded = false;
  #tries = 0;
  #isDone = false;

  /** @param route  Undefined where no rule takes it: then it is closed. */
  constructor(listener: ProxyListener, accepted: TcpAccepted, peerAddress: string, route: TcpRoute | undefined) {
    this.#listener = listener;
    this.#context = listener.context;
    if ('plain' in accepted) {
      const buffers = new ReadBuffers(this.#context, (bytes, length) => this.#onRead(bytes, length));
      this.#reads = buffers;
      this.#client = takeOver(accepted.plain, buffers.onread);
    } else {
      this.#reads = OWN_READS;
      this.#client = accepted.begun;
      this.#client.on('data', (bytes: Buffer) => void this.#onRead(bytes, bytes.length));
    }
    this.#carried = { peerAddress, socket: this.#client };
    this.#client.pause();
    this.#client.on('drain', () => this.#tunnel?.onClientDrain());
    this.#client.on('end', () => {
      this.#hasClientEnded = true;
      this.#tunnel?.onClientEnd();
    });
    // The reason does not matter: 'close' follows.
    this.#client.on('error', () => undefined);
    this.#client.on('close', () => this.#onClientClose());
    if (route === undefined) {
      this.#client.destroy();
      return;
    }
    const { cluster } = pickCluster(route, route.clusters.length === 1 ? 0 : this.#context.random());
    this.#cluster = listener.generation.cluster(cluster);
    this.#hash = this.#cluster.cluster.hash?.key.kind === 'sourceAddress' ? hashOf(peerAddress) : undefined;
    this.#connect(this.#cluster);
  }

  /** It goes on: whoever drains waits for it, as long as it likes to. */
  drain(): void {
    // Nothing says when what is passed on could be cut without loss.
  }

  destroy(): void {
    if (this.#tunnel === undefined) this.#client.destroy();
    else this.#tunnel.destroy();
  }

  #connect(cluster: ClusterRuntime): void {
    const endpoint = cluster.pick(this.#endpoint, this.#hash);
    this.#leave();
    // Envoy has no queue for these: at the limit a connection is turned away.
    if (endpoint === undefined || endpoint.breaker?.acquire('connections') === false) {
      this.#turnAway(cluster);
      return;
    }
    this.#tries++;
    this.#endpoint = endpoint;
    endpoint.active++;
    this.#upstream = new UpstreamConnection(this.#context, endpoint, this, { ...cluster.cluster, isOpaque: true }, this.#carried);
  }

  #turnAway(cluster: ClusterRuntime): void {
    cluster.counters.tcpRefused();
    this.#client.destroy();
  }

  onUpstreamReady(): void {
    const upstream = this.#upstream;
    const cluster = this.#cluster;
    const endpoint = this.#endpoint;
    if (upstream === undefined || cluster === undefined || endpoint === undefined) return;
    const { counters } = cluster;
    cluster.onResponse(endpoint, 200);
    counters.tcpOpened();
    this.#tunnel = new Tunnel(this.#context, {
      client: this.#client,
      clientReads: this.#reads,
      upstream,
      idleMs: cluster.cluster.tunnelIdleMs ?? this.#context.settings.timeouts.tunnelIdleMs,
      counters,
      onDone: () => {
        counters.tcpClosed();
        this.#leave();
      },
    });
    if (this.#hasClientEnded) this.#tunnel.onClientEnd();
    this.#client.resume();
  }

  onUpstreamBytes(): void {
    // The tunnel gets them.
  }

  onUpstreamDrain(): void {
    // See above.
  }

  /** Before the tunnel stood. */
  onUpstreamLost(_loss: UpstreamLoss): void {
    this.#upstream = undefined;
    if (this.#cluster === undefined || this.#isDone) return;
    if (this.#endpoint !== undefined) this.#cluster.onNoResponse(this.#endpoint);
    if (this.#tries < MAX_TRIES) this.#connect(this.#cluster);
    else this.#turnAway(this.#cluster);
  }

  /** @returns Whether a long run may go on. */
  #onRead(bytes: Buffer, length: number): boolean {
    this.#tunnel?.onClientBytes(bytes, 0, length, this.#reads);
    return true;
  }

  #onClientClose(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    if (this.#tunnel === undefined) {
      this.#upstream?.close();
      this.#leave();
    } else this.#tunnel.onClientClose();
    this.#listener.forget(this);
  }

  #leave(): void {
    if (this.#endpoint !== undefined) this.#endpoint.active--;
    this.#endpoint = undefined;
  }
}
