/**
 * A bound address and the connections it has accepted.
 */
import { createServer } from 'node:net';
import type { BlockList, Server, Socket } from 'node:net';
import type { DataPlaneContext } from './context.ts';
import { DownstreamConnection } from './downstream-connection.ts';
import type { Generation } from './generation.ts';
import { ListenError } from './options.ts';
import type { Binding, BoundListener } from './options.ts';

/** Connections the kernel holds until they are accepted; it takes the least of this and net.core.somaxconn. */
const BACKLOG = 4096;

export class ProxyListener {
  readonly context: DataPlaneContext;
  /** What a reload may change while the address stays. */
  name: string;
  declaredPort: number;
  generation: Generation;

  readonly #server: Server;
  readonly #connections = new Set<DownstreamConnection>();
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
    for (const connection of this.#connections) connection.drain();
  }

  /** Ends what is left. */
  destroy(): void {
    this.#server.close();
    for (const connection of this.#connections) connection.destroy();
  }

  get isEmpty(): boolean {
    return this.#connections.size === 0;
  }

  forget(connection: DownstreamConnection): void {
    this.#connections.delete(connection);
    this.context.connections--;
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
    const peer = remoteAddress.startsWith('::ffff:') ? remoteAddress.slice(7) : remoteAddress;
    const isTrusted = this.#trusted.check(peer, peer.includes(':') ? 'ipv6' : 'ipv4');
    this.#connections.add(new DownstreamConnection(this, socket, peer, isTrusted));
  }
}
