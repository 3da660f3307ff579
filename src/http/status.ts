/** Reason phrases of RFC 9110 §15 and what extends it (RFC 6585, 7725, 8297, 8470); empty for what has none. */
import { STATUS_CODES } from 'node:http';

export function reasonPhrase(status: number): string {
  return STATUS_CODES[status] ?? '';
}
