/** Signing in and out: what the operations of sessions do beside answering. */
import type { Access, Actor, Caller } from './access.ts';
import { refusal, unauthorized } from './access.ts';
import type { Session, SessionRequest } from './session-types.ts';
import { CODE_SECONDS } from './sessions.ts';
import { cookieHeader, type Site } from './site.ts';

export interface Entered {
  readonly session: Session;
  /** For the browser: a Set-Cookie field. */
  readonly cookie: string;
}

type Record = (by: Actor, action: string) => void;

export class Door {
  readonly #access: Access;
  readonly #site: Site;
  /** For the audit; what cannot be recorded does not happen. */
  readonly #record: Record;
  readonly #nowMs: () => number;

  /** @param nowMs Since the epoch. */
  constructor(access: Access, site: Site, record: Record, nowMs: () => number) {
    this.#access = access;
    this.#site = site;
    this.#record = record;
    this.#nowMs = nowMs;
  }

  /** @param before Secret of the session there may be already: it ends. @throws ProblemError 401, 429, 507 */
  enter({ token, code }: SessionRequest, from: string, before: string | undefined): Entered {
    const { tokens, sessions } = this.#access;
    const caller = code === undefined ? tokens.identify(token ?? '') : sessions.takeCode(code);
    if (caller === undefined) throw refusal(tokens, from);
    this.#record({ name: caller.name, from }, 'session login');
    if (before !== undefined) sessions.close(before);
    const { caller: owner, secret, expiresAtMs } = sessions.open(caller);
    const seconds = Math.max(1, Math.floor((expiresAtMs - this.#nowMs()) / 1000));
    return { session: sessionOf(owner), cookie: cookieHeader(this.#site, secret, seconds) };
  }

  /** @returns A Set-Cookie field that makes the browser forget. @throws ProblemError 507 */
  leave(caller: Caller, from: string, secret: string): string {
    this.#record({ name: caller.name, from }, 'session logout');
    this.#access.sessions.close(secret);
    return cookieHeader(this.#site, '', 0);
  }

  /** @throws ProblemError 401, 507 */
  code(caller: Caller, from: string): { readonly code: string; readonly expiresInSeconds: number } {
    if (caller.isAnonymous === true) throw unauthorized();
    this.#record({ name: caller.name, from }, 'session code');
    return { code: this.#access.sessions.makeCode(caller), expiresInSeconds: CODE_SECONDS };
  }
}

export function sessionOf({ name, scope, expiresAtMs }: Caller): Session {
  return { name, scope, ...(expiresAtMs === undefined ? {} : { expiresAt: new Date(expiresAtMs).toISOString() }) };
}
