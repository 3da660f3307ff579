/** What `bin/serin.cjs` loads: runs one command with this process's arguments and streams, and ends with its exit code. */
import { NAMES_COMMAND, printNames } from './completion-names.ts';
import { endWithLauncher } from './launcher.ts';
import { processIo } from './io.ts';

endWithLauncher();
// `exitCode` and not `exit()`: what is still on its way to stdout gets there.
async function main(): Promise<void> {
  const [command, ...args] = process.argv.slice(2);
  // Somebody waits with a finger on the Tab key: most of the program is not even loaded.
  if (command === NAMES_COMMAND) return printNames(args, processIo());
  const { run } = await import('./program.ts');
  process.exitCode = await run(process.argv.slice(2), processIo());
}

void main();
