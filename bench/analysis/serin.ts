/**
 * Serin's own analysis (src/rollout) with its default ramp, on the simulated requests: the product's code, none of it rewritten for the benchmark.
 */
import { automaticWeights, DEFAULT_ANALYSIS, WARMUP_WEIGHT } from '../../src/rollout/analysis-spec.ts';
import type { AnalysisSpec } from '../../src/rollout/analysis-spec.ts';
import { newAnalysis } from '../../src/rollout/analysis-state.ts';
import type { AnalysisState } from '../../src/rollout/analysis-state.ts';
import { beginStage, observe, startCanary } from '../../src/rollout/analysis.ts';
import { errorMargin } from '../../src/rollout/analysis-bets.ts';
import { certifiedLevel, decide } from '../../src/rollout/analysis-decision.ts';
import type { Ruling } from '../../src/rollout/analysis-decision.ts';
import { newArmCounts, newUserCounts } from '../../src/rollout/observation.ts';
import type { Observation, Stratum } from '../../src/rollout/observation.ts';
import { UserLedger } from '../../src/rollout/user-ledger.ts';
import { clearUserCounts, countRequests, countUsers } from '../../src/simulate/counting.ts';
import type { Method, Outcome } from '../../src/simulate/method.ts';
import type { Requests } from '../../src/simulate/requests.ts';
import type { Users } from '../../src/simulate/users.ts';
import type { Scenario } from './scenarios.ts';

export interface SerinOptions {
  readonly spec: AnalysisSpec;
  readonly weights: readonly number[];
  readonly warmupS: number;
  readonly minimumS: number;
  readonly bakeS: number;
}

const DEFAULT_WEIGHTS = [0.05, 0.1, 0.25, 0.5];

/** Serin as it comes, whatever the traffic. */
export function serinOptions(
  scenario: Scenario,
  ramp: 'fixed' | 'auto' = 'fixed',
  ratePerS = scenario.low ? 100 / 3600 : 100,
): SerinOptions {
  const weights = ramp === 'auto' ? automaticWeights(ratePerS) : DEFAULT_WEIGHTS;
  const plannedStages = weights.length;
  const spec: AnalysisSpec = { ...DEFAULT_ANALYSIS, plannedStages, assignment: scenario.sticky ? 'user' : 'request' };
  return { spec, weights, warmupS: 45, minimumS: 60, bakeS: 180 };
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
  readonly #stratum: Stratum;
  readonly #observation: Observation;
  #step = -1;

  constructor(options: SerinOptions, tickS: number, users: Users | undefined, state = newAnalysis(options.spec), ledger?: UserLedger) {
    this.#options = options;
    this.#users = users;
    this.#ledger = users === undefined ? undefined : (ledger ?? new UserLedger());
    this.state = state;
    const arms = { weight: 0, stable: newArmCounts(), canary: newArmCounts() };
    this.#stratum = users === undefined ? arms : { ...arms, users: { stable: newUserCounts(), canary: newUserCounts() } };
    this.#observation = { durationMs: 1000 * tickS, strata: [this.#stratum] };
  }

  before(requests: Requests): void {
    this.count(requests, 0);
    this.digest();
  }

  /** One tick without deciding about it. @returns Canary requests. */
  see(requests: Requests, canaryBelow: number): number {
    const canary = this.count(requests, canaryBelow);
    this.digest();
    return canary;
  }

  tick(requests: Requests, canaryBelow: number, endS: number): number {
    const canary = this.see(requests, canaryBelow);
    const ruling = decide(this.state);
    const stops = ruling.decision === 'rollback' || ruling.cause === 'traffic';
    if (stops) {
      this.outcome = { kind: 'stopped', atS: endS };
      this.cause = ruling.cause;
    } else if (this.#step < 0 ? endS >= this.#options.warmupS : ruling.decision === 'safe') {
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
    // The warm-up ends by the clock; where the first weight is no higher, it clears the one after.
    const nextWeight = this.#options.weights.find((weight) => weight > WARMUP_WEIGHT) ?? 1;
    this.begin(WARMUP_WEIGHT, nextWeight, this.#options.warmupS);
  }

  /** Sets a weight. */
  begin(weight: number, nextWeight: number, minimumS: number): void {
    this.weight = weight;
    beginStage(this.state, { weight, nextWeight, minimumMs: 1000 * minimumS });
    this.#ledger?.beginStage();
  }

  #advance(endS: number): void {
    const { weights, minimumS, bakeS } = this.#options;
    this.#step++;
    const weight = weights[this.#step];
    if (weight === undefined) {
      const level = certifiedLevel(this.state, 0);
      this.outcome = { kind: 'promoted', atS: endS, ruledOut: level === undefined ? undefined : errorMargin(this.#options.spec, 1, level) };
      return;
    }
    const nextWeight = weights[this.#step + 1] ?? 1;
    this.begin(weight, nextWeight, nextWeight === 1 ? bakeS : minimumS);
  }

  /** Counts one tick's requests into the observation. @returns Canary requests. */
  count(requests: Requests, canaryBelow: number): number {
    const { stable, canary } = this.#stratum;
    countRequests(requests, [canaryBelow], stable, [canary]);
    this.#stratum.weight = this.weight;
    if (this.#ledger !== undefined) this.#countUsers(requests, canaryBelow);
    return canary.requests;
  }

  /** Gives the observation that was counted to the analysis. */
  digest(): void {
    observe(this.state, this.#observation);
  }

  /** The same rollout after a restart of the engine: its state comes from disk, the data plane's counters have lived on. */
  revived(state: AnalysisState): Serin {
    const serin = new Serin(this.#options, this.#observation.durationMs / 1000, this.#users, state, this.#ledger);
    serin.weight = this.weight;
    serin.outcome = this.outcome;
    serin.#step = this.#step;
    return serin;
  }

  #countUsers(requests: Requests, canaryBelow: number): void {
    const { users } = this.#stratum;
    if (users === undefined || this.#users === undefined || this.#ledger === undefined) return;
    clearUserCounts(users.stable);
    clearUserCounts(users.canary);
    if (this.state.started === 0) return;
    const isWarm = this.state.elapsedMs >= this.#options.spec.warmupMs;
    countUsers(requests, this.#users, [canaryBelow], users.stable, [users.canary], this.#ledger, isWarm);
  }
}
