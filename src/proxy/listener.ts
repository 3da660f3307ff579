/**
 * A bound address and the connections it has accepted.
 */
import { createServer } from 'node:net';
import type { BlockList, Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { TcpRoute, TlsSite } from '../routing/table.ts';
import type { DataPlaneContext } from './context.ts';
import { type Accepted, ClientPeer } from './client-peer.ts';
import { DownstreamConnection } from './downstream-connection.ts';
import type { Generation } from './generation.ts';
import { matchTcp, plainAddress } from '../routing/tcp-match.ts';
import { ServerSession } from './http2/server-session.ts';
import { ListenError } from './options.ts';
import type { Binding, BoundListener } from './options.ts';
import { type TcpAccepted, TcpConnection } from './tcp-connection.ts';

/** Connections the kernel holds until they are accepted; it takes the least of this and net.core.somaxconn. */
const BACKLOG = 4096;

/** A client's, of whatever HTTP it speaks. */
export interface ClientConnection {
  /** Closes once nothing is under way. */
  drain(): void;
  destroy(): void;
}

export class ProxyListener {
  readonly context: DataPlaneContext;
  /** What a reload may change while the address stays. */
  name: string;
  declaredPort: number;
  generation: Generation;

  readonly #server: Server;
  readonly #connections = new Set<ClientConnection>();
  /** Accepted, and not yet through their TLS handshake. */
  readonly #handshaking = new Set<Socket>();
  readonly #trusted: BlockList;

  constructor(context: DataPlaneContext, trusted: BlockList, name: string, declaredPort: number, generation: Generation) {
    this.context = context;
    this.name = name;
    this.declaredPort = declaredPort;
    this.generation = generation;
    this.#trusted = trusted;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  /** Binds; rejects with `ListenError`. */
  start(binding: Binding): Promise<BoundListener> {
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => {
        const host = binding.host.includes(':') ? `[${binding.host}]` : binding.host;
        reject(new ListenError(`E_LISTEN_${error.code ?? 'FAILED'}`, binding.listener, `${host}:${binding.port}`));
      };
      this.#server.once('error', onError);
      const { sharesPorts } = this.context.settings;
      this.#server.listen({ host: binding.host, port: binding.port, backlog: BACKLOG, exclusive: true, reusePort: sharesPorts }, () => {
        this.#server.off('error', onError);
        this.#server.on('error', (error) => this.context.onInternalError(error));
        const address = this.#server.address();
        const port = address === null || typeof address === 'string' ? binding.port : address.port;
        resolve({ listener: binding.listener, host: binding.host, port });
      });
    });
  }

  /** Accepts no more; connections go on until their requests are answered. */
  stop(): void {
    this.#server.close();
    for (const socket of this.#handshaking) socket.destroy();
    for (const connection of this.#connections) connection.drain();
  }

  /** Ends what is left. */
  destroy(): void {
    this.#server.close();
    for (const socket of this.#handshaking) socket.destroy();
    for (const connection of this.#connections) connection.destroy();
  }

  get isEmpty(): boolean {
    return this.#connections.size === 0 && this.#handshaking.size === 0;
  }

  forget(connection: ClientConnection): void {
    this.#connections.delete(connection);
    this.context.connections--;
    this.context.counters.add('downstreamConnectionsActive', -1);
  }

  /** @param begun  What has been read of the session. */
  goesOnAsHttp2(connection: ClientConnection, peer: ClientPeer, socket: Socket, begun: Buffer): void {
    this.#connections.delete(connection);
    socket.unshift(begun);
    this.#connections.add(new ServerSession(peer, socket));
  }

  #accept(socket: Socket): void {
    const { context } = this;
    const { remoteAddress } = socket;
    // Gone before it was accepted.
    if (remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    if (context.connections >= context.settings.maxConnections) {
      context.counters.add('connectionsRefusedTotal', 1);
      socket.destroy();
      return;
    }
    context.connections++;
    const tcp = this.generation.tcpRoutes(this.name);
    if (tcp !== undefined) {
      this.#passOn({ plain: socket }, tcp);
      return;
    }
    const sites = this.generation.tlsSites(this.name);
    if (sites === undefined) {
      const accepted = { plain: socket };
      this.#begin(new DownstreamConnection(this.#peer(accepted, remoteAddress), accepted));
      return;
    }
    this.#handshaking.add(socket);
    socket.once('close', () => {
      if (this.#handshaking.delete(socket)) context.connections--;
    });
    sites.handshake(socket, {
      onSecure: (secure, site) => this.#onSecure(socket, secure, site, remoteAddress),
      onPassthrough: (route) => {
        if (this.#handshaking.delete(socket)) this.#passOn({ begun: socket }, route);
      },
    });
  }

  #onSecure(socket: Socket, secure: TLSSocket, site: TlsSite, remoteAddress: string): void {
    if (!this.#handshaking.delete(socket)) return;
    if (site.tcp !== undefined) {
      // `false` where the client named nobody.
      const named: unknown = secure.servername;
      this.#passOn({ begun: secure }, site.tcp, typeof named === 'string' ? named.toLowerCase() : undefined);
      return;
    }
    const accepted = { secure, site };
    const peer = this.#peer(accepted, remoteAddress);
    this.#begin(secure.alpnProtocol === 'h2' ? new ServerSession(peer, secure) : new DownstreamConnection(peer, accepted));
  }

  #begin(connection: ClientConnection): void {
    const { counters } = this.context;
    counters.add('downstreamConnectionsTotal', 1);
    counters.add('downstreamConnectionsActive', 1);
    this.#connections.add(connection);
  }

  /** By the one of the routes that fits best, or by the one that a server name has been found by already. */
  #passOn(accepted: TcpAccepted, routes: readonly TcpRoute[] | TcpRoute, serverName?: string): void {
    const { localAddress = '', remoteAddress = '' } = 'plain' in accepted ? accepted.plain : accepted.begun;
    const peerAddress = plainAddress(remoteAddress);
    const view = { serverName, localAddress: plainAddress(localAddress), peerAddress };
    const route = 'clusters' in routes ? routes : matchTcp(routes, view)?.route;
    this.#begin(new TcpConnection(this, accepted, peerAddress, route));
  }

  #peer(accepted: Accepted, remoteAddress: string): ClientPeer {
    const address = plainAddress(remoteAddress);
    return new ClientPeer(this, accepted, address, this.#trusted.check(address, address.includes(':') ? 'ipv6' : 'ipv4'));
  }
}
