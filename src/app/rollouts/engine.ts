/**
 * The rollout engine: four times a second it looks at every release, lets plan.ts decide, and performs what was decided.
 *
 * The order is what makes a crash harmless:
 *
 * 1. the kill switch, where harm is proved: shared memory, no write, no message;
 * 2. the state, durable;
 * 3. the overlay, which follows from the states alone (`desired`), so that whatever was interrupted is put right by the next tick;
 * 4. nothing grows before the data plane has acknowledged 3.
 *
 * When the state cannot be written nothing moves and no time counts until it can; traffic goes on as it is.
 */
import type { Evidence } from '../../admin/live-types.ts';
import type { Actor } from '../../admin/access.ts';
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { targetOf } from '../../config/release-target.ts';
import type { HostEnv } from '../../config/run-host.ts';
import { canariesOf, type RolloutSpec } from '../../config/serin/rollout-spec.ts';
import type { Proxy } from '../../proxy/proxy.ts';
import { killSwitchKey } from '../../routing/release-arms.ts';
import { isRefusal, type Command, type Refusal, adopt, command, forsake, relocate, start } from '../../rollout/verbs.ts';
import type { Outcome } from '../../rollout/outcome.ts';
import { plan } from '../../rollout/plan.ts';
import type { Situation } from '../../rollout/situation.ts';
import { inRace } from '../../rollout/race.ts';
import { newState, type RolloutState } from '../../rollout/state.ts';
import type { HealthChecker } from '../../workload/health-check.ts';
import type { Supervisor } from '../../workload/supervisor.ts';
import type { Logger } from '../logger.ts';
import type { Pipeline } from '../pipeline.ts';
import { type Change, changeBy } from '../audit-table.ts';
import { type State, StateWriteError } from '../state.ts';
import { ReleaseChecks, type ShownChecks } from './checks/release-checks.ts';
import type { Comparisons } from './comparisons.ts';
import {
  appliedIn,
  type Entry,
  hasAcknowledged,
  isConfigured,
  newEntry,
  releaseIn,
  setRelease,
  specFor,
  takeOver,
  withReleased,
} from './entry.ts';
import { EvidenceHistories } from './evidence-history.ts';
import { evidenceOfRun, evidencePointText } from './evidence-point.ts';
import { FoundProofs } from './found-proofs.ts';
import { type DesiredOverlay, desiredOverlay, isSameOverlay } from './desired-overlay.ts';
import { Outlook } from './outlook.ts';
import { type AdHocRollout, adHocSpec, ANSWER_LIFE_MS, loadRollouts, saveClocks, saveRollouts, type StoredRollout } from './store.ts';

const TICK_MS = 250;
/** A tick that comes later than this was not served: the process was stopped, or the machine asleep. */
const MAX_PASSED_MS = 1000;
const CLOCK_WRITE_MS = 1000;
/** The evidence of each release is written once in so many ticks: every five seconds. */
const EVIDENCE_TICKS = 20;

type Routing = Pick<Pipeline, 'inForce' | 'changeOverlay'>;

export interface RolloutsDeps {
  readonly proxy: Pick<Proxy, 'stats' | 'health'>;
  readonly health: Pick<HealthChecker, 'states'>;
  readonly processes: Pick<Supervisor, 'states'>;
  readonly state: State;
  /** Where workers write what they have proved; undefined: nowhere. */
  readonly proofDirectory?: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Serin's own environment, for what metrics and webhooks refer to as `${NAME}`. Default: empty. */
  readonly hostEnv?: HostEnv;
}

/** A release the engine knows, whether its Rollout is still in the files or not. */
export interface Tracked {
  /** `namespace/name`. */
  readonly name: string;
  /** Undefined: no Rollout of this name is configured any more. */
  readonly spec: RolloutSpec | undefined;
  readonly stored: StoredRollout;
  readonly situation: Situation;
  readonly comparisons: Comparisons | undefined;
  readonly checks: ShownChecks;
}

export class Rollouts {
  readonly #deps: RolloutsDeps;
  readonly #outlook: Outlook;
  readonly #proofs: FoundProofs;
  readonly #checks: ReleaseChecks;
  readonly #histories: EvidenceHistories;
  readonly #entries = new Map<string, Entry>();
  readonly #unreadable: ReadonlyMap<string, string>;
  #lastMs: number;
  #sinceClockWriteMs = 0;
  #ticks = 0;
  #writeProblem: string | undefined;
  #applying: Promise<void> | undefined;
  #applyProblem: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pipeline: Routing | undefined;

  /** Reads what was stored; `initialOverlay` is then what has to be in force from the first moment on. */
  constructor(deps: RolloutsDeps) {
    this.#deps = deps;
    this.#lastMs = deps.clock.monotonicMs();
    this.#proofs = new FoundProofs(deps.proofDirectory);
    this.#histories = new EvidenceHistories(deps.state);
    this.#checks = new ReleaseChecks({ ...deps, hostEnv: deps.hostEnv ?? {} });
    this.#outlook = new Outlook({ ...deps, proofs: this.#proofs, checks: this.#checks });
    const { rollouts, unreadable } = loadRollouts(deps.state);
    this.#unreadable = unreadable;
    for (const [name, stored] of rollouts) {
      this.#entries.set(name, newEntry(name, stored));
      this.#cutOffAgain(name, stored.state);
    }
    for (const [name, why] of unreadable)
      deps.logger.error({ code: 'E_STATE_INVALID' }, `state of Rollout ${name} cannot be used (${why}); its host gets what the files say`);
  }

  /** Workers of an earlier process had cut off a candidate: nobody gets there before that is on record. */
  #cutOffAgain(rollout: string, state: RolloutState): void {
    const { run, epoch, active } = state;
    const { health } = this.#deps.proxy;
    for (const canary of active === undefined ? [] : inRace(state)) {
      if (this.#proofs.of(rollout, canary, run) !== undefined) health.set(health.slot(killSwitchKey({ rollout, epoch }, canary)), false);
    }
  }

  /** As the states have it; whether their Rollouts are still there is not known yet. */
  get initialOverlay(): DesiredOverlay {
    return this.#desired();
  }

  /** Looks once, so that everything is as it should be, then keeps looking. @param pipeline Has read the files. */
  async start(pipeline: Routing): Promise<void> {
    this.#pipeline = pipeline;
    await this.tick();
    this.#timer = setInterval(() => {
      this.tick().catch((error: unknown) => this.#deps.logger.error({ err: error }, 'a tick of the rollout engine failed'));
    }, TICK_MS);
    this.#timer.unref();
  }

  /** Nothing is decided after this; times and evidence are written down. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#applying;
    this.#writeClocks(true);
    this.#checks.close();
  }

  list(): readonly Tracked[] {
    const now = this.#pipeline?.inForce;
    const applied = now && appliedIn(now);
    return [...this.#entries.values()].map((entry) => this.#tracked(entry, applied));
  }

  /** Of each release what is stored: for those who look often. */
  *released(): Iterable<{ readonly name: string; readonly host: string; readonly state: RolloutState }> {
    for (const { name, stored } of this.#entries.values()) yield { name, host: stored.host, state: stored.state };
  }

  /** How the evidence of the last run has grown, up to now. */
  evidence({ name, stored: { state } }: Pick<Tracked, 'name' | 'stored'>): Evidence {
    const entry = this.#entries.get(name);
    const latest = entry?.comparedRun === state.run ? this.#point(entry) : undefined;
    return evidenceOfRun(state.run, this.#histories.points(name, state.run), latest);
  }

  find(name: string): Tracked | undefined {
    const entry = this.#entries.get(name);
    const now = this.#pipeline?.inForce;
    return entry === undefined ? undefined : this.#tracked(entry, now && appliedIn(now));
  }

  /** Why nothing moves at the moment, although something should. */
  get problem(): string | undefined {
    return this.#writeProblem ?? this.#applyProblem;
  }

  /** One look at everything. Resolves when what was decided is in force, or could not be brought into force. */
  async tick(): Promise<void> {
    const passedMs = this.#passed();
    this.#sync();
    this.#look(passedMs);
    this.#flushChecks();
    const decided = new Map<Entry, Outcome>();
    for (const entry of this.#entries.values()) {
      const outcome = this.#decide(entry);
      this.#checks.gate(entry.name, outcome.asks === true);
      if (outcome.records.length > 0) decided.set(entry, outcome);
      else if (outcome.state !== entry.stored.state) entry.stored = { ...entry.stored, state: outcome.state };
    }
    this.#perform(decided);
    this.#writeClocks(false, passedMs);
    if (this.#applying === undefined) await this.#apply();
  }

  /**
   * Something a person asks for.
   *
   * @param key   Idempotency-Key: the second request with it changes nothing.
   * @param actor Who asks, for the audit; their reason goes into the record of the decision as well.
   * @param adHoc For a host that has no Rollout: what to release beside what.
   * @throws StateWriteError; then nothing was changed
   */
  async command(
    name: string,
    asked: Command,
    options: { readonly actor?: Actor; readonly key?: string; readonly adHoc?: AdHocRollout; readonly to?: readonly string[] } = {},
  ): Promise<Refusal | undefined> {
    const { actor, key, to } = options;
    this.#sync();
    let entry = this.#entries.get(name);
    const adHoc = entry !== undefined && isConfigured(entry) ? undefined : options.adHoc;
    if (entry === undefined && adHoc !== undefined) {
      entry = newEntry(name, { host: adHoc.host, state: newState(adHoc), records: [], answers: [], adHoc });
    }
    if (entry === undefined) return { refused: 'conflict', reason: `there is no Rollout ${name}` };
    const nowMs = this.#deps.clock.nowMs();
    if (key !== undefined && entry.stored.answers.some((answer) => answer.key === key && answer.verb === asked.verb)) return undefined;
    const changed: StoredRollout = adHoc === undefined ? entry.stored : { ...entry.stored, adHoc };
    // Until it is written down: if it is refused, the next look finds what there was before.
    if (adHoc !== undefined) entry.spec = adHocSpec(adHoc);
    const spec = specFor(entry, to);
    this.#look(0, entry);
    const result =
      spec === undefined
        ? forsake(entry.stored.state, asked, entry.situation)
        : command(entry.stored.state, asked, this.#outlook.situationFor(entry, spec, this.#routing.inForce), spec, name);
    if (isRefusal(result)) return result;
    if (result.records.length === 0) return undefined;
    const answers = [
      ...changed.answers.filter(({ atMs }) => nowMs - atMs < ANSWER_LIFE_MS),
      ...(key === undefined ? [] : [{ key, atMs: nowMs, verb: asked.verb }]),
    ];
    this.#write(new Map([[entry, withReason(result, actor?.reason)]]), new Map([[entry, { ...changed, answers }]]), actor);
    this.#entries.set(name, entry);
    await this.#apply();
    // The answer shows how it is now.
    this.#look(0, entry);
    return undefined;
  }

  /** Writes down a decision that moves nothing. @throws StateWriteError */
  note(name: string, noted: Outcome, actor: Actor): void {
    const entry = this.#entries.get(name);
    if (entry !== undefined) this.#write(new Map([[entry, noted]]), new Map(), actor);
  }

  get #routing(): Routing {
    assert(this.#pipeline !== undefined, 'start() comes first');
    return this.#pipeline;
  }

  // --- what there is ------------------------------------------------------------------------------------------------------------------

  #passed(): number {
    const nowMs = this.#deps.clock.monotonicMs();
    const passedMs = Math.max(0, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    return this.#writeProblem === undefined ? Math.min(passedMs, MAX_PASSED_MS) : 0;
  }

  /** Rollouts that came, changed or went with the files. */
  #sync(): void {
    const seen = new Set<string>();
    for (const { metadata, spec } of this.#routing.inForce.base.rollouts) {
      const name = `${metadata.namespace}/${metadata.name}`;
      const host = targetOf({ metadata, spec });
      seen.add(name);
      if (this.#unreadable.has(name)) continue;
      let entry = this.#entries.get(name);
      if (entry === undefined) {
        entry = newEntry(name, { host, state: newState({ stable: spec.stable, canaries: canariesOf(spec) }), records: [], answers: [] });
        this.#entries.set(name, entry);
      }
      entry.spec = spec;
      takeOver(entry, host);
    }
    for (const entry of this.#entries.values()) {
      if (seen.has(entry.name)) continue;
      entry.spec = adHocSpec(entry.stored.adHoc);
      if (entry.spec === undefined && entry.stored.state.run === 0) this.#entries.delete(entry.name);
    }
  }

  #look(passedMs: number, only?: Entry): void {
    this.#outlook.look([...this.#entries.values()], this.#routing.inForce, passedMs, only);
  }

  // --- what is decided ----------------------------------------------------------------------------------------------------------------

  #decide(entry: Entry): Outcome {
    const { name, spec, situation } = entry;
    const { state } = entry.stored;
    const unchanged: Outcome = { state, records: [] };
    if (this.#writeProblem !== undefined && situation.judgement?.decision !== 'rollback') return unchanged;
    if (spec === undefined) return unchanged;
    if (entry.movesTo !== undefined && state.active?.back === undefined) return relocate(state, situation, entry.movesTo);
    if (entry.stored.adHoc === undefined) {
      const adopted = adopt(state, spec, situation);
      if (adopted !== undefined) return adopted;
    }
    const planned = plan(state, situation);
    if (state.active !== undefined || planned.state !== state) return planned;
    const startsByItself =
      (state.outcome === undefined || state.outcome === 'settled') && spec.paused !== true && entry.stored.adHoc === undefined;
    if (!startsByItself) return unchanged;
    const started = start(state, situation, spec, name, 'engine', 'the Rollout was applied');
    return isRefusal(started) ? unchanged : started;
  }

  #perform(decided: ReadonlyMap<Entry, Outcome>): void {
    if (decided.size === 0) return;
    try {
      this.#write(decided, new Map());
      if (this.#writeProblem !== undefined) this.#deps.logger.info('the state can be written again: releases go on');
      this.#writeProblem = undefined;
    } catch (error) {
      this.#cannotWrite(error);
    }
  }

  /** Kill switches, then the states. @throws StateWriteError */
  #write(decided: ReadonlyMap<Entry, Outcome>, others: ReadonlyMap<Entry, StoredRollout>, actor?: Actor): void {
    const { proxy, state, logger } = this.#deps;
    const changed = new Map<string, StoredRollout>();
    const changes: Change[] = [];
    for (const [entry, { state: next, records, kill }] of decided) {
      for (const subset of kill?.subsets ?? [])
        proxy.health.set(proxy.health.slot(killSwitchKey({ rollout: entry.name, epoch: kill?.epoch ?? 0 }, subset)), false);
      const base = others.get(entry) ?? entry.stored;
      changed.set(entry.name, withReleased({ ...base, state: next, records: [...base.records, ...records] }));
      for (const { by, action } of records) {
        const what = `rollout ${action}`;
        changes.push(by === actor?.name ? changeBy(actor, what, entry.name) : { actor: by, action: what, target: entry.name });
      }
    }
    saveRollouts(state, changed, changes);
    for (const [entry, { state: next, records, kill }] of decided) {
      const { run } = entry.stored.state;
      if (records.length > 0 && entry.comparedRun === run) this.#histories.note(entry.name, run, this.#point(entry), this.#entries.size);
      const stored = changed.get(entry.name);
      if (stored !== undefined) entry.stored = stored;
      setRelease(entry, releaseIn(entry.name, entry.stored));
      // Before the data plane has the new shares: their first requests are counted, and watched, as the later ones are.
      if (this.#outlook.enter(entry, next) === undefined) entry.comparisons?.end();
      for (const subset of kill?.subsets ?? []) this.#proofs.settle(entry.name, subset);
      for (const { action, reason, canaryPercent } of records) {
        const level = action === 'rollback' || action === 'abort' || action === 'pause' ? 'warn' : 'info';
        logger[level]({ rollout: entry.name, action, canaryPercent }, `rollout ${entry.name}: ${reason}`);
      }
    }
  }

  /** What metrics and webhooks have said counts only once it is durable. */
  #flushChecks(): void {
    try {
      this.#checks.flush();
    } catch (error) {
      this.#cannotWrite(error);
    }
  }

  #cannotWrite(error: unknown): void {
    const message = error instanceof StateWriteError ? error.message : `the state cannot be written: ${String(error)}`;
    if (this.#writeProblem === undefined) this.#deps.logger.error({ err: error }, `releases stand still, traffic goes on: ${message}`);
    this.#writeProblem = `stands still: ${message}`;
  }

  // --- what is done -------------------------------------------------------------------------------------------------------------------

  #desired(): DesiredOverlay {
    return desiredOverlay(this.#entries.values(), this.#pipeline?.inForce, this.#outlook.view);
  }

  /** The overlay becomes what the states say. One change at a time; a change that comes meanwhile is in the next one. */
  async #apply(): Promise<void> {
    while (this.#applying !== undefined) await this.#applying;
    if (isSameOverlay(this.#routing.inForce.overlay, this.#desired())) {
      this.#applyProblem = undefined;
      return;
    }
    const applied = this.#changeOverlay();
    this.#applying = applied;
    await applied;
    this.#applying = undefined;
  }

  async #changeOverlay(): Promise<void> {
    try {
      await this.#routing.changeOverlay(
        (now) => ({ ...now.overlay, ...this.#desired() }),
        () => undefined,
      );
      this.#applyProblem = undefined;
    } catch (error) {
      if (this.#applyProblem === undefined)
        this.#deps.logger.error({ err: error }, 'what a release decided could not be brought into force; it is tried again');
      this.#applyProblem = 'waits: the data plane has refused the change';
    }
  }

  /** Times, so that a crash costs a second at most; evidence, a few of the releases at a time, so that it costs a few seconds. */
  #writeClocks(isLast: boolean, passedMs = 0): void {
    this.#sinceClockWriteMs += passedMs;
    this.#ticks++;
    const isProblem = this.#writeProblem !== undefined;
    const running = [...this.#entries.values()].filter(({ stored }) => stored.state.active !== undefined);
    const due = running.filter(({ comparisons, comparedRun, stored }, index) => {
      const isDue = isLast || (index + this.#ticks) % EVIDENCE_TICKS === 0;
      return isDue && comparisons !== undefined && comparedRun === stored.state.run;
    });
    if (!isLast)
      for (const { name, comparedRun, ...entry } of due)
        this.#histories.offer(name, comparedRun, () => this.#point(entry), this.#entries.size);
    const points = this.#histories.unwritten();
    const evidence = new Map(due.map(({ name, comparisons, comparedRun }) => [name, `${comparedRun}\n${comparisons?.encode() ?? ''}`]));
    const isDue = isLast || isProblem || this.#sinceClockWriteMs >= CLOCK_WRITE_MS;
    if (!isProblem && points.size === 0 && (running.length === 0 || (!isDue && evidence.size === 0))) return;
    if (isDue) this.#sinceClockWriteMs = 0;
    try {
      const times = isDue ? new Map(running.map(({ name, stored }) => [name, stored.state])) : undefined;
      saveClocks(this.#deps.state, times, evidence, points);
      this.#histories.written();
      if (isProblem) this.#deps.logger.info('the state can be written again: releases go on');
      this.#writeProblem = undefined;
    } catch (error) {
      this.#cannotWrite(error);
    }
  }

  /** Of a moment: what there was to decide by. */
  #point({ stored, comparisons }: Pick<Entry, 'stored' | 'comparisons'>): string | undefined {
    return comparisons && evidencePointText(stored.state, comparisons, this.#deps.clock.nowMs());
  }

  /** Whether it is in force is as of now: the last look was before what was decided on it. @param applied Undefined: nothing is in force yet. */
  #tracked(entry: Entry, applied: ReadonlySet<string> | undefined): Tracked {
    const { name, spec, stored, comparisons } = entry;
    const isInForce = applied !== undefined && hasAcknowledged(entry, this.#routing.inForce, applied);
    const situation = { ...entry.situation, isInForce };
    return { name, spec, stored, situation, comparisons, checks: this.#checks.shown(name) };
  }
}

/** What somebody says stands behind what they did: `paused by hand: the database moves`. */
function withReason(outcome: Outcome, reason: string | undefined): Outcome {
  const [first, ...rest] = outcome.records;
  if (first === undefined || reason === undefined) return outcome;
  return { ...outcome, records: [{ ...first, reason: `${first.reason}: ${reason}` }, ...rest] };
}
