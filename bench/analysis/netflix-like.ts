/**
 * The published sequential tests of Netflix, on a ramp (their own use is a fixed allocation, so what the ramp costs is not their fault).
 *
 * Failures: Lindon & Malek (NeurIPS 2022), the label of each failure against Beta(k rho, k (1 - rho)), k = 100, a product over stages, at alpha/2.
 * Latency: Lindon, Sanden, Shirikian (KDD 2022), time-uniform bands around both distribution functions (Howard & Ramdas 2022, Theorem 2:
 * 0.85 sqrt((ln(1 + ln t) + C) / t), C = 0.8 ln(1612 / level)), pooled over stages, at alpha/2, one-sided.
 */
import { Ladder } from './ladder.ts';
import { logBeta } from './log-gamma.ts';
import { StepHistogram } from '../../src/simulate/method.ts';
import type { Method, Outcome } from '../../src/simulate/method.ts';
import type { Requests } from '../../src/simulate/requests.ts';

const ALPHA = 0.01;
const PRIOR = 100;
const ENOUGH = Math.log(2 / ALPHA);
/** Each arm's band has half of the latency test's share. */
const BAND_CONSTANT = 0.8 * Math.log(1612 / (ALPHA / 4));

export class NetflixLike implements Method {
  outcome: Outcome | undefined;
  readonly #ladder: Ladder;
  readonly #stable = new StepHistogram();
  readonly #canary = new StepHistogram();
  /** log evidence of the stages that are over. */
  #before = 0;
  #failures = 0;
  #canaryFailures = 0;
  #excess = 0;

  constructor(stepS: number) {
    this.#ladder = new Ladder(stepS);
  }

  get weight(): number {
    return this.#ladder.weight;
  }

  tick(requests: Requests, canaryBelow: number, endS: number): number {
    const { weight } = this;
    let canary = 0;
    for (let i = 0; i < requests.count; i++) {
      if ((requests.arm[i] ?? 0) < canaryBelow) {
        canary++;
        const fails = requests.canaryFails[i] ?? 0;
        this.#failures += fails;
        this.#canaryFailures += fails;
        this.#excess += fails * (1 - weight);
        if (fails === 0) this.#canary.add(requests.canaryStep[i] ?? 0);
      } else {
        const fails = requests.stableFails[i] ?? 0;
        this.#failures += fails;
        this.#excess -= fails * weight;
        if (fails === 0) this.#stable.add(requests.stableStep[i] ?? 0);
      }
    }
    const isWorse = this.#before + this.#stageEvidence() >= ENOUGH && this.#excess > 0;
    if (isWorse || (endS % 10 === 0 && this.#isSlower())) {
      this.outcome = { kind: 'stopped', atS: endS };
      return canary;
    }
    const step = this.#ladder.step;
    const evidence = this.#stageEvidence();
    if (this.#ladder.climb(endS)) this.outcome = { kind: 'promoted', atS: endS };
    if (this.#ladder.step !== step) {
      this.#before += evidence;
      this.#failures = 0;
      this.#canaryFailures = 0;
    }
    return canary;
  }

  #stageEvidence(): number {
    const rho = this.weight;
    const x = this.#canaryFailures;
    const rest = this.#failures - x;
    const mixture = logBeta(PRIOR * rho + x, PRIOR * (1 - rho) + rest) - logBeta(PRIOR * rho, PRIOR * (1 - rho));
    return mixture - x * Math.log(rho) - rest * Math.log(1 - rho);
  }

  #isSlower(): boolean {
    const canary = this.#canary.total;
    const stable = this.#stable.total;
    if (canary === 0 || stable === 0) return false;
    const width = band(canary) + band(stable);
    if (width >= 1) return false;
    let belowCanary = 0;
    let belowStable = 0;
    for (let step = 0; step < this.#canary.counts.length; step++) {
      belowCanary += this.#canary.counts[step] ?? 0;
      belowStable += this.#stable.counts[step] ?? 0;
      if (belowStable / stable - belowCanary / canary > width) return true;
    }
    return false;
  }
}

function band(t: number): number {
  return 0.85 * Math.sqrt((Math.log(1 + Math.log(t)) + BAND_CONSTANT) / t);
}
