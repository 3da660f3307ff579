/** What an attempt waits for besides its upstream: the end of a pause before it, and the end of its own time. One object a client connection. */
import type { DataPlaneContext } from './context.ts';
import { Deadline } from './deadline-wheel.ts';

export interface AttemptTimes {
  onPauseOver(): void;
  onAttemptTimeUp(): void;
}

const NEVER = Number.POSITIVE_INFINITY;

export class AttemptTimer {
  readonly #context: DataPlaneContext;
  readonly #times: AttemptTimes;
  readonly #deadline = new Deadline(() => this.#onDeadline());
  #pausedUntil = NEVER;
  #endsAt = NEVER;

  constructor(context: DataPlaneContext, times: AttemptTimes) {
    this.#context = context;
    this.#times = times;
  }

  get isPaused(): boolean {
    return this.#pausedUntil !== NEVER;
  }

  pause(ms: number): void {
    this.#pausedUntil = this.#context.now() + ms;
    this.#set();
  }

  /** The attempt's time runs from here, unless it does already. */
  limit(ms: number): void {
    if (this.#endsAt !== NEVER) return;
    this.#endsAt = this.#context.now() + ms;
    this.#set();
  }

  clear(): void {
    if (this.#pausedUntil === NEVER && this.#endsAt === NEVER) return;
    this.#pausedUntil = NEVER;
    this.#endsAt = NEVER;
    this.#context.wheel.clear(this.#deadline);
  }

  #set(): void {
    this.#context.wheel.set(this.#deadline, Math.min(this.#pausedUntil, this.#endsAt));
  }

  #onDeadline(): void {
    const now = this.#context.now();
    if (this.#endsAt <= now) {
      this.clear();
      this.#times.onAttemptTimeUp();
      return;
    }
    const isOver = this.#pausedUntil <= now;
    if (isOver) this.#pausedUntil = NEVER;
    if (this.#endsAt !== NEVER || this.isPaused) this.#set();
    if (isOver) this.#times.onPauseOver();
  }
}
