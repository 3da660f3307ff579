/** One text to resources, each by itself: what they say of each other is analyze.ts's to look at. */
import type { Diagnostic } from '../base/diagnostic.ts';
import { readDocument } from './document.ts';
import type { LoadedResource } from './loaded.ts';
import { visitYaml } from './yaml.ts';

export interface Source {
  readonly file: string;
  readonly content: string | Uint8Array;
}

/** @returns How many documents there are in it. */
export function readSource({ file, content }: Source, loaded: LoadedResource[], diagnostics: Diagnostic[]): number {
  const said: Diagnostic[] = [];
  let documents = 0;
  const parsed = visitYaml(content, (tree, lines) => {
    documents++;
    readDocument(file, tree, lines, loaded, said);
  });
  for (const { offset, severity, code, message, hint } of parsed.problems) {
    const hasPlace = code !== 'E_CONFIG_ENCODING' && code !== 'E_CONFIG_TOO_LARGE';
    const place = hasPlace ? parsed.lines.position(offset) : { line: 0, column: 0 };
    diagnostics.push({ ...nowhere(file), ...place, code, severity, message, ...(hint === undefined ? {} : { hint }) });
  }
  for (const diagnostic of said) diagnostics.push(diagnostic);
  return documents;
}

/** For a problem that has no place in a file. */
export function nowhere(file: string): Pick<Diagnostic, 'file' | 'line' | 'column' | 'kind' | 'namespace' | 'name' | 'path'> {
  return { file, line: 0, column: 0, kind: '', namespace: '', name: '', path: '' };
}
