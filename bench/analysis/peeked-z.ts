/**
 * What many home-grown gates do: a two-proportion z-test at 1 % on the counts so far, looked at every ten seconds. A test made for one look, so
 * its 1 % is not kept; and counts of different weights are pooled.
 */
import type { Method, Outcome } from '../../src/simulate/method.ts';
import type { Requests } from '../../src/simulate/requests.ts';
import { Ladder } from './ladder.ts';

const CRITICAL = 2.326;
const LEAST_REQUESTS = 30;

export class PeekedZ implements Method {
  outcome: Outcome | undefined;
  readonly #ladder: Ladder;
  #canary = 0;
  #canaryFailures = 0;
  #stable = 0;
  #stableFailures = 0;

  constructor(stepS: number) {
    this.#ladder = new Ladder(stepS);
  }

  get weight(): number {
    return this.#ladder.weight;
  }

  tick(requests: Requests, canaryBelow: number, endS: number): number {
    let canary = 0;
    for (let i = 0; i < requests.count; i++) {
      if ((requests.arm[i] ?? 0) < canaryBelow) {
        canary++;
        this.#canaryFailures += requests.canaryFails[i] ?? 0;
      } else {
        this.#stableFailures += requests.stableFails[i] ?? 0;
      }
    }
    this.#canary += canary;
    this.#stable += requests.count - canary;
    if (endS % 10 === 0 && this.#isWorse()) this.outcome = { kind: 'stopped', atS: endS };
    else if (this.#ladder.climb(endS)) this.outcome = { kind: 'promoted', atS: endS };
    return canary;
  }

  #isWorse(): boolean {
    if (this.#canary < LEAST_REQUESTS || this.#stable < LEAST_REQUESTS) return false;
    const pooled = (this.#canaryFailures + this.#stableFailures) / (this.#canary + this.#stable);
    const deviation = Math.sqrt(pooled * (1 - pooled) * (1 / this.#canary + 1 / this.#stable));
    return (this.#canaryFailures / this.#canary - this.#stableFailures / this.#stable) / deviation > CRITICAL;
  }
}
