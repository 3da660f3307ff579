/**
 * Notices when this process itself stood still: a blocked event loop, a stopped or starved process, a machine that slept.
 *
 * Whoever waits for an answer with a timer needs this to tell "nothing came" from "nobody was there to take it" (a late timer runs before
 * the bytes that arrived meanwhile are read).
 */
import type { Clock } from '../base/clock.ts';

const TICK_MS = 100;
/** Later than this is not the ordinary jitter of a busy machine. */
const TOLERANCE_MS = 100;

export class LoopWatch {
  readonly #clock: Clock;
  readonly #timer: NodeJS.Timeout;
  #tickAtMs: number;
  #blockEndedAtMs = Number.NEGATIVE_INFINITY;

  /** Starts watching; `close` ends it. Keeps no process alive. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#tickAtMs = clock.monotonicMs();
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** Whether the loop stood still at any time since `sinceMs` (monotonic), up to and including this very turn. */
  wasBlockedSince(sinceMs: number): boolean {
    this.#tick();
    return this.#blockEndedAtMs >= sinceMs;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = this.#clock.monotonicMs();
    if (now - this.#tickAtMs > TICK_MS + TOLERANCE_MS) this.#blockEndedAtMs = now;
    this.#tickAtMs = now;
  }
}
