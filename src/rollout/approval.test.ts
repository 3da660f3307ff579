/** Who may end a wait for approval, and that nothing else does: tables, and random lives. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RolloutApproval } from '../config/serin/approval.ts';
import type { RolloutSpec } from '../config/serin/rollout-spec.ts';
import { withApprovals } from './approval.ts';
import { messageOf, phaseOf } from './phase.ts';
import { plan } from './plan.ts';
import type { Situation } from './situation.ts';
import { FULL, plannedSteps } from './spec.ts';
import { canaryWeight, newState, type RolloutState } from './state.ts';
import { command, isRefusal, start, type Verb, VERBS } from './verbs.ts';

const READY = { isReady: true, reason: '' };
const CALM: Situation = { nowMs: 0, passedMs: 1000, isInForce: true, canary: READY, stable: READY };
const NAME = 'default/reviews';
const NAMES = ['ana', 'ben', 'cleo'];

function spec(approval: RolloutApproval): RolloutSpec {
  const steps = [{ pause: { approval } }, { setWeight: 10 }, { pause: { approval } }, { setWeight: 100 }];
  return { host: 'reviews', stable: 'v1', canary: 'v2', strategy: { canary: { steps } } };
}

const TWO = spec({ by: NAMES, count: 2 });

/** At the first pause. */
function waiting(of: RolloutSpec = TWO, by = 'engine'): RolloutState {
  const started = start(newState({ stable: 'v1', canaries: ['v2'] }), CALM, of, NAME, by, 'test');
  if (isRefusal(started)) throw new Error(started.reason);
  return plan(started.state, CALM).state;
}

interface Done {
  readonly state: RolloutState;
  /** `action by`, or why it was refused. */
  readonly said: string;
}

function ask(state: RolloutState, by: string, of: RolloutSpec = TWO, verb: Verb = 'promote', full = false): Done {
  const result = command(state, { verb, by, full }, CALM, of, NAME);
  if (isRefusal(result)) return { state, said: `${result.refused}: ${result.reason}` };
  return { state: result.state, said: result.records.map((record) => `${record.action} ${record.by}`).join(', ') };
}

describe('two of three', () => {
  test('each approval is a decision, the second goes on, and none counts for the next pause', () => {
    const first = ask(waiting(), 'ben');
    expect([first.said, first.state.active?.step, canaryWeight(first.state)]).toEqual(['approve ben', 0, 0]);
    expect(messageOf(first.state, CALM, undefined)).toBe(
      'step 1 of 4, pause until approved: 1 of 2 approvals (ben), waits for ana or cleo',
    );
    const second = ask(first.state, 'ana');
    expect([second.said, canaryWeight(second.state)]).toEqual(['approve ana, promote ana', 1000]);
    const next = plan(second.state, CALM).state;
    expect(phaseOf(next)).toBe('Paused');
    expect(messageOf(next, CALM, undefined)).toBe('step 3 of 4, pause until approved: waits for 2 approvals by ana, ben or cleo');
    expect(ask(next, 'ana').said).toBe('approve ana');
  });

  test('an approval survives being written and read', () => {
    const stored = JSON.parse(JSON.stringify(ask(waiting(), 'ben').state)) as RolloutState;
    expect(ask(stored, 'cleo').said).toBe('approve cleo, promote cleo');
  });

  test.each<[what: string, by: string, starter: string, expected: string]>([
    ['a stranger', 'mallory', 'engine', 'approval: mallory is not among those who may approve; ana, ben or cleo may'],
    ['the token of the state directory', 'admin', 'engine', 'approval: admin is not among those who may approve; ana, ben or cleo may'],
    ['who started it', 'ana', 'ana', 'approval: ana started this release and cannot approve it as well; ben or cleo may'],
    ['a starter who is nobody here', 'dora', 'dora', 'approval: dora is not among those who may approve; ana, ben or cleo may'],
  ])('%s may not', (_what, by, starter, expected) => {
    const state = waiting(TWO, starter);
    expect(ask(state, by)).toEqual({ state, said: expected });
  });

  test('the same person twice is one', () => {
    const once = ask(waiting(), 'ben').state;
    expect(ask(once, 'ben')).toEqual({ state: once, said: '' });
  });

  test('the last approval is not kept where the release cannot go on', () => {
    const once = ask(waiting(), 'ben').state;
    const result = command(once, { verb: 'promote', by: 'ana' }, { ...CALM, frozen: 'until Monday' }, TWO, NAME);
    expect(result).toEqual({ refused: 'frozen', reason: 'frozen until Monday' });
  });
});

describe('the rule of two', () => {
  test('selfApproval lets the starter count', () => {
    const own = spec({ by: ['ana'], selfApproval: true });
    expect(ask(waiting(own, 'ana'), 'ana', own).said).toBe('approve ana, promote ana');
  });

  test('who starts what could then never be approved is told so', () => {
    const refused = start(newState({ stable: 'v1', canaries: ['v2'] }), CALM, spec({ by: ['ana', 'ben'], count: 2 }), NAME, 'ana', 'test');
    expect(refused).toMatchObject({
      refused: 'approval',
      reason:
        "ana cannot start it: 'pause until approved' needs 2 approvals by ana and ben, and whoever starts a release cannot approve it",
    });
  });
});

describe('no way around', () => {
  test.each<[verb: Verb, full: boolean, expected: RegExp]>([
    ['promote', true, /^conflict: cannot promote in full: step 1, pause until approved, needs 2 approvals by ana, ben or cleo$/],
    ['resume', false, /^conflict: cannot resume/],
    ['start', false, /^conflict: cannot start/],
    ['retry', false, /^conflict: cannot retry/],
  ])('%s (full: %s) by an approver', (verb, full, expected) => {
    const state = ask(waiting(), 'ben').state;
    expect(ask(state, 'ana', TWO, verb, full).said).toMatch(expected);
  });

  test('--full is refused while an approval is still to come, and not after the last', () => {
    const late: RolloutSpec = {
      ...TWO,
      strategy: { canary: { steps: [{ setWeight: 10 }, { pause: {} }, { pause: { approval: { by: ['ana'] } } }, { setWeight: 50 }] } },
    };
    const early = plan(waiting(late), CALM).state;
    expect(ask(early, 'ana', late, 'promote', true).said).toMatch(/^conflict: cannot promote in full: step 3/);
    const approved = ask(plan(ask(early, 'cleo', late).state, CALM).state, 'ana', late).state;
    expect(ask(approved, 'cleo', late, 'promote', true).said).toBe('skip cleo');
  });

  test('taking back needs nobody', () => {
    expect(ask(waiting(), 'mallory', TWO, 'abort').said).toBe('abort mallory');
  });

  const names = fc.constantFrom(...NAMES, 'mallory', 'admin');
  const events = fc.oneof(
    fc.record({ verb: fc.constantFrom<Verb>(...VERBS, 'promote', 'promote', 'promote'), by: names, full: fc.boolean() }),
    fc.constant('tick' as const),
  );

  test('in random lives a share never grows without the approvals of two others since the last time', () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 40 }), (life) => {
        let state = newState({ stable: 'v1', canaries: ['v2'] });
        let approvals = new Set<string>();
        for (const event of life) {
          const result = event === 'tick' ? plan(state, CALM) : command(state, event, CALM, TWO, NAME);
          if (isRefusal(result)) continue;
          const starter = result.state.active?.startedBy;
          for (const record of result.records) {
            if (record.action === 'start') approvals = new Set();
            if (record.action === 'approve') approvals.add(record.by);
          }
          if (canaryWeight(result.state) > canaryWeight(state)) {
            expect(approvals.size).toBe(2);
            expect([...approvals].every((name) => NAMES.includes(name) && name !== starter)).toBe(true);
            approvals = new Set();
          }
          state = result.state;
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('spec.approval', () => {
  const approval = { by: ['ana'], count: 1, selfApproval: false };
  const titles = (of: Omit<RolloutSpec, 'host' | 'stable' | 'canary' | 'approval'>): string[] =>
    plannedSteps({ ...of, approval }).map(({ title, wait }) => `${title}${wait?.kind === 'promotion' && wait.approval ? ' *' : ''}`);

  test('is asked at every pause for a person, and before each growth that has none', () => {
    const steps = [
      { setWeight: 10 },
      { pause: { duration: '1m' } },
      { setWeight: 50 },
      { pause: {} },
      { setWeight: 100 },
      { bake: { duration: '1h' } },
    ];
    expect(titles({ strategy: { canary: { steps } } })).toEqual([
      'approval before setWeight 10 *',
      'setWeight 10',
      'pause 1m',
      'approval before setWeight 50 *',
      'setWeight 50',
      'pause until promoted *',
      'setWeight 100',
      'bake 1h',
    ]);
  });

  test('of blue-green: before the preview and before the switch', () => {
    const match = [{ headerName: 'x-preview', headerValue: { exact: 'yes' } }];
    expect(titles({ strategy: { blueGreen: { preview: { match }, scaleDownDelay: '0' } } })).toEqual([
      'approval before preview *',
      'preview',
      'pause until promoted *',
      'switch',
    ]);
    expect(titles({ strategy: { blueGreen: { autoPromote: true, scaleDownDelay: '0' } } })).toEqual(['approval before switch *', 'switch']);
  });

  test('of an A/B: before it and before its end', () => {
    expect(titles({ strategy: { ab: { setWeight: 50, duration: '1h' } } })).toEqual([
      'approval before compare for 1h *',
      'compare for 1h',
      'pause until promoted *',
      'setWeight 100',
    ]);
  });

  test('of a ramp: before each weight, once the traffic is known; --full is refused before that, too', () => {
    const ramp: RolloutSpec = { host: 'reviews', stable: 'v1', canary: 'v2', approval };
    const measuring = waiting(ramp);
    expect(ask(measuring, 'cleo', ramp, 'promote', true).said).toMatch(/^conflict: cannot promote in full: it needs an approval by ana/);
    const ramped = plan(measuring, { ...CALM, passedMs: 60_000, ratePerS: 100 }).state.active?.steps ?? [];
    for (const [index, { set }] of ramped.entries())
      if ((set?.weight ?? 0) > 0) expect(ramped[index - 1]?.wait).toEqual({ kind: 'promotion', approval });
    expect(ramped.filter(({ set }) => set?.weight === FULL)).toHaveLength(1);
  });

  test("a pause's own approval goes before it", () => {
    const own = { by: ['ben'], count: 1, selfApproval: false };
    const steps = [
      { title: 'pause', wait: { kind: 'promotion' as const, approval: own } },
      { title: 'all', set: { weight: FULL } },
    ];
    expect(withApprovals(steps, approval)).toEqual(steps);
  });
});
