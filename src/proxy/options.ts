/**
 * What an operator may set about the data plane, and the defaults. Everything a peer controls has a bound here or in `http/`.
 */
import type { PathOptions } from '../http/target.ts';
import type { SpanRecord } from '../telemetry/span-record.ts';
import type { AccessLines, AccessLogSetting } from './access-log.ts';
import { RESPONSE_HEADER_TIMEOUT_MS } from '../routing/table.ts';
import type { TraceSetting } from './tracer.ts';

export interface ProxyTimeouts {
  /** From the first byte of a request head to its last: else 408. */
  readonly headerMs: number;
  /** Between two pieces of a request body: else 408. */
  readonly bodyIdleMs: number;
  /** Between two requests on a downstream connection. */
  readonly keepAliveMs: number;
  /** From the complete request to the upstream's response head, where the route states no timeout: else 504. */
  readonly responseHeaderMs: number;
  /** Without a byte in either direction while a response is under way. */
  readonly streamIdleMs: number;
  /** Without a byte in either direction of a tunnel, where the destination states no time of its own; 0: it may rest for ever. */
  readonly tunnelIdleMs: number;
  /** How long the rest of a refused request is read and thrown away before the connection is cut (RFC 9112 §9.6). */
  readonly lingerMs: number;
}

/** Reliability P64. */
const DEFAULT_TIMEOUTS: ProxyTimeouts = {
  headerMs: 10_000,
  bodyIdleMs: 30_000,
  keepAliveMs: 75_000,
  responseHeaderMs: RESPONSE_HEADER_TIMEOUT_MS,
  streamIdleMs: 300_000,
  // Envoy's tcp_proxy idle_timeout, and Istio's.
  tunnelIdleMs: 3_600_000,
  lingerMs: 1000,
};

const DEFAULT_UPGRADES: readonly string[] = ['websocket'];

export interface ProxyOptions {
  /** Data-plane worker threads; 0 runs the data plane in the calling thread. */
  readonly workers: number;
  readonly timeouts?: Partial<ProxyTimeouts>;
  /** Downstream connections a worker holds at once; one more is closed at once. Default 16,000. */
  readonly maxConnections?: number;
  /** CIDR blocks or addresses whose `X-Forwarded-*` and `X-Envoy-*` are believed. Default none. */
  readonly trustedProxies?: readonly string[];
  /** What becomes of request header names with `_`. Default `drop`. */
  readonly underscoreNames?: 'reject' | 'drop' | 'keep';
  readonly path?: Partial<PathOptions>;
  /** Protocols a client may upgrade to through the proxy, lower case. Default `websocket`, as in Istio. */
  readonly upgrades?: readonly string[];
  /** What preview links are signed with (config/preview.ts); without it none is valid. */
  readonly previewKey?: Uint8Array;
  /** Where a worker that has cut a canary off says so at once, for a control plane that is killed before it has (proof-file.ts). Default nowhere. */
  readonly proofDirectory?: string;
  /** Which requests are logged; default none. */
  readonly accessLog?: AccessLogSetting;
  /** Takes the lines of the access log. @returns Whether they will be kept. */
  readonly onAccessLines?: (lines: AccessLines) => boolean;
  /** Which traces are followed; default none, and what requests say of theirs is passed on as it came. */
  readonly tracing?: TraceSetting;
  /** Takes finished spans. */
  readonly onSpans?: (spans: readonly SpanRecord[]) => void;
  /** Told about an exception that ended one request (answered 500); never about a peer's mistakes. */
  readonly onInternalError?: (error: unknown) => void;
}

/** `ProxyOptions` with everything filled in, as a worker gets it: plain data. */
export interface DataPlaneSettings {
  readonly timeouts: ProxyTimeouts;
  readonly maxConnections: number;
  readonly trustedProxies: readonly string[];
  readonly underscoreNames: 'reject' | 'drop' | 'keep';
  readonly path: PathOptions;
  readonly upgrades: readonly string[];
  readonly previewKey: Uint8Array | undefined;
  /** Names this process in Via, so that a request which comes back is told (RFC 9110 §7.6.3). */
  readonly viaName: string;
  /** More than one data plane binds the same ports. */
  readonly sharesPorts: boolean;
  readonly proofDirectory?: string;
  readonly accessLog?: AccessLogSetting;
  readonly tracing?: TraceSetting;
}

export function dataPlaneSettings(options: ProxyOptions, viaName: string): DataPlaneSettings {
  return {
    timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
    maxConnections: options.maxConnections ?? 16_000,
    trustedProxies: options.trustedProxies ?? [],
    underscoreNames: options.underscoreNames ?? 'drop',
    path: { mergeSlashes: false, escapedSlashes: 'keep', ...options.path },
    upgrades: options.upgrades ?? DEFAULT_UPGRADES,
    previewKey: options.previewKey,
    viaName,
    sharesPorts: options.workers > 1,
    ...(options.proofDirectory === undefined ? {} : { proofDirectory: options.proofDirectory }),
    ...(options.tracing === undefined ? {} : { tracing: options.tracing }),
    ...(options.accessLog === undefined ? {} : { accessLog: options.accessLog }),
  };
}

/** Where a listener of the table is to be bound. */
export interface Binding {
  /** `Listener.name`. */
  readonly listener: string;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

/** Where it is bound. */
export interface BoundListener {
  readonly listener: string;
  readonly host: string;
  readonly port: number;
}

/** An address that could not be taken; nothing has changed. */
export class ListenError extends Error {
  /** `E_LISTEN_EADDRINUSE`, `E_LISTEN_EACCES`, `E_LISTEN_EADDRNOTAVAIL`, … after the operating system's own code. */
  readonly code: string;
  readonly listener: string;
  readonly address: string;

  constructor(code: string, listener: string, address: string) {
    super(`listener ${listener}: cannot bind ${address}: ${code.replace('E_LISTEN_', '')}`);
    this.name = 'ListenError';
    this.code = code;
    this.listener = listener;
    this.address = address;
  }
}
