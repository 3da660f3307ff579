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
import type { EndpointRuntime } from './cluster-runtime.ts';
import type { AfterTurn, DataPlaneContext } from './context.ts';
import { Deadline } from './deadline-wheel.ts';
import { ReadBuffers } from './read-buffers.ts';

/** How a connection was lost. `unused`: before anything was written on it for the exchange that holds it. */
export type UpstreamLoss = 'connect-failed' | 'connect-timeout' | 'unused' | 'ended' | 'reset';

/** What an upstream connection tells the exchange that holds it. */
export interface UpstreamUser {
  /** It may be written to. */
  onUpstreamReady(): void;
  /** `bytes[0, end)`; they are overwritten after the call unless `buffers.areOwn` and they are lent. */
  onUpstreamBytes(bytes: Buffer, end: number): void;
  /** It can take more after a `write` that answered false. */
  onUpstreamDrain(): void;
  /** Gone; it has been closed. */
  onUpstreamLost(loss: UpstreamLoss): void;
}

type State = 'connecting' | 'assigned' | 'busy' | 'idle' | 'closed';

export class UpstreamConnection implements AfterTurn {
  readonly endpoint: EndpointRuntime;
  readonly buffers: ReadBuffers;
  /** When it went idle, on the context's clock. */
  idleSince = 0;
  /** Whether it carried an exchange before this one. */
  isReused = false;
  /** Exchanges carried. */
  served = 0;

  readonly #context: DataPlaneContext;
  readonly #socket: Socket;
  readonly #deadline: Deadline;
  #state: State = 'connecting';
  #user: UpstreamUser | undefined;

  /** Begins to connect on behalf of `user`. */
  constructor(context: DataPlaneContext, endpoint: EndpointRuntime, user: UpstreamUser, connectTimeoutMs: number) {
    this.#context = context;
    this.endpoint = endpoint;
    this.#user = user;
    this.#deadline = new Deadline(() => this.#onDeadline());
    context.wheel.set(this.#deadline, context.now() + connectTimeoutMs);
    context.counters.add('upstreamConnectionsTotal', 1);
    context.counters.add('upstreamConnectionsActive', 1);
    this.buffers = new ReadBuffers(context, (bytes, length) => this.#onBytes(bytes, length));
    this.#socket = connect({
      host: endpoint.address,
      port: endpoint.port,
      noDelay: true,
      autoSelectFamily: false,
      onread: this.buffers.onread,
    });
    this.#socket.on('connect', () => this.#onConnect());
    this.#socket.on('drain', () => this.#user?.onUpstreamDrain());
    this.#socket.on('end', () => this.#lose('ended'));
    this.#socket.on('error', () => this.#lose(this.#state === 'connecting' ? 'connect-failed' : 'reset'));
    this.#socket.on('close', () => this.#lose('reset'));
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

  /** @returns Whether more may be written at once; else `onUpstreamDrain` follows. */
  write(data: string | Uint8Array): boolean {
    return typeof data === 'string' ? this.#socket.write(data, 'latin1') : this.#socket.write(data);
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
    this.#context.wheel.remove(this.#deadline);
    this.#context.counters.add('upstreamConnectionsActive', -1);
    this.#socket.destroy();
  }

  #onConnect(): void {
    if (this.#state !== 'connecting') return;
    this.#context.wheel.clear(this.#deadline);
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
