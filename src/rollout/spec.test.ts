import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../config/serin/rollout.ts';
import { DEFAULT_ANALYSIS } from './analysis-spec.ts';
import { analysisSpecOf, plannedSteps, rampSteps, releaseAssignment } from './spec.ts';

test('limits that validation takes for left out are the ones the analysis has', () => {
  expect(DEFAULT_LIMITS).toEqual({
    errorTolerance: DEFAULT_ANALYSIS.errorTolerance.absolute,
    errorBudget: DEFAULT_ANALYSIS.errorBudget,
    latencyTolerance: DEFAULT_ANALYSIS.latencyTolerance,
    latencyBudget: DEFAULT_ANALYSIS.latencyBudget,
  });
});

test('what the Rollout says about the analysis replaces the default, the rest stays', () => {
  const steps = plannedSteps({ strategy: { canary: { steps: [{ setWeight: 5 }, { setWeight: 50 }, { setWeight: 100 }] } } });
  expect(analysisSpecOf({ errorBudget: 0.02, warmup: '1s' }, true, steps)).toEqual({
    ...DEFAULT_ANALYSIS,
    errorBudget: 0.02,
    warmupMs: 1000,
    plannedStages: 2,
    assignment: 'user',
  });
});

test.each([
  ['never', 0],
  ['2h', 7_200_000],
])('relax: %s', (relax, patienceMs) => {
  expect(analysisSpecOf({ relax }, false, plannedSteps({}))).toMatchObject({ patienceMs });
});

test('little traffic starts high and without a warm-up weight', () => {
  expect(rampSteps(5, 45_000, 1).flatMap(({ set }) => set?.weight ?? [])).toEqual([100, 5000, 10_000]);
  expect(rampSteps(1000, 45_000, 1).flatMap(({ set }) => set?.weight ?? [])).toEqual([100, 250, 625, 1563, 3906, 5000, 10_000]);
});

test('keys in the order of the manual, header names in lower case, a cookie only set where asked', () => {
  expect(releaseAssignment({ by: 'user', cookie: 'c', header: 'End-User', sourceAddress: true }, 's')).toEqual({
    salt: 's',
    keys: [{ kind: 'header', name: 'end-user' }, { kind: 'cookie', name: 'c' }, { kind: 'sourceAddress' }],
  });
  expect(releaseAssignment({ by: 'user', cookie: 'c', setCookie: { maxAge: '1h' } }, 's')?.keys).toEqual([
    { kind: 'cookie', name: 'c', maxAgeSeconds: 3600 },
  ]);
  expect(releaseAssignment({ by: 'request' }, 's')).toBeUndefined();
});
