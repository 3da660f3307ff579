/**
 * The world a command sees, handed in so that tests run commands in-process: streams, environment, standard input. Results go to `out`,
 * messages to `err`; a reader of results that went away (`| head -1`) ends the program in silence.
 */
import { styleText } from 'node:util';
import { EXIT } from './exit.ts';

export type Style = Parameters<typeof styleText>[0];

export interface Io {
  /** Results; the text is complete lines. */
  out(text: string): void;
  /** Messages. */
  err(text: string): void;
  /** Coloured where stdout is a terminal that wants it (`NO_COLOR`, `FORCE_COLOR`, `TERM`). */
  paint(style: Style, text: string): string;
  /** From now on output that cannot be written does not end the program: it carries traffic. */
  outliveOutput(): void;
  /** Whether `out` goes to a terminal, where text can be drawn over. */
  readonly isTerminal?: boolean;
  /** Of that terminal, in characters; it may change. */
  size?(): { readonly columns: number; readonly rows: number };
  /** Whether `err` goes to a terminal. */
  readonly areMessagesSeen?: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** All of standard input. */
  readInput(): Promise<Uint8Array>;
}

export function processIo(): Io {
  let endsWithOutput = true;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!endsWithOutput) return;
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    process.stderr.write(`serin: cannot write to standard output: ${error.message}\n`);
    process.exit(EXIT.other);
  });
  // Messages that nobody can read are lost; the work goes on.
  process.stderr.on('error', () => undefined);
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    paint: (style, text) => styleText(style, text, { stream: process.stdout }),
    outliveOutput: () => {
      endsWithOutput = false;
    },
    isTerminal: process.stdout.isTTY,
    size: () => ({ columns: process.stdout.columns, rows: process.stdout.rows }),
    areMessagesSeen: process.stderr.isTTY,
    env: process.env,
    readInput: async () => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
      return Buffer.concat(chunks);
    },
  };
}
