/**
 * One client's connection: turns what arrives into requests, one at a time, in order (RFC 9112 §9.3.2).
 *
 *   idle ──first byte──> head ──complete──> exchange ──answered──> idle | discarding ──> idle
 *                          └──refused──> lingering <──closing answer──┘
 *
 *   exchange ──101──> tunnel: bytes pass as they come, and no further request is served (tunnel.ts)
 *
 *   discarding: the rest of a body nobody wants is read and thrown away, so that the next request can be found
 *   lingering:  the answer is written and our side is shut; what still comes is thrown away for a moment, so that the client can read the
 *               answer before a reset takes it away (RFC 9112 §9.6)
 *
 * Memory: an idle connection holds no head and no buffer; the exchange is made with the first request.
 */
import type { Socket } from 'node:net';
import type { BodyReader } from '../http/body-reader.ts';
import { GrowingBuffer } from '../http/growing-buffer.ts';
import { Scan } from '../http/head.ts';
import { RequestHead } from '../http/request-head.ts';
import { FAILURES, answerText, failureAnswer } from './answer.ts';
import type { Failure } from './answer.ts';
import type { DataPlaneContext } from './context.ts';
import { Deadline } from './deadline-wheel.ts';
import type { Generation } from './generation.ts';
import { takeOver } from './accepted-socket.ts';
import type { ProxyListener } from './listener.ts';
import { OWN_READS, ReadBuffers, type Reads } from './read-buffers.ts';
import type { Accepted, ClientPeer } from './client-peer.ts';
import { Exchange } from './request.ts';
import { logUnread } from './request-notes.ts';
import type { ExchangeHost } from './request.ts';
import { Tunnel } from './tunnel.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** Input held while a request is being served; then reading stops (reliability P62). */
const MAX_PIPELINED_BYTES = 65_536;
/** Of an unwanted body read before the connection is given up (P35). */
const MAX_DISCARDED_BYTES = 65_536;

type State = 'idle' | 'head' | 'exchange' | 'tunnel' | 'discarding' | 'lingering' | 'closed';

export class DownstreamConnection implements ExchangeHost {
  readonly context: DataPlaneContext;
  readonly socket: Socket;
  readonly httpVersion = 'HTTP/1.1';
  readonly takesTrailers = false;
  readonly identityLines: string;

  readonly #listener: ProxyListener;
  readonly #peer: ClientPeer;
  readonly #buffers: Reads;
  /** The bytes being looked at are those of the socket's last read, and not ones that were kept. */
  #isReading = false;
  readonly #deadline: Deadline;
  #state: State = 'idle';
  #exchange: Exchange | undefined;
  #tunnel: Tunnel | undefined;
  /** A head that came in pieces. */
  #partial: { readonly head: RequestHead; readonly buffer: GrowingBuffer; hasBegun: boolean } | undefined;
  /** Bytes that belong to later requests. */
  #pipelined: Buffer | undefined;
  #unread: BodyReader | undefined;
  #discarded = 0;
  #hasEnded = false;
  /** Bytes are being looked at: more requests may stand behind the one just answered. */
  #isConsuming = false;
  /** `#pipelined` is about to be looked at. */
  #isScheduled = false;

  /** @param accepted  Where plain, left unread so that its handle can be taken over. */
  constructor(peer: ClientPeer, accepted: Accepted) {
    this.#peer = peer;
    this.#listener = peer.listener;
    this.context = peer.listener.context;
    if ('plain' in accepted) {
      const buffers = new ReadBuffers(this.context, (bytes, length) => this.#onRead(bytes, length));
      this.#buffers = buffers;
      this.socket = takeOver(accepted.plain, buffers.onread);
    } else {
      this.#buffers = OWN_READS;
      this.socket = accepted.secure;
      this.socket.on('data', (bytes: Buffer) => void this.#onRead(bytes, bytes.length));
    }
    const { socket } = this;
    this.identityLines = peer.identityLines('1.1');
    this.#deadline = new Deadline(() => this.#onDeadline());
    const { wheel, settings } = this.context;
    wheel.set(this.#deadline, this.context.now() + settings.timeouts.keepAliveMs);
    socket.on('end', () => this.#onEnd());
    socket.on('drain', () => {
      if (this.#tunnel === undefined) this.#exchange?.onDownstreamDrain();
      else this.#tunnel.onClientDrain();
    });
    // The reason does not matter: 'close' follows.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#onClose());
  }

  get generation(): Generation {
    return this.#listener.generation;
  }

  get listenerName(): string {
    return this.#listener.name;
  }

  get listenerPort(): number {
    return this.#listener.declaredPort;
  }

  get scheme(): 'http' | 'https' {
    return this.#peer.scheme;
  }

  get serverName(): string | undefined {
    return this.#peer.serverName;
  }

  get connection(): this {
    return this;
  }

  get peerAddress(): string {
    return this.#peer.address;
  }

  get isTrustedPeer(): boolean {
    return this.#peer.isTrusted;
  }

  isMisdirected(authority: string, site: string | undefined): boolean {
    return this.#peer.isMisdirected(authority, site);
  }

  /** Closes at once when nothing is under way; otherwise after the answer that is. */
  drain(): void {
    if (this.#isResting) {
      this.context.counters.add('drainedTotal', 1);
      this.#linger();
    }
  }

  destroy(): void {
    if (this.#tunnel === undefined) this.socket.destroy();
    else this.#tunnel.destroy();
  }

  startTunnel(head: string, upstream: UpstreamConnection, idleMs: number, onDone: () => void): Tunnel {
    this.#state = 'tunnel';
    this.context.wheel.clear(this.#deadline);
    this.socket.write(head, 'latin1');
    const tunnel = new Tunnel(this.context, { client: this.socket, clientReads: this.#buffers, upstream, idleMs, onDone });
    this.#tunnel = tunnel;
    this.#exchange = undefined;
    this.socket.resume();
    // What the client sent without waiting (reliability P59).
    const held = this.#pipelined;
    this.#pipelined = undefined;
    if (held !== undefined) tunnel.onClientBytes(held, 0, held.length, OWN_READS);
    if (this.#hasEnded) tunnel.onClientEnd();
    return tunnel;
  }

  setDeadline(at: number): void {
    this.context.wheel.set(this.#deadline, at);
  }

  pauseReading(): void {
    this.socket.pause();
  }

  resumeReading(): void {
    this.socket.resume();
  }

  onExchangeDone(closes: boolean, unread: BodyReader): void {
    if (this.#state === 'closed') return;
    this.#buffers.share();
    if (this.socket.isPaused() && (this.#pipelined?.length ?? 0) < MAX_PIPELINED_BYTES / 2) this.socket.resume();
    if (closes) {
      this.#linger();
      return;
    }
    if (!unread.isDone) {
      this.#state = 'discarding';
      this.#unread = unread;
      this.#discarded = 0;
      this.setDeadline(this.context.now() + this.context.settings.timeouts.lingerMs);
      return;
    }
    this.#rest();
  }

  #rest(): void {
    this.#state = 'idle';
    this.setDeadline(this.context.now() + this.context.settings.timeouts.keepAliveMs);
    const pipelined = this.#pipelined;
    if (pipelined !== undefined) {
      this.#pipelined = undefined;
      // Not from within the answer to the request before: a client that pipelines thousands must not deepen the stack.
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        if (this.#state === 'closed') return;
        const later = this.#pipelined;
        this.#pipelined = undefined;
        const waiting = later === undefined ? pipelined : Buffer.concat([pipelined, later]);
        this.#onBytes(waiting, waiting.length);
        // The end of input was seen while these bytes still waited.
        if (this.#hasEnded) this.#onEnd();
      });
    } else if (this.#hasEnded && !this.#isConsuming) {
      this.socket.destroySoon();
    } else if (this.context.isDraining) {
      this.drain();
    }
  }

  /** @returns Whether a long body goes on. */
  #onRead(bytes: Buffer, length: number): boolean {
    this.#isReading = true;
    this.#onBytes(bytes, length);
    this.#isReading = false;
    return this.#exchange?.wantsBody === true || this.#tunnel !== undefined;
  }

  get ownsBytes(): boolean {
    return !this.#isReading || this.#buffers.areOwn;
  }

  lendBytes(): void {
    if (this.#isReading) this.#buffers.lend();
  }

  takeBytesBack(): void {
    this.#buffers.returned();
  }

  #onBytes(bytes: Buffer, length: number): void {
    try {
      this.#isConsuming = true;
      if (this.#isScheduled) this.#keep(bytes, 0, length);
      else this.#consume(bytes, length);
    } catch (error) {
      this.context.onInternalError(error);
      this.socket.destroy();
    } finally {
      this.#isConsuming = false;
    }
  }

  #consume(bytes: Buffer, length: number): void {
    let at = 0;
    let source = bytes;
    let end = length;
    while (at < end) {
      switch (this.#state) {
        case 'idle':
        case 'head': {
          const scanned = this.#scan(source, at, end);
          if (scanned === undefined) return;
          // What follows the head stands behind it, in the buffer the pieces were put together in.
          source = scanned.bytes;
          at = scanned.end;
          end = this.#partial?.buffer.length ?? end;
          this.#partial = undefined;
          this.#state = 'exchange';
          this.#exchange ??= new Exchange(this);
          this.#exchange.begin(scanned);
          break;
        }
        case 'exchange':
          if (this.#exchange?.wantsBody === true) {
            at = this.#exchange.onRequestBytes(source, at, end);
            break;
          }
          this.#keep(source, at, end);
          return;
        case 'tunnel':
          this.#tunnel?.onClientBytes(source, at, end, this.#buffers);
          return;
        case 'discarding':
          at = this.#discard(source, at, end);
          break;
        case 'lingering':
        case 'closed':
          return;
      }
    }
  }

  /** A complete head, or undefined when more has to come or it has been refused. */
  #scan(bytes: Buffer, at: number, end: number): RequestHead | undefined {
    const partial = this.#partial;
    if (partial === undefined) {
      const head = this.context.requestHead;
      head.reset(bytes, at);
      const scan = head.scan(end);
      if (scan === Scan.done) return head;
      if (scan === Scan.refused) {
        this.#refuse(head, bytes, at, end);
        return undefined;
      }
      const own = { head: new RequestHead(), buffer: new GrowingBuffer(), hasBegun: false };
      own.buffer.append(bytes, at, end);
      own.head.reset(own.buffer.bytes, 0);
      own.head.scan(own.buffer.length);
      this.#partial = own;
      this.#state = 'head';
      this.#watchHead(own);
      return undefined;
    }
    partial.buffer.append(bytes, at, end);
    partial.head.bytes = partial.buffer.bytes;
    const scan = partial.head.scan(partial.buffer.length);
    if (scan === Scan.done) return partial.head;
    if (scan === Scan.refused) this.#refuse(partial.head, partial.buffer.bytes, 0, partial.buffer.length);
    else this.#watchHead(partial);
    return undefined;
  }

  /** Time runs from the first byte of the request line on, not from an empty line before it; more bytes do not buy more time. */
  #watchHead(partial: { readonly head: RequestHead; readonly buffer: GrowingBuffer; hasBegun: boolean }): void {
    if (partial.hasBegun || !partial.head.hasBegun(partial.buffer.length)) return;
    partial.hasBegun = true;
    this.setDeadline(this.context.now() + this.context.settings.timeouts.headerMs);
  }

  /** Between requests; an empty line is not yet one. */
  get #isResting(): boolean {
    return this.#state === 'idle' || (this.#state === 'head' && this.#partial?.hasBegun === false);
  }

  #keep(bytes: Buffer, at: number, end: number): void {
    const rest = bytes.subarray(at, end);
    this.#pipelined = this.#pipelined === undefined ? Buffer.from(rest) : Buffer.concat([this.#pipelined, rest]);
    if (this.#pipelined.length > MAX_PIPELINED_BYTES) this.pauseReading();
  }

  #discard(bytes: Buffer, from: number, end: number): number {
    const body = this.#unread;
    if (body === undefined) return end;
    let at = from;
    while (at < end && !body.isDone) {
      at = body.take(bytes, at, end);
      if (body.error !== undefined) {
        this.#linger();
        return end;
      }
    }
    this.#discarded += at - from;
    if (this.#discarded > MAX_DISCARDED_BYTES) {
      this.#linger();
      return end;
    }
    if (body.isDone) {
      this.#unread = undefined;
      this.#rest();
    }
    return at;
  }

  /** What is no request; `bytes[at, end)` is what has come of it. HTTP/2 begins with a line that is none, so that nobody takes it for one (RFC 9113 §3.4). */
  #refuse(head: RequestHead, bytes: Buffer, at: number, end: number): void {
    if (this.#exchange === undefined && this.scheme === 'http' && head.isHttp2Preface) {
      this.#becomeHttp2(Buffer.from(bytes.subarray(at, end)));
      return;
    }
    this.context.counters.add('malformedTotal', 1);
    this.#answerAndClose(head.error ?? FAILURES.internal);
  }

  #becomeHttp2(begun: Buffer): void {
    this.#state = 'closed';
    this.#partial = undefined;
    this.context.wheel.remove(this.#deadline);
    const { socket } = this;
    for (const event of ['end', 'drain', 'error', 'close', 'data']) socket.removeAllListeners(event);
    this.#listener.goesOnAsHttp2(this, this.#peer, socket, begun);
  }

  #answerAndClose(failure: Failure): void {
    this.#partial = undefined;
    const answer = failureAnswer(failure, this.context.requestIds.next());
    logUnread(this.context.accessLog, this, failure.status, failure.code, answer.body.length);
    this.socket.write(answerText(answer, this.context.date(), false, true), 'latin1');
    this.#linger();
  }

  #linger(): void {
    if (this.#state === 'closed') return;
    this.#state = 'lingering';
    this.#pipelined = undefined;
    this.#discarded = 0;
    this.socket.resume();
    if (this.#hasEnded) this.socket.destroySoon();
    else this.socket.end();
    this.#watchLinger();
  }

  /** The second of grace begins when the client has taken the answer; until then it is a slow reader like any other. */
  #watchLinger(): void {
    const { timeouts } = this.context.settings;
    this.setDeadline(this.context.now() + (this.socket.writableLength > 0 ? timeouts.streamIdleMs : timeouts.lingerMs));
    if (this.socket.writableLength > 0) this.socket.once('finish', () => this.setDeadline(this.context.now() + timeouts.lingerMs));
  }

  #onEnd(): void {
    this.#hasEnded = true;
    switch (this.#state) {
      case 'head':
        if (this.#isResting) this.socket.destroySoon();
        else this.#answerAndClose(FAILURES.incomplete);
        return;
      case 'exchange':
        // A half-closed client still gets its answer (reliability P65).
        this.#exchange?.onDownstreamEnd();
        return;
      case 'tunnel':
        this.#tunnel?.onClientEnd();
        return;
      case 'idle':
        if (!this.#isScheduled) this.socket.destroySoon();
        return;
      case 'discarding':
      case 'lingering':
        this.socket.destroySoon();
        return;
      case 'closed':
    }
  }

  #onClose(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.context.wheel.remove(this.#deadline);
    this.#exchange?.onDownstreamClose('DC');
    this.#tunnel?.onClientClose();
    this.#listener.forget(this);
  }

  #onDeadline(): void {
    switch (this.#state) {
      case 'head':
        if (this.#isResting) this.#linger();
        else this.#answerAndClose(FAILURES.headerTimeout);
        return;
      case 'exchange':
        this.#exchange?.onDeadline();
        return;
      case 'idle':
      case 'discarding':
        this.#linger();
        return;
      case 'lingering':
        this.socket.destroy();
        return;
      case 'tunnel':
      case 'closed':
    }
  }
}
