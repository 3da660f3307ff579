/**
 * A match block of a VirtualService as matches of an HTTPRoute. Conditions whose form the Gateway API lacks become regular expressions that hold for the same
 * requests; a block that asks for what has no form at all has no equivalent, since without that condition it would take more requests than before.
 */
import type { GatewayApiHttpMatch, GatewayApiPathMatch, GatewayApiValueMatch } from '../../config/gateway-api/types.ts';
import type { RouteMatch, UriMatch, ValueMatch } from '../table.ts';
import { exactRegex, ignoringCase, prefixRegex } from './regex-text.ts';

export type ConvertedMatch =
  | {
      readonly kind: 'matches';
      /** Several where one condition allows several methods. */
      readonly matches: readonly GatewayApiHttpMatch[];
      /** Which paths are taken that were not, or the other way round; in words. */
      readonly paths: readonly { readonly message: string; readonly hint: string }[];
    }
  /** `field` has no equivalent. */
  | { readonly kind: 'none'; readonly field: string; readonly reason: string };

/** @param match As it is compiled: what is settled by where the rule stands is none of this. */
export function convertMatch(match: RouteMatch): ConvertedMatch {
  const missing = withoutEquivalent(match);
  if (missing !== undefined) return { kind: 'none', ...missing };
  const path = convertPath(match.uri);
  const methods = methodsOf(match.method);
  if (methods === undefined) return { kind: 'none', field: 'method', reason: 'a method can only be named' };
  const headers = match.headers.map(({ name, value }) => convertValue(name, value));
  const queryParams = match.queryParams.map(({ name, value }) => convertValue(name, value));
  const common = {
    ...(path.match === undefined ? {} : { path: path.match }),
    ...(headers.length === 0 ? {} : { headers }),
    ...(queryParams.length === 0 ? {} : { queryParams }),
  };
  const matches = methods.length === 0 ? [common] : methods.map((method) => ({ ...common, method }));
  return { kind: 'matches', matches, paths: path.changes };
}

/** Of HTTPHeaderName, and of names of query parameters. */
const NAME = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}$/;
const MOST_CONDITIONS = 16;
const LONGEST_PATH = 1024;

function withoutEquivalent({
  scheme,
  authority,
  headers,
  queryParams,
  uri,
}: RouteMatch): { readonly field: string; readonly reason: string } | undefined {
  if (scheme !== undefined) return { field: 'scheme', reason: 'routes are for listeners, not for schemes' };
  if (authority !== undefined) return { field: 'authority', reason: 'hostnames are those of the whole route' };
  const without = headers.find(({ invert }) => invert);
  if (without !== undefined) {
    const { name, value } = without;
    return {
      field: 'withoutHeaders',
      reason: `nothing can ask that ${name} ${value === undefined ? 'is not there' : 'has another value'}`,
    };
  }
  for (const [field, conditions] of [['headers', headers] as const, ['queryParams', queryParams] as const]) {
    const odd = conditions.find(({ name }) => !NAME.test(name));
    if (odd !== undefined) return { field, reason: `${odd.name} is no name that can be asked for` };
    if (conditions.length > MOST_CONDITIONS)
      return { field, reason: `there may be ${MOST_CONDITIONS} at most, found ${conditions.length}` };
  }
  const length = convertPath(uri).match?.value?.length ?? 0;
  return length > LONGEST_PATH ? { field: 'uri', reason: `it may have ${LONGEST_PATH} characters, found ${length}` } : undefined;
}

/** Present, exact, prefix or regex: the last three as they are, where need be as a regular expression. */
function convertValue(name: string, value: ValueMatch | undefined): GatewayApiValueMatch {
  if (value?.kind === 'exact' && value.value !== '') return { name, value: value.value };
  return { type: 'RegularExpression', name, value: value === undefined ? '.*' : patternOf(value) };
}

function patternOf({ kind, value }: ValueMatch): string {
  return kind === 'exact' ? exactRegex(value) : kind === 'prefix' ? prefixRegex(value) : value;
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH']);
const ALTERNATIVES = /^(?:\(([A-Z|]+)\)|([A-Z|]+))$/;

/** Empty: any. Undefined: it cannot be said. `GET|HEAD` is two of them. */
function methodsOf(method: ValueMatch | undefined): readonly string[] | undefined {
  if (method === undefined) return [];
  const { kind, value } = method;
  const alternatives =
    kind === 'exact' ? [value] : kind === 'regex' ? ALTERNATIVES.exec(value)?.slice(1).find(Boolean)?.split('|') : undefined;
  return alternatives?.every((name) => METHODS.has(name)) === true ? alternatives : undefined;
}

/** Of Exact and PathPrefix (httproute_types.go, HTTPPathMatch). */
const PATH_TEXT = /^\/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*$/;
const NOT_IN_PATHS = /\/\/|\/\.\/|\/\.\.\/|%2f|%2F|#|\/\.$|\/\.\.$/;

/** Whether a path may stand in an Exact or PathPrefix match. */
function isPlainPath(path: string): boolean {
  return PATH_TEXT.test(path) && !NOT_IN_PATHS.test(path);
}

interface ConvertedPath {
  /** Undefined: any. */
  readonly match: GatewayApiPathMatch | undefined;
  readonly changes: readonly { readonly message: string; readonly hint: string }[];
}

function convertPath(uri: UriMatch | undefined): ConvertedPath {
  const same = (match: GatewayApiPathMatch | undefined): ConvertedPath => ({ match, changes: [] });
  if (uri === undefined) return same(undefined);
  const { kind, value } = uri;
  if (kind === 'regex') return same(value === '.*' ? undefined : { type: 'RegularExpression', value });
  const open = kind === 'exact' ? '' : '.*';
  if (open !== '' && (value === '/' || value === '')) return same(undefined);
  if (uri.ignoreCase && /[a-z]/i.test(value)) return same({ type: 'RegularExpression', value: ignoringCase(value) + open });
  if (!isPlainPath(value)) return same({ type: 'RegularExpression', value: exactRegex(value) + open });
  return kind === 'exact' ? same({ type: 'Exact', value }) : { match: { type: 'PathPrefix', value }, changes: [elementChange(value)] };
}

/** What a prefix of the text and one of elements disagree on. */
function elementChange(prefix: string): { readonly message: string; readonly hint: string } {
  const exactly = `a match of type RegularExpression with the value ${prefixRegex(prefix)} takes what was taken before`;
  if (!prefix.endsWith('/')) {
    return { message: `paths that go on after ${prefix} without a slash, such as ${prefix}x, are not taken any more`, hint: exactly };
  }
  return { message: `${prefix.slice(0, -1)} is taken as well: a trailing slash says nothing in a PathPrefix`, hint: exactly };
}
