/**
 * Durations as people write them in Istio resources: Go's `time.ParseDuration` (`1h30m`, `0.5s`, `250ms`), which is what Kubernetes checks
 * these fields with, without the sign that none of them allows.
 *
 * A bare number is refused (except `0`), so that nobody has to guess the unit.
 */
const UNIT_MS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** One number with its unit; Go allows `1.`, `.5` and several of them in a row. */
const TERM = /([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)/y;

/** Go's longest duration, 2^63-1 ns (about 292 years), in ms. */
const MAX_MS = 9_223_372_036_854.775;

/** Milliseconds (with a fraction below 1 ms), or undefined when `text` is not a duration. Never negative, never NaN. Linear time. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (text === '' || text.length > 64) return undefined;
  let totalMs = 0;
  TERM.lastIndex = 0;
  while (TERM.lastIndex < text.length) {
    const found = TERM.exec(text);
    if (found === null) return undefined;
    totalMs += Number(found[1]) * (UNIT_MS[found[2] ?? ''] ?? Number.NaN);
  }
  // Sums of decimal fractions (`0.1s`) must not drift below a whole millisecond.
  const rounded = Math.round(totalMs * 1e6) / 1e6;
  return rounded <= MAX_MS ? rounded : undefined;
}
