/**
 * What must be settled before a YAML parser may see a text: size, encoding, nesting depth, tags, and where an unclosed bracket or quote opens.
 *
 * The `yaml` package parses recursively, so nesting is measured on its lexer's tokens (not recursive, linear) first.
 */
import { isUtf8 } from 'node:buffer';
import { CST, Lexer } from 'yaml';
import { MAX_DEPTH } from './yaml-fast.ts';
import type { Code } from './codes.ts';

const MAX_FILE_BYTES = 8 * 1024 * 1024;

/** A problem in the text itself, at an offset into it (UTF-16 units). */
export interface TextProblem {
  readonly code: Code;
  readonly offset: number;
  readonly message: string;
  readonly hint?: string;
}

/** The text without a byte order mark, or why it cannot be one. */
export function decodeText(source: string | Uint8Array): string | TextProblem {
  const size = typeof source === 'string' ? Buffer.byteLength(source) : source.byteLength;
  if (size > MAX_FILE_BYTES) {
    return {
      code: 'E_CONFIG_TOO_LARGE',
      offset: 0,
      message: `file has ${size} bytes, the limit is ${MAX_FILE_BYTES}`,
      hint: 'split it into several files',
    };
  }
  if (typeof source !== 'string') {
    const [first, second] = source;
    if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
      return encodingProblem('file is UTF-16 (byte order mark at byte 0)', 'save it as UTF-8');
    }
    const nul = source.indexOf(0);
    if (nul !== -1) return encodingProblem(`NUL byte at byte ${nul}`, 'save the file as UTF-8 text');
    if (!isUtf8(source)) return encodingProblem(`invalid UTF-8 at byte ${firstInvalidByte(source)}`, 'save the file as UTF-8');
  }
  const text = typeof source === 'string' ? source : new TextDecoder('utf-8', { ignoreBOM: true }).decode(source);
  if (text.includes('\0')) return encodingProblem(`NUL character at character ${text.indexOf('\0')}`, 'remove it');
  if (!text.isWellFormed()) return encodingProblem('text holds half of a surrogate pair', 'save the file as UTF-8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

function encodingProblem(message: string, hint: string): TextProblem {
  return { code: 'E_CONFIG_ENCODING', offset: 0, message, hint };
}

/** Offset of the first byte that no UTF-8 decoder can accept; found by halving on whole prefixes, which may end inside a character. */
function firstInvalidByte(bytes: Uint8Array): number {
  let good = 0;
  let bad = bytes.byteLength;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (isUtf8Prefix(bytes.subarray(0, middle))) good = middle;
    else bad = middle;
  }
  // Back to the start of the sequence that breaks off here.
  while (good > 0 && !isUtf8(bytes.subarray(0, good))) good--;
  return good;
}

function isUtf8Prefix(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** Tags that say no more than the core schema already knows. */
const CORE_TAGS: ReadonlySet<string> = new Set(['!!str', '!!int', '!!float', '!!bool', '!!null', '!!map', '!!seq', '!']);

/**
 * Problems that must be known before parsing: too deep, a custom tag, something that is never closed. The list is empty for text that is safe to
 * parse, which does not mean that it is valid.
 */
export function scanText(text: string): TextProblem[] {
  const problems: TextProblem[] = [];
  /** Columns of the block collections that are open, outermost first. */
  const columns: number[] = [];
  /** Offsets of the flow brackets that are open. */
  const brackets: number[] = [];
  let offset = 0;
  let lineStart = 0;
  /** Only spaces and `-`, `?`, `:` indicators so far on this line: what comes next opens or continues a block collection. */
  let isLeading = true;
  for (const token of new Lexer().lex(text)) {
    const type = CST.tokenType(token);
    if (isMark(type)) continue;
    switch (type) {
      case 'newline':
        lineStart = offset + token.length;
        isLeading = true;
        break;
      case 'space':
      case 'comment':
      case 'byte-order-mark':
        break;
      case 'doc-start':
      case 'doc-end':
        columns.length = 0;
        reportUnclosed(brackets, problems);
        break;
      case 'directive-line':
        if (/^%TAG\b/.test(token)) problems.push(tagProblem(offset, token.trim()));
        break;
      case 'tag':
        if (!CORE_TAGS.has(token)) problems.push(tagProblem(offset, token));
        break;
      case 'flow-map-start':
      case 'flow-seq-start':
        brackets.push(offset);
        break;
      case 'flow-map-end':
      case 'flow-seq-end':
        brackets.pop();
        break;
      default:
        break;
    }
    if (type !== 'newline' && type !== 'space' && type !== 'comment' && isLeading && brackets.length === 0) {
      const column = offset - lineStart;
      while (columns.length > 0 && (columns.at(-1) ?? 0) > column) columns.pop();
      if ((columns.at(-1) ?? -1) < column) columns.push(column);
      isLeading = type === 'seq-item-ind' || type === 'explicit-key-ind' || type === 'map-value-ind' || type === 'anchor' || type === 'tag';
    }
    // The innermost scalar stands in a column of its own, hence one more than the limit.
    if (columns.length + brackets.length > MAX_DEPTH + 1) {
      problems.push({
        code: 'E_CONFIG_DEPTH',
        offset,
        message: `lists and mappings are nested more than ${MAX_DEPTH} deep`,
        hint: 'flatten the file',
      });
      return problems;
    }
    if ((type === 'double-quoted-scalar' || type === 'single-quoted-scalar') && !isClosed(token)) {
      problems.push({
        code: 'E_YAML_SYNTAX',
        offset,
        message: `quote ${token[0]} is never closed`,
        hint: 'close it, or quote the text differently',
      });
    }
    offset += token.length;
    // A block or quoted scalar may span lines.
    const lastNewline = token.length > 1 ? token.lastIndexOf('\n') : -1;
    if (lastNewline !== -1) lineStart = offset - (token.length - lastNewline - 1);
  }
  reportUnclosed(brackets, problems);
  return problems;
}

/** Marks of the lexer itself that stand for no text. */
function isMark(type: CST.TokenType | undefined | null): boolean {
  return type === 'doc-mode' || type === 'flow-error-end' || type === 'scalar';
}

function isClosed(token: string): boolean {
  const quote = token[0] ?? '';
  if (token.length < 2 || !token.endsWith(quote)) return false;
  let backslashes = 0;
  if (quote === '"') while (token[token.length - 2 - backslashes] === '\\') backslashes++;
  return backslashes % 2 === 0;
}

function reportUnclosed(brackets: number[], problems: TextProblem[]): void {
  const open = brackets.at(-1);
  if (open !== undefined) {
    problems.push({ code: 'E_YAML_SYNTAX', offset: open, message: 'bracket is never closed', hint: 'close it with ] or }' });
  }
  brackets.length = 0;
}

function tagProblem(offset: number, tag: string): TextProblem {
  return {
    code: 'E_YAML_TAG',
    offset,
    // A verbatim tag runs to its `>`, over line breaks where that is missing.
    message: `tag ${tag.slice(0, 60).replace(/\s+/g, ' ')} is not allowed`,
    hint: 'resources are plain data: remove the tag',
  };
}
