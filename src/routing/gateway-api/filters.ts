import type {
  HttpPathModifier,
  HttpRequestMirrorFilter,
  HttpRequestRedirectFilter,
  HttpRouteFilter,
} from '../../config/gateway-api/types.ts';
import { NO_HEADER_OPS } from '../table.ts';
import type { CorsPolicy, HeaderOps, Mirror, RedirectAction, Rewrite } from '../table.ts';
import { compileCorsFilter } from './cors-filter.ts';
import { compileHeaderFilter } from './header-filter.ts';
import { backendCluster, type RouteContext } from './route-context.ts';

/** What the filters of a rule, or of one of its backends, come to. */
export interface Filters {
  readonly requestHeaders: HeaderOps;
  readonly responseHeaders: HeaderOps;
  readonly host: string | undefined;
  readonly path: Rewrite['path'];
  readonly redirect: RedirectAction | undefined;
  readonly mirrors: readonly Mirror[];
  readonly cors: CorsPolicy | undefined;
}

const NO_FILTERS: Filters = {
  requestHeaders: NO_HEADER_OPS,
  responseHeaders: NO_HEADER_OPS,
  host: undefined,
  path: undefined,
  redirect: undefined,
  mirrors: [],
  cors: undefined,
};

export function compileFilters(context: RouteContext, filters: readonly HttpRouteFilter[] | undefined): Filters {
  if (filters === undefined || filters.length === 0) return NO_FILTERS;
  let requestHeaders = NO_HEADER_OPS;
  let responseHeaders = NO_HEADER_OPS;
  let headerHost: string | undefined;
  let rewriteHost: string | undefined;
  let path: Rewrite['path'];
  let redirect: RedirectAction | undefined;
  let cors: CorsPolicy | undefined;
  const mirrors: Mirror[] = [];
  for (const filter of filters) {
    const { requestHeaderModifier, responseHeaderModifier, requestMirror, requestRedirect, urlRewrite } = filter;
    if (requestHeaderModifier !== undefined) {
      const { ops, authority } = compileHeaderFilter(requestHeaderModifier);
      requestHeaders = ops;
      headerHost = authority;
    } else if (responseHeaderModifier !== undefined) {
      responseHeaders = compileHeaderFilter(responseHeaderModifier).ops;
    } else if (requestMirror !== undefined) {
      mirrors.push(...compileMirror(context, requestMirror));
    } else if (requestRedirect !== undefined) {
      redirect = compileRedirect(requestRedirect, context.port);
    } else if (urlRewrite !== undefined) {
      rewriteHost = urlRewrite.hostname;
      path = urlRewrite.path && replacement(urlRewrite.path);
    } else if (filter.cors !== undefined) {
      cors = compileCorsFilter(filter.cors);
    }
  }
  return { requestHeaders, responseHeaders, host: rewriteHost ?? headerHost, path, redirect, mirrors, cors };
}

/** The replacement of an empty prefix is a slash at least, which `replacePrefix` sees to. */
function replacement({ type, replaceFullPath = '/', replacePrefixMatch = '' }: HttpPathModifier): {
  readonly kind: 'full' | 'prefix';
  readonly value: string;
} {
  return type === 'ReplaceFullPath' ? { kind: 'full', value: replaceFullPath } : { kind: 'prefix', value: replacePrefixMatch };
}

/**
 * Without a port Location has the well-known one of a stated scheme, else the listener's (HTTPRequestRedirectFilter.port); `redirectLocation` leaves
 * out what is the scheme's default anyway.
 */
function compileRedirect(filter: HttpRequestRedirectFilter, listenerPort: number): RedirectAction {
  const { scheme, hostname, path, port, statusCode = 302 } = filter;
  return {
    kind: 'redirect',
    status: statusCode,
    ...(scheme === undefined ? {} : { scheme }),
    ...(hostname === undefined ? {} : { host: hostname }),
    port: port ?? (scheme === undefined ? listenerPort : 'protocolDefault'),
    ...(path === undefined ? {} : { path: replacement(path) }),
  };
}

/** Without `percent` and `fraction` everything is copied. */
function compileMirror(context: RouteContext, { backendRef, percent = 100, fraction }: HttpRequestMirrorFilter): readonly Mirror[] {
  const { numerator, denominator = 100 } = fraction ?? { numerator: percent };
  const perMillion = Math.min(Math.round((numerator / denominator) * 1_000_000), 1_000_000);
  if (perMillion === 0) return [];
  return [{ cluster: backendCluster(context, backendRef), perMillion, marksHost: false }];
}
