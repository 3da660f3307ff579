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
/** Characters that take two columns: East Asian wide and full-width ones (UAX #11), and emoji. */
const WIDE =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}])/u;

/** Columns of a terminal that a text without control characters takes. */
export function widthOf(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of SEGMENTER.segment(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}
