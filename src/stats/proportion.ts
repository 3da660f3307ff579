/** How well a share is known from a count. */
import { normalQuantile } from './normal.ts';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * Wilson's score interval (JASA 22, 1927) of a probability that showed itself `count` times in `of` independent tries; also fair at 0 and at `of`,
 * where the estimate plus or minus its error is no interval at all.
 *
 * @param of    At least 1.
 * @param level Confidence, as 0.95.
 */
export function proportionInterval(count: number, of: number, level: number): Interval {
  const z = normalQuantile((1 + level) / 2);
  const share = count / of;
  const square = (z * z) / of;
  const middle = (share + square / 2) / (1 + square);
  const half = (z * Math.sqrt((share * (1 - share)) / of + square / (4 * of))) / (1 + square);
  return { low: count === 0 ? 0 : Math.max(0, middle - half), high: count === of ? 1 : Math.min(1, middle + half) };
}
