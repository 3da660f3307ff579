/**
 * `serin up -f PATH...`: runs Serin in the foreground. Prints where each listener and the admin API are, a line each, then `ready`; the log goes
 * to stderr. Ends with 0 after SIGTERM or Ctrl-C and a drain.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { AdminListenError } from '../admin/server.ts';
import {
  describeListenError,
  formatAddress,
  listenerName,
  type Address,
  type ListenMapping,
  parseAddress,
  parseListenMapping,
} from '../app/listen.ts';
import { createLogger, type LogFormat } from '../app/logger.ts';
import { ConfigError } from '../app/pipeline.ts';
import { DEFAULT_ADMIN, DEFAULT_DRAIN_TIMEOUT_MS, DEFAULT_MESH, type RunningServer, serve } from '../app/serve.ts';
import { runUntilStopped } from '../app/signals.ts';
import { stateDirectory, StateError } from '../app/state-directory.ts';
import { parseDuration } from '../base/duration.ts';
import { ListenError } from '../proxy/options.ts';
import { type AddCommand, argument, fileOption, stateOption } from './command.ts';
import { CliError, EXIT } from './exit.ts';
import type { Io } from './io.ts';
import { formatDiagnostics, pathsOf } from './sources.ts';
import { formatColumns } from './table.ts';

const MAX_WORKERS = 64;

interface UpOptions {
  readonly file?: readonly string[];
  readonly listen?: readonly ListenMapping[];
  readonly mesh: Address | 'off';
  readonly admin: Address;
  readonly state?: string;
  readonly workers: number;
  readonly drainTimeout: number;
  readonly logFormat: LogFormat;
}

export const upCommand: AddCommand = (program, io): Command =>
  program
    .command('up')
    .description('run Serin: route traffic as the files say, watch them, and serve the admin API')
    .argument('[PATH...]', 'more paths after -f')
    .addOption(fileOption())
    .addOption(
      new Option(
        '--listen <[NS/NAME:]PORT=ADDR:PORT>',
        'where a port that a Gateway declares is bound (default: 0.0.0.0 and the same port); may be repeated',
      ).argParser((text: string, previous: readonly ListenMapping[] | undefined) => [
        ...(previous ?? []),
        argument(parseListenMapping)(text),
      ]),
    )
    .addOption(
      new Option('--mesh <ADDR:PORT>', "listener for services by their own name, or 'off'")
        .argParser((text) => (text === 'off' ? text : argument(parseAddress)(text)))
        .default(DEFAULT_MESH, formatAddress(DEFAULT_MESH)),
    )
    .addOption(
      new Option('--admin <ADDR:PORT>', 'admin API, on loopback')
        .argParser(argument(parseAddress))
        .default(DEFAULT_ADMIN, formatAddress(DEFAULT_ADMIN)),
    )
    .addOption(stateOption())
    .addOption(new Option('--workers <N>', 'threads that carry traffic').argParser(parseWorkers).default(1))
    .addOption(
      new Option('--drain-timeout <DURATION>', 'how long requests in flight may take to end')
        .argParser(parseDrainTimeout)
        .default(DEFAULT_DRAIN_TIMEOUT_MS, '30s'),
    )
    .addOption(new Option('--log-format <FORMAT>', 'format of the log on stderr').choices(['text', 'json']).default('text'))
    .action((more: readonly string[], options: UpOptions) => up(more, options, io));

async function up(more: readonly string[], options: UpOptions, io: Io): Promise<void> {
  const paths = pathsOf(options.file, more);
  if (paths.includes('-')) throw new CliError(EXIT.usage, "'-f -' cannot be watched for changes", 'give a file or a directory');
  refuseSharedAddresses(options);
  const logger = createLogger({ isTTY: process.stderr.isTTY, write: (text) => io.err(text) }, options.logFormat);
  if (process.getuid?.() === 0)
    logger.warn(
      'running as root: Serin needs no rights of root; give it a user of its own, and ports below 1024 another address with --listen',
    );
  const server = await start(paths, options, io, logger);
  // Before anybody is told that it is ready: who reads `ready` may signal at once.
  const stopped = runUntilStopped(server, logger);
  io.outliveOutput();
  io.out(addressLines(server));
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
      admin: options.admin,
      stateDirectory: stateDirectory(options.state, io.env),
      workers: options.workers,
      drainTimeoutMs: options.drainTimeout,
      env: io.env,
      logger,
    });
  } catch (error) {
    if (error instanceof ConfigError) {
      io.err(formatDiagnostics(error.diagnostics, (_severity, text) => text));
      throw new CliError(EXIT.invalid, error.message, undefined, { cause: error });
    }
    if (error instanceof ListenError)
      throw new CliError(EXIT.other, `${describeListenError(error)} [${error.code}]`, undefined, { cause: error });
    if (error instanceof AdminListenError || error instanceof StateError)
      throw new CliError(EXIT.other, `${error.message} [${error.code}]`, undefined, { cause: error });
    throw error;
  }
}

/** Two flags for one address are a slip that the operating system would report less clearly; of two for one port only the first would count. */
function refuseSharedAddresses({ listen = [], mesh, admin }: UpOptions): void {
  const ports = listen.map(listenerName);
  const twice = ports.find((port, index) => ports.indexOf(port) !== index);
  if (twice !== undefined) throw new CliError(EXIT.usage, `--listen says twice where port ${twice} is bound`);
  const named = [
    ...listen.map(({ address }) => ({ flag: '--listen', address })),
    ...(mesh === 'off' ? [] : [{ flag: '--mesh', address: mesh }]),
    { flag: '--admin', address: admin },
  ].filter(({ address }) => address.port !== 0);
  for (const [index, { flag, address }] of named.entries()) {
    const other = named.slice(0, index).find((earlier) => earlier.address.host === address.host && earlier.address.port === address.port);
    if (other !== undefined) throw new CliError(EXIT.usage, `${other.flag} and ${flag} both say ${formatAddress(address)}`);
  }
}

function addressLines(server: RunningServer): string {
  const listeners = server
    .listeners()
    .map((listener) => [
      listener.listener,
      `http://${formatAddress(listener)}`,
      listener.gateways.length === 0 ? 'services by name' : `Gateway ${listener.gateways.join(', ')}`,
    ]);
  return formatColumns([...listeners, ['admin', `http://${formatAddress(server.admin)}`, '/readyz /livez /metrics /api/v1']]);
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
