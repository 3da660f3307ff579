/**
 * The one way configuration comes into force, whatever changed: files, the overlay, the addresses behind a name, or which processes are ready.
 *
 *     base (files, and what was applied over the admin API) + overlay -> effective snapshot -> compile -> ready processes -> resolve names -> data plane -> health checks
 *
 * 1. One change at a time: changes queue, and reloads that wait for each other become one.
 * 2. All or nothing: a change that does not compile, or whose addresses cannot be bound, leaves everything as it was.
 * 3. A version that Serin runs and that is new in the files is started first; the change waits until it is ready, and is refused when it never is.
 * 4. What changes the overlay or what was applied is durable before it is in force, and is taken back when it cannot come into force.
 */
import type { Clock } from '../base/clock.ts';
import { type Diagnostic, hasErrors } from '../base/diagnostic.ts';
import { type FilesRead, type LoadResult, NO_FILES, readFiles } from '../config/load.ts';
import { identityText, type Manifest } from '../config/manifest.ts';
import { applyOverlay, type Overlay } from '../config/overlay.ts';
import { runSpecsOf } from '../config/run.ts';
import { EMPTY_SNAPSHOT, type Snapshot } from '../config/snapshot.ts';
import { ListenError } from '../proxy/options.ts';
import type { Proxy } from '../proxy/proxy.ts';
import { compile } from '../routing/compile.ts';
import type { RoutingTable } from '../routing/table.ts';
import type { DnsResolver } from '../workload/dns.ts';
import { idleVersions, NONE_IDLE, sameIdle } from '../workload/idle-versions.ts';
import type { HostEnv } from '../config/run-host.ts';
import type { HealthChecker } from '../workload/health-check.ts';
import type { Supervisor } from '../workload/supervisor.ts';
import { conditionTimes } from './condition-times.ts';
import type { CredentialStore } from './credentials.ts';
import { requireFree } from './free-address.ts';
import { type Candidate, type Cause, ConfigError, diagnosticsOf, type InForce, NotReadyError, type Refused } from './in-force.ts';
import { type Address, bindingsFor, describeListenError, type ListenMapping, type MeshMapping, ownListeners } from './listen.ts';
import { loadBeside } from './load-beside.ts';
import type { Logger } from './logger.ts';
import { logInForce, logRefused } from './pipeline-log.ts';

export { type Candidate, ConfigError, type InForce } from './in-force.ts';

/** What became of the files when they were read last. */
export interface LastReload {
  /** It is in force. */
  readonly successful: boolean;
  /** When something last came into force, be it no file's doing, epoch ms. */
  readonly lastSuccessAtMs: number;
  /** When they were read, epoch ms. */
  readonly atMs: number;
  /** Why it is not, how many reasons. */
  readonly errors: number;
}

export interface PipelineDeps {
  readonly paths: readonly string[];
  readonly listen: readonly ListenMapping[];
  readonly mesh: Address | 'off';
  readonly meshFor?: readonly MeshMapping[];
  /** `CompileOptions.istioCompat`. */
  readonly istioCompat?: boolean;
  /** `CompileOptions.locality`. */
  readonly locality?: string;
  /** The data plane has several workers, which bind with SO_REUSEPORT. */
  readonly sharesPorts: boolean;
  readonly proxy: Pick<Proxy, 'apply'>;
  readonly dns: Pick<DnsResolver, 'resolve' | 'ready'>;
  readonly health: Pick<HealthChecker, 'apply'>;
  readonly credentials: Pick<CredentialStore, 'read'>;
  readonly processes: Pick<Supervisor, 'want' | 'warmUp' | 'coolDown' | 'notReady' | 'resolve' | 'applied'>;
  /** Serin's own environment, which commands and variables of processes refer to. */
  readonly hostEnv: HostEnv;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Another version has come into force; `before` is undefined at the start. */
  readonly onVersion?: (cause: Cause, before: InForce | undefined, after: InForce) => void;
}

/** Between two tries of an address that was taken at a reload. */
const LISTEN_RETRY_MS = 2000;

export class Pipeline {
  readonly #deps: PipelineDeps;
  #tail: Promise<unknown> = Promise.resolve();
  #waitingReload: Promise<boolean> | undefined;
  #waitingRefresh = false;
  /** How often files were said to have changed. */
  #changes = 0;
  #onChange: () => void = () => undefined;
  #closed = false;
  /** What the address that could not be taken at the last reload was refused with. */
  #refusedAddress: string | undefined;
  #inForce: InForce;
  #reload: LastReload;
  #refused: Refused | undefined;
  /** Of the manifests: those that could not be used with the files at the start, and since then. */
  #leftOut: ReadonlySet<string> = new Set();

  constructor(deps: PipelineDeps, overlay: Overlay, manifests: readonly Manifest[] = []) {
    this.#deps = deps;
    const nothing: RoutingTable = { version: EMPTY_SNAPSHOT.version, listeners: [], clusters: [] };
    this.#inForce = {
      base: EMPTY_SNAPSHOT,
      files: NO_FILES,
      manifests,
      overlay,
      effective: EMPTY_SNAPSHOT,
      compiled: nothing,
      statuses: new Map(),
      conditionTimes: new Map(),
      idle: NONE_IDLE,
      table: nothing,
      bound: [],
      fileDiagnostics: [],
      diagnostics: [],
      sinceMs: 0,
    };
    this.#reload = { successful: false, lastSuccessAtMs: 0, atMs: 0, errors: 0 };
  }

  /** Reads the files and brings them into force. @throws ConfigError, ListenError */
  start(): Promise<void> {
    return this.#serially(async () => {
      const read = this.#load(await readFiles(this.#deps.paths), this.#inForce.manifests, () => true);
      await this.#bringIntoForce(this.#compiled(read));
      this.#accept(read);
      this.#log('configuration in force', EMPTY_SNAPSHOT, []);
      this.#deps.onVersion?.({ cause: 'files', by: '' }, undefined, this.#inForce);
    });
  }

  get inForce(): InForce {
    return this.#inForce;
  }

  get lastReload(): LastReload {
    return this.#reload;
  }

  get refused(): Refused | undefined {
    return this.#refused;
  }

  /** Reads the files again. Never rejects: what cannot be used is logged, and what was in force stays. @returns Whether it is in force now. */
  reload(): Promise<boolean> {
    this.#changes++;
    this.#onChange();
    this.#waitingReload ??= this.#reloadWhenWarm().catch(() => false);
    return this.#waitingReload;
  }

  /** Files that change while their processes are waited for are read again, and the wait begins anew. */
  async #reloadWhenWarm(): Promise<boolean> {
    for (;;) {
      const seen = this.#changes;
      const read = await this.#read();
      await this.#warmUp(read, seen);
      const result = await this.#serially(async () => {
        if (seen !== this.#changes) return undefined;
        this.#waitingReload = undefined;
        return this.#reloadNow(read);
      });
      if (result !== undefined) return result;
    }
  }

  /** Starts what is new, outside the queue: changes of the overlay go on meanwhile. Ends early when files have changed again. */
  async #warmUp(read: ReadResult, seen: number): Promise<void> {
    if (hasErrors(read.diagnostics) || seen !== this.#changes) return;
    const { processes, logger } = this.#deps;
    if (read.snapshot.serviceEntries.every(({ metadata }) => runSpecsOf(metadata).size === 0)) return;
    const candidate = this.#tryCompile(() => this.#compiled(read));
    if (candidate === undefined) return;
    const { effective, idle } = candidate;
    const changed = new Promise<void>((resolve) => {
      this.#onChange = resolve;
    });
    const warm = processes.warmUp('files', effective, idle);
    const waiting = processes.notReady(effective, idle).map(({ version }) => version.id);
    if (waiting.length > 0) logger.info({ versions: waiting.join(', ') }, 'new configuration waits for its processes to be ready');
    await Promise.race([warm, changed]);
  }

  /** What would be in force if this was read; nothing changes. @throws ConfigError */
  wouldBe(read: Pick<LoadResult, 'snapshot' | 'diagnostics'>): Candidate {
    return this.#compiled({ ...read, from: this.#inForce.files, manifests: this.#inForce.manifests });
  }

  /**
   * Starts what a change of the overlay would send requests to and does not run, so that it is ready when the change comes into force.
   *
   * @param change As for `changeOverlay`.
   * @returns      Which of them have not become ready in their time, and why.
   */
  async warmUpFor(change: (now: InForce) => Overlay): Promise<readonly string[]> {
    const { processes } = this.#deps;
    const candidate = this.#tryCompile(() => this.#compile(this.#inForce, change(this.#inForce)));
    if (candidate === undefined) return [];
    const { effective, idle } = candidate;
    if (processes.notReady(effective, idle).length === 0) return [];
    await processes.warmUp('overlay', effective, idle);
    return processes.notReady(effective, idle).map(({ version, why }) => `${version.id}${why === '' ? '' : ` (${why})`}`);
  }

  /** What `warmUpFor` has started is stopped where it is not in force. */
  coolDown(): void {
    this.#deps.processes.coolDown('overlay');
  }

  /** What would be in force with these manifests; nothing changes. Files that were refused have no part in it. @throws ConfigError */
  wouldBeWith(manifests: readonly Manifest[]): Candidate {
    return this.#compiled(this.#loadFor(this.#inForce, manifests));
  }

  /**
   * Changes what was applied over the admin API; resolves when the change is durable and in force.
   *
   * @param change  From what is in force to all manifests that there are to be, called again when its turn comes; throws to refuse.
   * @param persist Makes them durable; throws when it cannot.
   * @throws ConfigError, NotReadyError, ListenError
   */
  async changeManifests(
    change: (now: InForce) => readonly Manifest[],
    persist: (manifests: readonly Manifest[]) => void,
    by: string,
  ): Promise<void> {
    const { processes } = this.#deps;
    try {
      const seen = this.#inForce;
      const first = this.#loadFor(seen, change(seen));
      const tried = this.#compiled(first);
      const { effective, idle } = tried;
      if (processes.notReady(effective, idle).length > 0) await processes.warmUp('api', effective, idle);
      await this.#serially(async () => {
        const before = this.#inForce;
        const read = before === seen ? first : this.#loadFor(before, change(before));
        const candidate = before === seen ? tried : this.#compiled(read);
        this.#requireReady(candidate);
        persist(candidate.manifests);
        await this.#orTakeBack(candidate, () => persist(before.manifests));
        // What a reload has read meanwhile is without this change: it is read again.
        this.#changes++;
        this.#leftOut = read.leftOut;
        this.#log('resources applied', before.effective, before.diagnostics);
        this.#say({ cause: 'api', by }, before);
      });
    } finally {
      processes.coolDown('api');
    }
  }

  /**
   * Changes the overlay; resolves when the change is durable and in force.
   *
   * @param change  From what is in force to the new overlay; throws to refuse.
   * @param persist Makes an overlay durable; throws when it cannot.
   */
  changeOverlay(
    change: (now: InForce) => Overlay,
    persist: (overlay: Overlay) => void,
    cause: Cause = { cause: 'rollout', by: '' },
  ): Promise<{ readonly before: InForce; readonly after: InForce }> {
    return this.#serially(async () => {
      const before = this.#inForce;
      const overlay = change(before);
      const candidate = this.#compile(before, overlay);
      persist(overlay);
      await this.#orTakeBack(candidate, () => persist(before.overlay));
      this.#log('overlay changed', before.effective, before.diagnostics);
      this.#say(cause, before);
      return { before, after: this.#inForce };
    });
  }

  /** The failure to bring it into force is the one to report; a second one would leave a restart with what never was in force, and is said. */
  async #orTakeBack(candidate: Candidate, persistOld: () => void): Promise<void> {
    try {
      await this.#bringIntoForce(candidate);
    } catch (error) {
      try {
        persistOld();
      } catch (second) {
        this.#deps.logger.error(
          { err: second },
          'what is stored is not what is in force: it could not be taken back, and a restart would use it',
        );
      }
      throw error;
    }
  }

  #say(cause: Cause, before: InForce): void {
    const after = this.#inForce;
    if (after.table.version !== before.table.version) this.#deps.onVersion?.(cause, before, after);
  }

  /** The addresses behind a name have changed, or which processes serve. */
  refreshNames(): void {
    if (this.#waitingRefresh || this.#closed) return;
    this.#waitingRefresh = true;
    this.#serially(async () => {
      this.#waitingRefresh = false;
      await this.#bringIntoForce(this.#inForce);
    }).catch((error: unknown) => this.#deps.logger.error({ err: error }, 'cannot put changed addresses in force'));
  }

  /** Resolves when every change that was asked for before has come into force, or was refused. */
  async idle(): Promise<void> {
    await this.#tail;
  }

  /** Nothing comes into force after this; resolves when the change under way has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(() => {
      if (this.#closed) throw new Error('shutting down');
      return work();
    });
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async #reloadNow(read: ReadResult): Promise<boolean> {
    const { logger, clock, processes } = this.#deps;
    const before = this.#inForce;
    try {
      const candidate = this.#compiled(read);
      this.#requireReady(candidate);
      const isSame = candidate.compiled.version === before.compiled.version && sameIdle(candidate.idle, before.idle);
      const wasRefused = !this.#reload.successful;
      if (!isSame) await this.#bringIntoForce(candidate);
      // What the overlay hides of the files is no change of the table, but of what there is when the overlay goes.
      else this.#inForce = { ...before, ...candidate, conditionTimes: this.#timesOf(candidate) };
      this.#accept(read);
      if (!isSame) {
        this.#log('configuration changed', before.effective, before.diagnostics);
        this.#say({ cause: 'files', by: '' }, before);
      } else if (wasRefused) logger.info({ version: candidate.compiled.version }, 'configuration is good again and as it was');
      return true;
    } catch (error) {
      this.#refused = { atMs: clock.nowMs(), diagnostics: diagnosticsOf(error) };
      const errors = this.#refused.diagnostics.filter(({ severity }) => severity === 'error').length;
      this.#reload = { ...this.#reload, successful: false, atMs: clock.nowMs(), errors };
      if (error instanceof ConfigError) {
        logRefused(logger, error.diagnostics);
      } else if (error instanceof NotReadyError) {
        logger.error({ code: error.code }, `new configuration refused, the last good one stays: ${error.message}`);
      } else if (error instanceof ListenError) {
        this.#refuseAddress(error);
      } else {
        logger.error({ err: error }, 'new configuration refused, the last good one stays');
      }
      return false;
    } finally {
      processes.coolDown('files');
    }
  }

  /** Nothing tells when somebody else lets go of an address, so it is tried again now and then; said once. */
  #refuseAddress(error: ListenError): void {
    const { logger } = this.#deps;
    if (error.message !== this.#refusedAddress) {
      const again = `it is tried again every ${LISTEN_RETRY_MS / 1000} s`;
      logger.error({ code: error.code }, `new configuration refused, the last good one stays: ${describeListenError(error)}; ${again}`);
    }
    this.#refusedAddress = error.message;
    setTimeout(() => {
      if (!this.#closed && !this.#reload.successful) void this.reload();
    }, LISTEN_RETRY_MS).unref();
  }

  /** What was read last is in force. */
  #accept({ leftOut }: ReadResult): void {
    this.#leftOut = leftOut;
    this.#refused = undefined;
    this.#refusedAddress = undefined;
    const now = this.#deps.clock.nowMs();
    this.#reload = { successful: true, lastSuccessAtMs: now, atMs: now, errors: 0 };
  }

  async #read(): Promise<ReadResult> {
    const files = await readFiles(this.#deps.paths);
    return this.#load(files, this.#inForce.manifests, (manifest) => this.#leftOut.has(identityText(manifest)));
  }

  /** Manifests that are new or other ones have to be right. */
  #loadFor({ files, manifests: old }: InForce, manifests: readonly Manifest[]): ReadResult {
    return this.#load(files, manifests, (manifest) => this.#leftOut.has(identityText(manifest)) && old.includes(manifest));
  }

  #load(files: FilesRead, manifests: readonly Manifest[], mayLeaveOut: (manifest: Manifest) => boolean): ReadResult {
    const { hostEnv, clock } = this.#deps;
    return { ...loadBeside(files, manifests, mayLeaveOut, hostEnv, clock.nowMs()), from: files, manifests };
  }

  #requireReady({ effective, idle }: Candidate): void {
    const late = this.#deps.processes.notReady(effective, idle);
    if (late.length > 0) throw new NotReadyError(late.map(({ version, why }) => `${version.id}${why === '' ? '' : ` (${why})`}`));
  }

  #compiled({ snapshot, diagnostics, from, manifests }: Omit<ReadResult, 'leftOut'>): Candidate {
    if (hasErrors(diagnostics)) throw new ConfigError(diagnostics);
    return this.#compile({ base: snapshot, files: from, manifests, fileDiagnostics: diagnostics }, this.#inForce.overlay);
  }

  #compile({ base, files, manifests, fileDiagnostics }: Based, overlay: Overlay): Candidate {
    const applied = applyOverlay(base, overlay);
    const compiled = compile(applied.snapshot, {
      ownListeners: ownListeners(this.#deps.listen),
      istioCompat: this.#deps.istioCompat ?? false,
      ...(this.#deps.locality === undefined ? {} : { locality: this.#deps.locality }),
      meshNamespaces: (this.#deps.meshFor ?? []).map(({ namespace }) => namespace),
    });
    const diagnostics = [...fileDiagnostics, ...applied.diagnostics, ...compiled.diagnostics];
    if (hasErrors(diagnostics)) throw new ConfigError(diagnostics);
    const idle = idleVersions(applied.snapshot, compiled.table, overlay.idle);
    const { table, statuses } = compiled;
    return { base, files, manifests, overlay, effective: applied.snapshot, compiled: table, statuses, idle, fileDiagnostics, diagnostics };
  }

  /** Undefined for a configuration that cannot be used: whoever brings it into force says why. */
  #tryCompile(compileIt: () => Candidate): Candidate | undefined {
    try {
      return compileIt();
    } catch (error) {
      if (error instanceof ConfigError) return undefined;
      throw error;
    }
  }

  async #bringIntoForce(candidate: Candidate): Promise<void> {
    const { proxy, dns, processes, health, credentials, listen, mesh, meshFor, clock, sharesPorts } = this.#deps;
    const bindings = bindingsFor(candidate.compiled, listen, mesh, meshFor);
    if (sharesPorts) await requireFree(bindings, this.#inForce.bound);
    dns.resolve(candidate.compiled);
    await dns.ready();
    processes.want(candidate.effective, candidate.idle);
    const table = dns.resolve(processes.resolve(candidate.compiled));
    const read = credentials.read(table, candidate.effective);
    const bound = await proxy.apply(table, bindings, read).catch((error: unknown) => {
      // The resolver and the supervisor follow what they saw last; what stays in force is the old table.
      dns.resolve(this.#inForce.compiled);
      processes.want(this.#inForce.effective, this.#inForce.idle);
      processes.applied(this.#inForce.table);
      throw error;
    });
    processes.applied(table);
    health.apply(table.clusters, read);
    const isOld = table.version === this.#inForce.table.version;
    const conditionTimes = this.#timesOf(candidate);
    this.#inForce = { ...candidate, conditionTimes, table, bound, sinceMs: isOld ? this.#inForce.sinceMs : clock.nowMs() };
    this.#reload = { ...this.#reload, lastSuccessAtMs: clock.nowMs() };
  }

  #timesOf({ statuses }: Candidate): InForce['conditionTimes'] {
    if (statuses === this.#inForce.statuses) return this.#inForce.conditionTimes;
    return conditionTimes(statuses, this.#inForce.conditionTimes, this.#deps.clock.nowMs());
  }

  #log(what: string, before: Snapshot, known: readonly Diagnostic[]): void {
    logInForce(this.#deps.logger, what, this.#inForce, before, known);
  }
}

type Based = Pick<InForce, 'base' | 'files' | 'manifests' | 'fileDiagnostics'>;

interface ReadResult extends Pick<LoadResult, 'snapshot' | 'diagnostics'> {
  readonly from: FilesRead;
  readonly manifests: readonly Manifest[];
  readonly leftOut: ReadonlySet<string>;
}
