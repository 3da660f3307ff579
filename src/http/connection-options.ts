/**
 * The names a Connection field nominates for removal (RFC 9110 §7.6.1).
 */
import { FieldKind } from './field-kind.ts';
import type { Head } from './head.ts';
import { isToken } from './char-class.ts';

/** Options that are no field name of ours to remove, or are removed anyway. */
const KNOWN = new Set(['close', 'keep-alive', 'upgrade', 'te', 'transfer-encoding', 'proxy-connection', 'connection']);

/** A client must not use Connection to strip what others rely on (reliability P39; CVE class of `Connection: X-Forwarded-For`). */
const PROTECTED = new Set(['host', 'content-length', 'transfer-encoding', 'cookie', 'authorization']);

/**
 * @returns Lower-case names to drop, or `refused` where one is protected or no token.
 */
export function nominatedFields(head: Head): readonly string[] | 'refused' {
  const names: string[] = [];
  for (let field = 0; field < head.fieldCount; field++) {
    if (head.kind(field) !== FieldKind.connection) continue;
    for (const part of head.value(field).split(',')) {
      const name = part.trim().toLowerCase();
      if (name === '') continue;
      if (!isToken(name) || PROTECTED.has(name)) return 'refused';
      if (!KNOWN.has(name)) names.push(name);
    }
  }
  return names;
}
