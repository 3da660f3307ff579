import type { GrpcMatch, GrpcMethodMatch, GrpcRoute } from '../../config/gateway-api/types.ts';
import { addedHeaders } from '../../config/overlay-routes.ts';
import type { UriMatch } from '../table.ts';
import { headerMatches } from './compile-http-route.ts';
import { quoteRegex } from './cors-filter.ts';
import type { RuleBlock } from './precedence.ts';
import { type RouteContext, rulePath, writtenIndex } from './route-context.ts';
import { compileRuleBody } from './rule-action.ts';

/** Every match block of a GRPCRoute, in the order in which they are written. */
export function compileGrpcRoute(context: RouteContext<GrpcRoute>): readonly RuleBlock[] {
  return (context.route.spec.rules ?? []).flatMap((rule, position) => {
    const index = writtenIndex(rule, position);
    const body = compileRuleBody(context, rule, index);
    const path = rulePath(index);
    const { matches = [] } = rule;
    if (matches.length === 0) return [block(body, {}, path)];
    return matches.map((match, at) => block(body, match, `${path}.matches[${at}]`));
  });
}

/** More characters of the service first, then of the method, then more headers (grpcroute_types.go, GRPCRouteRule.matches). */
function block(body: RuleBlock['body'], match: GrpcMatch, path: string): RuleBlock {
  const { method = {}, headers: written = [] } = match;
  const uri = methodPath(method);
  const headers = headerMatches(written);
  return {
    body,
    match: { path, ...(uri === undefined ? {} : { uri }), headers, queryParams: [] },
    specificity: [method.service?.length ?? 0, method.method?.length ?? 0, headers.length - addedHeaders(match)],
  };
}

/** A call's path is `/SERVICE/METHOD` (vector A35). Undefined: any. */
function methodPath({ type = 'Exact', service = '', method = '' }: GrpcMethodMatch): UriMatch | undefined {
  if (service === '' && method === '') return undefined;
  if (type === 'Exact') {
    if (method === '') return { kind: 'prefix', value: `/${service}/`, ignoreCase: false };
    if (service !== '') return { kind: 'exact', value: `/${service}/${method}`, ignoreCase: false };
    return { kind: 'regex', value: `/[^/]+/${quoteRegex(method)}`, ignoreCase: false };
  }
  return { kind: 'regex', value: `/${part(service)}/${part(method)}`, ignoreCase: false };
}

/** An alternative in one part must not reach into the other. */
function part(pattern: string): string {
  if (pattern === '') return '[^/]+';
  return pattern.includes('|') ? `(?:${pattern})` : pattern;
}
