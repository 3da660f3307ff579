/**
 * Resources that came over the admin API: each is kept as the text of one YAML document, beside the files and never in them.
 *
 * They are read as the files are, after them, each under a name of its own (`api:VirtualService:default:reviews`), so that positions in
 * diagnostics are lines of that text. Relative paths in them begin where Serin was started: the name has no directory in it.
 */
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import type { Diagnostic } from '../base/diagnostic.ts';
import { readDocument } from './document.ts';
import type { LoadedResource } from './loaded.ts';
import { readSource } from './read-source.ts';
import { type AnyResource, kindText } from './resources.ts';
import { wireObject } from './wire-object.ts';
import { parseYaml } from './yaml.ts';
import { documentIn } from './yaml-text.ts';
import { type LineIndex, toPlain, type YamlNode, YamlTree } from './yaml-node.ts';

/** What tells resources from each other. */
export interface Identity {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface Manifest extends Identity {
  /** One YAML document of one resource; never a List or the short form. */
  readonly text: string;
  /** Name of the token it was applied with. */
  readonly by: string;
  /** RFC 3339. */
  readonly at: string;
}

/** What a manifest is called in diagnostics and origins. */
export function manifestFile({ kind, namespace, name }: Identity): string {
  return `api:${kindText(kind)}:${namespace}:${name}`;
}

/** `VirtualService default/reviews`, `Namespace books`. */
export function identityText({ kind, namespace, name }: Identity): string {
  return `${kindText(kind)} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}

export function identityOf({ kind, metadata }: AnyResource): Identity {
  return { kind, namespace: metadata.namespace, name: metadata.name };
}

export interface SplitResource extends Identity {
  readonly text: string;
  readonly resource: AnyResource;
}

export interface SplitText {
  readonly resources: readonly SplitResource[];
  /** Of each resource by itself; references between them are not looked at. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Takes a text of many documents apart. A document of one resource stays as it was written, with its comments; an item of a List and what the
 * short form expands to are written anew.
 *
 * @param file What diagnostics call it.
 */
export function splitManifests(file: string, text: string): SplitText {
  const diagnostics: Diagnostic[] = [];
  readSource({ file, content: text }, [], diagnostics);
  const { documents, lines } = parseYaml(text);
  const rows = text.split('\n');
  const resources = documents.flatMap((document, index) => {
    const next = documents[index + 1];
    const end = next === undefined ? rows.length : lines.position(next.offset).line - 1;
    const written = documentIn(rows, lines.position(document.offset).line, end).text;
    const loaded = resourcesIn(document, lines);
    const [only] = loaded;
    const isAsWritten = loaded.length === 1 && only !== undefined && says(written, only.resource);
    return loaded.map(({ resource, plain }) => ({
      ...identityOf(resource),
      resource,
      text: isAsWritten ? written : stringify(plain ?? wireObject(resource), { lineWidth: 0, aliasDuplicateObjects: false }),
    }));
  });
  return { resources, diagnostics };
}

/** The parser is asked, so that no rule about where documents end stands twice. */
function says(text: string, resource: AnyResource): boolean {
  const { documents, lines } = parseYaml(text);
  const [document] = documents;
  if (documents.length !== 1 || document === undefined || document.type !== 'map' || document.entries.has('items')) return false;
  if (!document.entries.has('kind')) return false;
  const [read, ...others] = resourcesIn(document, lines);
  return read !== undefined && others.length === 0 && isSameResource(read.resource, resource);
}

/** Where a resource stands is no part of what it says. */
export function isSameResource(a: AnyResource, b: AnyResource): boolean {
  return isDeepStrictEqual([a.apiVersion, a.kind, a.metadata, a.spec], [b.apiVersion, b.kind, b.metadata, b.spec]);
}

interface Read {
  readonly resource: AnyResource;
  /** As it was written, where that is a document of its own kind. */
  readonly plain: unknown;
}

function resourcesIn(document: YamlNode, lines: LineIndex): Read[] {
  const items = document.type === 'map' ? document.entries.get('items')?.value : undefined;
  if (items?.type === 'seq') return items.items.flatMap((item) => resourcesIn(item, lines));
  const loaded: LoadedResource[] = [];
  const problems: Diagnostic[] = [];
  readDocument('', new YamlTree(document), lines, loaded, problems);
  const isShort = document.type === 'map' && !document.entries.has('kind');
  return loaded.map(({ resource }) => ({ resource, plain: isShort ? undefined : toPlain(document) }));
}
