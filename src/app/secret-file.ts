/** Secrets of 256 random bits in files of the state directory: made at the first start, readable by the owner only, printed nowhere. */
import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { requirePlainFile, StateError } from './state-directory.ts';

const SECRET_BYTES = 32;
const SECRET_TEXT = /^[A-Za-z0-9_-]{43}$/;

/** base64url. Undefined when there is none, or none that looks like one. @throws what reading throws other than ENOENT (EACCES, say). */
export function readSecret(file: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  return SECRET_TEXT.test(text) ? text : undefined;
}

/** Reads the secret or makes one. `notice` is told what the user should know. @param what `token` @throws StateError, and what reading throws */
export function ensureSecret(file: string, what: string, notice: (message: string) => void): string {
  requirePlainFile(file);
  const existing = readSecret(file);
  if (existing !== undefined) {
    const mode = statSync(file).mode & 0o777;
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      chmodSync(file, 0o600);
      notice(
        `the ${what} file ${file} was readable by other users (mode 0${mode.toString(8)}); now 0600, delete it and restart for a new ${what}`,
      );
    }
    return existing;
  }
  // `wx` after removing never follows a link somebody laid there.
  rmSync(file, { force: true });
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  try {
    writeFileSync(file, `${secret}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    // Half of one would be taken for one that somebody has changed.
    rmSync(file, { force: true });
    const reason = error instanceof Error ? error.message : String(error);
    throw new StateError(
      'E_STATE_FILE',
      `cannot write the ${what} file ${file}: ${reason}; make space there, or give another directory with --state DIR`,
      {
        cause: error,
      },
    );
  }
  return secret;
}
