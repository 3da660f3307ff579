/**
 * Configuration without the secrets in it, for whoever looks at it: answers of the API, differences, the text of a file.
 *
 * Secret is what a Secret holds; what the programs and servers of a resource are given by a name that says so (`env`, `headers`, `bearerToken`,
 * `secret`, options of commands); passwords and tokens in URLs; and keys that can be told by how they begin. A reference (`${NAME}`,
 * `{ file: PATH }`) is none.
 */
import { stringify } from 'yaml';
import type { Diagnostic } from '../base/diagnostic.ts';
import { isSecretParameter, redactTarget } from '../telemetry/redact.ts';
import { RUN_ANNOTATION, wireKind } from './resources.ts';
import { looksSecret } from './run.ts';
import { parseYaml } from './yaml.ts';
import { nodeAt, type Path, toPlain, type YamlNode } from './yaml-node.ts';

/** What stands in the place of a secret. */
export const REDACTED = '***';

/** Names whose value is a secret wherever it is handed over: variables, header fields, options. */
const SECRET_NAME = /authorization|cookie|token|secret|passw|passphrase|credential|signature|(?:api|access|private)[-_]?key/i;
/** Fields that hold nothing else. */
const SECRET_FIELDS: ReadonlySet<string> = new Set(['bearerToken', 'secret', 'password']);
/** What kubectl keeps of the whole resource. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const SECRET_PLACE =
  /\b(?:env|headers|requestHeaderModifier|responseHeaderModifier|queryParams|bearerToken|secret|password|url|command|run)\b/;
const URL_USER = /^([a-z][a-z0-9+.-]*:\/\/)[^/?#\s]*@/i;

/** A copy of a resource, or of the short form, with `***` for each secret. */
export function redacted<T>(value: T): T {
  // What is copied has the shape of what it is copied from: only texts are other ones.
  return walk(value, [], isSecretKind(value)) as T;
}

/** A problem as it is shown: its kind as documents call it, and of a place where secrets stand without what it quotes. */
export function redactedDiagnostic(found: Diagnostic): Diagnostic {
  const { kind, path, message, hint } = found;
  const diagnostic = { ...found, kind: wireKind(kind) };
  if (kind !== 'Secret' && !SECRET_PLACE.test(path)) return diagnostic;
  const clean = message.replaceAll(/"(?:[^"\\]|\\.)*"/g, `"${REDACTED}"`).replace(/\bfound .*$/s, `found ${REDACTED}`);
  // Those that say how to write it say it with the value.
  return {
    ...diagnostic,
    message: clean,
    ...(hint === undefined ? {} : { hint: hint.replace(/^(put it in quotes|remove the quotes): .*$/s, '$1') }),
  };
}

/** A copy of both, where secrets that differ can be told to. */
export function redactedPair<A, B>(before: A, after: B): readonly [A, B] {
  const [a, b] = [redacted(before), redacted(after)];
  // As of `redacted`.
  return [tell(before, after, a, b, 'before') as A, tell(after, before, b, a, 'after') as B];
}

function tell(mine: unknown, other: unknown, shown: unknown, otherShown: unknown, side: string): unknown {
  if (typeof shown === 'string') return shown === otherShown && mine !== other && typeof other === 'string' ? `${shown} (${side})` : shown;
  if (Array.isArray(shown))
    return shown.map((item, at) => tell(memberOf(mine, at), memberOf(other, at), item, memberOf(otherShown, at), side));
  if (!isMap(shown)) return shown;
  return Object.fromEntries(
    Object.entries(shown).map(([key, item]) => [
      key,
      tell(memberOf(mine, key), memberOf(other, key), item, memberOf(otherShown, key), side),
    ]),
  );
}

function memberOf(value: unknown, key: string | number): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSecretKind(value: unknown): boolean {
  return memberOf(value, 'kind') === 'Secret';
}

/** @param path Of keys only. */
function walk(value: unknown, path: readonly string[], inSecret: boolean): unknown {
  if (typeof value === 'string') return isSecretAt(value, path, inSecret) ? REDACTED : withoutUrlSecrets(value, path);
  if (Array.isArray(value)) return path.at(-1) === 'command' ? commandWords(value) : value.map((item) => walkItem(item, path, inSecret));
  if (!isMap(value)) return inSecret && isSecretAt(String(value), path, true) ? REDACTED : value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key], inSecret)]));
}

/** `headers: [{ key: Authorization, value: … }]`, as metrics, webhooks and routes of the Gateway API have them. */
function walkItem(item: unknown, path: readonly string[], inSecret: boolean): unknown {
  const name = memberOf(item, 'key') ?? memberOf(item, 'name');
  const value = memberOf(item, 'value');
  if (isMap(item) && typeof name === 'string' && typeof value === 'string' && isHanded(path)) {
    const isParameter = path.includes('queryParams') && isSecretParameter(name) && !value.includes('${');
    // A cookie that a rule matches is a name of a cohort, not a session.
    const isCohort = path.includes('matches') && name.toLowerCase() === 'cookie';
    if ((isParameter || isSecretValue(name, value)) && !isCohort) return { ...item, value: REDACTED };
  }
  return isSecretKind(item) ? redacted(item) : walk(item, path, inSecret);
}

const HANDED: ReadonlySet<string> = new Set(['env', 'headers', 'queryParams', 'requestHeaderModifier', 'responseHeaderModifier']);

function isHanded(path: readonly string[]): boolean {
  return path.some((key) => HANDED.has(key));
}

function isSecretAt(value: string, path: readonly string[], inSecret: boolean): boolean {
  const [field = '', parent = ''] = [path.at(-1), path.at(-2)];
  if (inSecret && (parent === 'data' || parent === 'stringData')) return true;
  if (field === LAST_APPLIED) return true;
  if (SECRET_FIELDS.has(field)) return !value.includes('${');
  if (isHanded(path)) {
    // A cookie that a rule matches is a name of a cohort, not a session.
    const isMatch = field === 'exact' || field === 'prefix' || field === 'regex';
    const name = isMatch ? parent : field;
    const isParameter = path.includes('queryParams') && isSecretParameter(name) && !value.includes('${');
    if (isParameter || isSecretValue(name, value)) return !(isMatch && name.toLowerCase() === 'cookie');
  }
  return looksSecret('', value);
}

function isSecretValue(name: string, value: string): boolean {
  return value !== '' && isSecretField(name) && !value.includes('${');
}

/** @param name Of a header field, a variable or an option. */
export function isSecretField(name: string): boolean {
  return SECRET_NAME.test(name);
}

function withoutUrlSecrets(value: string, path: readonly string[]): string {
  if (path.at(-1) === RUN_ANNOTATION) return annotationWithoutSecrets(value);
  if (path.at(-1) === 'run' || path.at(-1) === 'command') return commandLine(value);
  if (!/^(?:[a-z][a-z0-9+.-]*:\/)?\//i.test(value)) return value;
  return redactTarget(value).replace(URL_USER, `$1${REDACTED}@`);
}

function annotationWithoutSecrets(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    const clean = JSON.stringify(walk(value, [], false));
    return clean === JSON.stringify(value) ? text : clean;
  } catch {
    return REDACTED;
  }
}

/** The short form's command in one text. */
function commandLine(text: string): string {
  const words = commandWords(text.split(/(?<=\s)(?=\S)/).map((word) => word.trim()));
  return words.includes(REDACTED) || words.some((word) => typeof word === 'string' && word.endsWith(`=${REDACTED}`))
    ? words.join(' ')
    : text;
}

/** `--token=abc`, and `--token abc`. */
function commandWords(words: readonly unknown[]): unknown[] {
  return words.map((word, at) => {
    if (typeof word !== 'string') return word;
    const { option, value } = /^(?<option>--?[A-Za-z][\w-]*=)(?<value>.+)$/s.exec(word)?.groups ?? {};
    if (option !== undefined && value !== undefined) return isSecretValue(option, value) ? `${option}${REDACTED}` : word;
    const before = words[at - 1];
    const isAfterOption = typeof before === 'string' && /^--?[A-Za-z][\w-]*$/.test(before) && !word.startsWith('-');
    return (isAfterOption && isSecretValue(before, word)) || looksSecret('', word) ? REDACTED : withoutUrlSecrets(word, []);
  });
}

/**
 * The text of one YAML document with `***` for each secret: as it was written where that can be done, else written anew, as every Secret is, because
 * comments may hold what values no longer do.
 */
export function redactedText(text: string): string {
  const [document, ...others] = parseYaml(text).documents;
  if (document === undefined || others.length > 0) return '';
  const plain = toPlain(document);
  const clean = redacted(plain);
  const secrets = differences(plain, clean, []);
  const anew = (): string => stringify(clean, { lineWidth: 0, aliasDuplicateObjects: false });
  if (isSecretKind(plain)) return anew();
  if (secrets.length === 0) return text;
  const edited = replaceAll(text, document, secrets);
  if (edited === undefined) return anew();
  const isClean = secrets.every(({ value }) => !edited.includes(value));
  return isClean ? edited : anew();
}

interface Difference {
  readonly path: Path;
  readonly value: string;
  readonly clean: string;
}

function differences(value: unknown, clean: unknown, path: Path): Difference[] {
  if (typeof clean === 'string') return value === clean ? [] : [{ path, value: String(value), clean }];
  if (Array.isArray(clean)) return clean.flatMap((item, at) => differences(memberOf(value, at), item, [...path, at]));
  return isMap(clean) ? Object.entries(clean).flatMap(([key, item]) => differences(memberOf(value, key), item, [...path, key])) : [];
}

/** Undefined where a value stands in the text in a way that is not put in its place so easily: over lines, with escapes, as an alias. */
function replaceAll(text: string, document: YamlNode, secrets: readonly Difference[]): string | undefined {
  const edits = new Map<number, { readonly end: number; readonly clean: string }>();
  for (const { path, value, clean } of secrets) {
    const node = nodeAt(document, path);
    if (node?.type !== 'scalar') return undefined;
    const quote = node.plain === undefined ? (text[node.offset] ?? '') : '';
    if (!text.startsWith(`${quote}${value}${quote}`, node.offset) || !/^["']?$/.test(quote)) return undefined;
    edits.set(node.offset, { end: node.offset + value.length + 2 * quote.length, clean });
  }
  let result = '';
  let from = 0;
  for (const [offset, { end, clean }] of [...edits].sort(([a], [b]) => a - b)) {
    result += `${text.slice(from, offset)}${JSON.stringify(clean)}`;
    from = end;
  }
  return result + text.slice(from);
}
