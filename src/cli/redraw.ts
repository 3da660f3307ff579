/** Text on a terminal that is drawn over what was there, as a watched release is. */
import { stripVTControlCharacters } from 'node:util';
import type { Io } from './io.ts';
import { widthOf } from './table.ts';

/** What a terminal has where it does not say so. */
const USUAL_SIZE = { columns: 80, rows: 24 };

export class Redraw {
  readonly #io: Pick<Io, 'out' | 'size'>;
  /** Of the text that stands there. */
  #lines: readonly string[] = [];

  constructor(io: Pick<Io, 'out' | 'size'>) {
    this.#io = io;
  }

  /**
   * @param text   Complete lines.
   * @param isLast It stays: then all of it is written. Before, what does not fit on the screen is left out, since what has scrolled away cannot
   *               be drawn over.
   */
  show(text: string, isLast: boolean): void {
    const { columns, rows } = this.#io.size?.() ?? USUAL_SIZE;
    const all = text.split('\n').slice(0, -1);
    const up = rowsOf(this.#lines, columns);
    this.#lines = isLast ? all : fitting(all, columns, rows - 1);
    // One write, so that nobody sees the gap.
    this.#io.out(`${up === 0 ? '' : `\u001b[${up}A\u001b[J`}${this.#lines.map((line) => `${line}\n`).join('')}`);
  }
}

function fitting(lines: readonly string[], columns: number, rows: number): readonly string[] {
  let count = lines.length;
  while (count > 1 && rowsOf(lines.slice(0, count), columns) > rows) count--;
  return lines.slice(0, count);
}

/** A long line takes several rows; one that fills a row exactly takes that row only. */
function rowsOf(lines: readonly string[], columns: number): number {
  return lines.reduce((rows, line) => rows + Math.max(1, Math.ceil(widthOf(stripVTControlCharacters(line)) / columns)), 0);
}
