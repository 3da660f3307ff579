/**
 * `serin explain [-f PATH]... [-X METHOD] [-H 'name: value']... [--listener NAME] [-o json] URL`: which rule takes a request, every rule that
 * does not and why. With `-f` from files, without them from the running Serin.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import type { ExplainRequest } from '../admin/api-types.ts';
import { ProblemError } from '../admin/problem.ts';
import { explainRequest } from '../app/explain.ts';
import { printableJson, printableText } from '../app/printable.ts';
import {
  type AddCommand,
  adminOption,
  clientFor,
  type ClientOptions,
  fileOption,
  istioCompatOption,
  localityOption,
  outputOption,
  stateOption,
  tokenFileOption,
} from './command.ts';
import { CliError, EXIT, exitOfStatus } from './exit.ts';
import type { Io } from './io.ts';
import { formatDiagnostics, load, pathsOf } from './sources.ts';

interface ExplainOptions extends ClientOptions {
  readonly file?: readonly string[];
  readonly method: string;
  readonly header?: readonly (readonly [string, string])[];
  readonly listener?: string;
  readonly output?: 'json';
  readonly istioCompat?: boolean;
  readonly locality?: string;
}

/** Only what is shown is looked at; `-o json` passes the rest through. */
const Answer = z.looseObject({ text: z.string() });

export const explainCommand: AddCommand = (program, io): Command =>
  program
    .command('explain')
    .description('say which rule takes a request, and why the others do not')
    .argument('<URL...>', 'as http://reviews/reviews/0; more paths may stand before it, after -f')
    .addOption(fileOption())
    .addOption(new Option('-X, --method <METHOD>', 'method of the request').default('GET'))
    .addOption(new Option('-H, --header <HEADER>', "'name: value'; may be repeated").argParser(parseHeader))
    .addOption(new Option('--listener <NAME>', 'listener that gets the request (default: whichever serves the host)'))
    .addOption(localityOption('with -f: where Serin would stand'))
    .addOption(istioCompatOption('with -f: as Serin would with the option of the same name'))
    .addOption(outputOption('json'))
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(tokenFileOption())
    .action(async (args: readonly string[], options: ExplainOptions) => {
      const url = args.at(-1) ?? '';
      const more = args.slice(0, -1);
      if (options.file === undefined && options.locality !== undefined)
        throw new CliError(EXIT.usage, '--locality belongs to -f; a running Serin has its own');
      if (options.file === undefined && options.istioCompat === true)
        throw new CliError(EXIT.usage, "'--istio-compat' belongs to -f: the running Serin says itself what it was started with");
      if (options.file === undefined && more.length > 0) throw new CliError(EXIT.usage, `expected one URL, found ${args.length} arguments`);
      const headers = (options.header ?? []).map(([name, value]): [string, string] => [name, value]);
      const request = { url, method: options.method, headers, ...(options.listener === undefined ? {} : { listener: options.listener }) };
      const { text, ...answer } = Answer.parse(
        options.file === undefined
          ? await ask(request, options, io)
          : await explainFiles(pathsOf(options.file, more), request, options, io),
      );
      io.out(options.output === 'json' ? `${printableJson(answer)}\n` : printableText(text));
    });

function ask(request: ExplainRequest, options: ExplainOptions, io: Io): Promise<unknown> {
  return clientFor(options, io).call({ method: 'POST', path: '/api/v1/explain', body: request }, Answer);
}

async function explainFiles(
  paths: readonly string[],
  request: ExplainRequest,
  { istioCompat = false, locality }: ExplainOptions,
  io: Io,
): Promise<unknown> {
  const { table, diagnostics } = await load(paths, io, { istioCompat, ...(locality === undefined ? {} : { locality }) });
  if (table === undefined) {
    io.err(formatDiagnostics(diagnostics, (_severity, text) => text));
    throw new CliError(EXIT.invalid, 'the configuration is invalid');
  }
  try {
    return explainRequest(table, [], request);
  } catch (error) {
    if (error instanceof ProblemError)
      throw new CliError(error.status === 422 ? EXIT.usage : exitOfStatus(error.status), error.message, error.extras.hint, {
        cause: error,
      });
    throw error;
  }
}

function parseHeader(text: string, previous: readonly (readonly [string, string])[] | undefined): readonly (readonly [string, string])[] {
  const { name, value } = /^(?<name>[!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(?<value>[^\r\n\0]*?)[ \t]*$/.exec(text)?.groups ?? {};
  if (name === undefined || value === undefined) throw new InvalidArgumentError("expected 'name: value'");
  return [...(previous ?? []), [name, value]];
}
