/** Reading configuration and compiling it, without putting it in force: what `validate`, `render`, `explain -f` and a start have in common. */
import { type Diagnostic, hasErrors } from '../base/diagnostic.ts';
import { type LoadResult, loadFiles, loadText } from '../config/load.ts';
import type { HostEnv } from '../config/run-host.ts';
import { compile } from '../routing/compile.ts';
import type { CompileOptions } from '../routing/compile.ts';
import type { RoutingTable } from '../routing/table.ts';

export interface Checked extends LoadResult {
  /** Those of reading and of compiling. */
  readonly diagnostics: readonly Diagnostic[];
  /** Absent when there are errors. */
  readonly table?: RoutingTable;
}

/** @param hostEnv Serin's own environment, to check as well what versions that are run need of this machine. */
export async function checkFiles(paths: readonly string[], options: CompileOptions = {}, hostEnv?: HostEnv): Promise<Checked> {
  return check(await loadFiles(paths, hostEnv, Date.now()), options);
}

/** @param file What diagnostics call it: `-` for standard input. */
export function checkText(file: string, text: string | Uint8Array, options: CompileOptions = {}, hostEnv?: HostEnv): Checked {
  return check(loadText(file, text, hostEnv, Date.now()), options);
}

function check(loaded: LoadResult, options: CompileOptions): Checked {
  if (hasErrors(loaded.diagnostics)) return loaded;
  const compiled = compile(loaded.snapshot, options);
  const diagnostics = [...loaded.diagnostics, ...compiled.diagnostics];
  return hasErrors(diagnostics) ? { ...loaded, diagnostics } : { ...loaded, diagnostics, table: compiled.table };
}
