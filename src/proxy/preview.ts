/**
 * Preview links in the data plane: the token is taken off a request before anything looks at it, and whoever comes by the link gets a cookie and an
 * address without it. Only requests that have a query, a cookie or a field of ours are looked at.
 */
import { PREVIEW_HEADER, PREVIEW_NAME } from '../config/preview.ts';
import { FieldKind } from '../http/field-kind.ts';
import type { RequestHead } from '../http/request-head.ts';
import { type PreviewUse, previewUse } from '../routing/preview.ts';
import type { RouteMatch } from '../routing/table.ts';
import type { Answer } from './answer.ts';
import { isSafeValue } from './header-lines.ts';
import type { IncomingRequest } from './incoming-request.ts';

/** Fields that do not go upstream as they came. */
export const PREVIEW_FIELDS: readonly string[] = ['cookie', PREVIEW_HEADER];

export interface WallClock {
  /** Unix time. */
  wallMs(): number;
}

/** @param head Has a query, a cookie, or a field such as `PREVIEW_HEADER`. */
export function findPreview(head: RequestHead, query: string, key: Uint8Array | undefined, clock: WallClock): PreviewUse | undefined {
  const header = head.hasIdentity ? head.joined(PREVIEW_HEADER) : undefined;
  const cookies = head.hasCookie ? cookiesOf(head) : undefined;
  if (header === undefined && !query.includes(PREVIEW_NAME) && cookies?.includes(PREVIEW_NAME) !== true) return undefined;
  return previewUse({ query, header, cookies }, key, clock.wallMs());
}

function cookiesOf(head: RequestHead): string {
  let cookies = '';
  for (let field = 0; field < head.fieldCount; field++) {
    if (head.kind(field) === FieldKind.cookie) cookies = cookies === '' ? head.value(field) : `${cookies}; ${head.value(field)}`;
  }
  return cookies;
}

/** Of a request with a preview: what rules and operators get to see of one of `PREVIEW_FIELDS`. */
export function previewHeader(use: PreviewUse, name: string): string | undefined {
  return name === PREVIEW_HEADER ? use.verified?.grant : use.cookies;
}

/** Whether a preview was what led here. */
export function isPreviewMatch(match: RouteMatch): boolean {
  return match.headers.some(({ name }) => name === PREVIEW_HEADER);
}

/** `set-cookie` line for whoever came by the link; empty for everybody else. */
export function previewCookie({ fromLink, verified }: PreviewUse, isSecure: boolean, nowMs: number): string {
  if (fromLink === undefined || verified === undefined) return '';
  const maxAge = Math.max(1, Math.floor(verified.expiresAtSeconds - nowMs / 1000));
  const secure = isSecure ? '; Secure' : '';
  return `set-cookie: ${PREVIEW_NAME}=${fromLink}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure}\r\n`;
}

/**
 * To the same address without the token. Undefined for a request that cannot simply be made again: it goes on, and its answer sets the cookie.
 *
 * @param cookie `set-cookie` line.
 */
export function previewAnswer(request: IncomingRequest, cookie: string): Answer | undefined {
  if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
  const target = request.withQuery(request.path);
  // `//a/b` would lead to host `a`.
  const location = target.startsWith('//') ? `/.${target}` : target;
  if (!isSafeValue(location)) return undefined;
  return { status: 302, fields: `location: ${location}\r\n${cookie}cache-control: no-store\r\nreferrer-policy: no-referrer\r\n`, body: '' };
}
