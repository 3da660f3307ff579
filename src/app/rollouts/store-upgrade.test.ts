import { expect, test } from 'vitest';
import { DEFAULT_ANALYSIS } from '../../rollout/analysis-spec.ts';
import { upgraded } from './store-upgrade.ts';

test('a release that began when steps relaxed after fixed times goes on with the patience of today', () => {
  const analysis = { rollbackRisk: 0.01, assignment: 'request' };
  const old = { ...analysis, relaxAfterMs: [0, 1, 2, 3] };
  const now = { ...analysis, patienceMs: DEFAULT_ANALYSIS.patienceMs };
  expect(upgraded({ version: 2, state: { active: { analysis: old, step: 1 }, terms: { analysis: old } } })).toEqual({
    version: 2,
    state: { active: { analysis: now, step: 1 }, terms: { analysis: now } },
  });
});

test('what it says itself stays', () => {
  const document = { version: 2, state: { active: { analysis: { patienceMs: 0 } } } };
  expect(upgraded(document)).toEqual(document);
  expect(upgraded('no document')).toBe('no document');
});
