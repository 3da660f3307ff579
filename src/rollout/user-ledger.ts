/**
 * Who has been counted already, when the arm is drawn by user.
 *
 * A user's requests are all on one side, so they are one draw, not many: a single busy user with a broken client would look like a regression.
 * Each user therefore counts once, with the first failure and with the first latency, and with at most `REQUESTS_PER_USER` requests in a stage
 * towards going on.
 *
 * Fixed memory: two bytes a slot, users hashed onto slots. Users who share a slot count as one, which loses evidence but invents none,
 * because the slot says nothing about the arm. When all slots are taken nobody new counts: that, too, is settled before a request's outcome is
 * known, so it costs evidence and nothing else. All workers may share one buffer: marks are set atomically, so "once" holds across them.
 *
 *     bytes 0       1..63   64 ...          64 + SLOTS ...
 *           warm    -       marks, a slot   requests in this stage, a slot
 */
import type { FailureClass, UserCounts } from './observation.ts';

/** Requests of one user that count towards going on, in one stage. Beyond that a user adds weight but no information. */
export const REQUESTS_PER_USER = 20;

/** 512 KiB: of 10,000 users one in fifty comes to a slot that is somebody's already, of 100,000 one in six. */
const SLOTS = 2 ** 18;
const HEADER = 64;

/** What is counted once a user, or up to the cap: names of statistics beside those of the arm. */
const USER_COUNTERS = {
  firstSeen: 'first-seen',
  firstFailed: 'first-failed',
  firstTimed: 'first-timed',
  cappedGood: 'capped-good',
  cappedBad: 'capped-bad',
} as const;

export type UserCounter = keyof typeof USER_COUNTERS;

/** One value for each. @param value Told the counter and what its statistics key ends with. */
export function byUserCounter<Value>(value: (counter: UserCounter, suffix: string) => Value): Record<UserCounter, Value> {
  const of = (counter: UserCounter): Value => value(counter, USER_COUNTERS[counter]);
  return {
    firstSeen: of('firstSeen'),
    firstFailed: of('firstFailed'),
    firstTimed: of('firstTimed'),
    cappedGood: of('cappedGood'),
    cappedBad: of('cappedBad'),
  };
}

const SEEN = 1;
const FAILED = 2;
const TIMED = 4;
const CAPPED = 8;

/** Bytes of the buffer a ledger lives in. */
export const LEDGER_BYTES = HEADER + 2 * SLOTS;

/** What of a request counts. Somebody nobody can recognise (`userHash` undefined) was drawn for this request alone: everything does. */
export const Counts = {
  isFirstSeen: (visit: number): boolean => (visit & SEEN) !== 0,
  isFirstFailure: (visit: number): boolean => (visit & FAILED) !== 0,
  isFirstLatency: (visit: number): boolean => (visit & TIMED) !== 0,
  isWithinCap: (visit: number): boolean => (visit & CAPPED) !== 0,
};

export class UserLedger {
  readonly #bytes: Uint8Array;
  readonly #marks: Uint8Array;
  readonly #requests: Uint8Array;

  /** @param buffer  `LEDGER_BYTES` of zeros, shared between workers or not. */
  constructor(buffer: ArrayBufferLike = new ArrayBuffer(LEDGER_BYTES)) {
    this.#bytes = new Uint8Array(buffer, 0, LEDGER_BYTES);
    this.#marks = new Uint8Array(buffer, HEADER, SLOTS);
    this.#requests = new Uint8Array(buffer, HEADER + SLOTS, SLOTS);
  }

  /** Whether latencies count. The control plane says so, as soon as its analysis takes them in. */
  get isWarm(): boolean {
    return this.#bytes[0] === 1;
  }

  set isWarm(isWarm: boolean) {
    Atomics.store(this.#bytes, 0, isWarm ? 1 : 0);
  }

  /** A copy of what is known about users, to be kept with the evidence that rests on it. */
  marks(): Uint8Array {
    return this.#marks.slice();
  }

  /** What was known before a restart, added to what has been seen since. */
  addMarks(marks: Uint8Array): void {
    for (let slot = 0; slot < SLOTS; slot++) {
      const mark = marks[slot] ?? 0;
      if (mark !== 0) Atomics.or(this.#marks, slot, mark);
    }
  }

  /** A new stage: everybody may count again towards going on. Called by one thread. */
  beginStage(): void {
    this.#requests.fill(0);
  }

  /**
   * One finished request.
   *
   * @param userHash  32 bits of the hash the arm was drawn with; negative: of nobody that can be recognised.
   * @returns         What of it counts (`Counts`).
   */
  visit(userHash: number, hasFailed: boolean, isWarm: boolean): number {
    const kind = hasFailed ? FAILED : isWarm ? TIMED : 0;
    if (userHash < 0) return SEEN | kind | CAPPED;
    const slot = slotOf(userHash);
    let counts = this.#mark(slot, SEEN) ? SEEN : 0;
    if (kind !== 0 && this.#mark(slot, kind)) counts |= kind;
    if ((this.#requests[slot] ?? 0) >= REQUESTS_PER_USER) return counts;
    Atomics.add(this.#requests, slot, 1);
    return counts | CAPPED;
  }

  /**
   * The same, into the counts of the arm the user is on.
   *
   * @param failure   Undefined when it went well.
   * @param bucket    Its latency (telemetry/histogram.ts); unused for a failure.
   */
  record(counts: UserCounts, userHash: number, failure: FailureClass | undefined, bucket: number, isWarm: boolean): void {
    const visit = this.visit(userHash, failure !== undefined, isWarm);
    if (Counts.isFirstSeen(visit)) counts.firstSeen++;
    if (Counts.isFirstFailure(visit)) counts.firstFailures++;
    if (Counts.isFirstLatency(visit)) counts.firstLatency.add(bucket, 1);
    if (!Counts.isWithinCap(visit)) return;
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
