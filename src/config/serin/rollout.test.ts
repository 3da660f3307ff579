/** Rollouts as users write them: what is wrong is said at its place, what is right comes through as written. */
import { describe, expect, test } from 'vitest';
import { loadText } from '../load.ts';

const SERVICE = `
services:
  reviews:
    versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }
---
`;
const HEAD = `apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: { name: reviews }
spec: `;
const PAIR = 'host: reviews, stable: v1, canary: v2';
const COHORT = '[{ headerName: end-user, headerValue: { exact: jason } }]';

/** `CODE path` of each problem. */
function problems(spec: string, head = HEAD): string[] {
  return loadText('a.yaml', `${SERVICE}${head}${spec}\n`).diagnostics.map(({ code, path }) => `${code} ${path}`);
}

const canary = (steps: string): string => `{ ${PAIR}, strategy: { canary: { steps: ${steps} } } }`;
const STEPS = 'spec.strategy.canary.steps';

describe('a good Rollout', () => {
  test('the one of the manual, every step and policy, comes through as it is written', () => {
    const { snapshot, diagnostics } = loadText(
      'a.yaml',
      `${SERVICE}${HEAD}
  host: reviews
  stable: v1
  canary: v2
  assignment: { by: user, header: end-user, cookie: serin-user, setCookie: { maxAge: 24h } }
  strategy:
    canary:
      steps:
        - setHeaderRoute: { match: ${COHORT} }
        - pause: {}
        - setMirrorRoute: { percentage: 20 }
        - setWeight: 0.5
        - pause: { duration: 2m }
        - stage: { match: ${COHORT}, setWeight: 25, analysis: { atLeast: 1m } }
        - analysis: {}
        - setWeight: 100
        - bake: { duration: 10m }
  analysis: { errorBudget: 0.01, onInconclusive: rollback }
  freeze: [{ days: [fri], from: "18:00", to: "08:00", timeZone: Europe/Berlin, reason: weekend }]
  deadline: 2h
`,
    );
    // What is not done yet is said, and nothing else is wrong.
    expect(diagnostics.map(({ code, path }) => `${code} ${path}`)).toEqual([
      'W_NOT_HONOURED spec.assignment.by',
      'W_NOT_HONOURED spec.strategy.canary.steps[2].setMirrorRoute',
    ]);
    expect(snapshot.rollouts).toHaveLength(1);
    expect(snapshot.rollouts[0]?.spec.strategy?.canary?.steps?.[3]).toEqual({ setWeight: 0.5 });
    expect(snapshot.rollouts[0]?.origin.line).toBe(6);
  });

  test.each([
    ['the defaults', `{ ${PAIR} }`],
    ['an automatic ramp', `{ ${PAIR}, strategy: { canary: { ramp: auto } } }`],
    ['blue-green', `{ ${PAIR}, strategy: { blueGreen: { preview: { match: ${COHORT} }, autoPromote: true, autoPromoteAfter: 5m } } }`],
    ['A/B by header', `{ ${PAIR}, strategy: { ab: { match: ${COHORT}, duration: 1h, onEnd: rollback } } }`],
  ])('%s', (_what, spec) => {
    expect(problems(spec)).toEqual([]);
  });

  test('the short form says the same in fewer words', () => {
    const { snapshot, diagnostics } = loadText(
      'a.yaml',
      'services:\n  reviews:\n    versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }\n    rollout: { stable: v1, canary: v2, steps: [{ setWeight: 100 }] }\n',
    );
    expect(diagnostics).toEqual([]);
    expect(snapshot.rollouts[0]).toMatchObject({
      apiVersion: 'serin.dev/v1alpha1',
      metadata: { name: 'reviews', namespace: 'default' },
      spec: { host: 'reviews', stable: 'v1', canary: 'v2', strategy: { canary: { steps: [{ setWeight: 100 }] } } },
    });
  });
});

describe('mistakes', () => {
  test.each<[spec: string, found: string[]]>([
    ['{ host: reviews, stable: v1, canary: v1 }', ['E_NO_CHANGE spec.canary']],
    ['{ host: reviews, stable: v1 }', ['E_REQUIRED spec.canary']],
    ['{ host: reviws, stable: v1, canary: v2 }', ['W_UNKNOWN_HOST spec.host']],
    ['{ host: reviews, stable: v1, canary: v9 }', ['W_UNKNOWN_SUBSET spec.canary']],
    ['{ host: "*.example.com", stable: v1, canary: v2 }', ['E_HOST spec.host', 'W_UNKNOWN_HOST spec.host']],
    [`{ ${PAIR}, stratgy: {} }`, ['E_UNKNOWN_KEY spec.stratgy']],
    [`{ ${PAIR}, approvals: [ops] }`, ['E_UNKNOWN_KEY spec.approvals']],
    [`{ ${PAIR}, strategy: {} }`, ['E_ONE_OF spec.strategy']],
    [`{ ${PAIR}, strategy: { canary: {} } }`, ['E_ONE_OF spec.strategy.canary']],
    [`{ ${PAIR}, assignment: { by: user } }`, ['E_REQUIRED spec.assignment', 'W_NOT_HONOURED spec.assignment.by']],
    [`{ ${PAIR}, assignment: { by: request, header: x } }`, ['E_ONE_OF spec.assignment.header']],
    [`{ ${PAIR}, assignment: { by: user, header: "a b" } }`, ['W_NOT_HONOURED spec.assignment.by', 'E_HEADER_NAME spec.assignment.header']],
    [`{ ${PAIR}, deadline: soon }`, ['E_DURATION spec.deadline']],
    [`{ ${PAIR}, analysis: { errorTolerance: 0.1 } }`, ['E_CONFIG_RANGE spec.analysis.errorTolerance']],
    [`{ ${PAIR}, analysis: { rollbackRisk: 1 } }`, ['E_RANGE spec.analysis.rollbackRisk']],
    [`{ ${PAIR}, freeze: [{ from: "18:00", to: monday }] }`, ['E_FREEZE spec.freeze[0]']],
    [`{ ${PAIR}, freeze: [{ from: "18:00", to: "19:00", timeZone: Mars/Base }] }`, ['E_FREEZE spec.freeze[0]']],
    [`{ ${PAIR}, freeze: [{ from: 2026-12-26T00:00:00Z, to: 2026-12-24T00:00:00Z }] }`, ['E_FREEZE spec.freeze[0]']],
    [`{ ${PAIR}, strategy: { ab: { duration: 1h } } }`, ['E_ONE_OF spec.strategy.ab']],
    [`{ ${PAIR}, strategy: { ab: { duration: 1h, setWeight: 100 } } }`, ['E_RANGE spec.strategy.ab.setWeight']],
    [`{ ${PAIR}, strategy: { blueGreen: { autoPromoteAfter: 1h } } }`, ['E_REQUIRED spec.strategy.blueGreen.autoPromoteAfter']],
  ])('%s', (spec, found) => {
    expect(problems(spec)).toEqual(found);
  });

  test.each<[steps: string, found: string[]]>([
    ['[]', [`E_CONFIG_STEPS ${STEPS}`]],
    ['[{}]', [`E_CONFIG_STEPS ${STEPS}[0]`, `W_CONFIG_STEPS ${STEPS}`]],
    ['[{ setWeight: 10, pause: {} }]', [`E_CONFIG_STEPS ${STEPS}[0]`, `W_CONFIG_STEPS ${STEPS}`]],
    ['[{ setWeight: 50 }, { setWeight: 25 }, { setWeight: 100 }]', [`E_CONFIG_STEPS ${STEPS}[1].setWeight`]],
    ['[{ setWeight: 50 }, { setWeight: 50 }, { setWeight: 100 }]', [`E_CONFIG_STEPS ${STEPS}[1].setWeight`]],
    ['[{ setWeight: 0 }, { setWeight: 100 }]', [`W_CONFIG_STEPS ${STEPS}[0].setWeight`]],
    ['[{ setWeight: 25 }]', [`W_CONFIG_STEPS ${STEPS}`]],
    ['[{ setWeight: 0.001 }, { setWeight: 100 }]', [`E_RANGE ${STEPS}[0].setWeight`]],
    ['[{ setWeight: "5" }]', [`E_TYPE ${STEPS}[0].setWeight`]],
    ['[{ analysis: {} }, { setWeight: 100 }]', [`E_CONFIG_STEPS ${STEPS}[0].analysis`]],
    ['[{ setWeight: 100 }, { analysis: {} }]', [`E_CONFIG_STEPS ${STEPS}[1].analysis`]],
    ['[{ setWeight: 50 }, { bake: { duration: 1m } }, { setWeight: 100 }]', [`E_CONFIG_STEPS ${STEPS}[1].bake`]],
    ['[{ setWeight: 100 }, { pause: { duration: 0 } }]', [`E_TYPE ${STEPS}[1].pause.duration`]],
    ['[{ setHeaderRoute: { match: [] } }, { setWeight: 100 }]', [`E_REQUIRED ${STEPS}[0].setHeaderRoute.match`]],
    [
      '[{ setHeaderRoute: { match: [{ headerName: a, headerValue: { regex: "(" } }] } }, { setWeight: 100 }]',
      [`E_REGEX ${STEPS}[0].setHeaderRoute.match[0].headerValue.regex`],
    ],
    ['[{ stage: {} }, { setWeight: 100 }]', [`E_CONFIG_STEPS ${STEPS}[0].stage`]],
  ])('steps %s', (steps, found) => {
    expect(problems(canary(steps)).toSorted()).toEqual(found.toSorted());
  });

  test.each(['../x', 'a/b', 'A', 'a.b', 'ü', '"a%00"', '"x y"', `"${'a'.repeat(64)}"`, '""'])('name %s is refused', (name) => {
    const head = HEAD.replace('name: reviews', `name: ${name}`);
    expect(problems(`{ ${PAIR} }`, head)).toEqual(['E_NAME metadata.name']);
  });

  test('two Rollouts of one host: the second is refused', () => {
    const second = `---\n${HEAD.replace('name: reviews', 'name: other')}{ ${PAIR} }`;
    expect(problems(`{ ${PAIR} }\n${second}`)).toEqual(['E_DUPLICATE spec.host']);
  });

  test('an unknown version of the API names the one there is', () => {
    const { diagnostics } = loadText('a.yaml', `${SERVICE}${HEAD.replace('v1alpha1', 'v1')}{ ${PAIR} }\n`);
    expect(diagnostics[0]).toMatchObject({ code: 'E_API_VERSION', hint: 'use serin.dev/v1alpha1', line: 6, column: 13 });
  });
});
