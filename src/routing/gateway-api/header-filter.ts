import type { HttpHeader, HttpHeaderFilter } from '../../config/gateway-api/types.ts';
import type { CompiledHeaders } from '../compile-headers.ts';
import { NO_HEADER_OPS } from '../table.ts';
import type { HeaderOps, HeaderValue } from '../table.ts';

/**
 * Values are what is sent, to the letter: `%` is no operator here. To set Host is to rewrite it, as in Istio.
 *
 * Of entries of one name the first counts, whatever its case (httproute_types.go, HTTPHeader).
 */
export function compileHeaderFilter({ set = [], add = [], remove = [] }: HttpHeaderFilter): CompiledHeaders {
  const host = [...set, ...add].find(({ name }) => isHost(name))?.value;
  const ops = {
    remove: remove.filter((name) => !isHost(name)).map((name) => name.toLowerCase()),
    set: firstOfEach(set).map(({ name, value }): HeaderValue => ({ name: name.toLowerCase(), value: [value] })),
    add: firstOfEach(add).map(({ name, value }): HeaderValue => ({ name, value: [value] })),
  };
  const isEmpty = ops.remove.length === 0 && ops.set.length === 0 && ops.add.length === 0;
  return { ops: isEmpty ? NO_HEADER_OPS : ops, ...(host === undefined ? {} : { authority: host }) };
}

function firstOfEach(headers: readonly HttpHeader[]): readonly HttpHeader[] {
  const seen = new Set<string>();
  return headers.filter(({ name }) => {
    const lower = name.toLowerCase();
    if (isHost(lower) || seen.has(lower)) return false;
    seen.add(lower);
    return true;
  });
}

function isHost(name: string): boolean {
  return name.toLowerCase() === 'host';
}

/** Whether it matters which of the two runs first. */
export function shareNames(a: HeaderOps, b: HeaderOps): boolean {
  const names = new Set(namesIn(a));
  return namesIn(b).some((name) => names.has(name));
}

function namesIn({ remove, set, add }: HeaderOps): readonly string[] {
  return [...remove, ...set.map(({ name }) => name), ...add.map(({ name }) => name.toLowerCase())];
}

/** One set of operations that does what `first` and then `second` would. */
export function thenOps(first: HeaderOps, second: HeaderOps): HeaderOps {
  const gone = new Set([...second.remove, ...second.set.map(({ name }) => name)]);
  const stays = ({ name }: HeaderValue): boolean => !gone.has(name.toLowerCase());
  return {
    remove: [...new Set([...first.remove, ...second.remove, ...first.set.filter((header) => !stays(header)).map(({ name }) => name)])],
    set: [...first.set.filter(stays), ...second.set],
    add: [...first.add.filter(stays), ...second.add],
  };
}
