/**
 * Header operations on one message, as Envoy carries them out (header_parser.cc, evaluateHeaders): level by level, and in each first what is removed, then values
 * made of the message as it is by then, then what is set, then what is added. An empty value leaves its header alone.
 */
import { formatHeaderValue } from '../routing/header-value.ts';
import type { ValueSource } from '../routing/header-value.ts';
import type { HeaderOps, HeaderValue } from '../routing/table.ts';
import type { FoldedHeaderOps, SettledOps } from './route-runtime.ts';

/** What a header line made from request data must not hold: it could end the line (RFC 9112 §11.1). */
const UNSAFE = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/;

export function isSafeValue(value: string): boolean {
  return !UNSAFE.test(value);
}

interface Line {
  readonly name: string;
  readonly value: string;
}

/** What operations have done so far. */
interface Changes {
  readonly drop: ReadonlySet<string>;
  readonly lines: readonly Line[];
}

/** @param format  A value, given what the levels before and the removals have done. */
export function runOps(
  levels: readonly HeaderOps[],
  format: (header: HeaderValue, changes: Changes) => string,
): SettledOps & { readonly lines: readonly Line[] } {
  const drop = new Set<string>();
  let lines: Line[] = [];
  const forget = (name: string): void => {
    drop.add(name);
    lines = lines.filter((line) => line.name.toLowerCase() !== name);
  };
  for (const { remove, set, add } of levels) {
    for (const name of remove) forget(name.toLowerCase());
    const made = ({ name, value }: HeaderValue): Line => ({ name, value: format({ name, value }, { drop, lines }) });
    const [overwrites, additions] = [set.map(made), add.map(made)];
    for (const line of overwrites) {
      if (line.value === '') continue;
      forget(line.name.toLowerCase());
      lines.push(line);
    }
    lines.push(...additions.filter(({ value }) => value !== ''));
  }
  return { drop: [...drop], text: lines.map(({ name, value }) => `${name}: ${value}\r\n`).join(''), lines };
}

/** @param side  Whose headers they change. @returns undefined when request data made a value that must not be sent. */
export function settleOps(ops: FoldedHeaderOps, side: 'request' | 'response', source: ValueSource): SettledOps | undefined {
  if (ops.levels === undefined) return ops;
  const settled = runOps(ops.levels, ({ value }, changes) => formatHeaderValue(value, changedSource(source, side, changes)));
  return settled.lines.every(({ value }) => isSafeValue(value)) ? settled : undefined;
}

function changedSource(source: ValueSource, side: 'request' | 'response', { drop, lines }: Changes): ValueSource {
  const changed = (name: string, value: string | undefined): string | undefined =>
    (drop.has(name) ? undefined : value) ?? lines.find((line) => line.name.toLowerCase() === name)?.value;
  return {
    startTimeMs: source.startTimeMs,
    requestHeader: (name) => (side === 'request' ? changed(name, source.requestHeader(name)) : source.requestHeader(name)),
    responseHeader: (name) => (side === 'response' ? changed(name, source.responseHeader(name)) : source.responseHeader(name)),
    queryParameter: (name) => source.queryParameter(name),
    property: (command) => source.property(command),
  };
}

/** The fields of an answer of our own after the operations. @param fields  Complete lines. */
export function changedFields(fields: string, { drop, text }: SettledOps): string {
  if (drop.length === 0) return fields + text;
  const kept = fields.split(/(?<=\r\n)/).filter((line) => !drop.includes(line.slice(0, line.indexOf(':')).toLowerCase()));
  return kept.join('') + text;
}
