/**
 * Betting on a change whose time nobody knows.
 *
 * A bet that has run since the start is ruined by a long quiet stretch before a regression sets in. So a part of the stake is kept back and put
 * in later: the evidence is a mixture over start times with fixed prior masses,
 *
 *     S <- (S + mass) when a start time comes,   S <- S * LR at every tick,   E = S + mass not yet put in
 *
 * A convex combination of test martingales, each constant 1 before its start, is a test martingale (mixture over start times: Shiryaev;
 * Ramdas, Grünwald, Vovk, Shafer, *Game-theoretic statistics and safe anytime-valid inference*, Statistical Science 2023, §3), so Ville's
 * inequality keeps holding for ever, and a late change costs only ln(1/mass), 7 to 9 nats. Restarting a CUSUM instead (an e-detector: Shin,
 * Ramdas, Rinaldo 2023) would bound the time between false alarms but not their probability.
 *
 * The caller guarantees that masses are fixed in advance, start times depend on the past only, and masses add up to at most 1.
 */
import { DEAD, logAdd } from './log-sum.ts';

/** Mass of a change at the very start: a version broken from its first request is the common case. */
export const START_MASS = 0.4;
/** Shared by the planned stages: raising the weight is what brings out trouble under load. */
export const STAGES_MASS = 0.3;
/** Shared by blocks of time, falling off as 1/k, so that the price of a change after a time t grows with ln t only. */
const BLOCKS_MASS = 0.3;
/** A day of 10-second blocks. Later blocks have no mass; what is already in goes on. */
const LAST_BLOCK = 8640;

let harmonic = 0;
for (let block = 0; block <= LAST_BLOCK; block++) harmonic += 1 / (block + 1);
const FIRST_BLOCK_MASS = BLOCKS_MASS / harmonic;

/** Mass put in at the start of a block, counted from 0 at the start of the canary. */
export function blockMass(block: number): number {
  return block <= LAST_BLOCK ? FIRST_BLOCK_MASS / (block + 1) : 0;
}

/** Components (logarithms) before anything has been put in. */
export function newComponents(count: number): Float64Array {
  return new Float64Array(count).fill(DEAD);
}

/** Puts mass into every component. */
export function putIn(components: Float64Array, mass: number): void {
  if (mass <= 0) return;
  const log = Math.log(mass);
  for (let i = 0; i < components.length; i++) components[i] = logAdd(components[i] ?? DEAD, log);
}
