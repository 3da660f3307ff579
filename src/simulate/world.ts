/** A world that releases are simulated in: its traffic, and what befalls a request on either side. */

import type { Users } from './users.ts';

/** What holds during one tick, the same for every request in it. */
export interface Weather {
  /** Requests a second, both arms together. */
  ratePerS: number;
  stableFailing: number;
  canaryFailing: number;
  /** Latency steps added to both arms. */
  sharedSlower: number;
  /** Latency steps added to the canary. */
  canarySlower: number;
}

/** One replication of a scenario: fixed before the first request. */
export interface World {
  /** @param seconds  Since the start of the canary; negative before. Writes into `weather`, which is reused. */
  readonly at: (seconds: number, weather: Weather) => void;
  readonly users?: Users;
}

/** What stays the same over all replications of a world. */
export interface Course {
  readonly tickS: number;
  readonly horizonS: number;
  /** Stable-only traffic before the canary, for methods that learn from it. */
  readonly beforeS: number;
  /** Canary's share of what its weight promises. */
  readonly deliveredShare: number;
  /** Canary slowness applies only above stable's 95th percentile. */
  readonly tailOnly: boolean;
  /** Stable's latency step for each draw of 16 uniform bits (latency.ts). */
  readonly stepOfDraw: Uint16Array;
  /** Excess bad requests per canary request at this time: failures, or being slower than stable's p99. */
  readonly excess: (seconds: number) => number;
}
