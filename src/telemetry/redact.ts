/** Secrets people put into addresses, kept out of logs and traces (reliability S-13). */

const REDACTED = 'redacted';

/** Parts of names whose values are secrets, wherever they stand in the name. */
const SECRET_PART = /token|secret|passw|signature|credential|api[-_]?key|auth(?!ors?$)|session|serin-preview/i;
/** Names that are too short to be looked for within others. */
const SECRET_NAME = /^(?:key|sig|pwd|code|x-amz-security-token)$/i;

/** User and password of an address that is no path. */
const USER = /^(?<scheme>(?:[a-z][a-z0-9+.-]*:\/\/)?)[^/?#]*@/i;

/** @param name Of a parameter of a query, or of what is handed on like one. */
export function isSecretParameter(name: string): boolean {
  return SECRET_PART.test(name) || SECRET_NAME.test(name);
}

/**
 * @param address Path, or a whole address, with its query.
 * @returns It, with `redacted` for the value of each parameter whose name is one of a secret, and for user and password.
 */
export function redactTarget(address: string): string {
  const target = address.startsWith('/') ? address : address.replace(USER, `$<scheme>${REDACTED}@`);
  const question = target.indexOf('?');
  if (question === -1) return target;
  const query = target.slice(question + 1);
  if (!query.includes('=')) return target;
  return `${target.slice(0, question)}?${query.split('&').map(redactPair).join('&')}`;
}

/** Headers whose values are secrets, as programs print them: with what comes after `:` or `=`, quoted or not, to the end of the quote or the line. */
const HEADER =
  /(?<![\w-])(?<name>"?(?:proxy-)?authorization"?|"?(?:set-)?cookie"?|"?x-api-key"?|"?x-serin-preview"?)(?<gap>\s*[:=]\s*)(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^"'\s].*)/gi;
/** `scheme://user:password@host` */
const URL_PASSWORD = /(?<before>\b[a-z][a-z0-9+.-]{0,31}:\/\/[^/@:\s]{0,256}:)[^/@\s]{1,1024}(?=@)/gi;
/** Tokens of this program, and those of widely used services that are known by their beginning. */
const TOKEN =
  /\b(?:serin_[\w-]{20,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|sk_live_\w{10,}|eyJ[\w-]{4,}\.eyJ[\w-]{4,}\.[\w-]*)/g;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----.*/g;
/** `name=value` of a query or a setting, and `"name": "value"`. */
const PAIR = /(?<name>"?(?<bare>[\w.%-]{1,128})"?)(?<gap>=|"\s{0,8}:\s{0,8})(?<value>"(?:[^"\\]|\\.)*"|[^\s&"',;)}]{1,4096})/g;

/** A line some program printed, without what is known to be a secret by where it stands or how it begins. */
export function redactLine(line: string): string {
  return line
    .replace(PRIVATE_KEY, REDACTED)
    .replace(HEADER, `$<name>$<gap>${REDACTED}`)
    .replace(URL_PASSWORD, `$<before>${REDACTED}`)
    .replace(TOKEN, REDACTED)
    .replace(PAIR, (pair, name: string, bare: string, gap: string, value: string) => {
      if (!isSecretParameter(decoded(bare))) return pair;
      return `${name}${gap}${value.startsWith('"') ? `"${REDACTED}"` : REDACTED}`;
    });
}

/** @param values Of secrets that are known, the longest first. */
export function redactValues(line: string, values: readonly string[]): string {
  return values.reduce((text, value) => (text.includes(value) ? text.replaceAll(value, REDACTED) : text), line);
}

function redactPair(pair: string): string {
  const equals = pair.indexOf('=');
  if (equals === -1) return pair;
  return isSecretParameter(decoded(pair.slice(0, equals))) ? `${pair.slice(0, equals)}=${REDACTED}` : pair;
}

/** `t%6Fken` is `token` to whoever reads the query. */
function decoded(name: string): string {
  if (!name.includes('%')) return name;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
