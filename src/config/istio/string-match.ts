/** StringMatch (one of exact, prefix, regex) and the RE2 patterns in it, as Istio's validateStringMatch has them. */
import { RE2JS, RE2JSException, RE2JSSyntaxException } from 're2js';
import type { StringMatch } from '../resources.ts';
import { show, type Place } from '../report.ts';

/** Istio's limit, in bytes: what Envoy makes of a longer one may not fit its program size. */
const MAX_REGEX_BYTES = 1024;

const FORMS = ['exact', 'prefix', 'regex'] as const;

export interface StringMatchRules {
  /** `prefix: ""` is allowed (uri only: it matches everything). */
  readonly allowEmptyPrefix?: boolean;
  /** `regex: "*"` means presence (withoutHeaders only, as Istio has it). */
  readonly allowStar?: boolean;
}

/** `{}` is allowed: what it means (presence, or nothing) is the field's matter. */
export function checkStringMatch(match: StringMatch | undefined, place: Place, rules: StringMatchRules = {}): void {
  if (match === undefined) return;
  const forms = FORMS.filter((form) => match[form] !== undefined);
  if (forms.length > 1) {
    place.error('E_STRING_MATCH', `expected one of exact, prefix and regex, found ${forms.join(' and ')}`, 'keep one of them');
    return;
  }
  if (match.prefix === '' && rules.allowEmptyPrefix !== true) {
    place.at('prefix').error('E_STRING_MATCH', 'prefix is empty and would match everything', 'use {} to match any value');
  }
  if (match.regex !== undefined && !(match.regex === '*' && rules.allowStar === true)) checkRegex(match.regex, place.at('regex'));
}

export function checkRegex(pattern: string, place: Place): void {
  if (pattern === '') {
    place.error('E_REGEX', 'regular expression is empty', 'use .* to match everything');
    return;
  }
  const bytes = Buffer.byteLength(pattern);
  if (bytes > MAX_REGEX_BYTES) {
    place.error('E_REGEX', `regular expression has ${bytes} bytes, ${MAX_REGEX_BYTES} are allowed`);
    return;
  }
  const problem = regexProblem(pattern);
  if (problem === undefined) return;
  if (/\(\?(?:=|!|<=|<!|>)|\\[1-9]|\\k</.test(pattern)) {
    place.error(
      'E_REGEX_UNSUPPORTED',
      `regular expression ${show(pattern)}: ${problem}`,
      'RE2 has no look-around, back-references or atomic groups; rewrite it without',
    );
  } else {
    place.error(
      'E_REGEX',
      `regular expression ${show(pattern)}: ${problem}`,
      'the syntax is RE2: https://github.com/google/re2/wiki/Syntax',
    );
  }
}

/** Patterns that compiled, so that ten thousand equal ones cost one. */
const GOOD = new Set<string>();
const MAX_REMEMBERED = 10_000;

/** Why `pattern` is no RE2, with the place in it where that is known. */
function regexProblem(pattern: string): string | undefined {
  if (GOOD.has(pattern)) return undefined;
  try {
    RE2JS.compile(pattern);
    if (GOOD.size < MAX_REMEMBERED) GOOD.add(pattern);
    return undefined;
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) {
      const part = error.getPattern() ?? '';
      const at = part === '' ? -1 : pattern.indexOf(part);
      return `${error.getDescription()}${part === '' || part === pattern ? '' : ` ${show(part)}`}${at > 0 ? ` at character ${at + 1}` : ''}`;
    }
    if (error instanceof RE2JSException || error instanceof RangeError) return error.message;
    throw error;
  }
}
