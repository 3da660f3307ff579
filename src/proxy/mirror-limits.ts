/**
 * What all copies for mirrors of one data plane may take together. They live on what is left over: beyond these bounds a copy is dropped and
 * counted, and the request it is a copy of notices nothing.
 */

/** Copies under way: a mirror that never answers holds this many connections and no more. */
const MAX_COPIES = 1024;
/** Written and not yet taken by the mirrors, over all copies. */
const MAX_BYTES = 8 * 1024 * 1024;
/** The same of one copy (reliability P70). */
export const MAX_BEHIND_BYTES = 256 * 1024;

export class MirrorLimits {
  readonly #copies = new Set<{ close(): void }>();
  #bytes = 0;

  /** There is no room for one copy more. */
  get isFull(): boolean {
    return this.#copies.size >= MAX_COPIES || this.isOverBytes;
  }

  get isOverBytes(): boolean {
    return this.#bytes > MAX_BYTES;
  }

  begin(copy: { close(): void }): void {
    this.#copies.add(copy);
  }

  /** @param behind  What the copy holds now. @param before  What it said last. */
  hold(behind: number, before: number): void {
    this.#bytes += behind - before;
  }

  end(copy: { close(): void }): void {
    this.#copies.delete(copy);
  }

  /** Cuts every copy off. */
  close(): void {
    for (const copy of this.#copies) copy.close();
  }
}
