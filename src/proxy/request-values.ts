/** What `%COMMAND%` operators of header operations find out about a request. Asked only where a route has any. */
import { hostname } from 'node:os';
import type { ResponseHead } from '../http/response-head.ts';
import type { PropertyCommand, ValueSource } from '../routing/header-value.ts';
import type { Hit } from '../routing/matcher.ts';
import { firstQueryValue } from '../routing/query-value.ts';
import type { ResponseFlag } from '../telemetry/response-flag.ts';
import type { EndpointRuntime } from './cluster-runtime.ts';
import type { ClientSocket } from './client-socket.ts';
import type { DataPlaneContext } from './context.ts';
import type { IncomingRequest } from './incoming-request.ts';
import type { ClusterChoice } from './route-runtime.ts';

/** Where a request stands. */
export interface RequestFacts {
  /** On the context's clock. */
  readonly startedAt: number;
  /** 0 before there is one. */
  readonly status: number;
  readonly flag: ResponseFlag | undefined;
  readonly hit: Hit | undefined;
  readonly choice: ClusterChoice | undefined;
  readonly endpoint: EndpointRuntime | undefined;
  /** Empty where the client's own is kept and has not been read. */
  readonly requestId: string;
  /** The response whose head is being made. */
  readonly answering: ResponseHead | undefined;
  /** Of the bodies, so far. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** How the answer came about; empty before there is one. */
  readonly code: string;
  readonly traceId: string;
}

export interface RequestPeer {
  readonly context: DataPlaneContext;
  readonly socket: ClientSocket;
  readonly httpVersion: string;
  readonly peerAddress: string;
  readonly serverName: string | undefined;
}

export class RequestValues implements ValueSource {
  readonly #peer: RequestPeer;
  readonly #request: IncomingRequest;
  readonly #facts: RequestFacts;

  constructor(peer: RequestPeer, request: IncomingRequest, facts: RequestFacts) {
    this.#peer = peer;
    this.#request = request;
    this.#facts = facts;
  }

  get startTimeMs(): number {
    const { context } = this.#peer;
    return context.wallMs() - (context.now() - this.#facts.startedAt);
  }

  requestHeader(name: string): string | undefined {
    const request = this.#request;
    const { sent } = request;
    switch (name) {
      case ':path':
        return sent === undefined ? request.withQuery(request.path) : sent.target;
      case ':method':
        return request.method;
      case ':authority':
        return sent === undefined ? request.authority : sent.first('host');
      case ':scheme':
        return request.scheme;
      case 'x-request-id':
        return this.#requestId;
      default:
        return sent === undefined ? request.first(name) : sent.first(name);
    }
  }

  responseHeader(name: string): string | undefined {
    const { answering, status } = this.#facts;
    if (name === ':status') return status === 0 ? undefined : String(status);
    return answering?.first(name);
  }

  queryParameter(name: string): string | undefined {
    return firstQueryValue(this.#request.query, name);
  }

  get #requestId(): string | undefined {
    const { requestId } = this.#facts;
    return requestId === '' ? this.#request.header('x-request-id') : requestId;
  }

  property(command: PropertyCommand): string | number | undefined {
    const { socket, peerAddress, context, serverName } = this.#peer;
    const { status, flag, hit, choice, endpoint, startedAt, bytesReceived, bytesSent, code, traceId } = this.#facts;
    switch (command) {
      case 'HOSTNAME':
        return hostname();
      case 'PROTOCOL':
        return this.#request.isHttp10 ? 'HTTP/1.0' : this.#peer.httpVersion;
      case 'RESPONSE_CODE':
        return status;
      case 'RESPONSE_CODE_DETAILS':
        return code;
      case 'BYTES_RECEIVED':
        return bytesReceived;
      case 'BYTES_SENT':
        return bytesSent;
      case 'REQUESTED_SERVER_NAME':
        return serverName;
      case 'TRACE_ID':
        return traceId;
      case 'ROUTE_NAME':
        return hit?.route.name;
      case 'UPSTREAM_CLUSTER':
        return choice?.cluster.cluster.name;
      case 'UPSTREAM_HOST':
      case 'UPSTREAM_REMOTE_ADDRESS':
        return endpoint === undefined ? undefined : `${endpoint.address}:${endpoint.port}`;
      case 'UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT':
        return endpoint?.address;
      case 'UPSTREAM_REMOTE_PORT':
        return endpoint?.port;
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
        return Math.round(context.now() - startedAt);
      case 'RESPONSE_FLAGS':
        return flag ?? '-';
      case 'STREAM_ID':
        return this.#requestId;
    }
  }
}
