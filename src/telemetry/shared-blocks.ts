/**
 * Blocks of shared memory by name, for whatever is more than a counter: the control plane makes and drops them, workers get all of them with the
 * table that uses them. What is in a block is the business of whoever names it.
 *
 * Invariants: a name keeps its block, with its contents, until it is dropped; a new one is zeros. Who still holds a dropped block may go on using it.
 */
export class SharedBlocks {
  readonly #blocks = new Map<string, SharedArrayBuffer>();

  /** The block of this name; made when there is none. */
  block(name: string, bytes: number): SharedArrayBuffer {
    const known = this.#blocks.get(name);
    if (known !== undefined) return known;
    const made = new SharedArrayBuffer(bytes);
    this.#blocks.set(name, made);
    return made;
  }

  drop(name: string): void {
    this.#blocks.delete(name);
  }

  /** All there are now. */
  all(): ReadonlyMap<string, SharedArrayBuffer> {
    return new Map(this.#blocks);
  }
}
