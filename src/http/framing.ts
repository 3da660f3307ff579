/**
 * What Content-Length and Transfer-Encoding say (RFC 9112 §6), read strictly: two readings of one message are how requests are smuggled.
 */
import { isToken } from './char-class.ts';

/**
 * @returns The length in bytes, or -1 for anything but 1*DIGIT up to 2^53-1 (RFC 9110 §8.6). Leading zeros are accepted; a list is not.
 */
export function parseContentLength(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return -1;
  let length = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
    if (length > Number.MAX_SAFE_INTEGER) return -1;
  }
  return length;
}

/**
 * @param value  Value of the only Transfer-Encoding field.
 * @returns      undefined for exactly `chunked`; `unsupported` for well-formed codings before a final `chunked`; else `malformed`.
 */
export function transferEncodingFault(value: string): 'malformed' | 'unsupported' | undefined {
  if (value.toLowerCase() === 'chunked') return undefined;
  const codings = value.split(',').map((coding) => coding.replace(/^[ \t]+|[ \t]+$/g, '').toLowerCase());
  if (codings.some((coding) => !isToken(coding))) return 'malformed';
  if (codings.at(-1) !== 'chunked' || codings.indexOf('chunked') !== codings.length - 1) return 'malformed';
  return 'unsupported';
}
