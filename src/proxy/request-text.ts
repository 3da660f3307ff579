/**
 * The head a request gets on its way upstream: the client's bytes by range, without what is hop-by-hop or not theirs to say, with what a
 * gateway adds (RFC 9110 §7.6; reliability P36 to P45).
 */
import { FIRST_HOP_BY_HOP, FieldKind, fieldKind, nameIs } from '../http/field-kind.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { SettledOps } from './route-runtime.ts';
import { isDropped } from './route-runtime.ts';

export interface RequestRewrite {
  /** Path and query to send, when they are not the bytes the client sent. */
  readonly target: string | undefined;
  /** Host to send, when it is not the field the client sent. */
  readonly host: string | undefined;
  /** Lower-case names the client's Connection field nominated. */
  readonly nominated: readonly string[];
  readonly ops: SettledOps;
  readonly keepsUnderscoreNames: boolean;
  /** The peer is a proxy we believe: what it says of the client is kept, and the peer itself is added to it. */
  readonly isTrustedPeer: boolean;
  /** Address of the peer. */
  readonly peerAddress: string;
  /** What it came by. */
  readonly scheme: 'http' | 'https';
  /** Complete lines appended last: identity, Via, request id, formatted operations. */
  readonly appended: string;
}

/** Name and colon of the field that says which attempt this is; always the last line. */
export const ATTEMPT_COUNT = 'x-envoy-attempt-count: ';

/** The same head for another attempt. */
export function attemptText(text: string, attempt: number): string {
  const at = text.lastIndexOf(ATTEMPT_COUNT);
  return at === -1 ? text : `${text.slice(0, at)}${ATTEMPT_COUNT}${attempt}\r\n\r\n`;
}

const TE = 'te: trailers\r\nconnection: te\r\n';

export function requestText(head: RequestHead, rewrite: RequestRewrite): string {
  const { bytes } = head;
  const { host, nominated, ops } = rewrite;
  let text =
    rewrite.target === undefined
      ? `${bytes.latin1Slice(head.requestStart, head.targetEnd)} HTTP/1.1\r\n`
      : `${head.method} ${rewrite.target} HTTP/1.1\r\n`;
  if (host !== undefined) text += `host: ${host}\r\n`;
  const isPlainKept = nominated.length === 0 && ops.drop.length === 0;
  let added = '';
  let runStart = head.fieldsStart;
  for (let field = 0; field < head.fieldCount; field++) {
    const kind = head.kind(field);
    if ((kind === FieldKind.plain || kind === FieldKind.cookie) && isPlainKept) continue;
    let isKept = kind < FIRST_HOP_BY_HOP;
    switch (kind) {
      case FieldKind.host:
        isKept = host === undefined;
        break;
      case FieldKind.contentLength:
        // Leading zeros are octal to somebody: one canonical spelling goes on.
        if (bytes[head.valueStart(field)] === 0x30 && head.valueEnd(field) - head.valueStart(field) > 1) {
          isKept = false;
          added += `content-length: ${head.contentLength}\r\n`;
        }
        break;
      case FieldKind.expect:
        isKept = head.minor > 0 && head.hasBody;
        break;
      case FieldKind.identity:
        isKept = rewrite.isTrustedPeer && !head.isNamed(field, 'x-forwarded-for') && !isRestated(head, field, rewrite.appended);
        break;
      case FieldKind.underscore:
        isKept = rewrite.keepsUnderscoreNames && (rewrite.isTrustedPeer || !isIdentityInDisguise(head.name(field)));
        break;
      case FieldKind.te:
        if (added.includes(TE) || !acceptsTrailers(head.value(field))) break;
        added += TE;
        break;
      case FieldKind.maxForwards:
        // RFC 9110 §7.6.2: only OPTIONS and TRACE count it down; TRACE never comes this far.
        if (head.method === 'OPTIONS') {
          isKept = false;
          added += `max-forwards: ${Number(head.value(field)) - 1}\r\n`;
        }
        break;
      default:
        break;
    }
    if (isKept && !isPlainKept) isKept = !isDropped(ops, head, field) && !isNominated(nominated, head, field);
    if (isKept) continue;
    const lineStart = head.lineOf(field);
    if (lineStart > runStart) text += bytes.latin1Slice(runStart, lineStart);
    runStart = head.lineOf(field + 1);
  }
  text += bytes.latin1Slice(runStart, head.end - 2);
  if (head.isChunked) added += 'transfer-encoding: chunked\r\n';
  if (rewrite.isTrustedPeer) {
    const believed = head.joined('x-forwarded-for');
    added += `x-forwarded-for: ${believed === undefined ? '' : `${believed}, `}${rewrite.peerAddress}\r\n`;
    if (head.joined('x-forwarded-proto') === undefined) added += `x-forwarded-proto: ${rewrite.scheme}\r\n`;
  }
  return `${text}${added}${rewrite.appended}\r\n`;
}

/** Attempts are counted from here on: what a proxy before us counted is not what this upstream gets. */
function isRestated(head: RequestHead, field: number, appended: string): boolean {
  return head.isNamed(field, 'x-envoy-attempt-count') && appended.includes(ATTEMPT_COUNT);
}

function isNominated(nominated: readonly string[], head: RequestHead, field: number): boolean {
  return nominated.some((name) => nameIs(head.bytes, head.nameStart(field), head.nameEnd(field), name));
}

/** `X_Forwarded_For` and the like: whoever reads `_` as `-` would believe it (reliability P41). */
function isIdentityInDisguise(name: string): boolean {
  const bytes = Buffer.from(name.replaceAll('_', '-'), 'latin1');
  return fieldKind(bytes, 0, bytes.length) === FieldKind.identity;
}

/** Whether a TE field says `trailers` without parameters (RFC 9110 §10.1.4). */
export function acceptsTrailers(te: string): boolean {
  return te.split(',').some((coding) => coding.trim().toLowerCase() === 'trailers');
}
