/**
 * Heads of responses between HTTP/2 and HTTP/1.1 text: ours as HTTP/2 sends them, an upstream's as the parser of HTTP/1.1 reads them.
 *
 * A header list is flat: name, value, name, value, …; octets as U+0000 to U+00FF.
 */
import type { BodyFraming } from './body-reader.ts';
import { CONNECTION_SPECIFIC, FIELD_NAME, UNSAFE_VALUE } from './http2-fields.ts';

export interface Http2ResponseHead {
  readonly status: number;
  /** With `:status`. */
  readonly list: string[];
  readonly framing: BodyFraming;
  /** -1 where it is not stated. */
  readonly contentLength: number;
  /** Where in the text the body begins. */
  readonly end: number;
}

/**
 * @param text    Begins with a whole head.
 * @param isHead  The request was a HEAD.
 * @throws        Where the text begins with something else.
 */
export function http2ResponseHead(text: string, isHead: boolean): Http2ResponseHead {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1 || !text.startsWith('HTTP/1.1 ')) throw new Error('broken invariant: a response is written with its whole head first');
  const status = Number(text.slice(9, 12));
  const list = [':status', text.slice(9, 12)];
  let isChunked = false;
  let contentLength = -1;
  let at = text.indexOf('\r\n') + 2;
  while (at < end) {
    const lineEnd = text.indexOf('\r\n', at);
    const colon = text.indexOf(':', at);
    const name = text.slice(at, colon).toLowerCase();
    const value = text.slice(colon + 1, lineEnd).trim();
    at = lineEnd + 2;
    if (name === 'transfer-encoding') isChunked = true;
    if (CONNECTION_SPECIFIC.has(name)) continue;
    if (name === 'content-length') contentLength = Number(value);
    list.push(name, value);
  }
  const hasNone = isHead || status < 200 || status === 204 || status === 304;
  const framing = hasNone ? 'none' : isChunked ? 'chunked' : contentLength > 0 ? 'length' : 'none';
  return { status, list, framing, contentLength, end: end + 4 };
}

/** What is read as no response at all. */
const MALFORMED = 'malformed\r\n\r\n';

export interface Http1ResponseHead {
  readonly text: string;
  /** Whether the body follows in chunks. */
  readonly isChunked: boolean;
}

/**
 * An upstream's head. A body goes in chunks where its length is not stated, and where trailers are announced, which have no place behind a stated length.
 *
 * @param list    With `:status`.
 * @param isHead  The request was a HEAD.
 */
export function http1ResponseHead(list: readonly string[], isHead: boolean): Http1ResponseHead {
  let status = '';
  let length: string | undefined;
  let hasTrailers = false;
  let fields = '';
  for (let at = 0; at + 1 < list.length; at += 2) {
    const name = list[at] ?? '';
    const value = list[at + 1] ?? '';
    if (name === ':status') {
      status = value;
      continue;
    }
    if (CONNECTION_SPECIFIC.has(name)) continue;
    if (UNSAFE_VALUE.test(value) || !FIELD_NAME.test(name) || (name === 'content-length' && length !== undefined)) {
      return { text: MALFORMED, isChunked: false };
    }
    if (name === 'content-length') {
      length = value;
      continue;
    }
    if (name === 'trailer') hasTrailers = true;
    fields += `${name}: ${value}\r\n`;
  }
  const hasNone = isHead || status.startsWith('1') || status === '204' || status === '304';
  const isChunked = !hasNone && (length === undefined || hasTrailers);
  if (isChunked) fields += 'transfer-encoding: chunked\r\n';
  else if (length !== undefined) fields += `content-length: ${length}\r\n`;
  return { text: `HTTP/1.1 ${status}\r\n${fields}\r\n`, isChunked };
}

/** The end of a body in chunks. @param trailers  Header list. */
export function lastChunk(trailers: readonly string[]): string {
  let fields = '';
  for (let at = 0; at + 1 < trailers.length; at += 2) {
    const name = trailers[at] ?? '';
    const value = trailers[at + 1] ?? '';
    if (FIELD_NAME.test(name) && !UNSAFE_VALUE.test(value)) fields += `${name}: ${value}\r\n`;
  }
  return `0\r\n${fields}\r\n`;
}
