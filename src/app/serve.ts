/**
 * The composition root: everything a running Serin consists of is wired here and nowhere else.
 *
 * state -> overlay -> processes, data plane, names, health checks -> watched files -> configuration in force -> admin API. `stop` goes the other way.
 */
import { type AdminAddress, startAdmin } from '../admin/server.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { systemRandom } from '../base/random.ts';
import type { HostEnv } from '../config/run-host.ts';
import { watchFiles } from '../config/watch.ts';
import type { BoundListener } from '../proxy/options.ts';
import { createProxy } from '../proxy/proxy.ts';
import { DnsResolver, type NameState } from '../workload/dns.ts';
import { type EndpointHealth, HealthChecker } from '../workload/health-check.ts';
import { Supervisor } from '../workload/supervisor.ts';
import { adminPorts, type Life } from './admin-ports.ts';
import { type Address, formatAddress, listenerName, type ListenMapping, unusedMappings } from './listen.ts';
import { type Logger, silentLogger } from './logger.ts';
import { readOverlay } from './overlay-state.ts';
import { Rollouts } from './rollouts/engine.ts';
import { Pipeline } from './pipeline.ts';
import { logProcess } from './process-events.ts';
import { prepareDirectory, removeDaemonInfo, writeDaemonInfo } from './state-directory.ts';
import { lockState } from './state-lock.ts';
import { openState, type State } from './state.ts';
import { ensureToken } from './token.ts';
import { VERSION } from './version.ts';

export interface ServeOptions {
  /** Files and directories of YAML; watched. */
  readonly paths: readonly string[];
  /** Where declared Gateway ports are bound; default: on 0.0.0.0 at their own number. */
  readonly listen?: readonly ListenMapping[];
  /** Default 127.0.0.1:15001. */
  readonly mesh?: Address | 'off';
  /** Loopback only. Default 127.0.0.1:15000. */
  readonly admin?: AdminAddress;
  readonly stateDirectory: string;
  /** Data-plane worker threads; 0 runs the data plane in the calling thread. Default 1. */
  readonly workers?: number;
  /** How long `stop` waits for requests in flight. Default 30,000. */
  readonly drainTimeoutMs?: number;
  /** Default: says nothing. */
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** What commands and variables of processes refer to as `${NAME}`, and where their programs are found. Default: this process's environment. */
  readonly env?: HostEnv;
}

export const DEFAULT_MESH: Address = { host: '127.0.0.1', port: 15001 };
export const DEFAULT_ADMIN: Address = { host: '127.0.0.1', port: 15000 };
export const DEFAULT_DRAIN_TIMEOUT_MS = 30_000;

interface ServedListener extends BoundListener {
  /** `namespace/name` of the Gateways it serves; empty for mesh. */
  readonly gateways: readonly string[];
}

export interface RunningServer {
  listeners(): readonly ServedListener[];
  readonly admin: AdminAddress;
  /** Reads the files again. @returns Whether what they say is in force. */
  reload(): Promise<boolean>;
  /**
   * Resolves when every process is ready and gets its requests, or had its time to be.
   *
   * @returns Names of those that are not; undefined when the server was stopped meanwhile.
   */
  processesReady(): Promise<readonly string[] | undefined>;
  /** Not ready from now on; requests in flight end, then everything is closed. Again and again it is the same promise. */
  stop(): Promise<void>;
  /** An exception nobody caught, for the metrics. */
  countException(): void;
}

/** @throws ConfigError, ListenError, AdminListenError, StateError; then nothing is left running. */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { paths, listen = [], mesh = DEFAULT_MESH, workers = 1, logger = silentLogger(), clock = systemClock } = options;
  const { drainTimeoutMs = DEFAULT_DRAIN_TIMEOUT_MS, env: hostEnv = process.env } = options;
  const parts = new Parts();
  try {
    const { state, token } = openDirectory(options.stateDirectory, clock, logger, parts);
    const { overlay, problem } = readOverlay(state);
    if (problem !== undefined) logger.error(problem);

    // Before the proxy, so that it is closed after it: while a request is carried its process runs.
    const processes = parts.add(
      new Supervisor({
        stateDirectory: options.stateDirectory,
        hostEnv,
        clock,
        random: systemRandom(),
        drainTimeoutMs,
        activeRequests: (endpoint) => proxy.activeRequests(endpoint),
        onChange: () => pipeline.refreshNames(),
        onEvent: (event) => logProcess(logger, event),
      }),
    );
    await processes.recover();
    const proxy = parts.add(
      createProxy({
        workers,
        onInternalError: (error) => logger.error({ err: error }, 'a request failed inside Serin'),
      }),
    );
    const health = parts.add(
      new HealthChecker({ board: proxy.health, clock, random: systemRandom(), onChange: (endpoint) => logHealth(logger, endpoint) }),
    );
    const dns = parts.add(
      new DnsResolver({ clock, onChange: () => pipeline.refreshNames(), onTrouble: (state) => logName(logger, state) }),
    );
    const rollouts = parts.add(new Rollouts({ proxy, health, processes, state, clock, logger }));
    const pipeline = parts.add(
      new Pipeline(
        { paths, listen, mesh, sharesPorts: workers > 1, proxy, dns, health, processes, hostEnv, clock, logger },
        {
          ...overlay,
          releases: rollouts.initialReleases,
        },
      ),
    );
    // Watched before it is read, so that no change falls in between.
    const watcher = parts.add(watchFiles(paths, () => void pipeline.reload()));
    await watcher.ready;
    await pipeline.start();
    await rollouts.start(pipeline);
    for (const mapping of unusedMappings(pipeline.inForce.table, listen)) {
      logger.warn(`--listen ${listenerName(mapping)}=${formatAddress(mapping.address)}: no Gateway declares it`);
    }

    const life: Life = { draining: false, exceptions: 0 };
    const admin = parts.add(
      await startAdmin(
        adminPorts({ pipeline, proxy, health, processes, state, rollouts, life, listen, mesh, logger }),
        token,
        options.admin ?? DEFAULT_ADMIN,
      ),
    );
    writeDaemonInfo(options.stateDirectory, { pid: process.pid, version: VERSION, admin: admin.address });

    const stop = async (): Promise<void> => {
      life.draining = true;
      watcher.close();
      await rollouts.close();
      await pipeline.close();
      await proxy.drain(drainTimeoutMs);
      await parts.close();
    };
    let stopped: Promise<void> | undefined;
    return {
      listeners: () => servedListeners(pipeline),
      admin: admin.address,
      reload: () => pipeline.reload(),
      processesReady: async () => {
        const late = await processes.settled();
        // Ready is one thing, in every worker's table another.
        await pipeline.idle();
        return life.draining ? undefined : late;
      },
      stop: () => (stopped ??= stop()),
      countException: () => {
        life.exceptions++;
      },
    };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

/** The parts that run, to be closed last first. */
class Parts {
  readonly #closers: (() => unknown)[] = [];

  add<Part extends { close(): unknown }>(part: Part): Part {
    this.#closers.push(() => part.close());
    return part;
  }

  async close(): Promise<void> {
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) await close();
  }
}

/** Makes the state directory ours: created, locked, with a token. @throws StateError */
function openDirectory(directory: string, clock: Clock, logger: Logger, parts: Parts): { readonly state: State; readonly token: string } {
  const warning = prepareDirectory(directory);
  if (warning !== undefined) logger.warn(warning);
  const lock = lockState(directory);
  parts.add({ close: () => lock.release() });
  writeDaemonInfo(directory, { pid: process.pid, version: VERSION });
  parts.add({ close: () => removeDaemonInfo(directory) });
  const token = ensureToken(directory, (notice) => logger.warn(notice));
  const state = parts.add(openState(directory, clock, (notice) => logger.warn({ code: notice.code }, notice.message)));
  return { state, token };
}

function servedListeners(pipeline: Pipeline): ServedListener[] {
  const { table, bound } = pipeline.inForce;
  return bound.map(({ listener, host, port }) => {
    const gateways = table.listeners.find(({ name }) => name === listener)?.gateways ?? [];
    return { listener, host, port, gateways };
  });
}

function logName(logger: Logger, { name, addresses, error }: NameState): void {
  if (error === undefined) logger.info({ name, addresses: addresses.join(', ') }, 'name of an endpoint resolves again');
  else if (addresses.length === 0) logger.warn({ name, detail: error }, 'name of an endpoint does not resolve: requests to it get 503');
  else
    logger.warn(
      { name, detail: error, addresses: addresses.join(', ') },
      'name of an endpoint does not resolve: its last addresses are kept',
    );
}

function logHealth(logger: Logger, { host, address, port, path, healthy, detail }: EndpointHealth): void {
  const endpoint = formatAddress({ host: address, port });
  if (healthy) logger.info({ host, endpoint, path }, 'endpoint is healthy');
  else logger.warn({ host, endpoint, path, detail }, 'endpoint is unhealthy: it gets no requests');
}
