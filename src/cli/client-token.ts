/** Which token a command shows: that of `--token-file`, else `$SERIN_TOKEN`, else the one in the state directory. */
import { readFileSync, statSync } from 'node:fs';
import { readToken } from '../app/token.ts';
import { CliError, EXIT } from './exit.ts';
import type { Io } from './io.ts';

export interface ClientToken {
  /** Undefined: there is none. */
  readonly token: string | undefined;
  /** For messages: `$SERIN_TOKEN`, `the token in DIRECTORY`. */
  readonly source: string;
}

/** @throws CliError when a file cannot be read, or holds no token */
export function clientToken(file: string | undefined, directory: string, io: Io): ClientToken {
  if (file !== undefined) return { token: fromFile(file, io), source: `the token in ${file}` };
  const own = io.env['SERIN_TOKEN'];
  if (own !== undefined && own !== '') return { token: checked(own, '$SERIN_TOKEN'), source: '$SERIN_TOKEN' };
  const source = `the token in ${directory}`;
  return { token: read(source, () => readToken(directory)), source };
}

function fromFile(file: string, io: Io): string {
  const text = read(`the token in ${file}`, () => readFileSync(file, 'utf8'));
  const mode = statSync(file).mode & 0o777;
  if (process.platform !== 'win32' && (mode & 0o077) !== 0)
    io.err(`serin: warning: token file ${file} is open to other users (mode 0${mode.toString(8)}); run: chmod 600 '${file}'\n`);
  return checked(text.trim(), file);
}

/** What cannot stand in a header is no token; it is not repeated. */
function checked(token: string, source: string): string {
  if (/^[\x21-\x7e]{1,512}$/.test(token)) return token;
  throw new CliError(EXIT.usage, `${source} holds no token: expected one word, as serin token create prints it`);
}

function read<T>(what: string, from: () => T): T {
  try {
    return from();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(EXIT.other, `cannot read ${what}: ${why}`, undefined, { cause: error });
  }
}
