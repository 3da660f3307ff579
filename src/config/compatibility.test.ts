/** The table of fates against what loading really says. */
import { expect, test } from 'vitest';
import { compatibility } from './compatibility.ts';
import { loadText } from './load.ts';

test('every field of the kinds is listed once, and what is not done is said', () => {
  const fates = compatibility();
  const keys = fates.map(({ kind, path }) => `${kind} ${path}`);
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys).toContain('VirtualService spec.http[].match[].withoutHeaders{}.exact');
  expect(keys).toContain('DestinationRule spec.subsets[].trafficPolicy.portLevelSettings[].connectionPool.http.idleTimeout');
  expect(fates.filter(({ fate, note }) => (fate === 'honoured') !== (note === ''))).toEqual([]);
});

test.each([
  [
    'VirtualService',
    '{ hosts: [a], http: [{ route: [{ destination: { host: a } }], FIELD }] }',
    'spec.http[].',
    ['retries', 'fault', 'mirror', 'corsPolicy'],
  ],
  ['DestinationRule', '{ host: a, trafficPolicy: { FIELD } }', 'spec.trafficPolicy.', ['outlierDetection', 'retryBudget', 'proxyProtocol']],
])('a field of %s that is marked is warned about with the text of the table', (kind, spec, prefix, fields) => {
  for (const field of fields) {
    const fate = compatibility().find((entry) => entry.kind === kind && entry.path === `${prefix}${field}`);
    expect(fate?.fate).toBe('warned');
    const value = field === 'mirror' ? '{ host: b }' : field === 'fault' ? '{ abort: { httpStatus: 500 } }' : '{}';
    const text = `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: { name: x }\nspec: ${spec.replace('FIELD', `${field}: ${value}`)}\n`;
    const found = loadText('x', text).diagnostics.filter(({ code }) => code === 'W_NOT_HONOURED');
    expect(found.map(({ message }) => message)).toEqual([`${field} has no effect in this release: ${fate?.note}`]);
  }
});

test('many uses of one field in a resource are one warning with their number', () => {
  const rule = '{ match: [{ uri: { exact: /N } }], route: [{ destination: { host: a } }], retries: { attempts: 1 } }';
  const spec = `{ hosts: [a], http: [${[1, 2, 3].map((n) => rule.replace('N', String(n))).join(', ')}] }`;
  const { diagnostics } = loadText('x', `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: x }\nspec: ${spec}\n`);
  expect(diagnostics.filter(({ code }) => code === 'W_NOT_HONOURED').map(({ path, message }) => `${path}: ${message}`)).toEqual([
    'spec.http[0].retries: retries has no effect in this release: requests are not retried (3 times in this resource)',
  ]);
});
