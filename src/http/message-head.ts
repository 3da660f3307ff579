/**
 * What the heads of requests and responses have in common: a first line, then fields, then what the fields say about connection and framing.
 *
 * One object can serve any number of messages, one after the other: `reset` and `scan` again. What has to outlive the next message is copied out as
 * strings and numbers.
 */
import { Head, Scan } from './head.ts';

export abstract class MessageHead extends Head {
  /** HTTP/1.minor; 1.2 to 1.9 are taken as 1.1 (RFC 9110 §2.5). */
  minor = 1;
  /** Body length stated, or -1. */
  contentLength = -1;
  isChunked = false;
  /** `Connection: close`, or HTTP/1.0. */
  closes = false;
  /** Connection says more than `close` or `keep-alive`. */
  hasConnectionOptions = false;
  hasIdentity = false;
  /** The first line has been accepted. */
  protected isLineDone = false;

  /** Begins a new message at `bytes[start]`. */
  reset(bytes: Buffer, start: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = start;
    this.fieldsStart = start;
    this.lineStart = start;
    this.fieldCount = 0;
    this.error = undefined;
    this.isLineDone = false;
    this.contentLength = -1;
    this.isChunked = false;
    this.closes = false;
    this.hasConnectionOptions = false;
    this.hasIdentity = false;
  }

  /** @param limit  One past the last byte there is. May be called again with more after it answered `more`. */
  scan(limit: number): Scan {
    if (!this.isLineDone) {
      const line = this.scanLine(limit);
      if (line !== Scan.done) return line;
      this.isLineDone = true;
      this.fieldsStart = this.lineStart;
    }
    const fields = this.scanFields(limit);
    return fields === Scan.done ? this.interpret() : fields;
  }

  /** The first line: on `done` `lineStart` stands behind it. */
  protected abstract scanLine(limit: number): Scan;

  /** What the fields say together. */
  protected abstract interpret(): Scan;

  protected readConnection(field: number): void {
    const value = this.value(field).toLowerCase();
    if (value === 'keep-alive') return;
    if (value === 'close') {
      this.closes = true;
      return;
    }
    this.hasConnectionOptions = true;
    for (const option of value.split(',')) {
      if (option.trim() === 'close') this.closes = true;
    }
  }
}

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
