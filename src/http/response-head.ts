/**
 * The head of an upstream's HTTP/1.1 response and how its body is framed (RFC 9112 §4, §6.3). As strict as for requests: an upstream is not
 * trusted either.
 */
import { FIELD_VALUE } from './char-class.ts';
import { FieldKind } from './field-kind.ts';
import { parseContentLength, transferEncodingFault } from './framing.ts';
import { Scan } from './head.ts';
import { MessageHead, isDigit } from './message-head.ts';
import { RESPONSE_ERRORS as ERRORS } from './http-error.ts';

const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const MAX_LINE_BYTES = 8192;

const RULES = { maxBytes: 65_536, maxFields: 256, errors: ERRORS, trimsNames: true };

export class ResponseHead extends MessageHead {
  status = 0;
  hasDate = false;
  hasHopByHop = false;
  /** Content-Length is written with leading zeros: octal to somebody, so it must not go on as it is. */
  hasPaddedLength = false;
  /** Index of the Upgrade field, or -1. */
  upgradeField = -1;
  /** Seconds of `Keep-Alive: timeout=n`, or -1. */
  keepAliveSeconds = -1;
  reasonStart = 0;
  reasonEnd = 0;

  constructor() {
    super(RULES);
  }

  override reset(bytes: Buffer, start: number): void {
    super.reset(bytes, start);
    this.hasDate = false;
    this.hasHopByHop = false;
    this.hasPaddedLength = false;
    this.upgradeField = -1;
    this.keepAliveSeconds = -1;
  }

  get reason(): string {
    return this.bytes.latin1Slice(this.reasonStart, this.reasonEnd);
  }

  /** `HTTP/d.d SP 3DIGIT SP [reason] CRLF`; the second space may be missing where there is no reason (widespread, harmless). */
  protected override scanLine(limit: number): Scan {
    const { bytes } = this;
    const start = this.lineStart;
    // `HTTP/1.1 200` CRLF, the shortest there is, is 14 bytes.
    if (limit - start < 14) {
      const isEnded = bytes.subarray(start, limit).includes(LF);
      return isEnded || !this.#looksLikeHttp(limit) ? this.refuse(ERRORS.line) : Scan.more;
    }
    const isLine =
      this.#looksLikeHttp(limit) &&
      isDigit(bytes[start + 5] ?? 0) &&
      bytes[start + 6] === 0x2e &&
      isDigit(bytes[start + 7] ?? 0) &&
      bytes[start + 8] === SP &&
      isDigit(bytes[start + 9] ?? 0) &&
      isDigit(bytes[start + 10] ?? 0) &&
      isDigit(bytes[start + 11] ?? 0) &&
      (bytes[start + 12] === SP || bytes[start + 12] === CR);
    if (!isLine) return this.refuse(ERRORS.line);
    let at = start + 12;
    if (bytes[at] === SP) at++;
    this.reasonStart = at;
    while (at < limit && FIELD_VALUE[bytes[at] ?? 0] === 1) at++;
    if (at - start > MAX_LINE_BYTES) return this.refuse(ERRORS.line);
    if (at + 1 >= limit) return at < limit && bytes[at] !== CR ? this.refuse(ERRORS.lineEnd) : Scan.more;
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return this.refuse(ERRORS.lineEnd);
    this.reasonEnd = at;
    this.status = ((bytes[start + 9] ?? 0) - 0x30) * 100 + ((bytes[start + 10] ?? 0) - 0x30) * 10 + ((bytes[start + 11] ?? 0) - 0x30);
    this.minor = (bytes[start + 7] ?? 0) - 0x30;
    if (bytes[start + 5] !== 0x31 || this.status < 100) return this.refuse(ERRORS.line);
    this.lineStart = at + 2;
    return Scan.done;
  }

  /** Whether what there is of the first five bytes is `HTTP/`. */
  #looksLikeHttp(limit: number): boolean {
    for (let i = 0; i < 5 && this.lineStart + i < limit; i++) {
      if (this.bytes[this.lineStart + i] !== 'HTTP/'.charCodeAt(i)) return false;
    }
    return true;
  }

  protected override interpret(): Scan {
    let transferEncodings = 0;
    let transferEncodingField = -1;
    for (let field = 0; field < this.fieldCount; field++) {
      const kind = this.kind(field);
      switch (kind) {
        case FieldKind.contentLength: {
          if (this.contentLength !== -1) return this.refuse(ERRORS.contentLength);
          const length = parseContentLength(this.bytes, this.valueStart(field), this.valueEnd(field));
          if (length === -1) return this.refuse(ERRORS.contentLength);
          this.contentLength = length;
          this.hasPaddedLength = this.bytes[this.valueStart(field)] === 0x30 && this.valueEnd(field) - this.valueStart(field) > 1;
          break;
        }
        case FieldKind.transferEncoding:
          transferEncodings++;
          transferEncodingField = field;
          this.hasHopByHop = true;
          break;
        case FieldKind.connection:
          this.hasHopByHop = true;
          this.readConnection(field);
          break;
        case FieldKind.keepAlive: {
          this.hasHopByHop = true;
          const seconds = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(this.value(field));
          if (seconds?.[1] !== undefined) this.keepAliveSeconds = Number(seconds[1]);
          break;
        }
        case FieldKind.upgrade:
          this.hasHopByHop = true;
          this.upgradeField = field;
          break;
        case FieldKind.proxyConnection:
        case FieldKind.te:
          this.hasHopByHop = true;
          break;
        case FieldKind.date:
          this.hasDate = true;
          break;
        case FieldKind.identity:
          this.hasIdentity = true;
          break;
        default:
          break;
      }
    }
    if (transferEncodings > 0) {
      if (this.contentLength !== -1) return this.refuse(ERRORS.contentLengthAndTransferEncoding);
      if (this.minor === 0 || transferEncodings > 1) return this.refuse(ERRORS.transferEncoding);
      if (transferEncodingFault(this.value(transferEncodingField)) !== undefined) return this.refuse(ERRORS.transferEncoding);
      this.isChunked = true;
    }
    if (this.minor === 0) this.closes = true;
    return Scan.done;
  }
}
