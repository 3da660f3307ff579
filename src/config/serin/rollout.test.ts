/** Rollouts as users write them: what is wrong is said at its place, what is right comes through as written. */
import { describe, expect, test } from 'vitest';
import { loadText } from '../load.ts';

const SERVICE = `
services:
  reviews:
    versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2, v3: http://127.0.0.1:3 }
---
`;
const HEAD = `apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: { name: reviews }
spec: `;
const PAIR = 'host: reviews, stable: v1, canary: v2';
const SEVERAL = 'host: reviews, stable: v1, canaries: [v2, v3]';
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
        - pause: { approval: { by: [ana, admin] } }
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
  approval: { by: [ana, ben@example.com], count: 2, selfApproval: true }
`,
    );
    expect(diagnostics.map(({ code, path }) => `${code} ${path}`)).toEqual([]);
    expect(snapshot.rollouts).toHaveLength(1);
    expect(snapshot.rollouts[0]?.spec.strategy?.canary?.steps?.[3]).toEqual({ setWeight: 0.5 });
    expect(snapshot.rollouts[0]?.origin.line).toBe(6);
  });

  test.each([
    ['the defaults', `{ ${PAIR} }`],
    ['an automatic ramp', `{ ${PAIR}, strategy: { canary: { ramp: auto } } }`],
    ['blue-green', `{ ${PAIR}, strategy: { blueGreen: { preview: { match: ${COHORT} }, autoPromote: true, autoPromoteAfter: 5m } } }`],
    ['no more than the budget, however long it takes', `{ ${PAIR}, analysis: { relax: never } }`],
    ['more than the budget sooner', `{ ${PAIR}, analysis: { relax: 10m } }`],
    ['several canaries', `{ ${SEVERAL}, strategy: { canary: { steps: [{ setWeight: 0.02 }, { setWeight: 100 }] } } }`],
    ['several, an automatic ramp', `{ ${SEVERAL} }`],
    ['several, A/B/n', `{ ${SEVERAL}, strategy: { ab: { setWeight: 50, duration: 1h, onEnd: promote } } }`],
    [
      'several, a cohort for one',
      `{ ${SEVERAL}, strategy: { canary: { steps: [{ setHeaderRoute: { match: ${COHORT}, to: v3 } }, { stage: { match: ${COHORT}, to: v2, setWeight: 10 } }, { setWeight: 100 }] } } }`,
    ],
    ['fallback', `{ ${PAIR}, fallback: stable }`],
    ['fallback with statuses', `{ ${PAIR}, fallback: { to: stable, statusCodes: [503] } }`],
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
    [`{ ${PAIR}, canaries: [v2] }`, ['E_ONE_OF spec.canaries', 'E_DUPLICATE spec.canaries[0]']],
    ['{ host: reviews, stable: v1, canaries: [] }', ['E_REQUIRED spec.canaries']],
    ['{ host: reviews, stable: v1, canaries: v2 }', ['E_TYPE spec.canaries']],
    ['{ host: reviews, stable: v1, canaries: [v1, v2, v2] }', ['E_NO_CHANGE spec.canaries[0]', 'E_DUPLICATE spec.canaries[2]']],
    [
      '{ host: reviews, stable: v1, canaries: [v2, v8, A] }',
      ['W_UNKNOWN_SUBSET spec.canaries[1]', 'E_NAME spec.canaries[2]', 'W_UNKNOWN_SUBSET spec.canaries[2]'],
    ],
    ['{ host: reviews, stable: v1, canaries: [v2, v8] }', ['W_UNKNOWN_SUBSET spec.canaries[1]']],
    [`{ ${SEVERAL}, strategy: { blueGreen: {} } }`, ['E_ONE_OF spec.strategy.blueGreen']],
    [`{ ${SEVERAL}, strategy: { ab: { match: ${COHORT}, duration: 1h } } }`, ['E_ONE_OF spec.strategy.ab.match']],
    [`{ ${SEVERAL}, strategy: { ab: { setWeight: 0.01, duration: 1h } } }`, ['E_RANGE spec.strategy.ab.setWeight']],
    [`{ ${PAIR}, stratgy: {} }`, ['E_UNKNOWN_KEY spec.stratgy']],
    [`{ ${PAIR}, approvals: [ops] }`, ['E_UNKNOWN_KEY spec.approvals']],
    [`{ ${PAIR}, strategy: {} }`, ['E_ONE_OF spec.strategy']],
    [`{ ${PAIR}, strategy: { canary: {} } }`, ['E_ONE_OF spec.strategy.canary']],
    [`{ ${PAIR}, assignment: { by: user } }`, ['E_REQUIRED spec.assignment']],
    [`{ ${PAIR}, assignment: { by: request, header: x } }`, ['E_ONE_OF spec.assignment.header']],
    [`{ ${PAIR}, assignment: { by: user, header: "a b" } }`, ['E_HEADER_NAME spec.assignment.header']],
    [`{ ${PAIR}, deadline: soon }`, ['E_DURATION spec.deadline']],
    [`{ ${PAIR}, analysis: { errorTolerance: 0.1 } }`, ['E_CONFIG_RANGE spec.analysis.errorTolerance']],
    [`{ ${PAIR}, analysis: { relax: always } }`, ['E_DURATION spec.analysis.relax']],
    [`{ ${PAIR}, analysis: { relax: 0s } }`, ['E_DURATION spec.analysis.relax']],
    [`{ ${PAIR}, analysis: { rollbackRisk: 1 } }`, ['E_RANGE spec.analysis.rollbackRisk']],
    [`{ ${PAIR}, freeze: [{ from: "18:00", to: monday }] }`, ['E_FREEZE spec.freeze[0]']],
    [`{ ${PAIR}, freeze: [{ from: "18:00", to: "19:00", timeZone: Mars/Base }] }`, ['E_FREEZE spec.freeze[0]']],
    [`{ ${PAIR}, freeze: [{ from: 2026-12-26T00:00:00Z, to: 2026-12-24T00:00:00Z }] }`, ['E_FREEZE spec.freeze[0]']],
    [`{ ${PAIR}, fallback: v1 }`, ['E_TYPE spec.fallback']],
    [`{ ${PAIR}, fallback: { to: stable, statusCodes: [404] } }`, ['E_RANGE spec.fallback.statusCodes[0]']],
    [`{ ${PAIR}, rollback: { when: never } }`, ['E_ENUM spec.rollback.when']],
    [`{ ${PAIR}, rollback: { steps: [] } }`, ['E_CONFIG_STEPS spec.rollback.steps']],
    [
      `{ ${PAIR}, rollback: { steps: [10, 10, 0.001] } }`,
      ['E_CONFIG_STEPS spec.rollback.steps[1]', 'E_CONFIG_STEPS spec.rollback.steps[2]', 'E_RANGE spec.rollback.steps[2]'],
    ],
    [`{ ${PAIR}, rollback: { interval: 1ms } }`, ['E_DURATION spec.rollback.interval']],
    [`{ ${PAIR}, strategy: { canary: { ramp: auto, scaleDownDelay: soon } } }`, ['E_DURATION spec.strategy.canary.scaleDownDelay']],
    [`{ ${PAIR}, strategy: { ab: { duration: 1h } } }`, ['E_ONE_OF spec.strategy.ab']],
    [`{ ${PAIR}, strategy: { ab: { duration: 1h, setWeight: 100 } } }`, ['E_RANGE spec.strategy.ab.setWeight']],
    [`{ ${PAIR}, approval: {} }`, ['E_REQUIRED spec.approval.by']],
    [`{ ${PAIR}, approval: { by: [] } }`, ['E_REQUIRED spec.approval.by']],
    [`{ ${PAIR}, approval: { by: [ana, Ben, engine] } }`, ['E_NAME spec.approval.by[1]', 'E_NAME spec.approval.by[2]']],
    [`{ ${PAIR}, approval: { by: [ana, ana] } }`, ['E_DUPLICATE spec.approval.by[1]']],
    [`{ ${PAIR}, approval: { by: [ana], count: 2 } }`, ['E_RANGE spec.approval.count']],
    [`{ ${PAIR}, approval: { by: [ana], count: 0 } }`, ['E_RANGE spec.approval.count']],
    [`{ ${PAIR}, approval: { from: [ana] } }`, ['E_REQUIRED spec.approval.by', 'E_UNKNOWN_KEY spec.approval.from']],
    [`{ ${PAIR}, strategy: { blueGreen: { autoPromote: true, approval: { by: [ana] } } } }`, ['E_ONE_OF spec.strategy.blueGreen']],
    [`{ ${PAIR}, strategy: { blueGreen: { autoPromoteAfter: 1h } } }`, ['E_REQUIRED spec.strategy.blueGreen.autoPromoteAfter']],
  ])('%s', (spec, found) => {
    expect(problems(spec)).toEqual(found);
  });

  test.each<[steps: string, found: string[]]>([
    ['[]', [`E_CONFIG_STEPS ${STEPS}`]],
    ['[{}]', [`E_CONFIG_STEPS ${STEPS}[0]`, `W_CONFIG_STEPS ${STEPS}`]],
    ['[{ pause: { duration: 1m, approval: { by: [ana] } } }, { setWeight: 100 }]', [`E_ONE_OF ${STEPS}[0].pause`]],
    [
      '[{ stage: { setWeight: 5, pause: { approval: { by: [] } } } }, { setWeight: 100 }]',
      [`E_REQUIRED ${STEPS}[0].stage.pause.approval.by`],
    ],
    ['[{ setWeight: 10, pause: {} }]', [`E_CONFIG_STEPS ${STEPS}[0]`, `W_CONFIG_STEPS ${STEPS}`]],
    ['[{ setWeight: 50 }, { setWeight: 25 }, { setWeight: 100 }]', [`E_CONFIG_STEPS ${STEPS}[1].setWeight`]],
    ['[{ setWeight: 50 }, { setWeight: 50 }, { setWeight: 100 }]', [`E_CONFIG_STEPS ${STEPS}[1].setWeight`]],
    ['[{ setWeight: 0 }, { setWeight: 100 }]', [`W_CONFIG_STEPS ${STEPS}[0].setWeight`]],
    ['[{ setWeight: 25 }]', [`W_CONFIG_STEPS ${STEPS}`]],
    ['[{ setWeight: 0.001 }, { setWeight: 100 }]', [`E_RANGE ${STEPS}[0].setWeight`]],
    ['[{ setWeight: "5" }]', [`E_TYPE ${STEPS}[0].setWeight`]],
    ['[{ analysis: {} }, { setWeight: 100 }]', [`E_CONFIG_STEPS ${STEPS}[0].analysis`]],
    ['[{ setWeight: 100 }, { analysis: {} }]', [`E_CONFIG_STEPS ${STEPS}[1].analysis`]],
    ['[{ setWeight: 5 }, { analysis: { atLeast: 5m, timeout: 4m } }, { setWeight: 100 }]', [`E_CONFIG_RANGE ${STEPS}[1].analysis.timeout`]],
    [
      '[{ stage: { setWeight: 5, analysis: { timeout: 30s } } }, { setWeight: 100 }]',
      [`E_CONFIG_RANGE ${STEPS}[0].stage.analysis.timeout`],
    ],
    ['[{ setWeight: 5 }, { analysis: { timeout: 1m } }, { setWeight: 100 }]', []],
    ['[{ setWeight: 50 }, { bake: { duration: 1m } }, { setWeight: 100 }]', [`E_CONFIG_STEPS ${STEPS}[1].bake`]],
    ['[{ setWeight: 100 }, { pause: { duration: 0 } }]', [`E_TYPE ${STEPS}[1].pause.duration`]],
    ['[{ setHeaderRoute: { match: [] } }, { setWeight: 100 }]', [`E_REQUIRED ${STEPS}[0].setHeaderRoute.match`]],
    [
      '[{ setHeaderRoute: { match: [{ headerName: a, headerValue: { regex: "(" } }] } }, { setWeight: 100 }]',
      [`E_REGEX ${STEPS}[0].setHeaderRoute.match[0].headerValue.regex`],
    ],
    ['[{ setHeaderRoute: { to: v2 } }, { setWeight: 100 }]', [`E_REQUIRED ${STEPS}[0].setHeaderRoute.to`]],
    [`[{ setHeaderRoute: { match: ${COHORT}, to: v3 } }, { setWeight: 100 }]`, [`E_REF ${STEPS}[0].setHeaderRoute.to`]],
    ['[{ setMirrorRoute: { to: v3 } }, { setWeight: 100 }]', [`E_REF ${STEPS}[0].setMirrorRoute.to`]],
    [`[{ stage: { match: ${COHORT}, to: v1 } }, { setWeight: 100 }]`, [`E_REF ${STEPS}[0].stage.to`]],
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

  describe('requires', () => {
    const of = (name: string, requires: string): string =>
      `---\n${HEAD.replace('name: reviews', `name: ${name}`)}{ host: ${name}, stable: v1, canary: v2, requires: ${requires} }\n`;
    const found = (text: string): string[] =>
      loadText('a.yaml', text).diagnostics.flatMap(({ code, path, message, line }) =>
        code.startsWith('E_') ? [`${line} ${code} ${path}: ${message}`] : [],
      );

    test('what is there may be required, also in another namespace', () => {
      const other = of('b', '[]').replace('metadata: { name: b }', 'metadata: { name: b, namespace: other }');
      expect(found(`${other}${of('a', '[other/b, c]')}${of('c', '[]')}`)).toEqual([]);
    });

    test('what is not there is named, with the nearest name', () => {
      const { diagnostics } = loadText('a.yaml', `${of('ratings', '[]')}${of('reviews', '[ratngs]')}`);
      expect(diagnostics.find(({ code }) => code === 'E_REQUIRES')).toMatchObject({
        path: 'spec.requires[0]',
        message: 'there is no Rollout "default/ratngs"',
        hint: 'did you mean default/ratings?',
        line: 10,
      });
    });

    test('a circle is shown at each of its members, one that only leads there is not', () => {
      const circle = `${of('a', '[b]')}${of('b', '[c]')}${of('c', '[a]')}${of('d', '[a]')}`;
      expect(found(circle)).toEqual([
        '5 E_REQUIRES spec.requires[0]: it would wait for itself: default/a requires default/b requires default/c requires default/a',
        '10 E_REQUIRES spec.requires[0]: it would wait for itself: default/b requires default/c requires default/a requires default/b',
        '15 E_REQUIRES spec.requires[0]: it would wait for itself: default/c requires default/a requires default/b requires default/c',
      ]);
      expect(found(of('a', '[a]'))).toEqual(['5 E_REQUIRES spec.requires[0]: it would wait for itself: default/a requires default/a']);
    });

    test('twice is once too often', () => {
      expect(found(`${of('b', '[]')}${of('a', '[b, default/b]')}`)).toEqual([
        '10 E_DUPLICATE spec.requires[1]: default/b is required twice',
      ]);
    });
  });
});

describe('of a route', () => {
  const SERVICES = ['shop-v1', 'shop-v2', 'shop-v3']
    .map((name) => `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }] }\n`)
    .join('');
  const ROUTE = (kind: string): string =>
    `---\napiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: { name: shop }\nspec: { parentRefs: [{ name: edge }], rules: [{ backendRefs: [{ name: shop-v1, port: 80 }] }] }\n`;
  const ofRoute = (spec: string): string[] =>
    loadText('a.yaml', `${HEAD}${spec}\n${ROUTE('HTTPRoute')}${ROUTE('GRPCRoute')}${SERVICES}`)
      .diagnostics.filter(({ kind }) => kind === 'Rollout')
      .map(({ code, path, message }) => `${code} ${path}: ${message}`);

  test.each([
    ['an HTTPRoute', '{ route: { name: shop }, stable: shop-v1, canary: shop-v2 }'],
    ['a GRPCRoute', '{ route: { kind: GRPCRoute, name: shop, namespace: default }, stable: shop-v1, canary: shop-v2 }'],
    ['several versions', '{ route: { name: shop }, stable: shop-v1, canaries: [shop-v2, shop-v3] }'],
  ])('%s is good', (_name, spec) => {
    expect(ofRoute(spec)).toEqual([]);
  });

  test.each([
    ['{ stable: shop-v1, canary: shop-v2 }', 'E_REQUIRED spec: host or route is required'],
    ['{ host: shop, route: { name: shop }, stable: shop-v1, canary: shop-v2 }', 'E_ONE_OF spec.route: host and route are both set'],
    ['{ route: { name: Shop }, stable: shop-v1, canary: shop-v2 }', 'E_NAME spec.route.name: "Shop" is not a DNS subdomain'],
    [
      '{ route: { name: shop, namespace: a.b }, stable: shop-v1, canary: shop-v2 }',
      'E_NAME spec.route.namespace: "a.b" is not a DNS label',
    ],
    ['{ route: { name: shop }, stable: shop_v1, canary: shop-v2 }', 'E_NAME spec.stable: Service name "shop_v1" is not a DNS label'],
    ['{ route: { name: shop }, stable: shop-v1 }', 'E_REQUIRED spec.canary: canary is required'],
    [
      '{ route: { name: shpo }, stable: shop-v1, canary: shop-v2 }',
      'W_UNKNOWN_ROUTE spec.route: there is no HTTPRoute "shpo" in namespace default; nothing is released',
    ],
    [
      '{ route: { name: shop, namespace: far }, stable: shop-v1, canary: shop-v2 }',
      'W_UNKNOWN_ROUTE spec.route: there is no HTTPRoute "shop" in namespace far; nothing is released',
    ],
    [
      '{ route: { name: shop }, stable: shop-v1, canaries: [shop-v2, shop-v9] }',
      'W_UNKNOWN_SERVICE spec.canaries[1]: there is no Service "shop-v9" in namespace default; nothing is released',
    ],
  ])('%s', (spec, expected) => {
    expect(ofRoute(spec)).toContain(expected);
  });

  test('a kind that is none of the two is refused', () => {
    expect(ofRoute('{ route: { kind: TLSRoute, name: shop }, stable: shop-v1, canary: shop-v2 }')[0]).toMatch(/^\w+ spec\.route\.kind: /);
  });

  test('one release moves a route at a time, whoever names it in which way', () => {
    const another = `${HEAD.replace('name: reviews', 'name: another')}{ route: { kind: HTTPRoute, namespace: default, name: shop }, stable: shop-v1, canary: shop-v3 }\n---\n`;
    const { diagnostics } = loadText(
      'a.yaml',
      `${another}${HEAD}{ route: { name: shop }, stable: shop-v1, canary: shop-v2 }\n${ROUTE('HTTPRoute')}${SERVICES}`,
    );
    expect(diagnostics.filter(({ kind }) => kind === 'Rollout').map(({ code, path, message }) => `${code} ${path}: ${message}`)).toEqual([
      'E_DUPLICATE spec.route: Rollout default/another is of HTTPRoute default/shop too: one release moves a route at a time',
    ]);
  });
});
