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
import { type ArmCounts, type FailureClass, newArmCounts, type Stratum } from '../../rollout/observation.ts';
import type { Judgement } from '../../rollout/situation.ts';
import { FULL } from '../../rollout/spec.ts';
import type { ClusterTotals } from '../../telemetry/cluster-counters.ts';
import type { ResponseFlag } from '../../telemetry/response-flag.ts';
import type { StatsRegistry } from '../../telemetry/shared-stats.ts';

/** Requests of an earlier weight end within the longest wait for an answer, as a rule. */
const LATE_MS = 35_000;

export interface AnalystDeps {
  readonly stats: Pick<StatsRegistry, 'totals'>;
  /** `namespace/name` of the Rollout. */
  readonly rollout: string;
  readonly stable: string;
  readonly canary: string;
  readonly spec: AnalysisSpec;
}

interface OpenStratum {
  readonly epoch: number;
  readonly weight: number;
  readonly before: Map<string, ClusterTotals>;
  /** How long it has been over; undefined while it is in force. */
  overMs: number | undefined;
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
    this.#strata.push({ epoch, weight: weight / FULL, before: new Map(), overMs: undefined });
    // From here on: what is there already was counted by somebody who has told it, or never will.
    for (const { key } of this.#keys(epoch)) this.#strata.at(-1)?.before.set(key, this.#deps.stats.totals(key));
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

  #keys(epoch: number): { readonly key: string; readonly arm: 'stable' | 'canary'; readonly isBad: boolean }[] {
    const { rollout, stable, canary } = this.#deps;
    return (['stable', 'canary'] as const).flatMap((arm) => {
      const observation = `release|${rollout}|${epoch}|${arm === 'stable' ? stable : canary}`;
      return [
        { key: `${observation}|good`, arm, isBad: false },
        { key: `${observation}|bad`, arm, isBad: true },
      ];
    });
  }

  #read({ epoch, weight, before }: OpenStratum): Stratum {
    const arms = { stable: newArmCounts(), canary: newArmCounts() };
    for (const { key, arm, isBad } of this.#keys(epoch)) {
      const now = this.#deps.stats.totals(key);
      const earlier = before.get(key);
      if (now.requests === (earlier?.requests ?? 0)) continue;
      before.set(key, now);
      if (isBad) addFailures(arms[arm], now, earlier);
      else addGood(arms[arm], now, earlier);
    }
    return { weight, ...arms };
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

function addGood(arm: ArmCounts, now: ClusterTotals, before: ClusterTotals | undefined): void {
  arm.requests += now.requests - (before?.requests ?? 0);
  arm.latency.addGrowth(before?.latency ?? [], now.latency);
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

function addFailures(arm: ArmCounts, now: ClusterTotals, before: ClusterTotals | undefined): void {
  const failed = now.requests - (before?.requests ?? 0);
  arm.requests += failed;
  let flagged = 0;
  for (const { flag, status, count } of now.flags) {
    const kind = CLASS_OF_FLAG[flag];
    if (kind === undefined) continue;
    const earlier = before?.flags.find((other) => other.flag === flag && other.status === status)?.count ?? 0;
    arm.failures[kind] += count - earlier;
    flagged += count - earlier;
  }
  arm.failures.status5xx += Math.max(0, failed - flagged);
}
