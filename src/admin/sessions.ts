/**
 * Sessions of browsers: a cookie in the place of a token, so that no script can read either.
 *
 * 1. A session is 256 random bits that only the browser has; kept is their SHA-256, in memory: after a restart people sign in again.
 * 2. It has the scope of the token it was opened with, ends with that token, and after 12 hours.
 * 3. A code opens one session within a minute: `serin open` hands it to the browser, which shows no token that way.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Caller, TokenAccess } from './access.ts';

const SESSION_MS = 12 * 3_600_000;
export const CODE_SECONDS = 60;
const SECRET_BYTES = 32;
/** The oldest one makes room for the next. */
const MAX_SESSIONS = 100;
const MAX_CODES = 100;

/** What a browser that signs in is given. */
export interface Opened {
  readonly caller: Caller;
  readonly secret: string;
  readonly expiresAtMs: number;
}

interface Code {
  readonly caller: Caller;
  readonly expiresAtMs: number;
}

export class Sessions {
  readonly #tokens: TokenAccess;
  readonly #nowMs: () => number;
  /** By digest, oldest first. */
  readonly #open = new Map<string, Caller>();
  readonly #codes = new Map<string, Code>();

  /** @param nowMs Since the epoch. */
  constructor(tokens: TokenAccess, nowMs: () => number) {
    this.#tokens = tokens;
    this.#nowMs = nowMs;
  }

  /** @param token Whose session it will be: as `identify` or `takeCode` gave it. */
  open(token: Caller): Opened {
    const expiresAtMs = Math.min(this.#nowMs() + SESSION_MS, token.expiresAtMs ?? Number.POSITIVE_INFINITY);
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const caller: Caller = { name: token.name, scope: token.scope, expiresAtMs, openedWith: token };
    makeRoom(this.#open, MAX_SESSIONS);
    this.#open.set(digestOf(secret), caller);
    return { caller, secret, expiresAtMs };
  }

  /** Whose it is; undefined for one that never was, has ended or whose token is not good any more. */
  find(secret: string): Caller | undefined {
    const digest = digestOf(secret);
    const caller = this.#open.get(digest);
    if (caller === undefined || this.#isUnexpired(caller)) return caller;
    this.#open.delete(digest);
    return undefined;
  }

  close(secret: string): void {
    this.#open.delete(digestOf(secret));
  }

  /** Whether what somebody is known by is still good: the session is open, the token not revoked or expired. @param caller The very object. */
  isGood(caller: Caller): boolean {
    if (caller.isAnonymous === true) return true;
    if (caller.openedWith === undefined) return this.#tokens.isGood(caller);
    return [...this.#open.values()].includes(caller) && this.#isUnexpired(caller);
  }

  /** For one session within a minute. */
  makeCode(caller: Caller): string {
    const code = randomBytes(SECRET_BYTES).toString('base64url');
    makeRoom(this.#codes, MAX_CODES);
    this.#codes.set(digestOf(code), { caller: caller.openedWith ?? caller, expiresAtMs: this.#nowMs() + CODE_SECONDS * 1000 });
    return code;
  }

  /** Whose token it stands for; it is good no more. */
  takeCode(code: string): Caller | undefined {
    const digest = digestOf(code);
    const found = this.#codes.get(digest);
    this.#codes.delete(digest);
    return found !== undefined && this.#nowMs() < found.expiresAtMs && this.#tokens.isGood(found.caller) ? found.caller : undefined;
  }

  #isUnexpired({ expiresAtMs = Number.POSITIVE_INFINITY, openedWith }: Caller): boolean {
    return this.#nowMs() < expiresAtMs && openedWith !== undefined && this.#tokens.isGood(openedWith);
  }
}

function makeRoom(map: Map<string, unknown>, most: number): void {
  const [oldest] = map.keys();
  if (map.size >= most && oldest !== undefined) map.delete(oldest);
}

/** What is looked up is a digest, so that how long it takes says nothing about the secret. */
function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}
