/**
 * Reading a JSON body strictly: bounded in bytes and depth, no key twice, none that touches prototypes, no field nobody asked for.
 *
 * `JSON.parse` takes the last of two equal keys in silence and makes `__proto__` an own key that a later copy would follow; both are refused
 * here, before anything looks at the value.
 */
import { z } from 'zod';
import { nearest } from '../base/nearest.ts';
import { type FieldError, ProblemError } from './problem.ts';

export const MAX_BODY_BYTES = 8 * 1024 * 1024;
const MAX_DEPTH = 64;
const RESERVED_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** @throws ProblemError 413, 400 or 422 */
export async function readJsonBody<Schema extends z.ZodObject>(request: Request, schema: Schema): Promise<z.infer<Schema>> {
  return validate(parseStrictJson(await readText(request)), schema);
}

async function readText(request: Request): Promise<string> {
  const tooLarge = (): ProblemError =>
    new ProblemError(413, 'E_ADMIN_BODY_TOO_LARGE', `the body is larger than ${MAX_BODY_BYTES} bytes`, {
      headers: { connection: 'close' },
    });
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw new ProblemError(400, 'E_JSON_SYNTAX', 'the body is not UTF-8', {}, { cause: error });
  }
}

/** @throws ProblemError 400 with line and column where the parser knows them */
function parseStrictJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ProblemError(
      400,
      'E_JSON_SYNTAX',
      text.trim() === '' ? 'the body is empty; expected JSON' : syntaxDetail(error, text),
      {},
      { cause: error },
    );
  }
  checkKeys(text);
  return value;
}

/** V8's message says what is wrong but not always where, so the place is looked for. */
function syntaxDetail(error: unknown, text: string): string {
  const message = error instanceof Error ? error.message : String(error);
  const what = message
    .replace(/ in JSON at position.*$/, '')
    .replace(/ at position.*$/, '')
    .replace(/, (?:\.\.\.)?"[\s\S]*$/, '');
  const before = text.slice(0, errorPosition(message, text)).split('\n');
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}: ${what}`;
}

/** Index of the first character that no JSON text could have there; the length where the text is only too short. */
function errorPosition(message: string, text: string): number {
  const position = /at position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return Number(position);
  // `Unexpected token` comes without a position. A beginning that could still become JSON fails at its own end, a longer one before it.
  let viable = 0;
  let broken = text.length;
  while (viable < broken) {
    const middle = Math.ceil((viable + broken) / 2);
    if (couldBecomeJson(text.slice(0, middle))) viable = middle;
    else broken = middle - 1;
  }
  return viable;
}

function couldBecomeJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    return (
      /^Unexpected end|^Unterminated/.test(message) ||
      message.includes(`at position ${text.length} `) ||
      message.endsWith(`at position ${text.length}`)
    );
  }
}

/** Walks the text of valid JSON once, without recursion; a string followed by a colon is a key. */
function checkKeys(text: string): void {
  const open: (Set<unknown> | undefined)[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '{' || char === '[') {
      open.push(char === '{' ? new Set() : undefined);
      if (open.length > MAX_DEPTH) throw new ProblemError(400, 'E_JSON_DEPTH', `the body is nested deeper than ${MAX_DEPTH} levels`);
    } else if (char === '}' || char === ']') {
      open.pop();
    } else if (char === '"') {
      const end = endOfString(text, at);
      AFTER_KEY.lastIndex = end;
      if (AFTER_KEY.test(text)) checkKey(JSON.parse(text.slice(at, end)), open.at(-1));
      at = end - 1;
    }
  }
}

const AFTER_KEY = /\s*:/y;

/** Index after the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function checkKey(key: unknown, seen: Set<unknown> | undefined): void {
  if (typeof key === 'string' && RESERVED_KEYS.has(key))
    throw new ProblemError(400, 'E_JSON_RESERVED_KEY', `the key ${JSON.stringify(key)} is not allowed`);
  if (seen?.has(key) === true)
    throw new ProblemError(400, 'E_JSON_DUPLICATE_KEY', `the key ${JSON.stringify(key)} stands twice in one object`);
  seen?.add(key);
}

/** @throws ProblemError 422 with a pointer for every field that is wrong */
function validate<Schema extends z.ZodObject>(value: unknown, schema: Schema): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const found = result.error.issues.flatMap((issue) => fieldErrors(issue, Object.keys(schema.shape)));
  // The first thing that is wrong with a field is enough: what is no number is out of range, too.
  const errors = found.filter((error, index) => found.findIndex((other) => other.pointer === error.pointer) === index);
  throw new ProblemError(
    422,
    'E_REQUEST_INVALID',
    errors.map((error) => `${error.pointer === '' ? 'body' : error.pointer}: ${error.message}`).join('; '),
    {
      errors,
    },
  );
}

function fieldErrors(issue: z.core.$ZodIssue, known: readonly string[]): FieldError[] {
  const pointer = issue.path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  if (issue.code !== 'unrecognized_keys') return [{ pointer, message: lowerFirst(issue.message) }];
  return issue.keys.map((key) => {
    const suggestion = issue.path.length === 0 ? nearest(key, known) : undefined;
    return { pointer: `${pointer}/${key}`, message: `unknown field${suggestion === undefined ? '' : `; did you mean ${suggestion}?`}` };
  });
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
