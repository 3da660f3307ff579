/**
 * What a request says about previews (config/preview.ts), told apart from the rest of it: shared by the data plane and explain. Whatever a token is
 * worth, the rest is what rules look at and what goes upstream.
 */
import { PREVIEW_NAME, type VerifiedPreview, verifyPreview } from '../config/preview.ts';
import { cookieValue, withoutCookie } from '../http/cookie.ts';
import { firstQueryValue, withoutQueryParam } from './query-value.ts';

export interface PreviewUse {
  /** Of the first token that is valid: in the query, the header, the cookie. */
  readonly verified: VerifiedPreview | undefined;
  /** The token, where it came by the link: its holder is to get the cookie. */
  readonly fromLink: string | undefined;
  /** What is left of the query; undefined where it had no token. */
  readonly query: string | undefined;
  /** What is left of the cookies; undefined where there is nothing. */
  readonly cookies: string | undefined;
}

export interface PreviewParts {
  /** As received, without the `?`. */
  readonly query: string;
  /** Value of `PREVIEW_HEADER`. */
  readonly header: string | undefined;
  /** Of the Cookie fields, joined with `; `. */
  readonly cookies: string | undefined;
}

/** Undefined where the request says nothing about previews. @param key Undefined: no token is valid. */
export function previewUse({ query, header, cookies }: PreviewParts, key: Uint8Array | undefined, nowMs: number): PreviewUse | undefined {
  const link = query.includes(PREVIEW_NAME) ? firstQueryValue(query, PREVIEW_NAME) : undefined;
  const cookie = cookies?.includes(PREVIEW_NAME) === true ? cookieValue(cookies, PREVIEW_NAME) : undefined;
  if (link === undefined && header === undefined && cookie === undefined) return undefined;
  const verify = (token: string | undefined): VerifiedPreview | undefined =>
    key === undefined || token === undefined ? undefined : verifyPreview(key, token, nowMs);
  const byLink = verify(link);
  const rest = cookies === undefined ? '' : withoutCookie(cookies, PREVIEW_NAME);
  return {
    verified: byLink ?? verify(header) ?? verify(cookie),
    fromLink: byLink === undefined ? undefined : link,
    query: link === undefined ? undefined : withoutQueryParam(query, PREVIEW_NAME),
    cookies: rest === '' ? undefined : rest,
  };
}
