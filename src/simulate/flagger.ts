/**
 * Flagger's decision rule (pkg/controller/scheduler.go at 15bd6ad): absolute thresholds on the canary alone, once an interval.
 *
 * Failed checks are counted over the whole run and never reset; the run is rolled back at the reconcile *after* the one that reached the threshold;
 * a good check raises the weight, and at the largest weight it starts the promotion. No data is a failed check. Given here: no scrape delay, no
 * interpolation of the p99, one reconcile exactly every interval.
 */
import { stepMiddleMs } from './latency.ts';
import { CanaryWindow } from './method.ts';
import type { Method, Outcome } from './method.ts';
import type { Requests } from './requests.ts';

export interface FlaggerOptions {
  readonly intervalS: number;
  readonly threshold: number;
  readonly stepWeight: number;
  readonly maxWeight: number;
  readonly minSuccess: number;
  readonly maxP99Ms: number;
}

/** The example of Flagger's documentation. */
export const FLAGGER_DOCS: FlaggerOptions = {
  intervalS: 60,
  threshold: 10,
  stepWeight: 0.05,
  maxWeight: 0.5,
  minSuccess: 0.99,
  maxP99Ms: 500,
};

/** As somebody would set it who knows stable's true failure rate and p99, which nobody does. */
export function flaggerTuned(knownFailing: number): FlaggerOptions {
  return { intervalS: 30, threshold: 3, stepWeight: 0.1, maxWeight: 0.5, minSuccess: 1 - knownFailing - 0.01, maxP99Ms: 307 };
}

export class Flagger implements Method {
  weight: number;
  outcome: Outcome | undefined;
  readonly #options: FlaggerOptions;
  readonly #window = new CanaryWindow();
  #failedChecks = 0;

  constructor(options: FlaggerOptions) {
    this.#options = options;
    this.weight = options.stepWeight;
  }

  tick(requests: Requests, canaryBelow: number, endS: number): number {
    const canary = this.#window.add(requests, canaryBelow);
    if (endS % this.#options.intervalS === 0) this.#reconcile(endS);
    return canary;
  }

  #reconcile(endS: number): void {
    const { threshold, stepWeight, maxWeight } = this.#options;
    if (this.#failedChecks >= threshold) this.outcome = { kind: 'stopped', atS: endS };
    else if (!this.#check()) this.#failedChecks++;
    else if (this.weight >= maxWeight - 1e-9) this.outcome = { kind: 'promoted', atS: endS };
    else this.weight += stepWeight;
    this.#window.clear();
  }

  #check(): boolean {
    const { requests, failures, latency } = this.#window;
    const p99 = latency.quantile(0.99);
    if (p99 === undefined) return false;
    return 1 - failures / requests >= this.#options.minSuccess && stepMiddleMs(p99) <= this.#options.maxP99Ms;
  }
}
