/**
 * The life of a request, in the order in which it happens:
 *
 *   begin      1 admit      what the head asks for is something a proxy does (incoming-request.ts)
 *              2 route      virtual host, first rule that holds
 *              3 answer     a redirect, a direct response or a refusal ends here (local-answer.ts, answer.ts)
 *              4 choose     version by independent draw, endpoint by load balancer (choose.ts, upstream-side.ts)
 *              5 compose    the head that goes upstream (upstream-head.ts, request-text.ts)
 *   send       6 attempt    from the pool or anew; one turn of the event loop later the head is written. Again where a policy or the release has it (attempts.ts)
 *              7 upload     the body follows as it comes, with back-pressure (upload.ts)
 *   respond    8 head       1xx are passed on; the final head is reframed for this client (response-text.ts)
 *              9 download   the body, with back-pressure (download.ts)
 *              or tunnel   after a 101 to an upgrade that was asked for, bytes pass as they come (tunnel.ts)
 *   finish    10 account    status and duration into shared memory (accounting.ts); connections go back or are closed
 *
 * One object a downstream connection, used again for each request. Nothing here awaits, and no closure is made a request.
 */
import type { BodyReader } from '../http/body-reader.ts';
import { nominatedFields } from '../http/connection-options.ts';
import { Scan } from '../http/head.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { agreesToUpgrade, upgradeLines } from '../http/upgrade.ts';
import type { Hit } from '../routing/matcher.ts';
import type { PreviewUse } from '../routing/preview.ts';
import type { InjectedAbort } from '../routing/table.ts';
import { NO_CALL, UNSAID } from '../telemetry/cluster-counters.ts';
import type { GrpcStatus } from '../telemetry/cluster-counters.ts';
import { DIRECT_RESPONSE, VIA_UPSTREAM } from '../telemetry/code-details.ts';
import type { FlagsBeside, ResponseFlag } from '../telemetry/response-flag.ts';
import { countRequest } from './accounting.ts';
import { ALLOWED_METHODS, FAILURES, answerText, failureAnswer } from './answer.ts';
import type { Answer, Failure } from './answer.ts';
import { Attempts } from './attempts.ts';
import type { AttemptsUser } from './attempts.ts';
import { choose } from './choose.ts';
import type { EndpointRuntime } from './cluster-runtime.ts';
import type { ClientSocket } from './client-socket.ts';
import type { DataPlaneContext } from './context.ts';
import { withoutOrigin } from './cors.ts';
import type { CorsRules } from './cors.ts';
import { Download } from './download.ts';
import { abortAnswer } from './fault.ts';
import type { Generation } from './generation.ts';
import { grpcFailureAnswer, grpcStatusOf, grpcTimeoutMs, isGrpcType } from './grpc.ts';
import { changedFields, settleOps } from './header-lines.ts';
import { IncomingRequest } from './incoming-request.ts';
import { localAnswer } from './local-answer.ts';
import { mirrorRequest } from './mirror.ts';
import type { MirrorTarget } from './mirror.ts';
import type { ProxiedConnection } from './proxied-connection.ts';
import { isPreviewMatch, previewAnswer, previewCookie } from './preview.ts';
import { ATTEMPT_COUNT, acceptsTrailers, requestText } from './request-text.ts';
import type { RequestRewrite } from './request-text.ts';
import { RequestNotes } from './request-notes.ts';
import type { RequestOutcome } from './request-notes.ts';
import { RequestTrace } from './request-trace.ts';
import { RequestValues } from './request-values.ts';
import { responseText } from './response-text.ts';
import { ROUTER_HEADERS, routerOrders } from './router-headers.ts';
import { NO_OPS } from './route-runtime.ts';
import type { ClusterChoice, ForwardRuntime, LocalRuntime, SettledOps } from './route-runtime.ts';
import type { Tunnel } from './tunnel.ts';
import { Upload } from './upload.ts';
import type { UploadSource } from './upload.ts';
import { UpstreamConnection } from './upstream-connection.ts';
import type { UpstreamLink, UpstreamLoss } from './upstream-link.ts';
import { IDEMPOTENT, MAX_INTERIM_RESPONSES, responseFraming, restMs } from './upstream-rules.ts';
import { upstreamRewrite } from './upstream-head.ts';
import type { Passer } from './upstream-head.ts';

/** What an exchange needs of the connection it serves. */
export interface ExchangeHost extends UploadSource, Passer {
  readonly socket: ClientSocket;
  /** What the request came by, along with others or alone. */
  readonly connection: ProxiedConnection;
  readonly httpVersion: 'HTTP/1.1' | 'HTTP/2';
  /** Whether trailers reach the client also where it has not said that it takes them. */
  readonly takesTrailers: boolean;
  /** SNI. */
  readonly serverName: string | undefined;
  readonly listenerName: string;
  /** Declared port of the listener; 0 for mesh. */
  readonly listenerPort: number;
  readonly scheme: 'http' | 'https';
  /** Whether a request for this authority belongs on another TLS connection. @param site  `VirtualHost.tlsSite` of what it asks for. */
  isMisdirected(authority: string, site: string | undefined): boolean;
  readonly generation: Generation;
  /** When this exchange has to be looked at again, on the context's clock. */
  setDeadline(at: number): void;
  /** The exchange ends with a 101, and what follows passes as it comes; missing where requests share a connection. */
  startTunnel?(head: string, upstream: UpstreamConnection, idleMs: number, onDone: () => void): Tunnel;
  /** The answer is complete (or has been given up). `closes`: no further request is served; `unread` is what may still come of this one's body. */
  onExchangeDone(closes: boolean, unread: BodyReader): void;
}

/** Of a body nobody wants, read and thrown away so that the connection can be kept (reliability P35). */
const DISCARDED_BYTES = 65_536;

/** A client's request id that may be repeated to it; another is answered with one of ours (reliability P71). */
const PLAIN_ID = /^[\w.:+/=-]{1,128}$/;

/** Of an answer that stable gave in the canary's place. */
const FALLBACK_LINE = 'x-serin-fallback: stable\r\n';

const NEVER = Number.POSITIVE_INFINITY;

type Phase = 'idle' | 'sending' | 'responding' | 'done';

export class Exchange implements AttemptsUser, RequestOutcome {
  readonly #host: ExchangeHost;
  readonly #context: DataPlaneContext;

  // The request.
  readonly #request: IncomingRequest;
  readonly #values: RequestValues;
  readonly #upload: Upload;
  /** Undefined where nobody watches. */
  readonly #notes: RequestNotes | undefined;
  readonly #trace: RequestTrace | undefined;
  startedAt = 0;
  #closes = false;
  requestId = '';
  /** Line for the response of somebody who has just been given a key. */
  #setCookie = '';
  /** Where an allowed origin asks: its policy, and the lines its page is to see the answer by. */
  #cors: CorsRules | undefined;
  #corsLines = '';

  // Where it goes.
  hit: Hit | undefined;
  readonly #attempts: Attempts;
  #routeTimeoutMs = 0;
  /** No time is what the route states, not what it leaves unsaid. */
  #isUnlimited = false;
  #routeDeadline = NEVER;
  /** A time that is over is answered 204. */
  #isTimeoutEmpty = false;
  /** Of a call that was answered by Serin itself. */
  #ownGrpcStatus: GrpcStatus = UNSAID;
  /** The client's `grpc-timeout` is over before the route's. */
  #isClientsTime = false;

  // The response.
  #phase: Phase = 'idle';
  readonly #download: Download;
  status = 0;
  flag: ResponseFlag | undefined;
  code = '';
  upstreamServiceMs = -1;
  /** Of an answer of our own; -1: it is the upstream's. */
  #answerBytes = -1;
  #interim = 0;
  #isUpstreamReusable = false;
  #idleMs = 0;
  answering: ResponseHead | undefined;

  constructor(host: ExchangeHost) {
    this.#host = host;
    this.#context = host.context;
    this.#request = new IncomingRequest(host.context.settings, host);
    this.#values = new RequestValues(host, this.#request, this);
    this.#upload = new Upload(host);
    const { accessLog, tracer } = host.context;
    this.#notes = accessLog && new RequestNotes(host, this.#request, accessLog);
    this.#trace = tracer && new RequestTrace(host, this.#request, tracer);
    this.#attempts = new Attempts(host, this, this.#request, this.#upload, this.#trace);
    this.#download = new Download(host.socket);
  }

  get isActive(): boolean {
    return this.#phase === 'sending' || this.#phase === 'responding';
  }

  /** No answer has begun. */
  get isWaiting(): boolean {
    return this.#phase === 'sending';
  }

  /** Whether bytes that arrive now belong to this request's body. */
  get wantsBody(): boolean {
    return this.isActive && !this.#upload.body.isDone;
  }

  get endpoint(): EndpointRuntime | undefined {
    return this.#attempts.endpoint;
  }

  get choice(): ClusterChoice | undefined {
    return this.#attempts.choice;
  }

  get fallenFrom(): ClusterChoice | undefined {
    return this.#attempts.fallenFrom;
  }

  get also(): FlagsBeside {
    return this.#attempts.also;
  }

  get traceId(): string {
    return this.#trace?.traceId ?? '';
  }

  get attempts(): number {
    return this.#attempts.made;
  }

  get bytesReceived(): number {
    return this.#upload.body.taken;
  }

  get bytesSent(): number {
    return this.#answerBytes === -1 ? this.#download.body.taken : this.#answerBytes;
  }

  // --- 1 to 5 -------------------------------------------------------------------------------------------------------------------------

  /** @param head  Scanned; it and its bytes are only looked at until this returns. */
  begin(head: RequestHead): void {
    this.#reset(head);
    try {
      const refusal = this.#request.admit(head);
      if (refusal === undefined) this.#route(head);
      else if (refusal === 'options') this.#answer({ status: 204, fields: ALLOWED_METHODS, body: '' });
      else this.#refuse(refusal, true);
    } catch (error) {
      this.#context.onInternalError(error);
      if (this.isActive) this.#refuse(FAILURES.internal, true);
    }
  }

  #reset(head: RequestHead): void {
    const context = this.#context;
    context.counters.add('requestsTotal', 1);
    this.startedAt = context.now();
    this.#request.begin(head);
    this.#notes?.begin(head);
    this.#trace?.begin(head);
    this.#closes = head.closes || context.isDraining;
    this.requestId = '';
    this.#setCookie = '';
    this.#cors = undefined;
    this.#corsLines = '';
    this.#upload.begin(head.isChunked ? 'chunked' : head.contentLength > 0 ? 'length' : 'none', head.contentLength);
    this.hit = undefined;
    this.#attempts.begin();
    this.#request.isGrpc = this.#host.httpVersion === 'HTTP/2' && isGrpcType(head.joined('content-type'));
    this.#isTimeoutEmpty = false;
    this.#ownGrpcStatus = UNSAID;
    this.#isClientsTime = false;
    this.#routeTimeoutMs = 0;
    this.#isUnlimited = false;
    this.#routeDeadline = NEVER;
    this.#phase = 'sending';
    this.#download.acceptsTrailers = this.#host.takesTrailers;
    this.status = 0;
    this.flag = undefined;
    this.code = '';
    this.upstreamServiceMs = -1;
    this.#answerBytes = 0;
    this.#interim = 0;
    this.#isUpstreamReusable = false;
  }

  #route(head: RequestHead): void {
    const { generation, listenerName } = this.#host;
    this.#request.takePreview(head, this.#context);
    const hit = generation.listener(listenerName)?.match(this.#request);
    if (this.#host.isMisdirected(this.#request.authority, hit?.virtualHost.tlsSite)) {
      this.#refuse(FAILURES.misdirected, false);
      return;
    }
    if (hit === undefined) {
      this.#refuse(FAILURES.noRoute, false);
      return;
    }
    this.hit = hit;
    if (this.#request.preview !== undefined && this.#leadIn(head, hit, this.#request.preview)) return;
    const runtime = generation.route(hit.route);
    if (runtime.cors !== undefined && this.#preflight(runtime.cors)) return;
    if (runtime.kind === 'local') this.#answerLocally(runtime, hit);
    else this.#forward(head, runtime, hit);
  }

  /** Whoever comes by a preview link gets its cookie, and the address without the token where nothing is lost by asking again: then true. */
  #leadIn(head: RequestHead, { match }: Hit, preview: PreviewUse): boolean {
    if (!isPreviewMatch(match)) return false;
    const isSecure = this.#host.scheme === 'https' || (this.#host.isTrustedPeer && head.joined('x-forwarded-proto') === 'https');
    this.#setCookie = previewCookie(preview, isSecure, this.#context.wallMs());
    const answer = this.#setCookie === '' ? undefined : previewAnswer(this.#request, this.#setCookie);
    if (answer !== undefined) this.#answer(answer);
    return answer !== undefined;
  }

  /** Whether the request was a preflight that has been answered. From here on answers say what the page may see. */
  #preflight(cors: CorsRules): boolean {
    const origin = cors.allowedOrigin(this.#request);
    const answer = cors.preflightAnswer(this.#request, origin);
    if (answer !== undefined) {
      this.#answer(answer);
      return true;
    }
    if (origin !== undefined) {
      this.#cors = cors;
      this.#corsLines = cors.lines(origin);
    }
    return false;
  }

  #forward(head: RequestHead, runtime: ForwardRuntime, hit: Hit): void {
    const { action } = runtime;
    // Whatever becomes of an upgrade, nobody can be sure where a next request would begin (reliability P59).
    if (this.#request.upgrade !== '') this.#closes = true;
    this.#setCookie += choose(runtime, this.#request, this.#host.peerAddress, this.#context, this.#attempts);
    const { choice } = this.#attempts;
    if (choice === undefined) throw new Error('broken invariant: a request is sent to a version that was chosen');
    if (choice.redirect !== undefined) {
      this.#answerLocally(choice.redirect, hit);
      return;
    }
    const { missing, missingStatus, http2 } = choice.cluster.cluster;
    if (missing !== undefined) {
      this.#refuse(missingStatus === undefined ? FAILURES.noCluster : FAILURES.invalidBackend, false);
      return;
    }
    const orders = this.#host.isTrustedPeer && head.hasIdentity ? routerOrders(head, action.timeoutMs, runtime.retry) : undefined;
    if (orders !== undefined) this.#request.drop(ROUTER_HEADERS);
    this.#routeTimeoutMs = orders?.timeoutMs ?? action.timeoutMs;
    this.#isUnlimited = action.isUnlimited === true && orders === undefined;
    this.#isTimeoutEmpty = orders?.isTimeoutEmpty === true;
    const retry = orders === undefined ? runtime.retry : orders.retry;
    if (retry !== undefined) this.#attempts.adopt(retry, choice);
    // An HTTP/2 upstream may refuse a request when all of it is on its way (RFC 9113 §8.7).
    if (http2 !== undefined) this.#upload.keep();
    if (this.#request.isGrpc) this.#boundByClient(head);
    else if (action.fault?.abort?.grpcStatus !== undefined) this.#request.isGrpc = isGrpcType(head.joined('content-type'));
    const rewrite = this.#compose(head, choice, hit);
    if (rewrite === undefined) return;
    const text = requestText(head, rewrite);
    const fallback = choice.fallbackOn === undefined ? undefined : this.#fallbackOf(choice);
    const fallbackText = fallback === undefined ? '' : this.#composeFallback(head, fallback, hit);
    // Response operations may quote the request, whose bytes will be gone by then.
    if (choice.responseOps.levels !== undefined || (fallbackText !== '' && fallback?.responseOps.levels !== undefined))
      this.#request.keepSent(text);
    else this.#request.release();
    this.#attempts.start(text, fallbackText, action.fault);
    if (choice.mirrors !== undefined && this.#request.upgrade === '') this.#mirror(head, rewrite, text, choice.mirrors);
    this.onTurn();
  }

  /** From the beginning of the call on, not from its end: a stream of messages has an end of its own. */
  #boundByClient(head: RequestHead): void {
    const timeoutMs = grpcTimeoutMs(head.joined('grpc-timeout'));
    if (timeoutMs === undefined) return;
    this.#isClientsTime = this.#routeTimeoutMs === 0 || timeoutMs <= this.#routeTimeoutMs;
    this.#routeDeadline = this.startedAt + (this.#isClientsTime ? timeoutMs : this.#routeTimeoutMs);
  }

  /** 5. Undefined when it could not be made and the request has been answered. */
  #compose(head: RequestHead, choice: ClusterChoice, hit: Hit): RequestRewrite | undefined {
    this.requestId = head.requestIdField === -1 ? this.#context.requestIds.next() : head.value(head.requestIdField);
    if (this.#trace !== undefined) this.#request.drop(this.#trace.dropped);
    const made = this.#rewrite(head, choice, hit);
    if (made === undefined) this.#refuse(FAILURES.badHeaderValue, false);
    if (head.hasTe && !this.#host.takesTrailers) {
      this.#download.acceptsTrailers = !this.#request.isHttp10 && acceptsTrailers(head.joined('te') ?? '');
    }
    return made;
  }

  /** Undefined when it cannot be made. */
  #rewrite(head: RequestHead, choice: ClusterChoice, hit: Hit): RequestRewrite | undefined {
    const ops = settleOps(choice.requestOps, 'request', this.#values);
    if (ops === undefined) return undefined;
    const id = head.requestIdField === -1 ? `x-request-id: ${this.requestId}\r\n` : '';
    const { upgrade } = this.#request;
    const trace = this.#trace?.lines ?? '';
    const count = this.#attempts.areCounted ? `${ATTEMPT_COUNT}1\r\n` : '';
    const asked = upgrade === '' ? '' : upgradeLines(upgrade);
    const lines = asked + id + ops.text + trace + count;
    return upstreamRewrite(head, this.#request, this.#host, hit, choice, this.#context.settings, ops, lines);
  }

  /** Stable, where it makes up for what the canary fails. */
  #fallbackOf({ fallback }: ClusterChoice): ClusterChoice | undefined {
    const isThere = fallback !== undefined && fallback.cluster.cluster.missing === undefined;
    return isThere && IDEMPOTENT.has(this.#request.method) ? fallback : undefined;
  }

  /** What stable is sent should the canary fail; empty where it cannot be made. */
  #composeFallback(head: RequestHead, fallback: ClusterChoice, hit: Hit): string {
    const rewrite = this.#rewrite(head, fallback, hit);
    if (rewrite === undefined) return '';
    this.#upload.keep();
    return requestText(head, rewrite);
  }

  #mirror(head: RequestHead, rewrite: RequestRewrite, text: string, targets: readonly MirrorTarget[]): void {
    if (!this.isActive) return;
    const timeoutMs = this.#routeTimeoutMs === 0 ? this.#context.settings.timeouts.responseHeaderMs : this.#routeTimeoutMs;
    const trace = this.#trace;
    this.#upload.copies = mirrorRequest(this.#context, targets, {
      head,
      rewrite: trace === undefined ? rewrite : { ...rewrite, appended: trace.unsampled(rewrite.appended) },
      text: trace === undefined ? text : trace.unsampled(text),
      timeoutMs,
      isHttp2: this.#host.httpVersion === 'HTTP/2',
    });
  }

  // --- 3: answers of our own -----------------------------------------------------------------------------------------------------------

  #answerLocally(runtime: LocalRuntime, { match }: Hit): void {
    this.status = runtime.action.status;
    const ops = settleOps(runtime.responseOps, 'response', this.#values);
    const answer = ops === undefined ? undefined : localAnswer(runtime, match, this.#request, this.#host.listenerPort, ops);
    if (answer === undefined) this.#refuse(FAILURES.badHeaderValue, false);
    else this.#answer(answer);
  }

  #refuse(failure: Failure, isMalformed: boolean): void {
    if (isMalformed) {
      this.#context.counters.add('malformedTotal', 1);
      // Whoever breaks the protocol once is not believed about where the next request begins.
      this.#closes = true;
    }
    if (failure.flag !== undefined) this.flag = failure.flag;
    this.code = failure.code;
    const ownId = this.requestId === '' ? (this.#request.header('x-request-id') ?? '') : this.requestId;
    const id = PLAIN_ID.test(ownId) ? ownId : this.#context.requestIds.next();
    const isTime = failure === FAILURES.upstreamTimeout;
    const answer = this.#request.isGrpc
      ? grpcFailureAnswer(failure, id, isTime && this.#isClientsTime)
      : failureAnswer(isTime && this.#isTimeoutEmpty ? { ...failure, status: 204 } : failure, id);
    this.#answerInPlace(this.fallenFrom === undefined ? answer : { ...answer, fields: answer.fields + FALLBACK_LINE });
  }

  /** In place of the upstream's answer: the route's operations act on it as they would on that, as in Envoy. */
  #answerInPlace(answer: Answer): void {
    this.status = answer.status;
    this.#answer({ ...answer, fields: changedFields(answer.fields, this.#responseOps(undefined)) });
  }

  #answer(answer: Answer): void {
    this.#attempts.upstream.drop();
    this.status = answer.status;
    this.#ownGrpcStatus = answer.grpcStatus ?? grpcStatusOf('', answer.status);
    if (this.code === '') this.code = DIRECT_RESPONSE;
    this.#answerBytes = this.#request.method === 'HEAD' || answer.status === 204 || answer.status === 304 ? 0 : answer.body.length;
    if (!this.#canOutlive(this.#upload.body)) this.#closes = true;
    const said = this.#corsLines === '' ? answer : { ...answer, fields: withoutOrigin(answer.fields) + this.#corsLines };
    this.#host.socket.write(answerText(said, this.#context.date(), this.#request.method === 'HEAD', this.#closes), 'latin1');
    this.#finish();
  }

  /** Whether the rest of a body that nobody will read is small enough to be read and thrown away (reliability P35). */
  #canOutlive(body: BodyReader): boolean {
    if (body.isDone) return true;
    // A client that was waiting for a 100 may send the body now or leave it out: what comes next cannot be told apart.
    if (this.#request.expectsContinue) return false;
    return body.framing === 'chunked' || body.remaining <= DISCARDED_BYTES;
  }

  // --- 6 and 7: to the upstream ---------------------------------------------------------------------------------------------------------

  onGivenUp(failure: Failure): void {
    this.#refuse(failure, false);
  }

  onAborted(abort: InjectedAbort): void {
    this.flag = 'FI';
    this.code = FAILURES.faultAbort.code;
    this.#answerInPlace(abortAnswer(abort, this.#request.isGrpc, this.requestId));
  }

  onUpstreamReady(): void {
    this.#attempts.onReady();
  }

  /**
   * Bytes of the request's body, in the order they came.
   *
   * @returns Position after the body's bytes: what stands there is the next request's.
   */
  onRequestBytes(bytes: Buffer, from: number, to: number): number {
    const upload = this.#upload;
    const at = upload.take(bytes, from, to);
    if (upload.body.error === undefined) this.onTurn();
    else this.#abandonRequest(upload.body.error);
    return at;
  }

  onUpstreamDrain(): void {
    if (!this.isActive) return;
    this.#upload.onDrain();
    this.onTurn();
  }

  /** Sets when the request has waited too long for its next step. */
  onTurn(): void {
    if (this.#phase !== 'sending') return;
    const now = this.#context.now();
    const { timeouts } = this.#context.settings;
    if (!this.#upload.body.isDone) {
      // While the upstream takes no more it is not the client that is slow.
      const idleMs = this.#upload.isPaused || this.#request.isGrpc ? timeouts.streamIdleMs : timeouts.bodyIdleMs;
      this.#host.setDeadline(Math.min(this.#routeDeadline, now + idleMs));
      return;
    }
    if (this.#attempts.isDelayedBeforeRouter) {
      // No timeout has begun.
      this.#host.setDeadline(this.#routeDeadline);
      return;
    }
    this.#attempts.limit();
    // Envoy's route timeout runs from the complete request, and includes whatever is tried again.
    if (this.#routeDeadline === NEVER && this.#routeTimeoutMs > 0) this.#routeDeadline = now + this.#routeTimeoutMs;
    // The head of a gRPC answer comes with its first message, which may be long in coming.
    const silenceMs = this.#request.isGrpc || this.#isUnlimited ? timeouts.streamIdleMs : timeouts.responseHeaderMs;
    this.#host.setDeadline(this.#routeDeadline === NEVER ? now + silenceMs : this.#routeDeadline);
  }

  onUpstreamLost(loss: UpstreamLoss): void {
    if (this.#phase === 'responding') {
      this.#attempts.upstream.connection = undefined;
      const isEnd = loss === 'ended' && this.#download.body.framing === 'untilClose';
      if (isEnd) this.#completeResponse(undefined);
      else {
        this.#attempts.outcome.onNoResponse();
        this.#breakOff('UC');
      }
    } else if (this.#phase === 'sending') {
      this.#attempts.onLost(loss, this.#attempts.scanner.hasPart || this.#interim > 0);
    } else this.#attempts.upstream.connection = undefined;
  }

  // --- 8 and 9: back to the client ------------------------------------------------------------------------------------------------------

  onUpstreamBytes(bytes: Buffer, end: number): void {
    try {
      this.#receive(bytes, end);
    } catch (error) {
      this.#context.onInternalError(error);
      if (this.#phase === 'sending') this.#refuse(FAILURES.internal, false);
      else if (this.#phase === 'responding') this.#breakOff('LR');
    }
  }

  #receive(bytes: Buffer, end: number): void {
    let at = 0;
    let text = '';
    const attempts = this.#attempts;
    const { scanner } = attempts;
    while (this.#phase === 'sending') {
      if (at === end) return;
      const scan = scanner.scan(bytes, at, end);
      if (scan === Scan.more) return;
      const { head } = scanner;
      if (scan === Scan.refused) {
        attempts.onBroken({ ...FAILURES.upstreamProtocol, code: `upstream_${head.error?.code ?? 'protocol_error'}` });
        return;
      }
      at = scanner.next;
      if (head.status >= 200) attempts.outcome.onHead(head, this.#request.isGrpc);
      if (head.status === 101) {
        this.#switch(head, bytes, at, end);
        return;
      }
      if (head.status < 200) {
        if (!this.#passInterim(head)) return;
      } else if (attempts.replaces(head, bytes, at, end)) {
        return;
      } else {
        text = this.#beginResponse(head);
      }
    }
    this.#passBody(bytes, at, end, text);
  }

  /** A 101. What follows in `bytes[from, end)` is the new protocol's. */
  #switch(head: ResponseHead, bytes: Buffer, from: number, end: number): void {
    const { choice } = this;
    const { upgrade } = this.#request;
    const { connection, endpoint } = this.#attempts.upstream;
    const isAgreed = upgrade !== '' && agreesToUpgrade(head, upgrade);
    if (
      !isAgreed ||
      choice === undefined ||
      endpoint === undefined ||
      !(connection instanceof UpstreamConnection) ||
      this.#host.startTunnel === undefined
    ) {
      this.#refuse(FAILURES.upstreamProtocol, false);
      return;
    }
    this.#attempts.outcome.onResponse(101);
    this.status = 101;
    this.code = VIA_UPSTREAM;
    this.upstreamServiceMs = Math.round(this.#context.now() - this.startedAt);
    this.#attempts.settle();
    const ops = this.#responseOps(head);
    const appended = this.#ownLines() + this.#operated(ops) + upgradeLines(upgrade);
    const text = responseText(head, { nominated: nominatedBy(head), ops: this.#kept(ops), dropsContentLength: true, appended });
    const { cluster, counters } = choice.cluster;
    const countedAt = this.#attempts.handOver();
    // For drains and limits it is a request until it ends; what counts as its outcome is the handshake.
    endpoint.active++;
    counters.activeAdd(1);
    this.#phase = 'done';
    this.#account();
    const idleMs = cluster.tunnelIdleMs ?? this.#context.settings.timeouts.tunnelIdleMs;
    const tunnel = this.#host.startTunnel(text, connection, idleMs, () => {
      endpoint.active--;
      counters.activeAdd(-1);
      countedAt?.release('requests');
    });
    if (from < end) tunnel.onUpstreamBytes(bytes, end, from);
  }

  /** A 1xx; false when it must not be and the request has been answered. */
  #passInterim(head: ResponseHead): boolean {
    if (++this.#interim > MAX_INTERIM_RESPONSES) {
      this.#refuse(FAILURES.upstreamProtocol, false);
      return false;
    }
    if (this.#request.isHttp10) return true;
    const text = responseText(head, { nominated: nominatedBy(head), ops: NO_OPS, dropsContentLength: true, appended: '' });
    this.#host.socket.write(text, 'latin1');
    return true;
  }

  /** Settles framing for both sides and makes the head for the client. */
  #beginResponse(head: ResponseHead): string {
    const context = this.#context;
    const { choice } = this;
    const { isHttp10, method } = this.#request;
    this.#phase = 'responding';
    this.#attempts.settle();
    this.status = head.status;
    this.code = VIA_UPSTREAM;
    this.#answerBytes = -1;
    this.upstreamServiceMs = Math.round(context.now() - this.startedAt);
    const framing = responseFraming(method, head);
    this.#download.begin(framing, head.contentLength, isHttp10);
    const isUnframed = framing === 'chunked' || framing === 'untilClose';
    if ((isUnframed && isHttp10) || context.isDraining) this.#closes = true;
    // RFC 9112 §9.3: an answer before the end of the request leaves the rest of it on the connection. Of a client that still waits for its 100
    // nobody can tell whether it sends the rest or leaves it out, and the wrong guess takes data for a request.
    const isEarly = !this.#upload.body.isDone;
    if (isEarly) this.#closes = true;
    this.#isUpstreamReusable = !head.closes && framing !== 'untilClose' && !isEarly && this.#request.upgrade === '';
    this.#idleMs = choice === undefined ? 0 : restMs(choice.cluster.cluster, head);

    let appended = head.hasDate ? '' : `date: ${context.date()}\r\n`;
    appended += `x-envoy-upstream-service-time: ${this.upstreamServiceMs}\r\n`;
    appended += this.#ownLines();
    const ops = this.#responseOps(head);
    appended += this.#operated(ops);
    if (this.#download.isChunked) appended += 'transfer-encoding: chunked\r\n';
    if (this.#closes) appended += 'connection: close\r\n';
    return responseText(head, { nominated: nominatedBy(head), ops: this.#kept(ops), dropsContentLength: head.status === 204, appended });
  }

  /** What is said beside the upstream's answer. */
  #ownLines(): string {
    return this.#setCookie + this.#attempts.sessionLine() + (this.fallenFrom === undefined ? '' : FALLBACK_LINE);
  }

  /** Of the route, on this answer. @param head  Undefined where it is not an upstream's. */
  #responseOps(head: ResponseHead | undefined): SettledOps {
    const ops = this.choice?.responseOps ?? NO_OPS;
    this.answering = head;
    const settled = settleOps(ops, 'response', this.#values);
    this.answering = undefined;
    return settled ?? NO_OPS;
  }

  #operated({ text }: SettledOps): string {
    return this.#cors === undefined ? text : withoutOrigin(text) + this.#corsLines;
  }

  #kept(ops: SettledOps): SettledOps {
    return this.#cors === undefined ? ops : this.#cors.dropping(ops);
  }

  /** Body bytes from `at`, after `text` (the head, or nothing). */
  #passBody(bytes: Buffer, from: number, end: number, text: string): void {
    const { connection } = this.#attempts.upstream;
    const { body } = this.#download;
    const at = this.#download.write(bytes, from, end, text, connection);
    if (body.error !== undefined) this.#breakOff('UPE');
    else if (body.isDone) this.#completeResponse(at === end);
    else this.#watchResponse(connection);
  }

  #watchResponse(connection: UpstreamLink | undefined): void {
    if (this.#host.socket.writableNeedDrain) connection?.pause();
    this.#host.setDeadline(Math.min(this.#routeDeadline, this.#context.now() + this.#context.settings.timeouts.streamIdleMs));
  }

  /** The client has taken what was written. */
  onDownstreamDrain(): void {
    if (this.#phase !== 'responding') return;
    const { connection } = this.#attempts.upstream;
    connection?.buffers.returned();
    connection?.resume();
    this.#watchResponse(undefined);
  }

  /** @param isExact  Whether the response ended where the bytes did; undefined when the connection is gone anyway. */
  #completeResponse(isExact: boolean | undefined): void {
    const { upstream } = this.#attempts;
    const { connection } = upstream;
    upstream.connection = undefined;
    if (isExact === undefined) this.#download.endByClose();
    if (this.#request.isGrpc && this.status === 200) this.#attempts.outcome.onGrpcTrailers(this.#download.body.trailers);
    if (connection !== undefined) {
      const isWornOut = this.choice === undefined || connection.isWornOut(this.choice.cluster.cluster);
      // An answer that came before the last of the body was written is one that did not wait for it.
      const isReusable = isExact === true && this.#isUpstreamReusable && !connection.hasPendingWrites && !isWornOut;
      connection.release(isReusable ? this.#idleMs : 0);
    }
    this.#finish();
  }

  // --- 10 -------------------------------------------------------------------------------------------------------------------------------

  #finish(): void {
    this.#phase = 'done';
    this.#account();
    this.#host.onExchangeDone(this.#closes, this.#upload.body);
  }

  #account(): void {
    const { choice, status, flag } = this;
    const durationMs = this.#context.now() - this.startedAt;
    const counters = choice?.cluster.counters ?? this.#context.unrouted;
    countRequest(counters, this.#callStatus(), status, flag, this.also, durationMs);
    counters.measure(this.#request.isGrpc, durationMs, this.bytesReceived, this.bytesSent);
    this.#attempts.outcome.count(durationMs, status, flag);
    this.#notes?.end(this);
    this.#trace?.end(this);
    this.#attempts.end();
    this.#upload.end();
    // A connection at rest holds nothing of a table that may be replaced meanwhile.
    this.hit = undefined;
    this.#request.release();
  }

  #callStatus(): GrpcStatus {
    if (!this.#request.isGrpc) return NO_CALL;
    return this.#answerBytes === -1 ? grpcStatusOf(this.#attempts.outcome.grpcStatus, this.status) : this.#ownGrpcStatus;
  }

  /** The response cannot be completed: the client has to see that (reliability P55). */
  #breakOff(flag: ResponseFlag): void {
    const { framing } = this.#download.body;
    const isEndedByClose = this.#request.isHttp10 && (framing === 'chunked' || framing === 'untilClose');
    this.flag = flag;
    this.#attempts.upstream.drop();
    this.#phase = 'done';
    this.#account();
    // Where the close ends the body a FIN would make it look complete; only a reset tells.
    if (isEndedByClose) this.#host.socket.resetAndDestroy();
    else this.#host.socket.destroy();
  }

  /** The request itself turned out broken while its body was on the way: the upstream must not take it for complete (reliability P33). */
  #abandonRequest(failure: Failure): void {
    if (this.#phase === 'responding') {
      this.#breakOff('DPE');
      return;
    }
    this.flag = 'DPE';
    this.#refuse(failure, true);
  }

  /** The client has sent all it will ever send. */
  onDownstreamEnd(): void {
    if (this.wantsBody) this.#abandonRequest(FAILURES.incomplete);
  }

  /** The client is gone, or has taken its request back. */
  onDownstreamClose(flag: 'DC' | 'DR'): void {
    if (!this.isActive) return;
    this.flag = flag;
    // nginx's 499: no answer was sent, and it is nobody's failure but the client's.
    if (this.#phase === 'sending') this.status = 499;
    this.#attempts.upstream.drop();
    this.#phase = 'done';
    this.#account();
  }

  onDeadline(): void {
    if (this.#phase === 'responding') {
      this.#breakOff(this.#routeDeadline <= this.#context.now() ? 'UT' : 'SI');
    } else if (this.#phase === 'sending') {
      // A paused upload waits for the upstream, not for the client.
      const isUpstreams = this.#upload.body.isDone || this.#upload.isPaused || this.#routeDeadline <= this.#context.now();
      if (isUpstreams) this.#refuse(FAILURES.upstreamTimeout, false);
      else this.#refuse(FAILURES.requestTimeout, true);
    }
  }
}

/** An upstream that nominates what it must not is not obeyed; its answer is still an answer. */
function nominatedBy(head: ResponseHead): readonly string[] {
  const nominated = head.hasConnectionOptions ? nominatedFields(head) : [];
  return nominated === 'refused' ? [] : nominated;
}
