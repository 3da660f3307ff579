/** Shares and buckets of candidates, over random histories of growing weights and of candidates that leave. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BucketRange } from '../config/release.ts';
import { bucketRanges, countedShares, inRace, judgementOf, narrowed, type Race, sharesOf, together } from './race.ts';
import type { CandidateSituation, Judgement } from './situation.ts';
import { FULL } from './spec.ts';

type Left = readonly [subset: string, share: number];
const race = (canaries: readonly string[], ...left: readonly Left[]): Race => ({
  canaries,
  left: left.map(([subset, share]) => ({ subset, fate: 'dropped', reason: 'worse', share })),
});
/** `v1:4500`, `-v1:500` where they are not counted. */
const printed = (ranges: readonly BucketRange[]): string =>
  ranges.map(({ subset, size, isUncounted }) => `${isUncounted === true ? '-' : ''}${subset}:${size}`).join(' ');

describe('shares', () => {
  test.each<[what: string, race: Race, weight: number, shares: Record<string, number>]>([
    ['one gets everything', race(['v2']), 1234, { v2: 1234 }],
    ['several get the same', race(['v2', 'v3']), 1000, { v2: 500, v3: 500 }],
    ['what cannot be split goes to the first', race(['v2', 'v3', 'v4']), 1001, { v2: 334, v3: 334, v4: 333 }],
    ['who has left gets nothing', race(['v2', 'v3', 'v4'], ['v3', 500]), 1000, { v2: 500, v3: 0, v4: 500 }],
  ])('%s', (_what, of, weight, shares) => {
    expect(sharesOf(of, weight)).toEqual(shares);
  });
});

describe('buckets', () => {
  test.each<[what: string, race: Race, weight: number, ranges: string]>([
    ['one candidate: its share, then stable', race(['v2']), 1000, 'v2:1000 v1:9000'],
    ['nobody yet', race(['v2', 'v3']), 0, 'v1:10000'],
    ['each at the start of its own half', race(['v2', 'v3']), 1000, 'v2:500 v1:4500 v3:500 v1:4500'],
    ['what one had that has left is stable’s, and not counted', race(['v2', 'v3'], ['v2', 700]), 500, '-v1:700 v1:4300 v3:500 v1:4500'],
    ['until the other has grown into it', race(['v2', 'v3'], ['v2', 3700]), 8000, '-v3:3000 -v1:700 v1:1300 v3:5000'],
    ['everybody', race(['v2', 'v3', 'v4'], ['v3', 9], ['v2', 9]), FULL, '-v4:9 v4:3325 -v4:9 v4:6657'],
  ])('%s', (_what, of, weight, ranges) => {
    expect(printed(bucketRanges(of, 'v1', weight))).toBe(ranges);
  });
});

/** Who has each of the 10,000 buckets; in capitals where it is not counted. */
function owners(ranges: readonly BucketRange[]): readonly string[] {
  return ranges.flatMap(({ subset, size, isUncounted }) =>
    Array.from({ length: size }, () => (isUncounted === true ? subset.toUpperCase() : subset)),
  );
}

const histories = fc.record({
  count: fc.integer({ min: 1, max: 8 }),
  moves: fc.array(
    fc.oneof(
      fc.integer({ min: 1, max: 3000 }).map((by) => ({ kind: 'grow' as const, by })),
      fc.nat({ max: 7 }).map((index) => ({ kind: 'leave' as const, index })),
    ),
    { maxLength: 16 },
  ),
});

test('over any history: exact shares, no user is moved between candidates or back while they grow, who leaves gives all to stable', () => {
  fc.assert(
    fc.property(histories, ({ count, moves }) => {
      const canaries = Array.from({ length: count }, (_, index) => `c${index}`);
      let now = race(canaries);
      let weight = 0;
      let before = owners(bucketRanges(now, 'stable', weight));
      const had = new Map<number, Set<string>>();
      for (const move of moves) {
        const racing = inRace(now);
        if (move.kind === 'grow') weight = Math.min(FULL, weight + move.by);
        else {
          const leaver = racing[move.index % racing.length];
          if (racing.length === 1 || leaver === undefined) continue;
          const shares = sharesOf(now, weight);
          const share = shares[leaver] ?? 0;
          now = race(canaries, ...now.left.map((other): Left => [other.subset, other.share]), [leaver, share]);
          weight -= share;
          // Nobody else's share has changed.
          expect(sharesOf(now, weight)).toEqual({ ...shares, [leaver]: 0 });
        }
        const shares = sharesOf(now, weight);
        expect(Object.values(shares).reduce((sum, share) => sum + share, 0)).toBe(weight);
        const after = owners(bucketRanges(now, 'stable', weight));
        expect(after).toHaveLength(FULL);
        const counts = Map.groupBy(after, (owner) => owner.toLowerCase());
        for (const [subset, share] of Object.entries(shares)) expect(counts.get(subset)?.length ?? 0).toBe(share);
        const gone = new Set(now.left.map(({ subset }) => subset));
        const moved = after.findIndex((owner, bucket) => {
          const was = (before[bucket] ?? '').toLowerCase();
          const is = owner.toLowerCase();
          return was !== is && (gone.has(was) ? is !== 'stable' : was !== 'stable');
        });
        expect(moved).toBe(-1);
        // Everybody is counted unless somebody had them who has left.
        const wrong = after.findIndex((owner, bucket) => {
          had.set(bucket, (had.get(bucket) ?? new Set()).add(owner.toLowerCase()));
          const isSpent = [...(had.get(bucket) ?? [])].some((subset) => gone.has(subset));
          return (owner !== owner.toLowerCase()) !== isSpent;
        });
        expect(wrong).toBe(-1);
        const counted = countedShares({ weights: { ...shares, stable: FULL - weight }, ranges: bucketRanges(now, 'stable', weight) });
        for (const [subset, share] of Object.entries(counted)) expect(after.filter((owner) => owner === subset)).toHaveLength(share);
        before = after;
      }
    }),
    { numRuns: 150 },
  );
});

describe('what is known about several', () => {
  const judged = (decision: Judgement['decision'], canaryRequests = 50): CandidateSituation => ({
    readiness: { isReady: true, reason: '' },
    judgement: { decision, cause: 'gathering', message: `it is ${decision}`, canaryRequests, evidence: { n: canaryRequests } },
  });
  const unknown: CandidateSituation = { readiness: { isReady: false, reason: 'v4 has no endpoint' } };

  test.each<[what: string, each: Record<string, CandidateSituation>, decision: string | undefined]>([
    ['safe when each is', { v2: judged('safe'), v3: judged('safe') }, 'safe'],
    ['not while one is not', { v2: judged('safe'), v3: judged('continue') }, 'continue'],
    ['not while nothing is known of one', { v2: judged('safe'), v4: unknown }, 'continue'],
    ['inconclusive when one is', { v2: judged('continue'), v3: judged('inconclusive') }, 'inconclusive'],
    ['a rollback when one is proved worse', { v2: judged('inconclusive'), v3: judged('rollback') }, 'rollback'],
    ['nothing when nothing is', { v4: unknown, v5: unknown }, undefined],
    ['of one what is known of it', { v2: judged('safe') }, 'safe'],
  ])('%s', (_what, each, decision) => {
    expect(together(each).judgement?.decision).toBe(decision);
  });

  test('sentences and evidence by name, the fewest requests, ready when each is', () => {
    const all = together({ v2: judged('safe', 7), v3: judged('continue', 9), v4: unknown });
    expect(all.judgement?.message).toBe('v2: it is safe; v3: it is continue');
    expect(all.judgement?.evidence).toEqual({ v2: { n: 7 }, v3: { n: 9 } });
    expect(all.judgement?.canaryRequests).toBe(0);
    expect(all.canary).toEqual(unknown.readiness);
    expect(together({ v2: judged('safe', 7), v3: judged('continue', 9) }).judgement?.canaryRequests).toBe(7);
  });

  test('narrowed to one it is as if that had been alone', () => {
    const calm = { nowMs: 0, passedMs: 0, isInForce: true, stable: { isReady: true, reason: '' } };
    const several = { ...calm, ...together({ v2: judged('safe'), v4: unknown }) };
    const alone = narrowed(several, ['v2']);
    expect(alone).toEqual({ ...calm, canary: judged('safe').readiness, judgement: judged('safe').judgement });
    expect(judgementOf(alone, 'v2')?.decision).toBe('safe');
    expect(judgementOf(several, 'v4')).toBeUndefined();
  });
});
