/**
 * A difference as text: unified diffs of normalised YAML (keys sorted, the short form expanded) of what the files change, then of what the overlay
 * makes of them, then what it means for routing, and a line that counts. Nothing at all where nothing differs.
 */
import type { DiffResult, ResourceChange, RoutingChange } from '../admin/api-types.ts';
import { printableLine } from '../app/printable.ts';
import { CONTEXT_LINES, hunks, normalised } from '../app/unified-diff.ts';
import type { Style } from './io.ts';

type Paint = (style: Style, text: string) => string;

export function isDifferent({ resources, overlay, routing }: DiffResult): boolean {
  return resources.length + overlay.length + routing.length > 0;
}

/** Complete lines. @param named Makes a place in the files given as the user has named them. */
export function formatDiff(result: DiffResult, paint: Paint, named: (place: string) => string): string {
  if (!isDifferent(result)) return '';
  const { resources, overlay, routing } = result;
  const lines = [
    ...resources.flatMap((change) => [
      paint('bold', `${change.change}: ${identity(change)}`),
      ...unified(change, `in force${place(change.before)}`, `given${place(change.after, named)}`, paint),
      '',
    ]),
    ...overlay.flatMap((change) => [
      paint('bold', `overlay: ${identity(change)}, by ${printableLine(change.by)}; no edit of a file, stays in force over the files given`),
      ...unified(change, `given${place(change.before, named)}`, 'in force over it', paint),
      '',
    ]),
    ...routingLines(routing, paint),
    summary(result),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function identity({ kind, namespace, name }: ResourceChange): string {
  return printableLine(`${kind} ${namespace}/${name}`);
}

/** After a tab, where `diff -u` has the time of a file. */
function place(side: ResourceChange['before'], named = (origin: string): string => origin): string {
  return side === undefined || side.origin === '' ? '' : `\t${printableLine(named(side.origin))}`;
}

function unified({ before, after }: ResourceChange, oldName: string, newName: string, paint: Paint): readonly string[] {
  const [old, now] = [before, after].map((side) => (side === undefined ? '' : normalised(side.object)));
  return [
    paint('red', `--- ${before === undefined ? '/dev/null' : oldName}`),
    paint('green', `+++ ${after === undefined ? '/dev/null' : newName}`),
    ...hunks(old ?? '', now ?? '', CONTEXT_LINES).map((line) => painted(line, paint)),
  ];
}

function painted(line: string, paint: Paint): string {
  const text = printableLine(line);
  if (text.startsWith('+')) return paint('green', text);
  if (text.startsWith('-')) return paint('red', text);
  return text.startsWith('@@') ? paint('cyan', text) : text;
}

/** Under a line for each listener and host. */
function routingLines(changes: readonly RoutingChange[], paint: Paint): readonly string[] {
  let last = '';
  return changes
    .flatMap((change) => {
      const heading = headingOf(change);
      const isNew = heading !== last;
      last = heading;
      const body = hunks(textOf(change.before), textOf(change.after), Number.MAX_SAFE_INTEGER)
        .filter((line) => !line.startsWith('@@'))
        .map((line) => painted(`${line.slice(0, 1)}   ${line.slice(1)}`, paint));
      return [...(isNew ? [paint('bold', printableLine(heading))] : []), ...titleOf(change).map(printableLine), ...body];
    })
    .concat(changes.length === 0 ? [] : ['']);
}

const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

function headingOf({ part, listener, host }: RoutingChange): string {
  if (part === 'cluster') return 'routing: clusters';
  return `routing: listener ${listener}${host === '' ? '' : `, host ${host}`}`;
}

function titleOf({ part, change, name }: RoutingChange): readonly string[] {
  if (part === 'listener') return [`  listener ${change}`];
  if (part === 'host') return [`  host ${change}`];
  if (part === 'order') return ['  routes in another order'];
  const what = { route: 'route', connections: 'rule for connections', cluster: 'cluster' }[part];
  return part === 'cluster' ? [`  ${what} ${change}: ${name.join(' ')}`] : [`  ${what} ${change}`, ...name.map((line) => `    ${line}`)];
}

function summary({ resources, overlay, routing }: DiffResult): string {
  const counted = (['added', 'removed', 'changed'] as const)
    .map((change) => ({ change, count: resources.filter((each) => each.change === change).length }))
    .filter(({ count }) => count > 0)
    .map(({ change, count }) => `${count} ${change}`);
  const parts = [
    counted.length === 0 ? 'files: no change' : `files: ${counted.join(', ')}`,
    ...(overlay.length === 0 ? [] : [`overlay: ${overlay.length} moved`]),
    routing.length === 0 ? 'routing: no change' : `routing: ${routing.length} ${routing.length === 1 ? 'change' : 'changes'}`,
  ];
  return parts.join('; ');
}
