/** Which part of a split a request is drawn for, where users keep their side. */
import { randomUUID } from 'node:crypto';
import { BUCKETS, userHash } from '../base/bucket.ts';
import type { Random } from '../base/random.ts';
import type { ReleaseAssignment } from '../config/release.ts';
import { userKey } from '../routing/user-key.ts';
import type { IncomingRequest } from './incoming-request.ts';

export interface Assigned {
  /** Uniform in [0, 1): the middle of the user's bucket, or an independent draw. */
  readonly ratio: number;
  /** Of the user; `NOBODY` where the request has no key. */
  readonly userHash: number;
  /** Line for the response of somebody who has just been given a key; else empty. */
  readonly setCookie: string;
}

/** `userHash` of a request without a key. */
export const NOBODY = -1;

export function assign(assignment: ReleaseAssignment, request: IncomingRequest, peerAddress: string, random: Random): Assigned {
  const known = userKey(assignment, request, peerAddress);
  if (known !== undefined) return assigned(assignment, known.value, '');
  const settable = assignment.keys.find((key) => key.kind === 'cookie' && key.maxAgeSeconds !== undefined);
  if (settable?.kind !== 'cookie') return { ratio: random(), userHash: NOBODY, setCookie: '' };
  const value = randomUUID();
  const maxAge = settable.maxAgeSeconds ?? 0;
  return assigned(assignment, value, `set-cookie: ${settable.name}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax\r\n`);
}

function assigned({ salt }: ReleaseAssignment, key: string, setCookie: string): Assigned {
  const hash = userHash(salt, key);
  return { ratio: ((hash % BUCKETS) + 0.5) / BUCKETS, userHash: hash, setCookie };
}
