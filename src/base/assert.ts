/** Programmer errors: a broken invariant inside Serin, never bad input from a user or a peer. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${message}`);
}
