/** What metrics and webhooks do to a release: sentences, gates, and plan.ts acting on them. */
import { describe, expect, test } from 'vitest';
import type { Metric } from '../config/serin/metric-resolve.ts';
import type { WebhookSpec } from '../config/serin/metric-spec.ts';
import type { RolloutSpec } from '../config/serin/rollout-spec.ts';
import { type Checks, checksOf, gateKey, gatesBefore, metricKey, pollKey, type WebhookRun } from './checks.ts';
import { measured, type MeasurementPhase, type MetricRun, newRun } from './metric-run.ts';
import { messageOf, phaseOf } from './phase.ts';
import { plan } from './plan.ts';
import type { Situation } from './situation.ts';
import { canaryWeight, newState, type RolloutState } from './state.ts';
import { command, isRefusal, start } from './verbs.ts';

const READY = { isReady: true, reason: '' };
const CALM: Situation = { nowMs: 0, passedMs: 0, isInForce: true, canary: READY, stable: READY };
const SAFE = { decision: 'safe', cause: 'cleared', message: 'v2 is no worse', canaryRequests: 50, evidence: {} } as const;
const SPEC: RolloutSpec = {
  host: 'reviews',
  stable: 'v1',
  canary: 'v2',
  strategy: {
    canary: { steps: [{ setWeight: 10 }, { analysis: { atLeast: '1s' } }, { setWeight: 50 }, { pause: {} }, { setWeight: 100 }] },
  },
};
const METRIC: Metric = {
  name: 'errors',
  provider: {},
  successCondition: 'result < 1',
  rules: {
    intervalMs: 1000,
    initialDelayMs: 0,
    failureLimit: 0,
    inconclusiveLimit: 0,
    consecutiveErrorLimit: 4,
    consecutiveSuccessLimit: 0,
  },
  dryRun: false,
  file: 'a.yaml',
  fingerprint: 'x',
};

function begun(): RolloutState & { readonly active: NonNullable<RolloutState['active']> } {
  return active(start(newState({ stable: 'v1', canaries: ['v2'] }), CALM, SPEC, 'default/reviews', 'test', 'test'));
}

function active(result: object): RolloutState & { readonly active: NonNullable<RolloutState['active']> } {
  if (!('state' in result)) throw new Error(JSON.stringify(result));
  const { state } = result as { readonly state: RolloutState };
  if (state.active === undefined) throw new Error('nothing is under way');
  return { ...state, active: state.active };
}

/** Weight 10 is in force, the analysis step entered. */
function analysing(): ReturnType<typeof begun> {
  return active(plan(active(plan(begun(), CALM)), CALM));
}

const run = (phases: readonly MeasurementPhase[], metric = METRIC, key = '1.0'): MetricRun => {
  let found = newRun(key, 'x');
  for (const [index, phase] of phases.entries()) {
    const measurement = {
      phase,
      startedAtMs: 1000 + index,
      finishedAtMs: 1000 + index,
      value: '2',
      message: phase === 'Successful' ? '' : `says ${phase}`,
    };
    found = measured(found, measurement, metric.rules);
  }
  return found;
};

const checks = (state: RolloutState, phases: readonly MeasurementPhase[], metric = METRIC): Checks =>
  checksOf(state, [{ metric, run: run(phases, metric) }], [], 0) ?? {};

describe('metrics', () => {
  test('one that has failed takes the release back, also while it is held', () => {
    const state = analysing();
    const { state: after, records } = plan(state, { ...CALM, checks: checks(state, ['Successful', 'Failed']) });
    expect(phaseOf(after)).toBe('Degraded');
    expect(records[0]?.reason).toBe('back to v1: metric errors is 2 where result < 1 is required (1 of 2 measurements failed, none may)');
    expect(records[0]?.evidence).toMatchObject({ metric: 'errors', failed: 1, successful: 1 });
    const paused = active(command(state, { verb: 'pause', by: 'test' }, CALM, SPEC, 'default/reviews'));
    expect(phaseOf(plan(paused, { ...CALM, checks: checks(paused, ['Failed']) }).state)).toBe('Degraded');
    // Not onto a version that cannot answer.
    const gone = { ...CALM, stable: { isReady: false, reason: 'v1 is gone' }, checks: checks(state, ['Failed']) };
    expect(plan(state, gone).state.active?.hold?.message).toContain('so the traffic stays');
  });

  test.each<[what: string, phases: readonly MeasurementPhase[]]>([
    ['errors', ['Error', 'Error', 'Error', 'Error', 'Error']],
    ['no verdict', ['Inconclusive']],
  ])('%s hold it until somebody decides; then it is measured anew', (_what, phases) => {
    const state = analysing();
    const held = active(plan(state, { ...CALM, checks: checks(state, phases) }));
    expect(held.active.hold).toMatchObject({ by: 'check', message: expect.stringContaining('metric errors decides nothing') });
    const resumed = active(command(held, { verb: 'resume', by: 'test' }, CALM, SPEC, 'default/reviews'));
    expect(resumed.active.hold).toBeUndefined();
    expect(metricKey(resumed, resumed.active, METRIC)).not.toBe(metricKey(held, held.active, METRIC));
  });

  test.each<[what: string, phases: readonly MeasurementPhase[], metric: Metric, passes: boolean]>([
    ['not measured', [], METRIC, false],
    ['a success in the step', ['Successful'], METRIC, true],
    ['the newest an error', ['Successful', 'Error'], METRIC, false],
    ['a failure within the limit', ['Successful', 'Failed'], { ...METRIC, rules: { ...METRIC.rules, failureLimit: 1 } }, false],
    ['a success after it', ['Failed', 'Successful'], { ...METRIC, rules: { ...METRIC.rules, failureLimit: 1 } }, true],
    ['not often enough', ['Successful'], { ...METRIC, rules: { ...METRIC.rules, count: 2 } }, false],
    ['often enough', ['Successful', 'Successful'], { ...METRIC, rules: { ...METRIC.rules, count: 2 } }, true],
    ['only tried dry', ['Failed'], { ...METRIC, dryRun: true }, true],
  ])('an analysis step with %s', (_what, phases, metric, passes) => {
    const state = analysing();
    const situation = { ...CALM, passedMs: 1000, judgement: SAFE, checks: checks(state, phases, metric) };
    const { state: after } = plan(state, situation);
    expect(canaryWeight(after)).toBe(passes ? 5000 : 1000);
    expect(phaseOf(after)).toBe('Progressing');
    if (!passes) expect(messageOf(state, situation, undefined)).toContain('metric errors');
  });

  test('a success from before the step does not pass it', () => {
    const state = analysing();
    expect(checksOf(state, [{ metric: METRIC, run: run(['Successful']) }], [], 5000)?.unproved).toContain('in this step');
  });

  test('one with a count begins anew with each analysis step, a guard goes on', () => {
    const counted = { ...METRIC, rules: { ...METRIC.rules, count: 2 } };
    const before = active(plan(begun(), CALM));
    const in1 = analysing();
    expect(metricKey(before, before.active, counted)).not.toBe(metricKey(in1, in1.active, counted));
    expect(metricKey(before, before.active, METRIC)).toBe(metricKey(in1, in1.active, METRIC));
  });
});

describe('webhooks', () => {
  const hook = (type: WebhookSpec['type'], more: Partial<WebhookSpec> = {}): WebhookSpec => ({
    name: type,
    type,
    url: 'http://a',
    ...more,
  });
  const answered = (key: string, phase: WebhookRun['phase'], refusals = 0): WebhookRun => ({
    key,
    phase,
    attempts: 1,
    refusals,
    askedAtMs: 0,
    message: 'answered 403',
  });

  test('which gates stand before which step', () => {
    const first = begun();
    expect(gatesBefore(first.active)).toEqual(['confirm-rollout', 'pre-rollout', 'confirm-traffic-increase']);
    expect(gatesBefore(analysing().active)).toEqual(['confirm-traffic-increase']);
    expect(gatesBefore({ ...first.active, step: 3, weight: 5000 })).toEqual(['confirm-traffic-increase', 'confirm-promotion']);
    expect(gatesBefore({ ...first.active, step: 0, weight: 1000 })).toEqual([]);
  });

  test('a gate is asked only when everything else agrees, and its yes is for one step', () => {
    const state = begun();
    const webhooks = (phase?: WebhookRun['phase']) => [
      { webhook: hook('confirm-traffic-increase'), run: phase === undefined ? undefined : answered(gateKey(state, state.active), phase) },
    ];
    const with_ = (phase?: WebhookRun['phase']): Situation => ({ ...CALM, checks: checksOf(state, [], webhooks(phase), 0) ?? {} });
    expect(plan(state, { ...with_(), frozen: 'until Monday' }).asks).toBeUndefined();
    expect(plan(state, with_())).toMatchObject({ records: [], asks: true });
    for (const phase of ['asking', 'refused', 'error', 'unknown'] as const) expect(plan(state, with_(phase)).records).toEqual([]);
    expect(messageOf(state, with_('refused'), undefined)).toBe(
      'about to begin: waits for webhook confirm-traffic-increase (confirm-traffic-increase): answered 403',
    );
    const after = active(plan(state, with_('passed')));
    expect(canaryWeight(after)).toBe(1000);
    // The same answer is none for the next growth.
    const later = analysing();
    expect(checksOf(later, [], webhooks('passed'), 0)?.unconfirmed).toContain('waits for webhook');
    // A person goes on without it.
    const held = active(plan(later, { ...CALM, checks: checks(later, ['Inconclusive']) }));
    const promoted = command(
      held,
      { verb: 'promote', by: 'test' },
      { ...CALM, checks: checksOf(later, [], webhooks(), 0) ?? {} },
      SPEC,
      'a/b',
    );
    expect(isRefusal(promoted)).toBe(false);
  });

  test.each<[type: WebhookSpec['type'], phase: WebhookRun['phase'], refusals: number, limit: number, expected: string | undefined]>([
    ['rollback', 'passed', 0, 0, 'webhook rollback orders the rollback'],
    ['rollback', 'refused', 9, 0, undefined],
    ['rollback', 'error', 0, 0, undefined],
    ['rollout', 'refused', 1, 0, 'webhook rollout (rollout) says no: answered 403'],
    ['rollout', 'refused', 1, 1, undefined],
    ['rollout', 'refused', 2, 1, 'webhook rollout (rollout) says no: answered 403'],
    ['rollout', 'passed', 0, 0, undefined],
  ])('%s, %s, %i times no of %i', (type, phase, refusals, failureLimit, expected) => {
    const state = analysing();
    const webhooks = [{ webhook: hook(type, { failureLimit }), run: answered(pollKey(state, state.active), phase, refusals) }];
    expect(checksOf(state, [], webhooks, 0)?.harm?.message).toBe(expected);
    // Of an earlier run it says nothing.
    expect(checksOf(state, [], [{ webhook: hook(type), run: answered('0.0/under-way', phase, refusals) }], 0)?.harm).toBeUndefined();
  });

  test('nothing grows while a test under way says no, within its limit', () => {
    const state = analysing();
    const webhooks = [{ webhook: hook('rollout', { failureLimit: 2 }), run: answered(pollKey(state, state.active), 'refused', 1) }];
    const situation = { ...CALM, passedMs: 1000, judgement: SAFE, checks: checksOf(state, [], webhooks, 0) ?? {} };
    expect(plan(state, situation).records).toEqual([]);
  });

  test('a test whose answer is lost holds the release', () => {
    const state = begun();
    const webhooks = [{ webhook: hook('pre-rollout'), run: answered(gateKey(state, state.active), 'unknown') }];
    const held = active(plan(state, { ...CALM, checks: checksOf(state, [], webhooks, 0) ?? {} }));
    expect(held.active.hold?.message).toContain('its answer is lost');
    const resumed = active(command(held, { verb: 'resume', by: 'test' }, CALM, SPEC, 'a/b'));
    expect(checksOf(resumed, [], webhooks, 0)?.undecided).toBeUndefined();
  });
});
