/**
 * The life of a request, in the order in which it happens:
 *
 *   begin      1 admit      what the head asks for is something a proxy does (method, expectation, target, loop)
 *              2 route      virtual host, first rule that holds
 *              3 answer     a redirect, a direct response or a refusal ends here
 *              4 choose     version by independent draw, endpoint by load balancer
 *              5 compose    the head that goes upstream
 *   send       6 connect    from the pool or anew; one turn of the event loop later the head is written
 *              7 upload     the body follows as it comes, with back-pressure
 *   respond    8 head       1xx are passed on; the final head is reframed for this client
 *              9 download   the body, with back-pressure
 *   finish    10 account    status and duration into shared memory; connections go back or are closed
 *
 * One object a downstream connection, used again for each request. Nothing here awaits, and no closure is made a request.
 */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import { BUCKETS, bucketOf } from '../base/bucket.ts';
import type { ReleaseAssignment, ReleaseKey } from '../config/release.ts';
import { BodyReader } from '../http/body-reader.ts';
import type { BodyFraming } from '../http/body-reader.ts';
import { isForwardableTrailer } from '../http/chunked.ts';
import { nominatedFields } from '../http/connection-options.ts';
import { cookieValue } from '../http/cookie.ts';
import { FieldKind } from '../http/field-kind.ts';
import { GrowingBuffer } from '../http/growing-buffer.ts';
import { Scan } from '../http/head.ts';
import { REQUEST_ERRORS } from '../http/http-error.ts';
import { RequestHead } from '../http/request-head.ts';
import { ResponseHead } from '../http/response-head.ts';
import { TARGET_DOT, TARGET_PERCENT } from '../http/char-class.ts';
import { hasValidTriplets, normalizePath, parseAbsoluteTarget } from '../http/target.ts';
import { formatHeaderValue } from '../routing/header-value.ts';
import type { PropertyCommand, ValueSource } from '../routing/header-value.ts';
import type { Hit } from '../routing/matcher.ts';
import { redirectLocation } from '../routing/redirect.ts';
import type { RequestView } from '../routing/request-view.ts';
import { rewritePath } from '../routing/rewrite.ts';
import type { RouteMatch } from '../routing/table.ts';
import { pickCluster } from '../routing/weighted-pick.ts';
import type { ResponseFlag } from '../telemetry/response-flag.ts';
import { FAILURES, answerText, failureAnswer } from './answer.ts';
import type { Answer, Failure } from './answer.ts';
import type { EndpointRuntime } from './cluster-runtime.ts';
import { READ_BYTES } from './context.ts';
import type { DataPlaneContext } from './context.ts';
import type { Generation } from './generation.ts';
import { acceptsTrailers, requestText } from './request-text.ts';
import { responseText } from './response-text.ts';
import { NO_OPS } from './route-runtime.ts';
import type { ClusterChoice, FoldedHeaderOps, LocalRuntime } from './route-runtime.ts';
import { UpstreamConnection } from './upstream-connection.ts';
import type { UpstreamLoss, UpstreamUser } from './upstream-connection.ts';

/** What an exchange needs of the connection it serves. */
export interface ExchangeHost {
  readonly context: DataPlaneContext;
  readonly socket: Socket;
  /** Whether the bytes handed to `onRequestBytes` stay as they are when they are lent; else they are overwritten after it has returned. */
  readonly ownsBytes: boolean;
  /** A write that is not finished refers to those bytes. */
  lendBytes(): void;
  /** Every such write has finished. */
  takeBytesBack(): void;
  /** Address of the peer, without port. */
  readonly peerAddress: string;
  readonly isTrustedPeer: boolean;
  /** Lines that say who asked and who passes it on: the same for every request of the connection. */
  readonly identityLines: string;
  readonly listenerName: string;
  /** Declared port of the listener; 0 for mesh. */
  readonly listenerPort: number;
  readonly generation: Generation;
  /** When this exchange has to be looked at again, on the context's clock. */
  setDeadline(at: number): void;
  pauseReading(): void;
  resumeReading(): void;
  /** The answer is complete (or has been given up). `closes`: no further request is served; `unread` is what may still come of this one's body. */
  onExchangeDone(closes: boolean, unread: BodyReader): void;
}

/** A body piece up to this long is joined to its head or framing and written as one string; longer ones are written as they are. */
const JOINED_BYTES = 8192;
/** Held of a request body while there is no connection to send it on; then reading stops. */
const QUEUE_BYTES = 65_536;
const MAX_INTERIM_RESPONSES = 32;
/** Of a body nobody wants, read and thrown away so that the connection can be kept (reliability P35). */
const DISCARDED_BYTES = 65_536;
/** A request that is not idempotent uses only a connection that was used this recently (reliability P68). */
const FRESH_MS = 1000;
const MAX_LOOPS = 5;

/** RFC 9110 §9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']);
const ALLOWED = 'allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n';
/** What a header line made from request data must not hold: it could end the line (RFC 9112 §11.1). */
const UNSAFE = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/;

/** A client's request id that may be repeated to it; another is answered with one of ours (reliability P71). */
const PLAIN_ID = /^[\w.:+/=-]{1,128}$/;
/** What a rewritten path must not hold: it could end the request line. */
const UNSAFE_TARGET = /[^\x21-\x7e]|#/;

const NO_NAMES: readonly string[] = [];

const NEVER = Number.POSITIVE_INFINITY;

type Phase = 'idle' | 'sending' | 'responding' | 'done';

export class Exchange implements UpstreamUser, RequestView, ValueSource {
  readonly #host: ExchangeHost;
  readonly #context: DataPlaneContext;

  // The request.
  method = '';
  authority = '';
  path = '';
  query = '';
  /** Whether the target has a `?`, be it with nothing behind. */
  #hasQuery = false;
  readonly scheme = 'http';
  readonly #requestBody = new BodyReader('request');
  #head: RequestHead | undefined;
  #startedAt = 0;
  #closes = false;
  #isHttp10 = false;
  #acceptsTrailers = false;
  #expectsContinue = false;
  #requestId = '';
  /** Line for the response of somebody who has just been given a key. */
  #setCookie = '';
  /** Names the client's Connection field takes away. */
  #nominated: readonly string[] = NO_NAMES;

  // Where it goes.
  #match: RouteMatch | undefined;
  #hit: Hit | undefined;
  #choice: ClusterChoice | undefined;
  #endpoint: EndpointRuntime | undefined;
  #upstream: UpstreamConnection | undefined;
  #text = '';
  #tries = 0;
  #isSent = false;
  readonly #queue: (string | Buffer)[] = [];
  /** Spare buffers the queued pieces stand in. */
  readonly #queueBuffers: Buffer[] = [];
  #queuedBytes = 0;
  #isUploadPaused = false;
  #routeTimeoutMs = 0;
  #routeDeadline = NEVER;

  // The response.
  #phase: Phase = 'idle';
  #partial: { readonly head: ResponseHead; readonly buffer: GrowingBuffer } | undefined;
  readonly #responseBody = new BodyReader('response');
  #status = 0;
  #flag: ResponseFlag | undefined;
  #interim = 0;
  #isChunkedDown = false;
  #isUpstreamReusable = false;
  #idleMs = 0;
  /** The response whose head is being made, for operators that quote it. */
  #answering: ResponseHead | undefined;

  constructor(host: ExchangeHost) {
    this.#host = host;
    this.#context = host.context;
  }

  get isActive(): boolean {
    return this.#phase === 'sending' || this.#phase === 'responding';
  }

  /** Whether bytes that arrive now belong to this request's body. */
  get wantsBody(): boolean {
    return this.isActive && !this.#requestBody.isDone;
  }

  // --- 1 to 5 -------------------------------------------------------------------------------------------------------------------------

  /** @param head  Scanned; it and its bytes are only looked at until this returns. */
  begin(head: RequestHead): void {
    this.#reset(head);
    try {
      const refusal = this.#admit(head);
      if (refusal === undefined) this.#route(head);
      else if (refusal !== 'answered') this.#refuse(refusal, true);
    } catch (error) {
      this.#context.onInternalError(error);
      if (this.isActive) this.#refuse(FAILURES.internal, true);
    }
  }

  #reset(head: RequestHead): void {
    const context = this.#context;
    context.counters.add('requestsTotal', 1);
    this.#startedAt = context.now();
    this.#head = head;
    this.method = head.method;
    this.#isHttp10 = head.minor === 0;
    this.#closes = head.closes || context.isDraining;
    this.#acceptsTrailers = false;
    this.#expectsContinue = false;
    this.#requestId = '';
    this.#setCookie = '';
    this.#nominated = NO_NAMES;
    this.#requestBody.begin(head.isChunked ? 'chunked' : head.contentLength > 0 ? 'length' : 'none', head.contentLength);
    this.#match = undefined;
    this.#hit = undefined;
    this.#choice = undefined;
    this.#endpoint = undefined;
    this.#upstream = undefined;
    this.#tries = 0;
    this.#isSent = false;
    this.#queuedBytes = 0;
    this.#isUploadPaused = false;
    this.#routeTimeoutMs = 0;
    this.#routeDeadline = NEVER;
    this.#phase = 'sending';
    this.#partial = undefined;
    this.#status = 0;
    this.#flag = undefined;
    this.#interim = 0;
    this.#isUpstreamReusable = false;
  }

  /** What the protocol itself settles. Sets method, authority, path and query. */
  #admit(head: RequestHead): Failure | 'answered' | undefined {
    const target = this.#readTarget(head);
    if (target !== undefined) return target;
    if (this.#isHttp10 && head.hasBody && this.method !== 'POST' && this.method !== 'PUT' && this.method !== 'PATCH') {
      return REQUEST_ERRORS.bodyIn10;
    }
    if (head.hasUnderscore && this.#context.settings.underscoreNames === 'reject') return REQUEST_ERRORS.underscore;
    if (head.hasExpect && !this.#isHttp10) {
      for (let field = 0; field < head.fieldCount; field++) {
        if (head.kind(field) === FieldKind.expect && head.value(field).toLowerCase() !== '100-continue') return REQUEST_ERRORS.expectation;
      }
      this.#expectsContinue = head.hasBody;
    }
    if (head.hasVia && this.#isLooping(head)) return REQUEST_ERRORS.loop;
    if (head.hasConnectionOptions) {
      const nominated = nominatedFields(head);
      if (nominated === 'refused') return REQUEST_ERRORS.connectionNomination;
      this.#nominated = nominated;
    }
    if (this.method === 'TRACE' || this.method === 'OPTIONS') return this.#admitMaxForwards(head);
    return undefined;
  }

  #readTarget(head: RequestHead): Failure | 'answered' | undefined {
    const first = head.bytes[head.targetStart];
    this.authority = head.hostField === -1 ? '' : head.value(head.hostField);
    if (this.method === 'CONNECT') return first === 0x2f ? REQUEST_ERRORS.target : REQUEST_ERRORS.method;
    if (first === 0x2f) {
      if (head.targetClass === 0) {
        this.path = head.bytes.latin1Slice(head.targetStart, head.queryStart);
        this.#hasQuery = head.queryStart < head.targetEnd;
        this.query = this.#hasQuery ? head.bytes.latin1Slice(head.queryStart + 1, head.targetEnd) : '';
        return this.#mergesSlashes();
      }
      return this.#setTarget(head.target, head.targetClass);
    }
    const target = head.target;
    if (target === '*' && this.method === 'OPTIONS') {
      this.path = '*';
      this.query = '';
      this.#hasQuery = false;
      this.#answerOptions();
      return 'answered';
    }
    const absolute = parseAbsoluteTarget(target);
    if (absolute === undefined) return REQUEST_ERRORS.target;
    // RFC 9112 §3.2.2: the target's authority is used and the received Host ignored.
    this.authority = absolute.authority;
    return this.#setTarget(absolute.rest, TARGET_PERCENT | TARGET_DOT);
  }

  #setTarget(target: string, targetClass: number): Failure | undefined {
    if ((targetClass & TARGET_PERCENT) !== 0 && !hasValidTriplets(target)) return REQUEST_ERRORS.target;
    const question = target.indexOf('?');
    this.#hasQuery = question !== -1;
    this.query = this.#hasQuery ? target.slice(question + 1) : '';
    const path = normalizePath(question === -1 ? target : target.slice(0, question), this.#context.settings.path);
    if (typeof path !== 'string') return path;
    this.path = path;
    return undefined;
  }

  #mergesSlashes(): Failure | undefined {
    return this.#context.settings.path.mergeSlashes ? this.#setTarget(this.#query(this.path), 0) : undefined;
  }

  #query(path: string): string {
    return this.#hasQuery ? `${path}?${this.query}` : path;
  }

  #isLooping(head: RequestHead): boolean {
    const via = head.joined('via') ?? '';
    return via.split(this.#context.settings.viaName).length - 1 > MAX_LOOPS;
  }

  /** RFC 9110 §7.6.2: at 0 the proxy answers for the origin. */
  #admitMaxForwards(head: RequestHead): Failure | 'answered' | undefined {
    if (head.maxForwardsField !== -1) {
      // All of them: a second one would be counted down unseen.
      const value = head.joined('max-forwards') ?? '';
      if (!/^\d{1,9}$/.test(value)) return REQUEST_ERRORS.maxForwards;
      if (this.method === 'OPTIONS' && Number(value) === 0) {
        this.#answerOptions();
        return 'answered';
      }
    }
    return this.method === 'TRACE' ? REQUEST_ERRORS.method : undefined;
  }

  #answerOptions(): void {
    this.#answer({ status: 204, fields: ALLOWED, body: '' });
  }

  #route(head: RequestHead): void {
    const { generation, listenerName } = this.#host;
    const hit = generation.listener(listenerName)?.match(this);
    if (hit === undefined) {
      this.#refuse(FAILURES.noRoute, false);
      return;
    }
    this.#hit = hit;
    this.#match = hit.match;
    const runtime = generation.route(hit.route);
    if (runtime.kind === 'local') {
      this.#answerLocally(runtime);
      return;
    }
    const { action } = runtime;
    const drawn = runtime.choices.get(pickCluster(action, action.clusters.length === 1 ? 0 : this.#ratio(action.assignment)));
    if (drawn === undefined) throw new Error('broken invariant: the picked cluster is one of the route');
    const isKilled = drawn.killSlot !== -1 && !this.#context.health.isHealthy(drawn.killSlot);
    const choice = isKilled ? (drawn.fallback ?? drawn) : drawn;
    this.#choice = choice;
    choice.cluster.counters.activeAdd(1);
    if (choice.cluster.cluster.missing !== undefined) {
      this.#refuse(FAILURES.noCluster, false);
      return;
    }
    this.#routeTimeoutMs = action.timeoutMs;
    if (!this.#compose(head, choice, action.rewrite !== undefined)) return;
    this.#keepForResponse(head, choice.responseOps);
    this.#connect();
    this.#watchRequest();
  }

  /** Uniform in [0, 1): an independent draw, or the middle of the user's bucket. */
  #ratio(assignment: ReleaseAssignment | undefined): number {
    if (assignment === undefined) return this.#context.random();
    for (const key of assignment.keys) {
      const value = this.#assignmentValue(key);
      if (value !== undefined) return (bucketOf(assignment.salt, value) + 0.5) / BUCKETS;
    }
    const settable = assignment.keys.find((key) => key.kind === 'cookie' && key.maxAgeSeconds !== undefined);
    if (settable?.kind !== 'cookie') return this.#context.random();
    const value = randomUUID();
    this.#setCookie = `set-cookie: ${settable.name}=${value}; Path=/; Max-Age=${settable.maxAgeSeconds ?? 0}; HttpOnly; SameSite=Lax\r\n`;
    return (bucketOf(assignment.salt, value) + 0.5) / BUCKETS;
  }

  /** Empty is as good as missing: it names nobody. */
  #assignmentValue(key: ReleaseKey): string | undefined {
    switch (key.kind) {
      case 'header':
        return this.header(key.name) || undefined;
      case 'cookie':
        return cookieValue(this.header('cookie') ?? '', key.name) || undefined;
      case 'sourceAddress':
        return this.#host.peerAddress;
    }
  }

  /** 5: makes `#text`. False when it could not and the request has been answered. */
  #compose(head: RequestHead, choice: ClusterChoice, rewrites: boolean): boolean {
    const host = this.#host;
    let path = this.path;
    let appended = host.identityLines;
    if (rewrites && this.#match !== undefined && this.#hit?.route.action.kind === 'forward') {
      path = rewritePath(this.#hit.route.action.rewrite, this.#match, this.path);
      if (path !== this.path) appended += `x-envoy-original-path: ${this.#query(this.path)}\r\n`;
    }
    const isRaw =
      head.targetClass === 0 && path === this.path && head.bytes[head.targetStart] === 0x2f && !this.#context.settings.path.mergeSlashes;
    if (!isRaw && UNSAFE_TARGET.test(path)) {
      this.#refuse(FAILURES.badHeaderValue, false);
      return false;
    }
    const isHostKept = choice.hostRewrite === undefined && head.hostField !== -1 && head.bytes[head.targetStart] === 0x2f;
    const upstreamHost = choice.hostRewrite ?? (this.authority === '' ? choice.cluster.cluster.host : this.authority);
    if (head.requestIdField === -1) {
      this.#requestId = this.#context.requestIds.next();
      appended += `x-request-id: ${this.#requestId}\r\n`;
    } else {
      this.#requestId = head.value(head.requestIdField);
    }
    if (choice.requestOps !== NO_OPS) {
      const lines = this.#opsLines(choice.requestOps);
      if (lines === undefined) {
        this.#refuse(FAILURES.badHeaderValue, false);
        return false;
      }
      appended += lines;
    }
    if (head.hasTe) this.#acceptsTrailers = !this.#isHttp10 && acceptsTrailers(head.joined('te') ?? '');
    this.#text = requestText(head, {
      target: isRaw ? undefined : this.#query(path),
      host: isHostKept ? undefined : upstreamHost,
      nominated: this.#nominated,
      ops: choice.requestOps,
      keepsUnderscoreNames: this.#context.settings.underscoreNames === 'keep',
      isTrustedPeer: host.isTrustedPeer,
      peerAddress: host.peerAddress,
      appended,
    });
    return true;
  }

  /** Lines of header operations; undefined when request data made one that must not be sent. */
  #opsLines(ops: FoldedHeaderOps): string | undefined {
    if (ops.text !== undefined) return ops.text;
    let lines = '';
    for (const header of ops.append) {
      const value = formatHeaderValue(header.value, this);
      if (UNSAFE.test(value)) return undefined;
      if (value !== '') lines += `${header.name}: ${value}\r\n`;
    }
    return lines;
  }

  /** Response operations may quote the request, whose bytes will be gone by then. */
  #keepForResponse(head: RequestHead, ops: FoldedHeaderOps): void {
    if (ops.text !== undefined) {
      this.#head = undefined;
      return;
    }
    const kept = new RequestHead();
    const bytes = Buffer.from(head.bytes.subarray(head.start, head.end));
    kept.reset(bytes, 0);
    kept.scan(bytes.length);
    this.#head = kept;
  }

  // --- 3: answers of our own -----------------------------------------------------------------------------------------------------------

  #answerLocally(runtime: LocalRuntime): void {
    const { action, responseOps } = runtime;
    const lines = this.#opsLines(responseOps);
    if (lines === undefined) {
      this.#refuse(FAILURES.badHeaderValue, false);
      return;
    }
    if (action.kind === 'redirect') {
      const match = this.#match;
      if (match === undefined) throw new Error('broken invariant: a redirect without the match that chose it');
      const location = redirectLocation(action, match, this, this.#host.listenerPort);
      if (UNSAFE.test(location)) this.#refuse(FAILURES.badHeaderValue, false);
      else this.#answer({ status: action.status, fields: `location: ${location}\r\n${lines}`, body: '' });
      return;
    }
    const body = Buffer.from(action.body.buffer, action.body.byteOffset, action.body.byteLength).latin1Slice();
    const statesType = responseOps.append.some((header) => header.name.toLowerCase() === 'content-type');
    const type = body === '' || statesType || responseOps.drop.includes('content-type') ? '' : 'content-type: text/plain\r\n';
    this.#answer({ status: action.status, fields: type + lines, body });
  }

  #refuse(failure: Failure, isMalformed: boolean): void {
    if (isMalformed) {
      this.#context.counters.add('malformedTotal', 1);
      // Whoever breaks the protocol once is not believed about where the next request begins.
      this.#closes = true;
    }
    if (failure.flag !== undefined) this.#flag = failure.flag;
    const ownId = this.#requestId === '' ? (this.#head?.joined('x-request-id') ?? '') : this.#requestId;
    const answer = failureAnswer(failure.status, failure.code, PLAIN_ID.test(ownId) ? ownId : this.#context.requestIds.next());
    this.#answer(failure.status === 405 ? { ...answer, fields: answer.fields + ALLOWED } : answer);
  }

  #answer(answer: Answer): void {
    const { context, socket } = this.#host;
    this.#dropUpstream();
    this.#status = answer.status;
    if (!this.#canOutlive(this.#requestBody)) this.#closes = true;
    socket.write(answerText(answer, context.date(), this.method === 'HEAD', this.#closes), 'latin1');
    this.#finish();
  }

  /** Whether the rest of a body that nobody will read is small enough to be read and thrown away (reliability P35). */
  #canOutlive(body: BodyReader): boolean {
    if (body.isDone) return true;
    // A client that was waiting for a 100 may send the body now or leave it out: what comes next cannot be told apart.
    if (this.#expectsContinue) return false;
    return body.framing === 'chunked' || body.remaining <= DISCARDED_BYTES;
  }

  // --- 6 and 7: to the upstream ---------------------------------------------------------------------------------------------------------

  #connect(): void {
    const choice = this.#choice;
    if (choice === undefined) throw new Error('broken invariant: connecting before choosing');
    const endpoint = choice.cluster.pick(this.#tries === 0 ? undefined : this.#endpoint);
    if (endpoint === undefined) {
      this.#refuse(FAILURES.noHealthyUpstream, false);
      return;
    }
    if (this.#endpoint !== undefined) this.#endpoint.active--;
    this.#endpoint = endpoint;
    endpoint.active++;
    this.#tries++;
    this.#isSent = false;
    const idle = this.#tries > 1 ? undefined : endpoint.idle.at(-1);
    if (idle !== undefined && (IDEMPOTENT.has(this.method) || this.#context.now() - idle.idleSince < FRESH_MS)) {
      endpoint.idle.pop();
      this.#upstream = idle;
      idle.assign(this);
    } else {
      this.#upstream = new UpstreamConnection(this.#context, endpoint, this, choice.cluster.cluster.connectTimeoutMs);
    }
  }

  onUpstreamReady(): void {
    const upstream = this.#upstream;
    if (upstream === undefined) return;
    this.#isSent = true;
    if (this.#queue.length === 0) {
      upstream.write(this.#text);
      return;
    }
    upstream.cork();
    let isWritable = upstream.write(this.#text);
    for (const piece of this.#queue) isWritable = upstream.write(piece);
    upstream.uncork();
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    if (!upstream.hasPendingWrites) for (const buffer of this.#queueBuffers) this.#context.giveBuffer(buffer);
    this.#queueBuffers.length = 0;
    if (isWritable) this.#resumeUpload();
  }

  /**
   * Bytes of the request's body, in the order they came.
   *
   * @returns Position after the body's bytes: what stands there is the next request's.
   */
  onRequestBytes(bytes: Buffer, from: number, to: number): number {
    const body = this.#requestBody;
    let at = from;
    while (at < to && !body.isDone) {
      at = body.take(bytes, at, to);
      if (body.error !== undefined) {
        this.#abandonRequest(body.error);
        return to;
      }
      if (body.dataEnd > body.dataStart) this.#upload(bytes, body.dataStart, body.dataEnd);
      if (!this.isActive) return at;
    }
    // Trailers of a request stop here: an HTTP/1.1 upstream has no way to say that it takes them (RFC 9110 §6.5.1).
    if (body.isDone && body.framing === 'chunked') this.#send('0\r\n\r\n');
    this.#watchRequest();
    return at;
  }

  #upload(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    const isChunked = this.#requestBody.framing === 'chunked';
    if (length <= JOINED_BYTES) {
      const run = bytes.latin1Slice(start, end);
      this.#send(isChunked ? `${length.toString(16)}\r\n${run}\r\n` : run);
      return;
    }
    if (isChunked) this.#send(`${length.toString(16)}\r\n`);
    const run = bytes.subarray(start, end);
    const isWrittenFrom = this.#isSent && this.#host.ownsBytes;
    this.#send(isWrittenFrom ? run : this.#copy(run));
    if (isWrittenFrom && this.#upstream?.hasPendingWrites === true) this.#host.lendBytes();
    if (isChunked) this.#send('\r\n');
  }

  /** Into a spare buffer: the first piece of every upload comes this way, before there is a connection to write it to. */
  #copy(run: Buffer): Buffer {
    if (run.length > READ_BYTES) return Buffer.from(run);
    const buffer = this.#context.takeBuffer();
    if (!this.#isSent) this.#queueBuffers.push(buffer);
    run.copy(buffer);
    return buffer.subarray(0, run.length);
  }

  /** @param piece  Text, or bytes that stay as they are. */
  #send(piece: string | Buffer): void {
    if (this.#isSent) {
      if (this.#upstream?.write(piece) === false) this.#pauseUpload();
      return;
    }
    this.#queue.push(piece);
    this.#queuedBytes += piece.length;
    if (this.#queuedBytes > QUEUE_BYTES) this.#pauseUpload();
  }

  #pauseUpload(): void {
    this.#isUploadPaused = true;
    this.#host.pauseReading();
  }

  #resumeUpload(): void {
    if (!this.#isUploadPaused) return;
    this.#isUploadPaused = false;
    this.#host.resumeReading();
  }

  onUpstreamDrain(): void {
    if (!this.isActive) return;
    this.#host.takeBytesBack();
    this.#resumeUpload();
    this.#watchRequest();
  }

  /** Sets when the request has waited too long for its next step. */
  #watchRequest(): void {
    if (this.#phase !== 'sending') return;
    const now = this.#context.now();
    const { timeouts } = this.#context.settings;
    if (!this.#requestBody.isDone) {
      // While the upstream takes no more it is not the client that is slow.
      this.#host.setDeadline(now + (this.#isUploadPaused ? timeouts.streamIdleMs : timeouts.bodyIdleMs));
      return;
    }
    // Envoy's route timeout runs from the complete request, and includes whatever is tried again.
    if (this.#routeDeadline === NEVER && this.#routeTimeoutMs > 0) this.#routeDeadline = now + this.#routeTimeoutMs;
    this.#host.setDeadline(this.#routeDeadline === NEVER ? now + timeouts.responseHeaderMs : this.#routeDeadline);
  }

  onUpstreamLost(loss: UpstreamLoss): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    if (this.#phase === 'responding') {
      if (loss === 'ended' && this.#responseBody.framing === 'untilClose') this.#completeResponse(undefined);
      else this.#breakOff('UC');
      return;
    }
    if (this.#phase !== 'sending') return;
    const hasResponseBytes = this.#partial !== undefined || this.#interim > 0;
    switch (loss) {
      case 'unused':
        // Nothing of this request was written: any method may be sent again (RFC 9110 §9.2.2).
        if (this.#tries <= 2) this.#connect();
        else this.#refuse(FAILURES.connectFailed, false);
        return;
      case 'connect-failed':
      case 'connect-timeout':
        if (this.#tries < 2) this.#connect();
        else this.#refuse(loss === 'connect-failed' ? FAILURES.connectFailed : FAILURES.connectTimeout, false);
        return;
      case 'ended':
      case 'reset': {
        // The upstream closed a connection just as it was used again. Nobody is at fault, and an idempotent request may be repeated.
        const isStale = upstream?.isReused === true && !hasResponseBytes && this.#requestBody.framing === 'none';
        if (isStale && IDEMPOTENT.has(this.method) && this.#tries < 2) this.#connect();
        else this.#refuse(FAILURES.upstreamTerminated, false);
      }
    }
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
    while (this.#phase === 'sending') {
      if (at === end) return;
      const scanned = this.#scanHead(bytes, at, end);
      if (scanned === undefined) return;
      const { head } = scanned;
      at = scanned.next;
      if (head.status < 200) {
        if (!this.#passInterim(head)) return;
      } else {
        text = this.#beginResponse(head);
      }
    }
    this.#download(bytes, at, end, text);
  }

  /** The next head in the bytes, or undefined when it is not complete (its bytes are kept) or is refused (the request has been answered). */
  #scanHead(bytes: Buffer, at: number, end: number): { readonly head: ResponseHead; readonly next: number } | undefined {
    const partial = this.#partial;
    if (partial === undefined) {
      const head = this.#context.responseHead;
      head.reset(bytes, at);
      const scan = head.scan(end);
      if (scan === Scan.done) return { head, next: head.end };
      if (scan === Scan.refused) {
        this.#refuse({ ...FAILURES.upstreamProtocol, code: `upstream_${head.error?.code ?? 'protocol_error'}` }, false);
        return undefined;
      }
      // Its own head from here on: the shared one serves the next connection.
      const buffer = new GrowingBuffer();
      buffer.append(bytes, at, end);
      const own = new ResponseHead();
      own.reset(buffer.bytes, 0);
      own.scan(buffer.length);
      this.#partial = { head: own, buffer };
      return undefined;
    }
    const { head, buffer } = partial;
    const before = buffer.length;
    buffer.append(bytes, at, end);
    head.bytes = buffer.bytes;
    const scan = head.scan(buffer.length);
    if (scan === Scan.more) return undefined;
    this.#partial = undefined;
    if (scan === Scan.done) return { head, next: at + (head.end - before) };
    this.#refuse({ ...FAILURES.upstreamProtocol, code: `upstream_${head.error?.code ?? 'protocol_error'}` }, false);
    return undefined;
  }

  /** A 1xx; false when it must not be and the request has been answered. */
  #passInterim(head: ResponseHead): boolean {
    if (head.status === 101 || ++this.#interim > MAX_INTERIM_RESPONSES) {
      this.#refuse(FAILURES.upstreamProtocol, false);
      return false;
    }
    if (this.#isHttp10) return true;
    const nominated = head.hasConnectionOptions ? nominatedFields(head) : [];
    const text = responseText(head, {
      nominated: nominated === 'refused' ? [] : nominated,
      ops: NO_OPS,
      dropsContentLength: true,
      appended: '',
    });
    this.#host.socket.write(text, 'latin1');
    return true;
  }

  /** Settles framing for both sides and makes the head for the client. */
  #beginResponse(head: ResponseHead): string {
    const { context } = this.#host;
    const choice = this.#choice;
    this.#phase = 'responding';
    this.#status = head.status;
    const isBodyless = this.method === 'HEAD' || head.status === 204 || head.status === 304;
    const framing: BodyFraming = isBodyless ? 'none' : head.isChunked ? 'chunked' : head.contentLength === -1 ? 'untilClose' : 'length';
    this.#responseBody.begin(framing, head.contentLength);
    const isUnframed = framing === 'chunked' || framing === 'untilClose';
    this.#isChunkedDown = isUnframed && !this.#isHttp10;
    if (isUnframed && this.#isHttp10) this.#closes = true;
    if (context.isDraining) this.#closes = true;
    // RFC 9112 §9.3: an answer before the end of the request leaves the rest of it on the connection. Of a client that still waits for its 100
    // nobody can tell whether it sends the rest or leaves it out, and the wrong guess takes data for a request.
    const isEarly = !this.#requestBody.isDone;
    if (isEarly) this.#closes = true;
    this.#isUpstreamReusable = !head.closes && framing !== 'untilClose' && !isEarly;
    const cluster = choice?.cluster.cluster;
    this.#idleMs = cluster?.idleTimeoutMs ?? 0;
    if (head.keepAliveSeconds !== -1) this.#idleMs = Math.min(this.#idleMs, (head.keepAliveSeconds - 1) * 1000);

    let appended = head.hasDate ? '' : `date: ${context.date()}\r\n`;
    appended += `x-envoy-upstream-service-time: ${Math.round(context.now() - this.#startedAt)}\r\n`;
    appended += this.#setCookie;
    const ops = choice?.responseOps ?? NO_OPS;
    if (ops !== NO_OPS) {
      const lines = this.#responseOpsLines(ops, head);
      if (lines !== undefined) appended += lines;
    }
    if (this.#isChunkedDown) appended += 'transfer-encoding: chunked\r\n';
    if (this.#closes) appended += 'connection: close\r\n';
    const nominated = head.hasConnectionOptions ? nominatedFields(head) : [];
    return responseText(head, {
      // An upstream that nominates what it must not is not obeyed; its answer is still an answer.
      nominated: nominated === 'refused' ? [] : nominated,
      ops,
      dropsContentLength: head.status === 204,
      appended,
    });
  }

  #responseOpsLines(ops: FoldedHeaderOps, head: ResponseHead): string | undefined {
    if (ops.text !== undefined) return ops.text;
    this.#answering = head;
    const lines = this.#opsLines(ops);
    this.#answering = undefined;
    return lines;
  }

  /** Body bytes from `at`, after `text` (the head, or nothing). */
  #download(bytes: Buffer, from: number, end: number, head: string): void {
    const { socket } = this.#host;
    const body = this.#responseBody;
    const upstream = this.#upstream;
    let at = from;
    let text = head;
    let isCorked = false;
    let keepsBytes = false;
    while (at < end && !body.isDone) {
      at = body.take(bytes, at, end);
      if (body.error !== undefined) {
        if (isCorked) socket.uncork();
        this.#breakOff('UPE');
        return;
      }
      const length = body.dataEnd - body.dataStart;
      if (length === 0) continue;
      if (this.#isChunkedDown) text += `${length.toString(16)}\r\n`;
      if (length <= JOINED_BYTES) {
        text += bytes.latin1Slice(body.dataStart, body.dataEnd);
      } else {
        if (!isCorked) socket.cork();
        isCorked = true;
        if (text !== '') socket.write(text, 'latin1');
        text = '';
        const run = bytes.subarray(body.dataStart, body.dataEnd);
        const ownsBytes = upstream?.buffers.areOwn === true;
        keepsBytes ||= ownsBytes;
        socket.write(ownsBytes ? run : Buffer.from(run));
      }
      if (this.#isChunkedDown) text += '\r\n';
    }
    if (body.isDone && this.#isChunkedDown) text += `0\r\n${this.#trailerLines()}\r\n`;
    if (text !== '') socket.write(text, 'latin1');
    if (isCorked) socket.uncork();
    if (keepsBytes && socket.writableLength > 0) upstream?.buffers.lend();
    if (body.isDone) this.#completeResponse(at === end);
    else this.#watchResponse(upstream);
  }

  #watchResponse(upstream: UpstreamConnection | undefined): void {
    if (this.#host.socket.writableNeedDrain) upstream?.pause();
    this.#host.setDeadline(Math.min(this.#routeDeadline, this.#context.now() + this.#context.settings.timeouts.streamIdleMs));
  }

  /** The client has taken what was written. */
  onDownstreamDrain(): void {
    if (this.#phase !== 'responding') return;
    this.#upstream?.buffers.returned();
    this.#upstream?.resume();
    this.#watchResponse(undefined);
  }

  #trailerLines(): string {
    if (!this.#acceptsTrailers) return '';
    return this.#responseBody.trailers
      .filter(([name]) => isForwardableTrailer(name))
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
  }

  /** @param isExact  Whether the response ended where the bytes did; undefined when the connection is gone anyway. */
  #completeResponse(isExact: boolean | undefined): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    if (this.#isChunkedDown && isExact === undefined) this.#host.socket.write('0\r\n\r\n', 'latin1');
    if (upstream !== undefined) {
      const limit = this.#choice?.cluster.cluster.maxRequestsPerConnection ?? 0;
      const isWornOut = limit > 0 && upstream.served + 1 >= limit;
      // An answer that came before the last of the body was written is one that did not wait for it.
      const isReusable = isExact === true && this.#isUpstreamReusable && !upstream.hasPendingWrites && !isWornOut;
      upstream.release(isReusable ? this.#idleMs : 0);
    }
    this.#finish();
  }

  // --- 10 -------------------------------------------------------------------------------------------------------------------------------

  #finish(): void {
    this.#phase = 'done';
    this.#account();
    this.#host.onExchangeDone(this.#closes, this.#requestBody);
  }

  #account(): void {
    const counters = this.#choice?.cluster.counters ?? this.#context.unrouted;
    counters.record(this.#status, this.#context.now() - this.#startedAt);
    if (this.#flag !== undefined) counters.flag(this.#flag, this.#status);
    const observation = this.#choice?.observation;
    // What the client broke off or broke says nothing about the version.
    if (observation !== undefined && this.#flag !== 'DC' && this.#flag !== 'DPE') {
      const isBad = this.#status >= 500 || this.#flag !== undefined;
      const arm = isBad ? observation.bad : observation.good;
      arm.record(this.#status, this.#context.now() - this.#startedAt);
      if (this.#flag !== undefined) arm.flag(this.#flag, this.#status);
    }
    if (this.#choice !== undefined) counters.activeAdd(-1);
    if (this.#endpoint !== undefined) this.#endpoint.active--;
    // A connection at rest holds nothing of a table that may be replaced meanwhile.
    this.#endpoint = undefined;
    this.#choice = undefined;
    this.#hit = undefined;
    this.#match = undefined;
    this.#head = undefined;
    this.#text = '';
    this.#queue.length = 0;
    this.#queueBuffers.length = 0;
  }

  /** The response cannot be completed: the client has to see that (reliability P55). */
  #breakOff(flag: ResponseFlag): void {
    const { framing } = this.#responseBody;
    const isEndedByClose = this.#isHttp10 && (framing === 'chunked' || framing === 'untilClose');
    this.#flag = flag;
    this.#dropUpstream();
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
    this.#flag = 'DPE';
    this.#refuse(failure, true);
  }

  #dropUpstream(): void {
    this.#upstream?.close();
    this.#upstream = undefined;
  }

  /** The client has sent all it will ever send. */
  onDownstreamEnd(): void {
    if (this.wantsBody) this.#abandonRequest(FAILURES.incomplete);
  }

  /** The client is gone. */
  onDownstreamClose(): void {
    if (!this.isActive) return;
    this.#flag = 'DC';
    // nginx's 499: no answer was sent, and it is nobody's failure but the client's.
    if (this.#phase === 'sending') this.#status = 499;
    this.#dropUpstream();
    this.#phase = 'done';
    this.#account();
  }

  onDeadline(): void {
    if (this.#phase === 'responding') {
      this.#breakOff(this.#routeDeadline <= this.#context.now() ? 'UT' : 'SI');
    } else if (this.#phase === 'sending') {
      // A paused upload waits for the upstream, not for the client.
      if (this.#requestBody.isDone || this.#isUploadPaused) this.#refuse(FAILURES.upstreamTimeout, false);
      else this.#refuse(FAILURES.requestTimeout, true);
    }
  }

  // --- RequestView and ValueSource ------------------------------------------------------------------------------------------------------

  header(name: string): string | undefined {
    return this.#head?.joined(name);
  }

  get startTimeMs(): number {
    return this.#context.wallMs() - (this.#context.now() - this.#startedAt);
  }

  requestHeader(name: string): string | undefined {
    switch (name) {
      case ':path':
        return this.#query(this.path);
      case ':method':
        return this.method;
      case ':authority':
        return this.authority;
      case ':scheme':
        return this.scheme;
      default:
        return this.#head?.joined(name);
    }
  }

  responseHeader(name: string): string | undefined {
    return this.#answering?.joined(name);
  }

  property(command: PropertyCommand): string | number | undefined {
    const { socket, peerAddress } = this.#host;
    switch (command) {
      case 'HOSTNAME':
        return hostname();
      case 'PROTOCOL':
        return this.#isHttp10 ? 'HTTP/1.0' : 'HTTP/1.1';
      case 'RESPONSE_CODE':
        return this.#status === 0 ? undefined : this.#status;
      case 'ROUTE_NAME':
        return this.#hit?.route.name;
      case 'VIRTUAL_HOST_NAME':
        return this.#hit?.virtualHost.name;
      case 'UPSTREAM_CLUSTER':
        return this.#choice?.cluster.cluster.name;
      case 'UPSTREAM_HOST':
      case 'UPSTREAM_REMOTE_ADDRESS':
        return this.#endpoint === undefined ? undefined : `${this.#endpoint.address}:${this.#endpoint.port}`;
      case 'UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT':
        return this.#endpoint?.address;
      case 'UPSTREAM_REMOTE_PORT':
        return this.#endpoint?.port;
      case 'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT':
      case 'DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT':
        return peerAddress;
      case 'DOWNSTREAM_REMOTE_ADDRESS':
      case 'DOWNSTREAM_DIRECT_REMOTE_ADDRESS':
        return `${peerAddress}:${socket.remotePort ?? 0}`;
      case 'DOWNSTREAM_REMOTE_PORT':
      case 'DOWNSTREAM_DIRECT_REMOTE_PORT':
        return socket.remotePort;
      case 'DOWNSTREAM_LOCAL_ADDRESS':
        return `${socket.localAddress ?? ''}:${socket.localPort ?? 0}`;
      case 'DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT':
        return socket.localAddress;
      case 'DOWNSTREAM_LOCAL_PORT':
        return socket.localPort;
      case 'DURATION':
      case 'RESPONSE_DURATION':
        return Math.round(this.#context.now() - this.#startedAt);
      case 'RESPONSE_FLAGS':
        return this.#flag ?? '-';
      case 'STREAM_ID':
        return this.#requestId === '' ? this.#head?.joined('x-request-id') : this.#requestId;
      default:
        return undefined;
    }
  }
}
