/**
 * Runs the versions that the configuration in force wants run, and gives routing the endpoints of those that are ready.
 *
 * Rules:
 * 1. An endpoint is in the table only while its process is ready. `resolve` puts it there, `applied` says that every worker serves by the table.
 * 2. Nothing that is in the table in force is stopped: first it leaves the table, then its requests end (or the drain timeout passes), then SIGTERM.
 * 3. A version whose command changes is started anew beside the old: the old serves until all of the new are ready, then they change places in one
 *    table. If the new never are, the old go on.
 * 4. No process outlives Serin: those of an earlier one are ended before the first is started (process-record.ts, process-watchdog.ts).
 */
import type { Clock } from '../base/clock.ts';
import { parseDuration } from '../base/duration.ts';
import type { Random } from '../base/random.ts';
import type { HostEnv } from '../config/run-host.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { Cluster, RoutingTable } from '../routing/table.ts';
import { ProcessLogs } from './process-logs.ts';
import { PipeMaker } from './process-pipe.ts';
import { PortPool } from './process-port.ts';
import { pause } from './process-ready.ts';
import { type Orphan, ProcessRecord } from './process-record.ts';
import { Watchdog } from './process-watchdog.ts';
import { DEFAULT_READY_TIMEOUT_MS, type ProcessDeps, type ProcessEndpoint, type ProcessEvent, ManagedProcess } from './process.ts';
import { type IdleVersions, NONE_IDLE } from './idle-versions.ts';
import { type WantedVersion, wantedVersions } from './supervisor-plan.ts';

const DRAIN_POLL_MS = 50;

export interface SupervisorDeps {
  /** The state directory: `processes.json` and `logs/` are kept there. */
  readonly stateDirectory: string;
  readonly hostEnv: HostEnv;
  readonly clock: Clock;
  readonly random: Random;
  readonly drainTimeoutMs: number;
  /** Requests in flight to an endpoint, over all workers, also when it is in no table any more. */
  readonly activeRequests: (endpoint: ProcessEndpoint) => Promise<number>;
  /** Which processes serve has changed since `resolve`: call it again and use what it returns. */
  readonly onChange: () => void;
  readonly onEvent: (event: SupervisorEvent) => void;
}

export type SupervisorEvent =
  | ProcessEvent
  | { readonly kind: 'orphan'; readonly name: string; readonly pid: number }
  /** Its requests have ended, or have not within the drain timeout; it is stopped now. */
  | { readonly kind: 'drained'; readonly name: string; readonly leftRequests: number }
  /** No process of this version serves any more. */
  | { readonly kind: 'empty'; readonly name: string }
  | { readonly kind: 'problem'; readonly why: string };

export interface ProcessState {
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
  readonly version: string;
  readonly command: readonly string[];
  /**
   * `draining`: out of the table, its last requests are waited for. `starting`, `waiting` (for the next start): gets no requests. `stopped`: need not
   * run; the version as a whole, as it has no process.
   */
  readonly phase: 'starting' | 'ready' | 'draining' | 'waiting' | 'stopping' | 'stopped';
  readonly pid?: number;
  readonly endpoint?: ProcessEndpoint;
  readonly restarts: number;
  readonly upMs?: number;
  /** Why it does not serve. */
  readonly detail: string;
  readonly logFile: string;
}

/** Who may ask for versions before they are in force: files that have changed, a change of the overlay, resources applied over the admin API. */
export type WarmUp = 'files' | 'overlay' | 'api';

/** One process and what it was started for. */
interface Unit {
  readonly of: WantedVersion;
  readonly process: ManagedProcess;
  readonly ordinal: number;
  isRetiring: boolean;
}

export class Supervisor {
  readonly #deps: SupervisorDeps;
  readonly #ports: PortPool;
  readonly #pipes: PipeMaker;
  readonly #record: ProcessRecord;
  readonly #watchdog = new Watchdog();
  readonly #logs: ProcessLogs;
  /** By version. */
  readonly #units = new Map<string, Unit[]>();
  #wanted: ReadonlyMap<string, WantedVersion> = new Map();
  /** Could run, and need not: those of `#wanted`'s snapshot that are not in it, with why. */
  #idle: readonly { readonly version: WantedVersion; readonly why: string }[] = [];
  /** Wanted by configurations that are not in force yet, by who asks. */
  readonly #warming = new Map<WarmUp, ReadonlyMap<string, WantedVersion>>();
  /** Endpoints of the table in force, `address port`. */
  #inForce: ReadonlySet<string> = new Set();
  /** And of the one that `resolve` made last, which may be on its way. */
  #offered: ReadonlySet<string> = new Set();
  readonly #retiring = new Set<Promise<void>>();
  #served = '';
  /** Versions that had an endpoint when `resolve` was called last. */
  #serving = new Set<string>();
  #waiters: (() => void)[] = [];
  #isClosed = false;

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
    this.#ports = new PortPool(deps.random);
    this.#pipes = new PipeMaker(deps.stateDirectory, deps.hostEnv['TMPDIR'] ?? '/tmp');
    const onProblem = (why: string): void => deps.onEvent({ kind: 'problem', why });
    this.#logs = new ProcessLogs(deps.stateDirectory, deps.clock, onProblem);
    this.#record = new ProcessRecord(deps.stateDirectory, onProblem);
  }

  /** Ends what an earlier Serin left running; comes before anything else. */
  async recover(): Promise<void> {
    const orphans: readonly Orphan[] = await this.#record.reap(() => this.#deps.clock.monotonicMs());
    for (const { name, pid } of orphans) this.#deps.onEvent({ kind: 'orphan', name, pid });
  }

  /** Runs what the snapshot wants from now on. What it does not want any more is stopped once `applied` shows that it is out of the table. */
  want(snapshot: Snapshot, idle: IdleVersions = NONE_IDLE): void {
    const all = wantedVersions(snapshot);
    this.#wanted = withoutIdle(all, idle);
    this.#idle = [...all.values()].flatMap((version) => {
      const why = idle.get(version.id);
      return why === undefined ? [] : [{ version, why }];
    });
    this.#reconcile();
  }

  /**
   * Starts versions that a snapshot which is not in force yet runs beside those that run. Resolves when they are ready, or had their time.
   *
   * @param by Each has one warm-up at a time; the next one takes its place.
   */
  async warmUp(by: WarmUp, snapshot: Snapshot, idle: IdleVersions = NONE_IDLE): Promise<void> {
    const warming = this.#newIn(snapshot, idle);
    this.#warming.set(by, warming);
    this.#reconcile();
    await this.#complete([...warming.values()], () => this.#warming.get(by) ?? NOTHING);
  }

  /** The end of warming up: what was started for it and is not wanted is stopped. */
  coolDown(by: WarmUp): void {
    this.#warming.delete(by);
    this.#reconcile();
  }

  /** Versions that do not run now and do with the snapshot, and not all of their instances are ready. */
  notReady(snapshot: Snapshot, idle: IdleVersions = NONE_IDLE): readonly { readonly version: WantedVersion; readonly why: string }[] {
    return [...this.#newIn(snapshot, idle).values()].flatMap((version) => {
      if (this.#isComplete(version)) return [];
      const why = this.#unitsOf(version.id).find(({ process }) => process.phase !== 'ready')?.process.detail ?? '';
      return [{ version, why }];
    });
  }

  /** Resolves with the names of processes that are not ready: none as soon as all are, the others when they had their time. */
  async settled(): Promise<readonly string[]> {
    await this.#complete([...this.#wanted.values()], () => this.#wanted);
    return [...this.#wanted.values()].flatMap((version) =>
      this.#matching(version).flatMap(({ process }) => (process.phase === 'ready' ? [] : [process.name])),
    );
  }

  /** The table with the endpoints of ready processes. */
  resolve(table: RoutingTable): RoutingTable {
    const serving = this.#servingUnits();
    this.#served = servedKey(serving);
    this.#tellEmpty(serving);
    if (table.clusters.every(({ processes }) => processes === undefined)) return table;
    const resolved = { ...table, clusters: table.clusters.map((cluster) => withProcesses(cluster, serving)) };
    this.#offered = endpointsIn(resolved);
    return resolved;
  }

  /** Every worker serves by this table now, also when that is the old one because the last was refused. */
  applied(table: RoutingTable): void {
    this.#inForce = endpointsIn(table);
    this.#offered = this.#inForce;
    this.#retireUnwanted();
  }

  states(): readonly ProcessState[] {
    return [...[...this.#units.values()].flat().map((unit) => this.#stateOf(unit)), ...this.#idleStates()];
  }

  /** Stops everything at once, without draining: nothing is sent to them any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wakeWaiters();
    await Promise.all([...this.#units.values()].flat().map(({ process }) => process.stop()));
    await Promise.all(this.#retiring);
    await this.#logs.close();
    this.#pipes.close();
    this.#watchdog.close();
  }

  #stateOf({ of, process, isRetiring }: Unit): ProcessState {
    const { endpoint, pid, upMs } = process;
    const phase = process.phase === 'stopped' ? 'stopping' : process.phase;
    return {
      ...this.#versionOf(of),
      name: process.name,
      phase: isRetiring && phase === 'ready' ? 'draining' : phase,
      ...(pid === undefined ? {} : { pid }),
      ...(endpoint === undefined ? {} : { endpoint }),
      restarts: process.restarts,
      ...(upMs === undefined ? {} : { upMs }),
      detail: process.detail,
    };
  }

  /** Versions that need not run and have no process any more. */
  #idleStates(): readonly ProcessState[] {
    return this.#idle.flatMap(({ version, why }): ProcessState[] => {
      if (this.#unitsOf(version.id).length > 0) return [];
      const detail = `nothing sends to it: ${why}`;
      return [{ ...this.#versionOf(version), name: nameOf(version), phase: 'stopped', restarts: 0, detail }];
    });
  }

  #versionOf(version: WantedVersion): Pick<ProcessState, 'namespace' | 'service' | 'version' | 'command' | 'logFile'> {
    const { namespace, service, spec } = version;
    return { namespace, service, version: version.version, command: spec.command, logFile: this.#logs.file(version) };
  }

  #newIn(snapshot: Snapshot, idle: IdleVersions): ReadonlyMap<string, WantedVersion> {
    return new Map([...withoutIdle(wantedVersions(snapshot), idle)].filter(([id]) => !this.#wanted.has(id)));
  }

  /** Wanted by some configuration that is not in force yet. */
  #warmingVersions(): ReadonlyMap<string, WantedVersion> {
    return new Map([...this.#warming.values()].flatMap((versions) => [...versions]).filter(([id]) => !this.#wanted.has(id)));
  }

  #unitsOf(id: string): readonly Unit[] {
    return this.#units.get(id) ?? [];
  }

  /** The processes that are what the version wants now. */
  #matching({ id, fingerprint }: WantedVersion): readonly Unit[] {
    return this.#unitsOf(id).filter(({ of, isRetiring }) => !isRetiring && of.fingerprint === fingerprint);
  }

  #isComplete(version: WantedVersion): boolean {
    const ready = this.#matching(version).filter(({ process }) => process.phase === 'ready');
    return ready.length >= instancesOf(version);
  }

  /** Starts what is missing. */
  #reconcile(): void {
    if (this.#isClosed) return;
    for (const version of [...this.#wanted.values(), ...this.#warmingVersions().values()]) {
      for (let have = this.#matching(version).length; have < instancesOf(version); have++) this.#startUnit(version);
    }
    this.#onProcessChange();
  }

  #startUnit(version: WantedVersion): void {
    const { id, host, isHttp2, spec, directory } = version;
    const units = this.#units.get(id) ?? [];
    let ordinal = 1;
    while (units.some((unit) => unit.ordinal === ordinal)) ordinal++;
    const process = new ManagedProcess(
      { name: `${nameOf(version)}-${ordinal}`, host, isHttp2, spec, directory, log: this.#logs.of(version) },
      this.#processDeps(),
    );
    this.#units.set(id, [...units, { of: version, process, ordinal, isRetiring: false }]);
  }

  #processDeps(): ProcessDeps {
    const { clock, random, hostEnv, onEvent } = this.#deps;
    return {
      clock,
      random,
      hostEnv,
      ports: this.#ports,
      pipes: this.#pipes,
      onGroup: (change, pid, name) => {
        if (change === 'started') {
          this.#watchdog.add(pid);
          this.#record.add(pid, name);
        } else {
          this.#watchdog.remove(pid);
          this.#record.remove(pid);
        }
      },
      onChange: () => this.#onProcessChange(),
      onEvent,
    };
  }

  /** A process became ready, ended, or there are others: who serves may be somebody else now. */
  #onProcessChange(): void {
    if (this.#isClosed) return;
    this.#retireUnwanted();
    if (servedKey(this.#servingUnits()) !== this.#served) this.#deps.onChange();
    this.#wakeWaiters();
  }

  /** By version: the processes that get its requests. */
  #servingUnits(): ReadonlyMap<string, readonly Unit[]> {
    const serving = new Map<string, readonly Unit[]>();
    for (const version of this.#wanted.values()) {
      const ready = this.#unitsOf(version.id).filter(({ process, isRetiring }) => !isRetiring && process.phase === 'ready');
      const old = ready.filter(({ of }) => of.fingerprint !== version.fingerprint);
      const now = ready.filter(({ of }) => of.fingerprint === version.fingerprint).slice(0, instancesOf(version));
      serving.set(version.id, this.#isComplete(version) || old.length === 0 ? now : old);
    }
    return serving;
  }

  /** Lets go of every process nobody wants, as soon as the table in force does not have it. */
  #retireUnwanted(): void {
    const warming = this.#warmingVersions();
    for (const [id, units] of this.#units) {
      const version = this.#wanted.get(id) ?? warming.get(id);
      for (const unit of units) {
        if (unit.isRetiring || (version !== undefined && this.#isWanted(unit, version))) continue;
        const { endpoint } = unit.process;
        if (endpoint !== undefined && this.#isInTable(endpoint)) continue;
        unit.isRetiring = true;
        const retired = this.#retire(id, unit, endpoint).finally(() => this.#retiring.delete(retired));
        this.#retiring.add(retired);
      }
    }
  }

  #isInTable(endpoint: ProcessEndpoint): boolean {
    const key = endpointKey(endpoint);
    return this.#inForce.has(key) || this.#offered.has(key);
  }

  /** Says which versions have lost their last endpoint: requests to them get 503 from now on. */
  #tellEmpty(serving: ReadonlyMap<string, readonly Unit[]>): void {
    for (const id of this.#serving) {
      const version = this.#wanted.get(id);
      if (version !== undefined && serving.get(id)?.length === 0) this.#deps.onEvent({ kind: 'empty', name: nameOf(version) });
    }
    this.#serving = new Set([...serving].flatMap(([id, units]) => (units.length > 0 ? [id] : [])));
  }

  #isWanted(unit: Unit, version: WantedVersion): boolean {
    if (unit.of.fingerprint === version.fingerprint) return this.#matching(version).indexOf(unit) < instancesOf(version);
    // The old way serves until the new one can, and one that does not serve is of no use.
    return unit.process.phase === 'ready' && !this.#isComplete(version);
  }

  async #retire(id: string, unit: Unit, endpoint: ProcessEndpoint | undefined): Promise<void> {
    if (endpoint !== undefined) {
      const leftRequests = await this.#drained(endpoint, unit.process);
      this.#deps.onEvent({ kind: 'drained', name: unit.process.name, leftRequests });
    }
    await unit.process.stop();
    const rest = this.#unitsOf(id).filter((other) => other !== unit);
    if (rest.length > 0) this.#units.set(id, [...rest]);
    else this.#units.delete(id);
  }

  /** @returns How many requests are in flight still. */
  async #drained(endpoint: ProcessEndpoint, process: ManagedProcess): Promise<number> {
    const { clock, activeRequests, drainTimeoutMs } = this.#deps;
    const giveUpAt = clock.monotonicMs() + drainTimeoutMs;
    for (;;) {
      const active = await activeRequests(endpoint).catch(() => 0);
      if (active === 0 || this.#isClosed || process.phase !== 'ready' || clock.monotonicMs() >= giveUpAt) return active;
      await pause(DRAIN_POLL_MS, NEVER);
    }
  }

  /** Resolves when each has all its instances ready, has had its time to, or is not what is `asked` for any more. */
  async #complete(versions: readonly WantedVersion[], asked: () => ReadonlyMap<string, WantedVersion>): Promise<void> {
    await Promise.all(
      versions.map((version) => {
        const timeoutMs = parseDuration(version.spec.ready?.timeout ?? '') ?? DEFAULT_READY_TIMEOUT_MS;
        return this.#until(() => this.#isComplete(version) || asked().get(version.id)?.fingerprint !== version.fingerprint, timeoutMs);
      }),
    );
  }

  async #until(holds: () => boolean, timeoutMs: number): Promise<void> {
    const { clock } = this.#deps;
    const giveUpAt = clock.monotonicMs() + timeoutMs;
    // A little later than due: a timer may come a fraction of a millisecond early.
    const timer = setTimeout(() => this.#wakeWaiters(), timeoutMs + 5);
    while (!holds() && !this.#isClosed && clock.monotonicMs() < giveUpAt) {
      await new Promise<void>((resolve) => void this.#waiters.push(resolve));
    }
    clearTimeout(timer);
  }

  #wakeWaiters(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }
}

const NEVER = new AbortController().signal;
const NOTHING: ReadonlyMap<string, WantedVersion> = new Map();

function withoutIdle(versions: ReadonlyMap<string, WantedVersion>, idle: IdleVersions): ReadonlyMap<string, WantedVersion> {
  return new Map([...versions].filter(([id]) => !idle.has(id)));
}

function nameOf({ service, version }: WantedVersion): string {
  return `${service}-${version}`;
}

function endpointsIn(table: RoutingTable): ReadonlySet<string> {
  return new Set(table.clusters.flatMap(({ endpoints }) => endpoints.map(endpointKey)));
}

function instancesOf({ spec }: WantedVersion): number {
  return spec.instances ?? 1;
}

function endpointKey({ address, port }: ProcessEndpoint): string {
  return `${address} ${port}`;
}

function servedKey(serving: ReadonlyMap<string, readonly Unit[]>): string {
  return JSON.stringify([...serving].map(([id, units]) => [id, units.map(({ process }) => process.endpoint?.port)]));
}

function withProcesses(cluster: Cluster, serving: ReadonlyMap<string, readonly Unit[]>): Cluster {
  if (cluster.processes === undefined) return cluster;
  const added = cluster.processes.flatMap(({ id, weight, labels }) =>
    (serving.get(id) ?? []).flatMap(({ process: { endpoint } }) => (endpoint === undefined ? [] : [{ ...endpoint, weight, labels }])),
  );
  return { ...cluster, endpoints: [...cluster.endpoints, ...added] };
}
