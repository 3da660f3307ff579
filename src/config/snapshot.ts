import type { Release } from './release.ts';
import type { DestinationRule, Gateway, Rollout, ServiceEntry, VirtualService, WorkloadEntry } from './resources.ts';

/**
 * Everything that is configured at one moment, validated; immutable. `routing/` compiles it, and nothing else reads the user's files.
 *
 * Order inside each list is the order of age: `creationTimestamp` where stated, else the order in which files and documents were given. It
 * decides merges (semantics.md 2.1.1).
 */
export interface Snapshot {
  /** Hash of the content; equal content has an equal version. */
  readonly version: string;
  readonly virtualServices: readonly VirtualService[];
  readonly destinationRules: readonly DestinationRule[];
  readonly gateways: readonly Gateway[];
  readonly serviceEntries: readonly ServiceEntry[];
  readonly workloadEntries: readonly WorkloadEntry[];
  readonly rollouts: readonly Rollout[];
  /** Releases the overlay has put in force; each host at most once. Empty in what the files alone say. */
  readonly releases: readonly Release[];
}

export const EMPTY_SNAPSHOT: Snapshot = {
  version: 'empty',
  virtualServices: [],
  destinationRules: [],
  gateways: [],
  serviceEntries: [],
  workloadEntries: [],
  rollouts: [],
  releases: [],
};
