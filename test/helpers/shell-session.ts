/**
 * One shell that runs one piece of a document after another, as a reader's would: variables, functions and background jobs stay from piece to
 * piece.
 *
 * Job control is on, so `kill %1` ends a job with everything it started. Pieces come on a descriptor of their own: nothing they run can read
 * them. `close()` ends what is still running.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';

/** Ends the output of a piece; followed by its exit status. Not a character that programs print. */
const MARK = '\u001E';

const LOOP = `
set -m
end_jobs() { for job in $(jobs -p); do kill -TERM -- "-$job" 2>/dev/null; done; wait; }
trap end_jobs EXIT
exec 2>&1
while IFS= read -r -d '' -u 3 piece; do
  eval "$piece" </dev/null 3<&-
  printf '${MARK}%d\\n' "$?"
done
`;

export interface Ran {
  /** stdout and stderr as they came, those of background jobs among them. */
  readonly output: string;
  readonly status: number;
}

export class ShellSession {
  readonly #shell: ChildProcess;
  readonly #pieces: Writable;
  readonly #closed: Promise<void>;
  #unread = '';
  #wake = Promise.withResolvers<void>();
  #isClosed = false;

  constructor(options: { readonly cwd: string; readonly env: Readonly<Record<string, string | undefined>> }) {
    this.#shell = spawn('bash', ['--noprofile', '--norc', '-c', LOOP], { ...options, stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
    const pieces = this.#shell.stdio[3];
    if (pieces === null || pieces === undefined || !('write' in pieces))
      throw new Error('the shell was started without a descriptor for its pieces');
    this.#pieces = pieces;
    this.#shell.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.#closed = new Promise((resolve) => {
      this.#shell.once('close', () => {
        this.#isClosed = true;
        this.#read('');
        resolve();
      });
    });
  }

  /** One at a time. */
  async run(piece: string): Promise<Ran> {
    this.#pieces.write(`${piece}\0`);
    for (;;) {
      const found = new RegExp(`^([\\s\\S]*?)${MARK}(\\d+)\\n`).exec(this.#unread);
      if (found !== null) {
        this.#unread = this.#unread.slice(found[0].length);
        return { output: found[1] ?? '', status: Number(found[2]) };
      }
      if (this.#isClosed) throw new Error(`the shell ended while it ran:\n${piece}\nIts output:\n${this.#unread}`);
      await this.#wake.promise;
    }
  }

  /** What a piece prints. @throws Error with it, where the piece does not end with status 0 */
  async outputOf(piece: string): Promise<string> {
    const { output, status } = await this.run(piece);
    if (status !== 0) throw new Error(`ended with status ${status}:\n${piece}\nIts output:\n${output}`);
    return output;
  }

  async close(): Promise<void> {
    this.#pieces.end();
    await this.#closed;
  }

  #read(text: string): void {
    this.#unread += text;
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}
