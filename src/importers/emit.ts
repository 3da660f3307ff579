/** What an import writes: documents of Serin, Istio or the Gateway API, with remarks above them. */
import { Document } from 'yaml';

export interface Written {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly [key: string]: unknown;
}

export interface Output {
  /** Lines above the document, without the `#`. */
  readonly remarks?: readonly string[];
  readonly document: Written;
}

/** YAML, one document after the other. Quoted so that YAML 1.1 readers, Kubernetes among them, see the same. */
export function emit(outputs: readonly Output[]): string {
  return outputs
    .map(({ remarks = [], document }) => {
      const yaml = new Document(document, { aliasDuplicateObjects: false, version: '1.1' });
      if (remarks.length > 0 && yaml.contents !== null) yaml.contents.commentBefore = remarks.map((line) => ` ${line}`).join('\n');
      return yaml.toString({ lineWidth: 0 });
    })
    .join('---\n');
}

/** @param namespace As the source has it; undefined: none. */
export function head(apiVersion: string, kind: string, name: string, namespace: string | undefined): Written {
  return { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } };
}

/** Without the members that are undefined: they would be written as null. */
export function defined(members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** A DNS label (RFC 1123) made of a text; `taken` gets it, and numbers tell equal ones apart. */
export function labelOf(text: string, taken: Set<string> = new Set()): string {
  const base =
    text
      .toLowerCase()
      .replaceAll('*', 'wildcard')
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 58)
      .replace(/-+$/, '') || 'x';
  let label = base;
  for (let number = 2; taken.has(label); number++) label = `${base}-${number}`;
  taken.add(label);
  return label;
}
