/** Decisions as tables: every phase with everything that can happen in it, and random lives against the invariants of plan.ts. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RolloutSpec } from '../config/serin/rollout-spec.ts';
import type { Checks } from './checks.ts';
import { messageOf, phaseOf } from './phase.ts';
import type { Outcome } from './outcome.ts';
import { plan } from './plan.ts';
import type { Judgement, Situation } from './situation.ts';
import { FULL } from './spec.ts';
import { canaryWeight, releaseOf, type RolloutState, newState, servingSubset } from './state.ts';
import { adopt, command, isRefusal, type Refusal, start, type Verb, VERBS } from './verbs.ts';

const READY = { isReady: true, reason: '' };
const CALM: Situation = { nowMs: 0, passedMs: 0, isInForce: true, canary: READY, stable: READY };
const SPEC: RolloutSpec = {
  host: 'reviews',
  stable: 'v1',
  canary: 'v2',
  strategy: {
    canary: {
      steps: [
        { setHeaderRoute: { match: [{ headerName: 'End-User', headerValue: { exact: 'jason' } }] } },
        { pause: {} },
        { setWeight: 10 },
        { pause: { duration: '10s' } },
        { analysis: { atLeast: '5s', timeout: '60s' } },
        { setWeight: 100 },
        { bake: { duration: '30s' } },
      ],
    },
  },
};
const NAME = 'default/reviews';

function judged(decision: Judgement['decision'], cause: Judgement['cause'] = 'gathering', canaryRequests = 50): Judgement {
  return { decision, cause, message: `because of ${cause}`, canaryRequests, evidence: { n: canaryRequests } };
}

const fresh = (): RolloutState => newState({ stable: 'v1', canaries: ['v2'] });

function ok(result: Outcome | Refusal): Outcome {
  if (isRefusal(result)) throw new Error(result.reason);
  return result;
}

const started = (spec: RolloutSpec = SPEC): RolloutState => ok(start(fresh(), CALM, spec, NAME, 'test', 'test')).state;

/** Lets moments of `passedMs` pass until `step` (0-based) is entered; a person promotes where it is asked for. */
function at(step: number, spec: RolloutSpec = SPEC): RolloutState {
  let state = started(spec);
  for (let tick = 0; tick < 1000 && state.active !== undefined && state.active.step < step; tick++) {
    const situation = { ...CALM, passedMs: 1000, judgement: judged('safe', 'cleared') };
    state = plan(state, situation).state;
    if (state.active?.steps[state.active.step]?.wait?.kind === 'promotion' && state.active.step < step)
      state = ok(command(state, { verb: 'promote', by: 'test' }, situation, spec, NAME)).state;
  }
  expect(state.active?.step).toBe(step);
  return state;
}

/** `phase step weight`. */
function shown(state: RolloutState): string {
  return `${phaseOf(state)} ${state.active?.step ?? '-'} ${canaryWeight(state)}`;
}

describe('a life in steps', () => {
  test('cohort, pause, weight, wait, evidence, everybody, bake, promotion', () => {
    expect(shown(at(0))).toBe('Progressing 0 0');
    expect(at(0).active?.routes).toEqual([{ name: 'cohort', match: [{ headers: { 'end-user': { exact: 'jason' } } }], to: 'v2' }]);
    expect(shown(at(1))).toBe('Paused 1 0');
    expect(shown(at(2))).toBe('Progressing 2 1000');
    expect(shown(at(3))).toBe('Paused 3 1000');
    expect(shown(at(4))).toBe('Progressing 4 1000');
    expect(shown(at(5))).toBe('Progressing 5 10000');
    expect(shown(at(6))).toBe('Progressing 6 10000');
    const { state, records } = plan(at(6), { ...CALM, passedMs: 30_000 });
    expect(shown(state)).toBe('Healthy - 10000');
    expect(records.map(({ action, reason }) => `${action}: ${reason}`)).toEqual([
      'promote: v2 is promoted: bake 30s is over; all 7 steps are done',
    ]);
    expect(releaseOf(NAME, state)).toMatchObject({ weights: { v1: 0, v2: FULL }, headerRoutes: [] });
  });

  test('a promotion says what had been ruled out when everybody moved, not what was earlier', () => {
    const safe = (proved?: string): Situation => ({
      ...CALM,
      passedMs: 60_000,
      judgement: { ...judged('safe', 'cleared'), ...(proved === undefined ? {} : { proved }) },
    });
    const reasonOf = (...proofs: (string | undefined)[]): string | undefined => {
      const spec: RolloutSpec = {
        ...SPEC,
        strategy: {
          canary: { steps: [{ setWeight: 10 }, { analysis: {} }, { setWeight: 50 }, { pause: { duration: '1m' } }, { setWeight: 100 }] },
        },
      };
      let { state } = plan(started(spec), CALM);
      let reason: string | undefined;
      for (let moment = 0; moment < 20 && state.active !== undefined; moment++) {
        const proved = proofs[state.active.weight === 1000 ? 0 : 1];
        const outcome = plan(state, safe(proved));
        reason = outcome.records.at(-1)?.reason ?? reason;
        ({ state } = outcome);
      }
      return reason;
    };
    expect(reasonOf('10 points are ruled out', '2 points are ruled out')).toBe(
      'v2 is promoted: setWeight 100 is in force; all 5 steps are done; 2 points are ruled out',
    );
    expect(reasonOf('10 points are ruled out')).toBe('v2 is promoted: setWeight 100 is in force; all 5 steps are done');
  });

  test('each change of the share is a stratum of its own', () => {
    expect([0, 1, 2, 3, 4, 5, 6].map((step) => at(step).epoch)).toEqual([1, 1, 2, 2, 2, 3, 3]);
  });
});

describe('what ends a step', () => {
  test.each<[what: string, step: number, situation: Partial<Situation>, expected: string]>([
    ['a pause without end does not', 1, { passedMs: 1e9 }, 'Paused 1 0'],
    ['a timed pause before its time does not', 3, { passedMs: 9999, judgement: judged('safe') }, 'Paused 3 1000'],
    ['a timed pause does', 3, { passedMs: 10_000, judgement: judged('continue') }, 'Progressing 4 1000'],
    ['evidence does', 4, { passedMs: 5000, judgement: judged('safe', 'cleared') }, 'Progressing 5 10000'],
    ['evidence before the least time does not', 4, { passedMs: 4999, judgement: judged('safe', 'cleared') }, 'Progressing 4 1000'],
    ['no evidence does not', 4, { passedMs: 5000, judgement: judged('continue') }, 'Progressing 4 1000'],
    ['no data does not', 4, { passedMs: 5000, judgement: judged('inconclusive', 'no-data', 0) }, 'Progressing 4 1000'],
    ['nothing at all does not', 4, { passedMs: 5000 }, 'Progressing 4 1000'],
    ['time out holds', 4, { passedMs: 60_000, judgement: judged('continue') }, 'Paused 4 1000'],
    ['nothing, while the data plane has not acknowledged', 3, { passedMs: 10_000, isInForce: false }, 'Paused 3 1000'],
    ['a proof of harm ends everything', 3, { judgement: judged('rollback', 'regression') }, 'Degraded - 0'],
    ['also while unacknowledged', 3, { isInForce: false, judgement: judged('rollback', 'regression') }, 'Degraded - 0'],
    ['a wrong share holds', 3, { judgement: judged('inconclusive', 'traffic') }, 'Paused 3 1000'],
    [
      'a freeze keeps everybody from moving',
      4,
      { passedMs: 9000, judgement: judged('safe', 'cleared'), frozen: 'until Monday' },
      'Progressing 4 1000',
    ],
    [
      'a canary that is gone keeps everybody from moving',
      4,
      { passedMs: 9000, judgement: judged('safe', 'cleared'), canary: { isReady: false, reason: 'gone' } },
      'Progressing 4 1000',
    ],
  ])('%s', (_what, step, situation, expected) => {
    expect(shown(plan(at(step), { ...CALM, ...situation }).state)).toBe(expected);
  });

  test('a weight that never had a canary request is not followed by a larger one', () => {
    const spec = { ...SPEC, strategy: { canary: { steps: [{ setWeight: 10 }, { setWeight: 100 }] } } };
    const state = at(0, spec);
    const silent = { ...CALM, passedMs: 60_000, judgement: judged('inconclusive', 'no-data', 0) };
    expect(shown(plan(state, silent).state)).toBe('Progressing 0 1000');
    expect(messageOf(state, silent, undefined)).toBe(
      'step 1 of 2, setWeight 10: no canary request at 10 % yet: without data the release neither passes nor fails',
    );
    expect(shown(plan(state, { ...silent, judgement: judged('continue') }).state)).toBe('Progressing 1 10000');
  });

  test('a rollback names its reason, carries its evidence and kills the epoch in force', () => {
    const { state, records, kill } = plan(at(3), { ...CALM, judgement: judged('rollback', 'regression') });
    expect(kill).toEqual({ epoch: 2, subsets: ['v2'] });
    expect(state.epoch).toBe(3);
    expect(records).toEqual([
      {
        at: '1970-01-01T00:00:00.000Z',
        by: 'engine',
        action: 'rollback',
        reason: 'back to v1: because of regression',
        run: 1,
        step: -1,
        canaryPercent: 0,
        evidence: { n: 50 },
      },
    ]);
  });

  test('a rollback waits for a stable version that can answer: the traffic stays, and somebody is told once', () => {
    const down = { ...CALM, stable: { isReady: false, reason: 'v1 has no healthy endpoint' }, judgement: judged('rollback', 'regression') };
    const held = plan(at(3), down);
    expect(shown(held.state)).toBe('Paused 3 1000');
    expect(held.records.map(({ reason }) => reason)).toEqual([
      'because of regression; but v1 has no healthy endpoint, so the traffic stays',
    ]);
    expect(plan(held.state, down).records).toEqual([]);
    expect(shown(plan(held.state, { ...down, stable: READY }).state)).toBe('Degraded - 0');
  });

  test('what is overdue is taken back; waiting for a person does not count', () => {
    const spec = { ...SPEC, deadline: '15s' };
    const waited = plan(at(1, spec), { ...CALM, passedMs: 1e9 }).state;
    expect(shown(waited)).toBe('Paused 1 0');
    const { state, records } = plan(at(4, spec), { ...CALM, passedMs: 10_000, judgement: judged('continue') });
    expect(shown(state)).toBe('Degraded - 0');
    expect(records[0]?.reason).toBe('back to v1: not promoted within its deadline of 15s under way');
  });

  test('undecided evidence is taken back where the Rollout says so', () => {
    const spec: RolloutSpec = { ...SPEC, analysis: { onInconclusive: 'rollback' } };
    expect(shown(plan(at(4, spec), { ...CALM, passedMs: 60_000 }).state)).toBe('Degraded - 0');
  });
});

describe('strategies', () => {
  test('blue-green: a preview, a switch by hand, the old version warm for a while', () => {
    const spec: RolloutSpec = {
      ...SPEC,
      strategy: { blueGreen: { preview: { match: [{ headerName: 'x-preview', headerValue: { exact: '1' } }] } } },
    };
    expect(started(spec).active?.steps.map(({ title }) => title)).toEqual(['preview', 'pause until promoted', 'switch', 'bake 30s']);
    expect(shown(at(2, spec))).toBe('Progressing 2 10000');
  });

  test('A/B for a time, and back', () => {
    const spec: RolloutSpec = { ...SPEC, strategy: { ab: { setWeight: 50, duration: '10s', onEnd: 'rollback' } } };
    const { state, records } = plan(at(0, spec), { ...CALM, passedMs: 10_000, judgement: judged('continue') });
    expect(shown(state)).toBe('Degraded - 0');
    expect(records[0]?.reason).toBe('back to v1: compare for 10s is over; end: back to stable');
  });

  test('an automatic ramp measures the traffic, then chooses its weights by it', () => {
    const { strategy: _none, ...spec } = SPEC;
    const measuring = at(0, spec);
    expect(shown(measuring)).toBe('Progressing 0 0');
    const { state } = plan(measuring, { ...CALM, passedMs: 15_000, ratePerS: 100 });
    expect(state.active?.steps.map(({ title }) => title)).toEqual([
      'measure traffic',
      'setWeight 1 while it warms up',
      'setWeight 5, analysis',
      'setWeight 12.5, analysis',
      'setWeight 31.25, analysis',
      'setWeight 50, analysis',
      'setWeight 100',
    ]);
    expect(shown(state)).toBe('Paused 1 100');
  });
});

describe('verbs', () => {
  const healthy = fresh();
  const progressing = at(2);
  const paused = at(1);
  const held = ok(command(progressing, { verb: 'pause', by: 'test' }, CALM, SPEC, NAME)).state;
  const degraded = ok(command(progressing, { verb: 'abort', by: 'test' }, CALM, SPEC, NAME)).state;
  const finished = plan(at(6), { ...CALM, passedMs: 30_000 }).state;
  const states = { healthy, progressing, paused, held, degraded, promoted: finished };

  test.each<[verb: Verb, state: keyof typeof states, expected: string]>([
    ['start', 'healthy', 'Progressing -1 0'],
    ['start', 'progressing', 'conflict'],
    ['start', 'paused', 'conflict'],
    ['start', 'degraded', 'Progressing -1 0'],
    ['start', 'promoted', 'no-change'],
    ['promote', 'healthy', 'conflict'],
    ['promote', 'progressing', 'conflict'],
    ['promote', 'paused', 'Progressing 2 1000'],
    ['promote', 'held', 'conflict'],
    ['promote', 'degraded', 'conflict'],
    ['promote', 'promoted', 'conflict'],
    ['pause', 'healthy', 'conflict'],
    ['pause', 'progressing', 'Paused 2 1000'],
    ['pause', 'held', 'same'],
    ['pause', 'degraded', 'conflict'],
    ['resume', 'healthy', 'conflict'],
    ['resume', 'progressing', 'same'],
    ['resume', 'paused', 'conflict'],
    ['resume', 'held', 'Progressing 2 1000'],
    ['abort', 'healthy', 'conflict'],
    ['abort', 'progressing', 'Degraded - 0'],
    ['abort', 'paused', 'Degraded - 0'],
    ['abort', 'held', 'Degraded - 0'],
    ['abort', 'degraded', 'same'],
    ['abort', 'promoted', 'conflict'],
    ['retry', 'healthy', 'conflict'],
    ['retry', 'progressing', 'conflict'],
    ['retry', 'degraded', 'Progressing -1 0'],
    ['retry', 'promoted', 'conflict'],
    ['undo', 'healthy', 'conflict'],
    ['undo', 'progressing', 'conflict'],
    ['undo', 'degraded', 'same'],
    ['undo', 'promoted', 'Degraded - 0'],
  ])('%s when %s: %s', (verb, name, expected) => {
    const state = states[name];
    const result = command(state, { verb, by: 'test' }, CALM, SPEC, NAME);
    if (isRefusal(result)) return expect(result.refused).toBe(expected);
    if (expected === 'same') return expect(result).toEqual({ state, records: [] });
    expect(shown(result.state)).toBe(expected);
    expect(result.records).toHaveLength(1);
    expect(result.state.revision).toBe(state.revision + 1);
  });

  test('promote --full moves everybody and says what it skipped; the run ends when that is in force', () => {
    const { state, records } = ok(command(progressing, { verb: 'promote', by: 'ann', full: true }, CALM, SPEC, NAME));
    expect(shown(state)).toBe('Progressing 6 10000');
    expect(records[0]).toMatchObject({ by: 'ann', action: 'skip', canaryPercent: 100 });
    expect(records[0]?.reason).toContain('4 steps are skipped');
    expect(shown(plan(state, { ...CALM, isInForce: false }).state)).toBe('Progressing 6 10000');
    expect(shown(plan(state, CALM).state)).toBe('Healthy - 10000');
  });

  test('a conflict names the state it is in and what can be done', () => {
    expect(command(progressing, { verb: 'promote', by: 'test' }, CALM, SPEC, NAME)).toEqual({
      refused: 'conflict',
      reason: 'cannot promote: the release is Progressing at step 3 of 7',
      hint: 'it goes on by itself; --full skips what is left',
    });
  });

  test.each<[what: string, situation: Partial<Situation>, refused: string]>([
    ['a target that cannot answer', { canary: { isReady: false, reason: 'v2 has no healthy endpoint' } }, 'unhealthy'],
    ['a freeze', { frozen: 'until Monday' }, 'frozen'],
    ['a shift by hand', { blocked: 'a shift is in force' }, 'blocked'],
  ])('no start with %s', (_what, situation, refused) => {
    expect(command(healthy, { verb: 'start', by: 'test' }, { ...CALM, ...situation }, SPEC, NAME)).toMatchObject({ refused });
  });

  test('no abort onto a stable version that cannot answer', () => {
    const situation = { ...CALM, stable: { isReady: false, reason: 'v1 has no healthy endpoint' } };
    expect(command(progressing, { verb: 'abort', by: 'test' }, situation, SPEC, NAME)).toMatchObject({ refused: 'unhealthy' });
  });

  test('going on in spite of a wrong share is remembered', () => {
    const wrong = { ...CALM, judgement: judged('inconclusive', 'traffic') };
    const stopped = plan(at(3), wrong).state;
    const resumed = ok(command(stopped, { verb: 'resume', by: 'test' }, wrong, SPEC, NAME)).state;
    expect(plan(resumed, wrong).records).toEqual([]);
  });
});

describe('another pair in the file', () => {
  test('takes back what is under way, then starts from what serves', () => {
    const first = adopt(at(3), { stable: 'v1', canary: 'v3' }, CALM);
    expect(first?.state.outcome).toBe('aborted');
    expect(first?.kill).toEqual({ epoch: 2, subsets: ['v2'] });
    const second = adopt(first?.state ?? fresh(), { stable: 'v1', canary: 'v3' }, CALM);
    expect(second?.state).toMatchObject({ stable: 'v1', canaries: ['v3'], outcome: 'settled' });
    expect(phaseOf(second?.state ?? fresh())).toBe('Healthy');
  });

  test('after a promotion keeps the promoted version serving until the new one starts', () => {
    const finished = plan(at(6), { ...CALM, passedMs: 30_000 }).state;
    const { state } = adopt(finished, { stable: 'v2', canary: 'v3' }, CALM) ?? {};
    expect(state === undefined ? undefined : releaseOf(NAME, state)?.weights).toEqual({ v2: FULL, v3: 0 });
  });

  test('the same pair is nothing new', () => {
    expect(adopt(at(3), SPEC, CALM)).toBeUndefined();
  });
});

// --- random lives --------------------------------------------------------------------------------------------------------------------

type Event =
  | { readonly kind: 'tick'; readonly situation: Situation }
  | { readonly kind: 'verb'; readonly verb: Verb; readonly full: boolean; readonly situation: Situation }
  | { readonly kind: 'crash' };

const readiness = fc.boolean().map((isReady) => ({ isReady, reason: isReady ? '' : 'gone' }));
/** Of a version that may be run by Serin, and of which there may be fewer than before. */
const stableReadiness = fc
  .record({ isReady: fc.boolean(), isRun: fc.boolean(), endpoints: fc.constantFrom(undefined, 1, 2, 4) })
  .map(({ isReady, isRun, endpoints }) => ({
    isReady,
    reason: isReady ? '' : 'gone',
    ...(isRun ? { isRun: true as const } : {}),
    ...(endpoints === undefined ? {} : { endpoints: isReady ? endpoints : 0 }),
  }));
/** What metrics and webhooks may say at the same time. */
const checks = fc
  .subarray(['harm', 'undecided', 'doubt', 'unproved', 'unconfirmed'] as const)
  .map((said): Checks =>
    Object.fromEntries(
      said.map((key) => [key, key === 'harm' || key === 'undecided' ? { message: key, evidence: { n: 1 } } : `because of ${key}`]),
    ),
  );
const situations: fc.Arbitrary<Situation> = fc
  .record({
    // Clock jumps, both ways: nothing may hang on wall time.
    nowMs: fc.integer({ min: 0, max: 4e12 }),
    passedMs: fc.constantFrom(0, 250, 1000, 15_000, 100_000),
    isInForce: fc.boolean(),
    canary: readiness,
    stable: stableReadiness,
    frozen: fc.option(fc.constant('until Monday'), { nil: undefined }),
    judgement: fc.option(
      fc.record({
        decision: fc.constantFrom('continue', 'safe', 'safe', 'rollback', 'inconclusive'),
        cause: fc.constantFrom('gathering', 'traffic', 'no-data'),
        message: fc.constant('because'),
        canaryRequests: fc.constantFrom(0, 100),
        failsAll: fc.boolean(),
        evidence: fc.constant({}),
      }),
      { nil: undefined },
    ),
    checks: fc.option(checks, { nil: undefined }),
  })
  .map(({ frozen, judgement, checks: found, ...rest }) => ({
    ...rest,
    ...(found === undefined ? {} : { checks: found }),
    ...(frozen === undefined ? {} : { frozen }),
    ...(judgement === undefined ? {} : { judgement }),
  }));
const events: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: situations.map((situation) => ({ kind: 'tick' as const, situation })) },
  {
    weight: 3,
    arbitrary: fc
      .record({ verb: fc.constantFrom(...VERBS), full: fc.boolean(), situation: situations })
      .map((verb) => ({ kind: 'verb' as const, ...verb })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
);
const specs = fc.constantFrom<RolloutSpec>(
  SPEC,
  { host: 'reviews', stable: 'v1', canary: 'v2' },
  { ...SPEC, deadline: '30s' },
  { ...SPEC, strategy: { blueGreen: { autoPromote: true } } },
  { ...SPEC, strategy: { ab: { setWeight: 20, duration: '10s' } } },
  { ...SPEC, assignment: { by: 'user', header: 'end-user' } },
  { ...SPEC, rollback: { when: 'always', steps: [30, 60], interval: '1s' } },
);

describe('random lives', () => {
  test('weights sum to the total, no step is skipped, nothing changes without a record, stable is never cut off early', () => {
    fc.assert(
      fc.property(specs, fc.array(events, { maxLength: 60, size: 'max' }), (spec, life) => {
        let state = fresh();
        for (const event of life) {
          // A crash: what was written is read back.
          if (event.kind === 'crash') {
            state = JSON.parse(JSON.stringify(state)) as RolloutState;
            continue;
          }
          const result =
            event.kind === 'tick' ? plan(state, event.situation) : command(state, { ...event, by: 'test' }, event.situation, spec, NAME);
          if (isRefusal(result)) {
            expect(result.reason).not.toBe('');
            continue;
          }
          check(state, result, event);
          state = result.state;
        }
      }),
      { numRuns: 1000 },
    );
  });
});

function check(before: RolloutState, { state: after, records, kill }: Outcome, event: Exclude<Event, { readonly kind: 'crash' }>): void {
  const release = releaseOf(NAME, after);
  if (release !== undefined) {
    expect(Object.values(release.weights).reduce((sum, weight) => sum + weight, 0)).toBe(FULL);
    for (const weight of Object.values(release.weights)) expect(weight).toBeGreaterThanOrEqual(0);
  }
  const was = canaryWeight(before);
  const is = canaryWeight(after);
  const isChanged =
    was !== is ||
    phaseOfStep(before) !== phaseOfStep(after) ||
    before.outcome !== after.outcome ||
    (before.active === undefined) !== (after.active === undefined);
  expect(records).toHaveLength(isChanged || after.revision !== before.revision ? 1 : 0);
  expect(after.revision).toBe(before.revision + records.length);
  for (const record of records) expect(record).toMatchObject({ canaryPercent: is / 100, run: after.run });
  if (was !== is) expect(after.epoch).toBeGreaterThan(before.epoch);
  // What loses its share is cut off at once, before anything is written.
  if (was > 0 && is === 0) expect(kill).toEqual({ epoch: before.epoch, subsets: before.canaries });
  const isFull = event.kind === 'verb' && event.full;
  const isBack = after.active?.back !== undefined;
  const turnsBack = isBack && before.active?.back === undefined;
  if (turnsBack) expect([after.active?.step, is]).toEqual([-1, was]);
  else if (before.active !== undefined && after.active !== undefined && !isFull) {
    expect(after.active.step - before.active.step).toBeGreaterThanOrEqual(0);
    expect(after.active.step - before.active.step).toBeLessThanOrEqual(1);
  }
  if (is > was && event.kind === 'tick') {
    expect(event.situation).toMatchObject({ isInForce: true, canary: { isReady: true } });
    expect(event.situation.frozen).toBeUndefined();
  }
  // On the way back the canary's share only shrinks, and only onto a stable version that is ready; without need no faster than this can carry.
  if (before.active?.back !== undefined) {
    expect(is).toBeLessThanOrEqual(was);
    if (is < was) {
      expect(event.situation.stable.isReady).toBe(true);
      const { endpoints = 4 } = event.situation.stable;
      const isForced = event.situation.judgement?.failsAll === true || before.active.back.atOnce || isFull;
      if (!isForced)
        expect([event.situation.isInForce, FULL - is <= (FULL * endpoints) / (0.75 * (before.terms?.stableEndpoints ?? 1))]).toEqual([
          true,
          true,
        ]);
    }
  }
  // Stable has nothing only at the last weight of the plan, or after the promotion.
  if (is === FULL && !isBack && after.active !== undefined) {
    const later = after.active.steps.slice(after.active.step + 1);
    expect(later.every(({ set }) => set?.weight === undefined)).toBe(true);
  }
  if (before.outcome !== 'promoted' && after.outcome === 'promoted') expect(was).toBe(FULL);
  if (is < was) expect(servingSubset(after)).toBe(after.stable);
}

function phaseOfStep(state: RolloutState): string {
  return `${state.active?.step ?? 'none'} ${state.active?.hold?.by ?? ''}`;
}
