/**
 * What Serin cannot do for a rule of a route, which both who says so (`attach`) and who compiles the rule have to know.
 *
 * A filter that cannot be applied is never skipped: its requests get 500, calls of a GRPCRoute UNAVAILABLE. A rule whose conditions cannot be told is
 * dropped, for nobody knows what it would match.
 */
import type {
  GatewayApiHttpMatch,
  GatewayApiHttpRule,
  GatewayApiValueMatch,
  GrpcMethodMatch,
  GrpcRule,
  HttpRouteFilter,
} from '../../config/gateway-api/types.ts';
import { fullMatch } from '../full-match.ts';

export type Rule = GatewayApiHttpRule | GrpcRule;
type Filter = Pick<HttpRouteFilter, 'extensionRef'> & { readonly type: string };

const SUPPORTED_FILTERS: ReadonlySet<string> = new Set([
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestMirror',
  'RequestRedirect',
  'URLRewrite',
  'CORS',
] satisfies HttpRouteFilter['type'][]);

export interface UnsupportedFilter {
  readonly index: number;
  /** `InvalidKind` of the condition ResolvedRefs for an extensionRef, else `UnsupportedValue` of Accepted. */
  readonly reason: 'InvalidKind' | 'UnsupportedValue';
  readonly message: string;
}

/** The first filter of a rule, or of a backendRef, that cannot be applied: requests that go by it are refused. */
export function unsupportedFilter({ filters }: { readonly filters?: readonly Filter[] }): UnsupportedFilter | undefined {
  if (filters === undefined) return undefined;
  for (const [index, { type, extensionRef }] of filters.entries()) {
    if (SUPPORTED_FILTERS.has(type)) continue;
    if (type === 'ExtensionRef') {
      const what = extensionRef === undefined ? 'nothing' : `${extensionRef.group} ${extensionRef.kind} ${extensionRef.name}`;
      return { index, reason: 'InvalidKind', message: `no extension is known here, and filter ${index} refers to ${what}` };
    }
    return { index, reason: 'UnsupportedValue', message: `filter ${index} is of type ${type}, which is not supported` };
  }
  return undefined;
}

export interface DroppedRule {
  readonly reason: 'UnsupportedValue' | 'IncompatibleFilters';
  readonly message: string;
}

/** Why a rule is not served at all. */
export function droppedRule(rule: Rule): DroppedRule | undefined {
  const types = new Set<string>((rule.filters ?? []).map(({ type }) => type));
  if (types.has('RequestRedirect') && types.has('URLRewrite')) {
    return { reason: 'IncompatibleFilters', message: 'RequestRedirect and URLRewrite exclude each other' };
  }
  for (const [index, match] of (rule.matches ?? []).entries()) {
    const message = matchProblem(match);
    if (message !== undefined) return { reason: 'UnsupportedValue', message: `match ${index}: ${message}` };
  }
  return undefined;
}

const VALUE_TYPES = new Set(['Exact', 'RegularExpression']);
const PATH_TYPES = new Set(['Exact', 'PathPrefix', 'RegularExpression']);

/** Of either kind of route: what only the other one has is absent. */
type AnyMatch = Pick<GatewayApiHttpMatch, 'path' | 'headers' | 'queryParams'> & { readonly method?: string | GrpcMethodMatch };

function matchProblem({ path, method, headers, queryParams }: AnyMatch): string | undefined {
  if (path !== undefined) {
    const problem = valueProblem('path', path.type ?? 'PathPrefix', path.value ?? '/', PATH_TYPES);
    if (problem !== undefined) return problem;
  }
  if (typeof method === 'object') {
    for (const value of [method.service, method.method]) {
      const problem = valueProblem('method', method.type ?? 'Exact', value ?? '', VALUE_TYPES);
      if (problem !== undefined) return problem;
    }
  }
  return valuesProblem('header', headers) ?? valuesProblem('query parameter', queryParams);
}

function valuesProblem(what: string, values: readonly GatewayApiValueMatch[] | undefined): string | undefined {
  if (values === undefined) return undefined;
  for (const { type = 'Exact', name, value } of values) {
    const problem = valueProblem(`${what} ${name}`, type, value, VALUE_TYPES);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function valueProblem(what: string, type: string, value: string, types: ReadonlySet<string>): string | undefined {
  if (!types.has(type)) return `${what} is matched by ${type}, which is not supported`;
  if (type !== 'RegularExpression') return undefined;
  try {
    fullMatch(value)('');
    return undefined;
  } catch (failure) {
    return `${what} is no regular expression of RE2: ${failure instanceof Error ? failure.message : String(failure)}`;
  }
}
