/** Reading configuration and compiling it, without putting it in force: what `validate`, `render`, `explain -f` and a start have in common. */
import { type Diagnostic, hasErrors } from '../base/diagnostic.ts';
import { type LoadResult, loadFiles, loadText } from '../config/load.ts';
import { compile } from '../routing/compile.ts';
import type { RoutingTable } from '../routing/table.ts';

export interface Checked extends LoadResult {
  /** Those of reading and of compiling. */
  readonly diagnostics: readonly Diagnostic[];
  /** Absent when there are errors. */
  readonly table?: RoutingTable;
}

export async function checkFiles(paths: readonly string[], ownListeners?: ReadonlySet<string>): Promise<Checked> {
  return check(await loadFiles(paths), ownListeners);
}

/** @param file What diagnostics call it: `-` for standard input. */
export function checkText(file: string, text: string | Uint8Array): Checked {
  return check(loadText(file, text), undefined);
}

function check(loaded: LoadResult, ownListeners: ReadonlySet<string> | undefined): Checked {
  if (hasErrors(loaded.diagnostics)) return loaded;
  const compiled = compile(loaded.snapshot, ownListeners === undefined ? {} : { ownListeners });
  const diagnostics = [...loaded.diagnostics, ...compiled.diagnostics];
  return hasErrors(diagnostics) ? { ...loaded, diagnostics } : { ...loaded, diagnostics, table: compiled.table };
}
