import { describe, expect, test } from 'vitest';
import { preview } from './preview.ts';
import { newState, releaseOf, type RolloutState } from './state.ts';
import type { Situation } from './situation.ts';
import { command, isRefusal, start } from './verbs.ts';

const READY = { isReady: true, reason: '' };
const CALM: Situation = { nowMs: Date.parse('2026-03-01T10:00:00Z'), passedMs: 0, isInForce: true, canary: READY, stable: READY };
const NAME = 'default/reviews';
const SPEC = { host: 'reviews', stable: 'v1', canaries: ['v2', 'v3'], strategy: { canary: { steps: [{ pause: {} }, { setWeight: 10 }] } } };
const TERMS = { by: 'ana', to: undefined, expiresAtSeconds: CALM.nowMs / 1000 + 3600 };

const fresh = (): RolloutState => newState({ stable: 'v1', canaries: ['v2', 'v3'] });

function started(): RolloutState {
  const result = start(fresh(), CALM, SPEC, NAME, 'ana', 'test');
  if (isRefusal(result)) throw new Error(result.reason);
  return result.state;
}

describe('a link of the run under way', () => {
  test('shows the first version, or the one that is named; the decision says who, what and until when', () => {
    const first = preview(started(), CALM, NAME, TERMS);
    expect(first).toMatchObject({ grant: 'default/reviews#1/v2', to: 'v2' });
    expect('outcome' in first ? first.outcome.records : []).toMatchObject([
      { by: 'ana', action: 'preview', reason: 'preview link to v2, valid until 2026-03-01T11:00:00.000Z or the end of this run' },
    ]);
    expect(preview(started(), CALM, NAME, { ...TERMS, to: 'v3' })).toMatchObject({ grant: 'default/reviews#1/v3', to: 'v3' });
  });

  test('has a rule in what the data plane is told, of every version and as long as the run', () => {
    expect(releaseOf(NAME, started())?.preview).toEqual([
      { grant: 'default/reviews#1/v2', to: 'v2' },
      { grant: 'default/reviews#1/v3', to: 'v3' },
    ]);
    const aborted = command(started(), { verb: 'abort', by: 'ana' }, CALM, SPEC, NAME);
    if (isRefusal(aborted)) throw new Error(aborted.reason);
    expect(releaseOf(NAME, aborted.state)?.preview).toBeUndefined();
    const again = command(aborted.state, { verb: 'retry', by: 'ana' }, CALM, SPEC, NAME);
    if (isRefusal(again)) throw new Error(again.reason);
    expect(releaseOf(NAME, again.state)?.preview?.map(({ grant }) => grant)).toEqual(['default/reviews#2/v2', 'default/reviews#2/v3']);
  });
});

test('without a run, or for a version that is not released, there is none', () => {
  expect(preview(fresh(), CALM, NAME, TERMS)).toMatchObject({ refused: 'conflict', hint: expect.stringContaining('serin rollout start') });
  expect(preview(started(), CALM, NAME, { ...TERMS, to: 'v33' })).toEqual({
    refused: 'no-change',
    reason: 'v33 is not released here, v2, v3 are',
    hint: 'did you mean v3?',
  });
});
