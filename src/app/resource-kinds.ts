/** Names of the kinds, as a path of the admin API, a user of `serin get` and kubectl write them. */
import type { AnyResource, ResourceKind } from '../config/resources.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { nearest } from '../base/nearest.ts';

export interface KindNames {
  /** Plural lower case: the one in paths. */
  readonly plural: string;
  /** Other spellings a user may give, lower case. */
  readonly aliases: readonly string[];
}

export interface ResourceKindNames extends KindNames {
  readonly kind: ResourceKind;
  list(snapshot: Snapshot): readonly AnyResource[];
}

export const RESOURCE_KINDS: readonly ResourceKindNames[] = [
  { kind: 'VirtualService', plural: 'virtualservices', aliases: ['virtualservice', 'vs'], list: (snapshot) => snapshot.virtualServices },
  {
    kind: 'DestinationRule',
    plural: 'destinationrules',
    aliases: ['destinationrule', 'dr'],
    list: (snapshot) => snapshot.destinationRules,
  },
  { kind: 'Gateway', plural: 'gateways', aliases: ['gateway', 'gw'], list: (snapshot) => snapshot.gateways },
  { kind: 'ServiceEntry', plural: 'serviceentries', aliases: ['serviceentry', 'se'], list: (snapshot) => snapshot.serviceEntries },
  { kind: 'WorkloadEntry', plural: 'workloadentries', aliases: ['workloadentry', 'we'], list: (snapshot) => snapshot.workloadEntries },
  { kind: 'Rollout', plural: 'rollouts', aliases: ['rollout', 'ro'], list: (snapshot) => snapshot.rollouts },
];

/** What is compiled from the resources, and what runs. */
export const COMPILED_KINDS: readonly KindNames[] = [
  { plural: 'listeners', aliases: ['listener'] },
  { plural: 'clusters', aliases: ['cluster'] },
  { plural: 'endpoints', aliases: ['endpoint', 'ep'] },
  { plural: 'processes', aliases: ['process', 'ps'] },
];

/** @returns The plural of what a user wrote, or the nearest name there is. */
export function findKind(text: string): { readonly plural: string } | { readonly nearest: string | undefined } {
  const written = text.toLowerCase();
  const all: readonly KindNames[] = [...RESOURCE_KINDS, ...COMPILED_KINDS];
  const found = all.find(({ plural, aliases }) => plural === written || aliases.includes(written));
  return (
    found ?? {
      nearest: nearest(
        written,
        all.flatMap(({ plural, aliases }) => [plural].concat(aliases)).filter((name) => name.length > 3),
      ),
    }
  );
}
