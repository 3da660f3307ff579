/** What `bin/serin.cjs` loads: runs one command with this process's arguments and streams, and ends with its exit code. */
import { endWithLauncher } from './launcher.ts';
import { processIo } from './io.ts';
import { run } from './program.ts';

endWithLauncher();
// `exitCode` and not `exit()`: what is still on its way to stdout gets there.
async function main(): Promise<void> {
  process.exitCode = await run(process.argv.slice(2), processIo());
}

void main();
