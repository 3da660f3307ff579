/**
 * docs/compatibility.md against the custom resource definitions of Istio and the Gateway API: no field of theirs may be missing from it, in any served
 * version. Needs
 * the definitions as test/crd-oracle.test.ts does: `SERIN_CRDS=DIR`. Skipped without.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { compatibility } from '../src/config/compatibility.ts';

const DIRECTORY = process.env['SERIN_CRDS'];

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>> | undefined;
  readonly items?: Schema | undefined;
  readonly additionalProperties?: boolean | Schema | undefined;
}

const SCHEMA: z.ZodType<Schema> = z.lazy(() =>
  z.object({
    properties: z.record(z.string(), SCHEMA).optional(),
    items: SCHEMA.optional(),
    additionalProperties: z.union([z.boolean(), SCHEMA]).optional(),
  }),
);

const DEFINITION = z.object({
  spec: z.object({
    group: z.string(),
    names: z.object({ kind: z.string() }),
    versions: z.array(
      z.object({ name: z.string(), schema: z.object({ openAPIV3Schema: z.object({ properties: z.object({ spec: SCHEMA }) }) }) }),
    ),
  }),
});

/** Every path below `schema`, as `FieldFate.path` writes it. */
function* fieldsOf({ properties, items, additionalProperties }: Schema, path: string): Iterable<string> {
  for (const [name, field] of Object.entries(properties ?? {})) {
    yield `${path}.${name}`;
    yield* fieldsOf(field, `${path}.${name}`);
  }
  if (items !== undefined) yield* fieldsOf(items, `${path}[]`);
  if (typeof additionalProperties === 'object') yield* fieldsOf(additionalProperties, `${path}{}`);
}

function definitions(directory: string): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  const files = readdirSync(directory).filter((name) => name.endsWith('.yaml'));
  for (const document of files.flatMap((name) => parseAllDocuments(readFileSync(join(directory, name), 'utf8')))) {
    const { spec } = DEFINITION.parse(document.toJS());
    const kind = spec.group === 'gateway.networking.k8s.io' && spec.names.kind === 'Gateway' ? 'GatewayApiGateway' : spec.names.kind;
    const fields = found.get(kind) ?? new Set();
    found.set(kind, fields);
    for (const { schema } of spec.versions) for (const path of fieldsOf(schema.openAPIV3Schema.properties.spec, 'spec')) fields.add(path);
  }
  return found;
}

describe.skipIf(DIRECTORY === undefined)('the compatibility page lists every field of the definitions (SERIN_CRDS)', () => {
  const all = DIRECTORY === undefined ? undefined : definitions(DIRECTORY);

  const kinds = [...new Set(compatibility().map(({ kind }) => kind))].filter((kind) => all?.has(kind) === true);

  test('of both', () => expect(kinds).toEqual(expect.arrayContaining(['VirtualService', 'HTTPRoute'])));

  test.each(kinds)('%s', (kind) => {
    const fates = compatibility().filter((field) => field.kind === kind);
    const listed = new Set(fates.map(({ path }) => path));
    const notActedOn = fates.filter(({ fate }) => fate === 'warned').map(({ path }) => path);
    // A field below one that is not acted on shares its fate.
    const isCovered = (path: string): boolean =>
      listed.has(path) ||
      notActedOn.some((above) => path.startsWith(`${above}.`) || path.startsWith(`${above}[`) || path.startsWith(`${above}{`));
    const fields = [...(all?.get(kind) ?? [])];
    expect(fields.length).toBeGreaterThan(4);
    expect(fields.filter((path) => !isCovered(path))).toEqual([]);
  });
});
