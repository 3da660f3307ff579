/**
 * Which users of a run have been counted, kept with the evidence.
 *
 * A user counts once in a run. After a crash the evidence goes on from where it was written last, and so does this memory, written together with it:
 * who was counted later is in neither, and may be counted once more. Whoever is in the memory but not yet in the evidence is lost, which was
 * settled before anybody knew what would come of it.
 */
import { deflateSync, inflateSync } from 'node:zlib';
import { LEDGER_BYTES, UserLedger } from '../../rollout/user-ledger.ts';
import type { SharedBlocks } from '../../telemetry/shared-blocks.ts';

export class UserMemory {
  readonly ledger: UserLedger;
  readonly #blocks: SharedBlocks;
  readonly #name: string;

  constructor(blocks: SharedBlocks, name: string) {
    this.#blocks = blocks;
    this.#name = name;
    this.ledger = new UserLedger(blocks.block(name, LEDGER_BYTES));
  }

  /** @returns False when there is nothing to be read. Requests of this process may have been counted already; they stay so. */
  restore(saved: string | undefined): boolean {
    if (saved === undefined) return false;
    try {
      this.ledger.addMarks(inflateSync(Buffer.from(saved, 'base64')));
      return true;
    } catch {
      return false;
    }
  }

  /** One line. */
  encode(): string {
    return deflateSync(this.ledger.marks(), { level: 1 }).toString('base64');
  }

  end(): void {
    this.#blocks.drop(this.#name);
  }
}
