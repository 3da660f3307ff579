/**
 * One daemon per state directory.
 *
 * The lock is the operating system's own, taken through SQLite on `lock.db` and held by an open transaction, so it ends with the process
 * however that ends (kill -9, power loss): there is no stale lock to recognise and a reused pid cannot fool it. `daemon.json` only serves to
 * name the holder. Two servers in one process exclude each other as well (SQLite keeps its own table of locked files).
 */
import { chmodSync, closeSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { readDaemonInfo, requirePlainFile, StateError } from './state-directory.ts';
import { SQLITE, sqliteCode } from './sqlite-code.ts';

export interface StateLock {
  release(): void;
}

/** @throws StateError `E_STATE_LOCKED`, naming the pid that holds it. */
export function lockState(directory: string): StateLock {
  const file = join(directory, 'lock.db');
  requirePlainFile(file);
  try {
    return take(file);
  } catch (error) {
    if (sqliteCode(error) === SQLITE.notADatabase) {
      // Somebody wrote into it. It carries no data, so a fresh one is as good.
      rmSync(file, { force: true });
      return take(file);
    }
    if (sqliteCode(error) !== SQLITE.busy)
      throw new StateError('E_STATE_DIRECTORY', `cannot lock ${file}: ${String(error)}`, { cause: error });
    const holder = readDaemonInfo(directory);
    const who = holder === undefined ? 'another process' : `pid ${holder.pid}`;
    throw new StateError(
      'E_STATE_LOCKED',
      `state directory ${directory} is locked by ${who}; stop it, or give this one its own with --state DIR`,
      {
        cause: error,
      },
    );
  }
}

function take(file: string): StateLock {
  closeSync(openSync(file, 'a', 0o600));
  chmodSync(file, 0o600);
  const database = new DatabaseSync(file);
  try {
    // Nothing is ever written, so no journal on the disk either: it would need space, and a full disk must not keep traffic from being served.
    database.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    release: () => {
      if (database.isOpen) database.close();
    },
  };
}
