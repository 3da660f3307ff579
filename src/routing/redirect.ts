import { splitAuthority } from './domain-index.ts';
import { replacePrefix, resolveDotSegments } from './rewrite.ts';
import type { RequestView } from './request-view.ts';
import type { RedirectAction, RouteMatch } from './table.ts';

/**
 * The Location of a redirect, always absolute.
 *
 * Host: the given one, else the request's. Port: the given one; `fromRequest`, the one in the Host or else the declared one of the listener;
 * `protocolDefault`, none. When nothing is said, a given host stands without port (vector A13), and the request's own host keeps its port while the
 * scheme stays but loses it when the scheme changes: Envoy would keep it, and send a browser that asked `http://a:8080` to speak TLS to port 8080.
 * `:80` and `:443` are left out where they are the scheme's default. The query is kept, unless the new path brings its own.
 *
 * The parts come from a request; the caller checks the result for characters that may not be in a header (P45).
 *
 * @param listenerPort  As declared in the Gateway; 0 for the mesh listener.
 */
export function redirectLocation(
  action: RedirectAction,
  match: RouteMatch,
  request: Pick<RequestView, 'scheme' | 'authority' | 'path' | 'query'>,
  listenerPort: number,
): string {
  const scheme = action.scheme ?? request.scheme;
  const own = splitAuthority(request.authority);
  const port = redirectPort(action, scheme, request.scheme, own.port, listenerPort);
  const defaultPort = scheme === 'https' ? '443' : '80';
  const host = action.host ?? own.host;
  const authority = port === '' || port === defaultPort ? host : `${host}:${port}`;
  const path = redirectPath(action, match, request.path);
  const query = request.query === '' || path.includes('?') ? '' : `?${request.query}`;
  return `${scheme}://${authority}${path}${query}`;
}

function redirectPort(action: RedirectAction, scheme: string, requestScheme: string, ownPort: string, listenerPort: number): string {
  switch (action.port) {
    case 'protocolDefault':
      return '';
    case 'fromRequest':
      return ownPort === '' && listenerPort !== 0 ? String(listenerPort) : ownPort;
    case undefined:
      return action.host === undefined && scheme === requestScheme ? ownPort : '';
    default:
      return String(action.port);
  }
}

function redirectPath(action: RedirectAction, match: RouteMatch, path: string): string {
  if (action.path === undefined) return path;
  if (action.path.kind === 'full') return action.path.value.startsWith('/') ? action.path.value : `/${action.path.value}`;
  return resolveDotSegments(replacePrefix(action.path.value, match.uri, path));
}
