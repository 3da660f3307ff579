/**
 * Heads of requests between HTTP/2 and HTTP/1.1 text (RFC 9113 §8.2, §8.3). A client's is read by the same strict parser as any other request once it has passed here;
 * one to an upstream is what would have been written to a connection.
 *
 * A header list is flat: name, value, name, value, …; octets as U+0000 to U+00FF.
 */
import type { BodyFraming } from './body-reader.ts';
import { isToken } from './char-class.ts';
import type { HttpError } from './http-error.ts';
import { REQUEST_ERRORS as ERRORS } from './http-error.ts';
import { CONNECTION_SPECIFIC, FIELD_NAME, UNSAFE_VALUE } from './http2-fields.ts';

/**
 * A client's head.
 *
 * @param isEnded  No body follows.
 * @returns        Text, or why the list is no head.
 */
export function http1RequestText(list: readonly string[], isEnded: boolean): string | HttpError {
  let method: string | undefined;
  let path: string | undefined;
  let scheme: string | undefined;
  let authority: string | undefined;
  let host: string | undefined;
  let cookies: string | undefined;
  let hasLength = false;
  let fields = '';
  for (let at = 0; at + 1 < list.length; at += 2) {
    const name = list[at] ?? '';
    const value = list[at + 1] ?? '';
    if (UNSAFE_VALUE.test(value)) return ERRORS.fieldValue;
    if (name.startsWith(':')) {
      // Pseudo-header fields stand before all others, and once.
      if (fields !== '' || host !== undefined || cookies !== undefined) return ERRORS.pseudoHeader;
      if (name === ':method' && method === undefined) method = value;
      else if (name === ':path' && path === undefined) path = value;
      else if (name === ':scheme' && scheme === undefined) scheme = value;
      else if (name === ':authority' && authority === undefined) authority = value;
      else return ERRORS.pseudoHeader;
      continue;
    }
    switch (name) {
      case 'host':
        if (host !== undefined) return ERRORS.hostRepeated;
        host = value;
        continue;
      case 'cookie':
        // Crumbs of one field (RFC 9113 §8.2.3).
        cookies = cookies === undefined ? value : `${cookies}; ${value}`;
        continue;
      case 'te':
        if (value.toLowerCase() !== 'trailers') return ERRORS.connectionSpecific;
        break;
      case 'content-length':
        hasLength = true;
        break;
      default:
        if (CONNECTION_SPECIFIC.has(name)) return ERRORS.connectionSpecific;
        if (!FIELD_NAME.test(name)) return ERRORS.fieldName;
    }
    fields += `${name}: ${value}\r\n`;
  }
  if (method === undefined || !isToken(method)) return ERRORS.line;
  if (method === 'CONNECT') return ERRORS.method;
  if (scheme !== 'http' && scheme !== 'https') return ERRORS.pseudoHeader;
  if (path === undefined || !(path.startsWith('/') || (path === '*' && method === 'OPTIONS')) || path.includes(' ')) return ERRORS.target;
  const named = authority ?? host;
  if (named === undefined) return ERRORS.hostMissing;
  // RFC 9113 §8.3.1: two names for one request are not forwarded.
  if (host !== undefined && host.toLowerCase() !== named.toLowerCase()) return ERRORS.host;
  const framing = isEnded || hasLength ? '' : 'transfer-encoding: chunked\r\n';
  return `${method} ${path} HTTP/1.1\r\nhost: ${named}\r\n${fields}${cookies === undefined ? '' : `cookie: ${cookies}\r\n`}${framing}\r\n`;
}

export interface Http2RequestHead {
  readonly method: string;
  /** With pseudo-header fields, which come first. */
  readonly list: string[];
  readonly framing: BodyFraming;
  /** Of the body, where it is stated. */
  readonly contentLength: number;
}

/**
 * Our head.
 *
 * @param text  One whole head.
 * @throws      Where it is something else.
 */
export function http2RequestHead(text: string, scheme: 'http' | 'https'): Http2RequestHead {
  const lineEnd = text.indexOf(' HTTP/1.1\r\n');
  const end = text.length - 2;
  if (lineEnd === -1 || !text.endsWith('\r\n\r\n')) throw new Error('broken invariant: a request is written with its whole head first');
  const space = text.indexOf(' ');
  const method = text.slice(0, space);
  const list = [':method', method, ':path', text.slice(space + 1, lineEnd), ':scheme', scheme, ':authority', ''];
  let isChunked = false;
  let contentLength = 0;
  let at = lineEnd + ' HTTP/1.1\r\n'.length;
  while (at < end) {
    const next = text.indexOf('\r\n', at);
    const colon = text.indexOf(':', at);
    const name = text.slice(at, colon).toLowerCase();
    const value = text.slice(colon + 1, next).trim();
    at = next + 2;
    if (name === 'host') {
      list[7] = value;
      continue;
    }
    if (name === 'transfer-encoding') isChunked = true;
    if (CONNECTION_SPECIFIC.has(name)) continue;
    if (name === 'content-length') contentLength = Number(value);
    list.push(name, value);
  }
  return { method, list, framing: isChunked ? 'chunked' : contentLength > 0 ? 'length' : 'none', contentLength };
}
