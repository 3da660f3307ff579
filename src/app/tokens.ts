/**
 * Tokens of the admin API: the one of the state directory (token.ts), which has every right, and those that were made with it.
 *
 * 1. A token is 256 random bits, said once, when it is made. Kept is its SHA-256, in the durable state: nobody can read a token from there.
 * 2. Made and revoked tokens are in force when `create` and `revoke` return, and survive a crash.
 * 3. Looking one up takes as long for a token that never was as for one that was revoked or has expired: every digest is compared.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { type Actor, type Caller, SCOPES, type TokenAccess } from '../admin/access.ts';
import type { NewToken, Token, TokenRequest } from '../admin/api-types.ts';
import { FailureLimit } from '../admin/failure-limit.ts';
import { ProblemError } from '../admin/problem.ts';
import type { Clock } from '../base/clock.ts';
import { nearest } from '../base/nearest.ts';
import { BOOTSTRAP_TOKEN, isReservedTokenName, tokenNameProblem } from '../config/serin/token-name.ts';
import type { Logger } from './logger.ts';
import { type Change, changeBy } from './audit-table.ts';
import { type State, StateWriteError } from './state.ts';

const DOCUMENT = 'tokens';
/** For finding tokens that lie about where they should not. */
const PREFIX = 'serin_';
const TOKEN_BYTES = 32;
/** Each is compared with every request's. */
const MAX_TOKENS = 100;
/** How exactly it is known when a token was last used: a write a minute and token at most. */
const LAST_USED_MS = 60_000;

const StoredToken = z.strictObject({
  name: z.string(),
  scope: z.enum(SCOPES),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.string(),
  createdBy: z.string(),
  expiresAtMs: z.exactOptional(z.number()),
  lastUsedAtMs: z.exactOptional(z.number()),
});
type StoredToken = z.infer<typeof StoredToken>;

const Stored = z.strictObject({ version: z.literal(1), tokens: z.array(StoredToken) });

interface Known {
  readonly digest: Buffer;
  readonly caller: Caller;
  /** Undefined for the one of the state directory. */
  readonly stored: StoredToken | undefined;
}

export class Tokens implements TokenAccess {
  readonly #state: State;
  readonly #clock: Clock;
  readonly #failures: FailureLimit;
  readonly #bootstrap: Known;
  #tokens: readonly Known[];

  /** @param bootstrap The token of the state directory. */
  constructor(bootstrap: string, state: State, clock: Clock, logger: Logger) {
    this.#state = state;
    this.#clock = clock;
    this.#failures = new FailureLimit(() => clock.monotonicMs());
    this.#bootstrap = { digest: digestOf(bootstrap), caller: { name: BOOTSTRAP_TOKEN, scope: 'admin' }, stored: undefined };
    const text = state.get(DOCUMENT);
    const found = text === undefined ? undefined : parse(text);
    if (text !== undefined && found === undefined)
      logger.error({ code: 'E_STATE_INVALID' }, 'the stored tokens cannot be used; only the token of the state directory is taken');
    this.#tokens = (found ?? []).map(known);
  }

  identify(token: string): Caller | undefined {
    const digest = digestOf(token);
    let found: Known | undefined;
    for (const each of [this.#bootstrap, ...this.#tokens]) if (timingSafeEqual(digest, each.digest)) found = each;
    if (found === undefined || this.#isExpired(found.stored)) return undefined;
    this.#used(found);
    return found.caller;
  }

  isGood(caller: Caller): boolean {
    const found = [this.#bootstrap, ...this.#tokens].find((each) => each.caller === caller);
    return found !== undefined && !this.#isExpired(found.stored);
  }

  mayFail(address: string): boolean {
    return this.#failures.mayFail(address);
  }

  /** In the order in which they were made. */
  list(): readonly Token[] {
    return this.#tokens.flatMap(({ stored }) => (stored === undefined ? [] : [this.#shown(stored)]));
  }

  /** @throws ProblemError 409, 422, 507 */
  create({ name, scope, expiresInSeconds }: TokenRequest, by: Actor): NewToken {
    const problem = tokenNameProblem(name);
    if (problem !== undefined) throw new ProblemError(422, 'E_NAME', `'${name}' ${problem}`);
    if (isReservedTokenName(name)) throw new ProblemError(422, 'E_NAME', `'${name}' is the name of the token in the state directory`);
    if (this.#tokens.some(({ caller }) => caller.name === name))
      throw new ProblemError(409, 'E_CONFLICT', `there is a token ${name} already`, {
        hint: `serin token revoke ${name}, or another name`,
      });
    if (this.#tokens.length >= MAX_TOKENS)
      throw new ProblemError(409, 'E_CONFLICT', `there are ${MAX_TOKENS} tokens already`, { hint: 'revoke those nobody needs' });
    const nowMs = this.#clock.nowMs();
    const token = `${PREFIX}${randomBytes(TOKEN_BYTES).toString('base64url')}`;
    const stored: StoredToken = {
      name,
      scope,
      sha256: digestOf(token).toString('hex'),
      createdAt: new Date(nowMs).toISOString(),
      createdBy: by.name,
      ...(expiresInSeconds === undefined ? {} : { expiresAtMs: nowMs + expiresInSeconds * 1000 }),
    };
    this.#keep([...this.#tokens, known(stored)], changeBy(by, `token create ${scope}`, name));
    return { ...this.#shown(stored), token };
  }

  /** @throws ProblemError 404, 422, 507 */
  revoke(name: string, by: Actor): Token {
    if (name === BOOTSTRAP_TOKEN)
      throw new ProblemError(422, 'E_NAME', `'${name}' is the token in the state directory`, {
        hint: 'delete the file `token` there and start Serin again: it makes another',
      });
    const found = this.#tokens.find(({ caller }) => caller.name === name)?.stored;
    if (found === undefined) {
      const close = nearest(
        name,
        this.#tokens.map(({ caller }) => caller.name),
      );
      throw new ProblemError(404, 'E_NOT_FOUND', `there is no token '${name}'`, { hint: close && `did you mean ${close}?` });
    }
    this.#keep(
      this.#tokens.filter(({ stored }) => stored !== found),
      changeBy(by, 'token revoke', name),
    );
    return this.#shown(found);
  }

  #isExpired(stored: StoredToken | undefined): boolean {
    return stored?.expiresAtMs !== undefined && this.#clock.nowMs() >= stored.expiresAtMs;
  }

  #used(found: Known): void {
    const { stored } = found;
    const nowMs = this.#clock.nowMs();
    if (stored === undefined || (stored.lastUsedAtMs !== undefined && Math.abs(nowMs - stored.lastUsedAtMs) < LAST_USED_MS)) return;
    this.#tokens = this.#tokens.map((each) => (each === found ? { ...each, stored: { ...stored, lastUsedAtMs: nowMs } } : each));
    try {
      this.#state.putAll(new Map([[DOCUMENT, textOf(this.#tokens)]]), []);
    } catch (error) {
      // It is known until the next start; not worth refusing the request for.
      if (!(error instanceof StateWriteError)) throw error;
    }
  }

  /** Durable, then in force. @throws ProblemError 507 */
  #keep(tokens: readonly Known[], change: Change): void {
    try {
      this.#state.put(DOCUMENT, textOf(tokens), change);
    } catch (error) {
      if (!(error instanceof StateWriteError)) throw error;
      const hint = 'make space in the state directory and try again';
      throw new ProblemError(507, 'E_STATE_WRITE', error.message, { hint }, { cause: error });
    }
    this.#tokens = tokens;
  }

  #shown(stored: StoredToken): Token {
    const { name, scope, createdAt, createdBy, expiresAtMs, lastUsedAtMs } = stored;
    return {
      name,
      scope,
      createdAt,
      createdBy,
      ...(expiresAtMs === undefined ? {} : { expiresAt: new Date(expiresAtMs).toISOString() }),
      isExpired: this.#isExpired(stored),
      ...(lastUsedAtMs === undefined ? {} : { lastUsedAt: new Date(lastUsedAtMs).toISOString() }),
    };
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function known(stored: StoredToken): Known {
  const { name, scope, sha256, expiresAtMs } = stored;
  return { digest: Buffer.from(sha256, 'hex'), caller: { name, scope, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) }, stored };
}

function textOf(tokens: readonly Known[]): string {
  return JSON.stringify({ version: 1, tokens: tokens.map(({ stored }) => stored) });
}

function parse(text: string): readonly StoredToken[] | undefined {
  try {
    return Stored.parse(JSON.parse(text)).tokens;
  } catch {
    return undefined;
  }
}
