/**
 * How long to wait before a process that ended is started again: 100 ms, doubled with every start that did not last, up to 30 s, and up to a fifth
 * more by chance, so that several that fell together do not get up together. Never less than the doubling alone: that is what holds a process that
 * ends at once to 10 starts in its first minute (at 0, 0.1, 0.3, 0.7, … 25.5 and 51.1 s).
 */
import type { Random } from '../base/random.ts';

const FIRST_MS = 100;
const MAX_MS = 30_000;
const JITTER = 0.2;

export class Backoff {
  readonly #random: Random;
  #nextMs = FIRST_MS;

  constructor(random: Random) {
    this.#random = random;
  }

  next(): number {
    const ms = this.#nextMs;
    this.#nextMs = Math.min(ms * 2, MAX_MS);
    return Math.min(ms * (1 + JITTER * this.#random()), MAX_MS);
  }

  /** The last start did last. */
  reset(): void {
    this.#nextMs = FIRST_MS;
  }
}
