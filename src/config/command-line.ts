/**
 * A command written as one text, taken apart into words without a shell.
 *
 * Spaces separate words. `'…'` is literal; in `"…"` a backslash stands before `"`, `\` or `$`. `${NAME}` stays for later, unless in single quotes.
 * Whatever else a shell would act on (pipes, redirections, globs, `$(…)`) is refused rather than passed on as a letter: who writes it means a
 * shell, and there is none.
 */

export type CommandWords = { readonly words: readonly string[] } | { readonly problem: string; readonly hint: string };

const NEEDS_SHELL = new Set('|&;<>()`$*?[]{}\\\n\r');
const REFERENCE = /\$\{[A-Za-z_][A-Za-z0-9_]*\}/y;

export function splitCommand(text: string): CommandWords {
  const words: string[] = [];
  let word: string | undefined;
  let at = 0;
  while (at < text.length) {
    const letter = text.charAt(at);
    REFERENCE.lastIndex = at;
    const reference = REFERENCE.exec(text)?.[0];
    if (letter === ' ' || letter === '\t') {
      if (word !== undefined) words.push(word);
      word = undefined;
      at++;
    } else if (letter === "'") {
      const end = text.indexOf("'", at + 1);
      if (end === -1) return unclosed(letter);
      word = (word ?? '') + literal(text.slice(at + 1, end));
      at = end + 1;
    } else if (letter === '"') {
      const quoted = readQuoted(text, at + 1);
      if ('problem' in quoted) return quoted;
      word = (word ?? '') + quoted.text;
      at = quoted.end;
    } else if (reference !== undefined) {
      word = (word ?? '') + reference;
      at += reference.length;
    } else if (NEEDS_SHELL.has(letter) || (word === undefined && (letter === '~' || letter === '#'))) {
      return needsShell(letter);
    } else {
      word = (word ?? '') + letter;
      at++;
    }
  }
  if (word !== undefined) words.push(word);
  if (words.length === 0) return { problem: 'the command is empty', hint: 'run: node reviews.js' };
  return { words };
}

/** As it would be written in a list of words, where `${NAME}` is replaced and `$${` stands for `${`. */
function literal(text: string): string {
  // A function: in a text for replacement, two dollars would stand for one.
  return text.replaceAll('${', () => '$${');
}

function readQuoted(
  text: string,
  from: number,
): { readonly text: string; readonly end: number } | Exclude<CommandWords, { words: unknown }> {
  let content = '';
  let at = from;
  while (at < text.length) {
    const letter = text.charAt(at);
    const next = text.charAt(at + 1);
    REFERENCE.lastIndex = at;
    const reference = REFERENCE.exec(text)?.[0];
    if (letter === '"') return { text: content, end: at + 1 };
    if (letter === '\\' && (next === '"' || next === '\\' || next === '$')) {
      content += next === '$' && text.charAt(at + 2) === '{' ? '$$' : next;
      at += 2;
    } else if (reference !== undefined) {
      content += reference;
      at += reference.length;
    } else if (letter === '$' || letter === '`') {
      return needsShell(letter);
    } else {
      content += letter;
      at++;
    }
  }
  return unclosed('"');
}

function unclosed(quote: string): { readonly problem: string; readonly hint: string } {
  return { problem: `the quote ${quote} is not closed`, hint: 'close it, or write the command as a list: [node, reviews.js]' };
}

function needsShell(letter: string): { readonly problem: string; readonly hint: string } {
  return {
    problem: `${JSON.stringify(letter)} needs a shell, and programs are started without one`,
    hint: "quote it if it is part of a word, or name a shell yourself: [sh, -c, '…']",
  };
}
