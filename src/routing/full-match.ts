import { RE2JS } from 're2js';

/**
 * RE2 patterns matched against a whole value, as Istio and Envoy do (`safe_regex`, RE2::FullMatch).
 *
 * The shapes people write most (`literal`, `literal.*`, `.*literal`, `.*literal.*`) are compared as strings, which is five to fifty times
 * cheaper; everything else runs in re2js's linear-time automaton. A pattern is compiled on its first use and once per text: a table of thousands
 * of patterns must load at once.
 */
export type FullMatch = (value: string) => boolean;

/** Characters with a meaning in RE2, and the line feed that `.` stops at; a text without them is a literal. */
const META = /[\\^$.|?*+()[\]{}\n]/;

/** Throws re2js's RE2JSException when `pattern` is not RE2, on the first call of what it returns; validation refuses such patterns beforehand. */
export function fullMatch(pattern: string): FullMatch {
  const open = pattern.startsWith('.*');
  const close = pattern.length > 2 && pattern.endsWith('.*');
  const literal = pattern.slice(open ? 2 : 0, close ? -2 : undefined);
  if (META.test(literal)) return compiledOnFirstUse(pattern);
  if (open && close) return (value) => value.includes(literal) && isOneLine(value);
  if (open && literal === '') return isOneLine;
  if (open) return (value) => value.endsWith(literal) && isOneLine(value);
  if (close) return (value) => value.startsWith(literal) && isOneLine(value);
  return (value) => value === literal;
}

function compiledOnFirstUse(pattern: string): FullMatch {
  let compiled: RE2JS | undefined;
  return (value) => {
    compiled ??= RE2JS.compile(pattern);
    return compiled.testExact(value);
  };
}

/** `.` does not match a line feed unless the pattern says `(?s)`. */
function isOneLine(value: string): boolean {
  return !value.includes('\n');
}
