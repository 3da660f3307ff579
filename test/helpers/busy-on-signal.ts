/** For `node --import`: SIGUSR2 keeps the main thread busy, as a configuration of ten thousand resources would, until the file `BUSY_UNTIL` is there. */
import { existsSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  process.on('SIGUSR2', () => {
    process.stdout.write('busy\n');
    while (!existsSync(process.env['BUSY_UNTIL'] ?? ''));
  });
}
