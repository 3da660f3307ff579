/**
 * How often a token may be refused: five times a second from one address, fifty times in all. Beyond that the answer is 429.
 *
 * A right token is always taken. Tokens have 256 random bits, so nobody gets in by asking often; but if a stranger's mistakes could lock an operator
 * out, they could keep a release from being taken back.
 */
const PER_ADDRESS = 5;
const IN_ALL = 50;
const WINDOW_MS = 1000;

export class FailureLimit {
  readonly #nowMs: () => number;
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #total = 0;
  /** Never more entries than `IN_ALL`. */
  readonly #byAddress = new Map<string, number>();

  /** @param nowMs Monotonic. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Counts one; false when it is one too many. */
  mayFail(address: string): boolean {
    const nowMs = this.#nowMs();
    if (nowMs - this.#windowStartMs >= WINDOW_MS) {
      this.#windowStartMs = nowMs;
      this.#total = 0;
      this.#byAddress.clear();
    }
    const count = (this.#byAddress.get(address) ?? 0) + 1;
    if (this.#total >= IN_ALL || count > PER_ADDRESS) return false;
    this.#total++;
    this.#byAddress.set(address, count);
    return true;
  }
}
