/** Simulated requests as the data plane would count them: one tick's worth. */
import type { ArmCounts, UserCounts } from '../rollout/observation.ts';
import type { UserLedger } from '../rollout/user-ledger.ts';
import { BUCKET_OF_STEP } from './latency.ts';
import type { Requests } from './requests.ts';
import type { Users } from './users.ts';

/**
 * Fills the arms with this tick's requests.
 *
 * @param bounds   Of the canaries, ascending: a request is the first one's whose bound its arm is below, or stable's.
 * @param isFirst  Whether the first canary has the world's canary's fate; each of the others has stable's.
 */
export function countRequests(
  requests: Requests,
  bounds: readonly number[],
  stable: ArmCounts,
  canaries: readonly ArmCounts[],
  isFirst = true,
): void {
  const { arm, stableFails, canaryFails, stableStep, canaryStep, count } = requests;
  clearCounts(stable);
  for (const canary of canaries) clearCounts(canary);
  const all = bounds.at(-1) ?? 0;
  for (let i = 0; i < count; i++) {
    const place = arm[i] ?? 0;
    let index = -1;
    if (place < all) for (index = 0; place >= (bounds[index] ?? all); index++);
    const counts = canaries[index] ?? stable;
    const isCanary = isFirst && index === 0;
    counts.requests++;
    if ((isCanary ? canaryFails[i] : stableFails[i]) === 1) counts.failures.status5xx++;
    else counts.latency.add(BUCKET_OF_STEP[(isCanary ? canaryStep[i] : stableStep[i]) ?? 0] ?? 0, 1);
  }
}

/**
 * The same once a user, where the arm is drawn by user.
 *
 * @param ledger Of the release: who has been counted.
 * @param isWarm Whether latencies count.
 */
export function countUsers(
  requests: Requests,
  users: Users,
  bounds: readonly number[],
  stable: UserCounts,
  canaries: readonly UserCounts[],
  ledger: UserLedger,
  isWarm: boolean,
  isFirst = true,
): void {
  const { arm, user, stableFails, canaryFails, stableStep, canaryStep, count } = requests;
  const all = bounds.at(-1) ?? 0;
  for (let i = 0; i < count; i++) {
    const place = arm[i] ?? 0;
    let index = -1;
    if (place < all) for (index = 0; place >= (bounds[index] ?? all); index++);
    const isCanary = isFirst && index === 0;
    const hasFailed = (isCanary ? canaryFails[i] : stableFails[i]) === 1;
    const bucket = BUCKET_OF_STEP[(isCanary ? canaryStep[i] : stableStep[i]) ?? 0] ?? 0;
    const hash = users.hash[user[i] ?? 0] ?? 0;
    ledger.record(canaries[index] ?? stable, hash, hasFailed ? 'status5xx' : undefined, bucket, isWarm);
  }
}

export function clearUserCounts(counts: UserCounts): void {
  counts.firstSeen = 0;
  counts.firstFailures = 0;
  counts.firstLatency.clear();
  clearCounts(counts.capped);
}

/** Of counts that `countRequests` made. */
function clearCounts(counts: ArmCounts): void {
  counts.requests = 0;
  counts.failures.status5xx = 0;
  counts.latency.clear();
}
