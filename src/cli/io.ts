/**
 * The world a command sees, handed in so that tests run commands in-process: streams, environment, standard input. Results go to `out`,
 * messages to `err`; a reader that went away (`| head -1`) ends the program in silence.
 */
import { styleText } from 'node:util';
import { EXIT } from './exit.ts';

type Style = Parameters<typeof styleText>[0];

export interface Io {
  /** Results; the text is complete lines. */
  out(text: string): void;
  /** Messages. */
  err(text: string): void;
  /** Coloured where stdout is a terminal that wants it (`NO_COLOR`, `FORCE_COLOR`, `TERM`). */
  paint(style: Style, text: string): string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** All of standard input. */
  readInput(): Promise<Uint8Array>;
}

export function processIo(): Io {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(EXIT.ok);
      if (stream === process.stdout) process.stderr.write(`serin: cannot write to standard output: ${error.message}\n`);
      process.exit(EXIT.other);
    });
  }
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    paint: (style, text) => styleText(style, text, { stream: process.stdout }),
    env: process.env,
    readInput: async () => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
      return Buffer.concat(chunks);
    },
  };
}
