/** The commands as the cases of a shell script, which its completion looks up: the same for bash and zsh. */
import type { CompletedCommand, Value } from './completion-model.ts';

export interface ShellCase {
  /** Any of these words. */
  readonly patterns: readonly string[];
  readonly action: string;
}

export interface ValueCase {
  readonly patterns: readonly string[];
  readonly value: Value;
}

/** More positions than anybody fills by hand. */
const MAX_REPEATED = 10;

/** The arms of a case statement. */
export function cases(all: readonly ShellCase[]): string {
  return all.map(({ patterns, action }) => `    ${patterns.map(quoted).join(' | ')}) ${action} ;;\n`).join('');
}

/** Functions of the script that say what there is in the table. */
export function lookups(commands: readonly CompletedCommand[]): string {
  return `# Whether the word is a command under another.
__serin_is_command() {
  case "$1 $2" in
${cases(commandCases(commands, 'return 0'))}  esac
  return 1
}

# Sets value: what an option of a command is followed by; empty where that is nothing.
__serin_option() {
  value=''
  case "$1 $2" in
${cases(optionCases(commands).map(({ patterns, value }) => ({ patterns, action: `value=${encoded(value)}` })))}  esac
}

# Sets value: what stands at a place after a command.
__serin_argument() {
  value=''
  case "$1 $2" in
${cases(argumentCases(commands).map(({ patterns, value }) => ({ patterns, action: `value=${encoded(value)}` })))}  esac
}
`;
}

/** `PARENT NAME` of every command. */
export function commandCases(commands: readonly CompletedCommand[], action: string): readonly ShellCase[] {
  return commands
    .filter(({ verbs }) => verbs.length > 0)
    .map(({ path, verbs }) => ({ patterns: verbs.map(({ name }) => `${path} ${name}`), action }));
}

/** `PATH FLAG` of the options that take a value. */
export function optionCases(commands: readonly CompletedCommand[]): readonly ValueCase[] {
  return commands.flatMap(({ path, options }) =>
    options.flatMap(({ flags, value }) => (value === undefined ? [] : [{ patterns: flags.map((flag) => `${path} ${flag}`), value }])),
  );
}

/** `PATH POSITION`, from 0. */
export function argumentCases(commands: readonly CompletedCommand[]): readonly ValueCase[] {
  return commands.flatMap(({ path, arguments: values, isVariadic }) =>
    values.map((value, position) => ({
      patterns: Array.from(
        { length: isVariadic && position === values.length - 1 ? MAX_REPEATED : 1 },
        (_, more) => `${path} ${position + more}`,
      ),
      value,
    })),
  );
}

/** A value as a word of the script: `=json yaml`, `%rollouts`, `@files`; `@text` where nothing is known of it. */
function encoded(value: Value): string {
  if (value.kind === 'words') return quoted(`=${value.words.join(' ')}`);
  return quoted(value.kind === 'names' ? `%${value.of}` : `@${value.kind}`);
}

/** For bash, zsh and fish alike, where it has no backslash. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'"'"'`)}'`;
}
