/**
 * The table of who changed what, in the durable state: rows are added with the change they tell of, in one transaction, and never altered. It holds no
 * secret: documents stand there by their SHA-256.
 */
import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Actor } from '../admin/access.ts';
import type { AuditEntry } from '../admin/audit-types.ts';

const MAX_ROWS = 10_000;
const DONE = 'done';

/** The columns of schema 1, and those of schema 2. */
export const AUDIT_SCHEMA = `
  CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL,
    before_sha256 TEXT NOT NULL, after_sha256 TEXT NOT NULL,
    peer TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', result TEXT NOT NULL DEFAULT '${DONE}'
  ) STRICT;
`;

/** From schema 1 to 2: what was recorded before was done, from where and why is not known. */
export const AUDIT_UPGRADE = `
  ALTER TABLE audit ADD COLUMN peer TEXT NOT NULL DEFAULT '';
  ALTER TABLE audit ADD COLUMN reason TEXT NOT NULL DEFAULT '';
  ALTER TABLE audit ADD COLUMN result TEXT NOT NULL DEFAULT '${DONE}';
`;

/** Who did what, for the table; never holds a secret. */
export interface Change {
  /** `engine`, or the name of a token. */
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  /** Address of the peer; absent for what Serin decides itself. */
  readonly from?: string;
  /** As the actor gave it. */
  readonly reason?: string;
  /** Default `done`; else the code of why not. */
  readonly result?: string;
}

export function changeBy({ name, from, reason }: Actor, action: string, target: string): Change {
  return { actor: name, action, target, from, ...(reason === undefined ? {} : { reason }) };
}

/** Inside a transaction. @param before,after What the documents were and are; empty where none was changed. @returns What was added. */
export function addChanges(
  database: DatabaseSync,
  at: string,
  changes: readonly Change[],
  { before, after }: { readonly before: string; readonly after: string },
): readonly AuditEntry[] {
  if (changes.length === 0) return [];
  const insert = database.prepare(
    'INSERT INTO audit (at, actor, action, target, before_sha256, after_sha256, peer, reason, result) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const [beforeSha256, afterSha256] = [sha256(before), sha256(after)];
  const added = changes.map(({ actor, action, target, from = '', reason = '', result = DONE }) => {
    const { lastInsertRowid } = insert.run(at, actor, action, target, beforeSha256, afterSha256, from, reason, result);
    return entry({ sequence: Number(lastInsertRowid), at, actor, action, target, from, reason, result, beforeSha256, afterSha256 });
  });
  database.prepare('DELETE FROM audit WHERE sequence <= (SELECT max(sequence) FROM audit) - ?').run(MAX_ROWS);
  return added;
}

/** Newest first. @param before Only entries with a smaller number. */
export function listChanges(database: DatabaseSync, limit: number, before = Number.MAX_SAFE_INTEGER): readonly AuditEntry[] {
  const rows = database
    .prepare(
      'SELECT sequence, at, actor, action, target, peer, reason, result, before_sha256, after_sha256 FROM audit WHERE sequence < ? ORDER BY sequence DESC LIMIT ?',
    )
    .all(before, limit);
  return rows.map((row) =>
    entry({
      sequence: Number(row['sequence']),
      at: String(row['at']),
      actor: String(row['actor']),
      action: String(row['action']),
      target: String(row['target']),
      from: String(row['peer']),
      reason: String(row['reason']),
      result: String(row['result']),
      beforeSha256: String(row['before_sha256']),
      afterSha256: String(row['after_sha256']),
    }),
  );
}

/** Without what is not known. */
function entry({ from, reason, ...rest }: Required<AuditEntry>): AuditEntry {
  return { ...rest, ...(from === '' ? {} : { from }), ...(reason === '' ? {} : { reason }) };
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
