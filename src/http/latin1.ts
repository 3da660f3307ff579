/**
 * `Buffer.prototype.latin1Slice` is what `toString('latin1')` calls after looking at its arguments; on a path run for every request the look
 * costs more than the slice. The type declarations leave it out.
 */
declare global {
  interface Buffer {
    latin1Slice(start?: number, end?: number): string;
  }
}

export {};
