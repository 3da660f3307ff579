/**
 * A parser for the plain middle of YAML: block mappings and lists by indentation, one-line scalars, one-line flow collections, comments.
 *
 * Why it exists: the `yaml` package takes 1 to 2 s for a table of 10,000 routes, this 50 ms, and such a table must load within a second.
 * It is only ever an accelerator. On anything beyond that middle (anchors, tags, block scalars, several lines in a scalar, escapes, tabs,
 * every kind of mistake) it gives up with `undefined` and the package decides, so all YAML errors have one source. Property tests hold
 * both to the same tree (yaml-fast.test.ts).
 *
 * Invariants: linear time; recursion no deeper than MAX_DEPTH; what it returns is what YAML 1.2's core schema says (https://yaml.org/spec/1.2.2/).
 */
import { isReservedKey, type YamlEntry, type YamlNode, type YamlScalar } from './yaml-node.ts';

export const MAX_DEPTH = 64;

/** Thrown inside this file only: the text is not of the plain kind. */
const NOT_PLAIN = new Error('not plain YAML');

/**
 * The tree of one document without markers, or undefined when it needs the full parser.
 *
 * @param base added to every offset: where `text` starts in its file
 * @param ambiguous takes the scalars that mean something else in YAML 1.1; to be dropped when the result is undefined
 */
export function parseFast(text: string, base: number, ambiguous: YamlScalar[]): YamlNode | undefined {
  // Tabs, CR, other control characters, and the line separators and byte order marks of Unicode.
  if (/[^\n\x20-\x7e\u00a1-\u2027\u202a-\ufefe\uff00-\uffef]/.test(text)) return undefined;
  try {
    return new FastParser(text, base, ambiguous).document();
  } catch (error) {
    if (error === NOT_PLAIN) return undefined;
    throw error;
  }
}

const SPACE = 0x20;
const NEWLINE = 0x0a;
const HASH = 0x23;
const DASH = 0x2d;
const COLON = 0x3a;

/** Keys are kept narrow on purpose: letters, digits and what Kubernetes names hold. */
const KEY = /[A-Za-z_][A-Za-z0-9_./-]*(?=:(?: |$|\n))/y;
const QUOTED_KEY = /"[^"\\\n]*"(?=:(?: |$|\n))|'[^'\n]*'(?=:(?: |$|\n))/y;
/** First characters that never start a plain scalar here; `-`, `?` and `:` could but are left to the full parser. */
const INDICATORS = '-?:,[]{}#&*!|>\'"%@`';
const DOUBLE_QUOTED = /"[^"\\\n]*"/y;
const SINGLE_QUOTED = /'[^'\n]*'(?!')/y;
const FLOW_PLAIN = /[A-Za-z0-9_./+-][A-Za-z0-9_./+ -]*/y;
const FLOW_KEY = /[A-Za-z_][A-Za-z0-9_./-]*(?=: )/y;
const NEGATIVE_NUMBER = /-[0-9.]/y;

class FastParser {
  readonly #text: string;
  readonly #base: number;
  readonly #ambiguous: YamlScalar[];
  /** Start of the content of the current line (its first character that is no space); text.length at the end. */
  #at = 0;
  /** Column of `#at`; -1 at the end. */
  #column = -1;

  constructor(text: string, base: number, ambiguous: YamlScalar[]) {
    this.#text = text;
    this.#base = base;
    this.#ambiguous = ambiguous;
  }

  document(): YamlNode {
    this.#nextLine(0);
    if (this.#column === -1) throw NOT_PLAIN;
    const root = this.#block(this.#column, 1);
    if (this.#column !== -1) throw NOT_PLAIN;
    return root;
  }

  /** Moves to the first line with content at or after `from`, which is the start of a line. */
  #nextLine(from: number): void {
    const text = this.#text;
    let lineStart = from;
    for (;;) {
      let at = lineStart;
      while (text.charCodeAt(at) === SPACE) at++;
      if (at >= text.length) {
        this.#at = text.length;
        this.#column = -1;
        return;
      }
      const code = text.charCodeAt(at);
      if (code !== NEWLINE && code !== HASH) {
        this.#at = at;
        this.#column = at - lineStart;
        return;
      }
      const end = text.indexOf('\n', at);
      lineStart = end === -1 ? text.length : end + 1;
    }
  }

  /** The collection whose entries stand at `column`; the current position is its first entry. */
  #block(column: number, depth: number): YamlNode {
    if (depth > MAX_DEPTH) throw NOT_PLAIN;
    return this.#isDash(this.#at) ? this.#sequence(column, depth) : this.#mapping(column, depth);
  }

  #isDash(at: number): boolean {
    if (this.#text.charCodeAt(at) !== DASH) return false;
    const next = this.#text.charCodeAt(at + 1);
    return next === SPACE || next === NEWLINE || at + 1 >= this.#text.length;
  }

  #sequence(column: number, depth: number): YamlNode {
    const offset = this.#base + this.#at;
    const items: YamlNode[] = [];
    while (this.#column === column && this.#isDash(this.#at)) {
      let at = this.#at + 1;
      while (this.#text.charCodeAt(at) === SPACE) at++;
      const code = this.#text.charCodeAt(at);
      if (at >= this.#text.length || code === NEWLINE || code === HASH) {
        items.push(this.#nested(at, column, depth, false));
        continue;
      }
      const contentColumn = column + (at - this.#at);
      if (this.#isDash(at) || this.#keyAt(at) !== undefined) {
        this.#at = at;
        this.#column = contentColumn;
        items.push(this.#block(contentColumn, depth + 1));
      } else {
        items.push(this.#inline(at, column, depth));
      }
    }
    if (this.#column > column) throw NOT_PLAIN;
    return { type: 'seq', offset, items };
  }

  #mapping(column: number, depth: number): YamlNode {
    const offset = this.#base + this.#at;
    const entries = new Map<string, YamlEntry>();
    while (this.#column === column && !this.#isDash(this.#at)) {
      const found = this.#keyAt(this.#at);
      if (found === undefined) throw NOT_PLAIN;
      const { key, end } = found;
      // A mistake or a merge: the full parser has the words for it.
      if (entries.has(key) || isReservedKey(key)) throw NOT_PLAIN;
      const keyOffset = this.#base + this.#at;
      let at = end + 1;
      while (this.#text.charCodeAt(at) === SPACE) at++;
      const code = this.#text.charCodeAt(at);
      const value =
        at >= this.#text.length || code === NEWLINE || code === HASH
          ? this.#nested(at, column, depth, true)
          : this.#inline(at, column, depth);
      entries.set(key, { keyOffset, value });
    }
    if (this.#column > column) throw NOT_PLAIN;
    return { type: 'map', offset, entries };
  }

  /** The key that starts at `at` and the offset of its colon, or undefined when there is none of the plain kind. */
  #keyAt(at: number): { readonly key: string; readonly end: number } | undefined {
    KEY.lastIndex = at;
    const plain = KEY.exec(this.#text);
    if (plain !== null) {
      return { key: plain[0], end: KEY.lastIndex };
    }
    QUOTED_KEY.lastIndex = at;
    const quoted = QUOTED_KEY.exec(this.#text);
    return quoted === null ? undefined : { key: quoted[0].slice(1, -1), end: QUOTED_KEY.lastIndex };
  }

  /** What follows `key:` or `-` on the lines below: a deeper block, a list at the key's own column, or nothing (null). */
  #nested(at: number, column: number, depth: number, isMapValue: boolean): YamlNode {
    this.#nextLine(this.#lineEnd(at));
    if (this.#column > column || (isMapValue && this.#column === column && this.#isDash(this.#at)))
      return this.#block(this.#column, depth + 1);
    return { type: 'scalar', value: null, offset: this.#base + Math.min(at, this.#text.length), plain: '' };
  }

  /** A value that starts at `at` and ends on the same line. */
  #inline(at: number, column: number, depth: number): YamlNode {
    const text = this.#text;
    const first = text[at] ?? '';
    let node: YamlNode;
    let end: number;
    if (first === '"' || first === "'") {
      const pattern = first === '"' ? DOUBLE_QUOTED : SINGLE_QUOTED;
      pattern.lastIndex = at;
      const found = pattern.exec(text);
      if (found === null) throw NOT_PLAIN;
      end = pattern.lastIndex;
      node = { type: 'scalar', value: found[0].slice(1, -1), offset: this.#base + at, plain: undefined };
    } else if (first === '[' || first === '{') {
      const flow = this.#flow(at, depth + 1);
      node = flow.node;
      end = flow.end;
    } else {
      NEGATIVE_NUMBER.lastIndex = at;
      if (INDICATORS.includes(first) && !NEGATIVE_NUMBER.test(text)) throw NOT_PLAIN;
      end = this.#plainEnd(at);
      const source = text.slice(at, end);
      node = this.#plain(source, at);
    }
    while (text.charCodeAt(end) === SPACE) end++;
    const after = text.charCodeAt(end);
    const isComment = after === HASH && text.charCodeAt(end - 1) === SPACE;
    if (end < text.length && after !== NEWLINE && !isComment) throw NOT_PLAIN;
    this.#nextLine(this.#lineEnd(end));
    // A deeper line would continue the scalar, or is a mistake.
    if (this.#column > column) throw NOT_PLAIN;
    return node;
  }

  /** End of the plain scalar at `at`: before ` #` or the end of the line, without trailing spaces. */
  #plainEnd(at: number): number {
    const text = this.#text;
    let end = at;
    for (let i = at; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === NEWLINE) break;
      if (code === SPACE) continue;
      if (code === HASH && text.charCodeAt(i - 1) === SPACE) break;
      if (code === COLON) {
        const next = text.charCodeAt(i + 1);
        if (next === SPACE || next === NEWLINE || i + 1 >= text.length) throw NOT_PLAIN;
      }
      end = i + 1;
    }
    return end;
  }

  /** A flow collection of simple scalars that ends on the line it starts on. */
  #flow(at: number, depth: number): { readonly node: YamlNode; readonly end: number } {
    if (depth > MAX_DEPTH) throw NOT_PLAIN;
    const text = this.#text;
    const isMap = text[at] === '{';
    const close = isMap ? '}' : ']';
    const offset = this.#base + at;
    const entries = new Map<string, YamlEntry>();
    const items: YamlNode[] = [];
    let end = this.#skipSpaces(at + 1);
    while (text[end] !== close) {
      if (isMap) {
        const key = this.#flowKey(end);
        if (entries.has(key.text) || isReservedKey(key.text)) throw NOT_PLAIN;
        const value = this.#flowValue(this.#skipSpaces(key.end), depth);
        entries.set(key.text, { keyOffset: this.#base + end, value: value.node });
        end = value.end;
      } else {
        const value = this.#flowValue(end, depth);
        items.push(value.node);
        end = value.end;
      }
      end = this.#skipSpaces(end);
      if (text[end] === ',') {
        end = this.#skipSpaces(end + 1);
        if (text[end] === close) throw NOT_PLAIN;
      } else if (text[end] !== close) {
        throw NOT_PLAIN;
      }
    }
    return { node: isMap ? { type: 'map', offset, entries } : { type: 'seq', offset, items }, end: end + 1 };
  }

  #flowKey(at: number): { readonly text: string; readonly end: number } {
    QUOTED_KEY.lastIndex = at;
    const quoted = QUOTED_KEY.exec(this.#text);
    if (quoted !== null) return { text: quoted[0].slice(1, -1), end: QUOTED_KEY.lastIndex + 1 };
    FLOW_KEY.lastIndex = at;
    const found = FLOW_KEY.exec(this.#text);
    if (found === null) throw NOT_PLAIN;
    return { text: found[0], end: FLOW_KEY.lastIndex + 1 };
  }

  #flowValue(at: number, depth: number): { readonly node: YamlNode; readonly end: number } {
    const text = this.#text;
    const first = text[at] ?? '';
    if (first === '[' || first === '{') return this.#flow(at, depth + 1);
    const pattern = first === '"' ? DOUBLE_QUOTED : first === "'" ? SINGLE_QUOTED : FLOW_PLAIN;
    NEGATIVE_NUMBER.lastIndex = at;
    if (pattern === FLOW_PLAIN && first === '-' && !NEGATIVE_NUMBER.test(text)) throw NOT_PLAIN;
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) throw NOT_PLAIN;
    const end = pattern.lastIndex;
    const following = text[this.#skipSpaces(end)] ?? '';
    if (following !== ',' && following !== ']' && following !== '}') throw NOT_PLAIN;
    if (pattern !== FLOW_PLAIN) {
      return { node: { type: 'scalar', value: found[0].slice(1, -1), offset: this.#base + at, plain: undefined }, end };
    }
    const source = found[0].trimEnd();
    return { node: this.#plain(source, at), end };
  }

  #plain(source: string, at: number): YamlScalar {
    const scalar: YamlScalar = { type: 'scalar', value: resolvePlain(source), offset: this.#base + at, plain: source };
    if (isAmbiguous(source)) this.#ambiguous.push(scalar);
    return scalar;
  }

  #skipSpaces(at: number): number {
    let end = at;
    while (this.#text.charCodeAt(end) === SPACE) end++;
    return end;
  }

  /** Start of the line after the one `at` is in. */
  #lineEnd(at: number): number {
    const end = this.#text.indexOf('\n', at);
    return end === -1 ? this.#text.length : end + 1;
  }
}

const NUMBER_START = /^[-+.0-9]/;
const INTEGER = /^[-+]?[0-9]+$/;
const OCTAL = /^0o[0-7]+$/;
const HEXADECIMAL = /^0x[0-9a-fA-F]+$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;

/** What an unquoted scalar means in YAML 1.2's core schema (§10.3.2). */
export function resolvePlain(source: string): string | number | boolean | null {
  if (NUMBER_START.test(source)) {
    if (INTEGER.test(source) || FLOAT.test(source)) return Number(source);
    if (OCTAL.test(source)) return Number.parseInt(source.slice(2), 8);
    if (HEXADECIMAL.test(source)) return Number.parseInt(source.slice(2), 16);
    if (/^[-+]?\.(?:inf|Inf|INF)$/.test(source)) return source.startsWith('-') ? -Infinity : Infinity;
    if (/^\.(?:nan|NaN|NAN)$/.test(source)) return Number.NaN;
    return source;
  }
  switch (source) {
    case '':
    case '~':
    case 'null':
    case 'Null':
    case 'NULL':
      return null;
    case 'true':
    case 'True':
    case 'TRUE':
      return true;
    case 'false':
    case 'False':
    case 'FALSE':
      return false;
    default:
      return source;
  }
}

/** Booleans, octal, binary and sexagesimal numbers and digits with underscores, of YAML 1.1 only. */
const YAML_1_1_ONLY =
  /^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)$|^[-+]?0[0-7]+$|^[-+]?0b[01]+$|^0o[0-7]+$|^[-+]?[0-9][0-9_]*_[0-9_]*$|^[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+$/;

/** Whether an unquoted scalar is a boolean or another number to readers of YAML 1.1, Kubernetes' among them. */
export function isAmbiguous(source: string): boolean {
  return source.length <= 32 && /^[yYnNoO0-9+-]/.test(source) && YAML_1_1_ONLY.test(source);
}
