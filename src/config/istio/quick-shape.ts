/**
 * Schemas as plain predicates, for the documents there is nothing to say about: of ten thousand routes nearly all. It is only ever an accelerator: a
 * predicate that holds means that the schema accepts the value as it is; where it does not hold, or a schema has something this file does not know, the
 * schema decides (quick-shape.test.ts holds both to the same answers).
 */
import { z } from 'zod';

export type Predicate = (value: unknown) => boolean;

const MADE = new WeakMap<z.core.$ZodType, Predicate>();
const NEVER: Predicate = () => false;

/** Made once a schema; never holds for a schema that cannot be told quickly. */
export function quickly(schema: z.core.$ZodType): Predicate {
  let predicate = MADE.get(schema);
  if (predicate === undefined) {
    predicate = predicateOf(schema) ?? NEVER;
    MADE.set(schema, predicate);
  }
  return predicate;
}

function predicateOf(schema: z.core.$ZodType): Predicate | undefined {
  if (schema instanceof z.ZodExactOptional) return predicateOf(schema.def.innerType);
  if (schema instanceof z.ZodNullable) {
    const inner = predicateOf(schema.def.innerType);
    return inner === undefined ? undefined : (value) => value === null || inner(value);
  }
  const checks = (schema._zod.def.checks ?? []).map(checkOf);
  if (!checks.every((check) => check !== undefined)) return undefined;
  const base = baseOf(schema);
  if (base === undefined || checks.length === 0) return base;
  const [first, second, third] = checks;
  if (first === undefined || checks.length > 3) return undefined;
  if (second === undefined) return (value) => base(value) && first(value);
  if (third === undefined) return (value) => base(value) && first(value) && second(value);
  return (value) => base(value) && first(value) && second(value) && third(value);
}

function baseOf(schema: z.core.$ZodType): Predicate | undefined {
  if (schema instanceof z.ZodString) return (value) => typeof value === 'string';
  if (schema instanceof z.ZodBoolean) return (value) => typeof value === 'boolean';
  if (schema instanceof z.ZodUnknown) return () => true;
  if (schema instanceof z.ZodEnum || schema instanceof z.ZodLiteral) {
    const values: ReadonlySet<unknown> = new Set<unknown>(schema instanceof z.ZodEnum ? schema.options : schema.def.values);
    return (value) => values.has(value);
  }
  if (schema instanceof z.ZodNumberFormat) return NUMBERS[schema._zod.def.format];
  if (schema instanceof z.ZodNumber) return Number.isFinite;
  if (schema instanceof z.ZodArray) {
    const element = predicateOf(schema.def.element);
    return element === undefined ? undefined : (value) => Array.isArray(value) && value.every(element);
  }
  if (schema instanceof z.ZodUnion) {
    const options = schema.def.options.map(predicateOf);
    return options.every((option) => option !== undefined) ? (value) => options.some((option) => option(value)) : undefined;
  }
  if (schema instanceof z.ZodRecord) return recordOf(schema);
  return schema instanceof z.ZodObject ? objectOf(schema) : undefined;
}

const NUMBERS: Readonly<Record<string, Predicate>> = {
  safeint: Number.isSafeInteger,
  int32: (value) => typeof value === 'number' && value === (value | 0),
  uint32: (value) => typeof value === 'number' && value === value >>> 0,
};

function recordOf({ def }: z.ZodRecord): Predicate | undefined {
  const isText = def.keyType instanceof z.ZodString && (def.keyType._zod.def.checks ?? []).length === 0;
  const entry = isText ? predicateOf(def.valueType) : undefined;
  if (entry === undefined) return undefined;
  return (value) => {
    if (!isPlainObject(value)) return false;
    for (const key in value) if (!entry(value[key])) return false;
    return true;
  };
}

/** Strict ones only. */
function objectOf({ def, shape }: z.ZodObject): Predicate | undefined {
  if (!(def.catchall instanceof z.ZodNever)) return undefined;
  const fields = new Map<string, { readonly holds: Predicate; readonly isRequired: boolean }>();
  let required = 0;
  for (const [key, field] of Object.entries(shape)) {
    const holds = predicateOf(field);
    if (holds === undefined) return undefined;
    const isRequired = !(field instanceof z.ZodExactOptional);
    if (isRequired) required++;
    fields.set(key, { holds, isRequired });
  }
  return (value) => {
    if (!isPlainObject(value)) return false;
    let missing = required;
    for (const key in value) {
      const field = fields.get(key);
      if (field === undefined || !field.holds(value[key])) return false;
      if (field.isRequired) missing--;
    }
    return missing === 0;
  };
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** The rest of what is said of a value whose type is right. */
function checkOf(check: z.core.$ZodCheck): Predicate | undefined {
  if (check instanceof z.core.$ZodCheckMinLength) {
    const { minimum } = check._zod.def;
    return (value) => lengthOf(value) >= minimum;
  }
  if (check instanceof z.core.$ZodCheckMaxLength) {
    const { maximum } = check._zod.def;
    return (value) => lengthOf(value) <= maximum;
  }
  if (check instanceof z.core.$ZodCheckRegex) {
    const { pattern } = check._zod.def;
    return pattern.global || pattern.sticky ? undefined : (value) => typeof value === 'string' && pattern.test(value);
  }
  if (check instanceof z.core.$ZodCheckGreaterThan || check instanceof z.core.$ZodCheckLessThan) {
    const { value: limit, inclusive } = check._zod.def;
    if (typeof limit !== 'number' || !inclusive) return undefined;
    return check instanceof z.core.$ZodCheckGreaterThan
      ? (value) => typeof value === 'number' && value >= limit
      : (value) => typeof value === 'number' && value <= limit;
  }
  if (check instanceof z.core.$ZodCustom) {
    const { fn } = check._zod.def;
    return (value) => Boolean(fn(value));
  }
  return undefined;
}

function lengthOf(value: unknown): number {
  return typeof value === 'string' || Array.isArray(value) ? value.length : Number.NaN;
}
