/**
 * The head a response gets on its way to the client: the upstream's bytes by range, without what is hop-by-hop, framed for this client.
 */
import { FIRST_HOP_BY_HOP, FieldKind, nameIs } from '../http/field-kind.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { SettledOps } from './route-runtime.ts';
import { isDropped } from './route-runtime.ts';

export interface ResponseRewrite {
  /** Lower-case names the upstream's Connection field nominated. */
  readonly nominated: readonly string[];
  readonly ops: SettledOps;
  /** 204 and 1xx have no length to state (RFC 9110 §8.6). */
  readonly dropsContentLength: boolean;
  /** Complete lines appended last. */
  readonly appended: string;
}

export function responseText(head: ResponseHead, rewrite: ResponseRewrite): string {
  const { bytes } = head;
  const { nominated, ops, dropsContentLength } = rewrite;
  const isPlainKept = nominated.length === 0 && ops.drop.length === 0;
  let text = `HTTP/1.1 ${head.status} ${bytes.latin1Slice(head.reasonStart, head.reasonEnd)}\r\n`;
  let runStart = head.fieldsStart;
  if (!isPlainKept || head.hasHopByHop || head.hasIdentity || head.hasPaddedLength || dropsContentLength) {
    for (let field = 0; field < head.fieldCount; field++) {
      const kind = head.kind(field);
      let isKept = kind < FIRST_HOP_BY_HOP && !(kind === FieldKind.contentLength && (dropsContentLength || head.hasPaddedLength));
      // Ours is stated below; Envoy replaces a predecessor's, too.
      if (kind === FieldKind.identity && head.isNamed(field, 'x-envoy-upstream-service-time')) isKept = false;
      if (isKept && !isPlainKept) {
        isKept = !isDropped(ops, head, field) && !nominated.some((name) => nameIs(bytes, head.nameStart(field), head.nameEnd(field), name));
      }
      if (isKept) continue;
      const lineStart = head.lineOf(field);
      if (lineStart > runStart) text += bytes.latin1Slice(runStart, lineStart);
      runStart = head.lineOf(field + 1);
    }
  }
  const length = head.hasPaddedLength && !dropsContentLength ? `content-length: ${head.contentLength}\r\n` : '';
  return `${text}${bytes.latin1Slice(runStart, head.end - 2)}${length}${rewrite.appended}\r\n`;
}
