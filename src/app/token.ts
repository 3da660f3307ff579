/**
 * The admin API's bearer token: 256 random bits, made at the first start and kept in the state directory, readable by the owner only. Who
 * can read that file may change routing. It is printed nowhere.
 */
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { requirePlainFile } from './state-directory.ts';

const TOKEN_BYTES = 32;
const TOKEN_TEXT = /^[A-Za-z0-9_-]{43}$/;

const tokenFile = (directory: string): string => join(directory, 'token');

/** For clients. Undefined when there is none, or none that looks like one. @throws what reading throws other than ENOENT (EACCES, say). */
export function readToken(directory: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(tokenFile(directory), 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  return TOKEN_TEXT.test(text) ? text : undefined;
}

/** For the daemon: reads the token or makes one. `notice` is told what the user should know. @throws StateError, and fs errors */
export function ensureToken(directory: string, notice: (message: string) => void): string {
  const file = tokenFile(directory);
  requirePlainFile(file);
  const existing = readToken(directory);
  if (existing !== undefined) {
    const mode = statSync(file).mode & 0o777;
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      chmodSync(file, 0o600);
      notice(
        `the token file ${file} was readable by other users (mode 0${mode.toString(8)}); now 0600, delete it and restart for a new token`,
      );
    }
    return existing;
  }
  // `wx` after removing never follows a link somebody laid there.
  rmSync(file, { force: true });
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  writeFileSync(file, `${token}\n`, { flag: 'wx', mode: 0o600 });
  return token;
}
