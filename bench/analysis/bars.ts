/**
 * What the analysis must achieve, as checks on the findings.
 *
 * Limits are for a full run. A short run has few replications, so shares get the slack of a binomial count (a true value at the limit passes with
 * probability 0.999) and times and harms half as much again: it finds what is broken, not what is a little off.
 */
import { CATASTROPHES } from './catastrophe.ts';
import type { Findings } from './findings.ts';
import type { MethodName } from './replicate.ts';
import { isRare, rateName, RATES } from './rates.ts';
import { SCENARIOS } from './scenarios.ts';
import { mean, promotedShare, quantile, stoppedShare } from '../../src/simulate/tally.ts';
import type { Tally } from '../../src/simulate/tally.ts';
import { BOUNDARY_WORLDS, DAYS, MARGIN_WORLDS } from './validity.ts';

export interface Bar {
  readonly id: string;
  readonly what: string;
  readonly measured: string;
  readonly limit: string;
  readonly holds: boolean;
}

/** Slack of a run that is too short for the limits as they stand. */
const SHORT_FACTOR = 1.5;

export function bars(findings: Findings, isShort: boolean): Bar[] {
  return new Judge(findings, isShort).bars();
}

class Judge {
  readonly #findings: Findings;
  readonly #isShort: boolean;
  readonly #bars: Bar[] = [];

  constructor(findings: Findings, isShort: boolean) {
    this.#findings = findings;
    this.#isShort = isShort;
  }

  bars(): Bar[] {
    this.#falseStops();
    this.#ville();
    this.#catastrophes();
    this.#detection();
    this.#harm();
    this.#times();
    this.#promotion();
    this.#margins();
    this.#rates();
    this.#engine();
    return this.#bars;
  }

  #falseStops(): void {
    const good = SCENARIOS.filter((each) => each.good);
    for (const { id } of good) {
      const { stoppedAtS, replications } = this.#findings.serin(id);
      this.#atMostShare('S1', `${id}: good release stopped`, stoppedAtS.length, replications, 0.01);
    }
    const stopped = good.reduce((sum, { id }) => sum + this.#findings.serin(id).stoppedAtS.length, 0);
    const replications = good.reduce((sum, { id }) => sum + this.#findings.serin(id).replications, 0);
    this.#atMostShare('S1', 'mean over the good worlds', stopped, replications, 0.005);
  }

  #ville(): void {
    const worlds = [
      ...BOUNDARY_WORLDS.map((id, i) => ({ name: `${id}, 30 min, all metrics`, peaks: this.#findings.values('boundary', i) })),
      ...DAYS.map(({ weight, failing }, i) => ({
        name: `24 h, errors, weight ${percent(weight)}, failing ${percent(failing)}`,
        peaks: this.#findings.values('day', i),
      })),
    ];
    for (const { name, peaks } of worlds) {
      for (const level of [0.2, 0.1, 0.05, 0.02, 0.01]) {
        const reached = peaks.filter(([peak = 0]) => peak >= Math.log(1 / level)).length;
        const error = Math.sqrt((level * (1 - level)) / peaks.length);
        this.#atMostShare('S2', `${name}: evidence ever ${1 / level}`, reached, peaks.length, level + 2 * error);
      }
    }
  }

  #catastrophes(): void {
    for (const [i, { weight, base, failing }] of CATASTROPHES.entries()) {
      if (failing < 1 || base > 0.01) continue;
      const limits = CATASTROPHE_LIMITS[weight];
      if (limits === undefined) continue;
      const found = this.#findings.values('catastrophe', i);
      const canary = found.map(([requests = Number.NaN]) => requests);
      const seconds = found.map(([, time = Number.NaN]) => time);
      const name = `all fail, weight ${percent(weight)}, base ${percent(base)}`;
      if (limits.median !== undefined) this.#atMost('S3', `${name}: canary requests, median`, quantile(canary, 0.5), limits.median, '');
      this.#atMost('S3', `${name}: canary requests, p99`, quantile(canary, 0.99), limits.p99, '');
      this.#atMost('S3', `${name}: seconds, p99`, quantile(seconds, 0.99), limits.seconds, ' s');
    }
  }

  #detection(): void {
    for (const { id, good } of SCENARIOS) {
      if (good) continue;
      const { stoppedAtS, replications } = this.#findings.serin(id);
      const least = id === 'R_05_1' || id === 'R_tail20' ? 0.97 : 0.99;
      this.#atLeastShare('S4', `${id}: bad release stopped`, stoppedAtS.length, replications, least);
    }
  }

  #harm(): void {
    for (const { id, good, low, deliveredShare } of SCENARIOS) {
      // In low traffic the rivals stop every release, good or bad, for want of data; without harm there is nothing to compare.
      if (good || low || deliveredShare < 1) continue;
      const harm = mean(this.#findings.serin(id).harm);
      const limit = HARM_LIMITS[id];
      if (limit !== undefined) this.#atMost(id === 'R_05_1' ? 'S5' : 'S6', `${id}: harmed requests`, harm, limit, '');
      const factor = MUCH_LESS_HARM.has(id) ? 0.1 : 0.3;
      if (id !== 'R_05_1') this.#atMost('S5', `${id}: harm over Flagger docs'`, harm / this.#harmOf(id, 'Flagger docs'), factor, '');
      this.#atMost('S5', `${id}: harm over Flagger tuned's`, harm / this.#harmOf(id, 'Flagger tuned'), 0.8, '');
    }
  }

  #times(): void {
    for (const [id, limit] of Object.entries(TIME_LIMITS)) {
      this.#atMost('S7', `${id}: median time to the stop`, quantile(this.#findings.serin(id).stoppedAtS, 0.5), limit, ' s');
    }
  }

  #promotion(): void {
    for (const id of ['AA_01', 'AA_1', 'AA_outage', 'AA_cold']) {
      const tally = this.#findings.serin(id);
      this.#atMost('S8', `${id}: median time to promotion`, quantile(tally.promotedAtS, 0.5), 450, ' s');
      this.#promoted(id, tally, 0.99);
    }
    this.#promoted('AA_5', this.#findings.serin('AA_5'), 0.95);
    this.#promoted('AA_sticky', this.#findings.serin('AA_sticky'), 0.9);
    const automatic = this.#findings.scenario('AA_low', 'Serin auto');
    this.#atMost('S8', 'AA_low, automatic weights: median time to promotion', quantile(automatic?.promotedAtS ?? [], 0.5), 14_400, ' s');
  }

  #margins(): void {
    for (const [i, { id, sticky }] of MARGIN_WORLDS.entries()) {
      const found = this.#findings.values('margin', i);
      const promoted = found.filter(([isPromoted]) => isPromoted === 1).length;
      const slack = sticky ? 0 : 2 * Math.sqrt((0.05 * 0.95) / found.length);
      this.#atMostShare('S9', `${id}: promoted as if a regression of that size were ruled out`, promoted, found.length, 0.05 + slack);
    }
  }

  #rates(): void {
    for (const [i, rate] of RATES.entries())
      if (!isRare(rate))
        this.#atMost('S10', `+2 points at ${rateName(rate)}: harmed requests`, mean(this.#findings.rate(i, false).harm), 40, '');
  }

  #engine(): void {
    const { tickUs, memoryBytes, encodedBytes, boundaryError } = this.#findings.cost;
    this.#atMost('S11', 'time a tick of a rollout', tickUs, 50, ' us');
    this.#atMost('S11', 'state in memory', memoryBytes / 1024, 64, ' KB');
    this.#atMost('S11', 'state on disk', encodedBytes / 1024, 64, ' KB');
    this.#add(
      'S11',
      'boundary expectation, 1,000 designs: distance from 1',
      boundaryError.toExponential(1),
      '<= 1e-9',
      boundaryError <= 1e-9,
    );
    const restarts = this.#findings.values('restart', 0);
    const unseen = restarts.filter(([isSame]) => isSame === 1).length;
    this.#add(
      'S12',
      'same decisions with restarts at random ticks',
      `${unseen} of ${restarts.length}`,
      'all',
      restarts.length > 0 && unseen === restarts.length,
    );
  }

  #harmOf(id: string, method: MethodName): number {
    return mean(this.#findings.scenario(id, method)?.harm ?? []);
  }

  #promoted(id: string, tally: Tally, least: number): void {
    this.#atLeastShare('S8', `${id}: promoted in time`, tally.promotedAtS.length, tally.replications, least);
  }

  #atMost(id: string, what: string, measured: number, limit: number, unit: string): void {
    const holds = measured <= limit * (this.#isShort ? SHORT_FACTOR : 1);
    this.#add(id, what, `${digits(measured)}${unit}`, `<= ${limit}${unit}`, holds);
  }

  #atMostShare(id: string, what: string, count: number, of: number, limit: number): void {
    const most = this.#isShort ? binomialQuantile(of, limit, 0.999) : limit * of + 1e-9;
    this.#add(id, what, `${percent(count / of)} (${count} of ${of})`, `<= ${percent(limit)}`, of > 0 && count <= most);
  }

  #atLeastShare(id: string, what: string, count: number, of: number, limit: number): void {
    const mostMissing = this.#isShort ? binomialQuantile(of, 1 - limit, 0.999) : (1 - limit) * of + 1e-9;
    this.#add(id, what, `${percent(count / of)} (${count} of ${of})`, `>= ${percent(limit)}`, of > 0 && of - count <= mostMissing);
  }

  #add(id: string, what: string, measured: string, limit: string, holds: boolean): void {
    this.#bars.push({ id, what, measured, limit, holds });
  }
}

const CATASTROPHE_LIMITS: Readonly<Record<number, { readonly median?: number; readonly p99: number; readonly seconds: number }>> = {
  0.01: { median: 3, p99: 5, seconds: 8 },
  0.05: { p99: 6, seconds: 2 },
  0.5: { p99: 20, seconds: 0.5 },
};

const HARM_LIMITS: Readonly<Record<string, number>> = {
  R_05_1: 130,
  R_fail: 5,
  R_x10_1: 10,
  R_x10: 15,
  R_2_1: 20,
  R_05_01: 25,
  R_lat20: 20,
  R_lat3: 35,
  R_leak: 40,
  R_late: 40,
};

const MUCH_LESS_HARM = new Set(['R_05_01', 'R_x10', 'R_x10_1', 'R_fail', 'R_lat20', 'R_lat3', 'R_late']);

const TIME_LIMITS: Readonly<Record<string, number>> = { R_fail: 5, R_x10_1: 70, R_2_1: 180, R_lat3: 55, R_lat20: 190, R_tail20: 480 };

/** Smallest k with P(Binomial(n, p) <= k) >= q. */
function binomialQuantile(n: number, p: number, q: number): number {
  let probability = (1 - p) ** n;
  let sum = probability;
  let k = 0;
  while (sum < q && k < n) {
    probability *= ((n - k) / (k + 1)) * (p / (1 - p));
    k++;
    sum += probability;
  }
  return k;
}

/** Three figures; plain. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return String(Number(value.toPrecision(3)));
}

export function percent(share: number): string {
  return Number.isFinite(share) ? `${Number((100 * share).toPrecision(3))} %` : '-';
}

/** Share of releases stopped, as a number of percent. */
export function stoppedPercent(tally: Tally): string {
  return digits(100 * stoppedShare(tally));
}

export function promotedPercent(tally: Tally): string {
  return digits(100 * promotedShare(tally));
}
