/**
 * Why a request did not simply get its upstream's answer: Envoy's response flags, so that one vocabulary serves Serin's logs and metrics,
 * Envoy's, and every page written about either.
 *
 * Source: Envoy's access-log documentation, `%RESPONSE_FLAGS%` (short names) and `%RESPONSE_FLAGS_LONG%` (long names). Only flags an HTTP
 * proxy of Serin's kind can have are listed. The position of a flag is its number in shared memory: append, never reorder.
 */
export const RESPONSE_FLAGS = [
  'NR',
  'NC',
  'UH',
  'UF',
  'UO',
  'UC',
  'UR',
  'UT',
  'UPE',
  'URX',
  'DC',
  'DPE',
  'DR',
  'DT',
  'LR',
  'SI',
  'UMSDR',
  'DI',
  'FI',
  'RL',
  'DF',
  'OM',
  'LH',
  'IH',
] as const;

export type ResponseFlag = (typeof RESPONSE_FLAGS)[number];

/** Envoy's long names; what each means is said beside it. */
export const RESPONSE_FLAG_NAMES: Readonly<Record<ResponseFlag, string>> = {
  /** No route matched the request. */
  NR: 'NoRouteFound',
  /** The route names a cluster that does not exist (unknown host or subset). */
  NC: 'NoClusterFound',
  /** The cluster has no healthy endpoint. */
  UH: 'NoHealthyUpstream',
  /** The connection to the upstream could not be made. */
  UF: 'UpstreamConnectionFailure',
  /** A circuit breaker (connections, pending or active requests) was full. */
  UO: 'UpstreamOverflow',
  /** The upstream closed the connection before its answer was complete. */
  UC: 'UpstreamConnectionTermination',
  /** The upstream reset the stream or connection. */
  UR: 'UpstreamRemoteReset',
  /** The route's timeout passed before the upstream answered. */
  UT: 'UpstreamRequestTimeout',
  /** The upstream's answer broke HTTP. */
  UPE: 'UpstreamProtocolError',
  /** Retries were used up. */
  URX: 'UpstreamRetryLimitExceeded',
  /** The client went away first. */
  DC: 'DownstreamConnectionTermination',
  /** The client's request broke HTTP. */
  DPE: 'DownstreamProtocolError',
  /** The client reset the stream. */
  DR: 'DownstreamRemoteReset',
  /** The request outlived the longest time a request may take. */
  DT: 'DurationTimeout',
  /** Serin reset the upstream connection itself. */
  LR: 'LocalReset',
  /** Nothing moved on the stream for too long. */
  SI: 'StreamIdleTimeout',
  /** The upstream stream outlived its longest time. */
  UMSDR: 'UpstreamMaxStreamDurationReached',
  /** Delayed by a configured fault. */
  DI: 'DelayInjected',
  /** Aborted by a configured fault. */
  FI: 'FaultInjected',
  /** Refused by a rate limit. */
  RL: 'RateLimited',
  /** The upstream's name could not be resolved. */
  DF: 'DnsResolutionFailed',
  /** Refused because Serin itself is overloaded. */
  OM: 'OverloadManagerTerminated',
  /** The local service failed its health check. */
  LH: 'FailedLocalHealthCheck',
  /** A header that steers the proxy had an invalid value. */
  IH: 'InvalidEnvoyRequestHeaders',
};

/** The flag's number in shared memory. */
export const RESPONSE_FLAG_NUMBERS: ReadonlyMap<ResponseFlag, number> = new Map(RESPONSE_FLAGS.map((flag, number) => [flag, number]));
