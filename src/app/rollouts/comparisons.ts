/**
 * The comparisons of one run: every candidate with stable, each with an analysis of its own.
 *
 * Of the requests that went to a candidate or to stable, the candidate was to get `w / (w + stable's w)`, whatever other candidates got: that is the
 * probability its analysis bets on. The risk of each is its part of the release's (rollout/spec.ts, `analysisSpecOf`).
 */
import type { AnalysisSpec } from '../../rollout/analysis-spec.ts';
import type { Proof } from '../../rollout/guard-block.ts';
import type { Judgement } from '../../rollout/situation.ts';
import { FULL } from '../../rollout/spec.ts';
import { Analyst, type AnalystDeps } from './analyst.ts';
import { UserMemory } from './user-memory.ts';

export interface ComparisonsDeps {
  readonly stats: AnalystDeps['stats'];
  /** `namespace/name` of the Rollout. */
  readonly rollout: string;
  readonly run: number;
  readonly stable: string;
  readonly canaries: readonly string[];
  /** Of each comparison. */
  readonly spec: AnalysisSpec;
  /** Health slot that cuts a candidate off at the weights of an epoch. */
  readonly killSlot: (epoch: number, canary: string) => number;
  /** By user: name of the block that knows who has been counted (routing/release-arms.ts, `ledgerKey`). */
  readonly ledgerName: string | undefined;
  /** What workers of an earlier process had proved. */
  readonly proved: (canary: string) => Proof | undefined;
}

export class Comparisons {
  readonly #analysts: ReadonlyMap<string, Analyst>;
  readonly #users: UserMemory | undefined;
  readonly #stable: string;
  /** Candidates that are counted at present. */
  #racing: readonly string[];

  /** @param saved As `encode` gave it, of the same run. */
  constructor({ canaries, killSlot, proved, ledgerName, ...deps }: ComparisonsDeps, saved: string | undefined) {
    let lines = saved?.split('\n') ?? [];
    if (ledgerName !== undefined) {
      this.#users = new UserMemory(deps.stats.blocks, ledgerName);
      // Evidence without the users it is of cannot go on: they would count twice.
      if (!this.#users.restore(lines[canaries.length])) lines = [];
    }
    const analyst = (canary: string, line: string | undefined): Analyst => {
      const proof = proved(canary);
      const ledger = this.#users?.ledger;
      const own = { ...deps, canary, killSlot: (epoch: number) => killSlot(epoch, canary), ...(ledger === undefined ? {} : { ledger }) };
      return new Analyst(proof === undefined ? own : { ...own, proved: proof }, line);
    };
    this.#analysts = new Map(canaries.map((canary, index) => [canary, analyst(canary, lines[index])]));
    this.#stable = deps.stable;
    this.#racing = canaries;
  }

  /** A line a candidate, in their order; those that have left stay as they were then. By user one more, for who has been counted. */
  encode(): string {
    const lines = [...this.#analysts.values()].map((analyst) => analyst.encode());
    return (this.#users === undefined ? lines : [...lines, this.#users.encode()]).join('\n');
  }

  /** The run is over: nobody is cut off any more, and users are forgotten. */
  end(): void {
    this.arm(false);
    this.#users?.end();
  }

  /**
   * Shares are about to be in force.
   *
   * @param racing The candidates in the race.
   * @param shares What each of them and stable have of those that are counted, hundredths of a percent.
   * @param next   What the candidates get together in the next step. Every candidate is cleared for all of it: then the harm they may do together
   *               stays within the budget, and whoever is left alone may have it.
   */
  enter(epoch: number, racing: readonly string[], shares: Readonly<Record<string, number>>, next: number): void {
    this.#racing = racing;
    const stable = shares[this.#stable] ?? 0;
    for (const canary of racing) {
      const share = shares[canary] ?? 0;
      this.#analysts.get(canary)?.enter(epoch, share === 0 ? 0 : (share * FULL) / (share + stable), next);
    }
  }

  /** Whether workers may cut candidates off by themselves. */
  arm(isArmed: boolean): void {
    for (const [canary, analyst] of this.#analysts) analyst.arm(isArmed && this.#racing.includes(canary));
  }

  /** A worker has cut off a candidate that is in the race. */
  get isProved(): boolean {
    return this.#racing.some((canary) => this.#analysts.get(canary)?.isProved === true);
  }

  /** Takes in what was counted since the last time. */
  tick(durationMs: number): void {
    for (const canary of this.#racing) this.#analysts.get(canary)?.tick(durationMs);
  }

  /** Requests a second to the host. Exact while stable gets everything; later, of the versions of one comparison. */
  get ratePerS(): number {
    const [first] = this.#racing;
    return (first === undefined ? undefined : this.#analysts.get(first)?.ratePerS) ?? 0;
  }

  judgement(canary: string): Judgement | undefined {
    return this.#analysts.get(canary)?.judgement();
  }

  /** Of one candidate; undefined while there is nothing to compare. */
  of(canary: string): Analyst | undefined {
    const analyst = this.#analysts.get(canary);
    return analyst?.judgement() === undefined ? undefined : analyst;
  }
}
