/** The quick predicates against the schemas they are made from. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parse } from 'yaml';
import { GATEWAYS, POLICIES } from '../../../test/gateway-api-examples/gateways.ts';
import { ROUTES } from '../../../test/gateway-api-examples/routes.ts';
import { mutate, mutations } from '../../../test/helpers/mutations.ts';
import { GATEWAY_API_SCHEMAS } from '../gateway-api/read.ts';
import { KUBERNETES_SCHEMAS } from '../kubernetes/read.ts';
import { SCHEMAS } from './kinds.ts';
import { quickly } from './quick-shape.ts';

const EXAMPLES = [...GATEWAYS, ...POLICIES, ...ROUTES].map(({ text }) => {
  const { kind, spec }: { kind: string; spec: unknown } = parse(text);
  const schema = kind === 'Gateway' ? GATEWAY_API_SCHEMAS.GatewayApiGateway : Reflect.get(GATEWAY_API_SCHEMAS, kind);
  return { text, spec, schema };
});

test('a predicate says of each example what the schema says', () => {
  const wrong = EXAMPLES.filter(({ schema, spec }) => quickly(schema)(spec) !== schema.safeParse(spec).success);
  expect(wrong.map(({ text }) => text)).toEqual([]);
});

test('of random changes as well', () => {
  const values = [
    '',
    'a',
    'A b',
    'x'.repeat(300),
    '🐦'.repeat(200),
    0,
    -0,
    1.5,
    -1,
    65_536,
    2 ** 31,
    2 ** 53,
    Number.NaN,
    Infinity,
    true,
    null,
    [],
    {},
    ['a'],
  ];
  fc.assert(
    fc.property(fc.nat(EXAMPLES.length - 1), mutations(values, ['a', 'name', 'port', 'kind']), (index, changes) => {
      const example = EXAMPLES[index];
      if (example === undefined) return;
      const document = { spec: structuredClone(example.spec) };
      for (const change of changes) mutate(document, change);
      expect(quickly(example.schema)(document.spec)).toBe(example.schema.safeParse(document.spec).success);
    }),
    { numRuns: 2000 },
  );
});

test('every kind of which there can be thousands has a predicate of its own', () => {
  const least: readonly (readonly [z.ZodType, unknown])[] = [
    [SCHEMAS.VirtualService, { hosts: ['a'], http: [{ route: [{ destination: { host: 'a' }, weight: 1 }] }] }],
    [SCHEMAS.DestinationRule, { host: 'a', subsets: [{ name: 'v1', labels: { version: 'v1' } }] }],
    [SCHEMAS.ServiceEntry, { hosts: ['a'], ports: [{ number: 80, name: 'http', protocol: 'HTTP' }] }],
    [KUBERNETES_SCHEMAS.Service, { spec: { ports: [{ port: 80, targetPort: 'web' }] }, status: {} }],
    [KUBERNETES_SCHEMAS.EndpointSlice, { addressType: 'IPv4', endpoints: [{ addresses: ['127.0.0.1'] }], ports: null }],
  ];
  for (const [schema, value] of least) expect(quickly(schema)(value)).toBe(true);
});

describe('what is not known is left to the schema', () => {
  test.each([
    ['another type', z.date(), new Date(0)],
    ['a default', z.strictObject({ a: z.string().default('x') }), {}],
    ['unknown keys', z.looseObject({ a: z.string() }), { a: 'x', b: 1 }],
    ['a check of the object', z.strictObject({ a: z.string() }).superRefine(() => undefined), { a: 'x' }],
    ['a pattern with a memory', z.string().regex(/a/g), 'a'],
    ['an exclusive limit', z.number().gt(1), 2],
    ['a transformation', z.string().transform(Number), '1'],
  ])('%s', (_name, schema, value) => {
    expect(schema.safeParse(value).success).toBe(true);
    expect(quickly(schema)(value)).toBe(false);
  });
});
