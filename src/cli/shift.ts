/**
 * `serin shift HOST v1=90 v2=10 [-n NS]`: moves traffic by hand. Weights are relative whole numbers; subsets that are not named get nothing.
 * `serin shift httproute/NAME svc-a=90 svc-b=10` splits what these Services have of the route's traffic; other backends keep their shares.
 * Written to Serin's overlay, never to the user's files; `--reset` drops it and the files are in force again.
 */
import type { Command } from 'commander';
import { MAX_WEIGHT, ShiftResult, type Weights } from '../admin/api-types.ts';
import { printableJson, printableLine } from '../app/printable.ts';
import {
  type AddCommand,
  adminOption,
  clientFor,
  type ClientOptions,
  namespaceOption,
  outputOption,
  reasonOption,
  stateOption,
  tokenFileOption,
} from './command.ts';
import { CliError, EXIT } from './exit.ts';

interface ShiftOptions extends ClientOptions {
  readonly namespace: string;
  readonly reset?: true;
  readonly reason?: string;
  readonly output?: 'json';
}

export const shiftCommand: AddCommand = (program, io): Command =>
  program
    .command('shift')
    .description('move the traffic of a service to other subsets, or of a route to other Services, or back to what the files say')
    .argument('<HOST>', 'service, as a VirtualService names it; or httproute/NAME, grpcroute/NAME')
    .argument('[SUBSET=WEIGHT...]', 'relative weights, as v1=90 v2=10; of a route by Service')
    .addOption(namespaceOption())
    .option('--reset', 'drop the shift: the files are in force again')
    .addOption(reasonOption())
    .addOption(outputOption('json'))
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(tokenFileOption())
    .action(async (host: string, pairs: readonly string[], options: ShiftOptions) => {
      if (options.reset === true && pairs.length > 0) throw new CliError(EXIT.usage, '--reset takes no weights');
      const weights = options.reset === true ? undefined : parseWeights(pairs);
      const path = `/api/v1/shifts/${targetPath(host, options.namespace)}`;
      const client = clientFor(options, io);
      const { reason } = options;
      const result = await client.call(
        weights === undefined
          ? { method: 'DELETE', path: `${path}${reason === undefined ? '' : `?reason=${encodeURIComponent(reason)}`}` }
          : { method: 'PUT', path, body: { weights, ...(reason === undefined ? {} : { reason }) } },
        ShiftResult,
      );
      for (const warning of result.warnings) io.err(`serin: warning: ${printableLine(warning)}\n`);
      if (options.output === 'json') return io.out(`${printableJson(result)}\n`);
      const what = options.reset === true ? ' (the files are in force again)' : '';
      return io.out(`${printableLine(result.host)}: ${formatWeights(result.before)} -> ${formatWeights(result.after)}${what}\n`);
    });

/** @throws CliError 2 naming the argument that is wrong */
function parseWeights(pairs: readonly string[]): Weights {
  if (pairs.length === 0)
    throw new CliError(EXIT.usage, 'no weights given', 'as in: serin shift reviews v1=90 v2=10, or --reset to drop a shift');
  const weights = new Map<string, number>();
  for (const pair of pairs) {
    const { subset, weight } = /^(?<subset>[^=]+)=(?<weight>[^=]*)$/.exec(pair)?.groups ?? {};
    if (subset === undefined || weight === undefined) throw new CliError(EXIT.usage, `expected SUBSET=WEIGHT, found '${pair}'`);
    const value = /^\d{1,10}$/.test(weight) ? Number(weight) : Number.NaN;
    if (!(value <= MAX_WEIGHT))
      throw new CliError(EXIT.usage, `the weight of ${subset} must be a whole number from 0 to ${MAX_WEIGHT}, found '${weight}'`);
    if (weights.has(subset)) throw new CliError(EXIT.usage, `the weight of ${subset} is given twice`);
    weights.set(subset, value);
  }
  return Object.fromEntries(weights);
}

/** `v1 90%, v2 10%`: shares, because weights are relative. */
function formatWeights(weights: Weights): string {
  const entries = Object.entries(weights);
  const total = entries.reduce((sum, [, weight]) => sum + weight, 0);
  if (entries.length === 0 || total === 0) return 'not split';
  return entries.map(([subset, weight]) => `${printableLine(subset)} ${Number(((weight / total) * 100).toFixed(2))}%`).join(', ');
}

/** `httproute/shop/reviews`, as answers have it, says the namespace itself. */
function targetPath(target: string, namespace: string): string {
  const [kind = '', ...names] = target.split('/');
  if (names.length === 0) return `${segment(namespace, 'namespace')}/${segment(kind, 'host')}`;
  if (!/^(?:http|grpc)route$/i.test(kind) || names.length > 2)
    throw new CliError(EXIT.usage, `the target '${target}' is not a name: expected a service, httproute/NAME or grpcroute/NAME`);
  const own = names.length === 2 ? (names[0] ?? '') : namespace;
  const name = segment(names.at(-1) ?? '', 'name of the route');
  return `${segment(own, 'namespace')}/${kind.toLowerCase()}/${name}`;
}

function segment(text: string, what: string): string {
  if (/^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/.test(text)) return text;
  throw new CliError(EXIT.usage, `the ${what} '${text}' is not a name: expected lower-case letters, digits, '-' and '.'`);
}
