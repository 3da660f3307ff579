/** What a new configuration changed, in a line for the log. */
import type { AnyResource } from '../config/resources.ts';
import type { Snapshot } from '../config/snapshot.ts';

/** More names than a line should hold; the rest are counted. */
const MAX_NAMES = 5;

/** `added Gateway books/front; changed VirtualService default/reviews`; undefined when nothing did. */
export function describeChanges(before: Snapshot, after: Snapshot): string | undefined {
  const old = byIdentity(before);
  const now = byIdentity(after);
  const added = [...now.keys()].filter((id) => !old.has(id));
  const removed = [...old.keys()].filter((id) => !now.has(id));
  const changed = [...now].filter(([id, text]) => old.has(id) && old.get(id) !== text).map(([id]) => id);
  const parts = [names('added', added), names('changed', changed), names('removed', removed)].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join('; ');
}

/** How much there is of each kind that there is any of: `2 VirtualServices, 1 DestinationRule`. */
export function countResources(snapshot: Snapshot): string {
  const counts = new Map<string, number>();
  for (const { kind } of resourcesOf(snapshot)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const parts = [...counts].map(([kind, count]) => `${count} ${count === 1 ? kind : plural(kind)}`);
  return parts.length === 0 ? 'no resources' : parts.join(', ');
}

function resourcesOf(snapshot: Snapshot): AnyResource[] {
  return [
    ...snapshot.virtualServices,
    ...snapshot.destinationRules,
    ...snapshot.gateways,
    ...snapshot.serviceEntries,
    ...snapshot.workloadEntries,
    ...snapshot.rollouts,
  ];
}

function plural(kind: string): string {
  return kind.endsWith('y') && !kind.endsWith('ay') ? `${kind.slice(0, -1)}ies` : `${kind}s`;
}

function byIdentity(snapshot: Snapshot): Map<string, string> {
  return new Map(
    resourcesOf(snapshot).map(({ kind, metadata, spec }) => [
      `${kind} ${metadata.namespace}/${metadata.name}`,
      JSON.stringify([metadata, spec]),
    ]),
  );
}

function names(verb: string, list: readonly string[]): string | undefined {
  if (list.length === 0) return undefined;
  const more = list.length - MAX_NAMES;
  return `${verb} ${list.slice(0, MAX_NAMES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
