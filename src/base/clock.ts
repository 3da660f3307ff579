/**
 * Time as a value that can be handed in, so that nothing below `app/` reads the wall clock by itself.
 *
 * `nowMs` is wall time (epoch, ms; may jump); `monotonicMs` only ever grows and is what durations are measured with.
 */
export interface Clock {
  nowMs(): number;
  monotonicMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** A clock that moves only when told to; for tests and simulation. */
export class ManualClock implements Clock {
  #wallMs: number;
  #elapsedMs = 0;

  constructor(startMs = 0) {
    this.#wallMs = startMs;
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  advance(ms: number): void {
    this.#wallMs += ms;
    this.#elapsedMs += ms;
  }
}
