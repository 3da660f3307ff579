/**
 * `serin shift HOST v1=90 v2=10 [-n NS]`: moves traffic by hand. Weights are relative whole numbers; subsets that are not named get nothing.
 * Written to Serin's overlay, never to the user's files; `--reset` drops it and the files are in force again.
 */
import type { Command } from 'commander';
import { MAX_WEIGHT, ShiftResult, type Weights } from '../admin/api-types.ts';
import { printableJson, printableLine } from '../app/printable.ts';
import { type AddCommand, adminOption, clientFor, type ClientOptions, namespaceOption, outputOption, stateOption } from './command.ts';
import { CliError, EXIT } from './exit.ts';

interface ShiftOptions extends ClientOptions {
  readonly namespace: string;
  readonly reset?: true;
  readonly output?: 'json';
}

export const shiftCommand: AddCommand = (program, io): Command =>
  program
    .command('shift')
    .description('move the traffic of a service to other subsets, or back to what the files say')
    .argument('<HOST>', 'service, as a VirtualService names it')
    .argument('[SUBSET=WEIGHT...]', 'relative weights, as v1=90 v2=10')
    .addOption(namespaceOption())
    .option('--reset', 'drop the shift: the files are in force again')
    .addOption(outputOption('json'))
    .addOption(stateOption())
    .addOption(adminOption())
    .action(async (host: string, pairs: readonly string[], options: ShiftOptions) => {
      if (options.reset === true && pairs.length > 0) throw new CliError(EXIT.usage, '--reset takes no weights');
      const weights = options.reset === true ? undefined : parseWeights(pairs);
      const path = `/api/v1/shifts/${segment(options.namespace, 'namespace')}/${segment(host, 'host')}`;
      const client = clientFor(options, io);
      const result = await client.call(
        weights === undefined ? { method: 'DELETE', path } : { method: 'PUT', path, body: { weights } },
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

function segment(text: string, what: string): string {
  if (/^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/.test(text)) return text;
  throw new CliError(EXIT.usage, `the ${what} '${text}' is not a name: expected lower-case letters, digits, '-' and '.'`);
}
