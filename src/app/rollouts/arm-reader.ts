/**
 * Reads what the data plane has counted of one arm at one weight since it was read last. Counters are made here, before the first request is
 * drawn at that weight, so that none is missed.
 */
import { type ArmCounts, FAILURE_CLASSES, type FailureClass, type UserCounts } from '../../rollout/observation.ts';
import { byUserCounter, type UserCounter } from '../../rollout/user-ledger.ts';
import type { ClusterTotals } from '../../telemetry/cluster-totals.ts';
import type { ResponseFlag } from '../../telemetry/response-flag.ts';
import type { StatsRegistry } from '../../telemetry/shared-stats.ts';
import type { GuardCounter } from './guard-post.ts';

export type ReadStats = Pick<StatsRegistry, 'slot' | 'growth' | 'totals'>;

export class ArmReader {
  readonly good: GuardCounter;
  readonly bad: GuardCounter;
  /** By user: what was counted once a user. */
  readonly users: Readonly<Record<UserCounter, GuardCounter>> | undefined;
  readonly #stats: ReadStats;
  readonly #observation: string;
  /** For the reasons of failures. */
  #badBefore: ClusterTotals;

  /** @param observation As routing/release-arms.ts names it. What is counted there already was told by somebody, or never will be. */
  constructor(stats: ReadStats, observation: string, isByUser: boolean) {
    this.#stats = stats;
    this.#observation = observation;
    this.good = counterOf(stats, `${observation}|good`);
    this.bad = counterOf(stats, `${observation}|bad`);
    this.#badBefore = stats.totals(`${observation}|bad`);
    this.users = isByUser ? byUserCounter((_counter, suffix) => counterOf(stats, `${observation}|${suffix}`)) : undefined;
  }

  /** The evidence a guard plays with: of users their first failures alone, of requests all. */
  get failures(): readonly [bad: GuardCounter, good: GuardCounter | undefined] {
    return this.users === undefined ? [this.bad, this.good] : [this.users.firstFailed, undefined];
  }

  get latencies(): GuardCounter {
    return this.users?.firstTimed ?? this.good;
  }

  /** @param counts Of the tick; what it held is forgotten. */
  readUsers(counts: UserCounts): void {
    if (this.users === undefined) return;
    const { firstSeen, firstFailed, firstTimed, cappedGood, cappedBad } = this.users;
    const { firstLatency, capped } = counts;
    counts.firstSeen = gainOf(firstSeen);
    counts.firstFailures = gainOf(firstFailed);
    firstLatency.clear();
    firstTimed.reader.read((bucket, count) => firstLatency.add(bucket, count));
    capped.latency.clear();
    let good = 0;
    cappedGood.reader.read((bucket, count) => {
      good += count;
      capped.latency.add(bucket, count);
    });
    // Why they failed is told of all requests; of these only how many.
    capped.failures.status5xx = gainOf(cappedBad);
    capped.requests = good + capped.failures.status5xx;
  }

  /** @param counts Of the tick; what it held is forgotten. */
  read(counts: ArmCounts): void {
    counts.requests = 0;
    for (const kind of FAILURE_CLASSES) counts.failures[kind] = 0;
    counts.latency.clear();
    this.good.reader.read((bucket, count) => {
      counts.requests += count;
      counts.latency.add(bucket, count);
    });
    let failed = 0;
    this.bad.reader.read((_bucket, count) => {
      failed += count;
    });
    if (failed === 0) return;
    const now = this.#stats.totals(`${this.#observation}|bad`);
    addFailures(counts, failed, now, this.#badBefore);
    this.#badBefore = now;
  }
}

function gainOf({ reader }: GuardCounter): number {
  const before = reader.told;
  reader.read(() => undefined);
  return reader.told - before;
}

function counterOf(stats: ReadStats, key: string): GuardCounter {
  const slot = stats.slot(key);
  const reader = stats.growth(key);
  if (reader === undefined) throw new Error(`broken invariant: ${key} has slot ${slot} and no counters`);
  return { slot, reader };
}

/**
 * Why an attempt was bad that stable did not answer instead: its response flag where Serin answered itself; else it was a 5xx of the version, or the status of a
 * gRPC call, which comes with 200.
 */
const CLASS_OF_FLAG: Partial<Record<ResponseFlag, FailureClass>> = {
  UF: 'connect',
  UH: 'connect',
  UC: 'reset',
  UR: 'reset',
  UPE: 'reset',
  UT: 'timeout',
  DT: 'timeout',
};

const OK = 200;

function addFailures(arm: ArmCounts, failed: number, now: ClusterTotals, before: ClusterTotals): void {
  arm.requests += failed;
  let flagged = 0;
  let flaggedOk = 0;
  for (const { flag, flags, hasFallenBack, status, count } of now.flags) {
    const kind = hasFallenBack ? 'fallback' : flag === undefined ? undefined : CLASS_OF_FLAG[flag];
    const isSame = (other: ClusterTotals['flags'][number]): boolean =>
      other.flags === flags && other.hasFallenBack === hasFallenBack && other.status === status;
    const gained = count - (before.flags.find(isSame)?.count ?? 0);
    if (status === OK && (hasFallenBack || flag !== undefined)) flaggedOk += gained;
    if (kind === undefined) continue;
    const counted = Math.min(gained, failed - flagged);
    arm.failures[kind] += counted;
    flagged += counted;
  }
  const gainedOk = (now.statuses.get(OK) ?? 0) - (before.statuses.get(OK) ?? 0);
  const grpc = Math.min(Math.max(0, gainedOk - flaggedOk), failed - flagged);
  arm.failures.grpc += grpc;
  arm.failures.status5xx += failed - flagged - grpc;
}
