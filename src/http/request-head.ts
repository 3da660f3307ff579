/**
 * The head of an HTTP/1.1 request: request line, field section and what they say about framing (RFC 9112 §3, §5, §6; RFC 9110 §7.2).
 */
import { FIELD_VALUE, HEX, HOST, NAME, TARGET, TARGET_DOT, TARGET_PERCENT } from './char-class.ts';
import { FieldKind } from './field-kind.ts';
import { Scan } from './head.ts';
import { MessageHead, isDigit } from './message-head.ts';
import type { HttpError } from './http-error.ts';
import { REQUEST_ERRORS as ERRORS } from './http-error.ts';
import { parseContentLength, transferEncodingFault } from './framing.ts';

const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;

/** RFC 9112 §3 asks for 8000 octets at least. */
const MAX_LINE_BYTES = 8192;
const MAX_METHOD_BYTES = 32;
const HTTP2_LINE = 'PRI * HTTP/2.0\r\n';
/** RFC 9112 §2.2: at least one empty line before a request is to be ignored. */
const MAX_EMPTY_LINES = 4;

const RULES = { maxBytes: 32_768, maxFields: 128, errors: ERRORS, trimsNames: false };

export class RequestHead extends MessageHead {
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  /** Bits of `TARGET_PERCENT` and `TARGET_DOT` that occur in the target. */
  targetClass = 0;
  /** First `?` of the target, or `targetEnd`. */
  queryStart = 0;
  /** Index of the Host field, or -1. */
  hostField = -1;
  hasExpect = false;
  hasUpgrade = false;
  hasTe = false;
  hasVia = false;
  hasUnderscore = false;
  hasCookie = false;
  /** Index of the first X-Request-Id field, or -1. */
  requestIdField = -1;
  maxForwardsField = -1;

  /** Where the request line itself starts: `start`, past empty lines. */
  requestStart = 0;

  #emptyLines = 0;

  constructor() {
    super(RULES);
  }

  override reset(bytes: Buffer, start: number): void {
    super.reset(bytes, start);
    this.#emptyLines = 0;
    this.requestStart = start;
    this.hostField = -1;
    this.hasExpect = false;
    this.hasUpgrade = false;
    this.hasTe = false;
    this.hasVia = false;
    this.hasUnderscore = false;
    this.hasCookie = false;
    this.requestIdField = -1;
    this.maxForwardsField = -1;
  }

  /** Whether the first byte of the request line has come, after empty lines: the header timeout runs from there. */
  hasBegun(limit: number): boolean {
    return this.isLineDone || (limit > this.requestStart && this.bytes[this.requestStart] !== CR);
  }

  /** Whether a refused first line is the one HTTP/2 begins with (RFC 9113 §3.4). */
  get isHttp2Preface(): boolean {
    return this.bytes.latin1Slice(this.start, this.start + HTTP2_LINE.length) === HTTP2_LINE;
  }

  get method(): string {
    return methodName(this.bytes, this.requestStart, this.methodEnd);
  }

  get target(): string {
    return this.bytes.latin1Slice(this.targetStart, this.targetEnd);
  }

  get hasBody(): boolean {
    return this.isChunked || this.contentLength > 0;
  }

  protected override scanLine(limit: number): Scan {
    const { bytes } = this;
    let at = this.lineStart;
    while (at < limit && bytes[at] === CR) {
      if (at + 1 >= limit) return Scan.more;
      if (bytes[at + 1] !== LF) return this.refuse(ERRORS.lineEnd);
      if (++this.#emptyLines > MAX_EMPTY_LINES) return this.refuse(ERRORS.emptyLines);
      at += 2;
      this.lineStart = at;
      this.requestStart = at;
    }
    const lineLimit = this.requestStart + MAX_LINE_BYTES;
    // What cannot begin a request (TLS, another protocol) is told at its first byte: its end may never come.
    if (at < limit && NAME[bytes[at] ?? 0] === 0) return this.refuse(ERRORS.line);
    while (at < limit && NAME[bytes[at] ?? 0] !== 0) at++;
    if (at >= limit) return this.#unendedLine(limit, lineLimit);
    if (bytes[at] !== SP) return this.#judgeLine(at, limit, lineLimit, ERRORS.line);
    this.methodEnd = at;
    const isMethodTooLong = at - this.requestStart > MAX_METHOD_BYTES;
    at++;
    this.targetStart = at;
    let seen = 0;
    let queryStart = -1;
    let byteClass = TARGET[bytes[at] ?? 0] ?? 0;
    while (byteClass !== 0 && at < limit) {
      seen |= byteClass;
      if (queryStart === -1 && bytes[at] === 0x3f) queryStart = at;
      at++;
      byteClass = TARGET[bytes[at] ?? 0] ?? 0;
    }
    if (at >= limit) return this.#unendedLine(limit, lineLimit);
    if (bytes[at] !== SP) {
      const isControl = bytes[at] === CR || bytes[at] === LF || bytes[at] === 0x09;
      return this.#judgeLine(at, limit, lineLimit, isControl ? ERRORS.line : ERRORS.target);
    }
    if (at === this.targetStart) return this.#judgeLine(at, limit, lineLimit, ERRORS.line);
    this.targetEnd = at;
    this.targetClass = seen & (TARGET_PERCENT | TARGET_DOT);
    this.queryStart = queryStart === -1 ? at : queryStart;
    at++;
    // HTTP/d.d CRLF, to the letter.
    if (at + 10 > limit) {
      if (bytes.subarray(at, limit).includes(LF)) return this.#judgeLine(at, limit, lineLimit, ERRORS.line);
      return this.#unendedLine(limit, lineLimit);
    }
    const isVersion =
      bytes[at] === 0x48 &&
      bytes[at + 1] === 0x54 &&
      bytes[at + 2] === 0x54 &&
      bytes[at + 3] === 0x50 &&
      bytes[at + 4] === 0x2f &&
      isDigit(bytes[at + 5] ?? 0) &&
      bytes[at + 6] === 0x2e &&
      isDigit(bytes[at + 7] ?? 0) &&
      bytes[at + 8] === CR &&
      bytes[at + 9] === LF;
    if (!isVersion) return this.#judgeLine(at, limit, lineLimit, ERRORS.line);
    const major = (bytes[at + 5] ?? 0) - 0x30;
    this.minor = (bytes[at + 7] ?? 0) - 0x30;
    at += 10;
    if (at > lineLimit) return this.refuse(ERRORS.lineTooLong);
    if (isMethodTooLong) return this.refuse(ERRORS.methodTooLong);
    if (major !== 1) return this.refuse(this.method === 'PRI' ? ERRORS.line : ERRORS.version);
    this.lineStart = at;
    return Scan.done;
  }

  #unendedLine(limit: number, lineLimit: number): Scan {
    return limit > lineLimit ? this.refuse(ERRORS.lineTooLong) : Scan.more;
  }

  /** See `Head.#judge`: a line is judged when its end has been seen. */
  #judgeLine(at: number, limit: number, lineLimit: number, error: HttpError): Scan {
    const lineEnd = this.bytes.subarray(0, limit).indexOf(LF, at);
    if (lineEnd === -1) return this.#unendedLine(limit, lineLimit);
    return lineEnd >= lineLimit ? this.refuse(ERRORS.lineTooLong) : this.refuse(error);
  }

  /** What the fields say together. Order matters only for which of several faults is named. */
  protected override interpret(): Scan {
    let transferEncodings = 0;
    let transferEncodingField = -1;
    for (let field = 0; field < this.fieldCount; field++) {
      switch (this.kind(field)) {
        case FieldKind.plain:
          break;
        case FieldKind.host:
          if (this.hostField !== -1) return this.refuse(ERRORS.hostRepeated);
          this.hostField = field;
          break;
        case FieldKind.contentLength: {
          // RFC 9110 §8.6 allows equal repeats to be merged; a proxy is safer without.
          if (this.contentLength !== -1) return this.refuse(ERRORS.contentLength);
          const length = parseContentLength(this.bytes, this.valueStart(field), this.valueEnd(field));
          if (length === -1) return this.refuse(ERRORS.contentLength);
          this.contentLength = length;
          break;
        }
        case FieldKind.transferEncoding:
          transferEncodings++;
          transferEncodingField = field;
          break;
        case FieldKind.connection:
          this.readConnection(field);
          break;
        case FieldKind.expect:
          this.hasExpect = true;
          break;
        case FieldKind.upgrade:
          this.hasUpgrade = true;
          break;
        case FieldKind.te:
          this.hasTe = true;
          break;
        case FieldKind.identity:
          this.hasIdentity = true;
          break;
        case FieldKind.underscore:
          this.hasUnderscore = true;
          break;
        case FieldKind.cookie:
          this.hasCookie = true;
          break;
        case FieldKind.via:
          this.hasVia = true;
          break;
        case FieldKind.requestId:
          if (this.requestIdField === -1) this.requestIdField = field;
          break;
        case FieldKind.maxForwards:
          if (this.maxForwardsField === -1) this.maxForwardsField = field;
          break;
        default:
          break;
      }
    }
    if (transferEncodings > 0) {
      if (this.contentLength !== -1) return this.refuse(ERRORS.contentLengthAndTransferEncoding);
      if (this.minor === 0) return this.refuse(ERRORS.transferEncodingIn10);
      if (transferEncodings > 1) return this.refuse(ERRORS.transferEncoding);
      const fault = transferEncodingFault(this.value(transferEncodingField));
      if (fault !== undefined) return this.refuse(fault === 'unsupported' ? ERRORS.transferCoding : ERRORS.transferEncoding);
      this.isChunked = true;
    }
    if (this.hostField === -1) {
      if (this.minor > 0) return this.refuse(ERRORS.hostMissing);
    } else if (!isAuthority(this.bytes, this.valueStart(this.hostField), this.valueEnd(this.hostField))) {
      return this.refuse(ERRORS.host);
    }
    // RFC 9112 §9.3: a proxy keeps no persistent connection with an HTTP/1.0 client.
    if (this.minor === 0) this.closes = true;
    return Scan.done;
  }
}

/** The usual methods without making a string each time. */
function methodName(bytes: Buffer, start: number, end: number): string {
  switch (end - start) {
    case 3:
      if (bytes[start] === 0x47 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x54) return 'GET';
      if (bytes[start] === 0x50 && bytes[start + 1] === 0x55 && bytes[start + 2] === 0x54) return 'PUT';
      break;
    case 4:
      if (bytes[start] === 0x50 && bytes[start + 1] === 0x4f && bytes[start + 2] === 0x53 && bytes[start + 3] === 0x54) return 'POST';
      if (bytes[start] === 0x48 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x41 && bytes[start + 3] === 0x44) return 'HEAD';
      break;
    default:
      break;
  }
  return bytes.latin1Slice(start, end);
}

/**
 * Whether `bytes[start, end)` is `uri-host [":" port]` (RFC 9110 §7.2): a reg-name or IPv4 address of allowed octets, or a bracketed IPv6
 * literal; no userinfo, no path, no comma, not empty; port 1 to 65535 in digits.
 */
export function isAuthority(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  if (at >= end) return false;
  if (bytes[at] === 0x5b) {
    at++;
    const literalStart = at;
    while (at < end && (HEX[bytes[at] ?? 0] !== 255 || bytes[at] === 0x3a || bytes[at] === 0x2e)) at++;
    if (at >= end || bytes[at] !== 0x5d || at - literalStart < 2) return false;
    at++;
  } else {
    while (at < end && HOST[bytes[at] ?? 0] === 1) at++;
    if (at === start) return false;
  }
  if (at === end) return true;
  if (bytes[at] !== 0x3a) return false;
  at++;
  if (at === end || end - at > 5) return false;
  let port = 0;
  for (; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (!isDigit(byte)) return false;
    port = port * 10 + (byte - 0x30);
  }
  return port >= 1 && port <= 65_535;
}

/** The same for a string, as an absolute-form target brings one. */
export function isAuthorityText(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (FIELD_VALUE[text.charCodeAt(i)] !== 1) return false;
  }
  const bytes = Buffer.from(text, 'latin1');
  return isAuthority(bytes, 0, bytes.length);
}
