/**
 * The evidence about one candidate of a run: reads what the data plane has counted since the last tick, feeds the analysis, and says what it finds. Between two
 * ticks the data plane looks at the same evidence itself (guard-post.ts).
 *
 * Counts are cumulative and kept by stratum (`release|ROLLOUT|EPOCH|SUBSET|good` and `|bad`), so a tick is a difference, and what comes in late
 * from an earlier weight is counted at that weight. What was counted before this process started is not seen: a gap does no harm.
 */
import { decide } from '../../rollout/analysis-decision.ts';
import { trafficPerS } from '../../rollout/analysis-baseline.ts';
import { decodeAnalysis, encodeAnalysis } from '../../rollout/analysis-codec.ts';
import type { AnalysisSpec } from '../../rollout/analysis-spec.ts';
import { enterShare } from '../../rollout/analysis-share.ts';
import { type AnalysisState, newAnalysis } from '../../rollout/analysis-state.ts';
import { isTimed, observe } from '../../rollout/analysis.ts';
import { verdict, type Verdict } from '../../rollout/analysis-verdict.ts';
import type { Proof } from '../../rollout/guard-block.ts';
import { newArmCounts, newUserCounts, type Stratum } from '../../rollout/observation.ts';
import type { Judgement } from '../../rollout/situation.ts';
import { FULL } from '../../rollout/spec.ts';
import type { UserLedger } from '../../rollout/user-ledger.ts';
import type { StatsRegistry } from '../../telemetry/shared-stats.ts';
import { ArmReader } from './arm-reader.ts';
import { type GuardedStratum, GuardPost } from './guard-post.ts';

/** Requests of an earlier weight end within the longest wait for an answer, as a rule. */
const LATE_MS = 35_000;
/** What came in between the last tick and a proof is told with no time of its own. */
const SHORTEST_TICK_MS = 1;

/** Failing share from which on hardly anybody is served. */
const ALL_FAIL = 0.9;

export interface AnalystDeps {
  readonly stats: Pick<StatsRegistry, 'slot' | 'growth' | 'totals' | 'blocks'>;
  /** `namespace/name` of the Rollout. */
  readonly rollout: string;
  readonly run: number;
  readonly stable: string;
  readonly canary: string;
  readonly spec: AnalysisSpec;
  /** Health slot that cuts the canary off at the weights of an epoch. */
  readonly killSlot: (epoch: number) => number;
  /** A worker of an earlier process had proved harm. */
  readonly proved?: Proof;
  /** By user: who has been counted. */
  readonly ledger?: UserLedger;
}

interface OpenStratum {
  readonly epoch: number;
  readonly stable: ArmReader;
  readonly canary: ArmReader;
  /** What is handed to the analysis; the same object at every tick. */
  readonly counts: Stratum;
  readonly guarded: GuardedStratum;
  /** How long it has been over; undefined while it is in force. */
  overMs: number | undefined;
}

export class Analyst {
  readonly #deps: AnalystDeps;
  readonly #guard: GuardPost;
  #analysis: AnalysisState;
  #strata: OpenStratum[] = [];
  #isArmed = false;
  /** What a worker has proved, as soon as it was noticed here. */
  #proof: Proof | undefined;
  #lastVerdict: { readonly elapsedMs: number; readonly found: Verdict } | undefined;

  /** @param saved As `encode` gave it, of the same run. What cannot be read is begun anew. */
  constructor(deps: AnalystDeps, saved: string | undefined) {
    this.#deps = deps;
    this.#guard = new GuardPost(deps);
    this.#analysis = newAnalysis(deps.spec);
    if (saved === undefined) return;
    try {
      this.#analysis = decodeAnalysis(saved, deps.spec);
      // Which requests of whom were within the cap is not known any more, so what they cleared has to be earned anew.
      if (deps.ledger !== undefined) this.#analysis.stage.weight = 0;
    } catch {
      // Evidence of another version of Serin: starting again costs time, never validity.
    }
  }

  encode(): string {
    return encodeAnalysis(this.#analysis);
  }

  /**
   * A share is about to be in force: from here on its requests are counted.
   *
   * @param weight     The canary's share of the requests to these two versions, 0 to `FULL`, not always a whole number.
   * @param nextWeight The share of all requests it is to be cleared for, 0 to `FULL`.
   */
  enter(epoch: number, weight: number, nextWeight: number): void {
    if (this.#strata.some((stratum) => stratum.epoch === epoch)) return;
    this.#guard.withdraw();
    for (const stratum of this.#strata) stratum.overMs ??= 0;
    this.#strata.push(this.#open(epoch, weight / FULL));
    const { number } = this.#analysis.stage;
    enterShare(this.#analysis, weight, nextWeight);
    if (this.#analysis.stage.number !== number) this.#deps.ledger?.beginStage();
    this.#publish();
  }

  /** Whether a worker may cut the canary off: the canary has a share, and stable can take it. */
  arm(isArmed: boolean): void {
    if (isArmed === this.#isArmed) return;
    this.#isArmed = isArmed;
    this.#publish();
  }

  /** Takes in what was counted since the last time. */
  tick(durationMs: number): void {
    if (durationMs <= 0 || this.#strata.length === 0 || this.#notice()) return;
    this.#guard.withdraw();
    this.#observe(durationMs);
    for (const stratum of this.#strata) if (stratum.overMs !== undefined) stratum.overMs += durationMs;
    this.#strata = this.#strata.filter(({ overMs }) => overMs === undefined || overMs < LATE_MS);
    this.#publish();
  }

  /** A worker has taken the canary's weight to 0. */
  get isProved(): boolean {
    return this.#notice();
  }

  #open(epoch: number, weight: number): OpenStratum {
    const { stats, rollout, killSlot, ledger } = this.#deps;
    const armOf = (subset: string): ArmReader => new ArmReader(stats, `release|${rollout}|${epoch}|${subset}`, ledger !== undefined);
    const stable = armOf(this.#deps.stable);
    const canary = armOf(this.#deps.canary);
    const counts = { weight, stable: newArmCounts(), canary: newArmCounts() };
    return {
      epoch,
      stable,
      canary,
      counts: ledger === undefined ? counts : { ...counts, users: { stable: newUserCounts(), canary: newUserCounts() } },
      guarded: {
        weight,
        killSlot: killSlot(epoch),
        failures: [...canary.failures, ...stable.failures],
        latencies: [canary.latencies, stable.latencies],
      },
      overMs: undefined,
    };
  }

  #observe(durationMs: number): void {
    for (const { stable, canary, counts } of this.#strata) {
      stable.read(counts.stable);
      canary.read(counts.canary);
      if (counts.users === undefined) continue;
      stable.readUsers(counts.users.stable);
      canary.readUsers(counts.users.canary);
    }
    observe(this.#analysis, { durationMs, strata: this.#strata.map(({ counts }) => counts) });
    const { ledger } = this.#deps;
    if (ledger !== undefined) ledger.isWarm ||= isTimed(this.#analysis);
  }

  #publish(): void {
    if (!this.#isArmed || this.#proof !== undefined) {
      this.#guard.withdraw();
      return;
    }
    this.#guard.publish(
      this.#analysis,
      this.#strata.map(({ guarded }) => guarded),
    );
  }

  /**
   * Takes in a proof, once: its evidence is the peak, and what led to it is counted for people. That the canary got nothing from then on
   * was our doing and says nothing about its share.
   */
  #notice(): boolean {
    if (this.#proof !== undefined) return true;
    const { proof } = this.#guard;
    if (proof === undefined) return false;
    this.#proof = proof;
    this.#guard.withdraw();
    const { shares, rollback } = this.#analysis;
    const before = { components: Float64Array.from(shares.components), peak: shares.peak };
    if (this.#analysis.started === 1 && this.#strata.length > 0) this.#observe(SHORTEST_TICK_MS);
    shares.components.set(before.components);
    shares.peak = before.peak;
    rollback.peak = Math.max(rollback.peak, proof.evidence);
    this.#lastVerdict = undefined;
    return true;
  }

  /** Requests a second to the host, both versions. */
  get ratePerS(): number {
    return trafficPerS(this.#analysis.baseline);
  }

  /** What the evidence says now; undefined while there is nothing to compare. Words and numbers are made when somebody reads them. */
  judgement(): Judgement | undefined {
    this.#notice();
    const proof = this.#proof;
    if (this.#analysis.started === 0 && proof === undefined) return undefined;
    const { decision, cause } = decide(this.#analysis);
    const full = (): Verdict => this.verdict();
    return {
      decision,
      cause,
      canaryRequests: this.#analysis.stage.canaryRequests,
      get failsAll() {
        return (full().metrics.find(({ name }) => name === 'errors')?.canary ?? 0) >= ALL_FAIL;
      },
      get message() {
        return proof === undefined ? full().reason : `the data plane has taken the weight to 0: ${full().reason}`;
      },
      get proved() {
        return decision === 'safe' ? full().proved : undefined;
      },
      get evidence() {
        return proof === undefined ? evidenceOf(full()) : { ...evidenceOf(full()), dataPlane: provedBy(proof) };
      },
    };
  }

  verdict(): Verdict {
    const { elapsedMs } = this.#analysis;
    if (this.#lastVerdict?.elapsedMs !== elapsedMs) this.#lastVerdict = { elapsedMs, found: verdict(this.#analysis) };
    return this.#lastVerdict.found;
  }
}

/** What a record keeps: numbers a person or a program can check the decision by. */
export function evidenceOf({ evidence, rollbackAt, pValue, shareEvidence, metrics }: Verdict): Record<string, unknown> {
  return {
    evidence,
    rollbackAt,
    pValue,
    shareEvidence,
    metrics: metrics.map(({ name, n, stable, canary, effect, interval, margin, ruledOut, sentence }) => ({
      name,
      n,
      stable,
      canary,
      effect,
      interval,
      margin,
      ruledOut,
      sentence,
    })),
  };
}

function provedBy({ evidence, atMs }: Proof): Record<string, unknown> {
  return { evidence: Math.exp(Math.min(evidence, LARGEST_LOG)), at: new Date(atMs).toISOString() };
}

/** Beyond it there is no double. */
const LARGEST_LOG = 700;
