/**
 * Serin's validation against Istio's own custom resource definitions, as a Kubernetes API server would apply them: structural schema, formats,
 * defaults, list types and CEL rules. Needs the definitions as a file: `SERIN_CRDS=DIR`, where DIR has `istio.yaml` (istio/api
 * kubernetes/customresourcedefinitions.gen.yaml). Skipped without.
 *
 * What the definitions refuse, `loadText` must refuse. What `loadText` refuses and they accept must be on WEBHOOK_ONLY: rules that Istio's
 * webhook has and the definitions do not, and the few where Serin is stricter than both (src/config/compatibility.ts).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { celEnv, type CelInput, celMap, isCelError, parse, plan } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parseAllDocuments, parse as parseYamlText, stringify } from 'yaml';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadText } from '../src/config/load.ts';
import { EXAMPLES } from './crd-oracle-examples.ts';

const RUNS = Number(process.env['SERIN_CRD_RUNS'] ?? 3000);
const DIRECTORY = process.env['SERIN_CRDS'];

/** `kind` → `code` → why it may be refused although the definition accepts it. */
const WEBHOOK_ONLY: ReadonlySet<string> = new Set([
  // Rules of Istio's webhook that the definitions do not hold.
  'E_REQUIRED',
  'E_HOST',
  'E_PORT',
  'E_PROTOCOL',
  'E_DURATION',
  'E_REGEX',
  'E_REGEX_UNSUPPORTED',
  'E_STRING_MATCH',
  'E_HEADER_NAME',
  'E_HEADER_FORBIDDEN',
  'E_HEADER_VALUE',
  'E_WEIGHT',
  'E_ROUTE',
  'E_REDIRECT',
  'E_RETRY',
  'E_FAULT',
  'E_CORS',
  'E_TLS',
  'E_RESOLUTION',
  'E_LOCALITY',
  'E_EXPORT_TO',
  'E_NAME',
  'E_ADDRESS',
  'E_DUPLICATE',
  'E_REF',
  'E_PATH',
  'E_ONE_OF',
  'E_RANGE',
]);

describe.skipIf(DIRECTORY === undefined)('against the custom resource definitions (SERIN_CRDS)', () => {
  const oracle = DIRECTORY === undefined ? undefined : new CrdOracle(readFileSync(join(DIRECTORY, 'istio.yaml'), 'utf8'));
  const judge = (document: unknown): readonly string[] => oracle?.problems(document) ?? [];

  test('every example is judged as its name says, by Serin and, unless only the webhook refuses it, by the definitions', () => {
    const wrong: string[] = [];
    for (const { text, verdict } of EXAMPLES) {
      const problems = judge(parseYamlText(text));
      const errors = errorsOf(text);
      const isRefused = errors.length > 0;
      if (isRefused !== (verdict !== 'valid')) wrong.push(`Serin: ${verdict} but ${errors.join() || 'accepted'}\n${text}`);
      if (problems.length > 0 !== (verdict === 'invalid')) wrong.push(`CRD: ${verdict} but ${problems.join() || 'accepted'}\n${text}`);
    }
    expect(wrong).toEqual([]);
  });

  test('random changes of the examples: what the definitions refuse is refused; what is refused beyond is a rule of the webhook', () => {
    const documents = EXAMPLES.map(({ text }): unknown => parseYamlText(text));
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: documents.length - 1 }),
        fc.array(mutation, { minLength: 1, maxLength: 3 }),
        (index, mutations) => {
          const document = structuredClone(documents[index]);
          for (const change of mutations) mutate(document, change);
          const text = stringify(document);
          const problems = judge(JSON.parse(JSON.stringify(document)));
          const codes = errorsOf(text);
          if (problems.length > 0) expect({ text, problems, refused: codes.length > 0 }).toEqual({ text, problems, refused: true });
          else if (!hasNull(document))
            expect({ text, codes: codes.filter((code) => !WEBHOOK_ONLY.has(code)) }).toEqual({ text, codes: [] });
        },
      ),
      { numRuns: RUNS },
    );
  });
});

function errorsOf(text: string): string[] {
  return loadText('x.yaml', text)
    .diagnostics.filter(({ severity }) => severity === 'error')
    .map(({ code }) => code);
}

/** An API server drops null fields; Serin refuses them (STRICTER in compatibility.ts). */
function hasNull(value: unknown): boolean {
  if (value === null) return true;
  return typeof value === 'object' && Object.values(value ?? {}).some(hasNull);
}

// --- changes ------------------------------------------------------------------------------------------------------------------------

interface Mutation {
  /** Chooses a node: how far down to go at each level. */
  readonly steps: readonly number[];
  readonly kind: 'drop' | 'replace' | 'rename' | 'add';
  readonly value: unknown;
  readonly key: string;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  steps: fc.array(fc.nat(20), { minLength: 2, maxLength: 9 }),
  kind: fc.constantFrom('drop', 'replace', 'replace', 'rename', 'add'),
  value: fc.constantFrom<unknown>(
    '',
    'a',
    '*',
    '5s',
    '0s',
    '-1s',
    '1',
    0,
    1,
    -1,
    80,
    65_536,
    4_294_967_296,
    10.5,
    true,
    false,
    [],
    {},
    ['a'],
    { a: 'b' },
    'x'.repeat(300),
    'unix://',
    'unix:///a',
    '10.0.0.1/8',
    'STATIC',
    'DNS',
  ),
  key: fc.constantFrom(
    'a',
    'host',
    'exact',
    'regex',
    'prefix',
    'simple',
    'mirrors',
    'weight',
    'ports',
    'port',
    'percent',
    'fixedDelay',
    'endpoints',
    'workloadSelector',
    'credentialNames',
    'derivePort',
  ),
});

function mutate(document: unknown, { steps, kind, value: shared, key }: Mutation): void {
  const value = structuredClone(shared);
  let parent: unknown = document;
  let at: unknown = typeof document === 'object' && document !== null ? Reflect.get(document, 'spec') : undefined;
  let last = 'spec';
  for (const step of steps) {
    if (typeof at !== 'object' || at === null) break;
    const keys = Object.keys(at);
    const next = keys[step % Math.max(1, keys.length)];
    if (next === undefined) break;
    parent = at;
    last = next;
    at = Reflect.get(at, next);
  }
  if (typeof parent !== 'object' || parent === null || last === 'spec') return;
  if (kind === 'replace') Reflect.set(parent, last, value);
  else if (kind === 'add' && typeof at === 'object' && at !== null && !Array.isArray(at)) Reflect.set(at, key, value);
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else {
    Reflect.deleteProperty(parent, last);
    if (kind === 'rename') Reflect.set(parent, key, at);
  }
}

// --- the API server's part ----------------------------------------------------------------------------------------------------------

type Schema = Readonly<Record<string, unknown>>;

class CrdOracle {
  readonly #validators = new Map<string, { readonly schema: Schema; readonly validate: ValidateFunction }>();
  readonly #env = celEnv({ funcs: [...strings] });
  readonly #programs = new Map<string, ReturnType<typeof plan>>();

  constructor(text: string) {
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    ajv.addFormat('int32', { type: 'number', validate: (value: number) => Number.isInteger(value) && Math.abs(value) <= 2 ** 31 });
    ajv.addFormat('int64', { type: 'number', validate: Number.isInteger });
    ajv.addFormat('double', true);
    ajv.addFormat('byte', /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/);
    const kinds = new Set(['VirtualService', 'DestinationRule', 'Gateway', 'ServiceEntry', 'WorkloadEntry']);
    for (const document of parseAllDocuments(text)) {
      const definition = asRecord(document.toJS());
      const spec = asRecord(definition['spec']);
      const kind = String(asRecord(spec['names'])['kind']);
      if (!kinds.has(kind)) continue;
      for (const version of asList(spec['versions'])) {
        const { name, schema } = asRecord(version);
        const open = asRecord(asRecord(schema)['openAPIV3Schema']);
        const specSchema = asRecord(asRecord(open['properties'])['spec']);
        this.#validators.set(`networking.istio.io/${String(name)} ${kind}`, {
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
    const value = withoutNulls(spec, found.schema);
    if (!found.validate(value)) return (found.validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ''}`);
    const problems: string[] = [];
    this.#rules(value, found.schema, 'spec', problems);
    return problems;
  }

  #rules(value: unknown, schema: Schema, path: string, problems: string[]): void {
    for (const entry of asList(schema['x-kubernetes-validations'] ?? [])) {
      const rule = String(asRecord(entry)['rule']);
      const program = this.#programs.get(rule) ?? plan(this.#env, parse(rule));
      this.#programs.set(rule, program);
      const result = program({ self: celValue(value, schema) });
      if (isCelError(result) || result !== true) problems.push(`${path}: ${rule}`);
    }
    if (Array.isArray(value)) {
      const keys = asList(schema['x-kubernetes-list-map-keys'] ?? []).map(String);
      if (schema['x-kubernetes-list-type'] === 'map') {
        const seen = value.map((item) => JSON.stringify(keys.map((key) => asRecord(item)[key])));
        if (new Set(seen).size < seen.length) problems.push(`${path}: duplicate entries`);
      }
      for (const [index, item] of value.entries()) this.#rules(item, asRecord(schema['items'] ?? {}), `${path}[${index}]`, problems);
    } else if (typeof value === 'object' && value !== null) {
      const properties = asRecord(schema['properties'] ?? {});
      for (const [key, item] of Object.entries(value)) {
        const inner = properties[key] ?? schema['additionalProperties'];
        if (typeof inner === 'object' && inner !== null) this.#rules(item, asRecord(inner), `${path}.${key}`, problems);
      }
    }
  }
}

/** CEL tells integers from doubles; JSON does not. */
function celValue(value: unknown, schema: Schema): CelInput {
  if (typeof value === 'number') return schema['type'] === 'integer' ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map((item) => celValue(item, asRecord(schema['items'] ?? {})));
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
  if (typeof value !== 'object') throw new Error(`no JSON value: ${typeof value}`);
  const properties = asRecord(schema['properties'] ?? {});
  return celMap(
    new Map(
      Object.entries(value).map(([key, item]) => [key, celValue(item, asRecord(properties[key] ?? schema['additionalProperties'] ?? {}))]),
    ),
  );
}

/** Unknown fields are mistakes (`kubectl --validate=strict`) wherever the schema lists fields. */
function closed(schema: unknown): Schema {
  if (Array.isArray(schema)) return schema.map(closed) as never;
  if (typeof schema !== 'object' || schema === null) return schema as never;
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
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

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {};
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
