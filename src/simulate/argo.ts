/**
 * Argo Rollouts' decision rule (analysis/analysis.go at 9f8d111): steps on a timer, with a background analysis beside them.
 *
 * Each metric counts its failed measurements over the whole run and fails it when there are *more* than `failureLimit`; a measurement without data
 * is NaN, which no comparison passes. When the last pause is over the release is promoted and a running analysis counts as a success.
 */
import { stepMiddleMs } from './latency.ts';
import { CanaryWindow } from './method.ts';
import type { Method, Outcome } from './method.ts';
import type { Requests } from './requests.ts';

export interface ArgoOptions {
  readonly weights: readonly number[];
  readonly pauseS: number;
  readonly intervalS: number;
  readonly minSuccess: number;
  readonly maxP99Ms: number;
  readonly failureLimit: number;
}

/** The example of the documentation, with shorter interval and pauses (documented: 5 and 10 minutes), which favours it. */
export const ARGO_DOCS: ArgoOptions = {
  weights: [0.2, 0.4, 0.6, 0.8],
  pauseS: 300,
  intervalS: 60,
  minSuccess: 0.95,
  maxP99Ms: 500,
  failureLimit: 3,
};

/** As somebody would set it who knows stable's true failure rate and p99. */
export function argoTuned(knownFailing: number): ArgoOptions {
  return {
    weights: [0.05, 0.1, 0.25, 0.5],
    pauseS: 90,
    intervalS: 30,
    minSuccess: 1 - knownFailing - 0.01,
    maxP99Ms: 307,
    failureLimit: 2,
  };
}

export class Argo implements Method {
  weight: number;
  outcome: Outcome | undefined;
  readonly #options: ArgoOptions;
  readonly #window = new CanaryWindow();
  #step = 0;
  #failedSuccessRate = 0;
  #failedLatency = 0;

  constructor(options: ArgoOptions) {
    this.#options = options;
    this.weight = options.weights[0] ?? 0;
  }

  tick(requests: Requests, canaryBelow: number, endS: number): number {
    const { intervalS, pauseS, weights } = this.#options;
    const canary = this.#window.add(requests, canaryBelow);
    if (endS % intervalS === 0) this.#measure(endS);
    if (this.outcome === undefined && endS % pauseS === 0) {
      const next = weights[++this.#step];
      if (next === undefined) this.outcome = { kind: 'promoted', atS: endS };
      else this.weight = next;
    }
    return canary;
  }

  #measure(endS: number): void {
    const { minSuccess, maxP99Ms, failureLimit } = this.#options;
    const { requests, failures, latency } = this.#window;
    const p99 = latency.quantile(0.99);
    // Comparisons with NaN are false, so no data fails both.
    if (!(1 - failures / requests >= minSuccess)) this.#failedSuccessRate++;
    if (!((p99 === undefined ? Number.NaN : stepMiddleMs(p99)) <= maxP99Ms)) this.#failedLatency++;
    if (this.#failedSuccessRate > failureLimit || this.#failedLatency > failureLimit) this.outcome = { kind: 'stopped', atS: endS };
    this.#window.clear();
  }
}
