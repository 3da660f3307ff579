/**
 * Serin's validation against the Gateway API's own custom resource definitions, as a Kubernetes API server would apply them. Needs the definitions as
 * files: `SERIN_CRDS=DIR`, where DIR has `gateway-api-*.yaml` (kubernetes-sigs/gateway-api config/crd/experimental). Skipped without.
 * `SERIN_CRD_RUNS=N` random changes, `SERIN_CRD_SEED=N` those of an earlier run: a failure says its own, and the document.
 *
 * What the definitions refuse, `loadText` must refuse, and nothing else but null values and what MEANT_CODES says (STRICTER in
 * src/config/compatibility.ts). TLSRoute is in none of the files: src/config/gateway-api/check.test.ts has its rules.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse as parseYamlText, stringify } from 'yaml';
import { loadText } from '../src/config/load.ts';
import { GATEWAYS, POLICIES } from './gateway-api-examples/gateways.ts';
import { ROUTES } from './gateway-api-examples/routes.ts';
import { CrdOracle, hasNull } from './helpers/crd-oracle.ts';
import { mutate, mutations } from './helpers/mutations.ts';

const EXAMPLES = [...GATEWAYS, ...POLICIES, ...ROUTES];

const RUNS = Number(process.env['SERIN_CRD_RUNS'] ?? 3000);
const SEED = process.env['SERIN_CRD_SEED'];
const DIRECTORY = process.env['SERIN_CRDS'];

function oracleOf(directory: string): CrdOracle {
  const files = readdirSync(directory).filter((name) => name.startsWith('gateway-api-'));
  return new CrdOracle(files.map((name) => readFileSync(join(directory, name), 'utf8')).join('\n---\n'));
}

describe.skipIf(DIRECTORY === undefined)('against the custom resource definitions (SERIN_CRDS)', () => {
  const oracle = DIRECTORY === undefined ? undefined : oracleOf(DIRECTORY);
  const judge = (document: unknown): readonly string[] => oracle?.problems(document) ?? [];

  test('every example is judged as its list says, by Serin and by the definitions', () => {
    const wrong: string[] = [];
    for (const { text, verdict } of EXAMPLES) {
      const problems = judge(parseYamlText(text));
      const errors = errorsOf(text);
      if (errors.length > 0 !== (verdict !== 'valid')) wrong.push(`Serin: ${verdict} but ${errors.join('; ') || 'accepted'}\n${text}`);
      if (problems.length > 0 !== (verdict === 'invalid')) wrong.push(`CRD: ${verdict} but ${problems.join('; ') || 'accepted'}\n${text}`);
    }
    expect(wrong).toEqual([]);
  });

  test('every rule of every definition holds in an example and fails in another', () => {
    const fresh = DIRECTORY === undefined ? undefined : oracleOf(DIRECTORY);
    for (const { text } of EXAMPLES) fresh?.problems(parseYamlText(text));
    const outcomes = [...(fresh?.outcomes() ?? [])];
    expect(outcomes.length).toBeGreaterThan(140);
    expect(outcomes.filter(([, { held, failed }]) => !held || !failed).map(([rule]) => rule)).toEqual(NEVER_FAILS);
  });

  test('random changes of the examples: refused by both or by neither', () => {
    const documents = EXAMPLES.map(({ text }): unknown => parseYamlText(text));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: documents.length - 1 }), mutations(VALUES, KEYS), (index, changes) => {
        const document = structuredClone(documents[index]);
        for (const change of changes) mutate(document, change);
        const text = stringify(document);
        const problems = judge(JSON.parse(JSON.stringify(document)));
        const errors = errorsOf(text);
        // Errors of our own: a matcher's would leave out most of the document.
        if (problems.length > 0 && errors.length === 0) throw new Error(`accepted, but ${problems.join('; ')}\n${text}`);
        const unmeant = errors.filter((error) => !MEANT_CODES.has(error.slice(0, error.indexOf(' '))));
        if (problems.length === 0 && unmeant.length > 0 && !hasNull(document)) throw new Error(`refused: ${unmeant.join('; ')}\n${text}`);
      }),
      { numRuns: RUNS, includeErrorInReport: true, ...(SEED === undefined ? {} : { seed: Number(SEED) }) },
    );
  });
});

/** Refused on purpose although an API server takes it: what can never match, and what decides where a message ends. */
const MEANT_CODES: ReadonlySet<string> = new Set(['E_REGEX', 'E_REGEX_UNSUPPORTED', 'E_HEADER_FORBIDDEN']);

/** Its field is an enum of the same words, which is held against it before. */
const NEVER_FAILS: readonly string[] = [
  "HTTPRoute spec.rules[].matches[].path: self.type in ['Exact','PathPrefix'] || self.type == 'RegularExpression'",
];

function errorsOf(text: string): string[] {
  return loadText('x.yaml', text)
    .diagnostics.filter(({ severity }) => severity === 'error')
    .map(({ code, path, message }) => `${code} ${path}: ${message}`);
}

const VALUES: readonly unknown[] = [
  '',
  'a',
  'A',
  'a b',
  '*',
  '*.a',
  '/',
  '/a/../b',
  '5s',
  '0s',
  '10.0.0.1',
  0,
  1,
  -1,
  80,
  65_536,
  4_294_967_296,
  10.5,
  true,
  [],
  {},
  ['a'],
  ['a', 'a'],
  { name: 'a' },
  { a: 'b' },
  [{ name: 'a', port: 80 }],
  [{}, {}],
  'x'.repeat(300),
  'Service',
  'Gateway',
  'TLS',
  'TCP',
  'HTTPS',
  'Passthrough',
  'Exact',
  'PathPrefix',
  'RegularExpression',
  'Header',
  'Hostname',
  'URI',
  'RequestMirror',
  'CORS',
  'ReplacePrefixMatch',
];

const KEYS: readonly string[] = [
  'a',
  'name',
  'namespace',
  'group',
  'kind',
  'port',
  'sectionName',
  'weight',
  'type',
  'value',
  'hostname',
  'hostnames',
  'tls',
  'mode',
  'options',
  'filters',
  'matches',
  'backendRefs',
  'path',
  'headers',
  'method',
  'percent',
  'fraction',
  'requestRedirect',
  'cors',
  'cookie',
  'header',
  'lifetimeType',
  'request',
  'backendRequest',
  'uri',
];
