/**
 * The field names a proxy must know, told apart once while a head is scanned, so that forwarding looks at numbers and not at names.
 */
import { LOWER } from './char-class.ts';

/** Kinds below `FieldKind.firstHopByHop` are ordinary: forwarded unless a rule about that very field says otherwise. */
export const FieldKind = {
  plain: 0,
  host: 1,
  contentLength: 2,
  expect: 3,
  requestId: 4,
  via: 5,
  maxForwards: 6,
  date: 7,
  trailer: 8,
  /** `X-Forwarded-*`, `Forwarded`, `X-Real-IP`, `X-Envoy-*`, `X-Serin-*`: identity and instructions a stranger must not state (P41). */
  identity: 9,
  /** A name with `_`, which CGI-like upstreams read as `-` (P42). */
  underscore: 10,
  /** Forwarded as it is; looked into by some. */
  cookie: 11,
  /** From here on: never forwarded (RFC 9110 §7.6.1). */
  connection: 12,
  keepAlive: 13,
  proxyConnection: 14,
  te: 15,
  transferEncoding: 16,
  upgrade: 17,
} as const;

export type FieldKind = (typeof FieldKind)[keyof typeof FieldKind];

export const FIRST_HOP_BY_HOP = FieldKind.connection;

/** Whether `bytes[start, end)` equals `name` (which is in lower case), letter case aside. */
export function nameIs(bytes: Uint8Array, start: number, end: number, name: string): boolean {
  const length = name.length;
  if (end - start !== length) return false;
  for (let i = 0; i < length; i++) {
    if (LOWER[bytes[start + i] ?? 0] !== name.charCodeAt(i)) return false;
  }
  return true;
}

function nameStartsWith(bytes: Uint8Array, start: number, end: number, prefix: string): boolean {
  return end - start >= prefix.length && nameIs(bytes, start, start + prefix.length, prefix);
}

/**
 * @param bytes    The head.
 * @param start    First byte of the name.
 * @param end      One past its last byte; not empty.
 * @returns        The kind; `_` is not looked at here.
 */
export function fieldKind(bytes: Uint8Array, start: number, end: number): FieldKind {
  switch (LOWER[bytes[start] ?? 0]) {
    case 0x63: // c
      if (nameIs(bytes, start, end, 'connection')) return FieldKind.connection;
      if (nameIs(bytes, start, end, 'content-length')) return FieldKind.contentLength;
      return nameIs(bytes, start, end, 'cookie') ? FieldKind.cookie : FieldKind.plain;
    case 0x64: // d
      return nameIs(bytes, start, end, 'date') ? FieldKind.date : FieldKind.plain;
    case 0x65: // e
      return nameIs(bytes, start, end, 'expect') ? FieldKind.expect : FieldKind.plain;
    case 0x66: // f
      return nameIs(bytes, start, end, 'forwarded') ? FieldKind.identity : FieldKind.plain;
    case 0x68: // h
      return nameIs(bytes, start, end, 'host') ? FieldKind.host : FieldKind.plain;
    case 0x6b: // k
      return nameIs(bytes, start, end, 'keep-alive') ? FieldKind.keepAlive : FieldKind.plain;
    case 0x6d: // m
      return nameIs(bytes, start, end, 'max-forwards') ? FieldKind.maxForwards : FieldKind.plain;
    case 0x70: // p
      return nameIs(bytes, start, end, 'proxy-connection') ? FieldKind.proxyConnection : FieldKind.plain;
    case 0x74: // t
      if (nameIs(bytes, start, end, 'te')) return FieldKind.te;
      if (nameIs(bytes, start, end, 'transfer-encoding')) return FieldKind.transferEncoding;
      return nameIs(bytes, start, end, 'trailer') ? FieldKind.trailer : FieldKind.plain;
    case 0x75: // u
      return nameIs(bytes, start, end, 'upgrade') ? FieldKind.upgrade : FieldKind.plain;
    case 0x76: // v
      return nameIs(bytes, start, end, 'via') ? FieldKind.via : FieldKind.plain;
    case 0x78: // x
      if (nameIs(bytes, start, end, 'x-request-id')) return FieldKind.requestId;
      return isIdentity(bytes, start, end) ? FieldKind.identity : FieldKind.plain;
    default:
      return FieldKind.plain;
  }
}

/** `FieldKind.identity` of a name in lower case. */
export function isIdentityName(name: string): boolean {
  if (!name.startsWith('x-')) return name === 'forwarded';
  return name.startsWith('x-forwarded-') || name.startsWith('x-envoy-') || name.startsWith('x-serin-') || name === 'x-real-ip';
}

function isIdentity(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    nameStartsWith(bytes, start, end, 'x-forwarded-') ||
    nameStartsWith(bytes, start, end, 'x-envoy-') ||
    nameStartsWith(bytes, start, end, 'x-serin-') ||
    nameIs(bytes, start, end, 'x-real-ip')
  );
}
