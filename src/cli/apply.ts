/**
 * `serin apply -f PATH... [--dry-run]` and `serin delete KIND NAME [-n NS]`: resources the running Serin keeps in its own state, beside its files. All of
 * them come into force or none; what a file of the running Serin declares is refused.
 */
import type { Command } from 'commander';
import { ApplyResult } from '../admin/resource-types.ts';
import { printableJson, printableLine } from '../app/printable.ts';
import { RESOURCE_PLURALS, RESOURCE_USAGE } from '../app/resource-kinds.ts';
import { type Diagnostic, hasErrors } from '../base/diagnostic.ts';
import { readFiles } from '../config/load.ts';
import type { Source } from '../config/read-source.ts';
import { ProblemAnswer } from './client-connection.ts';
import {
  type AddCommand,
  adminOption,
  clientFor,
  type ClientOptions,
  fileOption,
  namespaceOption,
  outputOption,
  stateOption,
  tokenFileOption,
} from './command.ts';
import { CliError, EXIT, type ExitCode } from './exit.ts';
import { kindNamed } from './get.ts';
import type { Io } from './io.ts';
import { formatDiagnostics, pathsOf } from './sources.ts';

interface ApplyOptions extends ClientOptions {
  readonly file?: readonly string[];
  readonly dryRun?: true;
  readonly output?: 'json';
}

interface DeleteOptions extends ApplyOptions {
  readonly namespace: string;
}

export const applyCommand: AddCommand = (program, io, done): Command =>
  withClient(program.command('apply').description('add resources to the running Serin, or change them, without a file'))
    .argument('[PATH...]', 'more paths after -f')
    .addOption(fileOption())
    .action(async (more: readonly string[], options: ApplyOptions) => done(await apply(pathsOf(options.file, more), options, io)));

export const deleteCommand: AddCommand = (program, io, done): Command =>
  withClient(program.command('delete').description('remove a resource that was applied'))
    .argument('<KIND>', RESOURCE_USAGE)
    .argument('<NAME>')
    .addOption(namespaceOption())
    .action(async (kindText: string, name: string, options: DeleteOptions) => {
      const kind = kindNamed(kindText, RESOURCE_PLURALS);
      const path = `/api/v1/resources/${kind.path}/${encodeURIComponent(options.namespace)}/${encodeURIComponent(name)}${query(options)}`;
      const call = (): Promise<ApplyResult> => clientFor(options, io).call({ method: 'DELETE', path }, ApplyResult);
      done(await say(call, (diagnostic) => diagnostic, options, io));
    });

function withClient(command: Command): Command {
  return command
    .option('--dry-run', 'check everything, change nothing')
    .addOption(outputOption('json'))
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(tokenFileOption());
}

async function apply(paths: readonly string[], options: ApplyOptions, io: Io): Promise<ExitCode> {
  const sources = await read(paths, io);
  const { manifests, placed } = joined(sources);
  const body = { manifests };
  const call = (): Promise<ApplyResult> =>
    clientFor(options, io).call({ method: 'POST', path: `/api/v1/resources${query(options)}`, body }, ApplyResult);
  return say(call, placed, options, io);
}

const query = ({ dryRun }: ApplyOptions): string => (dryRun === true ? '?dryRun=true' : '');

/** @throws CliError 3 where a file cannot be read */
async function read(paths: readonly string[], io: Io): Promise<readonly Source[]> {
  if (paths.includes('-')) {
    if (paths.length > 1) throw new CliError(EXIT.usage, "'-f -' (standard input) cannot be combined with other paths");
    return [{ file: '-', content: await io.readInput() }];
  }
  const { sources, problems } = await readFiles(paths);
  if (hasErrors(problems)) throw new CliError(EXIT.invalid, formatDiagnostics(problems, (_severity, text) => text).trimEnd());
  if (sources.length === 0) throw new CliError(EXIT.invalid, `no file of ${paths.join(', ')} ends in .yaml, .yml or .json`);
  return sources;
}

/** Files as one text, and the way back from a line of it to a line of a file. */
function joined(sources: readonly Source[]): { readonly manifests: string; readonly placed: (diagnostic: Diagnostic) => Diagnostic } {
  const parts: { readonly file: string; readonly before: number }[] = [];
  let manifests = '';
  let lines = 0;
  for (const { file, content } of sources) {
    const text = textOf(file, content);
    if (manifests !== '') {
      manifests += '---\n';
      lines++;
    }
    parts.push({ file, before: lines });
    const whole = text.endsWith('\n') ? text : `${text}\n`;
    manifests += whole;
    lines += whole.split('\n').length - 1;
  }
  const placed = (diagnostic: Diagnostic): Diagnostic => {
    const part = diagnostic.file === 'api' ? parts.findLast(({ before }) => before < Math.max(diagnostic.line, 1)) : undefined;
    if (part === undefined) return diagnostic;
    return { ...diagnostic, file: part.file, line: diagnostic.line === 0 ? 0 : diagnostic.line - part.before };
  };
  return { manifests, placed };
}

/** @throws CliError 3 */
function textOf(file: string, content: Source['content']): string {
  if (typeof content === 'string') return content;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch (error) {
    throw new CliError(EXIT.invalid, `${file} is not UTF-8 text`, undefined, { cause: error });
  }
}

async function say(
  call: () => Promise<ApplyResult>,
  placed: (diagnostic: Diagnostic) => Diagnostic,
  { dryRun, output }: ApplyOptions,
  io: Io,
): Promise<ExitCode> {
  const print = (diagnostics: readonly Diagnostic[]): void =>
    io.err(formatDiagnostics(diagnostics.map(placed), (severity, text) => io.paint(severity === 'error' ? 'red' : 'yellow', text)));
  try {
    const result = await call();
    print(result.diagnostics);
    if (output === 'json') io.out(`${printableJson(result)}\n`);
    else
      for (const { kind, namespace, name, result: what } of result.results)
        io.out(
          `${printableLine(`${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`)} ${what}${dryRun === true ? ' (dry run)' : ''}\n`,
        );
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof ProblemAnswer) || error.problem.diagnostics === undefined) throw error;
    print(error.problem.diagnostics);
    return error.exit;
  }
}
