/**
 * What is counted about one cluster, word by word: the layout of its slot in shared memory. `ClusterCounters` writes it, `sumSlots` and `GrowthReader` read it.
 *
 * Invariants:
 * 1. A slot of one worker has one writer, that worker's thread; so increments need no atomics. Readers may be a few requests behind.
 * 2. Counters are 64-bit floats: exact to 2^53, so they neither wrap nor go backwards. (ECMAScript lets a float in shared memory tear; an
 *    aligned 8-byte store does not on any 64-bit processor Node runs on.)
 * 3. A slot nobody wrote to is never touched, so its memory pages are never taken: thousands of idle clusters cost address space only.
 *
 *     word 0          1        2        3         4                 5           6          7       8          9..508           512..639               640..2239
 *          requests   active   free     retries   retries refused   fallbacks   retrying   tcp     status 0   status 100..599  64 x (flags+status, n)  latency buckets
 *
 *     2240..2244  of connections passed on as bytes: those opened, closed, refused, bytes received and sent. Word 7 is not 0 where these may be.
 *     2245..2372  gRPC calls: 64 x (flags + status + grpc-status, n). What is here is neither among the statuses nor among the flags.
 *     2373..2498  histograms for `/metrics`: of HTTP, then of gRPC, each of durations, request bodies and response bodies, 20 buckets and a sum
 */
import { BUCKETS } from './histogram.ts';

export const REQUESTS = 0;
export const ACTIVE = 1;
export const RETRIES = 3;
export const RETRIES_REFUSED = 4;
export const FALLBACKS = 5;
/** Retries under way, like `ACTIVE`. */
export const RETRYING = 6;
/** Connections that are no HTTP, those turned away among them. */
export const TCP_CONNECTIONS = 7;
/** Of the first status; `STATUS - 1` holds every number that is not a status (0: no answer was sent). */
export const STATUS = 9;
export const FIRST_STATUS = 100;
export const STATUSES = 500;
export const FLAGS = 512;
/** Flags Serin sets go with a handful of statuses each; a pair beyond this many is counted under its status without its flag. */
const FLAG_PAIRS = 64;
/** More than there are flags; 0 is for none. */
export const REASONS = 100;
export const LATENCY = FLAGS + 2 * FLAG_PAIRS;

const TCP = LATENCY + BUCKETS;
export const TCP_OPENED = TCP;
export const TCP_CLOSED = TCP + 1;
export const TCP_REFUSED = TCP + 2;
export const TCP_RECEIVED = TCP + 3;
export const TCP_SENT = TCP + 4;

export const CALLS = TCP + 5;
/** Outcomes of calls that are told apart; one beyond this many is counted by its status alone, as if it were no call. */
const CALL_OUTCOMES = 64;
export const HISTOGRAMS = CALLS + 2 * CALL_OUTCOMES;
/** More than the largest `GrpcStatus`. */
export const GRPC_STATUSES = 32;

/** Upper bounds of Istio's histograms, whatever they measure: Envoy's default (envoy, Stats::HistogramSettingsImpl::defaultBuckets). */
export const HISTOGRAM_BOUNDS = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000,
] as const;
/** One a bound, and one for what is above the last. */
export const HISTOGRAM_BUCKETS = HISTOGRAM_BOUNDS.length + 1;
/** Buckets, and the sum behind them. */
const HISTOGRAM_WORDS = HISTOGRAM_BUCKETS + 1;

/** What a histogram is of; its number within a protocol's. */
export const DURATION = 0;
export const REQUEST_BYTES = 1;
export const RESPONSE_BYTES = 2;
const MEASURES = 3;

/** Where the histogram of a measure begins. */
export function histogramAt(isCall: boolean, measure: number): number {
  return HISTOGRAMS + ((isCall ? MEASURES : 0) + measure) * HISTOGRAM_WORDS;
}

/** Words (of 8 bytes) in a slot. */
export const SLOT_WORDS = histogramAt(true, MEASURES);

export function isStatus(status: number): boolean {
  return status >= FIRST_STATUS && status < FIRST_STATUS + STATUSES;
}
