/**
 * Ends the processes when Serin itself is killed: a shell that reads from a pipe which groups there are, and acts when the pipe closes, which it does
 * with Serin however that ends. A convenience: where there is no /bin/sh, the next start of Serin does the same (process-record.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';

const SCRIPT = `
groups=''
while read -r verb group; do
  case $verb in
    add) groups="$groups $group" ;;
    del) rest=''
      for each in $groups; do [ "$each" = "$group" ] || rest="$rest $each"; done
      groups=$rest ;;
  esac
done
[ -z "$groups" ] && exit 0
for each in $groups; do kill -s TERM -- "-$each"; done
sleep 1
for each in $groups; do kill -s KILL -- "-$each"; done
`;

export class Watchdog {
  #child: ChildProcess | undefined;

  add(group: number): void {
    this.#child ??= this.#start();
    this.#child.stdin?.write(`add ${group}\n`);
  }

  remove(group: number): void {
    this.#child?.stdin?.write(`del ${group}\n`);
  }

  /** It ends by itself, and leaves alone what was removed. */
  close(): void {
    this.#child?.stdin?.end();
  }

  #start(): ChildProcess {
    // A group of its own: what is sent to Serin's (Ctrl-C in a terminal) is not meant for it.
    const child = spawn('/bin/sh', ['-c', SCRIPT], {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: '/usr/bin:/bin' },
      cwd: '/',
      detached: true,
    });
    child.on('error', () => undefined);
    child.stdin.on('error', () => undefined);
    child.unref();
    return child;
  }
}
