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

test('a field that is marked is warned about with the text of the table', () => {
  const fate = compatibility().find(({ kind, path }) => kind === 'DestinationRule' && path === 'spec.trafficPolicy.tunnel');
  expect(fate?.fate).toBe('warned');
  const spec = '{ host: a, trafficPolicy: { tunnel: { protocol: CONNECT, targetHost: a.example, targetPort: 80 } } }';
  const { diagnostics } = loadText(
    'x',
    `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: x }\nspec: ${spec}\n`,
  );
  expect(diagnostics.filter(({ code }) => code === 'W_NOT_HONOURED').map(({ message }) => message)).toEqual([
    `tunnel has no effect in this release: ${fate?.note}`,
  ]);
});

test('many uses of one field in a resource are one warning with their number', () => {
  const rule =
    '{ match: [{ uri: { exact: /N } }], route: [{ destination: { host: a } }], retries: { attempts: 1, retryRemoteLocalities: true } }';
  const spec = `{ hosts: [a], http: [${[1, 2, 3].map((n) => rule.replace('N', String(n))).join(', ')}] }`;
  const { diagnostics } = loadText('x', `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: x }\nspec: ${spec}\n`);
  expect(diagnostics.filter(({ code }) => code === 'W_NOT_HONOURED').map(({ path, message }) => `${path}: ${message}`)).toEqual([
    'spec.http[0].retries.retryRemoteLocalities: retryRemoteLocalities has no effect in this release: endpoints of a retry are chosen as those of a first attempt (3 times in this resource)',
  ]);
});
