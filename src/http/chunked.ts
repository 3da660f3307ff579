/**
 * The chunked transfer coding, read strictly (RFC 9112 §7.1): sizes of 1 to 16 hexadecimal digits, CRLF everywhere, extensions validated and
 * ignored, trailers kept apart.
 *
 * A decoder holds no body bytes: `step` tells where the next run of data stands in the bytes it was given.
 *
 *   step() until `isDone` or `error`:
 *     size line ──> data run(s) ──> CRLF ──┐
 *        ^───────────────────────────────── ┘   size 0 ──> trailer section ──> done
 */
import './latin1.ts';
import { FIELD_VALUE, HEX } from './char-class.ts';
import { FieldKind } from './field-kind.ts';
import { Head, Scan } from './head.ts';
import type { HttpError } from './http-error.ts';
import { REQUEST_ERRORS, RESPONSE_ERRORS } from './http-error.ts';

const CR = 0x0d;
const LF = 0x0a;

/** All extensions of one message together; RFC 9112 §7.1.1 asks for a limit. */
const MAX_EXTENSION_BYTES = 4096;
const MAX_SIZE_DIGITS = 16;
const MAX_TRAILER_BYTES = 8192;
const MAX_TRAILERS = 32;

/** `chunk-ext` of RFC 9112 §7.1.1; pieces begin with `;`, so no byte can be read two ways and matching is linear. */
const EXTENSIONS =
  /^(?:[ \t]*;[ \t]*[A-Za-z0-9!#$%&'*+\-.^_`|~]+(?:[ \t]*=[ \t]*(?:[A-Za-z0-9!#$%&'*+\-.^_`|~]+|"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"))?)+$/;

/**
 * Fields that must not come in a trailer section (RFC 9110 §6.5.1: framing, routing, request modifiers, authentication, content), and what
 * Serin itself states. `content-` and `x-forwarded-` are prefixes.
 */
const FORBIDDEN_TRAILERS = new Set([
  'host',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'upgrade',
  'trailer',
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'expect',
  'max-forwards',
  'range',
  'forwarded',
  'x-real-ip',
]);

/** Whether a trailer field may be passed on. */
export function isForwardableTrailer(name: string): boolean {
  const lower = name.toLowerCase();
  return !FORBIDDEN_TRAILERS.has(lower) && !/^(?:content-|x-forwarded-|x-envoy-|x-serin-)/.test(lower) && !lower.includes('_');
}

class TrailerSection extends Head {
  constructor(side: 'request' | 'response') {
    const errors = side === 'request' ? REQUEST_ERRORS : RESPONSE_ERRORS;
    super({
      maxBytes: MAX_TRAILER_BYTES,
      maxFields: MAX_TRAILERS,
      trimsNames: false,
      errors: {
        lineEnd: errors.trailer,
        fieldName: errors.trailer,
        fieldValue: errors.trailer,
        folded: errors.trailer,
        fieldsTooLarge: errors.trailersTooLarge,
        tooManyFields: errors.trailersTooLarge,
      },
    });
  }

  scan(bytes: Buffer, limit: number): Scan {
    this.bytes = bytes;
    return this.scanFields(limit);
  }
}

const State = {
  size: 0,
  extension: 1,
  sizeLf: 2,
  data: 3,
  dataCr: 4,
  dataLf: 5,
  trailerStart: 6,
  trailerLf: 7,
  trailers: 8,
  done: 9,
} as const;
type State = (typeof State)[keyof typeof State];

export class ChunkedDecoder {
  /** The run of body bytes the last `step` found; empty when `dataStart === dataEnd`. */
  dataStart = 0;
  dataEnd = 0;
  error: HttpError | undefined;
  /** Trailer fields as received, once done; `isForwardableTrailer` says which may be passed on. */
  trailers: readonly (readonly [name: string, value: string])[] = [];

  readonly #side: 'request' | 'response';
  #state: State = State.size;
  #remaining = 0;
  #digits = 0;
  #extension = '';
  #extensionBytes = 0;
  #section: TrailerSection | undefined;
  #trailerBytes = Buffer.alloc(0);

  constructor(side: 'request' | 'response') {
    this.#side = side;
  }

  get isDone(): boolean {
    return this.#state === State.done;
  }

  /**
   * Consumes framing bytes up to and with the next run of data, or up to the end of the body, or all there is.
   *
   * @returns Position after what was consumed; stays before anything that follows the body.
   */
  step(bytes: Buffer, from: number, to: number): number {
    let at = from;
    this.dataStart = at;
    this.dataEnd = at;
    while (at < to) {
      const byte = bytes[at] ?? 0;
      switch (this.#state) {
        case State.size: {
          const digit = HEX[byte] ?? 255;
          if (digit !== 255) {
            if (++this.#digits > MAX_SIZE_DIGITS) return this.#refuse(this.#errors.chunk, at);
            this.#remaining = this.#remaining * 16 + digit;
            if (this.#remaining > Number.MAX_SAFE_INTEGER) return this.#refuse(this.#errors.chunk, at);
            at++;
            break;
          }
          if (this.#digits === 0) return this.#refuse(this.#errors.chunk, at);
          if (byte === CR) {
            this.#state = State.sizeLf;
            at++;
          } else if (byte === 0x3b || byte === 0x20 || byte === 0x09) {
            this.#state = State.extension;
            this.#extension = '';
          } else {
            return this.#refuse(this.#errors.chunk, at);
          }
          break;
        }
        case State.extension: {
          const start = at;
          while (at < to && FIELD_VALUE[bytes[at] ?? 0] === 1) at++;
          this.#extensionBytes += at - start;
          if (this.#extensionBytes > MAX_EXTENSION_BYTES) return this.#refuse(this.#errors.chunkExtensions, at);
          this.#extension += bytes.latin1Slice(start, at);
          if (at === to) break;
          if (bytes[at] !== CR || !EXTENSIONS.test(this.#extension)) return this.#refuse(this.#errors.chunk, at);
          this.#state = State.sizeLf;
          at++;
          break;
        }
        case State.sizeLf:
          if (byte !== LF) return this.#refuse(this.#errors.chunk, at);
          at++;
          this.#state = this.#remaining === 0 ? State.trailerStart : State.data;
          break;
        case State.data: {
          const run = Math.min(this.#remaining, to - at);
          this.#remaining -= run;
          if (this.#remaining === 0) this.#state = State.dataCr;
          this.dataStart = at;
          this.dataEnd = at + run;
          return at + run;
        }
        case State.dataCr:
          if (byte !== CR) return this.#refuse(this.#errors.chunk, at);
          at++;
          this.#state = State.dataLf;
          break;
        case State.dataLf:
          if (byte !== LF) return this.#refuse(this.#errors.chunk, at);
          at++;
          this.#state = State.size;
          this.#digits = 0;
          break;
        case State.trailerStart:
          // The usual body has no trailers: no section is made for it.
          if (byte === CR) {
            at++;
            this.#state = State.trailerLf;
            break;
          }
          this.#section = new TrailerSection(this.#side);
          this.#state = State.trailers;
          break;
        case State.trailerLf:
          if (byte !== LF) return this.#refuse(this.#errors.trailer, at);
          this.#state = State.done;
          return at + 1;
        case State.trailers:
          return this.#readTrailers(bytes, at, to);
        case State.done:
          return at;
        default:
          return at;
      }
    }
    this.dataStart = at;
    this.dataEnd = at;
    return at;
  }

  #readTrailers(bytes: Buffer, at: number, to: number): number {
    const section = this.#section ?? new TrailerSection(this.#side);
    this.#section = section;
    const before = this.#trailerBytes.length;
    // One byte over the limit is enough to be refused.
    const taken = Math.min(to, at + MAX_TRAILER_BYTES + 1 - before);
    this.#trailerBytes = Buffer.concat([this.#trailerBytes, bytes.subarray(at, taken)]);
    const scan = section.scan(this.#trailerBytes, this.#trailerBytes.length);
    if (scan === Scan.refused) return this.#refuse(section.error ?? this.#errors.trailer, at);
    this.dataStart = this.dataEnd = taken;
    if (scan === Scan.more) return taken;
    const trailers: [string, string][] = [];
    for (let field = 0; field < section.fieldCount; field++) {
      const kind = section.kind(field);
      const isFraming = kind === FieldKind.contentLength || kind === FieldKind.transferEncoding;
      if (isFraming && this.#side === 'request') return this.#refuse(this.#errors.trailer, at);
      trailers.push([section.name(field), section.value(field)]);
    }
    this.trailers = trailers;
    this.#state = State.done;
    const end = at + (section.end - before);
    this.dataStart = this.dataEnd = end;
    return end;
  }

  get #errors(): (typeof REQUEST_ERRORS | typeof RESPONSE_ERRORS) & { readonly chunk: HttpError } {
    return this.#side === 'request' ? REQUEST_ERRORS : RESPONSE_ERRORS;
  }

  #refuse(error: HttpError, at: number): number {
    this.error = error;
    this.dataStart = this.dataEnd = at;
    return at;
  }
}
