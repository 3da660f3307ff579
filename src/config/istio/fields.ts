/**
 * Building blocks of the schemas: numbers as protobuf has them, and the mark that says what becomes of a field.
 *
 * Every field of a schema is honoured unless it is made with `later` (valid, but no effect yet: W_NOT_HONOURED with the text given) or `partly`
 * (some values have no effect; the rule that knows which ones warns). docs/compatibility.md is generated from these marks.
 */
import { z } from 'zod';

export interface Mark {
  readonly fate: 'warned' | 'partly';
  /** What is not done. */
  readonly text: string;
}

export const MARKS = z.registry<Mark>();

export const optional = z.exactOptional;

/** An optional field that is validated but has no effect in this release. */
export function later<T extends z.ZodType>(schema: T, text: string): z.ZodExactOptional<T> {
  const field = z.exactOptional(schema);
  MARKS.add(field, { fate: 'warned', text });
  return field;
}

/** An optional field some of whose values have no effect in this release. */
export function partly<T extends z.ZodType>(schema: T, text: string): z.ZodExactOptional<T> {
  const field = z.exactOptional(schema);
  MARKS.add(field, { fate: 'partly', text });
  return field;
}

export const text = z.string();
export const bool = z.boolean();
export const int32 = z.int32();
export const uint32 = z.uint32();
export const texts = z.array(text);
export const textMap = z.record(z.string(), z.string());

export const portSelector = z.strictObject({ number: optional(uint32) });
export const destination = z.strictObject({ host: text, subset: optional(text), port: optional(portSelector) });
export const percent = z.strictObject({ value: optional(z.number()) });
