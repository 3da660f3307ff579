/**
 * What carries one exchange to an endpoint: a connection of HTTP/1.1, or a stream of an HTTP/2 session that takes and gives HTTP/1.1 text all the same; and which
 * of the two a request gets.
 */
import type { Cluster } from '../routing/table.ts';
import type { EndpointRuntime } from './cluster-runtime.ts';
import type { DataPlaneContext } from './context.ts';
import { newStream, pooledStream } from './http2/client-session.ts';
import type { ProxiedConnection } from './proxied-connection.ts';
import type { Reads } from './read-buffers.ts';
import { UpstreamConnection } from './upstream-connection.ts';
import { FRESH_MS, IDEMPOTENT } from './upstream-rules.ts';

/** What of a cluster a connection to it needs. Where connections are limited, whoever makes one has acquired it; closing it gives it back. */
export type ConnectionSettings = Pick<Cluster, 'connectTimeoutMs' | 'keepAliveMs' | 'proxyProtocol'> & {
  /** It carries no HTTP, and either side may speak first. */
  readonly isOpaque?: boolean;
};

export type WearLimits = Pick<Cluster, 'maxRequestsPerConnection' | 'maxConnectionMs'>;

/** How it was lost. `unused`: before anything was written for the exchange that holds it, or before the upstream looked at any of it. */
export type UpstreamLoss = 'connect-failed' | 'connect-timeout' | 'unused' | 'ended' | 'reset';

/** What it tells the exchange that holds it. */
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

export interface UpstreamLink {
  readonly endpoint: EndpointRuntime;
  readonly buffers: Reads;
  /** Whether what it goes by carried an exchange before this one. */
  readonly isReused: boolean;
  /** Written, and not yet taken. */
  readonly pendingBytes: number;
  readonly hasPendingWrites: boolean;
  /** Whether the exchange it carries is its last, by the cluster's limits on a connection's exchanges and age. */
  isWornOut(limits: WearLimits): boolean;
  /**
   * The head comes first, whole and by itself.
   *
   * @returns Whether more may be written at once; else `onUpstreamDrain` follows.
   */
  write(data: string | Uint8Array): boolean;
  cork(): void;
  uncork(): void;
  pause(): void;
  resume(): void;
  /** The exchange is over. @param idleTimeoutMs  How long a connection may rest until it serves another; 0 closes it. */
  release(idleTimeoutMs: number): void;
  /** Ends it without telling the exchange. */
  close(): void;
}

/** A request about to be sent. */
export interface Sending {
  readonly method: string;
  /** Its client speaks HTTP/2. */
  readonly isHttp2: boolean;
  /** It asks for another protocol, which only HTTP/1.1 can go on in. */
  readonly isUpgrade: boolean;
  /** Whose it is; undefined for what nobody waits for. */
  readonly client: ProxiedConnection | undefined;
  /** Not on a connection that may be about to close. */
  readonly wantsNew: boolean;
}

/** What there is for a request: an idle connection, or a session with room. `user.onUpstreamReady` follows. */
export function pooledLink(
  context: DataPlaneContext,
  cluster: Cluster,
  endpoint: EndpointRuntime,
  user: UpstreamUser,
  sending: Sending,
): UpstreamLink | undefined {
  const { method, wantsNew, client } = sending;
  if (speaksHttp2(cluster, sending)) return pooledStream(endpoint, cluster, user, client);
  const { idle: resting } = endpoint;
  const at = wantsNew
    ? -1
    : cluster.proxyProtocol === undefined
      ? resting.length - 1
      : resting.findLastIndex((one) => one.client === client);
  const idle = resting[at];
  if (idle === undefined || (!IDEMPOTENT.has(method) && context.now() - idle.idleSince >= FRESH_MS)) return undefined;
  if (at === resting.length - 1) resting.pop();
  else resting.splice(at, 1);
  idle.assign(user);
  return idle;
}

/** A connection made for a request; where connections are limited it has been acquired. `user.onUpstreamReady` follows. */
export function newLink(
  context: DataPlaneContext,
  cluster: Cluster,
  endpoint: EndpointRuntime,
  user: UpstreamUser,
  sending: Sending,
): UpstreamLink {
  return speaksHttp2(cluster, sending)
    ? newStream(context, endpoint, cluster, user, sending.client)
    : new UpstreamConnection(context, endpoint, user, cluster, sending.client);
}

function speaksHttp2({ http2 }: Cluster, { isHttp2, isUpgrade }: Sending): boolean {
  return http2 !== undefined && !isUpgrade && (http2.use === 'always' || isHttp2);
}
