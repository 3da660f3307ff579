/** Texts of many documents, one manifest a resource: as it was written where that is one document, and always the same resource again. */
import { describe, expect, test } from 'vitest';
import { loadConfiguration, loadText, NO_FILES } from './load.ts';
import { isSameResource, splitManifests } from './manifest.ts';

const RULE = `# who may
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews } # ours
spec: { host: reviews }`;
const SECRET = 'apiVersion: v1\nkind: Secret\nmetadata: { name: a }\nstringData: { b: c }\n';
const SHORT = `services:
  reviews:
    versions: { v1: http://127.0.0.1:1, v2: { run: node a.js, env: { STARS: black } } }
    healthCheck: { path: /health }
    routes: [{ split: { v1: 90, v2: 10 } }]
    rollout: { stable: v1, canary: v2, steps: [{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }] }
`;

describe('a document stays as it was written', () => {
  test.each([
    ['alone', RULE],
    ['between others', `${SECRET}---\n${RULE}\n---\n${SECRET.replace('name: a', 'name: b')}`],
    ['after an empty one', `---\n# nothing\n---\n\n${RULE}\n\n---\n`],
    ['with Windows line ends', `${SECRET}---\n${RULE}\n`.replaceAll('\n', '\r\n')],
  ])('%s', (_, text) => {
    const found = splitManifests('api', text).resources.find(({ kind }) => kind === 'DestinationRule');
    expect(found?.text.replaceAll('\r', '')).toBe(`${RULE}\n`);
  });
});

test.each([
  ['the short form', SHORT],
  ['a List', `apiVersion: v1\nkind: List\nitems:\n- ${RULE.replaceAll('\n', '\n  ')}\n- ${SECRET.trimEnd().replaceAll('\n', '\n  ')}\n`],
  ['JSON', JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' }, data: { b: 'Yw==' } })],
  [
    'a document on the line of its marker',
    `--- { apiVersion: v1, kind: Secret, metadata: { name: a }, data: {} }\n--- { apiVersion: v1, kind: Secret, metadata: { name: b }, data: {} }\n`,
  ],
  ['directives and ends of documents', `%YAML 1.2\n---\n${SECRET}...\n---\n${RULE}\n`],
  ['a List of the short form', `kind: List\nitems:\n- ${SHORT.trimEnd().replaceAll('\n', '\n  ')}\n`],
  ['anchors', `${RULE.replace('{ name: reviews }', '{ name: &a reviews }').replace('host: reviews', 'host: *a')}\n`],
])('%s: each manifest by itself says what it said in the whole', (_, text) => {
  const whole = loadText('api', text).resources;
  const { resources, diagnostics } = splitManifests('api', text);
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  expect(resources).toHaveLength(whole.length);
  const manifests = resources.map(({ kind, namespace, name, text: own }) => ({ kind, namespace, name, text: own, by: '', at: '' }));
  const again = loadConfiguration(NO_FILES, manifests).resources;
  for (const [index, resource] of whole.entries()) {
    const other = again[index];
    expect(other !== undefined && isSameResource(resource, other)).toBe(true);
  }
});

test('what is wrong with a document is said at its line of the whole', () => {
  const { resources, diagnostics } = splitManifests('api', `${SECRET}---\n${RULE.replace('spec:', 'spce:')}\n`);
  expect(resources.map(({ kind }) => kind)).toEqual(['Secret']);
  expect(diagnostics.map(({ file, line, code }) => `${file}:${line} ${code}`)).toEqual(['api:10 E_UNKNOWN_KEY', 'api:7 E_REQUIRED']);
});
