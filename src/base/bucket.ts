/**
 * Puts a user into one of 10,000 buckets: the same salt and key give the same bucket on every machine and for ever, and different salts are as
 * good as independent, so that it is not always the same users who go first.
 *
 * MurmurHash3 x86 32 (Austin Appleby, public domain) over the key's UTF-8 bytes, seeded by the same hash of the salt. 2^32 mod 10,000 leaves the
 * shares equal to one part in 400,000.
 */
export const BUCKETS = 10_000;

/** @returns 0 to 9,999. */
export function bucketOf(salt: string, key: string): number {
  return userHash(salt, key) % BUCKETS;
}

/** What the bucket is made of. @returns An unsigned 32-bit number. */
export function userHash(salt: string, key: string): number {
  return murmur3(Buffer.from(key, 'utf8'), murmur3(Buffer.from(salt, 'utf8'), 0));
}

/** @returns An unsigned 32-bit number. */
export function murmur3(bytes: Buffer, seed: number): number {
  let hash = seed | 0;
  const whole = bytes.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    hash ^= scramble(bytes.readInt32LE(at));
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= whole; at--) tail = (tail << 8) | (bytes[at] ?? 0);
  hash ^= scramble(tail);
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scramble(word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}
