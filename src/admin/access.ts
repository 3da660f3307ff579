/**
 * Who may ask what of the admin API. A token has a name, which stands in every record of what was done with it, and a scope; each scope holds
 * what the one before it does:
 *
 *     read      look at everything but tokens; explain
 *     operate   move traffic: rollouts and shifts
 *     admin     make and revoke tokens
 *
 * Browsers open a session with a token (sessions.ts), which has its name and scope. Where it is allowed, nobody has to show anything to look.
 */
import { ProblemError } from './problem.ts';
import type { Sessions } from './sessions.ts';

export const SCOPES = ['read', 'operate', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

export interface Caller {
  /** Of the token. */
  readonly name: string;
  readonly scope: Scope;
  /** Since the epoch; absent: never. */
  readonly expiresAtMs?: number;
  /** Of a session: the token. */
  readonly openedWith?: Caller;
  readonly isAnonymous?: true;
}

/** Whoever shows nothing where that is enough to look. No token has this name. */
export const ANONYMOUS: Caller = { name: 'anonymous', scope: 'read', isAnonymous: true };

/** Who asks for a change, for its record. */
export interface Actor {
  /** Of the token. */
  readonly name: string;
  /** Address of the peer. */
  readonly from: string;
  /** Why, in their own words. */
  readonly reason?: string;
}

export function because(by: Actor, reason: string | undefined): Actor {
  return reason === undefined ? by : { ...by, reason };
}

export interface TokenAccess {
  /** Whose token it is; undefined for one that never was, was revoked or has expired, which takes the same time. */
  identify(token: string): Caller | undefined;
  /** Whether the token has not been revoked and has not expired since. @param caller As `identify` gave it: the very object. */
  isGood(caller: Caller): boolean;
  /** Counts one token refused; false when this address has had too many refused lately. */
  mayFail(address: string): boolean;
}

export interface Access {
  readonly tokens: TokenAccess;
  readonly sessions: Sessions;
  /** Whether nobody has to show anything to look. */
  readonly anonymousRead: boolean;
}

/** @throws ProblemError 401 where a token might help, else 403 */
export function requireScope(caller: Caller, needed: Scope): void {
  if (SCOPES.indexOf(caller.scope) >= SCOPES.indexOf(needed)) return;
  if (caller.isAnonymous === true) throw unauthorized();
  throw new ProblemError(403, 'E_ADMIN_FORBIDDEN', `the token ${caller.name} has scope ${caller.scope}; this needs scope ${needed}`, {
    hint: 'serin token list shows the scopes; serin token create makes another token',
  });
}

/** The same for a token, session or code that never was, was revoked or has expired. */
export function unauthorized(): ProblemError {
  return new ProblemError(
    401,
    'E_ADMIN_UNAUTHORIZED',
    'expected the header Authorization: Bearer TOKEN with a valid token of this daemon',
    {
      hint: 'a token is in the file `token` of the state directory of `serin up`; `serin token create` makes others',
      headers: { 'www-authenticate': 'Bearer realm="serin"' },
    },
  );
}

/** The answer to whoever shows nothing that is good; beyond so many a second it says only that. */
export function refusal(tokens: TokenAccess, address: string): ProblemError {
  if (tokens.mayFail(address)) return unauthorized();
  return new ProblemError(429, 'E_ADMIN_TOO_MANY_FAILURES', 'too many requests without a valid token', { headers: { 'retry-after': '1' } });
}
