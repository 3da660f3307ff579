/** Redirects, and what becomes of a path, in Envoy's terms. */
import type { Listener, RedirectAction, Rewrite, UriMatch } from '../routing/table.ts';
import { type Message, present } from './message.ts';

const RESPONSE_CODES: Readonly<Record<number, string>> = {
  301: 'MOVED_PERMANENTLY',
  302: 'FOUND',
  303: 'SEE_OTHER',
  307: 'TEMPORARY_REDIRECT',
  308: 'PERMANENT_REDIRECT',
};

/** config.route.v3 RedirectAction. */
export function redirectAction(redirect: RedirectAction, uri: UriMatch | undefined, listener: Listener): Message {
  const { status, scheme, host, path } = redirect;
  return present({
    scheme_redirect: scheme,
    host_redirect: host,
    port_redirect: redirectPort(redirect, listener),
    response_code: RESPONSE_CODES[status],
    ...(path?.kind === 'full' ? { path_redirect: path.value.startsWith('/') ? path.value : `/${path.value}` } : {}),
    ...(path?.kind === 'prefix' ? prefixRewrite(path.value, uri) : {}),
  });
}

/** Envoy keeps the port of the request's own Host, and has none behind a host that is given. */
function redirectPort({ scheme, host, port }: RedirectAction, listener: Listener): number | undefined {
  if (typeof port === 'number') return port;
  const isSecure = (scheme ?? (listener.tls === undefined ? 'http' : 'https')) === 'https';
  if (port === 'protocolDefault' && host === undefined) return isSecure ? 443 : 80;
  return port === 'fromRequest' && host !== undefined && listener.port !== 0 ? listener.port : undefined;
}

/** Of RouteAction. */
export function pathRewrite(path: NonNullable<Rewrite['path']>, uri: UriMatch | undefined): Message {
  switch (path.kind) {
    case 'prefix':
      return prefixRewrite(path.value, uri);
    case 'full':
      return { regex_rewrite: { pattern: { regex: '^.*$' }, substitution: literal(path.value) } };
    case 'regex':
      return { regex_rewrite: { pattern: { regex: path.match }, substitution: path.rewrite } };
  }
}

/**
 * Both replace the characters that an exact, prefix or regex match took. A prefix by elements (Gateway API) is replaced by elements, so that no slash is doubled or
 * lost where it meets the rest.
 */
function prefixRewrite(value: string, uri: UriMatch | undefined): Message {
  if (uri?.kind !== 'pathPrefix') return { prefix_rewrite: value };
  const taken = uri.value.endsWith('/') ? uri.value.slice(0, -1) : uri.value;
  const kept = value.endsWith('/') ? value.slice(0, -1) : value;
  const ignoreCase = uri.ignoreCase ? '(?i)' : '';
  return { regex_rewrite: { pattern: { regex: `^${ignoreCase}${escaped(taken)}/?(.*)$` }, substitution: `${literal(kept)}/\\1` } };
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

function literal(text: string): string {
  return text.replaceAll('\\', '\\\\');
}
