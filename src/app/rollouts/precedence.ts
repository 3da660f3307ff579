/** Several releases can have come to something at one host: by Rollouts of other names, or by hand. One of them is in force. */
import type { StoredRollout } from './store.ts';

/** One under way comes before one that has ended; else the one that was started last does. */
export function comesBefore(a: StoredRollout, b: StoredRollout): boolean {
  const isUnderWay = (of: StoredRollout): boolean => of.state.active !== undefined;
  return isUnderWay(a) === isUnderWay(b) ? startedAt(a) > startedAt(b) : isUnderWay(a);
}

/** RFC 3339 in UTC, so that texts compare as times do. */
function startedAt({ records }: StoredRollout): string {
  return (records.findLast(({ action }) => action === 'start') ?? records[0])?.at ?? '';
}
