/**
 * From a pasted curl command to a request that `explain` takes: the options that decide about routing. Words are split as a POSIX shell does it, without expansion.
 * What says nothing about the request (-s, -o FILE, …) is passed over.
 */
export interface CurlRequest {
  readonly url: string;
  readonly method?: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Options whose next word is theirs and not the URL. */
const WITH_VALUE = new Set([
  '-o', '--output', '-m', '--max-time', '--connect-timeout', '-w', '--write-out', '-u', '--user', '--cacert', '--cert', '-E', '--key',
  '-x', '--proxy', '--resolve', '--connect-to', '--retry', '-c', '--cookie-jar', '-T', '--upload-file', '-D', '--dump-header', '-r', '--range',
]); // oxfmt-ignore
const BODY = new Set(['-d', '--data', '--data-raw', '--data-binary', '--data-ascii', '--data-urlencode', '-F', '--form', '--json']);
/** Short options whose value may stand in the same word: -XPOST, -Hname:value. */
const GLUED = /^-(?<option>[XHbAedFuo])(?<value>.+)$/s;

/** @throws Error with what is wrong, for people */
export function parseCurl(text: string): CurlRequest {
  const words = shellWords(text);
  if (words[0] !== undefined && /(?:^|\/)curl$/.test(words[0])) words.shift();
  let url: string | undefined;
  let method: string | undefined;
  let hasBody = false;
  const headers: [string, string][] = [];
  const queue = [...words];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    const glued = GLUED.exec(word)?.groups;
    if (glued !== undefined) {
      queue.unshift(glued['value'] ?? '');
      word = `-${glued['option'] ?? ''}`;
    }
    const equals = /^(?<option>--[\w-]+)=(?<value>.*)$/s.exec(word)?.groups;
    if (equals !== undefined) {
      queue.unshift(equals['value'] ?? '');
      word = equals['option'] ?? '';
    }
    if (word === '-X' || word === '--request') method = queue.shift();
    else if (word === '-I' || word === '--head') method ??= 'HEAD';
    else if (word === '-H' || word === '--header') headers.push(headerOf(queue.shift() ?? ''));
    else if (word === '-b' || word === '--cookie') headers.push(['cookie', queue.shift() ?? '']);
    else if (word === '-A' || word === '--user-agent') headers.push(['user-agent', queue.shift() ?? '']);
    else if (word === '-e' || word === '--referer') headers.push(['referer', queue.shift() ?? '']);
    else if (word === '--url') url = queue.shift();
    else if (BODY.has(word)) {
      hasBody = true;
      queue.shift();
    } else if (WITH_VALUE.has(word)) queue.shift();
    else if (!word.startsWith('-')) url ??= word;
  }
  if (url === undefined || url === '')
    throw new Error('there is no URL in it: expected something like curl -H "end-user: jason" http://reviews/reviews/0');
  method ??= hasBody ? 'POST' : undefined;
  return { url, headers, ...(method === undefined ? {} : { method }) };
}

function headerOf(line: string): [string, string] {
  const colon = line.indexOf(':');
  if (colon < 1) throw new Error(`expected a header as 'name: value', found '${line}'`);
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}

function shellWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  const source = text.trim().replaceAll(/\\\r?\n/g, ' ');
  for (let i = 0; i < source.length; i++) {
    const char = source[i] ?? '';
    if (quote === "'") {
      if (char === quote) quote = '';
      else word += char;
    } else if (char === '\\') {
      word = (word ?? '') + (source[++i] ?? '');
    } else if (quote === '"') {
      if (char === quote) quote = '';
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + char;
  }
  if (quote !== '') throw new Error(`a quotation mark ${quote} is not closed`);
  if (word !== undefined) words.push(word);
  return words;
}
