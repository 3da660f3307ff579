/**
 * The header section shared by requests and responses: a scan of the bytes that records offsets and copies nothing.
 *
 * Invariants
 * 1. Every byte is looked at once and validated as it is passed; a field line is CRLF-terminated or the message is refused.
 * 2. Bytes may come in any pieces: `scanFields` answers `more` and goes on where it stopped. What it finally answers does not depend on the
 *    pieces, because a line is judged only when its end has been seen or its limit has been passed.
 * 3. Offsets are into `bytes`; bytes that come in pieces are put together in one place before they are scanned on (`GrowingBuffer`).
 *
 * RFC 9112 §5, RFC 9110 §5.5 and §5.6.2.
 */
import './latin1.ts';
import { FIELD_VALUE, LOWER, NAME, NAME_UNDERSCORE } from './char-class.ts';
import { FieldKind, fieldKind, nameIs } from './field-kind.ts';
import type { HttpError } from './http-error.ts';

/** Outcome of a scan: all there, bytes missing, or refused (`Head.error` says why). */
export const Scan = { more: 0, done: 1, refused: 2 } as const;
export type Scan = (typeof Scan)[keyof typeof Scan];

export interface FieldRules {
  readonly maxBytes: number;
  readonly maxFields: number;
  readonly errors: {
    readonly lineEnd: HttpError;
    readonly fieldName: HttpError;
    readonly fieldValue: HttpError;
    readonly folded: HttpError;
    readonly fieldsTooLarge: HttpError;
    readonly tooManyFields: HttpError;
  };
  /**
   * Whitespace between name and colon: RFC 9112 §5.1 has a server refuse it in a request and a proxy remove it from a response. Where true the
   * name ends before it, except on framing fields, which are refused.
   */
  readonly trimsNames: boolean;
}

/** nameStart, nameEnd, valueStart, valueEnd (both ends exclusive, value trimmed of SP and HTAB), kind. */
const STRIDE = 5;

const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const HTAB = 0x09;
const COLON = 0x3a;

const NO_BYTES = Buffer.alloc(0);

export class Head {
  bytes: Buffer = NO_BYTES;
  /** First byte of the message. */
  start = 0;
  /** One past the empty line; valid once scanned. */
  end = 0;
  /** First byte of the first field line. */
  fieldsStart = 0;
  fieldCount = 0;
  /** Why the scan answered `refused`. */
  error: HttpError | undefined;

  readonly #rules: FieldRules;
  /** Offsets of the fields, `STRIDE` numbers each. */
  readonly #fields: Int32Array;
  /** Start of the first line not yet accepted. */
  protected lineStart = 0;

  constructor(rules: FieldRules) {
    this.#rules = rules;
    this.#fields = new Int32Array(rules.maxFields * STRIDE);
  }

  kind(field: number): FieldKind {
    return this.#fields[field * STRIDE + 4] as FieldKind;
  }

  nameStart(field: number): number {
    return this.#fields[field * STRIDE] ?? 0;
  }

  nameEnd(field: number): number {
    return this.#fields[field * STRIDE + 1] ?? 0;
  }

  /** Where the line of `field` starts; for `field === fieldCount` where the empty line starts. */
  lineOf(field: number): number {
    return field < this.fieldCount ? (this.#fields[field * STRIDE] ?? 0) : this.end - 2;
  }

  valueStart(field: number): number {
    return this.#fields[field * STRIDE + 2] ?? 0;
  }

  valueEnd(field: number): number {
    return this.#fields[field * STRIDE + 3] ?? 0;
  }

  /** Name as sent. */
  name(field: number): string {
    return this.bytes.latin1Slice(this.#fields[field * STRIDE], this.#fields[field * STRIDE + 1]);
  }

  /** Value without the whitespace around it; octets as U+0000 to U+00FF. */
  value(field: number): string {
    return this.bytes.latin1Slice(this.#fields[field * STRIDE + 2], this.#fields[field * STRIDE + 3]);
  }

  /** Whether the field has this name (given in lower case). */
  isNamed(field: number, name: string): boolean {
    return nameIs(this.bytes, this.#fields[field * STRIDE] ?? 0, this.#fields[field * STRIDE + 1] ?? 0, name);
  }

  /** All values of a name (in lower case) joined with `,` as Envoy matches them, or undefined when there is none. */
  joined(name: string): string | undefined {
    const length = name.length;
    const first = name.charCodeAt(0);
    let found: string | undefined;
    for (let i = 0, at = 0; i < this.fieldCount; i++, at += STRIDE) {
      const start = this.#fields[at] ?? 0;
      if ((this.#fields[at + 1] ?? 0) - start !== length || LOWER[this.bytes[start] ?? 0] !== first) continue;
      if (!nameIs(this.bytes, start, start + length, name)) continue;
      found = found === undefined ? this.value(i) : `${found},${this.value(i)}`;
    }
    return found;
  }

  /** The first value of a name (in lower case), or undefined when there is none. */
  first(name: string): string | undefined {
    for (let field = 0; field < this.fieldCount; field++) if (this.isNamed(field, name)) return this.value(field);
    return undefined;
  }

  protected refuse(error: HttpError): Scan {
    this.error = error;
    return Scan.refused;
  }

  /**
   * Scans field lines from `lineStart` up to and with the empty line.
   *
   * @param limit  One past the last byte there is.
   */
  protected scanFields(limit: number): Scan {
    const { bytes } = this;
    const fields = this.#fields;
    const { errors, maxBytes, maxFields } = this.#rules;
    const sectionEnd = this.fieldsStart + maxBytes;
    let at = this.lineStart;
    for (;;) {
      this.lineStart = at;
      if (at >= limit) return at > sectionEnd ? this.refuse(errors.fieldsTooLarge) : Scan.more;
      const nameStart = at;
      let seen = 0;
      let byteClass = NAME[bytes[at] ?? 0] ?? 0;
      while (byteClass !== 0) {
        seen |= byteClass;
        at++;
        if (at === limit) return this.#unended(limit, sectionEnd);
        byteClass = NAME[bytes[at] ?? 0] ?? 0;
      }
      let nameEnd = at;
      let byte = bytes[at];
      if (byte !== COLON || at === nameStart) {
        if (at === nameStart) {
          if (byte === CR) {
            if (at + 1 >= limit) return at + 2 > sectionEnd ? this.refuse(errors.fieldsTooLarge) : Scan.more;
            if (bytes[at + 1] !== LF) return this.#judge(at, limit, sectionEnd, errors.lineEnd);
            this.end = at + 2;
            return this.end > sectionEnd ? this.refuse(errors.fieldsTooLarge) : Scan.done;
          }
          if (byte === LF) return this.#judge(at, limit, sectionEnd, errors.lineEnd);
          if (byte === SP || byte === HTAB) return this.#judge(at, limit, sectionEnd, errors.folded);
          return this.#judge(at, limit, sectionEnd, errors.fieldName);
        }
        if (!this.#rules.trimsNames) return this.#judge(at, limit, sectionEnd, errors.fieldName);
        while (byte === SP || byte === HTAB) {
          at++;
          if (at === limit) return this.#unended(limit, sectionEnd);
          byte = bytes[at];
        }
        if (byte !== COLON) return this.#judge(at, limit, sectionEnd, errors.fieldName);
      }
      const isTrimmed = at !== nameEnd;
      at++;
      while (at < limit && (bytes[at] === SP || bytes[at] === HTAB)) at++;
      const valueStart = at;
      while (at < limit && FIELD_VALUE[bytes[at] ?? 0] === 1) at++;
      if (at >= limit) return this.#unended(limit, sectionEnd);
      if (bytes[at] !== CR) return this.#judge(at, limit, sectionEnd, bytes[at] === LF ? errors.lineEnd : errors.fieldValue);
      if (at + 1 >= limit) return this.#unended(limit, sectionEnd);
      if (bytes[at + 1] !== LF) return this.#judge(at, limit, sectionEnd, errors.fieldValue);
      let valueEnd = at;
      while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;
      at += 2;
      if (at > sectionEnd) return this.refuse(errors.fieldsTooLarge);
      if (this.fieldCount === maxFields) return this.refuse(errors.tooManyFields);
      const kind: FieldKind = (seen & NAME_UNDERSCORE) !== 0 ? FieldKind.underscore : fieldKind(bytes, nameStart, nameEnd);
      if (isTrimmed) {
        if (kind === FieldKind.contentLength || kind === FieldKind.transferEncoding) return this.refuse(errors.fieldName);
        // The copy that goes on must not carry the space: what is forwarded by range would.
        this.#closeGap(nameEnd, valueStart);
      }
      const slot = this.fieldCount * STRIDE;
      fields[slot] = nameStart;
      fields[slot + 1] = nameEnd;
      fields[slot + 2] = valueStart;
      fields[slot + 3] = valueEnd;
      fields[slot + 4] = kind;
      this.fieldCount++;
    }
  }

  /** Overwrites `name<space>:<space>value` with `name:<space>value` of the same length. */
  #closeGap(nameEnd: number, valueStart: number): void {
    this.bytes[nameEnd] = COLON;
    this.bytes.fill(SP, nameEnd + 1, valueStart);
  }

  #unended(limit: number, sectionEnd: number): Scan {
    return limit > sectionEnd ? this.refuse(this.#rules.errors.fieldsTooLarge) : Scan.more;
  }

  /**
   * A bad byte at `at`: refuses, unless the end of the line has still to come (then the answer could still be "too large", and it must not
   * depend on how the bytes were cut).
   */
  #judge(at: number, limit: number, sectionEnd: number, error: HttpError): Scan {
    const lineEnd = this.bytes.subarray(0, limit).indexOf(LF, at);
    if (lineEnd === -1) return this.#unended(limit, sectionEnd);
    return lineEnd >= sectionEnd ? this.refuse(this.#rules.errors.fieldsTooLarge) : this.refuse(error);
  }
}
