/**
 * What is counted of one arm's users, beside its requests: in statistics slots next to those of the arm, so that the control plane reads them as it
 * reads these (app/rollouts/arm-reader.ts).
 */
import { Counts, type UserCounter, type UserLedger } from '../rollout/user-ledger.ts';
import type { ClusterCounters } from '../telemetry/cluster-counters.ts';

export class UserArm {
  readonly #ledger: UserLedger;
  readonly #counters: Readonly<Record<UserCounter, ClusterCounters>>;

  constructor(ledger: UserLedger, counters: Readonly<Record<UserCounter, ClusterCounters>>) {
    this.#ledger = ledger;
    this.#counters = counters;
  }

  /** One finished request. @param userHash As `UserLedger.visit` takes it. */
  record(userHash: number, isBad: boolean, status: number, durationMs: number): void {
    const visit = this.#ledger.visit(userHash, isBad, this.#ledger.isWarm);
    if (visit === 0) return;
    const { firstSeen, firstFailed, firstTimed, cappedGood, cappedBad } = this.#counters;
    if (Counts.isFirstSeen(visit)) firstSeen.record(status, durationMs);
    if (Counts.isFirstFailure(visit)) firstFailed.record(status, durationMs);
    if (Counts.isFirstLatency(visit)) firstTimed.record(status, durationMs);
    if (Counts.isWithinCap(visit)) (isBad ? cappedBad : cappedGood).record(status, durationMs);
  }
}
