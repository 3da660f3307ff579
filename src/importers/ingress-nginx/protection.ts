/**
 * What closes an Ingress to some: authentication, addresses that may ask, a firewall. Serin has nothing of the kind, so a path that was closed is
 * written without a backend: it answers 500, and no other route of the host gets its requests. What was closed is never opened by an import.
 */
import type { Annotations } from './ingress.ts';

/** By annotation: what it does. */
const CLOSING: Readonly<Record<string, string>> = {
  'auth-type': 'asks for a password',
  'auth-url': 'asks another service who may pass',
  'auth-tls-secret': 'asks for a client certificate',
  'whitelist-source-range': 'lets some addresses pass only',
  'allowlist-source-range': 'lets some addresses pass only',
  'denylist-source-range': 'keeps some addresses out',
  'enable-modsecurity': 'puts a firewall before the service',
  'modsecurity-snippet': 'puts a firewall before the service',
};

/** Belong to those above, and mean nothing alone. */
export const COMPANIONS: ReadonlySet<string> = new Set([
  'auth-secret',
  'auth-secret-type',
  'auth-realm',
  'auth-method',
  'auth-signin',
  'auth-signin-redirect-param',
  'auth-response-headers',
  'auth-request-redirect',
  'auth-cache-key',
  'auth-cache-duration',
  'auth-keepalive',
  'auth-keepalive-share-vars',
  'auth-keepalive-requests',
  'auth-keepalive-timeout',
  'auth-proxy-set-headers',
  'auth-snippet',
  'auth-always-set-cookie',
  'auth-tls-verify-depth',
  'auth-tls-verify-client',
  'auth-tls-error-page',
  'auth-tls-pass-certificate-to-upstream',
  'auth-tls-match-cn',
  'satisfy',
  'enable-owasp-core-rules',
  'modsecurity-transaction-id',
]);

const SNIPPETS = ['configuration-snippet', 'server-snippet', 'stream-snippet'];
/** nginx asks them of all paths of a host, whichever Ingress they are of. */
const OF_HOST: ReadonlySet<string> = new Set(['auth-tls-secret', 'server-snippet']);

/** Whom an Ingress keeps somebody out of: nothing, its own paths, or all paths of its hosts. */
export type Closed = 'open' | 'paths' | 'hosts';
/** Directives of nginx that keep somebody out. */
const CLOSING_DIRECTIVE =
  /\b(?:deny|allow|auth_\w+|satisfy|return\s+4\d\d|access_by_lua\w*|limit_\w+|internal|secure_link\w*|valid_referers|modsecurity\w*)\b/;

/** Says all of it. */
export function reportProtection(annotations: Annotations): Closed {
  let closed: Closed = 'open';
  const close = (name: string): void => {
    closed = OF_HOST.has(name) || closed === 'hosts' ? 'hosts' : 'paths';
  };
  for (const [name, does] of Object.entries(CLOSING)) {
    const field = annotations.field(name);
    if (!field.isThere) continue;
    const value = annotations.text(name) ?? '';
    if (name === 'enable-modsecurity' && value !== 'true') continue;
    if (name === 'auth-tls-secret' && annotations.text('auth-tls-verify-client') === 'off') {
      field.noEquivalent('client certificates are not asked for here; nginx did not verify them either (auth-tls-verify-client is off)');
      continue;
    }
    close(name);
    field.error(
      'E_IMPORT_CLOSED',
      `${name} ${does}, and Serin does not: the paths of this Ingress answer 500 instead of being open to everybody`,
      'let the service itself or a proxy before Serin do it, then write the backends in by hand',
    );
  }
  for (const name of SNIPPETS) {
    const field = annotations.field(name);
    if (!field.isThere) continue;
    if (!CLOSING_DIRECTIVE.test(annotations.text(name) ?? '')) {
      field.noEquivalent(
        'directives of nginx mean nothing here',
        'look what each does: headers, redirects and rewrites are filters of an HTTPRoute',
      );
      continue;
    }
    close(name);
    field.error(
      'E_IMPORT_CLOSED',
      `the ${name} seems to keep somebody out: the paths of this Ingress answer 500 instead of being open to everybody`,
      'let the service itself or a proxy before Serin do it, then write the backends in by hand',
    );
  }
  return closed;
}
