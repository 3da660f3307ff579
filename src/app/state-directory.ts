/**
 * What lies in the state directory, and how a client and a daemon agree on where it is.
 *
 *     state.db          what must survive a restart (state.ts); -wal and -shm beside it are SQLite's
 *     state.backup.db   copy of the last good state, read when state.db is damaged
 *     lock.db           held by the one daemon of this directory (state-lock.ts)
 *     daemon.json       pid and admin address of that daemon, for clients and for "locked by pid N"
 *     token             bearer token of the admin API (token.ts)
 *     preview-key       what preview links are signed with (rollouts/previews.ts)
 *     processes.json    pids of the processes Serin runs (workload/process-record.ts)
 *     logs/, pipes/     what those print, and where their output is picked up
 *
 * Everything is 0600; the directory is created 0700. An existing directory's mode is the user's business and only warned about.
 */
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';

/** The state directory cannot be used; the message names the path and what to do. */
export class StateError extends Error {
  readonly code: 'E_STATE_LOCKED' | 'E_STATE_DIRECTORY' | 'E_STATE_FILE';

  constructor(code: StateError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StateError';
    this.code = code;
  }
}

/**
 * `--state`, else `$SERIN_STATE`, else `$XDG_STATE_HOME/serin`, else `~/.local/state/serin`. A relative `$XDG_STATE_HOME` is ignored, as the
 * XDG Base Directory Specification asks; without `$HOME` the home directory is the user database's.
 */
export function stateDirectory(option: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  if (option !== undefined) return resolve(option);
  const own = env['SERIN_STATE'];
  if (own !== undefined && own !== '') return resolve(own);
  const xdg = env['XDG_STATE_HOME'];
  if (xdg !== undefined && isAbsolute(xdg)) return join(xdg, 'serin');
  return join(homedir(), '.local', 'state', 'serin');
}

/**
 * Creates a directory and those it lies in; false when it is there already. Not `mkdirSync`'s own `recursive`, which never returns where a directory
 * that is there takes no new ones (`/proc`).
 */
function makeDirectory(directory: string): boolean {
  if (existsSync(directory)) return false;
  makeDirectory(dirname(directory));
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    // Another process was quicker.
    if (existsSync(directory)) return false;
    throw error;
  }
  return true;
}

/** Creates the directory if need be. @returns A warning for the user, if its mode lets other users in. @throws StateError */
export function prepareDirectory(directory: string): string | undefined {
  try {
    if (makeDirectory(directory)) chmodSync(directory, 0o700);
    const status = statSync(directory);
    if (!status.isDirectory()) throw Object.assign(new Error('it is not a directory'), { code: 'ENOTDIR' });
    const probe = join(directory, `.probe-${process.pid}.tmp`);
    writeFileSync(probe, '', { mode: 0o600 });
    rmSync(probe);
    const mode = status.mode & 0o777;
    if (process.platform === 'win32' || (mode & 0o077) === 0) return undefined;
    return `state directory ${directory} is open to other users (mode 0${mode.toString(8)}); run: chmod 700 '${directory}'`;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StateError(
      'E_STATE_DIRECTORY',
      `cannot use state directory ${directory}: ${reason}; give another with --state DIR or $SERIN_STATE`,
      {
        cause: error,
      },
    );
  }
}

/** A link, a pipe or a directory where a file of ours belongs is refused before anything is opened (a pipe would hang). @throws StateError */
export function requirePlainFile(file: string): void {
  const status = lstatSync(file, { throwIfNoEntry: false });
  if (status === undefined || status.isFile()) return;
  throw new StateError('E_STATE_FILE', `${file} is not a plain file; move it away, or give another state directory with --state DIR`);
}

const DaemonInfo = z.object({
  pid: z.number().int().positive(),
  version: z.string(),
  /** Absent until the admin API is bound. */
  admin: z
    .object({
      host: z.string(),
      port: z.number().int().min(1).max(65535),
      /** PEM; then it speaks TLS. */
      certificate: z.string().optional(),
    })
    .optional(),
});
export type DaemonInfo = z.infer<typeof DaemonInfo>;

const daemonFile = (directory: string): string => join(directory, 'daemon.json');

/**
 * Replaces the file as a whole, so that a reader never sees half of one.
 *
 * @returns A warning for the user where it cannot be written (disk full): traffic needs no file.
 */
export function writeDaemonInfo(directory: string, info: DaemonInfo): string | undefined {
  const file = daemonFile(directory);
  const temporary = `${file}.${info.pid}.tmp`;
  try {
    writeFileSync(temporary, `${JSON.stringify(info)}\n`, { mode: 0o600 });
    renameSync(temporary, file);
    return undefined;
  } catch (error) {
    rmSync(temporary, { force: true });
    const reason = error instanceof Error ? error.message : String(error);
    return `cannot write ${file}: ${reason}; until Serin is started with space there, commands find it by --admin ADDR:PORT only`;
  }
}

/** Undefined when there is none or it is not readable as one: then nothing is known about a daemon. */
export function readDaemonInfo(directory: string): DaemonInfo | undefined {
  try {
    return DaemonInfo.parse(JSON.parse(readFileSync(daemonFile(directory), 'utf8')));
  } catch {
    return undefined;
  }
}

export function removeDaemonInfo(directory: string): void {
  rmSync(daemonFile(directory), { force: true });
}
