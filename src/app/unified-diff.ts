/** Differences between resources as `diff -u` has them, of YAML with sorted keys. */
import { structuredPatch } from 'diff';
import { stringify } from 'yaml';

/** Two texts that have less in common are printed one after the other: Myers's algorithm takes the square of this many steps. */
const MAX_EDITS = 5000;
export const CONTEXT_LINES = 3;

export function normalised(object: unknown): string {
  return stringify(object, { sortMapEntries: true, lineWidth: 0, aliasDuplicateObjects: false, version: '1.1' });
}

/** From the first `@@` on. */
export function hunks(before: string, after: string, context: number): readonly string[] {
  const patch = structuredPatch('', '', before, after, '', '', { context, maxEditLength: MAX_EDITS });
  if (patch === undefined) return [...linesOf(before).map((line) => `-${line}`), ...linesOf(after).map((line) => `+${line}`)];
  return patch.hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines }) => [
    `@@ -${range(oldStart, oldLines)} +${range(newStart, newLines)} @@`,
    ...lines,
  ]);
}

/** Of no lines the one before them is named, as `diff -u` does; the library leaves that to its own printing. */
const range = (start: number, lines: number): string => `${lines === 0 ? start - 1 : start},${lines}`;

const linesOf = (text: string): readonly string[] => text.split('\n').slice(0, -1);
