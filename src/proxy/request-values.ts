/** What `%COMMAND%` operators of header operations find out about a request. Asked only where a route has any. */
import { hostname } from 'node:os';
import type { ResponseHead } from '../http/response-head.ts';
import type { PropertyCommand, ValueSource } from '../routing/header-value.ts';
import type { Hit } from '../routing/matcher.ts';
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
}

export interface RequestPeer {
  readonly context: DataPlaneContext;
  readonly socket: ClientSocket;
  readonly httpVersion: string;
  readonly peerAddress: string;
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
    switch (name) {
      case ':path':
        return request.withQuery(request.path);
      case ':method':
        return request.method;
      case ':authority':
        return request.authority;
      case ':scheme':
        return request.scheme;
      default:
        return request.header(name);
    }
  }

  responseHeader(name: string): string | undefined {
    return this.#facts.answering?.joined(name);
  }

  property(command: PropertyCommand): string | number | undefined {
    const { socket, peerAddress, context } = this.#peer;
    const { status, flag, hit, choice, endpoint, requestId, startedAt } = this.#facts;
    switch (command) {
      case 'HOSTNAME':
        return hostname();
      case 'PROTOCOL':
        return this.#request.isHttp10 ? 'HTTP/1.0' : this.#peer.httpVersion;
      case 'RESPONSE_CODE':
        return status === 0 ? undefined : status;
      case 'ROUTE_NAME':
        return hit?.route.name;
      case 'VIRTUAL_HOST_NAME':
        return hit?.virtualHost.name;
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
        return requestId === '' ? this.#request.header('x-request-id') : requestId;
      default:
        return undefined;
    }
  }
}
