/** Weights raised on a timer, for the methods that bring no ramp of their own. */
const WEIGHTS = [0.05, 0.1, 0.25, 0.5];

export class Ladder {
  readonly #stepS: number;
  #step = 0;

  constructor(stepS: number) {
    this.#stepS = stepS;
  }

  get weight(): number {
    return WEIGHTS[this.#step] ?? 0.5;
  }

  /** Position in the ladder; grows by one a step. */
  get step(): number {
    return this.#step;
  }

  /** Goes on when the time has come; true when the last step is over. */
  climb(endS: number): boolean {
    if (endS % this.#stepS !== 0) return false;
    this.#step++;
    return this.#step >= WEIGHTS.length;
  }
}
