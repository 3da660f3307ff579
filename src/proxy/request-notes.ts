/**
 * What is remembered of a request for those who watch requests: its head is gone by the time it has ended. Made only where somebody watches; one object an
 * exchange, used again.
 */
import type { RequestHead } from '../http/request-head.ts';
import { codeDetails } from '../telemetry/code-details.ts';
import { NOTHING_BESIDE, flagsText } from '../telemetry/response-flag.ts';
import type { FlagsBeside } from '../telemetry/response-flag.ts';
import type { AccessRecord } from '../telemetry/access-record.ts';
import type { AccessLog } from './access-log.ts';
import type { ClientSocket } from './client-socket.ts';
import type { ClusterChoice } from './route-runtime.ts';
import type { IncomingRequest } from './incoming-request.ts';
import type { RequestFacts } from './request-values.ts';
import type { DataPlaneContext } from './context.ts';

/** How a request has ended. */
export interface RequestOutcome extends RequestFacts {
  readonly also: FlagsBeside;
  /** As `codeDetails` takes it. */
  readonly code: string;
  readonly attempts: number;
  readonly fallenFrom: ClusterChoice | undefined;
  /** Until the head of the upstream's answer; -1 where there was none. */
  readonly upstreamServiceMs: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Empty where it is in no trace that is known. */
  readonly traceId: string;
}

/** Of the client's connection. */
export interface NotedPeer {
  readonly context: DataPlaneContext;
  readonly socket: ClientSocket;
  readonly httpVersion: string;
  readonly peerAddress: string;
  readonly isTrustedPeer: boolean;
  /** SNI. */
  readonly serverName: string | undefined;
}

export class RequestNotes {
  readonly #peer: NotedPeer;
  readonly #request: IncomingRequest;
  readonly #log: AccessLog;
  readonly #remote: string;
  readonly #local: string;
  #isDrawn = false;
  #path = '';
  #userAgent: string | null = null;
  #forwardedFor = '';
  #requestId: string | null = null;

  constructor(peer: NotedPeer, request: IncomingRequest, log: AccessLog) {
    this.#peer = peer;
    this.#request = request;
    this.#log = log;
    this.#remote = remoteAddress(peer);
    this.#local = localAddress(peer);
  }

  begin(head: RequestHead): void {
    this.#isDrawn = this.#log.draws();
    if (!this.#isDrawn) return;
    this.#path = head.target;
    this.#userAgent = head.joined('user-agent') ?? null;
    const believed = this.#peer.isTrustedPeer ? head.joined('x-forwarded-for') : undefined;
    this.#forwardedFor = believed === undefined ? this.#peer.peerAddress : `${believed}, ${this.#peer.peerAddress}`;
    this.#requestId = head.requestIdField === -1 ? null : head.value(head.requestIdField);
  }

  end(outcome: RequestOutcome): void {
    if (!this.#isDrawn) return;
    this.#isDrawn = false;
    const { status, flag, also, fallenFrom } = outcome;
    if (!this.#log.wants(status >= 500 || flag !== undefined || also !== NOTHING_BESIDE || fallenFrom !== undefined)) return;
    this.#log.write(this.#record(outcome));
  }

  #record(outcome: RequestOutcome): AccessRecord {
    const { context, httpVersion, serverName } = this.#peer;
    const { startedAt, status, flag, also, code, choice, endpoint, hit, fallenFrom, requestId } = outcome;
    const durationMs = context.now() - startedAt;
    return {
      startTimeMs: context.wallMs() - durationMs,
      method: this.#request.method,
      path: this.#path,
      protocol: this.#request.isHttp10 ? 'HTTP/1.0' : httpVersion,
      status,
      flags: flagsText(flag, also),
      details: codeDetails(code, flag),
      bytesReceived: outcome.bytesReceived,
      bytesSent: outcome.bytesSent,
      durationMs,
      upstreamServiceMs: outcome.upstreamServiceMs === -1 ? null : outcome.upstreamServiceMs,
      forwardedFor: this.#forwardedFor,
      userAgent: this.#userAgent,
      requestId: requestId === '' ? this.#requestId : requestId,
      authority: this.#request.authority,
      upstreamHost: endpoint === undefined ? null : withPort(endpoint.address, endpoint.port),
      upstreamCluster: choice?.cluster.cluster.name ?? null,
      downstreamLocalAddress: this.#local,
      downstreamRemoteAddress: this.#remote,
      serverName: serverName ?? null,
      routeName: hit?.route.name ?? null,
      attempts: outcome.attempts,
      fallbackFrom: fallenFrom?.cluster.cluster.name ?? null,
      traceId: outcome.traceId === '' ? null : outcome.traceId,
    };
  }
}

/** Of what could not be read as a request. */
export function logUnread(log: AccessLog | undefined, peer: NotedPeer, status: number, code: string, bytesSent: number): void {
  if (log === undefined || !log.draws() || !log.wants(status >= 500)) return;
  log.write({
    startTimeMs: peer.context.wallMs(),
    method: null,
    path: null,
    protocol: null,
    status,
    flags: flagsText('DPE', NOTHING_BESIDE),
    details: codeDetails(code, undefined),
    bytesReceived: 0,
    bytesSent,
    durationMs: 0,
    upstreamServiceMs: null,
    forwardedFor: null,
    userAgent: null,
    requestId: null,
    authority: null,
    upstreamHost: null,
    upstreamCluster: null,
    downstreamLocalAddress: localAddress(peer),
    downstreamRemoteAddress: remoteAddress(peer),
    serverName: peer.serverName ?? null,
    routeName: null,
    attempts: 0,
    fallbackFrom: null,
    traceId: null,
  });
}

function remoteAddress({ peerAddress, socket }: NotedPeer): string {
  return withPort(peerAddress, socket.remotePort ?? 0);
}

function localAddress({ socket }: NotedPeer): string {
  const address = socket.localAddress ?? '';
  return withPort(address.startsWith('::ffff:') ? address.slice(7) : address, socket.localPort ?? 0);
}

function withPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
