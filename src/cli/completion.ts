/** `serin completion bash|zsh|fish`: a script for the shell that completes commands, options, their values, and names of what is in force. */
import { Argument, type Command } from 'commander';
import type { AddCommand } from './command.ts';
import { bashCompletion } from './completion-bash.ts';
import { fishCompletion } from './completion-fish.ts';
import { type CompletedCommand, completedCommands } from './completion-model.ts';
import { zshCompletion } from './completion-zsh.ts';

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const satisfies Record<
  string,
  (commands: readonly CompletedCommand[]) => string
>;
const SHELLS = ['bash', 'zsh', 'fish'] as const;

export const completionCommand: AddCommand = (program, io): Command =>
  program
    .command('completion')
    .description('print a script that completes what is typed, for a shell')
    .addArgument(new Argument('<SHELL>').choices(SHELLS))
    .addHelpText(
      'after',
      '\nfor the present shell:\n  bash  source <(serin completion bash)\n  zsh   source <(serin completion zsh)\n  fish  serin completion fish | source',
    )
    .action((shell: (typeof SHELLS)[number]) => io.out(SCRIPTS[shell](completedCommands(program))));
