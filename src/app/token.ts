/** The admin API's first bearer token, in the state directory. Who can read that file may do everything; other tokens: tokens.ts. */
import { join } from 'node:path';
import { ensureSecret, readSecret } from './secret-file.ts';

const tokenFile = (directory: string): string => join(directory, 'token');

/** For clients. Undefined when there is none, or none that looks like one. @throws what reading throws other than ENOENT (EACCES, say). */
export function readToken(directory: string): string | undefined {
  return readSecret(tokenFile(directory));
}

/** For the daemon: reads the token or makes one. `notice` is told what the user should know. @throws StateError, and fs errors */
export function ensureToken(directory: string, notice: (message: string) => void): string {
  return ensureSecret(tokenFile(directory), 'token', notice);
}
