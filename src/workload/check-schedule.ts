/**
 * When health checks are due, so that many endpoints never make a herd: not at start, not later, not after a pause.
 *
 * Each endpoint has a place of its own on the time line and is checked near `start + n * interval` for ever. The jitter is around that
 * place and is not carried over, because places that wander independently end up bunched together.
 *
 * Pure: the caller brings time and randomness, and sets the timers.
 */
import type { Random } from '../base/random.ts';

/** Endpoints that appear together get their first check this far apart: 1,000 a second at most. */
const START_SPACING_MS = 1;
/** Each check is up to this share of the interval early or late; more would let 10,000 endpoints bunch up beyond 1.1 times their mean rate. */
const JITTER = 0.02;

/** How long the `index`-th of several new endpoints waits for its first check, ms; always within one interval. */
export function startDelayMs(index: number, intervalMs: number, random: Random): number {
  return ((index + random()) * START_SPACING_MS) % intervalMs;
}

export class CheckSchedule {
  readonly #startMs: number;
  readonly #intervalMs: number;
  readonly #random: Random;
  #round = 0;

  /** @param startMs  When the first check is due. */
  constructor(startMs: number, intervalMs: number, random: Random) {
    this.#startMs = startMs;
    this.#intervalMs = intervalMs;
    this.#random = random;
  }

  /** When to check next, always after `nowMs`. Rounds that were missed are left out, not made up for. */
  nextMs(nowMs: number): number {
    this.#round = Math.max(this.#round + 1, Math.floor((nowMs - this.#startMs) / this.#intervalMs) + 1);
    const dueMs = this.#startMs + (this.#round + (this.#random() - 0.5) * 2 * JITTER) * this.#intervalMs;
    return Math.max(dueMs, nowMs + (JITTER / 2) * this.#intervalMs);
  }
}
