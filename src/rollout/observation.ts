/**
 * What the data plane counts for a release analysis: a tick's worth of requests, by stratum and arm.
 *
 * The guarantees of the analysis are probability statements about the draw of the arm, so these rules are part of the type:
 *
 * 1. The arm is drawn by an independent random number (or a salted hash of the user), never by a pattern.
 * 2. A request is counted in the stratum of the weight it was *assigned* at, and for the arm it was assigned to, also when a retry or a
 *    fallback is answered by the other one.
 * 3. One attempt is one unit: a canary attempt that failed and was retried on stable is a failure of the canary.
 * 4. Latency is of attempts that did not fail; a timeout is a failure.
 * 5. Ticks are left out for reasons known beforehand only (an operator's pause, a restart of the engine), never because of what is in them.
 */
import { BUCKETS } from '../telemetry/histogram.ts';

/** Ways an attempt is bad. All weigh the same in the analysis; the class is for the sentence that explains it. */
export const FAILURE_CLASSES = ['status5xx', 'connect', 'reset', 'timeout', 'grpc', 'fallback'] as const;

export type FailureClass = (typeof FAILURE_CLASSES)[number];

/** One arm of one stratum, since the last tick. */
export interface ArmCounts {
  /** Completed attempts, the failed ones included. */
  requests: number;
  readonly failures: Record<FailureClass, number>;
  readonly latency: LatencyTally;
}

/** One arm, by user: what is counted once a user instead of once a request. */
export interface UserCounts {
  /** Users seen for the first time since the canary started. */
  firstSeen: number;
  /** Users whose first failure since the canary started this is. */
  firstFailures: number;
  /** Each user's first latency after the warm-up. */
  readonly firstLatency: LatencyTally;
  /** At most `REQUESTS_PER_USER` requests of each user in a stage. */
  readonly capped: ArmCounts;
}

/** Requests assigned at one weight. */
export interface Stratum {
  /** Probability with which each of them was to be the canary's, in [0, 1]; of the two arms together, whatever other versions got. */
  weight: number;
  readonly stable: ArmCounts;
  readonly canary: ArmCounts;
  /** Present when the arm is drawn by user. */
  readonly users?: { readonly stable: UserCounts; readonly canary: UserCounts };
}

/** One tick. */
export interface Observation {
  /** Time it covers; > 0. Ticks follow each other without overlap, gaps do no harm. */
  durationMs: number;
  readonly strata: readonly Stratum[];
}

/**
 * Latencies as (bucket, count) pairs in the buckets of telemetry/histogram.ts: a tick holds a hundred requests, not 1,600 buckets.
 *
 * A bucket may occur more than once. Reused from tick to tick with `clear`, so counting a request allocates nothing once it has grown.
 */
export class LatencyTally {
  size = 0;
  buckets = new Uint16Array(16);
  counts = new Float64Array(16);

  add(bucket: number, count: number): void {
    if (this.size === this.buckets.length) this.#grow();
    this.buckets[this.size] = bucket;
    this.counts[this.size] = count;
    this.size++;
  }

  clear(): void {
    this.size = 0;
  }

  /** Adds what a histogram that only grows has gained since `before`. */
  addGrowth(before: ArrayLike<number>, now: ArrayLike<number>): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const gained = (now[bucket] ?? 0) - (before[bucket] ?? 0);
      if (gained > 0) this.add(bucket, gained);
    }
  }

  #grow(): void {
    const buckets = new Uint16Array(2 * this.size);
    const counts = new Float64Array(2 * this.size);
    buckets.set(this.buckets);
    counts.set(this.counts);
    this.buckets = buckets;
    this.counts = counts;
  }
}

export function newArmCounts(): ArmCounts {
  return { requests: 0, failures: { status5xx: 0, connect: 0, reset: 0, timeout: 0, grpc: 0, fallback: 0 }, latency: new LatencyTally() };
}

export function newUserCounts(): UserCounts {
  return { firstSeen: 0, firstFailures: 0, firstLatency: new LatencyTally(), capped: newArmCounts() };
}

/** Failed attempts of all classes. */
export function failuresOf(counts: ArmCounts): number {
  const { failures } = counts;
  return failures.status5xx + failures.connect + failures.reset + failures.timeout + failures.grpc + failures.fallback;
}
