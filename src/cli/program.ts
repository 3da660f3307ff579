/**
 * The command line as a whole: the verbs, their common behaviour and how a failure becomes an exit code.
 *
 * Results go to stdout and messages to stderr. Exit codes: exit.ts. A usage error names what is wrong and, where a name was misspelt, the
 * nearest one; an option that takes one value is refused when it is given twice.
 */
import { Command, CommanderError } from 'commander';
import { printableText } from '../app/printable.ts';
import { VERSION } from '../app/version.ts';
import { applyCommand, deleteCommand } from './apply.ts';
import { nearest } from '../base/nearest.ts';
import type { AddCommand } from './command.ts';
import { completionCommand } from './completion.ts';
import { CliError, EXIT, type ExitCode } from './exit.ts';
import { diffCommand } from './diff.ts';
import { explainCommand } from './explain.ts';
import { getCommand } from './get.ts';
import { importCommand } from './import.ts';
import type { Io } from './io.ts';
import { logsCommand } from './logs.ts';
import { openCommand } from './open.ts';
import { renderCommand } from './render.ts';
import { rolloutCommand } from './rollout.ts';
import { shiftCommand } from './shift.ts';
import { simulateCommand } from './simulate.ts';
import { statusCommand } from './status.ts';
import { tokenCommand } from './token.ts';
import { topCommand } from './top.ts';
import { upCommand } from './up.ts';
import { validateCommand } from './validate.ts';

const COMMANDS: readonly AddCommand[] = [
  upCommand,
  validateCommand,
  diffCommand,
  applyCommand,
  deleteCommand,
  explainCommand,
  getCommand,
  renderCommand,
  importCommand,
  rolloutCommand,
  shiftCommand,
  simulateCommand,
  tokenCommand,
  logsCommand,
  openCommand,
  statusCommand,
  topCommand,
  completionCommand,
];

/** By attribute, or verb and attribute. */
const REPEATABLE: ReadonlySet<string> = new Set(['file', 'listen', 'header', 'regression', 'trustedProxy', 'upgrade', 'start to']);

/** @returns The exit code; never throws. */
export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const program = new Command('serin')
    .description('Releases new versions of services safely by moving traffic, not machines.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(printableText(text)),
      outputError: (text, write) => write(withNearestChoice(text.replace(/^error: /, 'serin: '))),
    })
    .showHelpAfterError("(see 'serin --help')");
  for (const add of COMMANDS) {
    refuseRepeats(
      add(program, io, (exit) => {
        code = exit;
      }),
    );
  }
  addHelp(program);
  if (args.length === 0) {
    program.outputHelp({ error: true });
    return EXIT.usage;
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    return exitCodeOf(error, io);
  }
}

/** Commander says which values there are, not which one was meant. */
function withNearestChoice(text: string): string {
  const { found = '', choices = '' } =
    /(?:argument|value) '(?<found>[^']*)' is invalid.*\. Allowed choices are (?<choices>.*)\.$/m.exec(text)?.groups ?? {};
  const suggestion = nearest(found, choices === '' ? [] : choices.split(', '));
  return suggestion === undefined ? text : `${text.trimEnd()}\n(Did you mean ${suggestion}?)\n`;
}

/** `serin help [COMMAND]`; asking for help never fails, also about a command there is not. */
function addHelp(program: Command): void {
  program
    .helpCommand(false)
    .command('help')
    .description('print help about serin or one command')
    .argument('[COMMAND]')
    .action((name: string | undefined) => (program.commands.find((command) => command.name() === name) ?? program).outputHelp());
}

function exitCodeOf(error: unknown, io: Io): ExitCode {
  // Commander has printed its message (or the help that was asked for) itself.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof CliError) {
    io.err(`serin: ${printableText(error.message)}\n`);
    if (error.hint !== undefined) io.err(`    hint: ${printableText(error.hint)}\n`);
    return error.exit;
  }
  io.err(`serin: ${printableText(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`);
  return EXIT.other;
}

/** Commander lets the last one win in silence; which of two contradicting values was meant is the user's to say. */
function refuseRepeats(command: Command): void {
  for (const verb of command.commands) refuseRepeats(verb);
  for (const option of command.options) {
    const name = option.attributeName();
    if (option.isBoolean() || REPEATABLE.has(name) || REPEATABLE.has(`${command.name()} ${name}`)) continue;
    let seen = false;
    command.on(`option:${option.name()}`, () => {
      if (seen) command.error(`error: option '${option.flags}' is given twice`, { exitCode: EXIT.usage });
      seen = true;
    });
  }
}
