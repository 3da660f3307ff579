/**
 * A guard in shared memory: written by the control plane at every tick, read by data-plane workers in between, and the place where one of them
 * says that it has found the proof.
 *
 *     bytes 0      4       8        12..15   16 ...
 *           turn   proof   places   -        64-bit floats: numbers of the guard, then one part a stratum
 *
 * `turn` is odd while there is nothing to go by: a worker takes it before and after it has looked, and what it found counts only when it was the same
 * even number, so that all counts it saw were there before the control plane read them itself (rule 2 of guard.ts). One thread writes guards.
 */
import { QUANTILES } from './analysis-spec.ts';
import { type Guard, GUARD_CELLS, guardEvidence } from './guard.ts';
import { ROLLBACK_COMPONENTS } from './analysis-state.ts';

/** Where a stratum is counted, and what the analysis has read there. */
export interface GuardStratum {
  /** Statistics slots (telemetry/shared-stats.ts): canary bad, canary good, stable bad, stable good; -1 where it is not counted. */
  readonly failureSlots: readonly number[];
  /** Slots with the latencies of the canary and of stable. */
  readonly latencySlots: readonly number[];
  /** Health slot that cuts the canary off. */
  readonly killSlot: number;
  /** `GUARD_CELLS`: counted up to here. */
  readonly told: Float64Array;
}

export interface GuardOrder {
  /** Number of the run it belongs to. */
  readonly run: number;
  readonly guard: Guard;
  /** One for each of the guard's bets. */
  readonly strata: readonly GuardStratum[];
}

export interface Proof {
  /** log E. */
  readonly evidence: number;
  /** Unix time. */
  readonly atMs: number;
}

/** A release that has more strata open at once (weights within the last half minute) is watched by the control plane alone until the oldest closes. */
export const MAX_GUARD_STRATA = 6;

const TURN = 0;
const PROOF = 1;
/** Grows when strata are counted elsewhere than before. */
const PLACES = 2;
const CLAIMED = 1;
const WRITTEN = 2;

const THRESHOLD = 2;
const UNSPENT = 3;
const IS_TIMED = 4;
const STRATA = 5;
const PROOF_EVIDENCE = 6;
const PROOF_AT = 7;
const RUN = 8;
const STABLE_BUCKETS = 9;
const CANARY_BUCKETS = STABLE_BUCKETS + QUANTILES.length;
const COMPONENTS = CANARY_BUCKETS + QUANTILES.length;
const FIRST_STRATUM = COMPONENTS + ROLLBACK_COMPONENTS;

/** Within a stratum: four failure slots, two latency slots, kill slot, what was told, bets. */
const KILL = 6;
const TOLD = 7;
const BETS = TOLD + GUARD_CELLS;
const STRATUM_WORDS = BETS + 4 * ROLLBACK_COMPONENTS;

export const GUARD_BLOCK_BYTES = 8 * (FIRST_STRATUM + MAX_GUARD_STRATA * STRATUM_WORDS);

/** @param rollout `namespace/name` @param canary Subset. */
export function guardBlockName(rollout: string, canary: string): string {
  return `${GUARD_BLOCKS}${rollout}|${canary}`;
}

/** What the names of all guards begin with. */
export const GUARD_BLOCKS = 'guard|';

export class GuardBlock {
  readonly #flags: Int32Array;
  readonly #words: Float64Array;

  /** @param buffer `GUARD_BLOCK_BYTES`; zeros: no guard yet. */
  constructor(buffer: SharedArrayBuffer) {
    this.#flags = new Int32Array(buffer, 0, 4);
    this.#words = new Float64Array(buffer);
  }

  // --- control plane ------------------------------------------------------------------------------------------------------------------

  /** Another run: no guard, no proof. */
  reset(): void {
    this.withdraw();
    Atomics.store(this.#flags, PROOF, 0);
  }

  /** From here on nothing is proved by what was published. */
  withdraw(): void {
    if (isReadable(Atomics.load(this.#flags, TURN))) Atomics.add(this.#flags, TURN, 1);
  }

  publish({ run, guard, strata }: GuardOrder): void {
    this.withdraw();
    if (strata.length > MAX_GUARD_STRATA) return;
    const words = this.#words;
    words[RUN] = run;
    words[THRESHOLD] = guard.threshold;
    words[UNSPENT] = guard.unspent;
    words[IS_TIMED] = guard.stableBuckets.length > 0 ? 1 : 0;
    words.set(guard.stableBuckets, STABLE_BUCKETS);
    words.set(guard.canaryBuckets, CANARY_BUCKETS);
    words.set(guard.components, COMPONENTS);
    let isMoved = words[STRATA] !== strata.length;
    words[STRATA] = strata.length;
    for (const [index, { failureSlots, latencySlots, killSlot, told }] of strata.entries()) {
      const at = FIRST_STRATUM + index * STRATUM_WORDS;
      const slots = [...failureSlots, ...latencySlots, killSlot];
      isMoved ||= slots.some((slot, place) => words[at + place] !== slot);
      words.set(slots, at);
      words.set(told, at + TOLD);
      words.set(guard.bets[index] ?? [], at + BETS);
    }
    if (isMoved) Atomics.add(this.#flags, PLACES, 1);
    const turn = Atomics.load(this.#flags, TURN);
    Atomics.store(this.#flags, TURN, turn + (turn % 2 === 0 ? 2 : 1));
  }

  /** What a worker has found; undefined as long as none has. */
  get proof(): Proof | undefined {
    if (Atomics.load(this.#flags, PROOF) !== WRITTEN) return undefined;
    return { evidence: this.#words[PROOF_EVIDENCE] ?? 0, atMs: this.#words[PROOF_AT] ?? 0 };
  }

  // --- data plane ---------------------------------------------------------------------------------------------------------------------

  /** The guard's turn; undefined while there is none to go by, or it has proved already. */
  get turn(): number | undefined {
    const turn = Atomics.load(this.#flags, TURN);
    return isReadable(turn) && Atomics.load(this.#flags, PROOF) === 0 ? turn : undefined;
  }

  /** Another number: what was read before says nothing about where this one's strata are counted. */
  get places(): number {
    return Atomics.load(this.#flags, PLACES);
  }

  /** A copy, to be used after `isStill`. */
  read(): GuardOrder {
    const words = this.#words;
    const count = Math.min(MAX_GUARD_STRATA, words[STRATA] ?? 0);
    const isTimed = words[IS_TIMED] === 1;
    const buckets = (at: number): number[] => (isTimed ? [...words.subarray(at, at + QUANTILES.length)] : []);
    const starts = Array.from({ length: count }, (_, index) => FIRST_STRATUM + index * STRATUM_WORDS);
    return {
      run: words[RUN] ?? 0,
      guard: {
        threshold: words[THRESHOLD] ?? 0,
        unspent: words[UNSPENT] ?? 0,
        components: words.slice(COMPONENTS, COMPONENTS + ROLLBACK_COMPONENTS),
        bets: starts.map((at) => words.slice(at + BETS, at + STRATUM_WORDS)),
        stableBuckets: buckets(STABLE_BUCKETS),
        canaryBuckets: buckets(CANARY_BUCKETS),
      },
      strata: starts.map((at) => ({
        failureSlots: [...words.subarray(at, at + 4)],
        latencySlots: [...words.subarray(at + 4, at + KILL)],
        killSlot: words[at + KILL] ?? -1,
        told: words.slice(at + TOLD, at + TOLD + GUARD_CELLS),
      })),
    };
  }

  /** Whether nothing has changed since `turn` was taken. */
  isStill(turn: number): boolean {
    return Atomics.load(this.#flags, TURN) === turn;
  }

  /** The proof is there; of several workers that find it at once the first is believed. @returns Whether it was this one. */
  prove(evidence: number, atMs: number): boolean {
    if (Atomics.compareExchange(this.#flags, PROOF, 0, CLAIMED) !== 0) return false;
    this.#words[PROOF_EVIDENCE] = evidence;
    this.#words[PROOF_AT] = atMs;
    Atomics.store(this.#flags, PROOF, WRITTEN);
    return true;
  }
}

function isReadable(turn: number): boolean {
  return turn > 0 && turn % 2 === 0;
}

/** Evidence of an order, from what is counted by now. @param counted By stratum, `GUARD_CELLS` each, since start. */
export function orderEvidence({ guard, strata }: GuardOrder, counted: readonly Float64Array[]): number {
  return guardEvidence(
    guard,
    strata.map(({ told }, index) => (counted[index] ?? told).map((count, cell) => count - (told[cell] ?? 0))),
  );
}
