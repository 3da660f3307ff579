/** Texts as regular expressions (RE2) that match them and nothing else. */

/** A whole value that is `text`; an empty one needs something to be written down. */
export function exactRegex(text: string): string {
  return text === '' ? '^$' : escapeRegex(text);
}

export function prefixRegex(text: string): string {
  return `${escapeRegex(text)}.*`;
}

function escapeRegex(text: string): string {
  return text.replaceAll(/[\\^$.|?*+()[\]{}]/g, String.raw`\$&`);
}

/** ASCII letters in both cases and nothing else folded, as Envoy ignores case; `(?i)` would fold other letters as well. */
export function ignoringCase(text: string): string {
  return escapeRegex(text).replaceAll(/[a-z]/gi, (char) => `[${char.toLowerCase()}${char.toUpperCase()}]`);
}

/** What every match begins with, as far as that can be told from the pattern; whether that is all there is. */
export function literalStart(pattern: string): { readonly text: string; readonly isWhole: boolean } {
  let text = '';
  let at = pattern.startsWith('^') ? 1 : 0;
  if (pattern.includes('|')) return { text: '', isWhole: false };
  while (at < pattern.length) {
    const char = pattern.charAt(at);
    const isEscaped = char === '\\' && /[^A-Za-z0-9]/.test(pattern.charAt(at + 1));
    const literal = isEscaped ? pattern.charAt(at + 1) : /[\\^$.|?*+()[\]{}]/.test(char) ? undefined : char;
    if (literal === undefined) break;
    const next = pattern.charAt(at + (isEscaped ? 2 : 1));
    // What may be repeated or left out is none.
    if (next !== '' && '?*{'.includes(next)) break;
    text += literal;
    at += isEscaped ? 2 : 1;
    if (next === '+') break;
  }
  return { text, isWhole: at >= pattern.length || pattern.slice(at) === '$' };
}
