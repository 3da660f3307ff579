/**
 * What stands before every handler of the admin API, in this order:
 *
 * 1. the Host must be a loopback name: a page whose name was made to resolve to 127.0.0.1 (DNS rebinding) is refused;
 * 2. the path is taken as written: nothing is decoded or resolved into another path;
 * 3. a request that may change something must not come from another site (Origin, Fetch Metadata);
 * 4. everything under /api/ needs the bearer token, also on loopback;
 * 5. a body must be declared as JSON, which no HTML form can do.
 *
 * OWASP Cross-Site Request Forgery Prevention Cheat Sheet, Fetch Metadata; RFC 6750 for the bearer token.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isLoopback } from './loopback.ts';
import { ProblemError } from './problem.ts';

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

export interface GuardedRequest {
  readonly method: string;
  /** As received: path and query. */
  readonly target: string;
  header(name: string): string | undefined;
}

/** @param tokenDigest SHA-256 of the token. @throws ProblemError */
export function guard(request: GuardedRequest, tokenDigest: Buffer): void {
  checkHost(request.header('host'));
  const path = checkPath(request.target);
  const isMutation = !SAFE_METHODS.has(request.method);
  if (isMutation) checkSameSite(request);
  if (path === '/api' || path.startsWith('/api/')) checkToken(request.header('authorization'), tokenDigest);
  if (isMutation) checkContentType(request);
}

export function tokenDigestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function checkHost(host: string | undefined): void {
  const name = /^(?<name>\[[0-9a-fA-F:]+\]|[^:\s]+)(?::\d{1,5})?$/.exec(host ?? '')?.groups?.['name'];
  if (name !== undefined && isLoopback(name)) return;
  throw new ProblemError(403, 'E_ADMIN_HOST', 'the admin API answers only for localhost, 127.0.0.1 and [::1]', {
    hint: 'ask for it by one of these names, through an SSH tunnel from another machine',
  });
}

function checkPath(target: string): string {
  const path = target.split('?', 1)[0] ?? '';
  const isPlain =
    /^(?:\/[\w.~!$&'()*+,;=:@%-]+)+$/.test(path) &&
    path.split('/').every((segment) => !/^(?:\.|%2e){1,2}$|%2f|%5c|%00|%(?![0-9a-f]{2})/i.test(segment));
  if (!isPlain) throw new ProblemError(404, 'E_ADMIN_PATH', 'there is nothing at this path');
  return path;
}

function checkSameSite(request: GuardedRequest): void {
  const refused = (what: string): never => {
    throw new ProblemError(
      403,
      'E_ADMIN_CROSS_SITE',
      `${what}; changes are accepted from the admin API's own origin and from programs only`,
    );
  };
  const site = request.header('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none') refused('the browser says the request comes from another site');
  if (request.header('sec-fetch-mode') === 'no-cors') refused('the browser says the request is a no-cors one');
  const origin = request.header('origin');
  if (origin !== undefined && origin !== `http://${request.header('host') ?? ''}`) refused('the Origin is another one');
}

function checkToken(authorization: string | undefined, tokenDigest: Buffer): void {
  const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? '';
  // Both sides are digests of one length, so the time taken says nothing about the token.
  if (timingSafeEqual(tokenDigestOf(given), tokenDigest)) return;
  throw new ProblemError(401, 'E_ADMIN_UNAUTHORIZED', 'expected the header Authorization: Bearer TOKEN with the token of this daemon', {
    hint: 'the token is in the file `token` of the state directory of `serin up`',
    headers: { 'www-authenticate': 'Bearer realm="serin"' },
  });
}

function checkContentType(request: GuardedRequest): void {
  const type = request.header('content-type');
  if (type === undefined && request.method === 'DELETE') return;
  if (type !== undefined && /^application\/json\s*(?:;\s*charset=(?:utf-8|"utf-8")\s*)?$/i.test(type)) return;
  throw new ProblemError(415, 'E_ADMIN_CONTENT_TYPE', 'expected Content-Type: application/json');
}
