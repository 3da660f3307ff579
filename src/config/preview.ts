/**
 * Preview links: a signed token lets its holder see a version of a release at any weight, also at 0.
 *
 * A token is `PAYLOAD.MAC`, both base64url: JSON of `[grant, seconds since 1970 until which it holds]`, and HMAC-SHA256 of it under a key that only this
 * Serin has. The grant names the run, so a token ends with it: what a table has no rule for, no token leads to. Verified where the request is
 * (routing/preview.ts); after that only the grant is looked at.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** Request header with a token; to the rules of a release, with the grant of a token that is valid. */
export const PREVIEW_HEADER = 'x-serin-preview';
/** Query parameter and cookie. */
export const PREVIEW_NAME = 'serin-preview';

/** Signs nothing else with this key. */
const PURPOSE = 'serin preview link, version 1\n';
/** Nothing that this Serin signed is as long. */
const MAX_TOKEN = 1024;

/** `default/reviews#3/v2`: subset v2 in the third run of the Rollout. @param rollout `namespace/name` */
export function previewGrant(rollout: string, run: number, subset: string): string {
  return `${rollout}#${run}/${subset}`;
}

export function signPreview(key: Uint8Array, grant: string, expiresAtSeconds: number): string {
  const payload = Buffer.from(JSON.stringify([grant, expiresAtSeconds])).toString('base64url');
  return `${payload}.${macOf(key, payload).toString('base64url')}`;
}

export interface VerifiedPreview {
  readonly grant: string;
  readonly expiresAtSeconds: number;
}

/** Undefined for what was not signed with `key`, or has expired. Never throws, whatever a client sends. */
export function verifyPreview(key: Uint8Array, token: string, nowMs: number): VerifiedPreview | undefined {
  if (token.length > MAX_TOKEN) return undefined;
  const { payload, mac } = /^(?<payload>[\w-]+)\.(?<mac>[\w-]{43})$/.exec(token)?.groups ?? {};
  if (payload === undefined || mac === undefined) return undefined;
  if (!timingSafeEqual(macOf(key, payload), Buffer.from(mac, 'base64url'))) return undefined;
  // It is our own text from here on.
  const content: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const [grant, expiresAtSeconds]: readonly unknown[] = Array.isArray(content) ? content : [];
  if (typeof grant !== 'string' || typeof expiresAtSeconds !== 'number' || nowMs >= expiresAtSeconds * 1000) return undefined;
  return { grant, expiresAtSeconds };
}

function macOf(key: Uint8Array, payload: string): Buffer {
  return createHmac('sha256', key)
    .update(PURPOSE + payload)
    .digest();
}
