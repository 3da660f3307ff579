/**
 * A parsed YAML (or JSON) document as a small tree with positions: what every later step reads, whichever parser made it.
 *
 * Offsets are UTF-16 indices into the text of the file. Aliased nodes are shared, so the tree is a DAG; cycles cannot occur. Keys are plain
 * text, unique within a map, and never a name that could reach an object's prototype.
 */
import { assert } from '../base/assert.ts';

export type YamlNode = YamlScalar | YamlMap | YamlSeq;

export interface YamlScalar {
  readonly type: 'scalar';
  readonly value: string | number | boolean | null;
  readonly offset: number;
  /** The text of an unquoted scalar; undefined for quoted and block scalars. */
  readonly plain: string | undefined;
}

export interface YamlMap {
  readonly type: 'map';
  readonly offset: number;
  readonly entries: Map<string, YamlEntry>;
}

export interface YamlEntry {
  readonly keyOffset: number;
  readonly value: YamlNode;
}

export interface YamlSeq {
  readonly type: 'seq';
  readonly offset: number;
  readonly items: YamlNode[];
}

/**
 * The tree of one document, to be let go once its resource is made. Ten thousand trees at once are mostly work for the garbage collector, and only those
 * of documents that there is something to say about are wanted again: they are parsed a second time.
 */
export class YamlTree {
  #root: YamlNode | undefined;
  readonly #again: (() => YamlNode) | undefined;

  /** @param again Makes an equal tree; without it the tree is never let go. */
  constructor(root: YamlNode, again?: () => YamlNode) {
    this.#root = root;
    this.#again = again;
  }

  get root(): YamlNode {
    this.#root ??= this.#again?.();
    assert(this.#root !== undefined, 'only a tree that can be made again is let go');
    return this.#root;
  }

  /** One of the items of its list `items`. */
  item(item: YamlNode, index: number): YamlTree {
    if (this.#again === undefined) return new YamlTree(item);
    return new YamlTree(item, () => {
      const again = nodeAt(this.root, ['items', index]);
      assert(again !== undefined, 'what was an item of a list once is so again');
      return again;
    });
  }

  letGo(): void {
    if (this.#again !== undefined) this.#root = undefined;
  }
}

export type Path = readonly (string | number)[];

/** Names that reach an object's prototype chain; refused as keys everywhere, so that no later code needs to think of them. */
export function isReservedKey(key: string): boolean {
  return key === '__proto__' || key === 'constructor' || key === 'prototype';
}

/** Plain objects, lists and values. Keys are safe to assign: the reserved ones never get into a YamlMap. */
export function toPlain(node: YamlNode): unknown {
  if (node.type === 'scalar') return node.value;
  if (node.type === 'seq') return node.items.map(toPlain);
  const result: Record<string, unknown> = {};
  for (const [key, entry] of node.entries) result[key] = toPlain(entry.value);
  return result;
}

/** The node at `path`, or undefined when the tree does not go there. */
export function nodeAt(root: YamlNode, path: Path): YamlNode | undefined {
  let node: YamlNode | undefined = root;
  for (const step of path) {
    if (node?.type === 'map') node = node.entries.get(String(step))?.value;
    else if (node?.type === 'seq' && typeof step === 'number') node = node.items[step];
    else return undefined;
  }
  return node;
}

/**
 * Where `path` stands: of its value, or of its key with `at: 'key'`. What is not there (a missing required field) stands where the deepest
 * existing node above it does.
 */
export function offsetAt(root: YamlNode, path: Path, at: 'key' | 'value'): number {
  let node = root;
  let offset = root.offset;
  for (const [index, step] of path.entries()) {
    if (node.type === 'map') {
      const entry = node.entries.get(String(step));
      if (entry === undefined) return offset;
      if (index === path.length - 1 && at === 'key') return entry.keyOffset;
      node = entry.value;
      // A block collection is best shown by its key: `match:` rather than the first thing below it.
      offset = node.type === 'scalar' ? node.offset : Math.min(entry.keyOffset, node.offset);
    } else if (node.type === 'seq' && typeof step === 'number') {
      const item = node.items[step];
      if (item === undefined) return offset;
      node = item;
      offset = item.offset;
    } else {
      return offset;
    }
  }
  return offset;
}

/** Line and column (both 1-based) of offsets into one text; the index is built at the first question. */
export class LineIndex {
  readonly #text: string;
  #starts: number[] | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  position(offset: number): { readonly line: number; readonly column: number } {
    const starts = (this.#starts ??= lineStarts(this.#text));
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: Math.max(0, offset - (starts[low] ?? 0)) + 1 };
  }
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}
