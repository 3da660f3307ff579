/**
 * A request in its trace: a span of the request, one below it of each attempt, and what the upstream is told. Made only where traces are sent; one object an
 * exchange, used again.
 *
 * A trace that begins here is drawn. One that has begun elsewhere is followed if it was decided so there; if not, its headers go on as they came, as all
 * do where nothing is traced.
 */
import type { RequestHead } from '../http/request-head.ts';
import { redactTarget } from '../telemetry/redact.ts';
import { NOTHING_BESIDE, flagsText } from '../telemetry/response-flag.ts';
import type { ResponseFlag } from '../telemetry/response-flag.ts';
import { TRACE_FIELDS, isTracestate, parseB3, parseB3Fields, parseTraceparent, traceLines } from '../telemetry/trace-context.ts';
import type { TraceContext, TraceDialect } from '../telemetry/trace-context.ts';
import type { IncomingRequest } from './incoming-request.ts';
import type { NotedPeer, RequestOutcome } from './request-notes.ts';
import type { Tracer } from './tracer.ts';

const NO_FIELDS: readonly string[] = [];
const WITH_STATE: readonly string[] = [...TRACE_FIELDS, 'tracestate'];

interface Found {
  readonly parent: TraceContext | undefined;
  readonly dialect: TraceDialect;
  /** Of a client that decides without naming a trace. */
  readonly isSampled: boolean | undefined;
  /** Client's fields that do not go on. */
  readonly dropped: readonly string[];
}

const NOTHING_FOUND: Found = { parent: undefined, dialect: 'w3c', isSampled: undefined, dropped: NO_FIELDS };

export class RequestTrace {
  readonly #peer: NotedPeer;
  readonly #request: IncomingRequest;
  readonly #tracer: Tracer;
  /** Empty where the request belongs to none that is known. */
  traceId = '';
  /** Complete lines for the upstream. */
  lines = '';
  /** Lower-case names of the client's fields they stand in place of. */
  dropped: readonly string[] = NO_FIELDS;
  #isSampled = false;
  #parentSpanId = '';
  #spanId = '';
  #firstAttemptId = '';
  #attemptId = '';
  /** On the context's clock; -1 while there is none. */
  #attemptStartedAt = -1;
  #attempts = 0;
  #target = '';
  #userAgent = '';
  #requestId = '';

  constructor(peer: NotedPeer, request: IncomingRequest, tracer: Tracer) {
    this.#peer = peer;
    this.#request = request;
    this.#tracer = tracer;
  }

  begin(head: RequestHead): void {
    const tracer = this.#tracer;
    const { parent, dialect, isSampled, dropped } = found(head);
    this.#attemptStartedAt = -1;
    this.#attempts = 0;
    this.#isSampled = parent?.isSampled ?? isSampled ?? tracer.draws();
    this.traceId = parent?.traceId ?? tracer.newTraceId();
    if (parent !== undefined && !this.#isSampled) {
      this.lines = '';
      this.dropped = NO_FIELDS;
      return;
    }
    this.#parentSpanId = parent?.spanId ?? '';
    this.#spanId = tracer.newSpanId();
    this.#firstAttemptId = tracer.newSpanId();
    this.#attemptId = this.#firstAttemptId;
    this.lines = traceLines(this.traceId, this.#attemptId, this.#isSampled, dialect);
    this.dropped = dropped;
    if (!this.#isSampled) return;
    this.#target = head.target;
    this.#userAgent = head.joined('user-agent') ?? '';
    this.#requestId = head.requestIdField === -1 ? '' : head.value(head.requestIdField);
  }

  /** A copy of the head for a mirror, whose spans are not wanted. */
  unsampled(text: string): string {
    const { lines } = this;
    if (!this.#isSampled) return text;
    return text.replace(
      lines,
      lines.replaceAll('-01\r\n', '-00\r\n').replaceAll('-1\r\n', '-0\r\n').replaceAll('sampled: 1', 'sampled: 0'),
    );
  }

  /** The head of another attempt, made of the first's or of the last's. */
  nextAttempt(text: string): string {
    if (!this.#isSampled) return text;
    const id = this.#tracer.newSpanId();
    const renamed = text.replaceAll(this.#attemptId, id).replaceAll(this.#firstAttemptId, id);
    this.#attemptId = id;
    return renamed;
  }

  /** It is sent, or sent once more on another connection. */
  attemptBegins(): void {
    if (this.#attemptStartedAt === -1) this.#attemptStartedAt = this.#peer.context.now();
  }

  /** @param status  What it was answered with, or would have been. */
  attemptEnds({ choice, endpoint }: Pick<RequestOutcome, 'choice' | 'endpoint'>, status: number, flag: ResponseFlag | undefined): void {
    const startedAt = this.#attemptStartedAt;
    if (startedAt === -1 || !this.#isSampled) return;
    this.#attemptStartedAt = -1;
    const { context } = this.#peer;
    const cluster = choice?.cluster.cluster.name ?? '-';
    const durationMs = context.now() - startedAt;
    const isError = status >= 500 || flag !== undefined;
    this.#tracer.record({
      traceId: this.traceId,
      spanId: this.#attemptId,
      parentSpanId: this.#spanId,
      kind: 'client',
      name: `router ${cluster} egress`,
      startMs: context.wallMs() - durationMs,
      durationMs,
      isError,
      attributes: {
        component: 'proxy',
        upstream_cluster: cluster,
        'upstream_cluster.name': cluster,
        'http.status_code': String(status),
        response_flags: flagsText(flag, NOTHING_BESIDE),
        ...(endpoint === undefined ? {} : { upstream_address: `${endpoint.address}:${endpoint.port}` }),
        ...(this.#attempts === 0 ? {} : { 'retry.count': String(this.#attempts) }),
        ...(isError ? { error: 'true' } : {}),
      },
    });
    this.#attempts++;
  }

  end(outcome: RequestOutcome): void {
    if (!this.#isSampled) return;
    const { status, flag, also, startedAt, choice, hit, fallenFrom, requestId } = outcome;
    this.attemptEnds(outcome, status, flag);
    this.#isSampled = false;
    const { context, httpVersion, peerAddress } = this.#peer;
    const request = this.#request;
    const durationMs = context.now() - startedAt;
    const isError = status >= 500 || flag !== undefined;
    const cluster = choice?.cluster.cluster;
    this.#tracer.record({
      traceId: this.traceId,
      spanId: this.#spanId,
      parentSpanId: this.#parentSpanId,
      kind: 'server',
      name: cluster === undefined ? (hit?.route.name ?? 'no route') : `${cluster.host}:${cluster.port}/*`,
      startMs: context.wallMs() - durationMs,
      durationMs,
      isError,
      attributes: {
        component: 'proxy',
        'http.method': request.method,
        'http.url': `${request.scheme}://${request.authority}${redactTarget(this.#target)}`,
        'http.protocol': request.isHttp10 ? 'HTTP/1.0' : httpVersion,
        'http.status_code': String(status),
        user_agent: this.#userAgent === '' ? '-' : this.#userAgent,
        request_size: String(outcome.bytesReceived),
        response_size: String(outcome.bytesSent),
        response_flags: flagsText(flag, also),
        upstream_cluster: cluster?.name ?? '-',
        'upstream_cluster.name': cluster?.name ?? '-',
        'peer.address': peerAddress,
        'guid:x-request-id': requestId === '' ? this.#requestId : requestId,
        ...(hit === undefined ? {} : { 'serin.route': hit.route.name }),
        ...(fallenFrom === undefined ? {} : { 'serin.fallback_from': fallenFrom.cluster.cluster.name }),
        ...(isError ? { error: 'true' } : {}),
      },
    });
  }
}

/** W3C before B3 in one header before B3 in several, where a client speaks more than one of them. */
function found(head: RequestHead): Found {
  const traceparent = head.joined('traceparent');
  const single = head.joined('b3');
  const several = head.joined('x-b3-traceid');
  const decision = head.joined('x-b3-sampled');
  if (traceparent === undefined && single === undefined && several === undefined && decision === undefined) return NOTHING_FOUND;
  const dialect = single === undefined ? (several === undefined && decision === undefined ? 'w3c' : 'x-b3') : 'b3';
  const w3c = traceparent === undefined ? undefined : parseTraceparent(traceparent);
  const state = w3c === undefined ? undefined : head.joined('tracestate');
  const parent = w3c ?? (single === undefined ? undefined : parseB3(single)) ?? parseB3Fields((name) => head.joined(name));
  return {
    parent,
    dialect,
    isSampled: decided(single ?? decision),
    // A state belongs to its traceparent (W3C Trace Context §3.3: it goes where that one is no context).
    dropped: state !== undefined && isTracestate(state) ? TRACE_FIELDS : WITH_STATE,
  };
}

function decided(decision: string | undefined): boolean | undefined {
  if (decision === '0' || decision === 'false') return false;
  return decision === '1' || decision === 'd' || decision === 'true' ? true : undefined;
}
