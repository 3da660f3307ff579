/**
 * Text to trees: several YAML documents (or JSON, which is YAML too) with every problem in them at once, never an exception.
 *
 * The text is cut at `---` lines; each part goes through yaml-fast.ts and, when that gives up, through the `yaml` package, so that one
 * unusual document does not slow down ten thousand plain ones. Meaning is YAML 1.2's core schema; scalars that YAML 1.1 readers (Kubernetes among
 * them) take for something else are warned about. Merge keys (`<<`) are resolved, as Kubernetes does.
 *
 * Limits: 8 MiB, 64 levels, MAX_ALIASED_NODES nodes made by aliases. Costs are linear in the text for everything that comes in.
 */
import { isAlias, isMap, isScalar, isSeq, parseAllDocuments, type Document, type Node, type Pair } from 'yaml';
import { assert } from '../base/assert.ts';
import type { Severity } from '../base/diagnostic.ts';
import type { Code } from './codes.ts';
import { isAmbiguous, parseFast } from './yaml-fast.ts';
import { isReservedKey, LineIndex, type YamlEntry, type YamlNode, type YamlScalar, YamlTree } from './yaml-node.ts';
import { decodeText, scanText, type TextProblem } from './yaml-scan.ts';

export interface YamlProblem extends TextProblem {
  readonly severity: Severity;
}

export interface YamlFile {
  readonly lines: LineIndex;
  /** Documents that hold something, in order. Complete only when there is no error among `problems`. */
  readonly documents: readonly YamlNode[];
  readonly problems: readonly YamlProblem[];
}

/** How many nodes aliases may add to a document beyond those written out. */
const MAX_ALIASED_NODES = 100_000;

export function parseYaml(source: string | Uint8Array): YamlFile {
  const documents: YamlNode[] = [];
  const file = visitYaml(source, ({ root }) => documents.push(root));
  return { ...file, documents };
}

/** As `parseYaml`, one document after the other: they need not all be in memory at once. */
export function visitYaml(source: string | Uint8Array, visit: (tree: YamlTree, lines: LineIndex) => void): Omit<YamlFile, 'documents'> {
  const text = decodeText(source);
  if (typeof text !== 'string') return { lines: new LineIndex(''), problems: [{ ...text, severity: 'error' }] };
  const problems: YamlProblem[] = [];
  const ambiguous: YamlScalar[] = [];
  const lines = new LineIndex(text);
  for (const part of splitDocuments(text)) {
    const content = text.slice(part.start, part.end);
    if (!/[^\s]/.test(content)) continue;
    const found: YamlScalar[] = [];
    const fast = parseFast(content, part.start, found);
    if (fast === undefined) {
      const documents: YamlNode[] = [];
      parseFully(content, { base: part.start, lines, documents, problems, ambiguous });
      for (const document of documents) visit(new YamlTree(document), lines);
    } else {
      ambiguous.push(...found);
      const again = (): YamlNode => parseAgain(text.slice(part.start, part.end), part.start);
      visit(new YamlTree(fast, again), lines);
    }
  }
  for (const scalar of ambiguous) problems.push(ambiguityProblem(scalar));
  return { lines, problems };
}

function parseAgain(text: string, base: number): YamlNode {
  const root = parseFast(text, base, []);
  assert(root !== undefined, 'what was plain YAML once is so again');
  return root;
}

/** Parts between `---` lines; one part when a marker is used in any other way (`--- text`, `...`, directives). */
function splitDocuments(text: string): { readonly start: number; readonly end: number }[] {
  if (/^(?:%|\.\.\.(?:\s|$)|---[ \t]*[^\s#])/m.test(text)) return [{ start: 0, end: text.length }];
  const parts: { start: number; end: number }[] = [];
  let start = 0;
  for (const marker of text.matchAll(/^---(?:[ \t]+#.*|[ \t]*)\r?$/gm)) {
    parts.push({ start, end: marker.index });
    start = marker.index + marker[0].length;
  }
  parts.push({ start, end: text.length });
  return parts;
}

/** Where a part of a file belongs and where what is found in it goes. */
interface Target {
  readonly base: number;
  readonly lines: LineIndex;
  readonly documents: YamlNode[];
  readonly problems: YamlProblem[];
  readonly ambiguous: YamlScalar[];
}

function parseFully(text: string, target: Target): void {
  const { base, documents, problems } = target;
  const found = scanText(text);
  if (found.length > 0) {
    for (const problem of found) problems.push({ ...problem, offset: base + problem.offset, severity: 'error' });
    return;
  }
  const parsed = parseAllDocuments(text, {
    schema: 'core',
    uniqueKeys: false,
    prettyErrors: false,
    merge: false,
    resolveKnownTags: false,
    logLevel: 'silent',
  });
  if (!Array.isArray(parsed)) return;
  for (const document of parsed) {
    for (const error of document.errors)
      problems.push({ ...syntaxProblem(error.code, error.message), offset: base + error.pos[0], severity: 'error' });
    if (document.errors.length > 0 || document.contents === null) continue;
    const node = new TreeBuilder(document, target).build();
    if (node !== undefined && !(node.type === 'scalar' && node.value === null)) documents.push(node);
  }
}

function syntaxProblem(code: string, message: string): { readonly code: Code; readonly message: string; readonly hint?: string } {
  if (code === 'TAB_AS_INDENT') return { code: 'E_YAML_TAB', message: 'a tab is used for indentation', hint: 'use spaces' };
  // It may quote the text to its last full stop.
  const words = message.charAt(0).toLowerCase() + message.slice(1).replace(/[.\s]+$/, '');
  return { code: 'E_YAML_SYNTAX', message: words };
}

/** Turns the package's tree into ours: aliases resolved within a budget, merge keys applied, duplicate and reserved keys reported. */
class TreeBuilder {
  readonly #document: Document;
  readonly #base: number;
  readonly #lines: LineIndex;
  readonly #problems: YamlProblem[];
  readonly #ambiguous: YamlScalar[];
  /** Finished nodes by anchor; a later anchor of the same name replaces an earlier one (YAML 1.2.2 §7.1). */
  readonly #anchors = new Map<string, YamlNode>();
  readonly #open = new Set<string>();
  /** Nodes below and including a node, with aliases counted as if written out. */
  readonly #sizes = new Map<YamlNode, number>();
  #aliasedNodes = 0;
  #isBroken = false;

  constructor(document: Document, target: Target) {
    this.#document = document;
    this.#base = target.base;
    this.#lines = target.lines;
    this.#problems = target.problems;
    this.#ambiguous = target.ambiguous;
  }

  /** Undefined when there is an error in it. */
  build(): YamlNode | undefined {
    const { contents } = this.#document;
    if (contents === null) return undefined;
    const node = this.#node(contents, 0);
    return this.#isBroken ? undefined : node;
  }

  #node(node: Node | null, fallback: number): YamlNode {
    if (node === null) return { type: 'scalar', value: null, offset: fallback, plain: '' };
    const offset = this.#base + (node.range?.[0] ?? 0);
    if (isAlias(node)) return this.#alias(node.source, offset);
    const anchor = 'anchor' in node ? node.anchor : undefined;
    if (anchor !== undefined) this.#open.add(anchor);
    const built = this.#content(node, offset);
    if (anchor !== undefined) {
      this.#open.delete(anchor);
      this.#anchors.set(anchor, built);
    }
    return built;
  }

  #content(node: Node, offset: number): YamlNode {
    if (isScalar(node)) {
      const { value } = node;
      const plain = node.type === 'PLAIN' ? (node.source ?? '') : undefined;
      if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
        const scalar: YamlScalar = { type: 'scalar', value, offset, plain };
        if (plain !== undefined && isAmbiguous(plain)) this.#ambiguous.push(scalar);
        return scalar;
      }
      // Big integers and whatever else the package may make of a scalar: the text as written.
      return { type: 'scalar', value: node.source ?? '', offset, plain };
    }
    if (isSeq(node)) {
      const items = node.items.map((item) => this.#node(isNode(item) ? item : null, offset));
      const seq: YamlNode = { type: 'seq', offset, items };
      this.#sizes.set(
        seq,
        items.reduce((sum, item) => sum + this.#size(item), 1),
      );
      return seq;
    }
    if (isMap(node)) return this.#map(node.items, offset);
    this.#error('E_YAML_SYNTAX', offset, 'value is of no known kind');
    return { type: 'scalar', value: null, offset, plain: '' };
  }

  #map(pairs: readonly Pair[], offset: number): YamlNode {
    const entries = new Map<string, YamlEntry>();
    const merged: { readonly value: YamlNode; readonly offset: number }[] = [];
    for (const pair of pairs) {
      const keyNode = isNode(pair.key) ? pair.key : null;
      const keyOffset = this.#base + (keyNode?.range?.[0] ?? offset - this.#base);
      const key = this.#key(keyNode, keyOffset);
      const value = this.#node(isNode(pair.value) ? pair.value : null, keyOffset);
      if (key === undefined) continue;
      if (key === '<<' && isScalar(keyNode) && keyNode.type === 'PLAIN') {
        merged.push({ value, offset: keyOffset });
        continue;
      }
      if (isReservedKey(key)) {
        this.#error('E_RESERVED_KEY', keyOffset, `key ${key} is reserved`, 'choose another name');
        continue;
      }
      const earlier = entries.get(key);
      if (earlier !== undefined) {
        const first = this.#lines.position(earlier.keyOffset).line;
        const second = this.#lines.position(keyOffset).line;
        this.#error(
          'E_YAML_DUPLICATE_KEY',
          keyOffset,
          `key ${quote(key)} stands on line ${first} and again on line ${second}`,
          'keep one of them',
        );
        continue;
      }
      entries.set(key, { keyOffset, value });
    }
    for (const { value, offset: at } of merged) this.#merge(entries, value, at);
    const map: YamlNode = { type: 'map', offset, entries };
    let size = 1;
    for (const entry of entries.values()) size += this.#size(entry.value);
    this.#sizes.set(map, size);
    return map;
  }

  #key(node: Node | null, offset: number): string | undefined {
    if (isAlias(node)) {
      const target = this.#alias(node.source, offset);
      if (target.type === 'scalar') return String(target.value);
    } else if (isScalar(node)) {
      const text = typeof node.value === 'string' ? node.value : (node.source ?? '');
      if (text !== '' || node.type !== 'PLAIN') return text;
    }
    this.#error('E_YAML_SYNTAX', offset, 'expected a plain text as key', 'write it as key: value');
    return undefined;
  }

  /** Own keys win over merged ones, earlier merged maps over later ones (https://yaml.org/type/merge.html). */
  #merge(entries: Map<string, YamlEntry>, value: YamlNode, offset: number): void {
    const sources = value.type === 'seq' ? value.items : [value];
    for (const source of sources) {
      if (source.type !== 'map') {
        this.#error('E_YAML_SYNTAX', offset, 'merge key << needs a mapping or a list of mappings', 'merge an anchored mapping: <<: *name');
        return;
      }
      for (const [key, entry] of source.entries) if (!entries.has(key)) entries.set(key, entry);
    }
  }

  #alias(name: string, offset: number): YamlNode {
    const missing: YamlNode = { type: 'scalar', value: null, offset, plain: '' };
    if (this.#open.has(name)) {
      this.#error('E_YAML_ALIAS_CYCLE', offset, `alias *${name} stands inside the node it refers to`, 'write the value out');
      return missing;
    }
    const target = this.#anchors.get(name);
    if (target === undefined) {
      this.#error('E_YAML_SYNTAX', offset, `alias *${name} refers to no anchor before it`, `add &${name} to the value it stands for`);
      return missing;
    }
    this.#aliasedNodes += this.#size(target);
    if (this.#aliasedNodes > MAX_ALIASED_NODES) {
      if (!this.#isBroken) {
        this.#error('E_YAML_ALIAS_LIMIT', offset, `aliases expand to more than ${MAX_ALIASED_NODES} nodes`, 'write the values out');
      }
      return missing;
    }
    return target;
  }

  #size(node: YamlNode): number {
    return this.#sizes.get(node) ?? 1;
  }

  #error(code: Code, offset: number, message: string, hint?: string): void {
    this.#isBroken = true;
    this.#problems.push({ code, offset, message, ...(hint === undefined ? {} : { hint }), severity: 'error' });
  }
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function ambiguityProblem({ value, plain, offset }: YamlScalar): YamlProblem {
  return {
    code: 'W_AMBIGUOUS_SCALAR',
    offset,
    message: `${plain ?? ''} is ${JSON.stringify(value)} here, but something else to YAML 1.1 readers such as Kubernetes`,
    hint:
      typeof value === 'string'
        ? `write "${plain ?? ''}" in quotes, or true or false if that is meant`
        : 'write the number in decimal, or in quotes',
    severity: 'warning',
  };
}
