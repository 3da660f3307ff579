import { printableLine } from '../app/printable.ts';

/**
 * Columns of plain text, as kubectl prints them: upper-case headings, three spaces between columns, the last one as long as it is. An empty
 * cell shows as `-` so that columns stay apart for `awk`.
 *
 * @returns Complete lines; nothing at all for no rows.
 */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  return formatColumns([headings, ...rows.map((row) => row.map((cell) => (cell === '' ? '-' : cell)))]);
}

/** The same without headings. Cells are made printable. */
export function formatColumns(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(printableLine));
  const widths: number[] = [];
  for (const row of cells) for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, widthOf(cell));
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}

const SEGMENTER = new Intl.Segmenter();

/** Characters as a reader counts them. */
function widthOf(text: string): number {
  return /^[ -~]*$/.test(text) ? text.length : [...SEGMENTER.segment(text)].length;
}
