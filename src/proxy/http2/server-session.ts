/**
 * One client's HTTP/2 session. Each of its streams is served like a connection that brings one request (server-stream.ts).
 *
 *   open ──drain──> going ──streams done──> closed          open, going ──abuse or a broken frame──> closed
 *
 *   going: GOAWAY says that no new streams are wanted, first without a limit so that those under way to us are still taken (RFC 9113 §6.8)
 *
 * Node's HTTP/2 does frames, header compression and flow control, and ends sessions that break the protocol. What it leaves to its user is here: how long a session
 * may rest, how much of it may lead to nothing, and that the socket goes when the session has.
 */
import { constants, performServerHandshake } from 'node:http2';
import type { ServerHttp2Session, ServerHttp2Stream, ServerOptions } from 'node:http2';
import type { Socket } from 'node:net';
import type { ClientPeer } from '../client-peer.ts';
import type { DataPlaneContext } from '../context.ts';
import { Deadline } from '../deadline-wheel.ts';
import type { ClientConnection } from '../listener.ts';
import { AbuseBudget } from './abuse-budget.ts';
import { ServerStream } from './server-stream.ts';

/** Reliability P72. */
const SETTINGS = {
  maxConcurrentStreams: 100,
  initialWindowSize: 65_535,
  maxFrameSize: 16_384,
  maxHeaderListSize: 32_768,
  headerTableSize: 4096,
  enablePush: false,
};
const SESSION_WINDOW_BYTES = 1_048_576;

/** Node knows them all; its type declarations do not yet. */
interface SessionLimits extends ServerOptions {
  readonly streamResetBurst: number;
  readonly streamResetRate: number;
  readonly strictSingleValueFields: boolean;
}

/** One field more than the parser of requests takes, so that it is the one to answer 431; and pseudo-header fields. */
const MAX_FIELDS = 128 + 1 + 4;
const LAST_STREAM_ID = 2 ** 31 - 1;

/** Reliability P77: in ten seconds, unless as much was got done. */
const MAX_RESETS = 100;
const MAX_CONTROL_FRAMES = 100;
/** A stream that had to be reset because of what the client sent on it (CVE-2025-8671). */
const FORCED_RESET_COST = 5;
const FORCED_RESETS: ReadonlySet<number> = new Set([
  constants.NGHTTP2_PROTOCOL_ERROR,
  constants.NGHTTP2_FLOW_CONTROL_ERROR,
  constants.NGHTTP2_STREAM_CLOSED,
  constants.NGHTTP2_FRAME_SIZE_ERROR,
]);

/** Without an error Node would say NO_ERROR, whatever the code. */
const TOO_MUCH = new Error('too much of the session led to nothing');

const LIMITS: SessionLimits = {
  settings: SETTINGS,
  maxHeaderListPairs: MAX_FIELDS,
  // An upstream's response head may be this long.
  maxSendHeaderBlockLength: 131_072,
  maxSessionInvalidFrames: 10,
  maxSessionRejectedStreams: 100,
  // In megabytes: a hundred full stream windows, and what is on its way out.
  maxSessionMemory: 32,
  streamResetBurst: 200,
  streamResetRate: 20,
  // Repeated fields are the upstream's business; they are passed on as they came.
  strictSingleValueFields: false,
};

export class ServerSession implements ClientConnection {
  readonly context: DataPlaneContext;
  readonly peer: ClientPeer;
  readonly socket: Socket;
  readonly identityLines: string;
  readonly #session: ServerHttp2Session;
  readonly #streams = new Set<ServerStream>();
  readonly #deadline = new Deadline(() => this.#onDeadline());
  readonly #resets = new AbuseBudget(MAX_RESETS);
  readonly #control = new AbuseBudget(MAX_CONTROL_FRAMES);
  /** Told to go; `closing` once it has been told for good. */
  #state: 'open' | 'going' | 'closing' | 'closed' = 'open';

  /** @param socket  What has been read of it already has been put back. */
  constructor(peer: ClientPeer, socket: Socket) {
    this.peer = peer;
    this.socket = socket;
    this.context = peer.listener.context;
    this.identityLines = peer.identityLines('2.0');
    const session = performServerHandshake(socket, LIMITS);
    this.#session = session;
    session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    // A client that says nothing after it has connected (reliability P78).
    this.#setDeadline(this.context.settings.timeouts.headerMs);
    session.once('remoteSettings', () => this.#watchRest());
    session.on('remoteSettings', () => this.#countControl());
    session.on('ping', () => this.#countControl());
    session.on('stream', (stream: ServerHttp2Stream, _headers, flags: number, list: string[]) => this.#begin(stream, flags, list));
    // The reason does not matter: 'close' follows.
    session.on('error', () => undefined);
    session.on('close', () => this.#onSessionClose());
    // Nobody can answer a client that has shut its side: not even flow control comes back.
    socket.on('end', () => session.destroy());
    socket.on('error', () => undefined);
    socket.on('close', () => this.#onClose());
  }

  get peerAddress(): string {
    return this.peer.address;
  }

  /** The streams end because the session does. */
  get isLost(): boolean {
    return this.#session.destroyed;
  }

  drain(): void {
    if (this.#state !== 'open') return;
    this.#state = 'going';
    this.#session.goaway(constants.NGHTTP2_NO_ERROR, LAST_STREAM_ID);
    this.#setDeadline(this.context.settings.timeouts.lingerMs);
  }

  destroy(): void {
    this.#session.destroy();
    this.socket.destroy();
  }

  /** A stream has come to its end. @param isAnswered  It was not broken off. */
  forget(stream: ServerStream, isAnswered: boolean): void {
    this.#streams.delete(stream);
    if (isAnswered) this.#resets.earn(this.context.now());
    if (this.#streams.size === 0 && this.#state === 'open') this.#watchRest();
  }

  /** The client has taken a stream back, or broken it. */
  countReset(code: number): void {
    const cost = FORCED_RESETS.has(code) ? FORCED_RESET_COST : 1;
    if (this.#resets.spend(cost, this.context.now())) this.#endForAbuse();
  }

  /** Something was got done. */
  countWork(): void {
    this.#control.earn(this.context.now());
  }

  #countControl(): void {
    if (this.#control.spend(1, this.context.now())) this.#endForAbuse();
  }

  #endForAbuse(): void {
    if (this.#state === 'closed' || this.#session.destroyed) return;
    this.context.counters.add('malformedTotal', 1);
    this.#session.destroy(TOO_MUCH, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #begin(stream: ServerHttp2Stream, flags: number, list: string[]): void {
    // The reason does not matter: 'close' follows. Here already, because a stream may be broken before anybody serves it.
    stream.on('error', () => undefined);
    // Taken back within the same read.
    if (stream.destroyed || stream.closed) {
      this.countReset(stream.rstCode ?? constants.NGHTTP2_CANCEL);
      return;
    }
    const isEnded = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    const served = new ServerStream(this, stream);
    this.#streams.add(served);
    if (this.#state === 'open') this.context.wheel.clear(this.#deadline);
    this.countWork();
    served.begin(list, isEnded);
  }

  #watchRest(): void {
    if (this.#streams.size === 0) this.#setDeadline(this.context.settings.timeouts.keepAliveMs);
  }

  #setDeadline(ms: number): void {
    this.context.wheel.set(this.#deadline, this.context.now() + ms);
  }

  #onDeadline(): void {
    switch (this.#state) {
      case 'open':
        this.drain();
        return;
      case 'going':
        this.#state = 'closing';
        this.context.counters.add('drainedTotal', 1);
        this.#session.close();
        return;
      case 'closing':
      case 'closed':
        // The session has ended, and its client has not taken the news (reliability P78).
        this.socket.destroy();
    }
  }

  #onSessionClose(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closing';
    if (!this.socket.destroyed) this.#setDeadline(this.context.settings.timeouts.lingerMs);
  }

  #onClose(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.context.wheel.remove(this.#deadline);
    for (const stream of this.#streams) stream.onGone();
    this.peer.listener.forget(this);
  }
}
