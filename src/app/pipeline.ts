/**
 * The one way configuration comes into force, whatever changed: files, the overlay, the addresses behind a name, or which processes are ready.
 *
 *     base (files) + overlay -> effective snapshot -> compile -> ready processes -> resolve names -> data plane -> health checks
 *
 * 1. One change at a time: changes queue, and reloads that wait for each other become one.
 * 2. All or nothing: a change that does not compile, or whose addresses cannot be bound, leaves everything as it was.
 * 3. A version that Serin runs and that is new in the files is started first; the change waits until it is ready, and is refused when it never is.
 * 4. What changes the overlay is durable before it is in force, and is taken back when it cannot come into force.
 */
import type { Clock } from '../base/clock.ts';
import { type Diagnostic, formatDiagnostic, hasErrors } from '../base/diagnostic.ts';
import { type LoadResult, loadFiles } from '../config/load.ts';
import { applyOverlay, type Overlay } from '../config/overlay.ts';
import { EMPTY_SNAPSHOT, type Snapshot } from '../config/snapshot.ts';
import { type BoundListener, ListenError } from '../proxy/options.ts';
import type { Proxy } from '../proxy/proxy.ts';
import { compile } from '../routing/compile.ts';
import type { RoutingTable } from '../routing/table.ts';
import type { DnsResolver } from '../workload/dns.ts';
import type { HostEnv } from '../config/run-host.ts';
import type { HealthChecker } from '../workload/health-check.ts';
import type { Supervisor } from '../workload/supervisor.ts';
import { countResources, describeChanges } from './changes.ts';
import { requireFree } from './free-address.ts';
import { type Address, bindingsFor, describeListenError, type ListenMapping, ownListeners } from './listen.ts';
import type { Logger } from './logger.ts';

/** A configuration that cannot be used, with everything that is wrong with it. */
export class ConfigError extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super('the configuration is invalid');
    this.name = 'ConfigError';
    this.diagnostics = diagnostics;
  }
}

/** Everything about the configuration that serves now; replaced as a whole. */
export interface InForce {
  /** As the files say. */
  readonly base: Snapshot;
  readonly overlay: Overlay;
  /** With the overlay applied. */
  readonly effective: Snapshot;
  /** Names not resolved, and without the endpoints of processes. */
  readonly compiled: RoutingTable;
  /** As the data plane has it. */
  readonly table: RoutingTable;
  readonly bound: readonly BoundListener[];
  /** Warnings about the files alone. */
  readonly fileDiagnostics: readonly Diagnostic[];
  /** All warnings: also of the overlay and of compiling. */
  readonly diagnostics: readonly Diagnostic[];
}

export interface PipelineDeps {
  readonly paths: readonly string[];
  readonly listen: readonly ListenMapping[];
  readonly mesh: Address | 'off';
  /** The data plane has several workers, which bind with SO_REUSEPORT. */
  readonly sharesPorts: boolean;
  readonly proxy: Pick<Proxy, 'apply'>;
  readonly dns: Pick<DnsResolver, 'resolve' | 'ready'>;
  readonly health: Pick<HealthChecker, 'apply'>;
  readonly processes: Pick<Supervisor, 'want' | 'warmUp' | 'coolDown' | 'notReady' | 'resolve' | 'applied'>;
  /** Serin's own environment, which commands and variables of processes refer to. */
  readonly hostEnv: HostEnv;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Diagnostics of one refused reload that are logged; the rest are counted. */
const MAX_LOGGED = 50;
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
  #reload: { readonly successful: boolean; readonly lastSuccessAtMs: number };

  constructor(deps: PipelineDeps, overlay: Overlay) {
    this.#deps = deps;
    const nothing: RoutingTable = { version: EMPTY_SNAPSHOT.version, listeners: [], clusters: [] };
    this.#inForce = {
      base: EMPTY_SNAPSHOT,
      overlay,
      effective: EMPTY_SNAPSHOT,
      compiled: nothing,
      table: nothing,
      bound: [],
      fileDiagnostics: [],
      diagnostics: [],
    };
    this.#reload = { successful: false, lastSuccessAtMs: 0 };
  }

  /** Reads the files and brings them into force. @throws ConfigError, ListenError */
  start(): Promise<void> {
    return this.#serially(async () => {
      await this.#bringIntoForce(this.#compiled(await this.#read()));
      this.#log('configuration in force', EMPTY_SNAPSHOT, []);
    });
  }

  get inForce(): InForce {
    return this.#inForce;
  }

  /** For the metrics: whether what was read last is in force, and when something last came into force. */
  get lastReload(): { readonly successful: boolean; readonly lastSuccessAtMs: number } {
    return this.#reload;
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
    const { snapshot } = applyOverlay(read.snapshot, this.#inForce.overlay);
    const changed = new Promise<void>((resolve) => {
      this.#onChange = resolve;
    });
    const warm = processes.warmUp(snapshot);
    const waiting = processes.notReady(snapshot).map(({ version }) => version.id);
    if (waiting.length > 0) logger.info({ versions: waiting.join(', ') }, 'new configuration waits for its processes to be ready');
    await Promise.race([warm, changed]);
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
  ): Promise<{ readonly before: InForce; readonly after: InForce }> {
    return this.#serially(async () => {
      const before = this.#inForce;
      const overlay = change(before);
      const candidate = this.#compile(before.base, overlay, before.fileDiagnostics);
      persist(overlay);
      try {
        await this.#bringIntoForce(candidate);
      } catch (error) {
        this.#takeBack(() => persist(before.overlay));
        throw error;
      }
      this.#log('overlay changed', before.effective, before.diagnostics);
      return { before, after: this.#inForce };
    });
  }

  /** The failure that led here is the one to report; a second one would leave a restart with what never was in force, and is said. */
  #takeBack(persist: () => void): void {
    try {
      persist();
    } catch (error) {
      this.#deps.logger.error(
        { err: error },
        'the stored overlay is not the one in force: it could not be taken back, and a restart would use it',
      );
    }
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
      this.#requireReady(candidate.effective);
      const isSame = candidate.compiled.version === before.compiled.version;
      const wasRefused = !this.#reload.successful;
      if (!isSame) await this.#bringIntoForce(candidate);
      // What the overlay hides of the files is no change of the table, but of what there is when the overlay goes.
      else this.#inForce = { ...before, ...candidate };
      this.#reload = { successful: true, lastSuccessAtMs: clock.nowMs() };
      this.#refusedAddress = undefined;
      if (!isSame) this.#log('configuration changed', before.effective, before.diagnostics);
      else if (wasRefused) logger.info({ version: candidate.compiled.version }, 'configuration is good again and as it was');
      return true;
    } catch (error) {
      this.#reload = { ...this.#reload, successful: false };
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
      processes.coolDown();
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

  #read(): Promise<ReadResult> {
    return loadFiles(this.#deps.paths, this.#deps.hostEnv);
  }

  #requireReady(effective: Snapshot): void {
    const late = this.#deps.processes.notReady(effective);
    if (late.length > 0) throw new NotReadyError(late.map(({ version, why }) => `${version.id}${why === '' ? '' : ` (${why})`}`));
  }

  #compiled({ snapshot, diagnostics }: ReadResult): Candidate {
    if (hasErrors(diagnostics)) throw new ConfigError(diagnostics);
    return this.#compile(snapshot, this.#inForce.overlay, diagnostics);
  }

  #compile(base: Snapshot, overlay: Overlay, fileDiagnostics: readonly Diagnostic[]): Candidate {
    const applied = applyOverlay(base, overlay);
    const compiled = compile(applied.snapshot, { ownListeners: ownListeners(this.#deps.listen) });
    const diagnostics = [...fileDiagnostics, ...applied.diagnostics, ...compiled.diagnostics];
    if (hasErrors(diagnostics)) throw new ConfigError(diagnostics);
    return { base, overlay, effective: applied.snapshot, compiled: compiled.table, fileDiagnostics, diagnostics };
  }

  async #bringIntoForce(candidate: Candidate): Promise<void> {
    const { proxy, dns, processes, health, listen, mesh, clock, sharesPorts } = this.#deps;
    const bindings = bindingsFor(candidate.compiled, listen, mesh);
    if (sharesPorts) await requireFree(bindings, this.#inForce.bound);
    dns.resolve(candidate.compiled);
    await dns.ready();
    processes.want(candidate.effective);
    const table = dns.resolve(processes.resolve(candidate.compiled));
    const bound = await proxy.apply(table, bindings).catch((error: unknown) => {
      // The resolver and the supervisor follow what they saw last; what stays in force is the old table.
      dns.resolve(this.#inForce.compiled);
      processes.want(this.#inForce.effective);
      processes.applied(this.#inForce.table);
      throw error;
    });
    processes.applied(table);
    health.apply(table.clusters);
    this.#inForce = { ...candidate, table, bound };
    this.#reload = { successful: true, lastSuccessAtMs: clock.nowMs() };
  }

  /** What changed, and the warnings that were not there before. */
  #log(what: string, before: Snapshot, known: readonly Diagnostic[]): void {
    const { logger } = this.#deps;
    const { effective, table, bound, diagnostics } = this.#inForce;
    const changes = before === EMPTY_SNAPSHOT ? undefined : describeChanges(before, effective);
    const now = `${countResources(effective)} on ${bound.length} ${bound.length === 1 ? 'listener' : 'listeners'}`;
    logger.info({ version: table.version }, `${what}: ${changes === undefined ? now : `${changes}; now ${now}`}`);
    const said = new Set(known.map(formatDiagnostic));
    const news = diagnostics
      .map((diagnostic) => ({ diagnostic, text: formatDiagnostic(diagnostic) }))
      .filter(({ text }) => !said.has(text));
    for (const { diagnostic, text } of news.slice(0, MAX_LOGGED)) logger.warn({ code: diagnostic.code }, text);
    if (news.length > MAX_LOGGED) logger.warn(`and ${news.length - MAX_LOGGED} more warnings`);
  }
}

type Candidate = Omit<InForce, 'table' | 'bound'>;

type ReadResult = Pick<LoadResult, 'snapshot' | 'diagnostics'>;

/** Versions that the new configuration runs have not become ready. */
class NotReadyError extends Error {
  readonly code = 'E_PROC_NOT_READY';

  constructor(versions: readonly string[]) {
    super(`not ready in time: ${versions.join('; ')}`);
  }
}

function logRefused(logger: Logger, diagnostics: readonly Diagnostic[]): void {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
  logger.error({ errors: errors.length }, 'new configuration refused, the last good one stays');
  for (const diagnostic of errors.slice(0, MAX_LOGGED)) logger.error({ code: diagnostic.code }, formatDiagnostic(diagnostic));
  if (errors.length > MAX_LOGGED) logger.error(`and ${errors.length - MAX_LOGGED} more`);
}
