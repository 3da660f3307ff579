/**
 * The composition root: everything a running Serin consists of is wired here and nowhere else.
 *
 * state -> overlay -> processes, data plane, names, health checks -> watched files -> configuration in force -> admin API. `stop` goes the other way.
 */
import { join } from 'node:path';
import type { AdminAddress } from '../admin/server.ts';
import { Sessions } from '../admin/sessions.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { systemRandom } from '../base/random.ts';
import type { HostEnv } from '../config/run-host.ts';
import { watchFiles } from '../config/watch.ts';
import type { AccessLogSetting } from '../proxy/access-log.ts';
import { createProxy } from '../proxy/proxy.ts';
import { upstreamTlsOptions } from '../proxy/upstream-tls.ts';
import type { TraceSetting } from '../proxy/tracer.ts';
import { DnsResolver, type NameState } from '../workload/dns.ts';
import { type EndpointHealth, HealthChecker } from '../workload/health-check.ts';
import { Supervisor } from '../workload/supervisor.ts';
import { AccessLogFile, accessLogFile } from './access-log.ts';
import { adminPorts, type Life } from './admin-ports.ts';
import { type AdminSettings, startAdminApi } from './admin-start.ts';
import { CredentialStore } from './credentials.ts';
import { type Address, declaresPort, formatAddress, listenerName, type ListenMapping, type MeshMapping, unusedMappings } from './listen.ts';
import { type Logger, silentLogger } from './logger.ts';
import { readOverlay } from './overlay-state.ts';
import { History } from './history.ts';
import { readManifests } from './manifest-state.ts';
import { Rollouts } from './rollouts/engine.ts';
import { ensurePreviewKey } from './rollouts/previews.ts';
import { Watch } from './live/watch.ts';
import { Notifier } from './notifications/notifier.ts';
import { Pipeline } from './pipeline.ts';
import { logProcess } from './process-events.ts';
import { type ServedListener, servedListeners } from './served-listeners.ts';
import { prepareDirectory, removeDaemonInfo, writeDaemonInfo } from './state-directory.ts';
import { lockState } from './state-lock.ts';
import { SpanExport, type SpanExportOptions } from './span-export.ts';
import { type AuditLog, openState, type State } from './state.ts';
import { ensureToken } from './token.ts';
import { Tokens } from './tokens.ts';
import { VERSION } from './version.ts';

export interface ServeOptions {
  /** Files and directories of YAML; watched. */
  readonly paths: readonly string[];
  /** Where declared Gateway ports are bound; default: on 0.0.0.0 at their own number. */
  readonly listen?: readonly ListenMapping[];
  /** Default 127.0.0.1:15001. */
  readonly mesh?: Address | 'off';
  /** Listeners of the mesh for callers that belong to a namespace. Default none. */
  readonly meshFor?: readonly MeshMapping[];
  readonly admin?: AdminSettings;
  readonly stateDirectory: string;
  /** Data-plane worker threads; 0 runs the data plane in the calling thread. Default 1. */
  readonly workers?: number;
  /** `CompileOptions.istioCompat`. Default false. */
  readonly istioCompat?: boolean;
  /** `CompileOptions.locality`. */
  readonly locality?: string;
  /** Which requests are logged, and where; default none, `logs/access.log` in the state directory. */
  readonly accessLog?: { readonly setting: AccessLogSetting; readonly file?: string };
  /** Protocols a client may upgrade to beside `websocket`, lower case. Default none. */
  readonly upgrades?: readonly string[];
  /** CIDR blocks or addresses of proxies that are believed (`ProxyOptions.trustedProxies`). Default none. */
  readonly trustedProxies?: readonly string[];
  /** Where spans are sent, and which; default nowhere. */
  readonly tracing?: TraceSetting & SpanExportOptions;
  /** How long `stop` waits for requests in flight. Default 30,000. */
  readonly drainTimeoutMs?: number;
  /** Default: says nothing. */
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** What commands and variables of processes refer to as `${NAME}`, and where their programs are found. Default: this process's environment. */
  readonly env?: HostEnv;
}

export const DEFAULT_MESH: Address = { host: '127.0.0.1', port: 15001 };
export const DEFAULT_DRAIN_TIMEOUT_MS = 30_000;

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

/** @throws ConfigError, ListenError, AccessLogError, AdminListenError, StateError; then nothing is left running. */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { paths, listen = [], mesh = DEFAULT_MESH, meshFor = [], workers = 1, logger = silentLogger(), clock = systemClock } = options;
  const { drainTimeoutMs = DEFAULT_DRAIN_TIMEOUT_MS, env: hostEnv = process.env, istioCompat = false, locality } = options;
  const parts = new Parts();
  try {
    const { state, token, previewKey } = openDirectory(options.stateDirectory, clock, logger, parts);
    const { overlay, problem } = readOverlay(state);
    if (problem !== undefined) logger.error(problem);
    const applied = readManifests(state);
    if (applied.problem !== undefined) logger.error(applied.problem);
    const history = new History(state, logger);

    const proofDirectory = join(options.stateDirectory, 'proofs');

    // Before the proxy, so that it is closed after it and gets its last lines.
    const wanted = options.accessLog;
    const accessLog = wanted && parts.add(new AccessLogFile(wanted.file ?? accessLogFile(options.stateDirectory), clock, logger));
    const { tracing } = options;
    const spans = tracing && parts.add(await SpanExport.start(tracing, clock, logger));
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
        proofDirectory,
        previewKey,
        ...(tracing === undefined || spans === undefined
          ? {}
          : { tracing: { share: tracing.share }, onSpans: (finished) => spans.write(finished) }),
        ...(wanted === undefined || accessLog === undefined
          ? {}
          : { accessLog: wanted.setting, onAccessLines: (lines) => accessLog.write(lines) }),
        upgrades: ['websocket', ...(options.upgrades ?? [])],
        ...(options.trustedProxies === undefined ? {} : { trustedProxies: options.trustedProxies }),
        onInternalError: (error) => logger.error({ err: error }, 'something failed inside Serin'),
      }),
    );
    const health = parts.add(
      new HealthChecker({
        board: proxy.health,
        clock,
        random: systemRandom(),
        secure: upstreamTlsOptions,
        onChange: (endpoint) => logHealth(logger, endpoint),
      }),
    );
    const dns = parts.add(
      new DnsResolver({ clock, onChange: () => pipeline.refreshNames(), onTrouble: (state) => logName(logger, state) }),
    );
    const credentials = parts.add(new CredentialStore({ clock, logger, onChange: () => pipeline.refreshNames() }));
    const rollouts = parts.add(new Rollouts({ proxy, health, processes, state, proofDirectory, clock, logger, hostEnv }));
    const pipeline = parts.add(
      new Pipeline(
        {
          paths,
          listen,
          mesh,
          meshFor,
          istioCompat,
          ...(locality === undefined ? {} : { locality }),
          sharesPorts: workers > 1,
          proxy,
          dns,
          health,
          processes,
          credentials,
          hostEnv,
          clock,
          logger,
          onVersion: (cause, before, after) => history.add(cause, before, after),
        },
        {
          ...overlay,
          ...rollouts.initialOverlay,
        },
        applied.manifests,
      ),
    );
    // Watched before it is read, so that no change falls in between.
    const watcher = parts.add(watchFiles(paths, () => void pipeline.reload()));
    await watcher.ready;
    await pipeline.start();
    const notifier = parts.add(new Notifier({ pipeline, rollouts, proxy, clock, logger, hostEnv }));
    await rollouts.start(pipeline);
    for (const mapping of unusedMappings(pipeline.inForce.table, listen)) {
      const why = declaresPort(pipeline.inForce.effective, mapping)
        ? 'no listener of a Gateway that declares it can be served, see `serin get gateways`'
        : 'no Gateway declares it';
      logger.warn(`--listen ${listenerName(mapping)}=${formatAddress(mapping.address)}: ${why}`);
    }

    const tokens = new Tokens(token, state, clock, logger);
    const sessions = new Sessions(tokens, () => clock.nowMs());
    const watch = parts.add(new Watch({ pipeline, proxy, processes, rollouts, sessions, clock, logger }));
    state.onAudit((entry) => watch.audit.publish('audit', entry));
    const life: Life = { draining: false, exceptions: 0 };
    const admin = parts.add(
      await startAdminApi(options.admin ?? {}, {
        ports: adminPorts({
          pipeline,
          proxy,
          health,
          processes,
          state,
          audit: state,
          rollouts,
          tokens,
          previewKey,
          life,
          history,
          clock,
          hostEnv,
          listen,
          mesh,
          meshFor,
          logger,
          accessLog,
          spans,
          watch,
          notifier,
        }),
        tokens,
        sessions,
        clock,
        logger,
        onReachable: ({ host, port }, certificate) => {
          const admin = { host, port, ...(certificate === undefined ? {} : { certificate }) };
          const warning = writeDaemonInfo(options.stateDirectory, { pid: process.pid, version: VERSION, admin });
          if (warning !== undefined) logger.warn(warning);
        },
      }),
    );

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
      listeners: () => servedListeners(pipeline.inForce),
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
function openDirectory(
  directory: string,
  clock: Clock,
  logger: Logger,
  parts: Parts,
): { readonly state: State & AuditLog; readonly token: string; readonly previewKey: Uint8Array } {
  const warning = prepareDirectory(directory);
  if (warning !== undefined) logger.warn(warning);
  const lock = lockState(directory);
  parts.add({ close: () => lock.release() });
  const unknown = writeDaemonInfo(directory, { pid: process.pid, version: VERSION });
  if (unknown !== undefined) logger.warn(unknown);
  parts.add({ close: () => removeDaemonInfo(directory) });
  const token = ensureToken(directory, (notice) => logger.warn(notice));
  const previewKey = ensurePreviewKey(directory, (notice) => logger.warn(notice));
  const state = parts.add(openState(directory, clock, (notice) => logger.warn({ code: notice.code }, notice.message)));
  return { state, token, previewKey };
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
