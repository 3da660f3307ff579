/**
 * Small rows of counters in shared memory, eight 32-bit words each, that several threads write to: every write is atomic.
 *
 * A key keeps its row for the life of the process; segments never move and new ones are appended. A worker attaches the list together with the
 * table that uses it.
 */
import { assert } from '../base/assert.ts';

const ROWS_PER_SEGMENT = 1024;
const ROW_WORDS = 8;

export type SharedRow = Int32Array;

/** Milliseconds that all threads of the machine count alike; wraps after 24 days, so only differences (`| 0`) mean something. */
export function hostMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n) | 0;
}

/** The control plane's side: hands out rows. */
export class SharedRows {
  readonly #slots = new Map<string, number>();
  readonly #segments: SharedArrayBuffer[] = [];

  slot(key: string): number {
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    const slot = this.#slots.size;
    if (slot % ROWS_PER_SEGMENT === 0)
      this.#segments.push(new SharedArrayBuffer(ROWS_PER_SEGMENT * ROW_WORDS * Int32Array.BYTES_PER_ELEMENT));
    this.#slots.set(key, slot);
    return slot;
  }

  keys(): Iterable<string> {
    return this.#slots.keys();
  }

  segments(): readonly SharedArrayBuffer[] {
    return this.#segments.slice();
  }

  row(slot: number): SharedRow {
    return sharedRow(this.#segments, slot);
  }

  /** Undefined for a key that has no row. */
  find(key: string): SharedRow | undefined {
    const slot = this.#slots.get(key);
    return slot === undefined ? undefined : this.row(slot);
  }
}

/** @param segments As `SharedRows.segments` gave them, after the slot was made. */
export function sharedRow(segments: readonly SharedArrayBuffer[], slot: number): SharedRow {
  const segment = segments[Math.floor(slot / ROWS_PER_SEGMENT)];
  assert(segment !== undefined, `slot ${slot} is in a segment that was attached`);
  return new Int32Array(segment, (slot % ROWS_PER_SEGMENT) * ROW_WORDS * Int32Array.BYTES_PER_ELEMENT, ROW_WORDS);
}
