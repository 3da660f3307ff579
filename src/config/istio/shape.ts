/**
 * Holds a value against a schema and says what is wrong in Serin's words; and walks schemas: which keys an object may have, and which
 * fields are marked as not honoured.
 */
import { z } from 'zod';
import { nearest } from '../../base/nearest.ts';
import { isSecretParameter } from '../../telemetry/redact.ts';
import { show, type Place } from '../report.ts';
import type { Path } from '../yaml-node.ts';
import { quickly } from './quick-shape.ts';
import { FOREIGN_WORDS, FORMATS, MARKS, type Mark } from './fields.ts';

/**
 * Reports every difference between `value` and `schema` at its own place; true when there is none. A function like this rather than a type
 * guard on the schema's output keeps the parsed object itself, so nothing is copied.
 */
export function checkShape<T extends z.ZodType>(schema: T, value: unknown, place: Place): value is z.infer<T> {
  if (quickly(schema)(value)) return true;
  const result = schema.safeParse(value);
  if (result.success) return true;
  for (const issue of result.error.issues) reportIssue(schema, value, issue, place);
  return false;
}

function reportIssue(schema: z.ZodType, value: unknown, issue: z.core.$ZodIssue, place: Place): void {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  let at = place;
  for (const step of path) at = at.at(step);
  const found = valueAt(value, path);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const object = schemaAt(schema, path);
      const known = keysOf(object);
      const words = (object === undefined ? undefined : FOREIGN_WORDS.get(object)) ?? {};
      for (const key of issue.keys) {
        const hint = Object.hasOwn(words, key) ? words[key] : unknownKeyHint(key, known);
        at.at(key).keyError('E_UNKNOWN_KEY', `unknown key ${show(key)}`, hint);
      }
      return;
    }
    case 'invalid_type':
      if (found === undefined) at.error('E_REQUIRED', `${String(path.at(-1) ?? 'value')} is required`);
      else if (isSecretAt(place, path) && typeof found === 'number')
        at.error('E_TYPE', `expected ${typeName(issue.expected)}, found a number`, 'put it in quotes');
      else at.error('E_TYPE', `expected ${typeName(issue.expected)}, found ${describe(found)}`, typeHint(issue.expected, found));
      return;
    case 'invalid_value':
      if (found === undefined) {
        at.error('E_REQUIRED', `${String(path.at(-1) ?? 'value')} is required`, `one of ${issue.values.map(String).join(', ')}`);
      } else if (typeof found === 'string') {
        const values = issue.values.map(String);
        const close = nearest(found, values);
        at.error(
          'E_ENUM',
          `expected one of ${values.join(', ')}, found ${show(found)}`,
          close === undefined ? undefined : `did you mean ${close}?`,
        );
      } else {
        at.error('E_TYPE', `expected one of ${issue.values.map(String).join(', ')}, found ${describe(found)}`);
      }
      return;
    case 'too_small':
      at.error(
        'E_RANGE',
        `${measure(issue.origin)} must be ${issue.inclusive === false ? '>' : '>='} ${issue.minimum}, found ${size(found)}`,
      );
      return;
    case 'too_big':
      at.error(
        'E_RANGE',
        `${measure(issue.origin)} must be ${issue.inclusive === false ? '<' : '<='} ${issue.maximum}, found ${size(found)}`,
      );
      return;
    case 'invalid_format':
    case 'custom': {
      const target = schemaAt(schema, path);
      const format = target === undefined ? undefined : FORMATS.get(target);
      if (format !== undefined) {
        at.error(format.code, `expected ${format.expected}, found ${show(found)}`, format.hint);
        return;
      }
      at.error('E_TYPE', issue.message.charAt(0).toLowerCase() + issue.message.slice(1));
      return;
    }
    default:
      at.error('E_TYPE', issue.message.charAt(0).toLowerCase() + issue.message.slice(1));
  }
}

/** Of passwords some are numbers to YAML. */
function isSecretAt({ report }: Place, path: Path): boolean {
  const isData = path.includes('data') || path.includes('stringData');
  return (report.id.kind === 'Secret' && isData) || isSecretParameter(String(path.at(-1)));
}

function measure(origin: string): string {
  if (origin === 'string') return 'length';
  if (origin === 'array' || origin === 'set' || origin === 'map') return 'number of entries';
  return 'value';
}

function size(found: unknown): string {
  if (typeof found === 'string' || Array.isArray(found)) return String(found.length);
  return show(found);
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
};

function typeName(expected: string): string {
  return TYPE_NAMES[expected] ?? expected;
}

function describe(found: unknown): string {
  if (found === null) return 'nothing (null)';
  if (typeof found === 'string') return `the text ${show(found)}`;
  return show(found);
}

function typeHint(expected: string, found: unknown): string | undefined {
  if (found === null) return 'give it a value or remove the key';
  if (expected === 'string' && (typeof found === 'number' || typeof found === 'boolean')) return `put it in quotes: "${String(found)}"`;
  if ((expected === 'number' || expected === 'int') && typeof found === 'string' && found.trim() !== '' && Number.isFinite(Number(found))) {
    return `remove the quotes: ${found.trim()}`;
  }
  if (expected === 'boolean' && typeof found === 'string') {
    if (/^(?:y|yes|on|true)$/i.test(found)) return 'write true';
    if (/^(?:n|no|off|false)$/i.test(found)) return 'write false';
  }
  if (expected === 'array') return 'start each entry on a line of its own with -';
  return undefined;
}

/** `did you mean …?`, minding case (`Hosts` for `hosts`) before spelling; else the keys there are. */
export function unknownKeyHint(key: string, known: readonly string[]): string | undefined {
  const sameLetters = known.find((candidate) => candidate.toLowerCase() === key.toLowerCase().replaceAll('_', ''));
  const close = sameLetters ?? nearest(key, known);
  if (close !== undefined) return `did you mean ${close}?`;
  return known.length === 0 ? undefined : `known keys: ${known.join(', ')}`;
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const step of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = Object.hasOwn(at, step) ? Reflect.get(at, step) : undefined;
  }
  return at;
}

// --- walking schemas ----------------------------------------------------------------------------------------------------------------

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodExactOptional || schema instanceof z.ZodNullable ? unwrap(schema.unwrap()) : schema;
}

/** The schema of the field at `path`, whether it is optional or not; undefined where the schema has no such field. */
export function schemaAt(schema: z.core.$ZodType, path: Path): z.core.$ZodType | undefined {
  let at: z.core.$ZodType | undefined = unwrap(schema);
  for (const step of path) {
    if (at instanceof z.ZodObject) at = at.shape[String(step)];
    else if (at instanceof z.ZodArray) at = at.element;
    else if (at instanceof z.ZodRecord) at = at.valueType;
    else return undefined;
    if (at === undefined) return undefined;
    at = unwrap(at);
  }
  return at;
}

function keysOf(schema: z.core.$ZodType | undefined): readonly string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

/** One field of a schema: `http[].match[].headers`, in the order of the schema. */
export interface SchemaField {
  readonly path: string;
  readonly mark: Mark | undefined;
}

/** Every field below `schema`; below a field that is not honoured nothing is listed, it shares its fate. */
export function* schemaFields(schema: z.core.$ZodType, prefix = ''): Generator<SchemaField> {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodArray) yield* schemaFields(inner.element, `${prefix}[]`);
  else if (inner instanceof z.ZodRecord) yield* schemaFields(inner.valueType, `${prefix}{}`);
  else if (inner instanceof z.ZodObject) {
    for (const [key, field] of Object.entries(inner.shape)) {
      const path = prefix === '' ? key : `${prefix}.${key}`;
      const mark = MARKS.get(field);
      yield { path, mark };
      if (mark?.fate !== 'warned') yield* schemaFields(field, path);
    }
  }
}

/** Where in a schema the fields marked as not honoured are, for a walk that visits nothing else. */
export interface MarkTree {
  readonly text: string | undefined;
  /** By key; `[]` for list items, `{}` for the values of maps. */
  readonly children: ReadonlyMap<string, MarkTree>;
}

export function markTree(schema: z.core.$ZodType): MarkTree {
  const root: MutableMarkTree = { text: undefined, children: new Map() };
  for (const { path, mark } of schemaFields(schema)) {
    if (mark?.fate !== 'warned') continue;
    let node = root;
    for (const step of path.replaceAll('[]', '.[]').replaceAll('{}', '.{}').split('.')) {
      const child: MutableMarkTree = node.children.get(step) ?? { text: undefined, children: new Map() };
      node.children.set(step, child);
      node = child;
    }
    node.text = mark.text;
  }
  return root;
}

interface MutableMarkTree {
  text: string | undefined;
  readonly children: Map<string, MutableMarkTree>;
}

/** Warns once for each marked field that is set in `value`, at its first place, with how many there are. */
export function warnNotHonoured(tree: MarkTree, value: unknown, place: Place): void {
  const found = new Map<MarkTree, { readonly place: Place; readonly key: string; count: number }>();
  const visit = (node: MarkTree, at: unknown, here: Place): void => {
    if (typeof at !== 'object' || at === null) return;
    for (const [key, child] of node.children) {
      if (key === '[]' || key === '{}') {
        for (const [step, item] of Object.entries(at)) visit(child, item, here.at(Array.isArray(at) ? Number(step) : step));
        continue;
      }
      if (!Object.hasOwn(at, key)) continue;
      if (child.text === undefined) {
        visit(child, Reflect.get(at, key), here.at(key));
        continue;
      }
      const earlier = found.get(child);
      if (earlier === undefined) found.set(child, { place: here.at(key), key, count: 1 });
      else earlier.count++;
    }
  };
  visit(tree, value, place);
  for (const [{ text }, { place: first, key, count }] of found) {
    const times = count === 1 ? '' : ` (${count} times in this resource)`;
    first.warn('W_NOT_HONOURED', `${key} has no effect in this release: ${text ?? ''}${times}`);
  }
}
