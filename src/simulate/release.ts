/**
 * Serin in a simulated world: the run of a Rollout as the engine performs it (rollout/verbs.ts, plan.ts and the analysis, nothing rewritten), with
 * the ticks as its clock.
 *
 * What a simulation cannot know is taken for granted: all versions can take requests, the data plane acknowledges at once, no freeze window lasts,
 * and whoever is to promote or approve does so at once. Of several candidates the first one is the canary of the world, the others are as good as
 * stable.
 */
import { assert } from '../base/assert.ts';
import { approvingOf } from '../rollout/approval.ts';
import { canariesOf, type RolloutSpec } from '../config/serin/rollout-spec.ts';
import { trafficPerS } from '../rollout/analysis-baseline.ts';
import { errorMargin } from '../rollout/analysis-bets.ts';
import { certifiedLevel, decide } from '../rollout/analysis-decision.ts';
import { enterShare, nextWeightOf } from '../rollout/analysis-share.ts';
import { type AnalysisState, newAnalysis } from '../rollout/analysis-state.ts';
import { isTimed, observe } from '../rollout/analysis.ts';
import { newArmCounts, newUserCounts, type Observation, type Stratum, type UserCounts } from '../rollout/observation.ts';
import type { Outcome as Begun } from '../rollout/outcome.ts';
import { plan } from '../rollout/plan.ts';
import { inRace, sharesOf, together } from '../rollout/race.ts';
import type { CandidateSituation, Judgement, Situation } from '../rollout/situation.ts';
import { FULL } from '../rollout/spec.ts';
import { type ActiveRun, canaryWeight, newState, type RolloutState } from '../rollout/state.ts';
import { command, isRefusal, type Refusal, start } from '../rollout/verbs.ts';
import { UserLedger } from '../rollout/user-ledger.ts';
import { clearUserCounts, countRequests, countUsers } from './counting.ts';
import type { Method, Outcome } from './method.ts';
import type { Requests } from './requests.ts';
import type { Users } from './users.ts';

const BY = 'simulation';
const READY = { isReady: true, reason: '' };
const FROM_THE_START: Situation = { nowMs: 0, passedMs: 0, isInForce: true, canary: READY, stable: READY };

/** @param name `namespace/name`. @returns A run at its beginning, or why there can be none. */
export function begin(spec: RolloutSpec, name: string): Begun | Refusal {
  return start(newState({ stable: spec.stable, canaries: canariesOf(spec) }), FROM_THE_START, spec, name, BY, 'simulated');
}

/** A candidate and its comparison with stable. */
interface Candidate {
  readonly subset: string;
  readonly analysis: AnalysisState;
  readonly stratum: Stratum;
  readonly users: UserCounts;
  readonly observation: Observation;
}

/** Where the arm is drawn by user. */
interface ByUser {
  readonly users: Users;
  readonly stable: UserCounts;
  readonly ledger: UserLedger;
}

export class Release implements Method {
  outcome: Outcome | undefined;
  readonly #spec: RolloutSpec;
  readonly #name: string;
  readonly #tickMs: number;
  readonly #stable = newArmCounts();
  readonly #byUser: ByUser | undefined;
  readonly #candidates: readonly Candidate[];
  /** The one that may be worse than stable. */
  readonly #questioned: string;
  #racing: readonly Candidate[];
  #state: RolloutState;

  /** @param users Of the world, where the Rollout assigns by user. */
  constructor(spec: RolloutSpec, name: string, tickS: number, users?: Users) {
    const begun = begin(spec, name);
    assert(!isRefusal(begun), 'whoever simulates a release has seen that it can start');
    const { state } = begun;
    const { active } = state;
    assert(active !== undefined, 'a release that has begun is under way');
    this.#spec = spec;
    this.#name = name;
    this.#tickMs = 1000 * tickS;
    this.#state = state;
    this.#byUser = users === undefined ? undefined : { users, stable: newUserCounts(), ledger: new UserLedger() };
    this.#candidates = state.canaries.map((subset) => {
      const mine = newUserCounts();
      const byUser = this.#byUser === undefined ? {} : { users: { stable: this.#byUser.stable, canary: mine } };
      const stratum: Stratum = { weight: 0, stable: this.#stable, canary: newArmCounts(), ...byUser };
      const observation: Observation = { durationMs: this.#tickMs, strata: [stratum] };
      return { subset, analysis: newAnalysis(active.analysis), stratum, users: mine, observation };
    });
    this.#racing = this.#candidates;
    this.#questioned = state.canaries[0] ?? '';
  }

  get weight(): number {
    return canaryWeight(this.#state) / FULL;
  }

  get isHeld(): boolean {
    return this.#state.active?.hold !== undefined;
  }

  start(): void {
    this.#decide(0, 0);
  }

  tick(requests: Requests, canaryBelow: number, endS: number): number {
    const racing = this.#racing;
    const bounds = racing.map((_, index) => (canaryBelow * (index + 1)) / racing.length);
    const isQuestioned = racing[0]?.subset === this.#questioned;
    countRequests(
      requests,
      bounds,
      this.#stable,
      racing.map(({ stratum }) => stratum.canary),
      isQuestioned,
    );
    if (this.#byUser !== undefined) this.#countUsers(this.#byUser, requests, bounds, isQuestioned);
    for (const { analysis, observation } of racing) observe(analysis, observation);
    this.#decide(this.#tickMs, endS);
    return isQuestioned ? (racing[0]?.stratum.canary.requests ?? 0) : 0;
  }

  #countUsers({ users, stable, ledger }: ByUser, requests: Requests, bounds: readonly number[], isQuestioned: boolean): void {
    const canaries = this.#racing.map((candidate) => candidate.users);
    for (const counts of [stable, ...canaries]) clearUserCounts(counts);
    const analysis = this.#racing[0]?.analysis;
    if (analysis === undefined || analysis.started === 0) return;
    countUsers(requests, users, bounds, stable, canaries, ledger, isTimed(analysis), isQuestioned);
  }

  /** Whatever can be decided at this moment: steps that wait for nothing follow each other at once. */
  #decide(passedMs: number, endS: number): void {
    for (let leftMs = passedMs; this.outcome === undefined; leftMs = 0) {
      const { active } = this.#state;
      if (active === undefined) return;
      this.#enter(active);
      const situation = this.#situation(leftMs);
      const { state, records } = plan(this.#state, situation);
      this.#state = state;
      if (records.length === 0 && !this.#promote(situation)) return;
      const kind = this.#ending(situation);
      if (kind !== undefined) this.outcome = { kind, atS: endS, ruledOut: kind === 'promoted' ? this.#ruledOut() : undefined };
    }
  }

  /** The shares as they are now, in every comparison. */
  #enter(active: ActiveRun): void {
    const racing = inRace(this.#state);
    const shares = sharesOf({ canaries: racing, left: [] }, active.weight);
    const stable = FULL - active.weight;
    this.#racing = this.#candidates.filter(({ subset }) => racing.includes(subset));
    let begins = false;
    for (const { subset, analysis, stratum } of this.#racing) {
      const { number } = analysis.stage;
      const share = shares[subset] ?? 0;
      const weight = share === 0 ? 0 : (share * FULL) / (share + stable);
      stratum.weight = weight / FULL;
      enterShare(analysis, weight, nextWeightOf(active));
      begins ||= analysis.stage.number !== number;
    }
    if (begins) this.#byUser?.ledger.beginStage();
  }

  /** A person ends the wait that only a person can end; of several candidates the first that is left is chosen. */
  #promote(situation: Situation): boolean {
    const { active } = this.#state;
    const isWaiting = active?.hold === undefined && active?.steps[active.step]?.wait?.kind === 'promotion';
    if (!isWaiting && active?.hold?.by !== 'choice') return false;
    const [first] = inRace(this.#state);
    const by = (active === undefined ? undefined : approvingOf(active))?.awaited[0] ?? BY;
    for (const to of [undefined, first]) {
      const asked = { verb: 'promote' as const, by, ...(to === undefined ? {} : { to }) };
      const promoted = command(this.#state, asked, situation, this.#spec, this.#name);
      if (isRefusal(promoted)) continue;
      this.#state = promoted.state;
      return true;
    }
    return false;
  }

  /** What has become of the candidate in question; undefined while that is open. */
  #ending({ judgement }: Situation): Outcome['kind'] | undefined {
    const { active, outcome, left } = this.#state;
    const leaver = left.find(({ subset }) => subset === this.#questioned);
    if (leaver !== undefined) return leaver.fate === 'dropped' ? 'stopped' : 'ended';
    if (active !== undefined) return undefined;
    if (outcome === 'promoted') return 'promoted';
    const endsOnStable = this.#spec.strategy?.ab?.onEnd === 'rollback';
    return endsOnStable && judgement?.decision !== 'rollback' ? 'ended' : 'stopped';
  }

  /** In the last stage; going on without evidence rules out nothing. */
  #ruledOut(): number | undefined {
    const analysis = this.#candidates.find(({ subset }) => subset === this.#questioned)?.analysis;
    if (analysis === undefined || analysis.stage.number === 0) return undefined;
    const level = certifiedLevel(analysis, 0);
    return level === undefined ? undefined : errorMargin(analysis.spec, analysis.stage.nextWeight, level);
  }

  #situation(passedMs: number): Situation {
    const { weight } = this;
    const isCompared = weight > 0 && weight < 1;
    const each = this.#racing.map(({ subset, analysis }): [string, CandidateSituation] => {
      const judgement = isCompared ? judgementOf(analysis) : undefined;
      return [subset, { readiness: READY, ...(judgement === undefined ? {} : { judgement }) }];
    });
    const [first] = this.#racing;
    return {
      ...FROM_THE_START,
      passedMs,
      ...together(Object.fromEntries(each)),
      ...(first === undefined ? {} : { ratePerS: trafficPerS(first.analysis.baseline) }),
    };
  }
}

function judgementOf(analysis: AnalysisState): Judgement | undefined {
  if (analysis.started === 0) return undefined;
  const { decision, cause } = decide(analysis);
  return { decision, cause, message: cause, canaryRequests: analysis.stage.canaryRequests, evidence: {} };
}
