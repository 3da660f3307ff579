/**
 * Building blocks of the schemas: numbers as protobuf has them, and the mark that says what becomes of a field.
 *
 * Every field of a schema is honoured unless it is made with `later` (valid, but no effect yet: W_NOT_HONOURED with the text given) or `partly`
 * (some values have no effect; the rule that knows which ones warns) or `unused` (says something to a kubeCluster only, and nobody expects more of it:
 * no warning). docs/compatibility.md is generated from these marks.
 */
import { z } from 'zod';
import type { Code } from '../codes.ts';

export interface Mark {
  readonly fate: 'warned' | 'partly' | 'unused';
  /** What is not done. */
  readonly text: string;
}

export const MARKS = z.registry<Mark>();

export const optional = z.exactOptional;

/** Words an object of this schema does not have although another tool's has them, each with what to write instead. */
export const FOREIGN_WORDS = z.registry<Readonly<Record<string, string>>>();

/** What a text has to look like, for whom it does not: `expected a host name, found "A B"`. */
export interface Format {
  readonly code: Code;
  readonly expected: string;
  readonly hint?: string;
}

/** Of texts whose schema has a pattern or a rule of its own. */
export const FORMATS = z.registry<Format>();

export function formatted<T extends z.ZodType>(schema: T, format: Format): T {
  FORMATS.add(schema, format);
  return schema;
}

/** An object that says of each of `words` why it is refused, rather than only that it is unknown. */
export function foreign<T extends z.ZodType>(schema: T, words: Readonly<Record<string, string>>): T {
  FOREIGN_WORDS.add(schema, words);
  return schema;
}

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

/** As `partly`, for a field that is required. */
export function partlyRequired<T extends z.ZodType>(schema: T, text: string): T {
  MARKS.add(schema, { fate: 'partly', text });
  return schema;
}

/** An optional field that says something to a kubeCluster only. */
export function unused<T extends z.ZodType>(schema: T, text: string): z.ZodExactOptional<T> {
  const field = z.exactOptional(schema);
  MARKS.add(field, { fate: 'unused', text });
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
