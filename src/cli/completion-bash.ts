/** Completion for bash 3.2 and newer, as a script. Commands and options stand in it; only names of things are asked for while somebody types. */
import type { CompletedCommand } from './completion-model.ts';
import { cases, lookups, quoted, type ShellCase } from './completion-table.ts';

export function bashCompletion(commands: readonly CompletedCommand[]): string {
  const words = commands.map(({ path, verbs, options }): ShellCase => ({
    patterns: [path],
    action: `verbs=${quoted(verbs.map(({ name }) => name).join(' '))} flags=${quoted(options.flatMap(({ flags }) => flags).join(' '))}`,
  }));
  return `# Completion of serin for bash: source <(serin completion bash)

# Sets verbs and flags: what the command can be followed by.
__serin_words() {
  verbs='' flags=''
  case $1 in
${cases(words)}  esac
}

${lookups(commands)}
_serin() {
  local cur=\${COMP_WORDS[COMP_CWORD]} at='' word='' value='' verbs='' flags='' pending='' count=0 i names
  COMPREPLY=()
  # bash splits --option=value at the sign.
  [[ $cur == = ]] && cur=''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == = ]]; then continue; fi
    if [[ -n $pending ]]; then pending=''; continue; fi
    if [[ $word == -* ]]; then
      __serin_option "$at" "$word"
      pending=$value
    elif ((count == 0)) && __serin_is_command "$at" "$word"; then
      at=\${at:+$at }$word
    else
      count=$((count + 1))
    fi
  done
  __serin_words "$at"
  if [[ -n $pending ]]; then
    value=$pending
  elif [[ $cur == -* ]]; then
    value="=$flags"
  elif [[ -n $verbs ]] && ((count == 0)); then
    value="=$verbs"
  else
    __serin_argument "$at" "$count"
  fi
  case $value in
    =*) COMPREPLY=($(compgen -W "\${value#=}" -- "$cur")) ;;
    %*)
      names=$("\${COMP_WORDS[0]/#\\~/$HOME}" __names "\${value#%}" "\${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
      COMPREPLY=($(compgen -W "$names" -- "$cur"))
      ;;
    @files) compopt -o filenames 2>/dev/null; COMPREPLY=($(IFS=$'\\n'; compgen -f -- "$cur")) ;;
    @directories) compopt -o filenames 2>/dev/null; COMPREPLY=($(IFS=$'\\n'; compgen -d -- "$cur")) ;;
  esac
}

complete -F _serin serin
`;
}
