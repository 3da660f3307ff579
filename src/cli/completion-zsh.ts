/** Completion for zsh, as a script: to be sourced after `compinit`, or put on the fpath as `_serin`. */
import type { CompletedCommand } from './completion-model.ts';
import { cases, lookups, quoted, type ShellCase } from './completion-table.ts';

export function zshCompletion(commands: readonly CompletedCommand[]): string {
  const words = commands.map(({ path, verbs, options }): ShellCase => {
    const flags = options.flatMap((option) => option.flags.map((flag) => described(flag, option.description)));
    return {
      patterns: [path],
      action: `verbs=(${verbs.map(({ name, description }) => described(name, description)).join(' ')}) flags=(${flags.join(' ')})`,
    };
  });
  return `#compdef serin
# Completion of serin for zsh: source <(serin completion zsh), after compinit

# Sets verbs and flags: what the command can be followed by, with descriptions.
__serin_words() {
  verbs=() flags=()
  case $1 in
${cases(words)}  esac
}

${lookups(commands)}
_serin() {
  local at='' word='' value='' pending='' count=0 i
  local -a verbs flags offered
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    if [[ -n $pending ]]; then pending=''; continue; fi
    if [[ $word == -* ]]; then
      __serin_option "$at" "$word"
      pending=$value
    elif ((count == 0)) && __serin_is_command "$at" "$word"; then
      at="\${at:+$at }$word"
    else
      ((count++))
    fi
  done
  __serin_words "$at"
  if [[ -n $pending ]]; then
    value=$pending
  elif [[ $words[CURRENT] == --*'='* ]]; then
    __serin_option "$at" "\${words[CURRENT]%%=*}"
    compset -P '*\\='
  elif [[ $words[CURRENT] == -* ]]; then
    _describe -o option flags
    return
  elif ((count == 0 && \${#verbs})); then
    _describe command verbs
    return
  else
    __serin_argument "$at" "$count"
  fi
  case $value in
    '='*) offered=(\${=value#=}); compadd -a offered ;;
    %*) offered=(\${(f)"$(\${(Q)~words[1]} __names "\${value#%}" "\${(@)words[2,CURRENT-1]}" 2>/dev/null)"}); compadd -a offered ;;
    @files) _files ;;
    @directories) _files -/ ;;
  esac
}

if [[ $funcstack[1] == _serin ]]; then _serin "$@"; else compdef _serin serin; fi
`;
}

/** As _describe takes it. */
function described(word: string, description: string): string {
  return quoted(`${word.replaceAll(':', '\\:')}:${description}`);
}
