/**
 * Latency buckets: log-linear, 64 to the octave over whole microseconds.
 *
 *     bucket   0 ..  127   one microsecond each            0 .. 127 us
 *     bucket 128 ..  191   2 us each                     128 .. 255 us
 *     bucket 192 ..  255   4 us each                     256 .. 511 us
 *     ...                  (an octave is 64 buckets)
 *     bucket 1536 .. 1599  2^23 us each      537 s .. 1,073 s, and everything longer
 *
 * A bucket is at most 1/64 of its value wide, so its middle is wrong by at most 0.8 % from 128 us on, and by half a microsecond (1 % at
 * 50 us) below. Histograms of this shape add up by adding their counts, and counts only ever grow.
 *
 * The scheme is HdrHistogram's (Gil Tene), with the sub-bucket count fixed so that the index is two shifts and an addition.
 */

/** Number of buckets. */
export const BUCKETS = 1600;

const SUB_BUCKET_BITS = 6;
/** 2^30 us: the first duration that no longer has a bucket of its own. */
const LIMIT_MS = 2 ** 30 / 1000;
/** `clz32` of the first value (128) whose octave is coarser than a microsecond, plus one. */
const LINEAR_CLZ = 32 - (SUB_BUCKET_BITS + 1);

/** Which bucket a duration belongs to. Negative and NaN count as 0, anything beyond the last bucket as the last. */
export function bucketIndex(durationMs: number): number {
  if (durationMs >= LIMIT_MS) return BUCKETS - 1;
  // `| 0` makes NaN 0; the product is below 2^30 here.
  const micros = (durationMs * 1000) | 0;
  if (micros < 128) return micros < 0 ? 0 : micros;
  const shift = LINEAR_CLZ - Math.clz32(micros);
  return (shift << SUB_BUCKET_BITS) + (micros >>> shift);
}

/** Shortest duration in the bucket, ms. `bucketFloorMs(index + 1)` is where it ends (exclusive). */
export function bucketFloorMs(index: number): number {
  if (index < 128) return index / 1000;
  const shift = (index >> SUB_BUCKET_BITS) - 1;
  return ((index - (shift << SUB_BUCKET_BITS)) * 2 ** shift) / 1000;
}

/** The duration that stands for the bucket, ms: its middle. */
export function bucketMiddleMs(index: number): number {
  return (bucketFloorMs(index) + bucketFloorMs(index + 1)) / 2;
}

/**
 * The q-quantile by nearest rank, as the middle of the bucket it falls into.
 *
 * @param counts  One count a bucket (`BUCKETS` of them).
 * @param q       In [0, 1].
 * @returns       Milliseconds; undefined when nothing was counted, so that "no data" cannot pass for "fast".
 */
export function quantileMs(counts: ArrayLike<number>, q: number): number | undefined {
  let total = 0;
  for (let i = 0; i < BUCKETS; i++) total += counts[i] ?? 0;
  if (total === 0) return undefined;
  const rank = Math.max(1, Math.ceil(q * total));
  let seen = 0;
  for (let i = 0; i < BUCKETS; i++) {
    seen += counts[i] ?? 0;
    if (seen >= rank) return bucketMiddleMs(i);
  }
  return undefined;
}
