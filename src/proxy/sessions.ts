/**
 * Where a client's requests keep going, by the token it brings with them (gateway-api GEP-1619).
 *
 *   token   NAME[.BEGAN]     NAME    96 bits of SHA-256 over cluster and address, base64url: 16 characters
 *                            BEGAN   Unix time in seconds, base 36; where sessions end after a while
 *
 * A token leads to one of the rule's own endpoints or nowhere, whoever made it up, and tells nobody which address it stands for. It is made of nothing that changes with a
 * reload, a restart or a worker. Of two destinations with the same cluster the first one has its sessions.
 */
import { createHash } from 'node:crypto';
import { cookieValue } from '../http/cookie.ts';
import type { RequestView } from '../routing/request-view.ts';
import type { SessionPersistence } from '../routing/table.ts';
import type { ClusterEndpoint, ClusterRuntime, EndpointRuntime } from './cluster-runtime.ts';
import type { ClusterChoice } from './route-runtime.ts';

const NAME_BYTES = 12;
const NAME_LENGTH = 16;
/** Until the year 4400. */
const BEGAN = /^[0-9a-z]{1,7}$/;
/** Clocks of two machines, or of one before and after it was set. */
const TOLERATED_SKEW_MS = 60_000;

/** An endpoint with the destination it is chosen as. */
export interface Seat {
  readonly choice: ClusterChoice;
  readonly entry: ClusterEndpoint;
}

export class Sessions {
  readonly #session: SessionPersistence;
  readonly #seats = new Map<string, Seat>();

  /** @param choices  All the rule's destinations, those that get requests now first. */
  constructor(session: SessionPersistence, choices: Iterable<ClusterChoice>) {
    this.#session = session;
    for (const choice of choices) {
      for (const entry of choice.cluster.endpoints) {
        const name = nameOf(choice.cluster, entry.endpoint);
        if (!this.#seats.has(name)) this.#seats.set(name, { choice, entry });
      }
    }
  }

  /** Undefined where the request brings no session, or one that is over: its time has passed, or its endpoint is gone or not well. */
  find(request: RequestView, wallMs: number): Seat | undefined {
    const { key } = this.#session;
    const token = key.kind === 'cookie' ? cookieValue(request.header('cookie') ?? '', key.name) : request.header(key.name);
    if (token === undefined || !this.#isInTime(token, wallMs)) return undefined;
    const seat = this.#seats.get(token.slice(0, NAME_LENGTH));
    return seat?.choice.cluster.isHealthy(seat.entry) === true ? seat : undefined;
  }

  #isInTime(token: string, wallMs: number): boolean {
    const { absoluteTimeoutMs } = this.#session;
    // Of a rule that had a time once.
    if (absoluteTimeoutMs === undefined) return token.length === NAME_LENGTH || token.charAt(NAME_LENGTH) === '.';
    const began = token.slice(NAME_LENGTH + 1);
    if (token.charAt(NAME_LENGTH) !== '.' || !BEGAN.test(began)) return false;
    const ageMs = wallMs - Number.parseInt(began, 36) * 1000;
    return ageMs >= -TOLERATED_SKEW_MS && ageMs < absoluteTimeoutMs;
  }

  /** For the answer that begins a session. */
  line(cluster: ClusterRuntime, endpoint: EndpointRuntime, wallMs: number): string {
    const { key, absoluteTimeoutMs } = this.#session;
    const began = absoluteTimeoutMs === undefined ? '' : `.${Math.floor(wallMs / 1000).toString(36)}`;
    const token = nameOf(cluster, endpoint) + began;
    return key.kind === 'cookie' ? `set-cookie: ${key.name}=${token}${key.attributes}\r\n` : `${key.name}: ${token}\r\n`;
  }
}

function nameOf({ cluster }: ClusterRuntime, { address, port }: EndpointRuntime): string {
  return createHash('sha256').update(`${cluster.name}\n${address}\n${port}`).digest().subarray(0, NAME_BYTES).toString('base64url');
}
