/**
 * One problem in somebody's configuration, as data: collected, sorted and printed, never thrown (reliability: all problems at once).
 */
export type Severity = 'error' | 'warning';

export interface Diagnostic {
  /** Path as the user gave it, `-` for standard input, or `api` for a resource that came over the admin API. */
  readonly file: string;
  /** 1-based; 0 when the problem has no place in a file. */
  readonly line: number;
  /** 1-based; 0 when the problem has no place in a file. */
  readonly column: number;
  /** Stable: `E_…` refuses the configuration, `W_…` accepts it and says what is not done. See docs/errors.md. */
  readonly code: string;
  readonly severity: Severity;
  /** Resource the problem is in; empty strings when it is in no resource (a syntax error, say). */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Field as `spec.http[2].route[0].weight`; empty for the whole document. */
  readonly path: string;
  /** Lower case, no full stop: what was expected and what was found. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === 'error');
}

/** `reviews.yaml:12:9: error: spec.http[0].route[0].weight: must be >= 0, found -1 [E_RANGE]`, with the hint on a second line. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const place = diagnostic.line > 0 ? `${diagnostic.file}:${diagnostic.line}:${diagnostic.column}` : diagnostic.file;
  const path = diagnostic.path === '' ? '' : `${diagnostic.path}: `;
  const hint = diagnostic.hint === undefined ? '' : `\n    hint: ${diagnostic.hint}`;
  return `${place}: ${diagnostic.severity}: ${path}${diagnostic.message} [${diagnostic.code}]${hint}`;
}
