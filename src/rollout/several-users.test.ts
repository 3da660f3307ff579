/**
 * By user, after one of several candidates has failed and left: the others are compared with stable by users whom that one never had.
 *
 * Counting the others as well is what would be simpler, and wrong; the test shows by how much, so that nobody mends it away.
 */
import { expect, test } from 'vitest';
import { BUCKETS } from '../base/bucket.ts';
import { seededRandom } from '../base/random.ts';
import type { BucketRange } from '../config/release.ts';
import { decide } from './analysis-decision.ts';
import { enterShare } from './analysis-share.ts';
import { newAnalysis } from './analysis-state.ts';
import { observe } from './analysis.ts';
import { newArmCounts, newUserCounts } from './observation.ts';
import { bucketRanges, countedShares, type Race } from './race.ts';
import { analysisSpecOf, FULL } from './spec.ts';
import { UserLedger } from './user-ledger.ts';

const USERS = 3000;
const SECONDS = 300;
const LEAVES_AT = 30;
const REQUESTS_PER_S = 0.3;
/** v3 is as good as stable. */
const FAILING: Readonly<Record<string, number>> = { v1: 0.03, v2: 0.5, v3: 0.03 };

/** Whether v3 is ever taken for worse. @param isCounted Users whom v2 had count for stable, too. */
function isBlamed(seed: number, isCounted: boolean): boolean {
  const random = seededRandom(seed);
  const hashes = Array.from({ length: USERS }, () => Math.floor(random() * 2 ** 32));
  const ledger = new UserLedger();
  const analysis = newAnalysis(analysisSpecOf({ warmup: '0s' }, true, [], 2));
  const counts = { stable: newUserCounts(), canary: newUserCounts() };
  const stratum = { weight: 0, stable: newArmCounts(), canary: newArmCounts(), users: counts };
  let owners: readonly BucketRange[] = [];
  let weight = 8000;
  for (let second = 0; second < SECONDS; second++) {
    if (second === 0 || second === LEAVES_AT) {
      const hasLeft = second > 0;
      const race: Race = { canaries: ['v2', 'v3'], left: hasLeft ? [{ subset: 'v2', fate: 'dropped', reason: '', share: 4000 }] : [] };
      weight = hasLeft ? 4000 : 8000;
      const ranges = bucketRanges(race, 'v1', weight).map(({ isUncounted, ...range }) =>
        isUncounted === true && !isCounted ? { ...range, isUncounted } : range,
      );
      owners = ranges.flatMap((range) => Array.from({ length: range.size }, () => range));
      const { v1 = 0, v3 = 0 } = countedShares({ weights: { v1: FULL - weight, v3: 4000 }, ranges });
      stratum.weight = v3 / (v1 + v3);
      enterShare(analysis, stratum.weight * FULL, FULL);
      ledger.beginStage();
    }
    for (const arm of [counts.stable, counts.canary]) {
      arm.firstSeen = 0;
      arm.firstFailures = 0;
      arm.firstLatency.clear();
      arm.capped.requests = 0;
      arm.capped.failures.status5xx = 0;
      arm.capped.latency.clear();
    }
    const ofNobody = newUserCounts();
    for (const hash of hashes) {
      if (random() >= REQUESTS_PER_S) continue;
      const owner = owners[hash % BUCKETS];
      if (owner === undefined || owner.isUncounted === true) continue;
      const arm = owner.subset === 'v1' ? counts.stable : owner.subset === 'v3' ? counts.canary : ofNobody;
      ledger.record(arm, hash, random() < (FAILING[owner.subset] ?? 0) ? 'status5xx' : undefined, 500, true);
    }
    observe(analysis, { durationMs: 1000, strata: [stratum] });
    if (decide(analysis).decision === 'rollback') return true;
  }
  return false;
}

test('who was on the version that has left is no evidence against the others', { timeout: 60_000 }, () => {
  const seeds = Array.from({ length: 10 }, (_, index) => 100 + index);
  expect(seeds.filter((seed) => isBlamed(seed, false))).toEqual([]);
  expect(seeds.filter((seed) => isBlamed(seed, true)).length).toBeGreaterThan(5);
});
