/** Literal bytes for wire tests: a string's characters are octets (U+0000 to U+00FF), nothing is encoded. */
import type { Random } from '../../src/base/random.ts';

export type Bytes = string | Uint8Array;

export function octets(bytes: Bytes): Buffer {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes);
}

/** How bytes reach a socket: in one write, one octet a write, or cut at these offsets. */
export type Cut = 'whole' | 'octets' | readonly number[];

/** The pieces, in order; none is empty. */
export function pieces(bytes: Buffer, cut: Cut): readonly Buffer[] {
  if (cut === 'whole') return bytes.length === 0 ? [] : [bytes];
  const offsets = cut === 'octets' ? Array.from({ length: bytes.length }, (_, index) => index) : [...cut].sort((a, b) => a - b);
  const bounds = [0, ...offsets.filter((offset) => offset > 0 && offset < bytes.length), bytes.length];
  const found: Buffer[] = [];
  for (let i = 1; i < bounds.length; i++) {
    const piece = bytes.subarray(bounds[i - 1], bounds[i]);
    if (piece.length > 0) found.push(piece);
  }
  return found;
}

/** `count` offsets inside `length` bytes. */
export function randomCut(random: Random, length: number, count: number): readonly number[] {
  return Array.from({ length: count }, () => 1 + Math.floor(random() * Math.max(1, length - 1)));
}

/** Bytes as a JSON string, for messages. */
export function shown(bytes: Uint8Array, limit = 400): string {
  const text = Buffer.from(bytes.subarray(0, limit)).toString('latin1');
  return JSON.stringify(text) + (bytes.length > limit ? ` … ${bytes.length} bytes` : '');
}
