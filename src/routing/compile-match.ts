import type { HttpMatchRequest, L4Match, StringMatch } from '../config/resources.ts';
import { MESH_GATEWAY, resolveGatewayName } from '../config/gateway-name.ts';
import type { Scope } from './scope.ts';
import type { HeaderMatch, QueryParamMatch, RouteMatch, UriMatch, ValueMatch } from './table.ts';

/**
 * One match block of a VirtualService, for one listener. What does not depend on the request (port, gateways, source workload) is settled here: a
 * block that can never hold on this listener says why (Istio route.go, TranslateRouteMatch and sourceMatchHTTP).
 */
export function compileMatch(match: HttpMatchRequest, path: string, namespace: string, scope: Scope): RouteMatch {
  const headers: HeaderMatch[] = [];
  for (const [name, value] of Object.entries(match.headers ?? {})) {
    if (!IGNORED_HEADER_KEYS.has(name) && !isClaim(name)) headers.push(headerMatch(name, value, false));
  }
  for (const [name, value] of Object.entries(match.withoutHeaders ?? {})) {
    if (!IGNORED_HEADER_KEYS.has(name) && !isClaim(name)) headers.push(headerMatch(name, value, true));
  }
  const queryParams = Object.entries(match.queryParams ?? {}).map(([name, value]) => queryMatch(name, value));
  const uri = match.uri === undefined ? undefined : uriMatch(match.uri, match.ignoreUriCase === true);
  const method = valueMatch(match.method);
  const scheme = valueMatch(match.scheme);
  const authority = valueMatch(match.authority);
  const never = whyNever(match, namespace, scope);
  return {
    path,
    ...(uri === undefined ? {} : { uri }),
    ...(scheme === undefined ? {} : { scheme }),
    ...(method === undefined ? {} : { method }),
    ...(authority === undefined ? {} : { authority }),
    headers,
    queryParams,
    ...(never === undefined ? {} : { never }),
  };
}

/** A rule without `match`. */
export function matchEverything(path: string): RouteMatch {
  return { path, headers: [], queryParams: [] };
}

/**
 * Takes every request: prefix `/` or regex `.*`, and nothing else asked (Istio IsCatchAllRoute). A prefix that is empty takes everything as well.
 */
export function isCatchAll(match: RouteMatch): boolean {
  const { uri } = match;
  const everyPath =
    uri === undefined ||
    (uri.kind === 'regex' && uri.value === '.*') ||
    ((uri.kind === 'prefix' || uri.kind === 'pathPrefix') && (uri.value === '/' || uri.value === ''));
  return (
    everyPath &&
    match.never === undefined &&
    match.method === undefined &&
    match.scheme === undefined &&
    match.authority === undefined &&
    match.headers.length === 0 &&
    match.queryParams.length === 0
  );
}

/** virtual_service.proto: "the keys `uri`, `scheme`, `method`, and `authority` will be ignored". */
const IGNORED_HEADER_KEYS: ReadonlySet<string> = new Set(['uri', 'scheme', 'method', 'authority']);

/** `@request.auth.claims.group` and `@request.auth.claims[group]`: about a token that nothing here has checked, so no claim is ever there. */
function isClaim(name: string): boolean {
  return name.startsWith('@request.auth.claims');
}

/** What is settled by where a block stands, whatever it is a block of. */
export function whyNeverHere(match: L4Match, namespace: string, scope: Scope): string | undefined {
  const { gateways = [], port } = match;
  if (gateways.length > 0 && !gateways.some((name) => scope.gateways.has(resolveGatewayName(name, namespace)))) {
    return `gateways: only for ${gateways.join(', ')}, and this is ${[...scope.gateways].join(', ')}`;
  }
  if (port !== undefined && port !== 0 && port !== scope.port) {
    return `port: only for ${port}, and this is ${scope.port}`;
  }
  const labels = Object.entries(match.sourceLabels ?? {});
  if (labels.length > 0) {
    return `sourceLabels: only for callers with ${labels.map(([key, value]) => `${key}=${value}`).join(',')}, and callers have no labels here`;
  }
  const { sourceNamespace = '' } = match;
  if (sourceNamespace !== '' && sourceNamespace !== scope.callers) {
    const who = scope.callers === undefined ? 'callers have no namespace here' : `these are of ${scope.callers}`;
    return `sourceNamespace: only for callers in ${sourceNamespace}, and ${who}`;
  }
  return undefined;
}

function whyNever(match: HttpMatchRequest, namespace: string, scope: Scope): string | undefined {
  const never = whyNeverHere(match, namespace, scope);
  if (never !== undefined) return never;
  const claim = Object.keys(match.headers ?? {}).find(isClaim);
  return claim === undefined ? undefined : `headers: ${claim} needs a validated JWT, and none is validated here`;
}

/** Absent, or Istio's own `regex: "*"` (which is no RE2): presence alone. */
function isPresence(value: StringMatch | undefined): boolean {
  return valueMatch(value) === undefined || value?.regex === '*';
}

/** A header that must not match may be missing; one that must not be present, must be (treat_missing_header_as_empty, route.go). */
function headerMatch(key: string, wanted: StringMatch | undefined, invert: boolean): HeaderMatch {
  const name = key.toLowerCase();
  const value = isPresence(wanted) ? undefined : valueMatch(wanted);
  return value === undefined ? { name, invert, missingIsEmpty: false } : { name, value, invert, missingIsEmpty: invert };
}

function queryMatch(name: string, wanted: StringMatch | undefined): QueryParamMatch {
  const value = isPresence(wanted) ? undefined : valueMatch(wanted);
  return value === undefined ? { name } : { name, value };
}

function uriMatch(uri: StringMatch, ignoreCase: boolean): UriMatch | undefined {
  const value = valueMatch(uri);
  return value === undefined ? undefined : { ...value, ignoreCase: ignoreCase && value.kind !== 'regex' };
}

export function valueMatch(match: StringMatch | undefined): ValueMatch | undefined {
  if (match?.exact !== undefined) return { kind: 'exact', value: match.exact };
  if (match?.prefix !== undefined) return { kind: 'prefix', value: match.prefix };
  if (match?.regex !== undefined) return { kind: 'regex', value: match.regex };
  return undefined;
}

/** Gateways a VirtualService is bound to; naming none means the mesh (virtual_service.proto `gateways`). */
export function boundGateways(gateways: readonly string[] | undefined, namespace: string): readonly string[] {
  if (gateways === undefined || gateways.length === 0) return [MESH_GATEWAY];
  return gateways.map((name) => resolveGatewayName(name, namespace));
}
