/**
 * `serin diff -f PATH... [-o json]`: what the files would change in the running Serin, as `kubectl diff` asks it.
 *
 * The files are checked as `serin validate` does, then the running Serin compares: it knows what was shifted and which options it runs with. Exit 0
 * where nothing differs and nothing is printed, 1 where something does, more where it cannot be told; what ends other verbs with 1 is 2 here.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type DiffRequest, DiffResult } from '../admin/api-types.ts';
import { MAX_BODY_BYTES } from '../admin/json-body.ts';
import { printableJson, printableText } from '../app/printable.ts';
import { hasErrors } from '../base/diagnostic.ts';
import type { Source } from '../config/read-source.ts';
import {
  type AddCommand,
  adminOption,
  clientFor,
  type ClientOptions,
  fileOption,
  outputOption,
  stateOption,
  tokenFileOption,
} from './command.ts';
import { formatDiff, isDifferent } from './diff-format.ts';
import { CliError, EXIT, type ExitCode } from './exit.ts';
import type { Io } from './io.ts';
import { formatDiagnostics, load, pathsOf } from './sources.ts';

interface DiffOptions extends ClientOptions {
  readonly file?: readonly string[];
  readonly output?: 'json';
}

export const diffCommand: AddCommand = (program, io, done): Command =>
  program
    .command('diff')
    .description('compare files with what is in force in the running Serin: exit 1 where they differ')
    .argument('[PATH...]', 'more paths after -f')
    .addOption(fileOption())
    .addOption(outputOption('json'))
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(tokenFileOption())
    .action(async (more: readonly string[], options: DiffOptions) => {
      try {
        done(await diff(pathsOf(options.file, more), options, io));
      } catch (error) {
        throw asTrouble(error);
      }
    });

async function diff(paths: readonly string[], options: DiffOptions, io: Io): Promise<ExitCode> {
  const { diagnostics, sources } = await load(paths, io, {}, io.env);
  if (hasErrors(diagnostics)) {
    io.err(formatDiagnostics(diagnostics, (_severity, text) => text));
    return EXIT.invalid;
  }
  const body = { sources: sources.map(({ file, content }) => ({ file: resolve(file), content: textOf(content) })) };
  requireSendable(body);
  const result = await clientFor(options, io).call({ method: 'POST', path: '/api/v1/diff', body }, DiffResult);
  const named = asNamed(sources.map(({ file }) => file));
  for (const warning of result.warnings) io.err(`${printableText(named(warning))}\n`);
  if (options.output === 'json') io.out(`${printableJson(result)}\n`);
  else io.out(formatDiff(result, (style, text) => io.paint(style, text), named));
  return isDifferent(result) ? EXIT.different : EXIT.ok;
}

/** @throws CliError where the API would refuse it for its size */
function requireSendable(body: DiffRequest): void {
  const bytes = Buffer.byteLength(JSON.stringify(body));
  if (bytes <= MAX_BODY_BYTES) return;
  throw new CliError(
    EXIT.usage,
    `the files are ${bytes} bytes of JSON, and a running Serin takes ${MAX_BODY_BYTES} to compare`,
    'comments count: leave them out of a copy',
  );
}

/** Of content that has been read as configuration, which is UTF-8. */
function textOf(content: Source['content']): string {
  return typeof content === 'string' ? content : new TextDecoder().decode(content);
}

/** Makes what takes a place in a file, or text that begins with one, back to the name the user gave the file. */
function asNamed(files: readonly string[]): (text: string) => string {
  const names = new Map(files.map((file) => [resolve(file), file]));
  return (text) => {
    const { path = '', rest = '' } = /^(?<path>.*?)(?<rest>:\d+.*)$/s.exec(text)?.groups ?? {};
    const name = names.get(path);
    return name === undefined ? text : `${name}${rest}`;
  };
}

/** What ends other verbs with 1 must not be taken for a difference. */
function asTrouble(error: unknown): CliError {
  if (error instanceof CliError)
    return error.exit === EXIT.other ? new CliError(EXIT.usage, error.message, error.hint, { cause: error }) : error;
  return new CliError(EXIT.usage, error instanceof Error ? (error.stack ?? error.message) : String(error), undefined, { cause: error });
}
