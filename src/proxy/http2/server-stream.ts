/**
 * One stream of a client's session: an exchange's host that looks like a connection with one request on it. The request goes in, and the answer comes out, as
 * HTTP/1.1 text; frames and flow control are Node's.
 *
 * Back-pressure: what the exchange does not read stays in the stream's window, and what the client does not take counts as unwritten.
 */
import { constants } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import { BodyReader } from '../../http/body-reader.ts';
import { isForwardableTrailer } from '../../http/chunked.ts';
import { Scan } from '../../http/head.ts';
import { http1RequestText } from '../../http/http2-request.ts';
import { http2ResponseHead } from '../../http/http2-response.ts';
import { RequestHead } from '../../http/request-head.ts';
import { FAILURES, answerText, failureAnswer } from '../answer.ts';
import type { Failure } from '../answer.ts';
import type { ClientSocket } from '../client-socket.ts';
import type { DataPlaneContext } from '../context.ts';
import { Deadline } from '../deadline-wheel.ts';
import type { Generation } from '../generation.ts';
import { Exchange } from '../request.ts';
import { logUnread } from '../request-notes.ts';
import type { ExchangeHost } from '../request.ts';
import type { ServerSession } from './server-session.ts';

/** Node's destroy sends INTERNAL_ERROR for it. */
const BROKEN_OFF = new Error('the answer is broken off');
const CRLF = Buffer.from('\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

export class ServerStream implements ExchangeHost, ClientSocket {
  readonly context: DataPlaneContext;
  readonly httpVersion = 'HTTP/2';
  readonly takesTrailers = true;
  /** Every piece Node hands out is memory of its own. */
  readonly ownsBytes = true;
  readonly #session: ServerSession;
  readonly #stream: ServerHttp2Stream;
  readonly #deadline = new Deadline(() => this.#onDeadline());
  #exchange: Exchange | undefined;
  #isHead = false;
  #isChunkedRequest = false;
  #hasHead = false;
  readonly #body = new BodyReader('response');
  #state: 'open' | 'answered' | 'gone' = 'open';

  constructor(session: ServerSession, stream: ServerHttp2Stream) {
    this.#session = session;
    this.#stream = stream;
    this.context = session.context;
    stream.on('drain', () => this.#exchange?.onDownstreamDrain());
    stream.on('aborted', () => this.#onAborted());
    stream.on('close', () => this.onGone());
  }

  /** @param list  Header list. @param isEnded  No body follows. */
  begin(list: readonly string[], isEnded: boolean): void {
    const text = http1RequestText(list, isEnded);
    if (typeof text !== 'string') {
      this.#refuse(text);
      return;
    }
    const { requestHead, http2Text } = this.context;
    if (text.length > http2Text.length) {
      this.#refuse({ status: 431, code: 'header_section_too_large' });
      return;
    }
    requestHead.reset(http2Text, 0);
    if (requestHead.scan(http2Text.write(text, 'latin1')) !== Scan.done) {
      this.#refuse(requestHead.error ?? FAILURES.internal);
      return;
    }
    this.#read(requestHead, isEnded);
  }

  #read(head: RequestHead, isEnded: boolean): void {
    this.#isHead = head.method === 'HEAD';
    this.#isChunkedRequest = head.isChunked;
    const exchange = new Exchange(this);
    this.#exchange = exchange;
    exchange.begin(head);
    if (isEnded) return;
    this.#stream.on('data', (bytes: Buffer) => this.#guarded(() => this.#onData(bytes)));
    this.#stream.on('end', () => this.#guarded(() => this.#onEnd()));
  }

  #onData(bytes: Buffer): void {
    this.#session.countWork();
    if (this.#isChunkedRequest && this.#exchange?.wantsBody === true) this.#pass(Buffer.from(`${bytes.length.toString(16)}\r\n`));
    this.#pass(bytes);
    if (this.#isChunkedRequest) this.#pass(CRLF);
  }

  #onEnd(): void {
    if (this.#state === 'open' && !this.#stream.aborted && this.#isChunkedRequest) this.#pass(LAST_CHUNK);
  }

  #pass(bytes: Buffer): void {
    if (bytes.length > 0 && this.#exchange?.wantsBody === true) this.#exchange.onRequestBytes(bytes, 0, bytes.length);
  }

  #refuse(failure: Failure): void {
    this.context.counters.add('malformedTotal', 1);
    this.#state = 'answered';
    const answer = failureAnswer(failure, this.context.requestIds.next());
    logUnread(this.context.accessLog, this, failure.status, failure.code, answer.body.length);
    this.write(answerText(answer, this.context.date(), false, false), 'latin1');
    this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.context.onInternalError(error);
      this.destroy();
    }
  }

  // --- what an exchange asks of its client's connection -----------------------------------------------------------------------------------

  get socket(): ClientSocket {
    return this;
  }

  get listenerName(): string {
    return this.#session.peer.listener.name;
  }

  get listenerPort(): number {
    return this.#session.peer.listener.declaredPort;
  }

  get scheme(): 'http' | 'https' {
    return this.#session.peer.scheme;
  }

  get serverName(): string | undefined {
    return this.#session.peer.serverName;
  }

  get connection(): ServerSession {
    return this.#session;
  }

  get peerAddress(): string {
    return this.#session.peer.address;
  }

  get isTrustedPeer(): boolean {
    return this.#session.peer.isTrusted;
  }

  get identityLines(): string {
    return this.#session.identityLines;
  }

  get generation(): Generation {
    return this.#session.peer.generation;
  }

  isMisdirected(authority: string, site: string | undefined): boolean {
    return this.#session.peer.isMisdirected(authority, site);
  }

  setDeadline(at: number): void {
    if (this.#state !== 'gone') this.context.wheel.set(this.#deadline, at);
  }

  lendBytes(): void {
    // They are the upload's for as long as it likes.
  }

  takeBytesBack(): void {
    // See lendBytes.
  }

  pauseReading(): void {
    this.#stream.pause();
  }

  resumeReading(): void {
    this.#stream.resume();
  }

  onExchangeDone(_closes: boolean, unread: BodyReader): void {
    if (this.#state !== 'open') return;
    this.#state = 'answered';
    // The client has still to take what was written.
    this.setDeadline(this.context.now() + this.context.settings.timeouts.streamIdleMs);
    this.#stream.resume();
    // RFC 9113 §8.1: an answer to a request that need not be sent to its end.
    if (!unread.isDone) this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }

  // --- what it writes -----------------------------------------------------------------------------------------------------------------------

  get remotePort(): number | undefined {
    return this.#session.socket.remotePort;
  }

  get localAddress(): string | undefined {
    return this.#session.socket.localAddress;
  }

  get localPort(): number | undefined {
    return this.#session.socket.localPort;
  }

  get writableLength(): number {
    return this.#stream.writableLength;
  }

  get writableNeedDrain(): boolean {
    return this.#stream.writableNeedDrain;
  }

  cork(): void {
    this.#stream.cork();
  }

  uncork(): void {
    this.#stream.uncork();
  }

  write(piece: string | Uint8Array, _encoding?: 'latin1'): boolean {
    if (this.#stream.closed || this.#stream.destroyed) return true;
    if (this.#hasHead)
      this.#writeBody(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : Buffer.from(piece.buffer, piece.byteOffset, piece.length));
    else if (typeof piece === 'string') this.#writeHead(piece);
    return !this.#stream.writableNeedDrain;
  }

  #writeHead(text: string): void {
    const head = http2ResponseHead(text, this.#isHead);
    if (head.status < 200) {
      this.#stream.additionalHeaders(fieldsOf(head.list));
      return;
    }
    this.#hasHead = true;
    const body = this.#body;
    body.begin(head.framing, head.contentLength);
    const rest = Buffer.from(text.slice(head.end), 'latin1');
    const isEmpty = body.isDone || rest.equals(LAST_CHUNK);
    if (isEmpty) {
      this.#stream.respond(head.list, { endStream: true });
      return;
    }
    this.#stream.respond(head.list, { waitForTrailers: head.framing === 'chunked' });
    if (head.framing === 'chunked') this.#stream.on('wantTrailers', () => this.#sendTrailers());
    this.#writeBody(rest);
  }

  /** Unframes it: HTTP/2 has frames of its own. */
  #writeBody(bytes: Buffer): void {
    const body = this.#body;
    const stream = this.#stream;
    let at = 0;
    let last: Buffer | undefined;
    while (at < bytes.length && !body.isDone) {
      at = body.take(bytes, at, bytes.length);
      if (body.error !== undefined) throw new Error(`broken invariant: an answer is framed well, not ${body.error.code}`);
      if (body.dataEnd === body.dataStart) continue;
      if (last !== undefined) stream.write(last);
      last = bytes.subarray(body.dataStart, body.dataEnd);
    }
    if (body.isDone) stream.end(last);
    else if (last !== undefined) stream.write(last);
  }

  #sendTrailers(): void {
    const passed = this.#body.trailers.filter(([name]) => isForwardableTrailer(name));
    this.#guarded(() => this.#stream.sendTrailers(fieldsOf(passed.flat())));
  }

  destroy(): void {
    // Not `close`: it would end the stream before it resets it, and the answer would look whole.
    this.#stream.destroy(BROKEN_OFF);
  }

  resetAndDestroy(): void {
    this.destroy();
  }

  // --- how it ends --------------------------------------------------------------------------------------------------------------------------

  /** The client has reset the stream, or broken it, before it was answered. */
  #onAborted(): void {
    if (this.#state !== 'open' || this.#exchange?.isActive !== true) return;
    this.#session.countReset(this.#stream.rstCode ?? constants.NGHTTP2_CANCEL);
    this.#exchange.onDownstreamClose(this.#session.isLost ? 'DC' : 'DR');
    this.#stream.resume();
  }

  /** The stream has ended, or its session has. */
  onGone(): void {
    if (this.#state === 'gone') return;
    const isAnswered = this.#state === 'answered' && this.#stream.rstCode === constants.NGHTTP2_NO_ERROR;
    this.#state = 'gone';
    this.context.wheel.remove(this.#deadline);
    this.#exchange?.onDownstreamClose(this.#session.isLost ? 'DC' : 'DR');
    this.#session.forget(this, isAnswered);
  }

  #onDeadline(): void {
    if (this.#state === 'open') this.#exchange?.onDeadline();
    else this.#stream.close(constants.NGHTTP2_CANCEL);
  }
}

/** As an object, for the calls of Node that take no list. */
function fieldsOf(list: readonly string[]): Record<string, string[]> {
  const fields: Record<string, string[]> = {};
  for (let at = 0; at + 1 < list.length; at += 2) (fields[(list[at] ?? '').toLowerCase()] ??= []).push(list[at + 1] ?? '');
  return fields;
}
