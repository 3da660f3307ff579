import { formatHeaderValue } from '../routing/header-value.ts';
import type { ValueSource } from '../routing/header-value.ts';
import type { FoldedHeaderOps } from './route-runtime.ts';

/** What a header line made from request data must not hold: it could end the line (RFC 9112 §11.1). */
const UNSAFE = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/;

export function isSafeValue(value: string): boolean {
  return !UNSAFE.test(value);
}

/** Lines of header operations; undefined when request data made one that must not be sent. */
export function headerLines(ops: FoldedHeaderOps, source: ValueSource): string | undefined {
  if (ops.text !== undefined) return ops.text;
  let lines = '';
  for (const header of ops.append) {
    const value = formatHeaderValue(header.value, source);
    if (!isSafeValue(value)) return undefined;
    if (value !== '') lines += `${header.name}: ${value}\r\n`;
  }
  return lines;
}
