/**
 * What can be completed, read off the commands themselves: a verb, option or choice that is added is completed without being named here. Only what
 * a value is (a path, the name of something in the running Serin) is said here, by the option's or argument's name.
 */
import type { Argument, Command, Option } from 'commander';
import { COMPILED_KINDS, RESOURCE_PLURALS } from '../app/resource-kinds.ts';
import type { NameSource } from './completion-names.ts';

/** What stands where a value is expected; `text` is anything, of which nothing is known. */
export type Value =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'names'; readonly of: NameSource }
  | { readonly kind: 'files' | 'directories' | 'text' };

export interface CompletedOption {
  /** As typed: `-o`, `--output`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** Undefined: it takes none. */
  readonly value: Value | undefined;
}

export interface CompletedCommand {
  /** Words after `serin`, with a space between them; empty for serin itself. */
  readonly path: string;
  readonly verbs: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletedOption[];
  readonly arguments: readonly Value[];
  /** The last argument may stand again and again. */
  readonly isVariadic: boolean;
}

const TEXT: Value = { kind: 'text' };
const FILES: Value = { kind: 'files' };

const OPTION_VALUES: Readonly<Record<string, Value>> = {
  file: FILES,
  tokenFile: FILES,
  accessLogFile: FILES,
  state: { kind: 'directories' },
  namespace: { kind: 'names', of: 'namespaces' },
};

/** By `path ARGUMENT`, else by `ARGUMENT`. */
const ARGUMENT_VALUES: Readonly<Record<string, Value>> = {
  PATH: FILES,
  KIND: { kind: 'words', words: [...RESOURCE_PLURALS, ...COMPILED_KINDS.map(({ plural }) => plural)] },
  'get NAME': { kind: 'names', of: 'resources' },
  'delete NAME': { kind: 'names', of: 'resources' },
  'token revoke NAME': { kind: 'names', of: 'tokens' },
  VERSION: { kind: 'names', of: 'versions' },
  'shift HOST': { kind: 'names', of: 'shifted' },
  'simulate ROLLOUT': { kind: 'names', of: 'rollouts' },
};

/** @returns The command and all below it, in the order of the help. */
export function completedCommands(command: Command, path = ''): readonly CompletedCommand[] {
  const verbs = command.commands;
  const last = command.registeredArguments.at(-1);
  return [
    {
      path,
      verbs: verbs.map((verb) => ({ name: verb.name(), description: verb.description() })),
      options: [...command.options.filter(({ hidden }) => !hidden).map(completedOption), HELP],
      arguments: command.registeredArguments.map((argument) => argumentValue(argument, path, command)),
      isVariadic: last?.variadic === true,
    },
    ...verbs.flatMap((verb) => completedCommands(verb, path === '' ? verb.name() : `${path} ${verb.name()}`)),
  ];
}

const HELP: CompletedOption = { flags: ['-h', '--help'], description: 'print help', value: undefined };

function completedOption(option: Option): CompletedOption {
  const { short, long, description, argChoices } = option;
  const known = argChoices === undefined ? OPTION_VALUES[option.attributeName()] : { kind: 'words' as const, words: argChoices };
  return {
    flags: [short, long].filter((flag) => flag !== undefined && flag !== null),
    description,
    value: option.required || option.optional ? (known ?? TEXT) : undefined,
  };
}

function argumentValue(argument: Argument, path: string, command: Command): Value {
  const name = argument.name();
  if (argument.argChoices !== undefined) return { kind: 'words', words: argument.argChoices };
  if (name === 'COMMAND') return { kind: 'words', words: command.parent?.commands.map((verb) => verb.name()) ?? [] };
  if (path.startsWith('rollout ') && name === 'NAME') return { kind: 'names', of: 'rollouts' };
  return ARGUMENT_VALUES[`${path} ${name}`] ?? ARGUMENT_VALUES[name] ?? TEXT;
}
