/**
 * What stands before every handler of the admin API, in this order:
 *
 * 1. the Host must be a loopback name or one of the site's: a page whose name was made to resolve to 127.0.0.1 (DNS rebinding) is refused;
 * 2. the path is taken as written: nothing is decoded or resolved into another path;
 * 3. a request that may change something must not come from another site (Origin, Fetch Metadata);
 * 4. everything under /api/ needs a bearer token or a session, also on loopback; what its scope allows is up to the operation (app.ts). Signing in
 *    needs neither, and looking needs neither where that is allowed;
 * 5. what a browser sends by itself, a cookie, is not enough for a change: it takes a header that no other site can add;
 * 6. a body must be declared as JSON, which no HTML form can do.
 *
 * OWASP Cross-Site Request Forgery Prevention Cheat Sheet, Fetch Metadata; RFC 6750 for the bearer token.
 */
import { cookieValue } from '../http/cookie.ts';
import { type Access, ANONYMOUS, type Caller, refusal } from './access.ts';
import { isLoopback } from './loopback.ts';
import { ProblemError } from './problem.ts';
import type { Site } from './site.ts';

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
export const SESSION_PATH = '/api/v1/session';

export interface GuardedRequest {
  readonly method: string;
  /** As received: path and query. */
  readonly target: string;
  /** Of the peer. */
  readonly address: string;
  header(name: string): string | undefined;
}

/** @returns Who asks; undefined where nobody has to say. @throws ProblemError */
export function guard(request: GuardedRequest, access: Access, site: Site): Caller | undefined {
  checkHost(request.header('host'), site);
  const path = checkPath(request.target);
  const isMutation = !SAFE_METHODS.has(request.method);
  if (isMutation) requireSameSite(request, site, 'changes are accepted');
  const caller = isPrivate(path, site) ? callerOf(request, path, access, site) : undefined;
  if (isMutation) checkContentType(request);
  return caller;
}

/** By what is written: what is spelt in another way is asked for its caller later, and has none. */
function isPrivate(path: string, site: Site): boolean {
  return path === '/api' || path.startsWith('/api/') || (site.isExposed && path === '/metrics');
}

function checkHost(host: string | undefined, { names }: Site): void {
  const name = /^(?<name>\[[0-9a-fA-F:.]+\]|[^:\s]+)(?::\d{1,5})?$/.exec(host ?? '')?.groups?.['name'];
  if (name !== undefined && (isLoopback(name) || names.includes(name.toLowerCase()))) return;
  throw new ProblemError(
    403,
    'E_ADMIN_HOST',
    `the admin API answers only for ${['localhost', '127.0.0.1', '[::1]', ...names].join(', ')}`,
    {
      hint: 'ask for it by one of these names, through an SSH tunnel from another machine; `serin up --admin-name` adds names',
    },
  );
}

function checkPath(target: string): string {
  const path = target.split('?', 1)[0] ?? '';
  const isPlain =
    path === '/' ||
    (/^(?:\/[\w.~!$&'()*+,;=:@%-]+)+$/.test(path) &&
      path.split('/').every((segment) => !/^(?:\.|%2e){1,2}$|%2f|%5c|%00|%(?![0-9a-f]{2})/i.test(segment)));
  if (!isPlain) throw new ProblemError(404, 'E_ADMIN_PATH', 'there is nothing at this path');
  return path;
}

/** @param what Is accepted from nowhere else: `changes are accepted`. @throws ProblemError 403 */
export function requireSameSite(request: Pick<GuardedRequest, 'header'>, site: Site, what: string): void {
  const refused = (why: string): never => {
    throw new ProblemError(403, 'E_ADMIN_CROSS_SITE', `${why}; ${what} from the admin API's own origin and from programs only`);
  };
  const from = request.header('sec-fetch-site');
  if (from !== undefined && from !== 'same-origin' && from !== 'none') refused('the browser says the request comes from another site');
  if (request.header('sec-fetch-mode') === 'no-cors') refused('the browser says the request is a no-cors one');
  const origin = request.header('origin');
  if (origin !== undefined && origin !== ownOrigin(request, site)) refused('the Origin is another one');
}

function ownOrigin(request: Pick<GuardedRequest, 'header'>, { scheme }: Site): string {
  return `${scheme}://${request.header('host') ?? ''}`;
}

/** A token that is shown counts, whatever else is; then a session; then, where that is enough, nothing. */
function callerOf(request: GuardedRequest, path: string, access: Access, site: Site): Caller | undefined {
  const authorization = request.header('authorization');
  if (authorization !== undefined) {
    const caller = access.tokens.identify(/^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? '');
    if (caller !== undefined) return caller;
    throw refusal(access.tokens, request.address);
  }
  // Whoever signs in needs nothing yet, and what an ended session left in the browser is not in the way.
  if (request.method === 'POST' && path === SESSION_PATH) return undefined;
  const secret = sessionSecret(request, site);
  const caller = (secret === undefined ? undefined : access.sessions.find(secret)) ?? (access.anonymousRead ? ANONYMOUS : undefined);
  if (caller === undefined) throw refusal(access.tokens, request.address);
  // Browsers come here by themselves, led by any site.
  requireSameSite(request, site, 'requests without a token are accepted');
  if (caller.openedWith !== undefined && !SAFE_METHODS.has(request.method)) requireIntent(request, site);
  return caller;
}

export function sessionSecret(request: Pick<GuardedRequest, 'header'>, { cookie }: Site): string | undefined {
  return cookieValue(request.header('cookie') ?? '', cookie);
}

function requireIntent(request: GuardedRequest, site: Site): void {
  const isOwn = request.header('sec-fetch-site') === 'same-origin' || request.header('origin') === ownOrigin(request, site);
  if (isOwn && request.header('x-serin-csrf') === '1') return;
  throw new ProblemError(
    403,
    'E_ADMIN_CSRF',
    'a change with a session needs the header X-Serin-Csrf: 1, and Origin or Sec-Fetch-Site of the same origin',
  );
}

function checkContentType(request: GuardedRequest): void {
  const type = request.header('content-type');
  if (type === undefined && request.method === 'DELETE') return;
  if (type !== undefined && /^application\/json\s*(?:;\s*charset=(?:utf-8|"utf-8")\s*)?$/i.test(type)) return;
  throw new ProblemError(415, 'E_ADMIN_CONTENT_TYPE', 'expected Content-Type: application/json');
}
