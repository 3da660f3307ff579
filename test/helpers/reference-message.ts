/**
 * A second reading of HTTP/1.1, written apart from `src/http`: lines and regular expressions instead of a byte scanner. It accepts only what
 * RFC 9112 lets a sender generate, so whatever Serin sends to an upstream or a client must pass it.
 *
 * It works on bytes that are all there; `undefined` means that more have to come.
 */
export type Field = readonly [name: string, value: string];

export interface ReferenceRequest {
  readonly method: string;
  readonly target: string;
  /** `1.1`. */
  readonly version: string;
  readonly fields: readonly Field[];
  readonly body: Buffer;
  readonly framing: Framing;
  readonly trailers: readonly Field[];
  /** The head as it stands, empty line included. */
  readonly head: string;
  /** One past the last byte of the message. */
  readonly end: number;
}

export interface ReferenceResponse {
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly Field[];
  readonly body: Buffer;
  readonly framing: Framing;
  readonly trailers: readonly Field[];
  readonly head: string;
  readonly end: number;
}

export type Framing = 'none' | 'length' | 'chunked' | 'close';

export class MalformedMessage extends Error {}

interface MessageHead {
  readonly line: string;
  readonly fields: readonly Field[];
  readonly text: string;
  readonly end: number;
}

const FIELD_LINE =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*$/;

function fail(why: string): never {
  throw new MalformedMessage(why);
}

function readFields(lines: readonly string[]): readonly Field[] {
  return lines.map((line) => {
    const parts = FIELD_LINE.exec(line);
    if (parts === null) fail(`not a field line: ${JSON.stringify(line)}`);
    return [parts[1] ?? '', parts[2] ?? ''];
  });
}

function readHead(bytes: Buffer, from: number): MessageHead | undefined {
  const ending = bytes.indexOf('\r\n\r\n', from, 'latin1');
  if (ending === -1) return undefined;
  const text = bytes.toString('latin1', from, ending + 4);
  const [line = '', ...lines] = text.slice(0, -4).split('\r\n');
  return { line, fields: readFields(lines), text, end: ending + 4 };
}

/** Every value of a field, in order. */
export function values(message: { readonly fields: readonly Field[] }, name: string): readonly string[] {
  return message.fields.filter(([found]) => found.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}

function statedLength(fields: readonly Field[]): number | 'chunked' | undefined {
  const lengths = values({ fields }, 'content-length');
  const codings = values({ fields }, 'transfer-encoding');
  if (lengths.length + codings.length > 1) fail(`more than one framing: ${JSON.stringify({ lengths, codings })}`);
  if (codings[0] !== undefined) return codings[0].toLowerCase() === 'chunked' ? 'chunked' : fail(`transfer coding ${codings[0]}`);
  const [length] = lengths;
  if (length === undefined) return undefined;
  if (!/^(?:0|[1-9]\d{0,15})$/.test(length)) fail(`content-length ${length}`);
  return Number(length);
}

interface Body {
  readonly body: Buffer;
  readonly trailers: readonly Field[];
  readonly end: number;
}

function readChunks(bytes: Buffer, from: number): Body | undefined {
  const parts: Buffer[] = [];
  let at = from;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at, 'latin1');
    if (lineEnd === -1) {
      if (bytes.length - at > 16) fail('a chunk size that does not end');
      return undefined;
    }
    const size = bytes.toString('latin1', at, lineEnd);
    if (!/^[0-9a-fA-F]{1,13}$/.test(size)) fail(`chunk size ${JSON.stringify(size)}`);
    const length = Number.parseInt(size, 16);
    at = lineEnd + 2;
    if (length === 0) break;
    if (bytes.length < at + length + 2) return undefined;
    parts.push(bytes.subarray(at, at + length));
    at += length;
    if (bytes.toString('latin1', at, at + 2) !== '\r\n') fail('chunk data without CRLF');
    at += 2;
  }
  if (bytes.toString('latin1', at, at + 2) === '\r\n') return { body: Buffer.concat(parts), trailers: [], end: at + 2 };
  const ending = bytes.indexOf('\r\n\r\n', at, 'latin1');
  if (ending === -1) return undefined;
  const trailers = readFields(bytes.toString('latin1', at, ending).split('\r\n'));
  return { body: Buffer.concat(parts), trailers, end: ending + 4 };
}

/** @throws MalformedMessage */
export function readRequest(bytes: Buffer, from = 0): ReferenceRequest | undefined {
  const head = readHead(bytes, from);
  if (head === undefined) return undefined;
  const line = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21\x22\x24-\x5b\x5d-\x7e]+) HTTP\/(1\.[01])$/.exec(head.line);
  if (line === null) fail(`not a request line: ${JSON.stringify(head.line)}`);
  const [, method = '', target = '', version = ''] = line;
  const hosts = values(head, 'host');
  if (hosts.length !== 1 || !/^(?:\[[0-9A-Fa-f:.]+\]|[^\s,/@\\?#[\]:]+)(?::\d+)?$/.test(hosts[0] ?? ''))
    fail(`host ${JSON.stringify(hosts)}`);
  const stated = statedLength(head.fields);
  const common = { method, target, version, fields: head.fields, head: head.text };
  if (stated === 'chunked') {
    const body = readChunks(bytes, head.end);
    return body === undefined ? undefined : { ...common, ...body, framing: 'chunked' };
  }
  const length = stated ?? 0;
  if (bytes.length < head.end + length) return undefined;
  const body = bytes.subarray(head.end, head.end + length);
  return { ...common, body, trailers: [], framing: stated === undefined ? 'none' : 'length', end: head.end + length };
}

/** Only the head of the request at `from`: for those whose body never comes. */
export function readRequestHead(bytes: Buffer, from = 0): { readonly line: string; readonly fields: readonly Field[] } | undefined {
  return readHead(bytes, from);
}

/** All complete requests in the bytes, and what is left. */
export function readRequests(bytes: Buffer): { readonly requests: readonly ReferenceRequest[]; readonly rest: Buffer } {
  const requests: ReferenceRequest[] = [];
  let at = 0;
  for (;;) {
    const request = at < bytes.length ? readRequest(bytes, at) : undefined;
    if (request === undefined) return { requests, rest: bytes.subarray(at) };
    requests.push(request);
    at = request.end;
  }
}

/**
 * @param isEnded  The connection's other side has sent its FIN: a body without framing is complete.
 * @throws MalformedMessage
 */
export function readResponse(bytes: Buffer, from: number, requestMethod: string, isEnded: boolean): ReferenceResponse | undefined {
  const head = readHead(bytes, from);
  if (head === undefined) return undefined;
  const line = /^HTTP\/1\.1 ([1-9]\d\d) ([\t \x21-\x7e\x80-\xff]*)$/.exec(head.line);
  if (line === null) fail(`not a status line: ${JSON.stringify(head.line)}`);
  const status = Number(line[1]);
  const common = { status, reason: line[2] ?? '', fields: head.fields, head: head.text };
  const stated = statedLength(head.fields);
  if (stated !== undefined && (status < 200 || status === 204)) fail(`${status} with a stated body`);
  if (requestMethod === 'HEAD' || status < 200 || status === 204 || status === 304) {
    return { ...common, body: Buffer.alloc(0), trailers: [], framing: 'none', end: head.end };
  }
  if (stated === 'chunked') {
    const body = readChunks(bytes, head.end);
    return body === undefined ? undefined : { ...common, ...body, framing: 'chunked' };
  }
  if (stated === undefined) {
    if (!isEnded) return undefined;
    return { ...common, body: bytes.subarray(head.end), trailers: [], framing: 'close', end: bytes.length };
  }
  if (bytes.length < head.end + stated) return undefined;
  return { ...common, body: bytes.subarray(head.end, head.end + stated), trailers: [], framing: 'length', end: head.end + stated };
}
