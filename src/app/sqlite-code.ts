/** SQLite's primary result codes (sqlite.org/rescode.html) as `node:sqlite` reports them, for telling one failure from another. */
export const SQLITE = { busy: 5, readOnly: 8, ioError: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const;

/** The primary result code of an error thrown by `node:sqlite`; undefined for any other error. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}

/** Extended codes of failures to read: what the file holds may be wrong. Of those without a reason nobody knows. */
const FAILED_READS: readonly number[] = [SQLITE.ioError, 266, 522, 8458];

/** Whether something could not be written (no space, as a rule): that says nothing about what the file holds. */
export function failedToWrite(error: unknown): boolean {
  const code = sqliteCode(error);
  if (code === SQLITE.full) return true;
  return code === SQLITE.ioError && error instanceof Error && 'errcode' in error && !FAILED_READS.some((read) => read === error.errcode);
}
