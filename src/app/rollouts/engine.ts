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
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { resolveHost } from '../../config/hosts.ts';
import type { ReleaseOverlay } from '../../config/release.ts';
import { frozenBy } from '../../config/serin/freeze-window.ts';
import type { RolloutSpec } from '../../config/serin/rollout-spec.ts';
import type { Proxy } from '../../proxy/proxy.ts';
import { isRefusal, type Command, type Refusal, adopt, command, start } from '../../rollout/verbs.ts';
import { type Outcome, plan } from '../../rollout/plan.ts';
import type { Situation } from '../../rollout/situation.ts';
import { FULL } from '../../rollout/spec.ts';
import { newState, releaseOf, type RolloutState, servingSubset } from '../../rollout/state.ts';
import type { HealthChecker } from '../../workload/health-check.ts';
import type { Supervisor } from '../../workload/supervisor.ts';
import type { Logger } from '../logger.ts';
import type { InForce, Pipeline } from '../pipeline.ts';
import { splitOf } from '../shifts.ts';
import { type Change, type State, StateWriteError } from '../state.ts';
import { Analyst } from './analyst.ts';
import { ReadinessView } from './readiness.ts';
import { type AdHocRollout, ANSWER_LIFE_MS, loadEvidence, loadRollouts, saveClocks, saveRollouts, type StoredRollout } from './store.ts';

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
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A release the engine knows, whether its Rollout is still in the files or not. */
export interface Tracked {
  /** `namespace/name`. */
  readonly name: string;
  /** Undefined: no Rollout of this name is configured any more. */
  readonly spec: RolloutSpec | undefined;
  readonly stored: StoredRollout;
  readonly situation: Situation;
  readonly analyst: Analyst | undefined;
}

interface Entry {
  readonly name: string;
  spec: RolloutSpec | undefined;
  stored: StoredRollout;
  /** What follows from `stored.state`; the very object that is in the overlay. */
  release: ReleaseOverlay | undefined;
  analyst: Analyst | undefined;
  /** Of which run `analyst` is. */
  analystRun: number;
  situation: Situation;
}

export class Rollouts {
  readonly #deps: RolloutsDeps;
  readonly #view = new ReadinessView();
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
  /** Who moves each host, as of the last look. */
  #movers: ReadonlyMap<string, string> = new Map();

  /** Reads what was stored; `initialReleases` is then what has to be in force from the first moment on. */
  constructor(deps: RolloutsDeps) {
    this.#deps = deps;
    this.#lastMs = deps.clock.monotonicMs();
    const { rollouts, unreadable } = loadRollouts(deps.state);
    this.#unreadable = unreadable;
    for (const [name, stored] of rollouts) this.#entries.set(name, newEntry(name, stored));
    for (const [name, why] of unreadable)
      deps.logger.error({ code: 'E_STATE_INVALID' }, `state of Rollout ${name} cannot be used (${why}); its host gets what the files say`);
  }

  /** Releases by host, as the states have them; whether their Rollouts are still there is not known yet. */
  get initialReleases(): Readonly<Record<string, ReleaseOverlay>> {
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
  }

  list(): readonly Tracked[] {
    return [...this.#entries.values()].map((entry) => this.#tracked(entry));
  }

  find(name: string): Tracked | undefined {
    const entry = this.#entries.get(name);
    return entry === undefined ? undefined : this.#tracked(entry);
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
    const decided = new Map<Entry, Outcome>();
    for (const entry of this.#entries.values()) {
      const outcome = this.#decide(entry);
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
   * @param adHoc For a host that has no Rollout: what to release beside what.
   * @throws StateWriteError; then nothing was changed
   */
  async command(
    name: string,
    asked: Command,
    options: { readonly key?: string; readonly adHoc?: AdHocRollout; readonly to?: string } = {},
  ): Promise<Refusal | undefined> {
    const { key, adHoc, to } = options;
    this.#sync();
    let entry = this.#entries.get(name);
    if (entry === undefined && adHoc !== undefined) {
      entry = newEntry(name, { host: adHoc.host, state: newState(adHoc.stable, adHoc.canary), records: [], answers: [], adHoc });
    }
    if (entry === undefined) return { refused: 'conflict', reason: `there is no Rollout ${name}` };
    const nowMs = this.#deps.clock.nowMs();
    if (key !== undefined && entry.stored.answers.some((answer) => answer.key === key && answer.verb === asked.verb)) return undefined;
    const changed: StoredRollout = adHoc === undefined ? entry.stored : { ...entry.stored, adHoc };
    const spec = specFor(entry, changed, to);
    if (spec === undefined) return { refused: 'blocked', reason: `Rollout ${name} is no longer in the files` };
    this.#look(0, entry);
    const situation = { ...entry.situation, ...this.#readyFor(entry, spec) };
    const result = command(entry.stored.state, asked, situation, spec, name);
    if (isRefusal(result)) return result;
    if (result.records.length === 0) return undefined;
    const answers = [
      ...changed.answers.filter(({ atMs }) => nowMs - atMs < ANSWER_LIFE_MS),
      ...(key === undefined ? [] : [{ key, atMs: nowMs, verb: asked.verb }]),
    ];
    this.#write(new Map([[entry, result]]), new Map([[entry, { ...changed, answers }]]));
    this.#entries.set(name, entry);
    await this.#apply();
    // The answer shows how it is now.
    this.#look(0, entry);
    return undefined;
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
      const host = resolveHost(spec.host, metadata.namespace);
      seen.add(name);
      if (this.#unreadable.has(name)) continue;
      let entry = this.#entries.get(name);
      if (entry === undefined) {
        entry = newEntry(name, { host, state: newState(spec.stable, spec.canary), records: [], answers: [] });
        this.#entries.set(name, entry);
      }
      entry.spec = spec;
      if (entry.stored.host !== host) entry.stored = { ...entry.stored, host };
    }
    for (const entry of this.#entries.values()) {
      if (seen.has(entry.name)) continue;
      entry.spec = entry.stored.adHoc;
      if (entry.spec === undefined && entry.stored.state.run === 0) this.#entries.delete(entry.name);
    }
  }

  #look(passedMs: number, only?: Entry): void {
    const now = this.#routing.inForce;
    this.#view.look(now, this.#deps.health.states(), this.#deps.processes.states());
    this.#movers = new Map(
      [...this.#entries.values()].filter(({ stored }) => stored.state.active !== undefined).map(({ name, stored }) => [stored.host, name]),
    );
    const applied = new Set(now.effective.releases.map(({ rollout }) => rollout));
    for (const entry of only === undefined ? this.#entries.values() : [only]) this.#lookAt(entry, now, applied, passedMs);
  }

  #lookAt(entry: Entry, now: InForce, applied: ReadonlySet<string>, passedMs: number): void {
    const { state } = entry.stored;
    const { active } = state;
    const isInForce = now.overlay.releases[entry.stored.host] === entry.release && (entry.release === undefined || applied.has(entry.name));
    if (active !== undefined && isInForce) {
      const analyst = this.#analystOf(entry, state);
      const next = active.steps.slice(active.step + 1).find(({ set }) => set?.weight !== undefined)?.set?.weight ?? FULL;
      analyst?.enter(state.epoch, active.weight, next);
      if (passedMs > 0) analyst?.tick(passedMs);
    }
    const judgement = active !== undefined && active.weight > 0 && active.weight < FULL ? entry.analyst?.judgement() : undefined;
    const frozen = entry.spec?.freeze === undefined ? undefined : frozenBy(entry.spec.freeze, this.#deps.clock.nowMs());
    const blocked = this.#blocked(entry, now);
    entry.situation = {
      nowMs: this.#deps.clock.nowMs(),
      passedMs,
      isInForce,
      canary: this.#view.of(entry.stored.host, state.canary),
      stable: this.#view.of(entry.stored.host, state.stable),
      ...(judgement === undefined ? {} : { judgement }),
      ...(frozen === undefined ? {} : { frozen }),
      ...(blocked === undefined ? {} : { blocked }),
      ...(entry.analyst === undefined ? {} : { ratePerS: entry.analyst.ratePerS }),
    };
  }

  /** Of versions a command names, which may be others than those of the last run. */
  #readyFor(entry: Entry, spec: RolloutSpec): Partial<Situation> {
    const isRunning = entry.stored.state.active !== undefined;
    if (isRunning || (spec.canary === entry.stored.state.canary && spec.stable === entry.stored.state.stable)) return {};
    const missing = this.#view.missing(entry.stored.host, spec.stable) ?? this.#view.missing(entry.stored.host, spec.canary);
    return {
      canary: this.#view.of(entry.stored.host, spec.canary),
      stable: this.#view.of(entry.stored.host, spec.stable),
      ...(missing === undefined ? {} : { blocked: missing }),
    };
  }

  #analystOf(entry: Entry, { run, stable, canary, active }: RolloutState): Analyst | undefined {
    if (active === undefined) return undefined;
    if (entry.analyst === undefined || entry.analystRun !== run) {
      const saved = loadEvidence(this.#deps.state, entry.name);
      const mine = saved?.startsWith(`${run}\n`) === true ? saved.slice(`${run}\n`.length) : undefined;
      const deps = { stats: this.#deps.proxy.stats, rollout: entry.name, stable, canary, spec: active.analysis };
      entry.analyst = new Analyst(deps, mine);
      entry.analystRun = run;
    }
    return entry.analyst;
  }

  #blocked(entry: Entry, now: InForce): string | undefined {
    if (entry.spec === undefined) return 'its Rollout is no longer in the files';
    const { host, state } = entry.stored;
    const missing = this.#view.missing(host, state.stable) ?? this.#view.missing(host, state.canary);
    if (missing !== undefined) return missing;
    if (now.overlay.shifts[host] !== undefined) return `a shift by hand is in force: drop it with serin shift ${host} --reset`;
    const mover = this.#movers.get(host);
    return mover === undefined || mover === entry.name ? undefined : `Rollout ${mover} moves ${host} already`;
  }

  // --- what is decided ----------------------------------------------------------------------------------------------------------------

  #decide(entry: Entry): Outcome {
    const { name, spec, situation } = entry;
    const { state } = entry.stored;
    const unchanged: Outcome = { state, records: [] };
    if (this.#writeProblem !== undefined && situation.judgement?.decision !== 'rollback') return unchanged;
    if (spec === undefined) return unchanged;
    if (entry.stored.adHoc === undefined) {
      const adopted = adopt(state, spec, situation);
      if (adopted !== undefined) return adopted;
    }
    if (state.active !== undefined) return plan(state, situation);
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
  #write(decided: ReadonlyMap<Entry, Outcome>, others: ReadonlyMap<Entry, StoredRollout>): void {
    const { proxy, state, logger } = this.#deps;
    const changed = new Map<string, StoredRollout>();
    const changes: Change[] = [];
    for (const [entry, { state: next, records, kill }] of decided) {
      if (kill !== undefined) proxy.health.set(proxy.health.slot(`kill|${entry.name}|${kill}`), false);
      const base = others.get(entry) ?? entry.stored;
      changed.set(entry.name, { ...base, state: next, records: [...base.records, ...records] });
      for (const { by, action } of records) changes.push({ actor: by, action: `rollout ${action}`, target: entry.name });
    }
    saveRollouts(state, changed, changes);
    for (const [entry, { state: next, records }] of decided) {
      const stored = changed.get(entry.name);
      if (stored !== undefined) entry.stored = stored;
      setRelease(entry, releaseOf(entry.name, next));
      for (const { action, reason, canaryPercent } of records) {
        const level = action === 'rollback' || action === 'abort' || action === 'pause' ? 'warn' : 'info';
        logger[level]({ rollout: entry.name, action, canaryPercent }, `rollout ${entry.name}: ${reason}`);
      }
    }
  }

  #cannotWrite(error: unknown): void {
    const message = error instanceof StateWriteError ? error.message : `the state cannot be written: ${String(error)}`;
    if (this.#writeProblem === undefined) this.#deps.logger.error({ err: error }, `releases stand still, traffic goes on: ${message}`);
    this.#writeProblem = `stands still: ${message}`;
  }

  // --- what is done -------------------------------------------------------------------------------------------------------------------

  #desired(): Readonly<Record<string, ReleaseOverlay>> {
    const desired: Record<string, ReleaseOverlay> = {};
    for (const { release, spec, stored } of this.#entries.values()) {
      const { host } = stored;
      // Without its Rollout the files have the say again; the state is kept and shown.
      if (release === undefined || (spec === undefined && this.#pipeline !== undefined)) continue;
      if (this.#isMadeFinal(stored)) continue;
      if (desired[host] === undefined || stored.state.active !== undefined) desired[host] = release;
    }
    return desired;
  }

  /** A release by hand has ended, and the files say themselves what it has come to: then they are in force. */
  #isMadeFinal({ adHoc, host, state }: StoredRollout): boolean {
    if (adHoc === undefined || state.active !== undefined || this.#pipeline === undefined) return false;
    const shares = Object.entries(splitOf(this.#pipeline.inForce.base, host)).filter(([, weight]) => weight > 0);
    return shares.length === 1 && shares[0]?.[0] === servingSubset(state);
  }

  /** The overlay becomes what the states say. One change at a time; a change that comes meanwhile is in the next one. */
  async #apply(): Promise<void> {
    while (this.#applying !== undefined) await this.#applying;
    if (isSame(this.#routing.inForce.overlay.releases, this.#desired())) {
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
        (now) => ({ ...now.overlay, releases: this.#desired() }),
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
    const evidence = new Map(
      running
        .filter(({ analyst, analystRun, stored }, index) => {
          const isDue = isLast || (index + this.#ticks) % EVIDENCE_TICKS === 0;
          return isDue && analyst !== undefined && analystRun === stored.state.run;
        })
        .map(({ name, analyst, analystRun }) => [name, `${analystRun}\n${analyst?.encode() ?? ''}`]),
    );
    const isDue = isLast || isProblem || this.#sinceClockWriteMs >= CLOCK_WRITE_MS;
    if (!isProblem && (running.length === 0 || (!isDue && evidence.size === 0))) return;
    if (isDue) this.#sinceClockWriteMs = 0;
    try {
      saveClocks(this.#deps.state, isDue ? new Map(running.map(({ name, stored }) => [name, stored.state])) : undefined, evidence);
      if (isProblem) this.#deps.logger.info('the state can be written again: releases go on');
      this.#writeProblem = undefined;
    } catch (error) {
      this.#cannotWrite(error);
    }
  }

  #tracked({ name, spec, stored, situation, analyst }: Entry): Tracked {
    return { name, spec, stored, situation, analyst };
  }
}

function newEntry(name: string, stored: StoredRollout): Entry {
  const notReady = { isReady: false, reason: 'not looked at yet' };
  return {
    name,
    spec: stored.adHoc,
    stored,
    release: releaseOf(name, stored.state),
    analyst: undefined,
    analystRun: 0,
    situation: { nowMs: 0, passedMs: 0, isInForce: false, canary: notReady, stable: notReady },
  };
}

/** What a new run is of: the Rollout's pair, or with `--to` that subset beside what serves. */
function specFor(entry: Entry, { state, adHoc }: StoredRollout, to: string | undefined): RolloutSpec | undefined {
  const spec = entry.spec ?? adHoc;
  if (spec === undefined || to === undefined || to === spec.canary) return spec;
  return { ...spec, stable: servingSubset(state), canary: to };
}

/** Keeps the object while nothing about it changes, so that it can be compared by identity. */
function setRelease(entry: Entry, release: ReleaseOverlay | undefined): void {
  if (JSON.stringify(entry.release) !== JSON.stringify(release)) entry.release = release;
}

function isSame(a: Readonly<Record<string, ReleaseOverlay>>, b: Readonly<Record<string, ReleaseOverlay>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
