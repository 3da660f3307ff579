/**
 * Random numbers as a value that can be handed in.
 *
 * `Random` returns a uniform number in [0, 1). The generator is sfc32 (Chris Doty-Humphrey, PractRand: passes to 2^42 bytes), 32 bits a
 * draw, about 3 ns: good enough for choosing versions and endpoints, useless for secrets (use `node:crypto` there).
 */
export type Random = () => number;

const TWO_POW_32 = 4294967296;

/** A reproducible stream: the same seed gives the same draws. `seed` is any four 32-bit words, or one number for tests. */
export function seededRandom(seed: number | readonly [number, number, number, number]): Random {
  let [a, b, c, d] = typeof seed === 'number' ? ([seed | 0, 0x9e3779b9, 0x243f6a88, 1] as const) : seed;
  const next = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return (t >>> 0) / TWO_POW_32;
  };
  // The first outputs of a lightly seeded state are correlated with the seed.
  for (let i = 0; i < 16; i++) next();
  return next;
}

/** A stream nobody can predict from outside: seeded from the operating system. */
export function systemRandom(): Random {
  const words = crypto.getRandomValues(new Int32Array(4));
  return seededRandom([words[0] ?? 0, words[1] ?? 0, words[2] ?? 0, words[3] ?? 0]);
}
