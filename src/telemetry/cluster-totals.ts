/** What has been counted about a cluster by now, over all workers: the reader's side of slot-layout.ts. */
import { NO_CALL } from './cluster-counters.ts';
import type { GrpcStatus } from './cluster-counters.ts';
import { BUCKETS } from './histogram.ts';
import { FELL_BACK, RESPONSE_FLAGS, flagsText } from './response-flag.ts';
import type { ResponseFlag } from './response-flag.ts';
import {
  ACTIVE,
  CALLS,
  DURATION,
  FALLBACKS,
  FIRST_STATUS,
  FLAGS,
  GRPC_STATUSES,
  HISTOGRAMS,
  HISTOGRAM_BUCKETS,
  LATENCY,
  REASONS,
  REQUESTS,
  REQUEST_BYTES,
  RESPONSE_BYTES,
  RETRIES,
  RETRIES_REFUSED,
  STATUS,
  STATUSES,
  TCP_CLOSED,
  TCP_CONNECTIONS,
  TCP_OPENED,
  TCP_RECEIVED,
  TCP_REFUSED,
  TCP_SENT,
  histogramAt,
} from './slot-layout.ts';

/** Everything counted about a cluster since start, over all workers. */
export interface ClusterTotals {
  /** Finished requests. */
  readonly requests: number;
  /** Requests in flight now. */
  readonly active: number;
  readonly retries: number;
  /** Left undone because too many were under way. */
  readonly retriesRefused: number;
  /** Requests that failed here and were given to stable. */
  readonly fallbacks: number;
  /** Finished requests by the status the client was answered; 0 where no answer was sent. Only statuses that occurred. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Those of `statuses` that ended with a flag. */
  readonly flags: readonly FlagCount[];
  /** All that is in `statuses`, each request once. */
  readonly outcomes: readonly Outcome[];
  readonly http: ProtocolHistograms;
  readonly grpc: ProtocolHistograms;
  /** One count a bucket of histogram.ts. */
  readonly latency: ArrayLike<number>;
  readonly tcp: TcpTotals;
}

/** Of the requests of one protocol. */
export interface ProtocolHistograms {
  readonly durationMs: HistogramTotals;
  /** Of bodies. */
  readonly requestBytes: HistogramTotals;
  readonly responseBytes: HistogramTotals;
}

export interface HistogramTotals {
  /** One a bound of `HISTOGRAM_BOUNDS`, not cumulative, and one for what is above the last. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** Of connections that are passed on as bytes. */
export interface TcpTotals {
  readonly opened: number;
  readonly closed: number;
  readonly refused: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

interface FlagCount {
  /** Why; undefined where only something beside it was said. */
  readonly flag: ResponseFlag | undefined;
  /** All of them, in Envoy's words and order: `UF`, `UF,URX`. */
  readonly flags: string;
  /** Stable answered in its place. */
  readonly hasFallenBack: boolean;
  readonly status: number;
  readonly count: number;
}

export interface Outcome {
  /** 0 where no answer was sent. */
  readonly status: number;
  /** As in `FlagCount`; `-` for none. */
  readonly flags: string;
  readonly grpcStatus: GrpcStatus;
  readonly count: number;
}

const NO_LATENCY: ArrayLike<number> = Object.freeze(Array.from({ length: BUCKETS }, () => 0));

/** The sum over one slot of each worker. Slots nobody has written to are left untouched. */
export function sumSlots(slots: readonly Float64Array[]): ClusterTotals {
  const tcp = tcpTotals(slots);
  let active = 0;
  const used: Float64Array[] = [];
  for (const words of slots) {
    active += words[ACTIVE] ?? 0;
    if ((words[REQUESTS] ?? 0) > 0 || (words[RETRIES] ?? 0) > 0 || (words[FALLBACKS] ?? 0) > 0) used.push(words);
  }
  if (used.length === 0)
    return {
      requests: 0,
      active,
      retries: 0,
      retriesRefused: 0,
      fallbacks: 0,
      statuses: new Map(),
      flags: [],
      outcomes: [],
      http: histogramsOf(used, false),
      grpc: histogramsOf(used, true),
      latency: NO_LATENCY,
      tcp,
    };

  let requests = 0;
  let retries = 0;
  let retriesRefused = 0;
  let fallbacks = 0;
  const statuses = new Map<number, number>();
  const flags = new Map<number, number>();
  const calls = new Map<number, number>();
  const latency = new Float64Array(BUCKETS);
  for (const words of used) {
    retries += words[RETRIES] ?? 0;
    retriesRefused += words[RETRIES_REFUSED] ?? 0;
    fallbacks += words[FALLBACKS] ?? 0;
    for (let at = STATUS - 1; at < STATUS + STATUSES; at++) {
      const count = words[at] ?? 0;
      if (count === 0) continue;
      const status = at < STATUS ? 0 : at - STATUS + FIRST_STATUS;
      statuses.set(status, (statuses.get(status) ?? 0) + count);
      // Not word 0: a request being recorded at this instant must be in both or in neither.
      requests += count;
    }
    addPairs(flags, words, FLAGS, LATENCY);
    addPairs(calls, words, CALLS, HISTOGRAMS);
    for (let bucket = 0; bucket < BUCKETS; bucket++) latency[bucket] = (latency[bucket] ?? 0) + (words[LATENCY + bucket] ?? 0);
  }
  const outcomes: Outcome[] = [];
  for (const [status, count] of statuses) {
    let unflagged = count;
    for (const [pair, flagged] of flags) if (pair % 1000 === status) unflagged -= flagged;
    // A flag written this instant may be ahead of its status.
    if (unflagged > 0) outcomes.push({ status, flags: '-', grpcStatus: NO_CALL, count: unflagged });
  }
  for (const each of flags) outcomes.push({ ...flagCount(each), grpcStatus: NO_CALL });
  for (const [key, count] of calls) {
    const pair = Math.floor(key / GRPC_STATUSES);
    const { status, flags: said } = flagCount([pair, count]);
    outcomes.push({ status, flags: said, grpcStatus: key % GRPC_STATUSES, count });
    statuses.set(status, (statuses.get(status) ?? 0) + count);
    requests += count;
    if (pair >= 1000) flags.set(pair, (flags.get(pair) ?? 0) + count);
  }
  return {
    requests,
    active,
    retries,
    retriesRefused,
    fallbacks,
    statuses,
    flags: [...flags].map(flagCount),
    outcomes,
    http: histogramsOf(used, false),
    grpc: histogramsOf(used, true),
    latency,
    tcp,
  };
}

/** Adds up one table of keys and counts. */
function addPairs(sums: Map<number, number>, words: Float64Array, from: number, to: number): void {
  for (let at = from; at < to; at += 2) {
    const stored = words[at] ?? 0;
    if (stored === 0) return;
    sums.set(stored - 1, (sums.get(stored - 1) ?? 0) + (words[at + 1] ?? 0));
  }
}

function histogramsOf(slots: readonly Float64Array[], isCall: boolean): ProtocolHistograms {
  const of = (measure: number): HistogramTotals => {
    const at = histogramAt(isCall, measure);
    const sum = (word: number): number => slots.reduce((total, words) => total + (words[at + word] ?? 0), 0);
    return { counts: Array.from({ length: HISTOGRAM_BUCKETS }, (_, bucket) => sum(bucket)), sum: sum(HISTOGRAM_BUCKETS) };
  };
  return { durationMs: of(DURATION), requestBytes: of(REQUEST_BYTES), responseBytes: of(RESPONSE_BYTES) };
}

/** Finished requests of one key over all workers; a slot nobody has written to is not touched beyond its first words. */
export function requestsIn(slots: readonly Float64Array[]): number {
  let requests = 0;
  for (const words of slots) requests += words[REQUESTS] ?? 0;
  return requests;
}

/** Those in flight. */
export function activeIn(slots: readonly Float64Array[]): number {
  let active = 0;
  for (const words of slots) active += words[ACTIVE] ?? 0;
  return active;
}

/** Of the finished requests those that were answered with a 5xx, or not at all. */
export function failuresIn(slots: readonly Float64Array[]): number {
  let failures = 0;
  for (const words of slots) {
    failures += words[STATUS - 1] ?? 0;
    for (let at = STATUS + 500 - FIRST_STATUS; at < STATUS + STATUSES; at++) failures += words[at] ?? 0;
    for (let at = CALLS; at < HISTOGRAMS && (words[at] ?? 0) > 0; at += 2) {
      const status = Math.floor(((words[at] ?? 0) - 1) / GRPC_STATUSES) % 1000;
      if (status === 0 || status >= 500) failures += words[at + 1] ?? 0;
    }
  }
  return failures;
}

const NO_TCP: TcpTotals = { opened: 0, closed: 0, refused: 0, receivedBytes: 0, sentBytes: 0 };

function tcpTotals(slots: readonly Float64Array[]): TcpTotals {
  const used = slots.filter((words) => (words[TCP_CONNECTIONS] ?? 0) > 0);
  if (used.length === 0) return NO_TCP;
  const sum = (word: number): number => used.reduce((total, words) => total + (words[word] ?? 0), 0);
  return {
    opened: sum(TCP_OPENED),
    closed: sum(TCP_CLOSED),
    refused: sum(TCP_REFUSED),
    receivedBytes: sum(TCP_RECEIVED),
    sentBytes: sum(TCP_SENT),
  };
}

function flagCount([pair, count]: readonly [number, number]): FlagCount {
  const code = Math.floor(pair / 1000);
  const flag = RESPONSE_FLAGS[(code % REASONS) - 1];
  const also = Math.floor(code / REASONS);
  return { flag, flags: flagsText(flag, also), hasFallenBack: (also & FELL_BACK) !== 0, status: pair % 1000, count };
}
