/** Completion for fish 3 and newer, as a script. fish looks at options itself; the conditions say which command the line is at. */
import type { CompletedCommand, CompletedOption, Value } from './completion-model.ts';
import { argumentCases, commandCases, optionCases, quoted } from './completion-table.ts';

export function fishCompletion(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap((command) => [
    ...command.verbs.map(
      ({ name, description }) => `complete -c serin -n ${at(command.path, 0)} -a ${quoted(name)} -d ${quoted(description)}`,
    ),
    ...command.options.map((option) => optionLine(command.path, option)),
  ]);
  const places = argumentCases(commands).flatMap(({ patterns, value }) => {
    const offered = offers(value);
    if (offered === '') return [];
    return patterns.map((pattern) => {
      const [, path = '', position = '0'] = /^(.*) (\d+)$/.exec(pattern) ?? [];
      return `complete -c serin -n ${at(path, Number(position))} ${offered}`;
    });
  });
  return `# Completion of serin for fish: serin completion fish | source

# Whether the word is a command under another.
function __serin_is_command
    switch "$argv[1] $argv[2]"
        case ${commandCases(commands, '')
          .flatMap(({ patterns }) => patterns.map(quoted))
          .join(' ')}
            return 0
    end
    return 1
end

# Whether an option of a command is followed by a value.
function __serin_takes_value
    switch "$argv[1] $argv[2]"
        case ${optionCases(commands)
          .flatMap(({ patterns }) => patterns.map(quoted))
          .join(' ')}
            return 0
    end
    return 1
end

# Whether the line is at a command, with so many arguments after it; any number where none is said.
function __serin_at
    set -l words (commandline -opc)
    set -l at ''
    set -l count 0
    set -l is_value 0
    for word in $words[2..-1]
        if test $is_value = 1
            set is_value 0
        else if string match -q -- '-*' $word
            if __serin_takes_value "$at" $word
                set is_value 1
            end
        else if test $count = 0; and __serin_is_command "$at" $word
            set at (string trim -- "$at $word")
        else
            set count (math $count + 1)
        end
    end
    test "$at" = "$argv[1]"; and begin
        test (count $argv) = 1; or test $count = $argv[2]
    end
end

function __serin_names
    set -l words (commandline -opc)
    command $words[1] __names $argv[1] $words[2..-1] 2>/dev/null
end

complete -c serin -e
complete -c serin -f
${[...lines, ...places].map((line) => `${line}\n`).join('')}`;
}

function at(path: string, position?: number): string {
  // Inside single quotes of its own, which a condition is evaluated without.
  return quoted(`__serin_at ${JSON.stringify(path)}${position === undefined ? '' : ` ${position}`}`);
}

function optionLine(path: string, { flags, description, value }: CompletedOption): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ');
  const takes = value === undefined ? '' : ` ${offers(value) || '-x'}`;
  return `complete -c serin -n ${at(path)} ${names}${takes}${takes.includes('-a') ? ' -x' : ''} -d ${quoted(description)}`;
}

/** Empty where nothing is known of a value. */
function offers(value: Value): string {
  if (value.kind === 'words') return `-a ${quoted(value.words.join(' '))}`;
  if (value.kind === 'names') return `-a ${quoted(`(__serin_names ${value.of})`)}`;
  if (value.kind === 'files') return '-r -F';
  return value.kind === 'directories' ? `-a ${quoted('(__fish_complete_directories)')}` : '';
}
