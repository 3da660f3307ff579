/**
 * `serin up -f PATH...`: runs Serin in the foreground. Prints where each listener and the admin API are, a line each, then `ready`; the log goes
 * to stderr. Ends with 0 after SIGTERM or Ctrl-C and a drain.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { AdminListenError } from '../admin/server.ts';
import { describeListenError, formatAddress, listenerName, type Address, type ListenMapping, type MeshMapping } from '../app/listen.ts';
import { AccessLogError } from '../app/access-log.ts';
import { createLogger, type LogFormat } from '../app/logger.ts';
import { ConfigError } from '../app/pipeline.ts';
import { DEFAULT_DRAIN_TIMEOUT_MS, type RunningServer, serve } from '../app/serve.ts';
import type { ServedListener } from '../app/served-listeners.ts';
import { runUntilStopped } from '../app/signals.ts';
import { stateDirectory, StateError } from '../app/state-directory.ts';
import { parseDuration } from '../base/duration.ts';
import { ListenError } from '../proxy/options.ts';
import { MESH_LISTENER } from '../routing/table.ts';
import { adminSettings, adminUpOptions, type AdminUpOptions } from './admin-options.ts';
import {
  type AddCommand,
  fileOption,
  istioCompatOption,
  listenOption,
  localityOption,
  meshForOption,
  meshOption,
  stateOption,
  trustedProxyOption,
  upgradeOption,
} from './command.ts';
import { CliError, EXIT } from './exit.ts';
import type { Io } from './io.ts';
import { type ObserveOptions, observed, observeOptions } from './observe-options.ts';
import { formatDiagnostics, pathsOf } from './sources.ts';
import { formatColumns } from './table.ts';

const MAX_WORKERS = 64;

interface UpOptions extends ObserveOptions, AdminUpOptions {
  readonly file?: readonly string[];
  readonly listen?: readonly ListenMapping[];
  readonly mesh: Address | 'off';
  readonly meshFor?: readonly MeshMapping[];
  readonly state?: string;
  readonly workers: number;
  readonly drainTimeout: number;
  readonly logFormat: LogFormat;
  readonly istioCompat?: boolean;
  readonly locality?: string;
  readonly upgrade?: readonly string[];
  readonly trustedProxy?: readonly string[];
}

export const upCommand: AddCommand = (program, io): Command => {
  const command = program
    .command('up')
    .description('run Serin: route traffic as the files say, watch them, and serve the admin API')
    .argument('[PATH...]', 'more paths after -f')
    .addOption(fileOption())
    .addOption(listenOption())
    .addOption(meshOption())
    .addOption(meshForOption())
    .addOption(stateOption())
    .addOption(new Option('--workers <N>', 'threads that carry traffic').argParser(parseWorkers).default(1))
    .addOption(
      new Option('--drain-timeout <DURATION>', 'how long requests in flight may take to end')
        .argParser(parseDrainTimeout)
        .default(DEFAULT_DRAIN_TIMEOUT_MS, '30s'),
    )
    .addOption(upgradeOption('let clients upgrade to this protocol too, beside websocket'))
    .addOption(trustedProxyOption())
    .addOption(localityOption('where this Serin stands, for localityLbSetting'))
    .addOption(istioCompatOption("do exactly as Istio does where Serin's own way is safer"))
    .addOption(new Option('--log-format <FORMAT>', 'format of the log on stderr').choices(['text', 'json']).default('text'))
    .action((more: readonly string[], options: UpOptions) => up(more, options, io));
  for (const option of [...adminUpOptions(), ...observeOptions()]) command.addOption(option);
  return command;
};

async function up(more: readonly string[], options: UpOptions, io: Io): Promise<void> {
  const paths = pathsOf(options.file, more);
  if (paths.includes('-')) throw new CliError(EXIT.usage, "'-f -' cannot be watched for changes", 'give a file or a directory');
  refuseSharedAddresses(options);
  const logger = createLogger({ isTTY: process.stderr.isTTY, write: (text) => io.err(text) }, options.logFormat);
  if (process.getuid?.() === 0)
    logger.warn(
      'running as root: Serin needs no rights of root; give it a user of its own, and ports below 1024 another address with --listen',
    );
  const everybody = options.trustedProxy?.find((block) => block.endsWith('/0'));
  if (everybody !== undefined)
    logger.warn(`--trusted-proxy ${everybody} believes everybody: any client can say who it is, and order retries and timeouts`);
  const server = await start(paths, options, io, logger);
  // Before anybody is told that it is ready: who reads `ready` may signal at once.
  const stopped = runUntilStopped(server, logger);
  io.outliveOutput();
  io.out(addressLines(server, options.adminTlsCert === undefined ? 'http' : 'https'));
  const late = await server.processesReady();
  if (late === undefined) return stopped;
  if (late.length > 0)
    logger.warn({ processes: late.join(', ') }, 'not all processes are ready in time; Serin goes on trying, see `serin get processes`');
  io.out('ready\n');
  await stopped;
}

async function start(
  paths: readonly string[],
  options: UpOptions,
  io: Io,
  logger: ReturnType<typeof createLogger>,
): Promise<RunningServer> {
  try {
    return await serve({
      paths,
      listen: options.listen ?? [],
      mesh: options.mesh,
      meshFor: options.meshFor ?? [],
      admin: adminSettings(options),
      stateDirectory: stateDirectory(options.state, io.env),
      workers: options.workers,
      drainTimeoutMs: options.drainTimeout,
      istioCompat: options.istioCompat ?? false,
      ...(options.locality === undefined ? {} : { locality: options.locality }),
      ...(options.upgrade === undefined ? {} : { upgrades: options.upgrade }),
      ...(options.trustedProxy === undefined ? {} : { trustedProxies: options.trustedProxy }),
      env: io.env,
      logger,
      ...observed(options, io.env),
    });
  } catch (error) {
    if (error instanceof ConfigError) {
      io.err(formatDiagnostics(error.diagnostics, (_severity, text) => text));
      throw new CliError(EXIT.invalid, error.message, undefined, { cause: error });
    }
    if (error instanceof ListenError)
      throw new CliError(EXIT.other, `${describeListenError(error)} [${error.code}]`, undefined, { cause: error });
    if (error instanceof AccessLogError || error instanceof AdminListenError || error instanceof StateError)
      throw new CliError(EXIT.other, `${error.message} [${error.code}]`, undefined, { cause: error });
    throw error;
  }
}

/** Two flags for one address are a slip that the operating system would report less clearly; of two for one port only the first would count. */
function refuseSharedAddresses({ listen = [], mesh, meshFor = [], admin }: UpOptions): void {
  const ports = listen.map(listenerName);
  const twice = ports.find((port, index) => ports.indexOf(port) !== index);
  if (twice !== undefined) throw new CliError(EXIT.usage, `--listen says twice where port ${twice} is bound`);
  const namespaces = meshFor.map(({ namespace }) => namespace);
  const repeated = namespaces.find((namespace, index) => namespaces.indexOf(namespace) !== index);
  if (repeated !== undefined) throw new CliError(EXIT.usage, `--mesh-for says twice where callers of ${repeated} are served`);
  const named = [
    ...listen.map(({ address }) => ({ flag: '--listen', address })),
    ...(mesh === 'off' ? [] : [{ flag: '--mesh', address: mesh }]),
    ...meshFor.map(({ address }) => ({ flag: '--mesh-for', address })),
    { flag: '--admin', address: admin },
  ].filter(({ address }) => address.port !== 0);
  for (const [index, { flag, address }] of named.entries()) {
    const other = named.slice(0, index).find((earlier) => earlier.address.host === address.host && earlier.address.port === address.port);
    if (other !== undefined) throw new CliError(EXIT.usage, `${other.flag} and ${flag} both say ${formatAddress(address)}`);
  }
}

function servedThere({ listener, gateways }: Pick<ServedListener, 'listener' | 'gateways'>): string {
  if (gateways.length > 0) return `Gateway ${gateways.join(', ')}`;
  return listener === MESH_LISTENER ? 'services by name' : `services by name, for callers of ${listener.slice(MESH_LISTENER.length + 1)}`;
}

function addressLines(server: RunningServer, adminScheme: 'http' | 'https'): string {
  const listeners = server
    .listeners()
    .map((listener) => [listener.listener, `${listener.scheme}://${formatAddress(listener)}`, servedThere(listener)]);
  return formatColumns([
    ...listeners,
    ['admin', `${adminScheme}://${formatAddress(server.admin)}`, '/ /readyz /livez /metrics /api/v1 /openapi.json'],
  ]);
}

function parseWorkers(text: string): number {
  const workers = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (workers < 1 || workers > MAX_WORKERS)
    throw new InvalidArgumentError(`expected a whole number from 1 to ${MAX_WORKERS}, found '${text}'`);
  return workers;
}

function parseDrainTimeout(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms > 2 ** 31 - 1) throw new InvalidArgumentError(`expected a duration as 30s, 500ms or 1m30s, found '${text}'`);
  return ms;
}
