/**
 * Kayenta's judge (NetflixACAJudge-v1.0 at a69573b) on a canary and an equally large, separate baseline.
 *
 * Per metric and side a series of interval summaries; Mann-Whitney at confidence 0.98 with tolerance 0.25, both hard-coded there; metrics that are
 * not High pass; groups score the passing share, the summary is their weighted sum. The pipeline aborts below `marginal` at any judgement
 * and wants `pass` at the last. Half of the metrics without data is a score of 0.
 */
import { normalQuantile } from '../../src/stats/normal.ts';
import { stepMiddleMs } from '../../src/simulate/latency.ts';
import { shiftOf } from './mann-whitney.ts';
import { StepHistogram } from '../../src/simulate/method.ts';
import type { Method, Outcome } from '../../src/simulate/method.ts';
import type { Requests } from '../../src/simulate/requests.ts';

export interface KayentaOptions {
  readonly pointS: number;
  readonly judgeS: number;
  readonly judgements: number;
}

export const KAYENTA: KayentaOptions = { pointS: 30, judgeS: 600, judgements: 3 };
export const KAYENTA_LOW: KayentaOptions = { pointS: 1800, judgeS: 28_800, judgements: 3 };

const WEIGHT = 0.1;
const MARGINAL = 75;
const PASS = 95;
const TOLERANCE = 0.25;
const Z = normalQuantile(0.99);
/** Brent's tolerance there: below it two roots are the same. */
const SAME = 1e-4;

/** One side's summaries: failing %, p50 and p99 in ms. */
class Side {
  readonly series: readonly [number[], number[], number[]] = [[], [], []];
  readonly #latency = new StepHistogram();
  #requests = 0;
  #failures = 0;

  add(fails: number, step: number): void {
    this.#requests++;
    this.#failures += fails;
    if (fails === 0) this.#latency.add(step);
  }

  closePoint(): void {
    const p50 = this.#latency.quantile(0.5);
    const p99 = this.#latency.quantile(0.99);
    // A point without requests is NaN, and NaN is removed.
    if (this.#requests > 0) this.series[0].push((100 * this.#failures) / this.#requests);
    if (p50 !== undefined) this.series[1].push(stepMiddleMs(p50));
    if (p99 !== undefined) this.series[2].push(stepMiddleMs(p99));
    this.#requests = 0;
    this.#failures = 0;
    this.#latency.clear();
  }
}

type Classification = 'pass' | 'high' | 'nodata';

export class Kayenta implements Method {
  readonly weight = WEIGHT;
  outcome: Outcome | undefined;
  readonly #options: KayentaOptions;
  readonly #canary = new Side();
  readonly #baseline = new Side();

  constructor(options: KayentaOptions) {
    this.#options = options;
  }

  tick(requests: Requests, canaryBelow: number, endS: number): number {
    const baselineFrom = WEIGHT * 4294967296;
    const baselineBelow = 2 * baselineFrom;
    let canary = 0;
    for (let i = 0; i < requests.count; i++) {
      const arm = requests.arm[i] ?? 0;
      if (arm < canaryBelow) {
        canary++;
        this.#canary.add(requests.canaryFails[i] ?? 0, requests.canaryStep[i] ?? 0);
      } else if (arm >= baselineFrom && arm < baselineBelow) {
        this.#baseline.add(requests.stableFails[i] ?? 0, requests.stableStep[i] ?? 0);
      }
    }
    const { pointS, judgeS, judgements } = this.#options;
    if (endS % pointS === 0) {
      this.#canary.closePoint();
      this.#baseline.closePoint();
    }
    if (endS % judgeS === 0) {
      const score = this.#score();
      const isLast = endS >= judgeS * judgements;
      if (score < (isLast ? PASS : MARGINAL)) this.outcome = { kind: 'stopped', atS: endS };
      else if (isLast) this.outcome = { kind: 'promoted', atS: endS };
    }
    return canary;
  }

  #score(): number {
    const found = [0, 1, 2].map((metric) => classify(this.#canary.series[metric] ?? [], this.#baseline.series[metric] ?? []));
    if (found.filter((each) => each === 'nodata').length * 2 >= found.length) return 0;
    const [errors, ...latency] = found;
    return 50 * (errors === 'pass' ? 1 : 0) + (50 * latency.filter((each) => each === 'pass').length) / latency.length;
  }
}

function classify(canary: readonly number[], baseline: readonly number[]): Classification {
  if (canary.length === 0 || baseline.length === 0) return 'nodata';
  if (sameSample(canary, baseline)) return 'pass';
  const { low, estimate } = shiftOf(canary, baseline, Z);
  const ratio = mean(canary) / mean(baseline);
  return low > TOLERANCE * Math.abs(estimate) + SAME && !(ratio < 1) ? 'high' : 'pass';
}

function sameSample(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  const left = a.toSorted((x, y) => x - y);
  const right = b.toSorted((x, y) => x - y);
  return left.every((value, i) => value === right[i]);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
