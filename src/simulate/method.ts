/**
 * A way to decide about a release: Serin's, or a rival's. It sees its own canary's requests and chooses its own weight.
 */
import { STEPS } from './latency.ts';
import type { Requests } from './requests.ts';

export interface Method {
  /** Share the canary gets in the next tick. */
  readonly weight: number;
  /** Set once it has stopped or promoted the release; it gets no ticks after. */
  readonly outcome: Outcome | undefined;
  /** It has said that it cannot decide, and waits for somebody. */
  readonly isHeld?: boolean;
  /**
   * @param canaryBelow  A request is the canary's when its arm is below this.
   * @param endS         End of the tick, since the start of the canary.
   * @returns            Canary requests in the tick.
   */
  tick(requests: Requests, canaryBelow: number, endS: number): number;
  /** Stable-only traffic before the canary; only Serin learns from it. */
  before?(requests: Requests): void;
  /** The canary gets its first weight. */
  start?(): void;
}

export interface Outcome {
  /** `ended`: taken back because that is how the plan ends. */
  readonly kind: 'stopped' | 'promoted' | 'ended';
  readonly atS: number;
  /** Of a promotion: a rise of the failing share by this or more was ruled out before. Undefined: nothing was. */
  readonly ruledOut?: number | undefined;
}

/** Latency steps counted so that quantiles are exact. */
export class StepHistogram {
  readonly counts = new Float64Array(STEPS);
  total = 0;

  add(step: number): void {
    this.counts[step] = (this.counts[step] ?? 0) + 1;
    this.total++;
  }

  clear(): void {
    if (this.total > 0) this.counts.fill(0);
    this.total = 0;
  }

  /** Step of the q-quantile by nearest rank; undefined without data. */
  quantile(q: number): number | undefined {
    if (this.total === 0) return undefined;
    let left = Math.ceil(q * this.total);
    for (let step = 0; step < this.counts.length; step++) {
      left -= this.counts[step] ?? 0;
      if (left <= 0) return step;
    }
    return undefined;
  }
}

/** A canary's requests since the last check; latency is of those that did not fail, for every method alike. */
export class CanaryWindow {
  requests = 0;
  failures = 0;
  readonly latency = new StepHistogram();

  /** Adds a tick. @returns Canary requests in it. */
  add(requests: Requests, canaryBelow: number): number {
    let added = 0;
    for (let i = 0; i < requests.count; i++) {
      if ((requests.arm[i] ?? 0) >= canaryBelow) continue;
      added++;
      this.failures += requests.canaryFails[i] ?? 0;
      if (requests.canaryFails[i] !== 1) this.latency.add(requests.canaryStep[i] ?? 0);
    }
    this.requests += added;
    return added;
  }

  clear(): void {
    this.requests = 0;
    this.failures = 0;
    this.latency.clear();
  }
}
