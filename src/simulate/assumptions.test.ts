import { describe, expect, test } from 'vitest';
import type { RolloutSpec } from '../config/serin/rollout-spec.ts';
import { assumptionsOf } from './assumptions.ts';

const BASE: RolloutSpec = { host: 'reviews', stable: 'v2', canary: 'v3' };
const MATCH = [{ headerName: 'end-user', headerValue: { exact: 'jason' } }];

function said(spec: RolloutSpec, ratePerS = 100): string {
  const traffic = { ratePerS, failing: 0.01, p50Ms: 80, p99Ms: 256 };
  return assumptionsOf({ spec, name: 'default/reviews', traffic, versions: [], runs: 1, seed: 1, users: 3000, horizonS: 3600 }).join('\n');
}

describe('what a simulation does not do is said', () => {
  test.each<[string, Partial<RolloutSpec>, string]>([
    ['a pause for a promotion', { strategy: { canary: { steps: [{ setWeight: 5 }, { pause: {} }] } } }, 'they do so at once'],
    [
      'a cohort',
      { strategy: { canary: { steps: [{ setHeaderRoute: { match: MATCH } }, { setWeight: 5 }] } } },
      'Nobody belongs to a cohort',
    ],
    ['blue-green', { strategy: { blueGreen: { preview: { match: MATCH } } } }, 'nothing is decided by evidence'],
    ['a freeze window', { freeze: [{ from: '00:00', to: '06:00' }] }, 'No freeze window'],
    ['users', { assignment: { by: 'user', cookie: 'id' } }, 'those of 3000 users'],
  ])('%s', (_what, changes, sentence) => {
    expect(said({ ...BASE, ...changes })).toContain(sentence);
    expect(said(BASE)).not.toContain(sentence);
  });

  test('what a step has to rule out depends on the traffic, on relax, and is said', () => {
    const asked = (rate: number, relax?: string): string | undefined =>
      /is ruled out: (.*)/.exec(said({ ...BASE, ...(relax === undefined ? {} : { analysis: { relax } }) }, rate))?.[1];
    expect(asked(1)).toBe(
      '50 to 100 %: 1 point, 2 times the budget (about 54 min if it is good). Less would take longer than relax allows; smaller regressions may be promoted.',
    );
    expect(asked(1, 'never')).toBe('50 to 100 %: 0.5 points (about 3.3 h if it is good).');
    expect(asked(0.1)).toContain('2 points, 4 times the budget (about 2.7 h if it is good)');
    expect(said({ ...BASE, strategy: { blueGreen: {} } })).not.toContain('is ruled out');
  });

  test('how often Serin looks depends on the traffic', () => {
    expect([100, 10, 2, 0.5, 0.01].map((rate) => /looked at (.*)\./.exec(said(BASE, rate))?.[1])).toEqual([
      '4 times a second',
      'once a second',
      'every 4 s',
      'every 10 s',
      'every 60 s',
    ]);
  });
});
