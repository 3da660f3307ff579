/** Decisions about several candidates: who leaves, who goes on, who is chosen; and random lives against what must never happen. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canariesOf, type RolloutSpec } from '../config/serin/rollout-spec.ts';
import { phaseOf } from './phase.ts';
import type { Outcome } from './outcome.ts';
import { plan } from './plan.ts';
import { inRace, sharesOf, together } from './race.ts';
import type { CandidateSituation, Judgement, Situation } from './situation.ts';
import { FULL } from './spec.ts';
import { canaryWeight, newState, releaseOf, type RolloutState, servingSubset } from './state.ts';
import { adopt, type Command, command, isRefusal, type Refusal, start, VERBS } from './verbs.ts';

const READY = { isReady: true, reason: '' };
const NAME = 'default/reviews';
const SPEC: RolloutSpec = {
  host: 'reviews',
  stable: 'v1',
  canaries: ['v2', 'v3', 'v4'],
  strategy: {
    canary: {
      steps: [
        { setHeaderRoute: { match: [{ headerName: 'x', headerValue: { exact: 'y' } }], to: 'v3' } },
        { setWeight: 30 },
        { analysis: { atLeast: '5s', timeout: '60s' } },
        { setWeight: 60 },
        { pause: { duration: '10s' } },
        { setWeight: 100 },
        { bake: { duration: '30s' } },
      ],
    },
  },
};

function judged(decision: Judgement['decision'], canaryRequests = 50): CandidateSituation {
  const cause = decision === 'rollback' ? 'regression' : decision === 'safe' ? 'cleared' : 'gathering';
  return {
    readiness: READY,
    judgement: { decision, cause, message: `it is ${decision}`, canaryRequests, evidence: { n: canaryRequests } },
  };
}

/** What is known of each candidate in the race; `passedMs` has gone by. */
function seen(each: Readonly<Record<string, CandidateSituation>>, passedMs = 0, more: Partial<Situation> = {}): Situation {
  return { nowMs: 0, passedMs, isInForce: true, stable: READY, ...together(each), ...more };
}

const fresh = (spec: RolloutSpec = SPEC): RolloutState => newState({ stable: spec.stable, canaries: canariesOf(spec) });

function ok(result: Outcome | Refusal): Outcome {
  if (isRefusal(result)) throw new Error(`${result.reason}; ${result.hint ?? ''}`);
  return result;
}

const all = (state: RolloutState, decision: Judgement['decision']): Record<string, CandidateSituation> =>
  Object.fromEntries(inRace(state).map((subset) => [subset, judged(decision)]));

/** Lets time pass, everybody doing well, until `step` (0-based) is entered. */
function at(step: number, spec: RolloutSpec = SPEC): RolloutState {
  let state = ok(start(fresh(spec), seen({}, 0, { canary: READY }), spec, NAME, 'test', 'test')).state;
  for (let tick = 0; tick < 200 && (state.active?.step ?? 99) < step; tick++) state = plan(state, seen(all(state, 'safe'), 1000)).state;
  expect(state.active?.step).toBe(step);
  return state;
}

/** `phase step v2/v3/v4`, hundredths of a percent. */
function shown(state: RolloutState): string {
  const shares = Object.values(sharesOf(state, canaryWeight(state))).join('/');
  return `${phaseOf(state)} ${state.active?.step ?? '-'} ${shares}`;
}

const spoken = ({ records }: Outcome): string[] => records.map(({ action, reason }) => `${action}: ${reason}`);
const ask = (state: RolloutState, asked: Omit<Command, 'by'>, situation: Situation = seen(all(state, 'safe'))): Outcome | Refusal =>
  command(state, { ...asked, by: 'ann' }, situation, SPEC, NAME);

describe('a moment', () => {
  const { safe, worse, unsure } = { safe: judged('safe'), worse: judged('rollback'), unsure: judged('continue') };
  test.each<[what: string, step: number, situation: Situation, expected: string]>([
    ['the weight is shared', 1, seen({ v2: unsure, v3: unsure, v4: unsure }), 'Progressing 2 1000/1000/1000'],
    ['all are safe: it goes on', 2, seen({ v2: safe, v3: safe, v4: safe }, 5000), 'Progressing 3 2000/2000/2000'],
    ['one is not yet: it waits', 2, seen({ v2: safe, v3: unsure, v4: safe }, 5000), 'Progressing 2 1000/1000/1000'],
    ['one has no requests: it waits', 3, seen({ v2: safe, v3: judged('continue', 0), v4: safe }, 1), 'Paused 4 2000/2000/2000'],
    ['one is worse: it leaves, the others keep theirs', 2, seen({ v2: safe, v3: worse, v4: safe }, 5000), 'Progressing 2 1000/0/1000'],
    ['two are worse', 4, seen({ v2: worse, v3: worse, v4: unsure }), 'Paused 4 0/0/2000'],
    ['all are worse: it is taken back', 4, seen({ v2: worse, v3: worse, v4: worse }), 'Degraded - 0/0/0'],
    ['also while unacknowledged', 2, seen({ v2: worse, v3: unsure, v4: unsure }, 0, { isInForce: false }), 'Progressing 2 0/1000/1000'],
    [
      'not onto a stable version that cannot answer',
      2,
      seen({ v2: worse, v3: safe, v4: safe }, 0, { stable: { isReady: false, reason: 'gone' } }),
      'Paused 2 1000/1000/1000',
    ],
    ['undecided in time: it holds', 2, seen({ v2: safe, v3: unsure, v4: safe }, 60_000), 'Paused 2 1000/1000/1000'],
    ['several at the end: somebody has to choose', 4, seen({ v2: safe, v3: safe, v4: safe }, 10_000), 'Paused 4 2000/2000/2000'],
  ])('%s', (_what, step, situation, expected) => {
    expect(shown(plan(at(step), situation).state)).toBe(expected);
  });

  test('who leaves is switched off in the epoch in force, with a record, a reason and evidence of its own', () => {
    const before = at(2);
    const outcome = plan(before, seen({ v2: judged('rollback', 7), v3: safe, v4: judged('rollback', 9) }));
    expect(outcome.kill).toEqual({ epoch: before.epoch, subsets: ['v2', 'v4'] });
    expect(outcome.state.epoch).toBe(before.epoch + 1);
    expect(outcome.records.map(({ action, evidence, canaryPercent }) => ({ action, evidence, canaryPercent }))).toEqual([
      { action: 'drop', evidence: { n: 7 }, canaryPercent: 10 },
      { action: 'drop', evidence: { n: 9 }, canaryPercent: 10 },
    ]);
    expect(spoken(outcome)[0]).toBe('drop: v2 is dropped: it is rollback; v3 goes on');
    expect(outcome.state.left).toEqual([
      { subset: 'v2', fate: 'dropped', reason: 'it is rollback', share: 1000 },
      { subset: 'v4', fate: 'dropped', reason: 'it is rollback', share: 1000 },
    ]);
  });

  test('its cohort is like everybody else again; a cohort that is to come for it does not', () => {
    expect(at(2).active?.routes.map(({ to }) => to)).toEqual(['v3']);
    expect(plan(at(2), seen({ v2: safe, v3: worse, v4: safe })).state.active?.routes).toEqual([]);
    const early = ok(start(fresh(), seen({}, 0, { canary: READY }), SPEC, NAME, 'test', 'test')).state;
    const { state } = plan(
      { ...early, left: [{ subset: 'v3', fate: 'dropped', reason: 'worse', share: 0 }] },
      seen({ v2: unsure, v4: unsure }),
    );
    expect(state.active).toMatchObject({ step: 0, routes: [] });
  });

  test('copies go to whom they are meant for, and to nobody else once that version has left', () => {
    const steps = [{ setMirrorRoute: { percentage: 20, to: 'v3' } }, { setWeight: 30 }, { pause: {} }, { setMirrorRoute: {} }];
    const spec = { ...SPEC, strategy: { canary: { steps: [...steps, { setWeight: 100 }] } } };
    expect(releaseOf(NAME, at(2, spec))?.mirror).toEqual({ to: 'v3', percentage: 20 });
    const dropped = plan(at(2, spec), seen({ v2: safe, v3: worse, v4: safe })).state;
    expect(releaseOf(NAME, dropped)?.mirror).toBeUndefined();
    const later = ok(command(dropped, { verb: 'promote', by: 'ann' }, seen({ v2: safe, v4: safe }), spec, NAME)).state;
    expect(releaseOf(NAME, later)?.mirror).toEqual({ to: 'v2', percentage: 100 });
  });

  test('without a name a cohort goes to the first in the race', () => {
    const { to: _v3, ...route } = SPEC.strategy?.canary?.steps?.[0]?.setHeaderRoute ?? {};
    const steps = [{ setHeaderRoute: route }, { setWeight: 100 }];
    const spec = { ...SPEC, strategy: { canary: { steps } } };
    expect(at(0, spec).active?.routes.map(({ to }) => to)).toEqual(['v2']);
  });

  test('the time of an analysis starts anew for those that remain, and the weight is shared among them at the next step', () => {
    const dropped = plan(
      plan(at(2), seen({ v2: safe, v3: unsure, v4: safe }, 50_000)).state,
      seen({ v2: safe, v3: worse, v4: safe }),
    ).state;
    expect(dropped.active?.stepMs).toBe(0);
    expect(shown(plan(dropped, seen({ v2: safe, v4: safe }, 5000)).state)).toBe('Progressing 3 3000/0/3000');
  });

  test('undecided where the Rollout rolls back: who is cleared goes on in that moment, the others leave', () => {
    const spec: RolloutSpec = { ...SPEC, analysis: { onInconclusive: 'rollback' } };
    const outcome = plan(at(2, spec), seen({ v2: safe, v3: unsure, v4: safe }, 60_000));
    expect(shown(outcome.state)).toBe('Progressing 3 3000/0/3000');
    expect(spoken(outcome)).toEqual([
      'drop: v3 is dropped: no verdict within 1m: it is continue; v2 and v4 go on',
      'step: step 4 of 7: setWeight 60; v2: it is safe; v4: it is safe',
    ]);
    const frozen = plan(at(2, spec), seen({ v2: safe, v3: unsure, v4: safe }, 60_000, { frozen: 'until Monday' }));
    expect(shown(frozen.state)).toBe('Progressing 2 1000/1000/1000');
    expect(shown(plan(at(2, spec), seen({ v2: unsure, v3: unsure, v4: unsure }, 60_000)).state)).toBe('Degraded - 0/0/0');
  });

  test('the last one alone is promoted', () => {
    let state = plan(at(4), seen({ v2: worse, v3: worse, v4: safe })).state;
    for (const passedMs of [10_000, 30_000, 30_000]) state = plan(state, seen({ v4: judged('safe') }, passedMs)).state;
    expect(shown(state)).toBe('Healthy - 0/0/10000');
    expect(servingSubset(state)).toBe('v4');
    expect(releaseOf(NAME, state)).toMatchObject({ canaries: ['v4'], weights: { v4: FULL, v1: 0 } });
  });

  test('the choice is no longer asked for when one is left', () => {
    const asked = plan(at(4), seen({ v2: safe, v3: safe, v4: safe }, 10_000));
    expect(spoken(asked)).toEqual([
      'pause: pause 10s is over; v2 and v3 and v4 are still in the race: serin rollout promote --to v2 or --to v3 or --to v4',
    ]);
    const two = plan(asked.state, seen({ v2: worse, v3: safe, v4: safe })).state;
    expect(shown(two)).toBe('Paused 4 0/2000/2000');
    expect(two.active?.hold?.by).toBe('choice');
    const one = plan(two, seen({ v3: safe, v4: worse })).state;
    expect(one.active?.hold).toBeUndefined();
    expect(shown(plan(one, seen({ v3: safe }, 1000)).state)).toBe('Progressing 5 0/10000/0');
  });
});

describe('A/B/n', () => {
  const spec = (onEnd: 'pause' | 'promote' | 'rollback'): RolloutSpec => ({
    ...SPEC,
    strategy: { ab: { setWeight: 30, duration: '10s', onEnd } },
  });
  const ended = (onEnd: 'pause' | 'promote' | 'rollback', each: Record<string, CandidateSituation>): Outcome =>
    plan(at(0, spec(onEnd)), seen(each, 10_000));
  const unsure = judged('continue');

  test('promote: the first that is proven not to be worse', () => {
    const outcome = ended('promote', { v2: unsure, v3: judged('safe'), v4: judged('safe') });
    expect(shown(outcome.state)).toBe('Progressing 1 0/10000/0');
    expect(spoken(outcome)).toEqual([
      'choose: v3 is chosen, v2 and v4 leave: it is the first of them that is proven not to be worse',
      'step: step 2 of 2: setWeight 100; compare for 10s is over',
    ]);
    expect(outcome.kill?.subsets).toEqual(['v2', 'v4']);
  });

  test('promote, and none is proven: somebody has to choose', () => {
    expect(shown(ended('promote', { v2: unsure, v3: unsure, v4: unsure }).state)).toBe('Paused 0 1000/1000/1000');
  });

  test('pause, or back to stable', () => {
    expect(shown(ended('pause', { v2: unsure, v3: unsure, v4: unsure }).state)).toBe('Paused 1 1000/1000/1000');
    expect(shown(ended('rollback', { v2: unsure, v3: unsure, v4: unsure }).state)).toBe('Degraded - 0/0/0');
  });
});

test('an automatic ramp gives each what it would get alone, and stable no less than one of them', () => {
  const { strategy: _none, ...spec } = SPEC;
  const { state } = plan(at(0, spec), seen(all(fresh(), 'continue'), 15_000, { ratePerS: 100 }));
  expect(state.active?.steps.map(({ title }) => title)).toEqual([
    'measure traffic',
    'setWeight 1 while it warms up',
    'setWeight 15, analysis',
    'setWeight 37.5, analysis',
    'setWeight 75, analysis',
    'setWeight 100',
  ]);
});

test('the risks of the release are shared', () => {
  expect(at(1).active?.analysis).toMatchObject({ rollbackRisk: 0.01 / 3, advanceRisk: 0.05 / 3, shareRisk: 0.001 / 3 });
});

describe('verbs', () => {
  const choosing = plan(at(4), seen(all(at(4), 'safe'), 10_000)).state;
  const states = { progressing: at(2), timed: at(4), choosing, degraded: plan(at(2), seen(all(at(2), 'rollback'))).state };

  test.each<[asked: Omit<Command, 'by'>, state: keyof typeof states, expected: string]>([
    [{ verb: 'promote' }, 'choosing', 'conflict'],
    [{ verb: 'promote', to: 'v3' }, 'choosing', 'Progressing 5 0/10000/0'],
    [{ verb: 'promote', to: 'v9' }, 'choosing', 'conflict'],
    [{ verb: 'promote', full: true }, 'choosing', 'conflict'],
    [{ verb: 'promote', full: true, to: 'v4' }, 'choosing', 'Progressing 6 0/0/10000'],
    [{ verb: 'promote', to: 'v3' }, 'progressing', 'Progressing 2 0/1000/0'],
    [{ verb: 'promote', to: 'v3', full: true }, 'progressing', 'Progressing 6 0/10000/0'],
    [{ verb: 'promote' }, 'timed', 'conflict'],
    [{ verb: 'promote', to: 'v2' }, 'timed', 'Progressing 5 10000/0/0'],
    [{ verb: 'promote', to: 'v2' }, 'degraded', 'conflict'],
    [{ verb: 'abort' }, 'choosing', 'Degraded - 0/0/0'],
    [{ verb: 'abort' }, 'progressing', 'Degraded - 0/0/0'],
    [{ verb: 'pause' }, 'progressing', 'Paused 2 1000/1000/1000'],
    [{ verb: 'resume' }, 'choosing', 'conflict'],
    [{ verb: 'retry' }, 'degraded', 'Progressing -1 0/0/0'],
  ])('%o when %s: %s', (asked, name, expected) => {
    const result = ask(states[name], asked);
    if (isRefusal(result)) return expect(result.refused).toBe(expected);
    expect(shown(result.state)).toBe(expected);
    expect(result.state.revision).toBe(states[name].revision + result.records.length);
  });

  test('a conflict names who is in the race', () => {
    expect(ask(choosing, { verb: 'promote' })).toMatchObject({ hint: 'everybody moves to one of v2, v3, v4: name it with --to' });
    expect(ask(choosing, { verb: 'promote', to: 'v9' })).toMatchObject({ hint: 'v9 is not in the race: v2, v3, v4' });
  });

  test('the others are switched off, and who was chosen need not wait for them to be ready', () => {
    const situation = seen({ v2: judged('safe'), v3: { readiness: { isReady: false, reason: 'v3 is gone' } }, v4: judged('safe') });
    const result = ok(ask(choosing, { verb: 'promote', to: 'v2' }, situation));
    expect(result.kill).toEqual({ epoch: choosing.epoch, subsets: ['v3', 'v4'] });
    expect(result.records.map(({ action }) => action)).toEqual(['choose', 'promote']);
    expect(ask(choosing, { verb: 'promote', to: 'v3' }, situation)).toMatchObject({ refused: 'unhealthy', reason: 'v3 is gone' });
  });

  test('what they had goes to stable, so that has to be ready', () => {
    const down = seen(all(choosing, 'safe'), 0, { stable: { isReady: false, reason: 'v1 is gone' } });
    expect(ask(choosing, { verb: 'promote', to: 'v2' }, down)).toMatchObject({ refused: 'unhealthy' });
  });

  test('a new run has all of them again', () => {
    const once = plan(at(2), seen({ v2: judged('safe'), v3: judged('rollback'), v4: judged('safe') })).state;
    const aborted = ok(ask(once, { verb: 'abort' })).state;
    const again = ok(ask(aborted, { verb: 'retry' }, seen({}, 0, { canary: READY }))).state;
    expect(inRace(again)).toEqual(['v2', 'v3', 'v4']);
  });

  test('after a promotion: nothing to start, undone it is stable that serves', () => {
    const chosen = ok(ask(choosing, { verb: 'promote', to: 'v3', full: true })).state;
    const done = plan(chosen, seen({ v3: judged('safe') }, 1)).state;
    expect(shown(done)).toBe('Healthy - 0/10000/0');
    expect(ask(done, { verb: 'start' })).toMatchObject({ refused: 'no-change', reason: 'v3 serves already' });
    const undone = ok(ask(done, { verb: 'undo' }));
    expect(shown(undone.state)).toBe('Degraded - 0/0/0');
    expect(undone.kill?.subsets).toEqual(['v3']);
    expect(adopt(done, { stable: 'v3', canaries: ['v5', 'v6'] }, seen({}))?.state).toMatchObject({ outcome: 'settled', left: [] });
  });
});

// --- random lives --------------------------------------------------------------------------------------------------------------------

const decisions = fc.oneof(
  { weight: 12, arbitrary: fc.constant('safe' as const) },
  { weight: 2, arbitrary: fc.constantFrom<Judgement['decision']>('continue', 'inconclusive', 'rollback') },
);
/** Now and then not. */
const mostly = fc.nat({ max: 9 }).map((n) => n > 0);
const candidate = fc
  .record({ decision: fc.option(decisions, { nil: undefined, freq: 9 }), isReady: mostly, requests: fc.constantFrom(0, 9, 9, 9, 9, 9) })
  .map(({ decision, isReady, requests }): CandidateSituation => ({
    ...(decision === undefined ? {} : judged(decision, requests)),
    readiness: { isReady, reason: isReady ? '' : 'gone' },
  }));
const moments = fc.record({
  each: fc.array(candidate, { minLength: 3, maxLength: 3 }),
  passedMs: fc.constantFrom(0, 1000, 15_000, 100_000),
  isInForce: mostly,
  isStableReady: mostly,
  isFree: mostly,
  event: fc.oneof(
    { weight: 6, arbitrary: fc.constant({ kind: 'tick' as const }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('verb' as const),
        verb: fc.constantFrom(...VERBS),
        full: fc.boolean(),
        to: fc.constantFrom(undefined, 'v2', 'v3', 'v4'),
      }),
    },
  ),
});
const specs = fc.constantFrom<RolloutSpec>(
  SPEC,
  { host: 'reviews', stable: 'v1', canaries: ['v2', 'v3', 'v4'] },
  { ...SPEC, analysis: { onInconclusive: 'rollback' }, deadline: '90s' },
  { ...SPEC, assignment: { by: 'user', header: 'end-user' } },
  { ...SPEC, strategy: { ab: { setWeight: 20, duration: '10s', onEnd: 'promote' } } },
  { ...SPEC, strategy: { ab: { setWeight: 20, duration: '10s' } } },
);

test('nobody is promoted while the traffic is measured, and the steps are not known', () => {
  const { strategy: _none, ...spec } = SPEC;
  const held = plan(at(0, spec), seen(all(fresh(), 'rollback'), 0, { stable: { isReady: false, reason: 'gone' } })).state;
  expect(held.active?.hold?.by).toBe('share');
  expect(command(held, { verb: 'promote', by: 'ann' }, seen(all(fresh(), 'safe')), spec, NAME)).toMatchObject({ refused: 'conflict' });
  expect(command(held, { verb: 'promote', by: 'ann', to: 'v3' }, seen(all(fresh(), 'safe')), spec, NAME)).toMatchObject({
    refused: 'conflict',
  });
});

test('random lives: exact shares, no step skipped, no change without a record, nobody comes back, stable serves until one is alone', () => {
  const outcomes = new Set<string>();
  fc.assert(
    fc.property(specs, fc.array(moments, { maxLength: 50, size: 'max' }), (spec, life) => {
      let state = fresh(spec);
      for (const { each, passedMs, isInForce, isStableReady, isFree, event } of life) {
        const candidates = Object.fromEntries(inRace(state).map((subset, index) => [subset, each[index] ?? judged('safe')]));
        const situation = seen(candidates, passedMs, {
          isInForce,
          stable: { isReady: isStableReady, reason: isStableReady ? '' : 'gone' },
          ...(!isFree ? { frozen: 'until Monday' } : {}),
        });
        const asked = event.kind === 'verb' ? { verb: event.verb, by: 'test', full: event.full } : undefined;
        const to = event.kind === 'verb' ? event.to : undefined;
        const result =
          asked === undefined
            ? plan(state, situation)
            : command(state, { ...asked, ...(to === undefined ? {} : { to }) }, situation, spec, NAME);
        if (isRefusal(result)) continue;
        check(state, result, situation, asked?.full === true);
        state = JSON.parse(JSON.stringify(result.state)) as RolloutState;
        for (const { action } of result.records) outcomes.add(action);
      }
    }),
    { numRuns: 1000 },
  );
  // The lives have seen everything.
  expect([...outcomes].toSorted()).toEqual(
    ['abort', 'choose', 'drop', 'pause', 'promote', 'resume', 'rollback', 'skip', 'start', 'step', 'undo'].toSorted(),
  );
});

function check(before: RolloutState, { state: after, records, kill }: Outcome, situation: Situation, isFull: boolean): void {
  const release = releaseOf(NAME, after);
  if (release !== undefined) {
    expect(Object.values(release.weights).reduce((sum, weight) => sum + weight, 0)).toBe(FULL);
    for (const { subset, size } of release.ranges ?? []) expect(release.weights[subset]).toBeGreaterThanOrEqual(size);
    for (const { to } of release.headerRoutes) expect(inRace(after)).toContain(to);
  }
  const was = sharesOf(before, canaryWeight(before));
  const is = sharesOf(after, canaryWeight(after));
  const isSameRun = before.run === after.run;
  const isChanged =
    JSON.stringify([was, before.left, before.active?.step, before.outcome, before.active?.hold?.by, before.run]) !==
    JSON.stringify([is, after.left, after.active?.step, after.outcome, after.active?.hold?.by, after.run]);
  if (isChanged) expect(records).not.toEqual([]);
  expect(after.revision).toBe(before.revision + records.length);
  if (JSON.stringify(was) !== JSON.stringify(is)) expect(after.epoch).toBeGreaterThan(before.epoch);
  const lost = Object.entries(was).filter(([subset, share]) => share > 0 && is[subset] === 0);
  expect([...(kill?.subsets ?? [])].toSorted()).toEqual(expect.arrayContaining(lost.map(([subset]) => subset)));
  if (lost.length > 0) expect(kill?.epoch).toBe(before.epoch);
  for (const { subset } of after.left) expect(is[subset]).toBe(0);
  if (isSameRun) for (const leaver of before.left) expect(after.left).toContainEqual(leaver);
  if (before.active !== undefined && after.active !== undefined && !isFull) {
    expect(after.active.step - before.active.step).toBeGreaterThanOrEqual(0);
    expect(after.active.step - before.active.step).toBeLessThanOrEqual(1);
  }
  const grown = Object.entries(is).filter(([subset, share]) => share > (was[subset] ?? 0));
  if (grown.length > 0) {
    expect(situation.frozen).toBeUndefined();
    const each = situation.each ?? {};
    for (const [subset] of grown) expect(each[subset]?.readiness.isReady ?? situation.canary.isReady).toBe(true);
  }
  if (canaryWeight(after) === FULL) expect(inRace(after)).toHaveLength(1);
  if (after.active !== undefined || after.outcome === 'promoted') expect(inRace(after).length).toBeGreaterThan(0);
}
