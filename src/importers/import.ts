/** `serin import TOOL`: texts in another tool's words to YAML that Serin reads, and what has no equivalent. Pure: no I/O, the same in gives the same out. */
import type { Diagnostic } from '../base/diagnostic.ts';
import { hasErrors } from '../base/diagnostic.ts';
import type { Source } from '../config/read-source.ts';
import { importArgoRollouts } from './argo-rollouts/import.ts';
import { readDocuments, type ForeignDocument } from './document.ts';
import { emit, type Output } from './emit.ts';
import type { Fate } from './field.ts';
import { importFlagger } from './flagger/import.ts';
import { importIngressNginx } from './ingress-nginx/import.ts';

export const IMPORTED_TOOLS = ['ingress-nginx', 'flagger', 'argo-rollouts'] as const;
export type ImportedTool = (typeof IMPORTED_TOOLS)[number];

const IMPORTERS: Readonly<Record<ImportedTool, (documents: readonly ForeignDocument[]) => readonly Output[]>> = {
  'ingress-nginx': importIngressNginx,
  flagger: importFlagger,
  'argo-rollouts': importArgoRollouts,
};

export interface Imported {
  /** YAML; empty where nothing could be imported, or the texts cannot be read. */
  readonly text: string;
  /** Sorted by file, line and column. */
  readonly diagnostics: readonly Diagnostic[];
  /** What became of every field, one map a document. */
  readonly fates: readonly { readonly kind: string; readonly name: string; readonly fates: ReadonlyMap<string, Fate> }[];
}

export function importText(tool: ImportedTool, sources: readonly Source[]): Imported {
  const diagnostics: Diagnostic[] = [];
  const documents = readDocuments(sources, diagnostics);
  if (hasErrors(diagnostics)) return { text: '', diagnostics, fates: [] };
  const outputs = IMPORTERS[tool](documents);
  for (const document of documents) reportRest(document, tool);
  diagnostics.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column));
  const fates = documents.map(({ kind, name, root }) => ({ kind, name, fates: root.fates }));
  return { text: emit(outputs), diagnostics, fates };
}

/** Fields nobody has looked at; a document nobody has looked at is told once. */
function reportRest({ root, kind, group }: ForeignDocument, tool: ImportedTool): void {
  if (root.fates.size > 0) root.reportUnknown();
  else root.noEquivalent(`${kind}${group === '' ? '' : ` of ${group}`} is nothing that is imported from ${tool}; it is left out`);
}
