/**
 * Text somebody else wrote, made fit for a terminal or a log line: control characters (ESC starts a terminal's commands), line separators and
 * bidirectional overrides become visible escapes. Letters of every script stay as they are.
 */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const UNPRINTABLE_BUT_LINES = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** One line: line breaks and tabs are escaped, too. */
export function printableLine(text: string): string {
  return text.replace(UNPRINTABLE, escape);
}

/** Several lines: line feeds and tabs are kept. */
export function printableText(text: string): string {
  return text.replace(UNPRINTABLE_BUT_LINES, escape);
}

/** JSON whose strings show no such character either; the same value to any parser. */
export function printableJson(value: unknown, indent = 2): string {
  return printableJsonText(JSON.stringify(value, undefined, indent));
}

/** The same for JSON that is text already. */
export function printableJsonText(json: string): string {
  return json.replace(UNPRINTABLE_BUT_LINES, (char) => `\\u${hex(char, 4)}`);
}

function escape(char: string): string {
  if (char === '\n') return '\\n';
  if (char === '\r') return '\\r';
  if (char === '\t') return '\\t';
  const code = char.charCodeAt(0);
  return code < 256 ? `\\x${hex(char, 2)}` : `\\u${hex(char, 4)}`;
}

function hex(char: string, digits: number): string {
  return char.charCodeAt(0).toString(16).padStart(digits, '0');
}
