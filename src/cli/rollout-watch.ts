/**
 * `-w` and `rollout watch`: releases until they have ended. On a terminal their page is drawn over; elsewhere, as in a log, it is a line for each
 * decision after the page it begins with, and with `-o json` an object whenever something has changed.
 */
import { printableJson } from '../app/printable.ts';
import { follow } from './follow.ts';
import type { Io } from './io.ts';
import { formatDecision, formatList, formatStatus, type RolloutObject } from './rollout-format.ts';

/** @param fetch Asks for the release as it is now. */
export function watchRollout(fetch: () => Promise<RolloutObject>, output: 'json' | undefined, io: Io, pollMs: number): Promise<void> {
  const page = (found: RolloutObject): string => (output === 'json' ? `${printableJson(found)}\n` : formatStatus(found, io));
  return follow(
    {
      fetch,
      page,
      news: (found, before) => {
        if (output !== 'json' && before !== undefined) return newDecisions(before, found).map(formatDecision).join('');
        return before !== undefined && page(before) === page(found) ? '' : page(found);
      },
      hasEnded: (found) => !isUnderWay(found),
    },
    io,
    pollMs,
  );
}

/** Several at once, until all have ended: their list, and elsewhere the decisions of each with its name before them. */
export function watchRollouts(
  fetch: () => Promise<readonly RolloutObject[]>,
  output: 'json' | undefined,
  io: Io,
  pollMs: number,
): Promise<void> {
  const page = (items: readonly RolloutObject[]): string =>
    output === 'json' ? `${printableJson({ apiVersion: 'v1', kind: 'List', items })}\n` : formatList(items, false);
  return follow(
    {
      fetch,
      page,
      news: (items, before) => {
        if (before === undefined) return page(items);
        if (output === 'json') return page(before) === page(items) ? '' : page(items);
        return items
          .flatMap((found) => {
            const known = before.find(({ metadata }) => metadata.name === found.metadata.name);
            const decisions = known === undefined ? found.status.decisions : newDecisions(known, found);
            return decisions.map((decision) => `${found.metadata.name}   ${formatDecision(decision)}`);
          })
          .join('');
      },
      hasEnded: (items) => !items.some(isUnderWay),
    },
    io,
    pollMs,
  );
}

export function isUnderWay({ status }: RolloutObject): boolean {
  return status.phase === 'Progressing' || status.phase === 'Paused';
}

type Decision = RolloutObject['status']['decisions'][number];

/** Those that came after the last one of before; old ones may have been dropped meanwhile. */
function newDecisions(before: RolloutObject, now: RolloutObject): readonly Decision[] {
  const last = before.status.decisions.at(-1);
  const { decisions } = now.status;
  return decisions.slice(decisions.findLastIndex(({ at, reason }) => at === last?.at && reason === last.reason) + 1);
}
