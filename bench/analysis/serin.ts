/**
 * Serin's own analysis (src/rollout) with its default ramp, on the simulated requests: the product's code, none of it rewritten for the benchmark.
 */
import { automaticWeights, DEFAULT_ANALYSIS, WARMUP_WEIGHT } from '../../src/rollout/analysis-spec.ts';
import type { AnalysisSpec } from '../../src/rollout/analysis-spec.ts';
import { newAnalysis } from '../../src/rollout/analysis-state.ts';
import type { AnalysisState } from '../../src/rollout/analysis-state.ts';
import { beginStage, observe, startCanary } from '../../src/rollout/analysis.ts';
import { decide } from '../../src/rollout/analysis-decision.ts';
import type { Ruling } from '../../src/rollout/analysis-decision.ts';
import { newArmCounts, newUserCounts } from '../../src/rollout/observation.ts';
import type { ArmCounts } from '../../src/rollout/observation.ts';
import { UserLedger } from '../../src/rollout/user-ledger.ts';
import { BUCKET_OF_STEP } from './latency.ts';
import type { Method, Outcome } from './method.ts';
import type { Requests } from './requests.ts';
import type { Scenario, Users } from './scenarios.ts';

export interface SerinOptions {
  readonly spec: AnalysisSpec;
  readonly weights: readonly number[];
  readonly warmupS: number;
  readonly minimumS: number;
  readonly bakeS: number;
  /** Off to measure what the advance test lets through on its own. */
  readonly rollsBack: boolean;
}

const DEFAULT_WEIGHTS = [0.05, 0.1, 0.25, 0.5];
const HOUR_MS = 3_600_000;

/** Serin as it comes; in low traffic with the long times one would choose there. */
export function serinOptions(
  scenario: Scenario,
  ramp: 'fixed' | 'auto' = 'fixed',
  ratePerS = scenario.low ? 100 / 3600 : 100,
): SerinOptions {
  const weights = ramp === 'auto' ? automaticWeights(ratePerS) : DEFAULT_WEIGHTS;
  const plannedStages = weights.length;
  if (scenario.low) {
    const spec: AnalysisSpec = {
      ...DEFAULT_ANALYSIS,
      plannedStages,
      warmupMs: 0,
      blockMs: 600_000,
      baselineHalfLifeMs: 24 * HOUR_MS,
      relaxAfterMs: [0, HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS],
    };
    return { spec, weights, warmupS: 0, minimumS: 3600, bakeS: 3600, rollsBack: true };
  }
  const spec: AnalysisSpec = { ...DEFAULT_ANALYSIS, plannedStages, assignment: scenario.sticky ? 'user' : 'request' };
  return { spec, weights, warmupS: 45, minimumS: 60, bakeS: 180, rollsBack: true };
}

export class Serin implements Method {
  weight = 0;
  outcome: Outcome | undefined;
  /** Set when it stopped because of the traffic share. */
  cause: Ruling['cause'] | undefined;
  readonly state: AnalysisState;
  readonly #options: SerinOptions;
  readonly #users: Users | undefined;
  readonly #ledger: UserLedger | undefined;
  readonly #stratum = {
    weight: 0,
    stable: newArmCounts(),
    canary: newArmCounts(),
    users: { stable: newUserCounts(), canary: newUserCounts() },
  };
  readonly #observation;
  #step = -1;

  constructor(options: SerinOptions, tickS: number, users: Users | undefined) {
    this.#options = options;
    this.#users = users;
    this.#ledger = users === undefined ? undefined : new UserLedger();
    this.state = newAnalysis(options.spec);
    const { weight, stable, canary } = this.#stratum;
    this.#observation = { durationMs: 1000 * tickS, strata: users === undefined ? [{ weight, stable, canary }] : [this.#stratum] };
  }

  before(requests: Requests): void {
    this.#observe(requests, 0, false);
  }

  tick(requests: Requests, canaryBelow: number, endS: number): number {
    if (this.#step < 0 && this.weight === 0) throw new Error('start() comes before the first tick');
    const canary = this.#observe(requests, canaryBelow, true);
    const ruling = decide(this.state);
    const stops = ruling.cause === 'traffic' || (ruling.decision === 'rollback' && this.#options.rollsBack);
    if (stops) {
      this.outcome = { kind: 'stopped', atS: endS };
      this.cause = ruling.cause;
    } else if (this.#step < 0 ? endS >= this.#options.warmupS : ruling.decision === 'safe' || this.#isCleared(ruling)) {
      this.#advance(endS);
    }
    return canary;
  }

  /** The canary gets its first weight. */
  start(): void {
    startCanary(this.state);
    if (this.#options.warmupS === 0) {
      this.#advance(0);
      return;
    }
    this.weight = WARMUP_WEIGHT;
    const nextWeight = Math.max(this.#options.weights[0] ?? 0.5, WARMUP_WEIGHT * 1.01);
    beginStage(this.state, { weight: WARMUP_WEIGHT, nextWeight, minimumMs: 1000 * this.#options.warmupS });
  }

  /** With rollbacks switched off, a latched rollback must not keep the advance test from speaking. */
  #isCleared(ruling: Ruling): boolean {
    if (this.#options.rollsBack || ruling.decision !== 'rollback') return false;
    const { rollback } = this.state;
    const peak = rollback.peak;
    rollback.peak = 0;
    const cleared = decide(this.state).decision === 'safe';
    rollback.peak = peak;
    return cleared;
  }

  #advance(endS: number): void {
    const { weights, minimumS, bakeS } = this.#options;
    this.#step++;
    const weight = weights[this.#step];
    if (weight === undefined) {
      this.outcome = { kind: 'promoted', atS: endS };
      return;
    }
    this.weight = weight;
    const nextWeight = weights[this.#step + 1] ?? 1;
    beginStage(this.state, { weight, nextWeight, minimumMs: 1000 * (nextWeight === 1 ? bakeS : minimumS) });
    this.#ledger?.beginStage();
  }

  #observe(requests: Requests, canaryBelow: number, started: boolean): number {
    const { stable, canary } = this.#stratum;
    clear(stable);
    clear(canary);
    if (this.#ledger === undefined) fill(requests, canaryBelow, stable, canary);
    else this.#fillByUser(requests, canaryBelow, started);
    const [stratum] = this.#observation.strata;
    if (stratum !== undefined) stratum.weight = this.weight;
    observe(this.state, this.#observation);
    return canary.requests;
  }

  #fillByUser(requests: Requests, canaryBelow: number, started: boolean): void {
    const { users } = this.#stratum;
    for (const counts of [users.stable, users.canary]) {
      counts.firstSeen = 0;
      counts.firstFailures = 0;
      counts.firstLatency.clear();
      clear(counts.capped);
    }
    fill(requests, canaryBelow, this.#stratum.stable, this.#stratum.canary);
    if (!started) return;
    const isWarm = this.state.elapsedMs >= this.#options.spec.warmupMs;
    for (let i = 0; i < requests.count; i++) {
      const hash = this.#users?.hash[requests.user[i] ?? 0] ?? 0;
      const isCanary = (requests.arm[i] ?? 0) < canaryBelow;
      const fails = (isCanary ? requests.canaryFails[i] : requests.stableFails[i]) === 1;
      const step = (isCanary ? requests.canaryStep[i] : requests.stableStep[i]) ?? 0;
      this.#ledger?.record(
        isCanary ? users.canary : users.stable,
        hash,
        fails ? 'status5xx' : undefined,
        BUCKET_OF_STEP[step] ?? 0,
        isWarm,
      );
    }
  }
}

function fill(requests: Requests, canaryBelow: number, stable: ArmCounts, canary: ArmCounts): void {
  const { arm, stableFails, canaryFails, stableStep, canaryStep, count } = requests;
  for (let i = 0; i < count; i++) {
    if ((arm[i] ?? 0) < canaryBelow) {
      canary.requests++;
      if (canaryFails[i] === 1) canary.failures.status5xx++;
      else canary.latency.add(BUCKET_OF_STEP[canaryStep[i] ?? 0] ?? 0, 1);
    } else {
      stable.requests++;
      if (stableFails[i] === 1) stable.failures.status5xx++;
      else stable.latency.add(BUCKET_OF_STEP[stableStep[i] ?? 0] ?? 0, 1);
    }
  }
}

function clear(counts: ArmCounts): void {
  counts.requests = 0;
  counts.failures.status5xx = 0;
  counts.latency.clear();
}
