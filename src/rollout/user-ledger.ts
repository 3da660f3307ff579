/**
 * Who has been counted already, when the arm is drawn by user.
 *
 * A user's requests are all on one side, so they are one draw, not many: a single busy user with a broken client would look like a regression.
 * Each user therefore counts once, with the first failure and with the first latency, and with at most `REQUESTS_PER_USER` requests in a stage
 * towards going on.
 *
 * Fixed memory: two bytes a slot, users hashed onto slots. Users who share a slot count as one, which loses evidence but invents none,
 * because the slot says nothing about the arm. All workers may share one buffer: marks are set atomically, so "once" holds across them.
 */
import type { FailureClass, UserCounts } from './observation.ts';

/** Requests of one user that count towards going on, in one stage. Beyond that a user adds weight but no information. */
export const REQUESTS_PER_USER = 20;

/** About a million slots, 2 MB: with 100,000 users one in ten shares. */
const SLOTS = 2 ** 20;

const SEEN = 1;
const FAILED = 2;
const TIMED = 4;

/** Bytes of the buffer a ledger lives in. */
export const LEDGER_BYTES = 2 * SLOTS;

export class UserLedger {
  readonly #marks: Uint8Array;
  readonly #requests: Uint8Array;

  /** @param buffer  `LEDGER_BYTES` of zeros, shared between workers or not. */
  constructor(buffer: ArrayBufferLike = new ArrayBuffer(LEDGER_BYTES)) {
    this.#marks = new Uint8Array(buffer, 0, SLOTS);
    this.#requests = new Uint8Array(buffer, SLOTS, SLOTS);
  }

  /** A new stage: everybody may count again towards going on. Called by one thread. */
  beginStage(): void {
    this.#requests.fill(0);
  }

  /**
   * Counts one finished request.
   *
   * @param counts    Of the arm the user is on.
   * @param userHash  32 bits of the hash the arm was drawn with.
   * @param failure   Undefined when it went well.
   * @param bucket    Its latency (telemetry/histogram.ts); unused for a failure.
   * @param isWarm    Whether the warm-up is over.
   */
  record(counts: UserCounts, userHash: number, failure: FailureClass | undefined, bucket: number, isWarm: boolean): void {
    const slot = slotOf(userHash);
    if (this.#mark(slot, SEEN)) counts.firstSeen++;
    if (failure !== undefined && this.#mark(slot, FAILED)) counts.firstFailures++;
    if (failure === undefined && isWarm && this.#mark(slot, TIMED)) counts.firstLatency.add(bucket, 1);
    if ((this.#requests[slot] ?? 0) >= REQUESTS_PER_USER) return;
    Atomics.add(this.#requests, slot, 1);
    counts.capped.requests++;
    if (failure === undefined) counts.capped.latency.add(bucket, 1);
    else counts.capped.failures[failure]++;
  }

  /** Sets a mark; false when it was set before. */
  #mark(slot: number, mark: number): boolean {
    return ((this.#marks[slot] ?? 0) & mark) === 0 && (Atomics.or(this.#marks, slot, mark) & mark) === 0;
  }
}

/** Stirs the hash (the finaliser of MurmurHash3), so that slots have nothing to do with the order of hashes that decides the arm. */
function slotOf(userHash: number): number {
  let hash = userHash | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) & (SLOTS - 1);
}
