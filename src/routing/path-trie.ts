/**
 * Keys of paths in a compressed trie: one walk down a request's path passes every prefix that it starts with, and ends at the exact key if there
 * is one. The walk reads character codes and allocates nothing; its cost depends on the path's length, not on the number of keys.
 *
 * ```
 *   ""  ─ "/re" ─┬─ "views"          exact: [3]   prefix: [0]
 *                └─ "port" ─ "s/x"                prefix: [7]
 * ```
 */
export class PathTrie<Value> {
  readonly #root: Node<Value> = { label: '', exact: undefined, prefix: undefined, element: undefined, children: undefined };
  readonly #fold: boolean;

  /** @param fold  Compare ASCII letters without regard to case; keys must then be in lower case. */
  constructor(fold: boolean) {
    this.#fold = fold;
  }

  /** The slot of a key, made when it is new. */
  at(key: string): Slot<Value> {
    let node = this.#root;
    let position = 0;
    while (position < key.length) {
      const code = key.charCodeAt(position);
      const child = node.children?.get(code);
      if (child === undefined) {
        const leaf: Node<Value> = {
          label: key.slice(position),
          exact: undefined,
          prefix: undefined,
          element: undefined,
          children: undefined,
        };
        (node.children ??= new Map()).set(code, leaf);
        return leaf;
      }
      const shared = sharedLength(child.label, key, position);
      if (shared < child.label.length) {
        const upper: Node<Value> = {
          label: child.label.slice(0, shared),
          exact: undefined,
          prefix: undefined,
          element: undefined,
          children: new Map(),
        };
        upper.children?.set(child.label.charCodeAt(shared), child);
        child.label = child.label.slice(shared);
        node.children?.set(code, upper);
        node = upper;
      } else {
        node = child;
      }
      position += shared;
    }
    return node;
  }

  /** The root, or undefined once a walk has nowhere to go. */
  get root(): Node<Value> {
    return this.#root;
  }

  /** The child whose label `path` continues with at `position`, if any. */
  step(node: Node<Value>, path: string, position: number): Node<Value> | undefined {
    if (node.children === undefined || position >= path.length) return undefined;
    const child = node.children.get(this.#fold ? folded(path.charCodeAt(position)) : path.charCodeAt(position));
    if (child === undefined) return undefined;
    const { label } = child;
    if (position + label.length > path.length) return undefined;
    for (let index = 1; index < label.length; index++) {
      const code = path.charCodeAt(position + index);
      if ((this.#fold ? folded(code) : code) !== label.charCodeAt(index)) return undefined;
    }
    return child;
  }
}

export interface Slot<Value> {
  exact: Value | undefined;
  prefix: Value | undefined;
  /** A prefix that ends where an element of the path does. */
  element: Value | undefined;
}

export interface Node<Value> extends Slot<Value> {
  label: string;
  children: Map<number, Node<Value>> | undefined;
}

function sharedLength(label: string, key: string, position: number): number {
  let length = 0;
  while (length < label.length && position + length < key.length && label.charCodeAt(length) === key.charCodeAt(position + length))
    length++;
  return length;
}

function folded(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code + 32 : code;
}
