/**
 * Showing something until it has ended, or until Ctrl-C. On a terminal its page is drawn over; a Serin that does not answer for a while is said
 * below it and asked again, since somebody sits there. Elsewhere, as in a log, new text is added, and a Serin that is gone ends it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { printableLine } from '../app/printable.ts';
import { CliError, EXIT } from './exit.ts';
import type { Io } from './io.ts';
import { Redraw } from './redraw.ts';

export interface Followed<Found> {
  readonly fetch: () => Promise<Found>;
  /** As it is drawn on a terminal; complete lines. */
  readonly page: (found: Found) => string;
  /** As it is written elsewhere, `before` being what was found before: complete lines, or nothing. */
  readonly news: (found: Found, before: Found | undefined) => string;
  /** Absent: never. */
  readonly hasEnded?: (found: Found) => boolean;
}

/** @throws CliError where nothing could be shown at all, or 4 when Serin is gone and no terminal is there */
export async function follow<Found>({ fetch, page, news, hasEnded }: Followed<Found>, io: Io, pollMs: number): Promise<void> {
  const redraw = io.isTerminal === true ? new Redraw(io) : undefined;
  let before: Found | undefined;
  let drawn = '';
  const draw = (text: string, isLast: boolean): void => {
    if (text !== drawn || isLast) redraw?.show(text, isLast);
    drawn = text;
  };
  for (;;) {
    try {
      const found = await fetch();
      const isEnd = hasEnded?.(found) === true;
      if (redraw !== undefined) draw(page(found), isEnd);
      else {
        const text = news(found, before);
        if (text !== '') io.out(text);
      }
      before = found;
      if (isEnd) return;
    } catch (error) {
      if (redraw === undefined || before === undefined || !(error instanceof CliError) || error.exit !== EXIT.unreachable) throw error;
      draw(`${page(before)}${io.paint('red', printableLine(`${error.message} Trying again.`))}\n`, false);
    }
    await sleep(pollMs);
  }
}
