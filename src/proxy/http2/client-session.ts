/**
 * An HTTP/2 session with an endpoint, which carries many exchanges at once (client-stream.ts).
 *
 *   connecting ──> open ──GOAWAY, worn out, idle, endpoint gone──> retired ──streams done──> closed          every state ──> closed
 *
 * It is in the endpoint's list while it takes more requests; a request takes the first that has room, or a new one.
 */
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session, SecureClientSessionOptions } from 'node:http2';
import { connect } from 'node:net';
import type { Socket, TcpNetConnectOpts } from 'node:net';
import { TLSSocket, connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { Cluster, UpstreamHttp2 } from '../../routing/table.ts';
import type { CircuitBreaker } from '../circuit-breaker.ts';
import type { EndpointRuntime } from '../cluster-runtime.ts';
import type { DataPlaneContext } from '../context.ts';
import { Deadline } from '../deadline-wheel.ts';
import { headerFor, whenGone, type ProxiedConnection } from '../proxied-connection.ts';
import type { UpstreamLoss, UpstreamUser } from '../upstream-link.ts';
import { ClientStream } from './client-stream.ts';

/** Until the endpoint has said how many it takes (RFC 9113 §6.5.2 recommends no less). */
const ASSUMED_STREAMS = 100;
const SESSION_WINDOW_BYTES = 1_048_576;

/** Node knows it; its type declarations do not yet. */
interface SessionOptions extends SecureClientSessionOptions {
  readonly strictSingleValueFields: boolean;
}

/** As much as the parser of responses takes. */
const OPTIONS: Omit<SessionOptions, 'createConnection'> = {
  settings: { enablePush: false, initialWindowSize: 65_535, maxHeaderListSize: 65_536 },
  maxHeaderListPairs: 260,
  maxSendHeaderBlockLength: 65_536,
  maxSessionMemory: 32,
  // Repeated fields are the client's business; they are passed on as they came.
  strictSingleValueFields: false,
};

/** A stream for a request on a session with room, if there is one. */
export function pooledStream(
  endpoint: EndpointRuntime,
  cluster: Cluster,
  user: UpstreamUser,
  client: ProxiedConnection | undefined,
): ClientStream | undefined {
  // Those that are too old leave the list meanwhile.
  for (const session of endpoint.sessions.slice()) {
    if (cluster.proxyProtocol !== undefined && session.client !== client) continue;
    if (session.hasRoom(cluster)) return session.open(user, cluster);
  }
  return undefined;
}

/** A stream for a request on a session made for it. */
export function newStream(
  context: DataPlaneContext,
  endpoint: EndpointRuntime,
  cluster: Cluster,
  user: UpstreamUser,
  client: ProxiedConnection | undefined,
): ClientStream {
  const session = new ClientSession(context, endpoint, cluster, client);
  endpoint.sessions.push(session);
  return session.open(user, cluster);
}

export class ClientSession {
  readonly context: DataPlaneContext;
  readonly endpoint: EndpointRuntime;
  readonly scheme: 'http' | 'https';
  /** The only client it serves, where its endpoint has been told of one. */
  readonly client: ProxiedConnection | undefined;
  readonly #forgetClient: (() => void) | undefined;
  /** Where it is counted; the same until it is closed, whatever becomes of the limits. */
  readonly #breaker: CircuitBreaker | undefined;
  readonly #openedAt: number;
  readonly #idleTimeoutMs: number;
  readonly #keepAlive: UpstreamHttp2['keepAlive'];
  readonly #socket: Socket;
  readonly #session: ClientHttp2Session;
  readonly #streams = new Set<ClientStream>();
  /** Ends connecting, or a rest. */
  readonly #deadline = new Deadline(() => this.#onDeadline());
  readonly #pingDeadline = new Deadline(() => this.#onPingDeadline());
  #isPinging = false;
  #state: 'connecting' | 'open' | 'retired' | 'closed' = 'connecting';
  #loss: UpstreamLoss = 'connect-failed';
  /** Streams opened. */
  #opened = 0;

  constructor(context: DataPlaneContext, endpoint: EndpointRuntime, cluster: Cluster, client: ProxiedConnection | undefined) {
    const { connectTimeoutMs, idleTimeoutMs, keepAliveMs, http2, proxyProtocol } = cluster;
    this.context = context;
    this.endpoint = endpoint;
    this.#breaker = endpoint.breaker;
    endpoint.connections++;
    this.#openedAt = context.now();
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#keepAlive = http2?.keepAlive;
    context.wheel.set(this.#deadline, context.now() + connectTimeoutMs);
    context.counters.add('upstreamConnectionsTotal', 1);
    context.counters.add('upstreamConnectionsActive', 1);
    const { address: host, port, tls } = endpoint;
    this.scheme = tls === undefined ? 'http' : 'https';
    const probes = keepAliveMs === undefined ? {} : { keepAlive: true, keepAliveInitialDelay: keepAliveMs };
    const options = { ...probes, host, port, noDelay: true, autoSelectFamily: false };
    const socket = openSocket(options, tls, proxyProtocol === undefined ? undefined : headerFor(proxyProtocol, client));
    this.#socket = socket;
    this.client = proxyProtocol === undefined ? undefined : client;
    this.#forgetClient = this.client && whenGone(this.client, () => this.retire());
    const sessionOptions: SessionOptions = { ...OPTIONS, createConnection: () => socket };
    this.#session = connectHttp2(`${this.scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`, sessionOptions);
    this.#session.on('connect', () => this.#onConnect());
    this.#session.on('goaway', () => this.retire());
    // The reason does not matter: 'close' follows.
    this.#session.on('error', () => undefined);
    this.#session.on('close', () => this.#onClose());
    socket.on('error', () => undefined);
    socket.on('close', () => this.#onClose());
  }

  /** Whether it carried an exchange before the latest. */
  get isReused(): boolean {
    return this.#opened > 1;
  }

  get isOpen(): boolean {
    return this.#state === 'open' || this.#state === 'retired';
  }

  /** Whether it takes one more request of the cluster. */
  hasRoom({ http2, maxConnectionMs }: Cluster): boolean {
    if (this.#state !== 'connecting' && (this.#state !== 'open' || this.#session.closed)) return false;
    if (maxConnectionMs !== undefined && this.context.now() - this.#openedAt >= maxConnectionMs) {
      this.retire();
      return false;
    }
    return (
      this.#streams.size < Math.min(http2?.maxConcurrentStreams ?? 1, this.#session.remoteSettings.maxConcurrentStreams ?? ASSUMED_STREAMS)
    );
  }

  open(user: UpstreamUser, { maxRequestsPerConnection }: Cluster): ClientStream {
    this.#opened++;
    const stream = new ClientStream(this, user);
    this.#streams.add(stream);
    if (this.#state === 'open') {
      this.context.wheel.clear(this.#deadline);
      this.context.afterTurn(stream);
    }
    if (maxRequestsPerConnection > 0 && this.#opened >= maxRequestsPerConnection) this.#takeOff();
    return stream;
  }

  /** @throws When the session has gone meanwhile. */
  request(list: string[], isEnded: boolean): ReturnType<ClientHttp2Session['request']> {
    return this.#session.request(list, { endStream: isEnded });
  }

  forget(stream: ClientStream): void {
    this.#streams.delete(stream);
    if (this.#state === 'open') this.#breaker?.wake();
    if (this.#streams.size > 0) return;
    if (this.#state === 'retired' || !this.endpoint.sessions.includes(this)) this.#session.close();
    else if (this.#state === 'open') this.context.wheel.set(this.#deadline, this.context.now() + this.#idleTimeoutMs);
  }

  /** Takes no more requests, and closes when those it has are done. */
  retire(): void {
    if (this.#state === 'closed') return;
    this.#takeOff();
    if (this.#state === 'open') this.#state = 'retired';
    if (this.#streams.size === 0) this.#session.close();
  }

  #takeOff(): void {
    const { sessions } = this.endpoint;
    const position = sessions.indexOf(this);
    if (position !== -1) sessions.splice(position, 1);
  }

  #onConnect(): void {
    if (this.#state !== 'connecting') return;
    // A server that does not know HTTP/2 would take the preface for a request.
    if (this.#socket instanceof TLSSocket && this.#socket.alpnProtocol !== 'h2') {
      this.#destroy();
      return;
    }
    this.#state = 'open';
    this.#loss = 'reset';
    this.context.wheel.clear(this.#deadline);
    this.#session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    for (const stream of this.#streams) this.context.afterTurn(stream);
    this.#watchPings();
  }

  #watchPings(): void {
    if (this.#keepAlive !== undefined) this.context.wheel.set(this.#pingDeadline, this.context.now() + this.#keepAlive.intervalMs);
  }

  #onPingDeadline(): void {
    if (this.#isPinging) {
      this.#destroy();
      return;
    }
    if (this.#keepAlive === undefined || this.#session.destroyed) return;
    this.#isPinging = true;
    this.context.wheel.set(this.#pingDeadline, this.context.now() + this.#keepAlive.timeoutMs);
    this.#session.ping(() => {
      this.#isPinging = false;
      if (this.#state !== 'closed') this.#watchPings();
    });
  }

  #onDeadline(): void {
    if (this.#state === 'connecting') {
      this.#loss = 'connect-timeout';
      this.#destroy();
    } else if (this.#streams.size === 0) {
      this.retire();
    }
  }

  #destroy(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }

  #onClose(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#takeOff();
    this.context.wheel.remove(this.#deadline);
    this.context.wheel.remove(this.#pingDeadline);
    this.#forgetClient?.();
    this.context.counters.add('upstreamConnectionsActive', -1);
    this.endpoint.connections--;
    this.#destroy();
    for (const stream of this.#streams) stream.onSessionLost(this.#loss);
    this.#streams.clear();
    this.#breaker?.release('connections');
  }
}

/** @param header  Comes before everything else, the handshake included. */
function openSocket(options: TcpNetConnectOpts, tls: ConnectionOptions | undefined, header: Buffer | undefined): Socket {
  if (tls !== undefined && header === undefined) return connectTls({ ...options, ...tls, ALPNProtocols: ['h2'] });
  const socket = connect(options);
  if (header !== undefined) socket.write(header);
  return tls === undefined ? socket : connectTls({ ...tls, socket, ALPNProtocols: ['h2'] });
}
