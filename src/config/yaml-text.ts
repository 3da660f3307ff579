/** Which part of a text is one document of it, for people: with the comments before and in it. */

export interface DocumentText {
  /** 1-based, of the first line of `text`. */
  readonly line: number;
  /** Without the `---`, without empty lines around it, ending in a line break. */
  readonly text: string;
}

/** @param line 1-based, of any line in the document. */
export function documentAt(text: string, line: number): DocumentText {
  return documentIn(text.split('\n'), line, Number.POSITIVE_INFINITY);
}

/** The same of rows. @param last Row, 1-based, that it ends with at the latest. */
export function documentIn(rows: readonly string[], line: number, last: number): DocumentText {
  let start = line - 1;
  // `--- { kind: … }` has its document on the line of the marker.
  while (start > 0 && !isMarker(rows[start]) && !isMarker(rows[start - 1])) start--;
  let end = line;
  while (end < rows.length && end < last && !isMarker(rows[end])) end++;
  while (start < end - 1 && isBlank(rows[start])) start++;
  while (end > start + 1 && isBlank(rows[end - 1])) end--;
  return { line: start + 1, text: `${rows.slice(start, end).join('\n')}\n` };
}

function isMarker(row: string | undefined): boolean {
  return row !== undefined && /^---(?:\s|$)/.test(row);
}

function isBlank(row: string | undefined): boolean {
  return row === undefined || row.trim() === '';
}
