import type {
  GatewayApiHttpMatch,
  GatewayApiHttpRoute,
  GatewayApiPathMatch,
  GatewayApiValueMatch,
} from '../../config/gateway-api/types.ts';
import { addedHeaders } from '../../config/overlay-routes.ts';
import type { HeaderMatch, QueryParamMatch, RouteMatch, UriMatch, ValueMatch } from '../table.ts';
import type { RuleBlock } from './precedence.ts';
import { type RouteContext, rulePath, writtenIndex } from './route-context.ts';
import { compileRuleBody } from './rule-action.ts';

/** Every match block of an HTTPRoute, in the order in which they are written. */
export function compileHttpRoute(context: RouteContext<GatewayApiHttpRoute>): readonly RuleBlock[] {
  return (context.route.spec.rules ?? []).flatMap((rule, position) => {
    const index = writtenIndex(rule, position);
    const body = compileRuleBody(context, rule, index);
    const path = rulePath(index);
    const { matches = [] } = rule;
    if (matches.length === 0) return [block(body, {}, path)];
    return matches.map((match, at) => block(body, match, `${path}.matches[${at}]`));
  });
}

function block(body: RuleBlock['body'], match: GatewayApiHttpMatch, path: string): RuleBlock {
  const uri = uriMatch(match.path ?? {});
  const headers = headerMatches(match.headers ?? []);
  const queryParams = queryMatches(match.queryParams ?? []);
  const { method } = match;
  const compiled: RouteMatch = {
    path,
    uri,
    ...(method === undefined ? {} : { method: { kind: 'exact', value: method } }),
    headers,
    queryParams,
  };
  return {
    body,
    match: compiled,
    specificity: [...pathSpecificity(uri), method === undefined ? 0 : 1, headers.length - addedHeaders(match), queryParams.length],
  };
}

/**
 * The first two numbers of a match's specificity, for whoever has to know the order without compiling: its kind of path, and how long it is.
 *
 * Where regular expressions come is left to implementations. They come after prefixes, as in Istio (getURIRank), but before `/`, which is no condition: behind
 * it nobody would ever get to them.
 */
export function pathSpecificity(uri: UriMatch): readonly [rank: number, length: number] {
  const length = pathLength(uri);
  if (uri.kind === 'exact') return [3, length];
  if (uri.kind === 'regex') return [1, length];
  return [length === 0 ? 0 : 2, length];
}

/** `/a/` is the prefix `/a`. */
function pathLength({ kind, value }: UriMatch): number {
  return kind === 'pathPrefix' && value.endsWith('/') ? value.length - 1 : value.length;
}

export function uriMatch({ type = 'PathPrefix', value = '/' }: GatewayApiPathMatch): UriMatch {
  return { kind: type === 'Exact' ? 'exact' : type === 'PathPrefix' ? 'pathPrefix' : 'regex', value, ignoreCase: false };
}

/** Of conditions on one header the first counts (HTTPHeaderMatch.name). */
export function headerMatches(matches: readonly GatewayApiValueMatch[]): readonly HeaderMatch[] {
  return firstOfEach(matches, (name) => name.toLowerCase()).map(({ name, value }): HeaderMatch => ({
    name,
    value,
    invert: false,
    missingIsEmpty: false,
  }));
}

/** Names are compared as they are, and the first of each counts as well (HTTPQueryParamMatch.name). */
function queryMatches(matches: readonly GatewayApiValueMatch[]): readonly QueryParamMatch[] {
  return firstOfEach(matches, (name) => name);
}

interface NamedValue {
  readonly name: string;
  readonly value: ValueMatch;
}

function firstOfEach(matches: readonly GatewayApiValueMatch[], spell: (name: string) => string): readonly NamedValue[] {
  if (matches.length === 0) return [];
  const found = new Map<string, NamedValue>();
  for (const { name: written, type, value } of matches) {
    const name = spell(written);
    if (!found.has(name)) found.set(name, { name, value: { kind: type === 'RegularExpression' ? 'regex' : 'exact', value } });
  }
  return [...found.values()];
}
