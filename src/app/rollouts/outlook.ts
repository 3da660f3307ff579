/**
 * What the engine sees before it decides: for each release who can answer, what its requests and its metrics say, who else moves its host, and whether
 * the data plane has acknowledged what was decided last.
 */
import type { Clock } from '../../base/clock.ts';
import { frozenBy } from '../../config/serin/freeze-window.ts';
import { showTarget } from '../../config/release-target.ts';
import { requiredNames } from '../../config/serin/requires.ts';
import { canariesOf, type RolloutSpec } from '../../config/serin/rollout-spec.ts';
import type { FoundProof } from '../../proxy/guard-keeper.ts';
import type { Proxy } from '../../proxy/proxy.ts';
import { nextWeightOf } from '../../rollout/analysis-share.ts';
import { countedShares, inRace, together } from '../../rollout/race.ts';
import type { CandidateSituation, Situation } from '../../rollout/situation.ts';
import { FULL } from '../../rollout/spec.ts';
import { releaseOf, type RolloutState, type Versions } from '../../rollout/state.ts';
import { type TrainMember, type TrainSituation, trainOf } from '../../rollout/train.ts';
import { goesAtOnce } from '../../rollout/way-back.ts';
import { killSwitchKey, ledgerKey } from '../../routing/release-arms.ts';
import type { HealthChecker } from '../../workload/health-check.ts';
import type { Supervisor } from '../../workload/supervisor.ts';
import type { InForce } from '../pipeline.ts';
import type { State } from '../state.ts';
import type { ReleaseChecks } from './checks/release-checks.ts';
import { Comparisons } from './comparisons.ts';
import { appliedIn, type Entry, hasAcknowledged } from './entry.ts';
import type { FoundProofs } from './found-proofs.ts';
import { comesBefore } from './precedence.ts';
import { ReadinessView } from './readiness.ts';
import { loadEvidence } from './store.ts';

export interface OutlookDeps {
  readonly proxy: Pick<Proxy, 'stats' | 'health'>;
  readonly health: Pick<HealthChecker, 'states'>;
  readonly processes: Pick<Supervisor, 'states'>;
  readonly state: State;
  readonly clock: Clock;
  readonly proofs: FoundProofs;
  readonly checks: ReleaseChecks;
}

export class Outlook {
  readonly view = new ReadinessView();
  readonly #deps: OutlookDeps;
  /** Who moves each host, as of the last look. */
  #movers: ReadonlyMap<string, string> = new Map();
  /** Who requires whom, as of the last look. */
  #train: ReadonlyMap<string, TrainSituation> = new Map();

  constructor(deps: OutlookDeps) {
    this.#deps = deps;
  }

  /** @param entries All releases. @param only The one to look at; default all. */
  look(entries: readonly Entry[], now: InForce, passedMs: number, only?: Entry): void {
    this.#deps.checks.configure(now.base);
    this.view.look(now, this.#deps.health.states(), this.#deps.processes.states());
    const applied = appliedIn(now);
    // One whose Rollout has left the files is nobody's concern any more: these are in force.
    const configured = entries.filter(({ spec }) => spec !== undefined);
    this.#movers = moversOf(configured);
    this.#train = trainOf(new Map(configured.map((entry) => [entry.name, memberOf(entry, now, applied)])));
    for (const entry of only === undefined ? entries : [only]) this.#lookAt(entry, now, applied, passedMs);
  }

  /** Of the versions a command names, which may be others than those of the last run. */
  situationFor(entry: Entry, spec: RolloutSpec, now: InForce): Situation {
    const { situation, name } = entry;
    const { host, state } = entry.stored;
    const canaries = canariesOf(spec);
    if (state.active !== undefined || isSameRelease({ stable: spec.stable, canaries }, { stable: state.stable, canaries: inRace(state) }))
      return situation;
    const { blocked: _ofTheLast, ...rest } = situation;
    const blocked = this.#blocked(entry, now, [spec.stable, ...canaries]) ?? this.#train.get(name)?.unmet;
    return {
      ...rest,
      ...together(this.#candidates(host, canaries)),
      stable: this.view.of(host, spec.stable),
      ...(blocked === undefined ? {} : { blocked }),
    };
  }

  /** The shares of this state are counted and watched from now on. */
  enter(entry: Entry, state: RolloutState): Comparisons | undefined {
    const { active, epoch } = state;
    const comparisons = this.#comparisonsOf(entry, state);
    if (active === undefined || comparisons === undefined) return undefined;
    const release = releaseOf(entry.name, state);
    if (release !== undefined) comparisons.enter(epoch, inRace(state), countedShares(release), nextWeightOf(active));
    comparisons.arm(hasBothArms(active) && goesAtOnce(state, entry.situation.stable));
    return comparisons;
  }

  #lookAt(entry: Entry, now: InForce, applied: ReadonlySet<string>, passedMs: number): void {
    const { state } = entry.stored;
    const { active } = state;
    const isInForce = hasAcknowledged(entry, now, applied);
    if (active !== undefined && isInForce) {
      const comparisons = this.enter(entry, state);
      if (passedMs > 0) comparisons?.tick(passedMs);
    }
    const stable = this.view.of(entry.stored.host, state.stable);
    entry.comparisons?.arm(hasBothArms(active) && goesAtOnce(state, stable));
    const isCompared = hasBothArms(active) || (active !== undefined && entry.comparisons?.isProved === true);
    const candidates = this.#candidates(entry.stored.host, inRace(state), isCompared ? entry.comparisons : undefined);
    const frozen = entry.spec?.freeze === undefined ? undefined : frozenBy(entry.spec.freeze, this.#deps.clock.nowMs());
    const train = this.#train.get(entry.name);
    const blocked = this.#blocked(entry, now, [state.stable, ...inRace(state)]) ?? (active === undefined ? train?.unmet : undefined);
    const { host, records } = entry.stored;
    const checks = this.#deps.checks.look({ name: entry.name, host, state, records });
    entry.situation = {
      nowMs: this.#deps.clock.nowMs(),
      passedMs,
      isInForce,
      ...together(candidates),
      stable,
      ...(frozen === undefined ? {} : { frozen }),
      ...(checks === undefined ? {} : { checks }),
      ...(blocked === undefined ? {} : { blocked }),
      ...(train === undefined ? {} : { train }),
      ...(entry.comparisons === undefined ? {} : { ratePerS: entry.comparisons.ratePerS }),
    };
  }

  #candidates(host: string, canaries: readonly string[], comparisons?: Comparisons): Readonly<Record<string, CandidateSituation>> {
    return Object.fromEntries(
      canaries.map((subset) => {
        const judgement = comparisons?.judgement(subset);
        return [subset, { readiness: this.view.of(host, subset), ...(judgement === undefined ? {} : { judgement }) }];
      }),
    );
  }

  #comparisonsOf(entry: Entry, { run, stable, canaries, active }: RolloutState): Comparisons | undefined {
    if (active === undefined) return undefined;
    if (entry.comparisons === undefined || entry.comparedRun !== run) {
      const saved = loadEvidence(this.#deps.state, entry.name);
      const mine = saved?.startsWith(`${run}\n`) === true ? saved.slice(`${run}\n`.length) : undefined;
      const { stats, health } = this.#deps.proxy;
      const rollout = entry.name;
      const killSlot = (epoch: number, canary: string): number => health.slot(killSwitchKey({ rollout, epoch }, canary));
      const proved = (canary: string): FoundProof | undefined => this.#deps.proofs.of(rollout, canary, run);
      entry.comparisons?.end();
      const ledgerName = ledgerKey({ rollout, ...(active.assignment === undefined ? {} : { assignment: active.assignment }) });
      const deps = { stats, rollout, run, stable, canaries, spec: active.analysis, killSlot, proved, ledgerName };
      entry.comparisons = new Comparisons(deps, mine);
      entry.comparedRun = run;
    }
    return entry.comparisons;
  }

  #blocked(entry: Entry, now: InForce, versions: readonly string[]): string | undefined {
    if (entry.spec === undefined) return 'its Rollout is no longer in the files';
    const { host } = entry.stored;
    const missing = this.view.missing(host, versions);
    if (missing !== undefined) return missing;
    if (now.overlay.shifts[host] !== undefined) return `a shift by hand is in force: drop it with serin shift ${host} --reset`;
    const mover = this.#movers.get(host);
    return mover === undefined || mover === entry.name ? undefined : `Rollout ${mover} moves ${showTarget(host)} already`;
  }
}

/** Who moves each host. */
function moversOf(entries: readonly Entry[]): ReadonlyMap<string, string> {
  const movers = new Map<string, Entry>();
  for (const entry of entries) {
    const { host, state } = entry.stored;
    const other = movers.get(host);
    if (state.active !== undefined && (other === undefined || comesBefore(entry.stored, other.stored))) movers.set(host, entry);
  }
  return new Map([...movers].map(([host, { name }]) => [host, name]));
}

function isSameRelease(a: Versions, b: Versions): boolean {
  return a.stable === b.stable && a.canaries.join() === b.canaries.join();
}

/** Whether there is somebody to compare the canaries with. */
function hasBothArms(active: RolloutState['active']): boolean {
  return active !== undefined && active.weight > 0 && active.weight < FULL;
}

function memberOf(entry: Entry, now: InForce, applied: ReadonlySet<string>): TrainMember {
  const { name, spec, stored } = entry;
  const [namespace = '', short = ''] = name.split('/');
  const requires = spec === undefined ? [] : requiredNames({ metadata: { namespace, name: short }, spec });
  return { requires, state: stored.state, isInForce: hasAcknowledged(entry, now, applied) };
}
