/**
 * How much a peer may ask for that costs work and leads to nothing (RFC 9113 §10.5): streams opened and taken back, PING, SETTINGS. Counted in windows; what a
 * client gets done in the same time earns it as much again, so that a busy one that cancels now and then is no attacker.
 */
const WINDOW_MS = 10_000;

export class AbuseBudget {
  readonly #limit: number;
  #windowEnds = 0;
  #spent = 0;
  #earned = 0;

  /** @param limit  In one window, whatever was earned. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  earn(now: number): void {
    this.#turn(now);
    this.#earned++;
  }

  /** @returns Whether it was too much. */
  spend(cost: number, now: number): boolean {
    this.#turn(now);
    this.#spent += cost;
    return this.#spent > this.#limit && this.#spent > this.#earned;
  }

  #turn(now: number): void {
    if (now < this.#windowEnds) return;
    this.#windowEnds = now + WINDOW_MS;
    this.#spent = 0;
    this.#earned = 0;
  }
}
