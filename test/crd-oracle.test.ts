/**
 * Serin's validation against Istio's own custom resource definitions, as a Kubernetes API server would apply them: structural schema, formats,
 * defaults, list types and CEL rules. Needs the definitions as a file: `SERIN_CRDS=DIR`, where DIR has `istio.yaml` (istio/api
 * kubernetes/customresourcedefinitions.gen.yaml). Skipped without. `SERIN_CRD_RUNS=N` random changes, `SERIN_CRD_SEED=N` those of an earlier run:
 * a failure says its own, and the document.
 *
 * What the definitions refuse, `loadText` must refuse. What `loadText` refuses and they accept must be on WEBHOOK_ONLY: rules that Istio's
 * webhook has and the definitions do not, and the few where Serin is stricter than both (src/config/compatibility.ts).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseYamlText, stringify } from 'yaml';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadText } from '../src/config/load.ts';
import { EXAMPLES } from './crd-oracle-examples.ts';
import { CrdOracle, hasNull } from './helpers/crd-oracle.ts';
import { mutate, mutations } from './helpers/mutations.ts';

const RUNS = Number(process.env['SERIN_CRD_RUNS'] ?? 3000);
const SEED = process.env['SERIN_CRD_SEED'];
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
  // Where the webhook only warns and Istio leaves the suite out.
  'E_TLS_CIPHER',
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
      fc.property(fc.integer({ min: 0, max: documents.length - 1 }), mutations(VALUES, KEYS), (index, changes) => {
        const document = structuredClone(documents[index]);
        for (const change of changes) mutate(document, change);
        const text = stringify(document);
        const problems = judge(JSON.parse(JSON.stringify(document)));
        const codes = errorsOf(text);
        // An error of our own: a matcher's would leave out most of the document.
        if (problems.length > 0 && codes.length === 0) throw new Error(`accepted, but ${problems.join('; ')}\n${text}`);
        const unlisted = codes.filter((code) => !WEBHOOK_ONLY.has(code));
        if (problems.length === 0 && !hasNull(document) && unlisted.length > 0)
          throw new Error(`refused with ${unlisted.join()}, which is not on WEBHOOK_ONLY\n${text}`);
      }),
      { numRuns: RUNS, includeErrorInReport: true, ...(SEED === undefined ? {} : { seed: Number(SEED) }) },
    );
  });
});

function errorsOf(text: string): string[] {
  return loadText('x.yaml', text)
    .diagnostics.filter(({ severity }) => severity === 'error')
    .map(({ code }) => code);
}

const VALUES: readonly unknown[] = [
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
];

const KEYS: readonly string[] = [
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
];
