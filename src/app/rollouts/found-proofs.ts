/** What workers of an earlier process had proved before it was killed (proxy/proof-file.ts), until the rollback is durable. */
import { type FoundProof } from '../../proxy/guard-keeper.ts';
import { readProofs, removeProof } from '../../proxy/proof-file.ts';
import { guardBlockName } from '../../rollout/guard-block.ts';

export class FoundProofs {
  readonly #directory: string | undefined;
  readonly #proofs: ReadonlyMap<string, FoundProof>;

  constructor(directory: string | undefined) {
    this.#directory = directory;
    this.#proofs = new Map(directory === undefined ? [] : readProofs(directory).map((proof) => [proof.guard, proof]));
  }

  /** Of that run; what another one had proved is of the past. */
  of(rollout: string, canary: string, run: number): FoundProof | undefined {
    const found = this.#proofs.get(guardBlockName(rollout, canary));
    return found?.run === run ? found : undefined;
  }

  /** The rollback is durable. */
  settle(rollout: string, canary: string): void {
    if (this.#directory !== undefined) removeProof(this.#directory, guardBlockName(rollout, canary));
  }
}
