/** The way back as tables: when it is walked, what it waits for, and what stays running afterwards. */
import { describe, expect, test } from 'vitest';
import type { RolloutSpec } from '../config/serin/rollout-spec.ts';
import { idleSubsets } from './idle.ts';
import { messageOf, phaseOf } from './phase.ts';
import type { Outcome } from './outcome.ts';
import { plan } from './plan.ts';
import type { Judgement, Readiness, Situation } from './situation.ts';
import { canaryWeight, newState, type RolloutState } from './state.ts';
import { adopt, command, isRefusal, type Refusal, start, type Verb } from './verbs.ts';
import { goesAtOnce } from './way-back.ts';

const NAME = 'default/reviews';
const READY: Readiness = { isReady: true, reason: '', isRun: true, endpoints: 4 };
const HALF: Readiness = { ...READY, endpoints: 2 };
const STOPPED: Readiness = { isReady: false, reason: 'no process of v1 is ready: stopped', isRun: true, endpoints: 0 };
const GONE: Readiness = { isReady: false, reason: 'v1 has no healthy endpoint', endpoints: 0 };
const CALM: Situation = { nowMs: 0, passedMs: 250, isInForce: true, canary: READY, stable: READY };
const SPEC: RolloutSpec = {
  host: 'reviews',
  stable: 'v1',
  canary: 'v2',
  strategy: { canary: { scaleDownDelay: '5s', steps: [{ setWeight: 60 }, { pause: {} }, { setWeight: 100 }] } },
};
const HARM: Judgement = { decision: 'rollback', cause: 'regression', message: 'v2 fails', canaryRequests: 9, evidence: {} };

function ok(result: Outcome | Refusal): RolloutState {
  if (isRefusal(result)) throw new Error(result.reason);
  return result.state;
}

const act = (state: RolloutState, verb: Verb, situation: Situation = CALM, full = false): RolloutState =>
  ok(command(state, { verb, by: 'test', full }, situation, SPEC, NAME));

/** Lets time pass, a quarter of a second at a time. */
function pass(state: RolloutState, seconds: number, situation: Partial<Situation> = {}): RolloutState {
  let now = state;
  for (let tick = 0; tick < seconds * 4; tick++) now = plan(now, { ...CALM, ...situation }).state;
  return now;
}

const begun = (spec: RolloutSpec = SPEC): RolloutState =>
  pass(ok(start(newState({ stable: 'v1', canaries: ['v2'] }), CALM, spec, NAME, 'test', 'test')), 1);
const released = (spec: RolloutSpec = SPEC): RolloutState => pass(act(begun(spec), 'promote'), 1);
const shown = (state: RolloutState): string => `${phaseOf(state)} ${canaryWeight(state)}`;
const message = (state: RolloutState, situation: Partial<Situation>): string => messageOf(state, { ...CALM, ...situation }, undefined);

describe('at once or in steps', () => {
  test.each<[what: string, situation: Partial<Situation>, full: boolean, rollback: RolloutSpec['rollback'], expected: string]>([
    ['a warm stable takes everybody at once', {}, false, undefined, 'Degraded 0'],
    ['more endpoints than before are no less warm', { stable: { ...READY, endpoints: 5 } }, false, undefined, 'Degraded 0'],
    ['one that lacks a quarter of them neither', { stable: { ...READY, endpoints: 3 } }, false, undefined, 'Degraded 0'],
    ['one that has shrunk does not', { stable: HALF }, false, undefined, 'Progressing 6000'],
    ['one that has stopped does not', { stable: STOPPED }, false, undefined, 'Progressing 6000'],
    ['one whose way back is always walked does not', {}, false, { when: 'always' }, 'Progressing 6000'],
    ['a small one does for somebody who asks for it', { stable: HALF }, true, undefined, 'Degraded 0'],
    ['a stopped one never at once', { stable: STOPPED }, true, undefined, 'Progressing 6000'],
    [
      'a small one does when the canary fails everything',
      { stable: HALF, judgement: { ...HARM, failsAll: true } },
      false,
      undefined,
      'Degraded 0',
    ],
  ])('%s', (_what, situation, full, rollback, expected) => {
    const state = begun(rollback === undefined ? SPEC : { ...SPEC, rollback });
    expect(shown(act(state, 'abort', { ...CALM, ...situation }, full))).toBe(expected);
  });

  test('one that is gone for good stays refused', () => {
    expect(command(begun(), { verb: 'abort', by: 'test' }, { ...CALM, stable: GONE }, SPEC, NAME)).toMatchObject({ refused: 'unhealthy' });
    expect(shown(pass(begun(), 1, { stable: GONE, judgement: HARM }))).toBe('Paused 6000');
  });

  test('a proof of harm goes the same ways', () => {
    expect(shown(pass(begun(), 0.25, { judgement: HARM }))).toBe('Degraded 0');
    expect(shown(pass(begun(), 0.25, { judgement: HARM, stable: HALF }))).toBe('Progressing 6000');
    const { kill } = plan(begun(), { ...CALM, judgement: HARM, stable: HALF });
    expect(kill).toBeUndefined();
  });

  test('a worker may cut the canary off by itself only where everybody may go at once', () => {
    expect(goesAtOnce(begun(), READY)).toBe(true);
    expect(goesAtOnce(begun(), HALF)).toBe(false);
    expect(goesAtOnce(begun({ ...SPEC, rollback: { when: 'always' } }), READY)).toBe(false);
    expect(goesAtOnce(act(begun(), 'abort', { ...CALM, stable: HALF }), READY)).toBe(false);
  });
});

describe('the way', () => {
  test('stable is brought up, then gets 10, 25, 50 and 100 percent, every ten seconds', () => {
    let state = act(released(), 'undo', { ...CALM, stable: STOPPED });
    expect(shown(state)).toBe('Progressing 10000');
    state = pass(state, 60, { stable: STOPPED });
    expect(shown(state)).toBe('Progressing 10000');
    expect(message(state, { stable: STOPPED })).toBe('about to go back to v1: no process of v1 is ready: stopped');
    const shares = [1, 10, 10, 10].map((seconds) => {
      state = pass(state, seconds);
      return shown(state);
    });
    expect(shares).toEqual(['Progressing 9000', 'Progressing 7500', 'Progressing 5000', 'Degraded 0']);
    expect(state.outcome).toBe('undone');
  });

  test('only shares that shrink the canary are steps of it', () => {
    const state = pass(act(begun(), 'abort', { ...CALM, stable: HALF }), 1, { stable: HALF });
    expect(state.active?.steps.map(({ title }) => title)).toEqual(['50 % back to v1', 'everybody back to v1']);
    expect(shown(state)).toBe('Progressing 5000');
    // Half of its endpoints carry two thirds of the requests; the rest waits for them.
    const waiting = pass(state, 60, { stable: HALF });
    expect(shown(waiting)).toBe('Progressing 5000');
    expect(message(waiting, { stable: HALF })).toContain('v1 has 2 of 4 endpoints, enough for 66.66 %');
    expect(shown(pass(waiting, 1))).toBe('Degraded 0');
  });

  test('it waits for the data plane, stands still when paused, and ends at once when the canary fails everything', () => {
    const state = pass(act(released(), 'undo', { ...CALM, stable: STOPPED }), 1);
    expect(shown(pass(state, 60, { isInForce: false }))).toBe('Progressing 9000');
    const paused = act(state, 'pause');
    expect(shown(pass(paused, 60))).toBe('Paused 9000');
    expect(shown(pass(act(paused, 'resume'), 9.75))).toBe('Progressing 7500');
    expect(shown(pass(state, 0.25, { judgement: { ...HARM, failsAll: true } }))).toBe('Degraded 0');
    expect(shown(pass(state, 0.25, { judgement: HARM }))).toBe('Progressing 9000');
  });

  test('what is asked for again is the same; --full shortens it; nothing else is possible', () => {
    const state = act(released(), 'undo', { ...CALM, stable: HALF });
    expect(act(state, 'undo')).toBe(state);
    expect(act(state, 'abort')).toBe(state);
    expect(shown(act(state, 'undo', { ...CALM, stable: HALF }, true))).toBe('Degraded 0');
    for (const verb of ['start', 'promote', 'retry'] as const)
      expect(command(state, { verb, by: 'test', full: true }, CALM, SPEC, NAME)).toMatchObject({ refused: expect.any(String) });
    // A stopped version is waited for, however much of a hurry there is.
    const stopped = act(act(released(), 'undo', { ...CALM, stable: STOPPED }), 'undo', { ...CALM, stable: STOPPED }, true);
    expect(shown(stopped)).toBe('Progressing 10000');
    expect(shown(pass(stopped, 0.25, { stable: HALF }))).toBe('Degraded 0');
  });

  test('another pair in the file waits for its end', () => {
    const state = act(begun(), 'abort', { ...CALM, stable: HALF });
    expect(adopt(state, { stable: 'v1', canary: 'v3' }, CALM)).toBeUndefined();
    expect(adopt(act(state, 'abort', CALM, true), { stable: 'v1', canary: 'v3' }, CALM)?.state.canaries).toEqual(['v3']);
  });
});

describe('what need not run', () => {
  const idle = (state: RolloutState, others: readonly string[] = []): string[] => Object.keys(idleSubsets(state, others));

  test('the canary before its release, nothing while it is under way, the loser a while after the end', () => {
    expect(idle(newState({ stable: 'v1', canaries: ['v2'] }))).toEqual(['v2']);
    expect(idle(begun())).toEqual([]);
    const promoted = released();
    expect(idle(pass(promoted, 4))).toEqual([]);
    expect(idle(pass(promoted, 5))).toEqual(['v1']);
    const aborted = act(begun(), 'abort');
    expect(idle(pass(aborted, 4))).toEqual([]);
    expect(idle(pass(aborted, 5.25))).toEqual(['v2']);
    expect(idleSubsets(pass(aborted, 6), [])).toEqual({ v2: 'its release was taken back' });
  });

  test('the end of the wait is on record; where Serin does not run the version, nobody is told', () => {
    const { state, records } = plan(pass(released(), 4), { ...CALM, passedMs: 1000 });
    expect(records.map(({ action, reason }) => `${action}: ${reason}`)).toEqual([
      'scaleDown: v1 is not needed any more: kept for 5s after the end',
    ]);
    expect(plan(state, CALM).records).toEqual([]);
    const elsewhere = { ...CALM, passedMs: 9000, stable: { isReady: true, reason: '' } };
    expect(plan(released(), elsewhere).records).toEqual([]);
  });

  test('versions of earlier runs stay stopped', () => {
    expect(idle(pass(released(), 6), ['v0', 'v1'])).toEqual(['v1', 'v0']);
    const next = ok(start(pass(released(), 6), CALM, { ...SPEC, stable: 'v2', canary: 'v3' }, NAME, 'test', 'test'));
    expect(idle(next, ['v1', 'v2'])).toEqual(['v1']);
  });

  test('blue-green has kept blue warm as its last step', () => {
    const spec: RolloutSpec = { ...SPEC, strategy: { blueGreen: { autoPromote: true, scaleDownDelay: '3s' } } };
    const state = pass(ok(start(newState({ stable: 'v1', canaries: ['v2'] }), CALM, spec, NAME, 'test', 'test')), 5);
    expect([shown(state), idle(state)]).toEqual(['Healthy 10000', ['v1']]);
  });

  test('a release of a version that is stopped begins, and moves nobody before it is ready', () => {
    const stopped = { ...CALM, canary: STOPPED };
    const state = ok(start(newState({ stable: 'v1', canaries: ['v2'] }), stopped, SPEC, NAME, 'test', 'test'));
    expect(shown(pass(state, 60, stopped))).toBe('Progressing 0');
    expect(message(pass(state, 60, stopped), stopped)).toBe('about to begin: no process of v1 is ready: stopped');
    expect(shown(pass(state, 0.25))).toBe('Progressing 6000');
  });
});
