/**
 * Why a request did not simply get its upstream's answer: Envoy's response flags, so that one vocabulary serves Serin's logs and metrics,
 * Envoy's, and every page written about either.
 *
 * Source: Envoy's access-log documentation, `%RESPONSE_FLAGS%` (the flags) and `%RESPONSE_FLAGS_LONG%` (the names in brackets). Only flags an HTTP
 * proxy of Serin's kind can have are listed. The position of a flag is its number in shared memory: append, never reorder.
 */
export const RESPONSE_FLAGS = [
  /** No route matched the request (NoRouteFound). */
  'NR',
  /** The route names a cluster that does not exist (unknown host or subset) (NoClusterFound). */
  'NC',
  /** The cluster has no healthy endpoint (NoHealthyUpstream). */
  'UH',
  /** The connection to the upstream could not be made (UpstreamConnectionFailure). */
  'UF',
  /** A circuit breaker (connections, pending or active requests) was full (UpstreamOverflow). */
  'UO',
  /** The upstream closed the connection before its answer was complete (UpstreamConnectionTermination). */
  'UC',
  /** The upstream reset the stream or connection (UpstreamRemoteReset). */
  'UR',
  /** The route's timeout passed before the upstream answered (UpstreamRequestTimeout). */
  'UT',
  /** The upstream's answer broke HTTP (UpstreamProtocolError). */
  'UPE',
  /** Retries were used up (UpstreamRetryLimitExceeded). */
  'URX',
  /** The client went away first (DownstreamConnectionTermination). */
  'DC',
  /** The client's request broke HTTP (DownstreamProtocolError). */
  'DPE',
  /** The client reset the stream (DownstreamRemoteReset). */
  'DR',
  /** The request outlived the longest time a request may take (DurationTimeout). */
  'DT',
  /** Serin reset the upstream connection itself (LocalReset). */
  'LR',
  /** Nothing moved on the stream for too long (StreamIdleTimeout). */
  'SI',
  /** The upstream stream outlived its longest time (UpstreamMaxStreamDurationReached). */
  'UMSDR',
  /** Delayed by a configured fault (DelayInjected). */
  'DI',
  /** Aborted by a configured fault (FaultInjected). */
  'FI',
  /** Refused by a rate limit (RateLimited). */
  'RL',
  /** The upstream's name could not be resolved (DnsResolutionFailed). */
  'DF',
  /** Refused because Serin itself is overloaded (OverloadManagerTerminated). */
  'OM',
  /** The local service failed its health check (FailedLocalHealthCheck). */
  'LH',
  /** A header that steers the proxy had an invalid value (InvalidEnvoyRequestHeaders). */
  'IH',
] as const;

export type ResponseFlag = (typeof RESPONSE_FLAGS)[number];

/** The flag's number in shared memory. */
export const RESPONSE_FLAG_NUMBERS: ReadonlyMap<ResponseFlag, number> = new Map(RESPONSE_FLAGS.map((flag, number) => [flag, number]));

/** What is said beside the reason a request ended as it did: bits that may be combined. */
export type FlagsBeside = number;
export const NOTHING_BESIDE: FlagsBeside = 0;
/** DI. */
export const DELAY_INJECTED: FlagsBeside = 1;
/** URX. */
export const RETRIES_USED_UP: FlagsBeside = 2;
/** Of an attempt counted for a release: stable answered in its place. No flag of Envoy's, so it is never printed. */
export const FELL_BACK: FlagsBeside = 4;

/** Envoy's order where it prints several (ResponseFlagUtils). */
const PRINTED_ORDER: readonly ResponseFlag[] = [
  ...([
    'LH',
    'UH',
    'UT',
    'LR',
    'UR',
    'UF',
    'UC',
    'UO',
    'NR',
    'DI',
    'FI',
    'RL',
    'DC',
    'URX',
    'SI',
    'IH',
    'DPE',
    'UMSDR',
    'DT',
    'UPE',
  ] as const),
  ...(['NC', 'OM', 'DF', 'DR'] as const),
];

/** `-` for none, `UF`, `UF,URX`. */
export function flagsText(flag: ResponseFlag | undefined, also: FlagsBeside): string {
  const said = new Set<ResponseFlag | undefined>([
    flag,
    (also & DELAY_INJECTED) === 0 ? undefined : 'DI',
    (also & RETRIES_USED_UP) === 0 ? undefined : 'URX',
  ]);
  return PRINTED_ORDER.filter((each) => said.has(each)).join(',') || '-';
}
