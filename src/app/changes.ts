/** What a new configuration changed, in a line for the log. */
import { identityOf, identityText } from '../config/manifest.ts';
import { resourceText } from '../config/resource-text.ts';
import { wireKind } from '../config/resources.ts';
import { resourcesIn, type Snapshot } from '../config/snapshot.ts';

/** More names than a line should hold; the rest are counted. */
const MAX_NAMES = 5;

/** `added Gateway books/front; changed VirtualService default/reviews`; undefined when nothing did. */
export function describeChanges(before: Snapshot, after: Snapshot): string | undefined {
  const { added, changed, removed } = compare(before, after);
  const parts = [names('added', added), names('changed', changed), names('removed', removed)].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join('; ');
}

/** `added Gateway books/front`, one a resource. */
export function changesBetween(before: Snapshot, after: Snapshot): string[] {
  return Object.entries(compare(before, after)).flatMap(([verb, ids]) => ids.map((id) => `${verb} ${id}`));
}

function compare(before: Snapshot, after: Snapshot): Record<'added' | 'changed' | 'removed', readonly string[]> {
  const old = byIdentity(before);
  const now = byIdentity(after);
  return {
    added: [...now.keys()].filter((id) => !old.has(id)),
    changed: [...now].filter(([id, text]) => old.has(id) && old.get(id) !== text).map(([id]) => id),
    removed: [...old.keys()].filter((id) => !now.has(id)),
  };
}

/** How much there is of each kind that there is any of: `2 VirtualServices, 1 DestinationRule`. */
export function countResources(snapshot: Snapshot): string {
  const counts = new Map<string, number>();
  for (const { kind } of resourcesIn(snapshot)) counts.set(wireKind(kind), (counts.get(wireKind(kind)) ?? 0) + 1);
  const parts = [...counts].map(([kind, count]) => `${count} ${count === 1 ? kind : plural(kind)}`);
  return parts.length === 0 ? 'no resources' : parts.join(', ');
}

function plural(kind: string): string {
  if (kind.endsWith('y') && !kind.endsWith('ay')) return `${kind.slice(0, -1)}ies`;
  return kind.endsWith('s') ? `${kind}es` : `${kind}s`;
}

function byIdentity(snapshot: Snapshot): Map<string, string> {
  return new Map(resourcesIn(snapshot).map((resource) => [identityText(identityOf(resource)), resourceText(resource)]));
}

function names(verb: string, list: readonly string[]): string | undefined {
  if (list.length === 0) return undefined;
  const more = list.length - MAX_NAMES;
  return `${verb} ${list.slice(0, MAX_NAMES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
