import { fullMatch } from './full-match.ts';
import { firstQueryValue } from './query-value.ts';
import { pathAndQuery } from './request-view.ts';
import type { RequestView } from './request-view.ts';
import type { HeaderMatch, QueryParamMatch, RouteMatch, UriMatch, ValueMatch } from './table.ts';

/**
 * The conditions of one match block, prepared: the only place where a condition is decided. `Matcher` asks `holds`, `explain` asks `holds`,
 * `expected` and `found`, so the two cannot disagree.
 *
 * Semantics: istio/api virtual_service.proto HTTPMatchRequest and Envoy config.route.v3 RouteMatch, HeaderMatcher, QueryParameterMatcher.
 */
export interface Condition {
  /** `uri`, `method`, `header end-user`, `query q`. */
  readonly what: string;
  /** For people: `exact "jason"`, `present`, `not prefix "x"`. */
  readonly expected: string;
  /**
   * Where the condition says that a value is one exact string: how to read the value, and the string. Lets an index find a block instead of
   * trying it; never set where a missing value could hold.
   */
  readonly key?: { readonly id: string; readonly value: string; readonly read: ReadValue };
  holds(request: RequestView): boolean;
  /** The value looked at; undefined when the request has none. */
  found(request: RequestView): string | undefined;
}

export type ReadValue = (request: RequestView) => string | undefined;

/** The path condition comes first: `RouteIndex` answers it by itself and leaves it out (see `skipsPath` there). */
export function prepareConditions(match: RouteMatch): readonly Condition[] {
  const conditions: Condition[] = [];
  if (match.uri !== undefined) conditions.push(uriCondition(match.uri));
  if (match.method !== undefined) conditions.push(valueCondition('method', (request) => request.method, match.method));
  if (match.scheme !== undefined) conditions.push(valueCondition('scheme', (request) => request.scheme, match.scheme));
  if (match.authority !== undefined) conditions.push(valueCondition('authority', (request) => request.authority, match.authority));
  for (const header of match.headers) conditions.push(headerCondition(header));
  for (const param of match.queryParams) conditions.push(queryCondition(param));
  return conditions;
}

function uriCondition(uri: UriMatch): Condition {
  const suffix = uri.ignoreCase && uri.kind !== 'regex' ? ' ignoring case' : '';
  const holdsFor = pathTest(uri);
  return {
    what: 'uri',
    expected: `${describeKind(uri.kind)} ${JSON.stringify(uri.value)}${suffix}`,
    holds: (request) => holdsFor(request.path),
    found: (request) => request.path,
  };
}

function pathTest(uri: UriMatch): (path: string) => boolean {
  if (uri.kind === 'regex') return fullMatch(uri.value);
  const value = uri.ignoreCase ? lowerAscii(uri.value) : uri.value;
  const same = (path: string): string => (uri.ignoreCase ? lowerAscii(path) : path);
  if (uri.kind === 'exact') return (path) => path.length === value.length && same(path) === value;
  if (uri.kind === 'prefix') return (path) => path.length >= value.length && same(path).startsWith(value);
  const stem = value.endsWith('/') ? value.slice(0, -1) : value;
  return (path) => same(path).startsWith(stem) && (path.length === stem.length || path.charCodeAt(stem.length) === SLASH);
}

const SLASH = 0x2f;

function describeKind(kind: UriMatch['kind']): string {
  return kind === 'pathPrefix' ? 'path prefix' : kind;
}

/** Envoy folds ASCII only; JavaScript's own folding would also touch Latin-1 letters, which are raw bytes here. */
export function lowerAscii(text: string): string {
  return /[A-Z]/.test(text) ? text.replace(/[A-Z]+/g, (run) => run.toLowerCase()) : text;
}

function valueCondition(what: string, read: (request: RequestView) => string, value: ValueMatch): Condition {
  const test = valueTest(value);
  return {
    what,
    expected: describeValue(value),
    ...(value.kind === 'exact' ? { key: { id: what, value: value.value, read } } : {}),
    holds: (request) => test(read(request)),
    found: read,
  };
}

/**
 * A missing header never matches, not even inverted, unless it counts as empty (HeaderMatcher.treat_missing_header_as_empty) or the condition is
 * about presence itself.
 */
function headerCondition(header: HeaderMatch): Condition {
  const read = headerReader(header.name);
  const what = `header ${header.name}`;
  const { value, invert, missingIsEmpty } = header;
  if (value === undefined) {
    return { what, expected: invert ? 'absent' : 'present', holds: (request) => (read(request) === undefined) === invert, found: read };
  }
  const test = valueTest(value);
  return {
    what,
    expected: `${invert ? 'not ' : ''}${describeValue(value)}`,
    ...(value.kind === 'exact' && !invert && !missingIsEmpty ? { key: { id: what, value: value.value, read } } : {}),
    holds: (request) => {
      const found = read(request) ?? (missingIsEmpty ? '' : undefined);
      return found !== undefined && test(found) !== invert;
    },
    found: read,
  };
}

function headerReader(name: string): ReadValue {
  switch (name) {
    case ':method':
      return (request) => request.method;
    case ':scheme':
      return (request) => request.scheme;
    case ':authority':
    case 'host':
      return (request) => request.authority;
    case ':path':
      return pathAndQuery;
    default:
      return (request) => request.header(name);
  }
}

function queryCondition(param: QueryParamMatch): Condition {
  const { name, value } = param;
  const what = `query ${name}`;
  const read: ReadValue = (request) => firstQueryValue(request.query, name);
  if (value === undefined) return { what, expected: 'present', holds: (request) => read(request) !== undefined, found: read };
  const test = valueTest(value);
  return {
    what,
    expected: describeValue(value),
    ...(value.kind === 'exact' ? { key: { id: what, value: value.value, read } } : {}),
    holds: (request) => {
      const found = read(request);
      return found !== undefined && test(found);
    },
    found: read,
  };
}

export function valueTest(match: ValueMatch): (value: string) => boolean {
  const expected = match.value;
  if (match.kind === 'exact') return (value) => value === expected;
  return match.kind === 'prefix' ? (value) => value.startsWith(expected) : fullMatch(expected);
}

export function describeValue(match: ValueMatch): string {
  return `${match.kind} ${JSON.stringify(match.value)}`;
}
