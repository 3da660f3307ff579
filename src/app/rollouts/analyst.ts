/**
 * The evidence of one run: reads what the data plane has counted since the last tick, feeds the analysis, and says what it finds.
 *
 * Counts are cumulative and kept by stratum (`release|ROLLOUT|EPOCH|SUBSET|good` and `|bad`), so a tick is a difference, and what comes in late
 * from an earlier weight is counted at that weight. What was counted before this process started is not seen: a gap does no harm.
 */
import { decide } from '../../rollout/analysis-decision.ts';
import { trafficPerS } from '../../rollout/analysis-baseline.ts';
import { decodeAnalysis, encodeAnalysis } from '../../rollout/analysis-codec.ts';
import type { AnalysisSpec } from '../../rollout/analysis-spec.ts';
import { type AnalysisState, newAnalysis } from '../../rollout/analysis-state.ts';
import { beginStage, observe, startCanary } from '../../rollout/analysis.ts';
import { verdict, type Verdict } from '../../rollout/analysis-verdict.ts';
import { type ArmCounts, FAILURE_CLASSES, type FailureClass, newArmCounts, type Stratum } from '../../rollout/observation.ts';
import type { Judgement } from '../../rollout/situation.ts';
import { FULL } from '../../rollout/spec.ts';
import type { ClusterTotals, GrowthReader } from '../../telemetry/cluster-counters.ts';
import type { ResponseFlag } from '../../telemetry/response-flag.ts';
import type { StatsRegistry } from '../../telemetry/shared-stats.ts';

/** Requests of an earlier weight end within the longest wait for an answer, as a rule. */
const LATE_MS = 35_000;

export interface AnalystDeps {
  readonly stats: Pick<StatsRegistry, 'growth' | 'totals'>;
  /** `namespace/name` of the Rollout. */
  readonly rollout: string;
  readonly stable: string;
  readonly canary: string;
  readonly spec: AnalysisSpec;
}

interface OpenStratum {
  readonly epoch: number;
  readonly arms: Readonly<Record<'stable' | 'canary', Arm>>;
  /** What is handed to the analysis; the same object at every tick. */
  readonly counts: Stratum;
  /** How long it has been over; undefined while it is in force. */
  overMs: number | undefined;
}

interface Arm {
  readonly observation: string;
  good: GrowthReader | undefined;
  bad: GrowthReader | undefined;
  /** For the reasons of failures. */
  badBefore: ClusterTotals | undefined;
}

export class Analyst {
  readonly #deps: AnalystDeps;
  #analysis: AnalysisState;
  #strata: OpenStratum[] = [];
  #lastVerdict: { readonly elapsedMs: number; readonly found: Verdict } | undefined;

  /** @param saved As `encode` gave it, of the same run. What cannot be read is begun anew. */
  constructor(deps: AnalystDeps, saved: string | undefined) {
    this.#deps = deps;
    this.#analysis = newAnalysis(deps.spec);
    if (saved === undefined) return;
    try {
      this.#analysis = decodeAnalysis(saved, deps.spec);
    } catch {
      // Evidence of another version of Serin: starting again costs time, never validity.
    }
  }

  encode(): string {
    return encodeAnalysis(this.#analysis);
  }

  /** A share is in force. @param nextWeight The share it is to be cleared for. */
  enter(epoch: number, weight: number, nextWeight: number): void {
    if (this.#strata.some((stratum) => stratum.epoch === epoch)) return;
    for (const stratum of this.#strata) stratum.overMs ??= 0;
    const { rollout, stable, canary } = this.#deps;
    this.#strata.push({
      epoch,
      arms: { stable: this.#arm(`release|${rollout}|${epoch}|${stable}`), canary: this.#arm(`release|${rollout}|${epoch}|${canary}`) },
      counts: { weight: weight / FULL, stable: newArmCounts(), canary: newArmCounts() },
      overMs: undefined,
    });
    if (weight <= 0 || weight >= FULL) return;
    if (this.#analysis.started === 0) startCanary(this.#analysis);
    const share = weight / FULL;
    const isSame = this.#analysis.stage.number > 0 && this.#analysis.stage.weight === share;
    if (!isSame) beginStage(this.#analysis, { weight: share, nextWeight: nextWeight > weight ? nextWeight / FULL : 1, minimumMs: 0 });
  }

  /** Takes in what was counted since the last time. */
  tick(durationMs: number): void {
    if (durationMs <= 0 || this.#strata.length === 0) return;
    for (const stratum of this.#strata) if (stratum.overMs !== undefined) stratum.overMs += durationMs;
    this.#strata = this.#strata.filter(({ overMs }) => overMs === undefined || overMs < LATE_MS);
    observe(this.#analysis, { durationMs, strata: this.#strata.map((stratum) => this.#read(stratum)) });
  }

  /** From here on: what is counted already was told by somebody, or never will be. */
  #arm(observation: string): Arm {
    const { stats } = this.#deps;
    return {
      observation,
      good: stats.growth(`${observation}|good`),
      bad: stats.growth(`${observation}|bad`),
      badBefore: stats.totals(`${observation}|bad`),
    };
  }

  #read({ arms, counts }: OpenStratum): Stratum {
    this.#readArm(arms.stable, counts.stable);
    this.#readArm(arms.canary, counts.canary);
    return counts;
  }

  #readArm(arm: Arm, counts: ArmCounts): void {
    const { stats } = this.#deps;
    clear(counts);
    arm.good ??= stats.growth(`${arm.observation}|good`);
    arm.bad ??= stats.growth(`${arm.observation}|bad`);
    arm.good?.read((bucket, count) => {
      counts.requests += count;
      counts.latency.add(bucket, count);
    });
    let failed = 0;
    arm.bad?.read((_bucket, count) => {
      failed += count;
    });
    if (failed === 0) return;
    const now = stats.totals(`${arm.observation}|bad`);
    addFailures(counts, failed, now, arm.badBefore);
    arm.badBefore = now;
  }

  /** Requests a second to the host, both versions. */
  get ratePerS(): number {
    return trafficPerS(this.#analysis.baseline);
  }

  /** What the evidence says now; undefined while there is nothing to compare. Words and numbers are made when somebody reads them. */
  judgement(): Judgement | undefined {
    if (this.#analysis.started === 0) return undefined;
    const { decision, cause } = decide(this.#analysis);
    const full = (): Verdict => this.verdict();
    return {
      decision,
      cause,
      canaryRequests: this.#analysis.stage.canaryRequests,
      get message() {
        return full().reason;
      },
      get evidence() {
        return evidenceOf(full());
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
    metrics: metrics.map(({ name, n, stable, canary, effect, interval, ruledOut, sentence }) => ({
      name,
      n,
      stable,
      canary,
      effect,
      interval,
      ruledOut,
      sentence,
    })),
  };
}

function clear(counts: ArmCounts): void {
  counts.requests = 0;
  for (const kind of FAILURE_CLASSES) counts.failures[kind] = 0;
  counts.latency.clear();
}

/** Why an attempt was bad: its response flag where Serin answered itself, else it was a 5xx of the version. */
const CLASS_OF_FLAG: Partial<Record<ResponseFlag, FailureClass>> = {
  UF: 'connect',
  UH: 'connect',
  UC: 'reset',
  UR: 'reset',
  UPE: 'reset',
  UT: 'timeout',
  DT: 'timeout',
};

function addFailures(arm: ArmCounts, failed: number, now: ClusterTotals, before: ClusterTotals | undefined): void {
  arm.requests += failed;
  let flagged = 0;
  for (const { flag, status, count } of now.flags) {
    const kind = CLASS_OF_FLAG[flag];
    if (kind === undefined) continue;
    const earlier = before?.flags.find((other) => other.flag === flag && other.status === status)?.count ?? 0;
    const gained = Math.min(count - earlier, failed - flagged);
    arm.failures[kind] += gained;
    flagged += gained;
  }
  arm.failures.status5xx += failed - flagged;
}
