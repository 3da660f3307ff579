/** People who come back: with the arm drawn by user, all requests of one are on one side. */
import type { Rng } from './rng.ts';

export interface Users {
  /** Cumulative share of requests, ascending to 1. */
  readonly cumulativeActivity: Float64Array;
  /** Uniform 32 bits; canary when below the weight. */
  readonly hash: Uint32Array;
  readonly failing: Float64Array;
  /** Latency steps added. */
  readonly slower: Int16Array;
}

/** What makes one user different from another. */
export interface Traits {
  readonly failing: number;
  readonly slower: number;
}

/** Activity is Pareto(1.2), so a few people send a large part of the traffic. */
export function drawUsers(rng: Rng, count: number, traits: (rng: Rng) => Traits): Users {
  const activity = new Float64Array(count);
  const hash = new Uint32Array(count);
  const failing = new Float64Array(count);
  const slower = new Int16Array(count);
  let total = 0;
  for (let user = 0; user < count; user++) {
    hash[user] = rng.u32();
    total += Math.min(2000, rng.uniform() ** (-1 / 1.2));
    activity[user] = total;
    const mine = traits(rng);
    failing[user] = mine.failing;
    slower[user] = mine.slower;
  }
  return { cumulativeActivity: activity.map((sum) => sum / total), hash, failing, slower };
}
