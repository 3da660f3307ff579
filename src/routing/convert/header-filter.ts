/**
 * Header operations of a VirtualService as the Gateway API has them: at most one for each name, with literal values. Istio's run as remove, set, add, each for as
 * many values as there are, and values may hold Envoy's operators.
 */
import type { HttpHeader, HttpHeaderFilter } from '../../config/gateway-api/types.ts';
import type { HeaderOps, HeaderValue } from '../table.ts';

export interface ConvertedHeaders {
  /** Absent where nothing is to do. */
  readonly filter?: HttpHeaderFilter;
  /** Headers whose value is made of the request or the answer. */
  readonly dynamic: readonly string[];
  /** Headers of which one line is sent in place of several. */
  readonly joined: readonly string[];
}

/** Most entries of each list (httproute_types.go, HTTPHeaderFilter). */
export const MOST_OPERATIONS = 16;

interface Operation {
  /** As it is written. */
  readonly name: string;
  readonly isSet: boolean;
  readonly values: readonly string[];
}

export function convertHeaders({ remove, set, add }: HeaderOps): ConvertedHeaders {
  const dynamic: string[] = [];
  const joined: string[] = [];
  const operations = new Map<string, Operation>();
  const removed = new Set(remove);
  const literals = (headers: readonly HeaderValue[]): readonly HttpHeader[] =>
    headers.flatMap(({ name, value }) => {
      const literal = value.filter((part) => typeof part === 'string');
      if (literal.length < value.length) {
        dynamic.push(name);
        return [];
      }
      const text = literal.join('');
      // A value that comes out empty leaves the header alone.
      return text === '' ? [] : [{ name, value: text }];
    });
  for (const { name, value } of literals(set)) operations.set(name.toLowerCase(), { name, isSet: true, values: [value] });
  for (const { name, value } of literals(add)) {
    const lower = name.toLowerCase();
    const known = operations.get(lower);
    // What is removed first and then added is set.
    if (known === undefined) operations.set(lower, { name, isSet: removed.has(lower), values: [value] });
    else operations.set(lower, { ...known, values: [...known.values, value] });
  }
  for (const { name, values } of operations.values()) if (values.length > 1) joined.push(name);
  const header = ({ name, values }: Operation): HttpHeader => ({ name, value: values.join(', ') });
  const all = [...operations.values()];
  const sets = all.filter(({ isSet }) => isSet).map(header);
  const adds = all.filter(({ isSet }) => !isSet).map(header);
  const removes = [...removed].filter((name) => !operations.has(name));
  const filter = {
    ...(sets.length === 0 ? {} : { set: sets }),
    ...(adds.length === 0 ? {} : { add: adds }),
    ...(removes.length === 0 ? {} : { remove: removes }),
  };
  return { ...(Object.keys(filter).length === 0 ? {} : { filter }), dynamic, joined };
}

/** Of several destinations Istio's own operations run first and the rule's after them; a filter of a backend runs last. So what both touch moves to the backends. */
export function layered(
  rule: HeaderOps,
  destinations: readonly HeaderOps[],
): { readonly rule: HeaderOps; readonly destinations: readonly HeaderOps[] } {
  const touched = new Set(destinations.flatMap(namesIn));
  const shared = namesIn(rule).filter((name) => touched.has(name));
  if (shared.length === 0) return { rule, destinations };
  const moved = only(rule, (name) => shared.includes(name));
  return { rule: only(rule, (name) => !shared.includes(name)), destinations: destinations.map((own) => inOrder(own, moved)) };
}

function namesIn({ remove, set, add }: HeaderOps): readonly string[] {
  return [...remove, ...set.map(({ name }) => name), ...add.map(({ name }) => name.toLowerCase())];
}

function only({ remove, set, add }: HeaderOps, isWanted: (name: string) => boolean): HeaderOps {
  return {
    remove: remove.filter(isWanted),
    set: set.filter(({ name }) => isWanted(name)),
    add: add.filter(({ name }) => isWanted(name.toLowerCase())),
  };
}

/** One set of operations that does what `first` and then `second` would. */
function inOrder(first: HeaderOps, second: HeaderOps): HeaderOps {
  const gone = new Set([...second.remove, ...second.set.map(({ name }) => name)]);
  const kept = only(first, (name) => !gone.has(name));
  return { remove: [...kept.remove, ...second.remove], set: [...kept.set, ...second.set], add: [...kept.add, ...second.add] };
}
