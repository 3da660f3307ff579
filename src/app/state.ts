/**
 * What must survive a restart: named documents (the overlay is one) and who changed them.
 *
 * SQLite in WAL mode with synchronous=FULL: `put` returns after the change is on the disk (fsync), and after `kill -9` or power loss the
 * file holds either the old or the new document, never a mixture. On top of that
 *
 * 1. every document carries the SHA-256 of its name and text, so that a flipped bit is noticed (SQLite itself has no checksums in the main file);
 * 2. after every change the whole database is copied to `state.backup.db` (a new file renamed over the old one);
 * 3. a damaged database is moved aside, never deleted; the backup takes its place, else an empty state, and `notices` say which and why;
 * 4. a database written by a newer Serin is not touched: the state is empty and read-only, and `readOnly` says so.
 */
import { closeSync, copyFileSync, existsSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { AuditEntry } from '../admin/audit-types.ts';
import type { Clock } from '../base/clock.ts';
import { addChanges, AUDIT_SCHEMA, AUDIT_UPGRADE, type Change, listChanges, sha256 } from './audit-table.ts';
import { requirePlainFile, StateError } from './state-directory.ts';
import { failedToWrite, SQLITE, sqliteCode } from './sqlite-code.ts';

/** `PRAGMA application_id`: "srin". Tells our files from other people's databases. */
const APPLICATION_ID = 0x7372696e;
const SCHEMA_VERSION = 2;
/** A state of Serin is kilobytes; a larger file is not ours or has gone wrong, and checking it would hold up the start. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

const SCHEMA = `
  CREATE TABLE document (name TEXT PRIMARY KEY, body TEXT NOT NULL, sha256 TEXT NOT NULL, written_at TEXT NOT NULL) STRICT, WITHOUT ROWID;
  ${AUDIT_SCHEMA}
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

export interface StateNotice {
  readonly code: 'W_STATE_RECOVERED' | 'W_STATE_LOST' | 'W_STATE_READ_ONLY' | 'W_STATE_LEFTOVER' | 'W_STATE_BACKUP';
  readonly message: string;
}

/** A change could not be made durable; nothing was changed. */
export class StateWriteError extends Error {
  readonly code: 'E_STATE_FULL' | 'E_STATE_READ_ONLY' | 'E_STATE_IO';

  constructor(code: StateWriteError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StateWriteError';
    this.code = code;
  }
}

export interface State {
  /** What the user must be told about how the state was found. */
  readonly notices: readonly StateNotice[];
  /** Why nothing can be written; undefined when it can. */
  readonly readOnly: string | undefined;
  get(name: string): string | undefined;
  /** Returns when the document is durable. @throws StateWriteError; then the old document is still in force. */
  put(name: string, body: string, change: Change): void;
  /** Several documents, all or none. An empty `changes` is for what a clock changes: such documents are neither audited nor copied to the backup. */
  putAll(documents: ReadonlyMap<string, string>, changes: readonly Change[]): void;
  /** Names of the documents that begin with `prefix`. */
  names(prefix: string): readonly string[];
  close(): void;
}

export interface AuditLog {
  /** What changed no document: somebody came, or was refused. Durable when it returns. @throws StateWriteError */
  record(change: Change): void;
  /** What is in the table, newest first. @param before Only entries with a smaller number. */
  audit(limit: number, before?: number): readonly AuditEntry[];
  /** `listener` is told of every entry once it is durable. */
  onAudit(listener: (entry: AuditEntry) => void): void;
}

/** Opens or creates the state in a directory that is locked by the caller (state-lock.ts). @throws StateError */
export function openState(directory: string, clock: Clock, onNotice: (notice: StateNotice) => void = () => undefined): State & AuditLog {
  const notices: StateNotice[] = [];
  const notice = (code: StateNotice['code'], message: string): void => {
    notices.push({ code, message });
    onNotice({ code, message });
  };
  const file = join(directory, 'state.db');
  const backup = join(directory, 'state.backup.db');
  requirePlainFile(file);
  requirePlainFile(backup);
  removeLeftovers(directory, notice);

  // A copy without its file is no new state: somebody has deleted the file, or it was lost.
  const isGone = !existsSync(file) && existsSync(backup);
  let opened: Opened = isGone ? { damage: 'it is gone' } : openDatabase(file);
  if ('damage' in opened) {
    const aside = moveAside(file, clock);
    const found = isGone ? `is gone (to begin without it, delete ${backup} as well)` : `was damaged (${opened.damage}); moved to ${aside}`;
    const restored = existsSync(backup) ? restore(backup, file) : undefined;
    if (restored !== undefined && 'database' in restored) {
      notice('W_STATE_RECOVERED', `state file ${file} ${found}; the last good copy is in force`);
      opened = restored;
    } else {
      rmSync(file, { force: true });
      notice(
        'W_STATE_LOST',
        `state file ${file} ${found}; there is no good copy, and Serin starts without releases, shifts by hand, applied resources and tokens`,
      );
      opened = openDatabase(file);
      if ('damage' in opened) throw new StateError('E_STATE_FILE', `cannot create ${file}: ${opened.damage}`);
    }
  }
  if ('newer' in opened) {
    const message = `state file ${file} was written by a newer Serin (schema ${opened.newer}, this one knows ${SCHEMA_VERSION}); it is left untouched and nothing is read from it or written to it`;
    notice('W_STATE_READ_ONLY', message);
    return {
      notices,
      readOnly: message,
      get: () => undefined,
      put: () => raise(new StateWriteError('E_STATE_READ_ONLY', message)),
      putAll: () => raise(new StateWriteError('E_STATE_READ_ONLY', message)),
      record: () => raise(new StateWriteError('E_STATE_READ_ONLY', message)),
      audit: () => [],
      onAudit: () => undefined,
      names: () => [],
      close: () => undefined,
    };
  }
  upgrade(opened.database, file);
  return new DatabaseState(opened.database, file, backup, clock, notices, notice);
}

function raise(error: Error): never {
  throw error;
}

class DatabaseState implements State, AuditLog {
  readonly notices: readonly StateNotice[];
  readonly readOnly = undefined;
  readonly #database: DatabaseSync;
  readonly #file: string;
  readonly #backup: string;
  readonly #clock: Clock;
  readonly #notice: (code: StateNotice['code'], message: string) => void;
  readonly #documents: Map<string, string>;
  readonly #listeners: ((entry: AuditEntry) => void)[] = [];

  constructor(
    database: DatabaseSync,
    file: string,
    backup: string,
    clock: Clock,
    notices: readonly StateNotice[],
    notice: (code: StateNotice['code'], message: string) => void,
  ) {
    this.#database = database;
    this.#file = file;
    this.#backup = backup;
    this.#clock = clock;
    this.notices = notices;
    this.#notice = notice;
    this.#documents = documentsOf(database, SCHEMA_VERSION);
  }

  get(name: string): string | undefined {
    return this.#documents.get(name);
  }

  put(name: string, body: string, change: Change): void {
    this.putAll(new Map([[name, body]]), [change]);
  }

  names(prefix: string): readonly string[] {
    return [...this.#documents.keys()].filter((name) => name.startsWith(prefix));
  }

  putAll(documents: ReadonlyMap<string, string>, changes: readonly Change[]): void {
    if (documents.size === 0) return;
    const before = [...documents.keys()].map((name) => this.#documents.get(name) ?? '').join('');
    const after = [...documents.values()].join('');
    const added = this.#transaction((database, at) => {
      const write = database.prepare(
        'INSERT INTO document (name, body, sha256, written_at) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body, sha256 = excluded.sha256, written_at = excluded.written_at',
      );
      for (const [name, body] of documents) write.run(name, body, checksum(name, body), at);
      return addChanges(database, at, changes, { before, after });
    });
    for (const [name, body] of documents) this.#documents.set(name, body);
    if (changes.length > 0) this.#copy();
    this.#tell(added);
  }

  record(change: Change): void {
    this.#tell(this.#transaction((database, at) => addChanges(database, at, [change], { before: '', after: '' })));
  }

  audit(limit: number, before?: number): readonly AuditEntry[] {
    return listChanges(this.#database, limit, before);
  }

  onAudit(listener: (entry: AuditEntry) => void): void {
    this.#listeners.push(listener);
  }

  #tell(entries: readonly AuditEntry[]): void {
    for (const entry of entries) for (const listener of this.#listeners) listener(entry);
  }

  /** All of it or nothing; durable when it returns. @throws StateWriteError */
  #transaction<T>(work: (database: DatabaseSync, at: string) => T): T {
    const at = new Date(this.#clock.nowMs()).toISOString();
    const database = this.#database;
    try {
      database.exec('BEGIN IMMEDIATE');
      const result = work(database, at);
      database.exec('COMMIT');
      return result;
    } catch (error) {
      // A failed COMMIT (disk full, I/O error) leaves the transaction open; a failed fsync is never tried again as if it had worked.
      if (database.isTransaction) database.exec('ROLLBACK');
      throw writeError(error, this.#file);
    }
  }

  /** The change is durable already; a copy that cannot be made is said, not failed on. */
  #copy(): void {
    const temporary = `${this.#backup}.tmp`;
    try {
      rmSync(temporary, { force: true });
      closeSync(openSync(temporary, 'wx', 0o600));
      this.#database.prepare('VACUUM INTO ?').run(temporary);
      syncFile(temporary);
      renameSync(temporary, this.#backup);
    } catch (error) {
      rmSync(temporary, { force: true });
      this.#notice('W_STATE_BACKUP', `cannot copy the state to ${this.#backup}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

type Opened = { readonly database: DatabaseSync } | { readonly damage: string } | { readonly newer: number };

/**
 * Opens and checks; creates what is not there. Damage is an answer, not an error.
 *
 * @param isAlone The index of the WAL is kept in memory, where no other process sees it: a full disk has no space for the file it otherwise is.
 * @throws StateError when the file cannot be opened at all.
 */
function openDatabase(file: string, isAlone = false): Opened {
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  // SQLite takes an empty file for a new database; ours is never empty, so this one lost its content.
  if (size === 0) return { damage: 'it is empty' };
  if (size !== undefined && size > MAX_FILE_BYTES) return { damage: `it is ${size} bytes, more than ${MAX_FILE_BYTES}` };
  let database: DatabaseSync | undefined;
  try {
    if (size === undefined) closeSync(openSync(file, 'wx', 0o600));
    database = new DatabaseSync(file);
    database.exec('PRAGMA trusted_schema = OFF; PRAGMA busy_timeout = 2000');
    if (isAlone) database.exec('PRAGMA locking_mode = EXCLUSIVE');
    if (size === undefined) database.exec(`BEGIN; ${SCHEMA} COMMIT`);
    const version = Number(pragma(database, 'user_version'));
    if (pragma(database, 'application_id') !== APPLICATION_ID) return damaged(database, 'it is not a Serin state file');
    if (version > SCHEMA_VERSION) {
      database.close();
      return { newer: version };
    }
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    const check = pragma(database, 'quick_check');
    if (check !== 'ok') return damaged(database, String(check));
    if (version < 1) return damaged(database, 'its schema has no version');
    documentsOf(database, version);
    return { database };
  } catch (error) {
    const code = sqliteCode(error);
    const isUnwritten = failedToWrite(error);
    if (code === SQLITE.cannotOpen || code === undefined || isUnwritten) {
      if (database?.isOpen === true) database.close();
      // Nobody has to look at the half of a new one.
      if (isUnwritten && size === undefined) rmSync(file, { force: true });
      else if (isUnwritten && !isAlone) return openDatabase(file, true);
      if (error instanceof DamageError) return { damage: error.message };
      throw new StateError('E_STATE_FILE', `cannot open ${file}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
    return damaged(database, error instanceof Error ? error.message : String(error));
  }
}

/** From the schema of an earlier Serin, all of it or nothing. @throws StateError; then the file is as it was */
function upgrade(database: DatabaseSync, file: string): void {
  const version = Number(pragma(database, 'user_version'));
  if (version === SCHEMA_VERSION) return;
  try {
    database.exec(`BEGIN IMMEDIATE; ${AUDIT_UPGRADE}`);
    const sign = database.prepare('UPDATE document SET sha256 = ? WHERE name = ?');
    for (const [name, body] of documentsOf(database, version)) sign.run(checksum(name, body), name);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
  } catch (error) {
    database.close();
    const detail = error instanceof Error ? error.message : String(error);
    throw new StateError('E_STATE_FILE', `cannot bring ${file} up to schema ${SCHEMA_VERSION}: ${detail}; it is as it was`, {
      cause: error,
    });
  }
}

class DamageError extends Error {}

function damaged(database: DatabaseSync | undefined, damage: string): Opened {
  if (database?.isOpen === true) database.close();
  return { damage };
}

function pragma(database: DatabaseSync, name: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

function checksum(name: string, body: string): string {
  return sha256(`${name}\0${body}`);
}

/** All documents, each held against its checksum; in the first schema that was of the text alone. @throws DamageError */
function documentsOf(database: DatabaseSync, version: number): Map<string, string> {
  const documents = new Map<string, string>();
  for (const { name, body, sha256: expected } of database.prepare('SELECT name, body, sha256 FROM document').all()) {
    if (typeof name !== 'string' || typeof body !== 'string' || (version === 1 ? sha256(body) : checksum(name, body)) !== expected)
      throw new DamageError('a document does not have its checksum');
    documents.set(name, body);
  }
  return documents;
}

/** Puts a copy of the backup in the database's place and opens it. @throws StateError when there is no space for it. */
function restore(backup: string, file: string): Opened {
  try {
    copyFileSync(backup, file);
  } catch (error) {
    // Half of it would be taken for a damaged file.
    rmSync(file, { force: true });
    const reason = error instanceof Error ? error.message : String(error);
    throw new StateError('E_STATE_FILE', `cannot copy ${backup} to ${file}: ${reason}; make space there and start again`, { cause: error });
  }
  const opened = openDatabase(file);
  if ('damage' in opened) for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
  return opened;
}

/** @returns The new name of the damaged file, for the user to look at or delete. */
function moveAside(file: string, clock: Clock): string {
  const stamp = new Date(clock.nowMs()).toISOString().replace(/[-:.]/g, '');
  let aside = `${file}.damaged-${stamp}`;
  for (let n = 2; existsSync(aside); n++) aside = `${file}.damaged-${stamp}-${n}`;
  // The log belongs to the file: left behind it would be replayed into the next one.
  for (const suffix of ['', '-wal', '-shm']) if (existsSync(`${file}${suffix}`)) renameSync(`${file}${suffix}`, `${aside}${suffix}`);
  return aside;
}

/** What an interrupted write left behind; never read, so removing it loses nothing. */
function removeLeftovers(directory: string, notice: (code: StateNotice['code'], message: string) => void): void {
  for (const name of readdirSync(directory)) {
    if (!/^(?:state|daemon|\.probe).*\.tmp(?:-journal)?$/.test(name)) continue;
    rmSync(join(directory, name), { force: true });
    notice('W_STATE_LEFTOVER', `removed ${join(directory, name)}, left over from an interrupted write`);
  }
}

function syncFile(file: string): void {
  const descriptor = openSync(file, 'r+');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function writeError(error: unknown, file: string): StateWriteError {
  const detail = error instanceof Error ? error.message : String(error);
  const cause = { cause: error };
  switch (sqliteCode(error)) {
    case SQLITE.full:
      return new StateWriteError('E_STATE_FULL', `no space left to write ${file} (${detail}); nothing was changed`, cause);
    case SQLITE.readOnly:
      return new StateWriteError('E_STATE_READ_ONLY', `${file} is read-only (${detail}); nothing was changed`, cause);
    default:
      return new StateWriteError('E_STATE_IO', `cannot write ${file} (${detail}); nothing was changed`, cause);
  }
}
