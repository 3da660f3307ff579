/**
 * One TCP connection to an endpoint. It carries one exchange at a time and rests in the endpoint's pool in between.
 *
 *   connecting ──> assigned ──> busy ──> idle ──> assigned ──> …          every state ──> closed
 *
 *   assigned: an exchange has it, and waits one turn of the event loop before its first byte is written
 *
 * Bytes that arrive in any state but `busy` are no answer to anything: the connection is closed (RFC 9112 §6.3, §9.2; reliability P56).
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { CircuitBreaker } from './circuit-breaker.ts';
import type { EndpointRuntime } from './cluster-runtime.ts';
import type { AfterTurn, DataPlaneContext } from './context.ts';
import { Deadline } from './deadline-wheel.ts';
import { headerFor, whenGone, type ProxiedConnection } from './proxied-connection.ts';
import { OWN_READS, ReadBuffers, type Reads } from './read-buffers.ts';
import { resetSocket, type Tunnel } from './tunnel.ts';
import type { ConnectionSettings, UpstreamLink, UpstreamLoss, UpstreamUser, WearLimits } from './upstream-link.ts';

type State = 'connecting' | 'assigned' | 'busy' | 'idle' | 'closed';

export class UpstreamConnection implements UpstreamLink, AfterTurn {
  readonly endpoint: EndpointRuntime;
  readonly buffers: Reads;
  /** The only client it serves, where its endpoint has been told of one. */
  readonly client: ProxiedConnection | undefined;
  /** When it went idle, on the context's clock. */
  idleSince = 0;
  /** Whether it carried an exchange before this one. */
  isReused = false;
  /** Exchanges carried. */
  served = 0;

  readonly #context: DataPlaneContext;
  /** Where it is counted; the same until it is closed, whatever becomes of the limits. */
  readonly #breaker: CircuitBreaker | undefined;
  readonly #openedAt: number;
  readonly #socket: Socket;
  readonly #deadline: Deadline;
  #state: State = 'connecting';
  #user: UpstreamUser | undefined;
  /** Bytes pass as they are from here on; it is `#user` then. */
  #tunnel: Tunnel | undefined;
  readonly #isOpaque: boolean;
  readonly #forgetClient: (() => void) | undefined;

  /** Begins to connect on behalf of `user`. @param client  Whose request it is for. */
  constructor(
    context: DataPlaneContext,
    endpoint: EndpointRuntime,
    user: UpstreamUser,
    settings: ConnectionSettings,
    client: ProxiedConnection | undefined,
  ) {
    this.#context = context;
    this.endpoint = endpoint;
    this.#breaker = endpoint.breaker;
    endpoint.connections++;
    this.#openedAt = context.now();
    this.#user = user;
    this.#deadline = new Deadline(() => this.#onDeadline());
    context.wheel.set(this.#deadline, context.now() + settings.connectTimeoutMs);
    context.counters.add('upstreamConnectionsTotal', 1);
    context.counters.add('upstreamConnectionsActive', 1);
    const { address: host, port, tls } = endpoint;
    const { keepAliveMs, proxyProtocol, isOpaque = false } = settings;
    this.#isOpaque = isOpaque;
    const keepAlive = keepAliveMs === undefined ? {} : { keepAlive: true, keepAliveInitialDelay: keepAliveMs };
    const options = { ...keepAlive, host, port, noDelay: true, allowHalfOpen: true, autoSelectFamily: false };
    const security = tls !== undefined && isOpaque ? withoutAlpn(tls) : tls;
    if (proxyProtocol !== undefined && security !== undefined) {
      // What is said of the client comes before the handshake, on a socket of its own; one above it knows no `onread`.
      const socket = connect(options);
      socket.write(headerFor(proxyProtocol, client));
      this.buffers = OWN_READS;
      this.#socket = connectTls({ ...security, socket });
      this.#socket.on('data', (bytes: Buffer) => void this.#onBytes(bytes, bytes.length));
    } else {
      const buffers = new ReadBuffers(context, (bytes, length) => this.#onBytes(bytes, length));
      this.buffers = buffers;
      const reading = { ...options, onread: buffers.onread };
      this.#socket = security === undefined ? connect(reading) : connectTls({ ...reading, ...security });
      if (proxyProtocol !== undefined) this.#socket.write(headerFor(proxyProtocol, client));
    }
    this.client = proxyProtocol === undefined ? undefined : client;
    this.#forgetClient = this.client && whenGone(this.client, () => this.#onClientGone());
    this.#socket.on(tls === undefined ? 'connect' : 'secureConnect', () => this.#onConnect());
    this.#socket.on('drain', () => this.#user?.onUpstreamDrain());
    this.#socket.on('end', () => {
      if (this.#tunnel === undefined) this.#lose('ended');
      else this.#tunnel.onUpstreamEnd();
    });
    this.#socket.on('error', () => this.#lose(this.#state === 'connecting' ? 'connect-failed' : 'reset'));
    this.#socket.on('close', () => this.#lose('reset'));
  }

  /** Whether the exchange it carries is its last, by the cluster's limits on a connection's exchanges and age. */
  isWornOut({ maxRequestsPerConnection: most, maxConnectionMs }: WearLimits): boolean {
    if (most > 0 && this.served + 1 >= most) return true;
    return maxConnectionMs !== undefined && this.#context.now() - this.#openedAt >= maxConnectionMs;
  }

  get isIdle(): boolean {
    return this.#state === 'idle';
  }

  /** Takes an idle connection for an exchange; `onUpstreamReady` follows one turn later. */
  assign(user: UpstreamUser): void {
    this.#context.wheel.clear(this.#deadline);
    this.#user = user;
    this.isReused = true;
    this.#state = 'assigned';
    this.#context.afterTurn(this);
  }

  onTurn(): void {
    if (this.#state !== 'assigned') return;
    this.#state = 'busy';
    this.#user?.onUpstreamReady();
  }

  /** It carries messages no more, and the end of one direction is not that of the other. */
  becomeTunnel(tunnel: Tunnel): void {
    this.#user = tunnel;
    this.#tunnel = tunnel;
  }

  /** Nothing more is written; what the other side still says is read on. */
  shutdown(): void {
    this.#socket.end();
  }

  /** Closes it so that the other side can tell that this was not the end. */
  reset(): void {
    resetSocket(this.#socket);
    this.close();
  }

  /** @returns Whether more may be written at once; else `onUpstreamDrain` follows. */
  write(data: string | Uint8Array): boolean {
    return typeof data === 'string' ? this.#socket.write(data, 'latin1') : this.#socket.write(data);
  }

  /** Written, and not yet taken by the operating system. */
  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  get hasPendingWrites(): boolean {
    return this.#socket.writableLength > 0;
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /**
   * The exchange is over and the connection may serve another.
   *
   * @param idleTimeoutMs  How long it may rest; 0 closes it.
   */
  release(idleTimeoutMs: number): void {
    this.#user = undefined;
    this.served++;
    if (this.#state !== 'busy' || idleTimeoutMs <= 0) {
      this.close();
      return;
    }
    this.buffers.share();
    // Paused sockets do not see their peer's FIN.
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#state = 'idle';
    this.idleSince = this.#context.now();
    this.endpoint.idle.push(this);
    this.#breaker?.wake();
    this.#context.wheel.set(this.#deadline, this.idleSince + idleTimeoutMs);
  }

  /** Ends it without telling the exchange. */
  close(): void {
    this.#user = undefined;
    if (this.#state === 'closed') return;
    if (this.#state === 'idle') {
      const position = this.endpoint.idle.lastIndexOf(this);
      if (position !== -1) this.endpoint.idle.splice(position, 1);
    }
    this.#state = 'closed';
    this.endpoint.connections--;
    this.#context.wheel.remove(this.#deadline);
    this.#forgetClient?.();
    this.#context.counters.add('upstreamConnectionsActive', -1);
    this.#socket.destroy();
    // Last: whoever waits for it is woken.
    this.#breaker?.release('connections');
  }

  #onConnect(): void {
    if (this.#state !== 'connecting') return;
    this.#context.wheel.clear(this.#deadline);
    if (this.#isOpaque) {
      this.#state = 'busy';
      this.#user?.onUpstreamReady();
      return;
    }
    this.#state = 'assigned';
    this.#context.afterTurn(this);
  }

  #onBytes(bytes: Buffer, length: number): boolean {
    if (this.#state !== 'busy' || this.#user === undefined) {
      this.#lose('unused');
      return false;
    }
    this.#user.onUpstreamBytes(bytes, length);
    return this.#isBusy;
  }

  get #isBusy(): boolean {
    return this.#state === 'busy';
  }

  /** Nobody will use it again. While it is busy its exchange sees to it. */
  #onClientGone(): void {
    if (this.#state === 'idle') this.close();
  }

  #onDeadline(): void {
    if (this.#state === 'connecting') this.#lose('connect-timeout');
    else if (this.#state === 'idle') this.close();
  }

  #lose(loss: UpstreamLoss): void {
    if (this.#state === 'closed') return;
    const user = this.#user;
    const told: UpstreamLoss = this.#state === 'assigned' ? 'unused' : loss;
    this.close();
    user?.onUpstreamLost(told);
  }
}

/** What is inside is not for us to say. */
function withoutAlpn({ ALPNProtocols: _none, ...tls }: ConnectionOptions): ConnectionOptions {
  return tls;
}
