/** What the pipeline says in the log. */
import { type Diagnostic, formatDiagnostic } from '../base/diagnostic.ts';
import { EMPTY_SNAPSHOT, type Snapshot } from '../config/snapshot.ts';
import { countResources, describeChanges } from './changes.ts';
import type { Logger } from './logger.ts';
import type { InForce } from './in-force.ts';

/** Diagnostics of one reload that are logged; the rest are counted. */
const MAX_LOGGED = 50;

/** What changed, and the warnings that were not there before. */
export function logInForce(logger: Logger, what: string, now: InForce, before: Snapshot, known: readonly Diagnostic[]): void {
  const { effective, table, bound, diagnostics } = now;
  const changes = before === EMPTY_SNAPSHOT ? undefined : describeChanges(before, effective);
  const all = `${countResources(effective)} on ${bound.length} ${bound.length === 1 ? 'listener' : 'listeners'}`;
  logger.info({ version: table.version }, `${what}: ${changes === undefined ? all : `${changes}; now ${all}`}`);
  const said = new Set(known.map(formatDiagnostic));
  const news = diagnostics.map((diagnostic) => ({ diagnostic, text: formatDiagnostic(diagnostic) })).filter(({ text }) => !said.has(text));
  for (const { diagnostic, text } of news.slice(0, MAX_LOGGED)) logger.warn({ code: diagnostic.code }, text);
  if (news.length > MAX_LOGGED) logger.warn(`and ${news.length - MAX_LOGGED} more warnings`);
}

export function logRefused(logger: Logger, diagnostics: readonly Diagnostic[]): void {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
  logger.error({ errors: errors.length }, 'new configuration refused, the last good one stays');
  for (const diagnostic of errors.slice(0, MAX_LOGGED)) logger.error({ code: diagnostic.code }, formatDiagnostic(diagnostic));
  if (errors.length > MAX_LOGGED) logger.error(`and ${errors.length - MAX_LOGGED} more`);
}
