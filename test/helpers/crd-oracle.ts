/**
 * A Kubernetes API server's judgement of a resource's spec by its custom resource definition: unknown fields, nulls, defaults, structural schema,
 * formats, list types and CEL rules. Rules about what a field was before an update are left out.
 */
import { celEnv, type CelInput, celMap, isCelError, parse, plan } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { isIPv4, isIPv6 } from 'node:net';
import { parseAllDocuments } from 'yaml';

type Schema = Readonly<Record<string, unknown>>;

/** What a rule came to in the documents that were judged; only those of the right structure come to it. */
export interface Outcome {
  readonly held: boolean;
  readonly failed: boolean;
}

export class CrdOracle {
  readonly #validators = new Map<string, { readonly schema: Schema; readonly validate: ValidateFunction }>();
  readonly #env = celEnv({ funcs: [...strings] });
  readonly #programs = new Map<string, ReturnType<typeof plan>>();
  readonly #judged: (readonly [string, boolean])[] = [];
  readonly #outcomes = new Map<string, { held: boolean; failed: boolean }>();

  /** @param text Of one file of definitions or more. */
  constructor(text: string) {
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    ajv.addFormat('int32', { type: 'number', validate: (value: number) => Number.isInteger(value) && Math.abs(value) <= 2 ** 31 });
    ajv.addFormat('int64', { type: 'number', validate: Number.isInteger });
    ajv.addFormat('double', true);
    ajv.addFormat('byte', /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/);
    ajv.addFormat('ipv4', isIPv4);
    ajv.addFormat('ipv6', (value: string) => isIPv6(value) && !value.includes('%'));
    for (const document of parseAllDocuments(text)) {
      const definition = asRecord(document.toJS());
      const spec = asRecord(definition['spec']);
      const kind = String(asRecord(spec['names'])['kind']);
      for (const version of asList(spec['versions'])) {
        const { name, schema } = asRecord(version);
        const open = asRecord(asRecord(schema)['openAPIV3Schema']);
        const specSchema = asRecord(asRecord(open['properties'])['spec']);
        this.#validators.set(`${String(spec['group'])}/${String(name)} ${kind}`, {
          schema: specSchema,
          validate: ajv.compile(closed(specSchema)),
        });
      }
    }
  }

  /** Why an API server would refuse the document's spec; a schema without this kind is a mistake of the test. */
  problems(document: unknown): readonly string[] {
    const { apiVersion, kind, spec } = asRecord(document);
    const found = this.#validators.get(`${String(apiVersion)} ${String(kind)}`);
    if (found === undefined) throw new Error(`no definition for ${String(apiVersion)} ${String(kind)}`);
    const value = withDefaults(withoutNulls(spec, found.schema), found.schema);
    if (!found.validate(value)) return (found.validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ''}`);
    const problems: string[] = [];
    this.#rules(value, found.schema, 'spec', problems);
    for (const [rule, held] of this.#judged.splice(0)) {
      const outcome = this.#outcomes.get(`${String(kind)} ${rule}`) ?? { held: false, failed: false };
      outcome[held ? 'held' : 'failed'] = true;
      this.#outcomes.set(`${String(kind)} ${rule}`, outcome);
    }
    return problems;
  }

  /** By kind, place and rule, for every rule of every definition. */
  outcomes(): ReadonlyMap<string, Outcome> {
    const all = new Map<string, Outcome>();
    for (const [key, { schema }] of this.#validators) {
      const kind = key.slice(key.indexOf(' ') + 1);
      for (const rule of ruleNames(schema, 'spec')) {
        all.set(`${kind} ${rule}`, this.#outcomes.get(`${kind} ${rule}`) ?? { held: false, failed: false });
      }
    }
    return all;
  }

  #rules(value: unknown, schema: Schema, path: string, problems: string[]): void {
    for (const rule of celRules(schema)) {
      const program = this.#programs.get(rule) ?? plan(this.#env, parse(rule));
      this.#programs.set(rule, program);
      const result = program({ self: celValue(value, schema) });
      const held = !isCelError(result) && result === true;
      if (!held) problems.push(`${path}: ${rule}`);
      this.#judged.push([`${path.replaceAll(/\[\d+\]/g, '[]')}: ${rule}`, held]);
    }
    if (Array.isArray(value)) {
      const keys = asList(schema['x-kubernetes-list-map-keys'] ?? []).map(String);
      if (schema['x-kubernetes-list-type'] === 'map') {
        const seen = value.map((item) => JSON.stringify(keys.map((key) => asRecord(item)[key])));
        if (new Set(seen).size < seen.length) problems.push(`${path}: duplicate entries`);
      }
      if (schema['x-kubernetes-list-type'] === 'set' && new Set(value).size < value.length) problems.push(`${path}: duplicate entries`);
      for (const [index, item] of value.entries()) this.#rules(item, asRecord(schema['items'] ?? {}), `${path}[${index}]`, problems);
    } else if (typeof value === 'object' && value !== null) {
      const properties = asRecord(schema['properties'] ?? {});
      for (const [key, item] of Object.entries(value)) {
        const inner = field(properties, key) ?? schema['additionalProperties'];
        if (typeof inner === 'object' && inner !== null) this.#rules(item, asRecord(inner), `${path}.${key}`, problems);
      }
    }
  }
}

function celRules(schema: Schema): readonly string[] {
  return asList(schema['x-kubernetes-validations'] ?? [])
    .map((entry) => String(asRecord(entry)['rule']))
    .filter((rule) => !rule.includes('oldSelf'));
}

/** `PLACE: RULE` of all rules of a schema. */
function* ruleNames(schema: Schema, path: string): Iterable<string> {
  for (const rule of celRules(schema)) yield `${path}: ${rule}`;
  if (schema['items'] !== undefined) yield* ruleNames(asRecord(schema['items']), `${path}[]`);
  for (const [key, inner] of Object.entries(asRecord(schema['properties'] ?? {}))) yield* ruleNames(asRecord(inner), `${path}.${key}`);
}

/** CEL's own words, which a field in a rule is written with underscores for. */
const CEL_WORDS: ReadonlySet<string> = new Set([
  'namespace',
  'as',
  'break',
  'const',
  'else',
  'for',
  'function',
  'if',
  'import',
  'let',
  'loop',
]);

/** CEL tells integers from doubles; JSON does not. */
function celValue(value: unknown, schema: Schema): CelInput {
  if (typeof value === 'number') return schema['type'] === 'integer' ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map((item) => celValue(item, asRecord(schema['items'] ?? {})));
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
  if (typeof value !== 'object') throw new Error(`no JSON value: ${typeof value}`);
  const properties = asRecord(schema['properties'] ?? {});
  return celMap(
    new Map(
      Object.entries(value).map(([key, item]) => [
        CEL_WORDS.has(key) && key in properties ? `__${key}__` : key,
        celValue(item, asRecord(field(properties, key) ?? schema['additionalProperties'] ?? {})),
      ]),
    ),
  );
}

/** Unknown fields are mistakes (`kubectl --validate=strict`) wherever the schema lists fields. */
function closed(schema: unknown): Schema {
  if (Array.isArray(schema)) return schema.map(closed) as never;
  if (typeof schema !== 'object' || schema === null) return schema as never;
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'properties') {
      result[key] = Object.fromEntries(Object.entries(asRecord(value)).map(([name, inner]) => [name, closed(inner)]));
      continue;
    }
    // Inside oneOf and anyOf only some fields are named; closing them would refuse the others.
    result[key] = ['oneOf', 'anyOf', 'allOf', 'not', 'enum', 'required', 'default'].includes(key) ? value : closed(value);
  }
  if (result['type'] === 'object' && 'properties' in result && result['x-kubernetes-preserve-unknown-fields'] !== true) {
    result['additionalProperties'] = false;
  }
  if (result['nullable'] === true && typeof result['type'] === 'string') result['type'] = [result['type'], 'null'];
  return result;
}

/** Null fields that are not nullable are dropped before validation. */
function withoutNulls(value: unknown, schema: Schema): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutNulls(item, asRecord(schema['items'] ?? {})));
  if (typeof value !== 'object' || value === null) return value;
  const properties = asRecord(schema['properties'] ?? {});
  const kept = Object.entries(value).filter(([key, item]) => item !== null || asRecord(properties[key] ?? {})['nullable'] === true);
  return Object.fromEntries(
    kept.map(([key, item]) => [key, withoutNulls(item, asRecord(properties[key] ?? schema['additionalProperties'] ?? {}))]),
  );
}

/** What an API server fills in where the user left it out, at every depth and in what is filled in, too. */
function withDefaults(value: unknown, schema: Schema): unknown {
  if (Array.isArray(value)) return value.map((item) => withDefaults(item, asRecord(schema['items'] ?? {})));
  if (typeof value !== 'object' || value === null) return value;
  const properties = asRecord(schema['properties'] ?? {});
  const filled: Record<string, unknown> = { ...value };
  for (const [key, inner] of Object.entries(properties)) {
    const { default: preset } = asRecord(inner);
    if (preset !== undefined && !Object.hasOwn(filled, key)) filled[key] = structuredClone(preset);
  }
  return Object.fromEntries(
    Object.entries(filled).map(([key, item]) => [
      key,
      withDefaults(item, asRecord(field(properties, key) ?? schema['additionalProperties'] ?? {})),
    ]),
  );
}

function field(properties: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(properties, key) ? properties[key] : undefined;
}

/** An API server drops null fields; Serin refuses them (STRICTER in src/config/compatibility.ts). */
export function hasNull(value: unknown): boolean {
  if (value === null) return true;
  return typeof value === 'object' && Object.values(value ?? {}).some(hasNull);
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {};
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
