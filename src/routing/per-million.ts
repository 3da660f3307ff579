import type { Percent } from '../config/resources.ts';

/**
 * A percentage as Istio hands it to Envoy: in millionths (value x 10,000, cut off), so that 0.0001 is one request in a million.
 *
 * @param unset  What no percentage at all means: everything for mirrors, nothing for faults. A percentage without a value is 0, protobuf's default.
 */
export function perMillion(percentage: Percent | undefined, unset: 0 | 1_000_000): number {
  if (percentage === undefined) return unset;
  // 0.0003 * 10,000 is a little less than 3.
  return Math.floor((percentage.value ?? 0) * 10_000 + 1e-6);
}

/** `20 %`, `0.0001 %`. */
export function percentText(millionths: number): string {
  return `${millionths / 10_000} %`;
}
