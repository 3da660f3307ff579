import type { HeaderOperations } from '../config/resources.ts';
import { parseHeaderValue } from './header-value.ts';
import { NO_HEADER_OPS } from './table.ts';
import type { HeaderOps, HeaderValue } from './table.ts';

/** Header operations of one level, and the Host that `set` (or `add`) asks for; Host is a rewrite, not a header (Istio TranslateHeadersOperations). */
export interface CompiledHeaders {
  readonly ops: HeaderOps;
  readonly authority?: string;
}

/** @param unsupported  Told about every command operator that has no value here, with the header's name. */
export function compileHeaders(
  operations: HeaderOperations | undefined,
  unsupported: (header: string, operator: string) => void,
): CompiledHeaders {
  if (operations === undefined) return { ops: NO_HEADER_OPS };
  const { set = {}, add = {}, remove = [] } = operations;
  const values = (entries: Readonly<Record<string, string>>, spell: (name: string) => string): readonly HeaderValue[] =>
    Object.entries(entries).flatMap(([name, text]) => {
      if (isInternal(name)) return [];
      const parsed = parseHeaderValue(text);
      for (const operator of parsed.unsupported) unsupported(name, operator);
      return [{ name: spell(name), value: parsed.value }];
    });
  const ops = {
    remove: remove.filter((name) => !isInternal(name)).map((name) => name.toLowerCase()),
    set: values(set, (name) => name.toLowerCase()),
    add: values(add, (name) => name),
  };
  const authority = authorityIn(set) ?? authorityIn(add);
  return { ops: isEmpty(ops) ? NO_HEADER_OPS : ops, ...(authority === undefined ? {} : { authority }) };
}

/**
 * The destination's operations appended to the route's, which is what Istio does where a rule has one destination: a later `set` of the same name
 * wins, so the destination's does. (Where it has several, each keeps its own and the route's run after them.)
 */
export function appendOps(route: HeaderOps, destination: HeaderOps): HeaderOps {
  if (isEmpty(destination)) return route;
  if (isEmpty(route)) return destination;
  return {
    remove: [...route.remove, ...destination.remove],
    set: [...route.set, ...destination.set],
    add: [...route.add, ...destination.add],
  };
}

function isEmpty(ops: HeaderOps): boolean {
  return ops.remove.length === 0 && ops.set.length === 0 && ops.add.length === 0;
}

function isInternal(name: string): boolean {
  return name.startsWith(':') || name.toLowerCase() === 'host';
}

function authorityIn(entries: Readonly<Record<string, string>>): string | undefined {
  for (const [name, value] of Object.entries(entries)) {
    const lower = name.toLowerCase();
    if ((lower === 'host' || lower === ':authority') && value !== '') return value;
  }
  return undefined;
}
