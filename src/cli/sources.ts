/** Where a command's configuration comes from: `-f PATH...`, with `-` for standard input. */
import type { Diagnostic } from '../base/diagnostic.ts';
import { formatDiagnostic } from '../base/diagnostic.ts';
import { printableText } from '../app/printable.ts';
import { type Checked, checkFiles, checkText } from '../app/check.ts';
import type { CompileOptions } from '../routing/compile.ts';
import { CliError, EXIT } from './exit.ts';
import type { Io } from './io.ts';

/** More problems than anybody reads at once; the rest are counted. */
const MAX_SHOWN = 50;

/**
 * The paths of `-f`, and those a shell put after it where a pattern became several (`-f *.yaml`).
 *
 * @throws CliError 2 when there is none
 */
export function pathsOf(file: readonly string[] | undefined, more: readonly string[]): readonly string[] {
  if (file === undefined) {
    const found = more[0];
    throw new CliError(
      EXIT.usage,
      found === undefined ? "option '-f PATH' is missing" : `unexpected argument '${found}'`,
      found === undefined ? undefined : `say -f ${found}`,
    );
  }
  return [...file, ...more];
}

/** @param hostEnv Given where it matters what this machine has for versions that are run. */
export async function load(paths: readonly string[], io: Io, options: CompileOptions = {}, hostEnv?: Io['env']): Promise<Checked> {
  if (!paths.includes('-')) return checkFiles(paths, options, hostEnv);
  if (paths.length > 1) throw new CliError(EXIT.usage, "'-f -' (standard input) cannot be combined with other paths");
  return checkText('-', await io.readInput(), options, hostEnv);
}

/** At most 50 (or `most`), then how many more; complete lines, coloured by severity. */
export function formatDiagnostics(
  diagnostics: readonly Diagnostic[],
  paint: (severity: Diagnostic['severity'], text: string) => string,
  most = MAX_SHOWN,
): string {
  const shown = diagnostics.slice(0, most).map((diagnostic) => {
    const text = printableText(formatDiagnostic(diagnostic));
    return text.replace(`: ${diagnostic.severity}: `, `: ${paint(diagnostic.severity, diagnostic.severity)}: `);
  });
  const more = diagnostics.length - most;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].map((line) => `${line}\n`).join('');
}
