/**
 * Simulated latencies: lognormal, in steps of 1/64 octave, so that making a request slower by a factor is adding a whole number of steps.
 *
 * What Serin sees goes through the data plane's own histogram (src/telemetry/histogram.ts), whose buckets are up to 1.6 % wide; the rivals
 * are given the finer steps, which favours them.
 */
import { normalQuantile } from '../stats/normal.ts';
import { bucketIndex } from '../telemetry/histogram.ts';

const STEPS_PER_OCTAVE = 64;
const DRAWS = 65_536;

/** Steps that cover 1 ms to 65 s. */
export const STEPS = 1024;

/** First 16-bit draw whose latency is above the 95th percentile. */
export const TAIL_DRAW = Math.ceil(0.95 * DRAWS);

/** The telemetry bucket each step is counted in. */
export const BUCKET_OF_STEP = Uint16Array.from({ length: STEPS }, (_, step) => bucketIndex(stepMiddleMs(step)));

/** Step a latency lies in. */
function stepAt(ms: number): number {
  return Math.floor(STEPS_PER_OCTAVE * Math.log2(ms));
}

export function stepMiddleMs(step: number): number {
  return 2 ** ((step + 0.5) / STEPS_PER_OCTAVE);
}

/** How many steps slower `factor` times as slow is. */
export function stepsOfFactor(factor: number): number {
  return Math.round(STEPS_PER_OCTAVE * Math.log2(factor));
}

/** Whole steps, kept inside the histogram. */
export function clampStep(step: number): number {
  return step < 0 ? 0 : step >= STEPS ? STEPS - 1 : step;
}

/** The step of a latency drawn with 16 uniform bits, for each of the draws. */
export function lognormalSteps(medianMs: number, sigma: number): Uint16Array {
  return Uint16Array.from({ length: DRAWS }, (_, i) => clampStep(stepAt(medianMs * Math.exp(sigma * normalQuantile((i + 0.5) / DRAWS)))));
}

/** Share of stable requests slower than the 99th percentile when `slower` steps are added to those drawn from `fromDraw` on. */
export function shareAboveP99(stepOfDraw: Uint16Array, slower: number, fromDraw: number): number {
  const p99 = stepOfDraw[Math.floor(0.99 * DRAWS)] ?? 0;
  let above = 0;
  for (let draw = 0; draw < DRAWS; draw++) {
    if ((stepOfDraw[draw] ?? 0) + (draw >= fromDraw ? slower : 0) > p99) above++;
  }
  return above / DRAWS;
}
