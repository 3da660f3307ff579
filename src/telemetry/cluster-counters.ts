/** The writer's side of what is counted about a cluster; see slot-layout.ts. */
import { bucketIndex } from './histogram.ts';
import { NOTHING_BESIDE, RESPONSE_FLAG_NUMBERS } from './response-flag.ts';
import type { FlagsBeside, ResponseFlag } from './response-flag.ts';
import {
  ACTIVE,
  CALLS,
  DURATION,
  FALLBACKS,
  FIRST_STATUS,
  FLAGS,
  GRPC_STATUSES,
  HISTOGRAMS,
  HISTOGRAM_BOUNDS,
  HISTOGRAM_BUCKETS,
  LATENCY,
  REASONS,
  REQUESTS,
  REQUEST_BYTES,
  RESPONSE_BYTES,
  RETRIES,
  RETRIES_REFUSED,
  RETRYING,
  STATUS,
  STATUSES,
  TCP_CLOSED,
  TCP_CONNECTIONS,
  TCP_OPENED,
  TCP_RECEIVED,
  TCP_REFUSED,
  TCP_SENT,
  histogramAt,
  isStatus,
} from './slot-layout.ts';

/** The status of a gRPC call: 0 to 16 (google.rpc.Code), or one of the two below. */
export type GrpcStatus = number;
/** Nobody said one: the call was broken off or taken back. */
export const UNSAID: GrpcStatus = 17;
/** It was no call. */
export const NO_CALL: GrpcStatus = -1;

const LAST_BOUND = HISTOGRAM_BOUNDS.at(-1) ?? 0;
/** Where the search for a value's bucket begins, by how many bits its whole part has: the bucket of the least such value. */
const FIRST_BUCKET = Uint8Array.from({ length: 33 }, (_, bits) => {
  const least = bits === 0 ? 0 : 2 ** (bits - 1);
  return HISTOGRAM_BOUNDS.filter((bound) => bound < least).length;
});

/** The writer's side of one cluster's slot; made once a cluster and kept. Nothing here allocates; `record` takes about 10 ns (bench/telemetry.ts). */
export class ClusterCounters {
  readonly #words: Float64Array;
  readonly #all: () => readonly Float64Array[];

  /**
   * @param words  This worker's slot, `SLOT_WORDS` long. What a worker before it had under way has gone with it.
   * @param all    The slots of all workers, this one's among them; asked for only where limits are looked at.
   */
  constructor(words: Float64Array, all: () => readonly Float64Array[]) {
    this.#words = words;
    this.#all = all;
    for (const word of [ACTIVE, RETRYING]) if (words[word] !== 0) words[word] = 0;
  }

  /**
   * One finished request.
   *
   * @param status      What the client was answered, 100 to 599; 0 (or anything else) when no answer was sent.
   * @param durationMs  From the first byte of the request to the last of the answer.
   */
  record(status: number, durationMs: number): void {
    const words = this.#words;
    const offset = status - FIRST_STATUS;
    add(words, REQUESTS, 1);
    add(words, offset >= 0 && offset < STATUSES ? STATUS + (offset | 0) : STATUS - 1, 1);
    add(words, LATENCY + bucketIndex(durationMs), 1);
  }

  /**
   * Beside `record`, for a request that ended with a flag; `status` as given there.
   *
   * @param flag  Why it ended so; undefined where only something beside it is to be said.
   * @param also  What happened to it besides.
   */
  flag(flag: ResponseFlag | undefined, status: number, also: FlagsBeside = NOTHING_BESIDE): void {
    this.#count(FLAGS, LATENCY, pairOf(flag, status, also));
  }

  /** One finished call, instead of `record` and `flag`. */
  recordCall(grpcStatus: GrpcStatus, status: number, flag: ResponseFlag | undefined, also: FlagsBeside, durationMs: number): void {
    if (this.#count(CALLS, HISTOGRAMS, pairOf(flag, status, also) * GRPC_STATUSES + grpcStatus)) {
      add(this.#words, REQUESTS, 1);
      add(this.#words, LATENCY + bucketIndex(durationMs), 1);
    } else {
      this.record(status, durationMs);
    }
  }

  /** Beside `record` or `recordCall`, for the histograms of `/metrics`. Sizes are of bodies, without framing. */
  measure(isCall: boolean, durationMs: number, requestBytes: number, responseBytes: number): void {
    const words = this.#words;
    observe(words, histogramAt(isCall, DURATION), durationMs);
    observe(words, histogramAt(isCall, REQUEST_BYTES), requestBytes);
    observe(words, histogramAt(isCall, RESPONSE_BYTES), responseBytes);
  }

  /** Counts a key in a small table of keys and counts. @returns Whether there was room for it. */
  #count(from: number, to: number, key: number): boolean {
    const words = this.#words;
    // An empty place reads as 0.
    const stored = key + 1;
    for (let at = from; at < to; at += 2) {
      const found = words[at];
      if (found === stored) {
        add(words, at + 1, 1);
        return true;
      }
      if (found === 0) {
        words[at + 1] = 1;
        words[at] = stored;
        return true;
      }
    }
    return false;
  }

  /** An attempt is made again. */
  retryBegun(): void {
    add(this.#words, RETRIES, 1);
    add(this.#words, RETRYING, 1);
  }

  retryEnded(): void {
    add(this.#words, RETRYING, -1);
  }

  /** An attempt would be made again, but for the limit on retries. */
  retryRefused(): void {
    add(this.#words, RETRIES_REFUSED, 1);
  }

  /** A request is given to stable, because it failed here. */
  fellBack(): void {
    add(this.#words, FALLBACKS, 1);
  }

  /** A connection is passed on as bytes. */
  tcpOpened(): void {
    add(this.#words, TCP_CONNECTIONS, 1);
    add(this.#words, TCP_OPENED, 1);
  }

  tcpClosed(): void {
    add(this.#words, TCP_CLOSED, 1);
  }

  /** No upstream could be connected to for it. */
  tcpRefused(): void {
    add(this.#words, TCP_CONNECTIONS, 1);
    add(this.#words, TCP_REFUSED, 1);
  }

  /** Of a connection that is passed on, from its client. */
  received(bytes: number): void {
    add(this.#words, TCP_RECEIVED, bytes);
  }

  /** To it. */
  sent(bytes: number): void {
    add(this.#words, TCP_SENT, bytes);
  }

  /** Requests in flight, over all workers; as far as each has told. */
  get active(): number {
    return this.#sum(ACTIVE);
  }

  /** Retries under way, over all workers. */
  get retrying(): number {
    return this.#sum(RETRYING);
  }

  #sum(word: number): number {
    return this.#all().reduce((sum, words) => sum + (words[word] ?? 0), 0);
  }

  /** A request was handed to this cluster (1) or is over (-1). */
  activeAdd(delta: 1 | -1): void {
    add(this.#words, ACTIVE, delta);
  }
}

function add(words: Float64Array, at: number, amount: number): void {
  words[at] = (words[at] ?? 0) + amount;
}

function pairOf(flag: ResponseFlag | undefined, status: number, also: FlagsBeside): number {
  const reason = flag === undefined ? 0 : (RESPONSE_FLAG_NUMBERS.get(flag) ?? 0) + 1;
  return (also * REASONS + reason) * 1000 + (isStatus(status) ? status : 0);
}

/** @param value  Not negative; NaN counts as 0. */
function observe(words: Float64Array, at: number, value: number): void {
  let bucket = HISTOGRAM_BUCKETS - 1;
  if (!(value > LAST_BOUND)) {
    bucket = FIRST_BUCKET[32 - Math.clz32(value)] ?? 0;
    while (value > (HISTOGRAM_BOUNDS[bucket] ?? 0)) bucket++;
  }
  add(words, at + bucket, 1);
  if (value > 0) add(words, at + HISTOGRAM_BUCKETS, value);
}
