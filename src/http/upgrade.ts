/**
 * Upgrades to another protocol on the same connection (RFC 9110 §7.8), as far as a proxy passes them on (reliability P58, P59).
 *
 * What a client asks for is passed on only where nobody can take it for something else: a GET without a body, with a protocol that is on the list. Any other
 * Upgrade field is hop-by-hop like the rest, and the request goes on as plain HTTP.
 */
import { FieldKind } from './field-kind.ts';
import type { Head } from './head.ts';
import type { RequestHead } from './request-head.ts';
import type { ResponseHead } from './response-head.ts';

/** 16 bytes in base64 (RFC 6455 §4.1). */
const WEBSOCKET_KEY = /^[A-Za-z0-9+/]{22}==$/;

/**
 * @param allowed  Names of protocols in lower case.
 * @returns        The first of those asked for that is allowed; `none` where there is none, `bad` where it must not be asked for like this.
 */
export function upgradeAsked(head: RequestHead, allowed: readonly string[]): { readonly protocol: string } | 'none' | 'bad' {
  if (!head.hasUpgrade || !head.hasConnectionOptions || head.minor === 0 || !hasUpgradeOption(head)) return 'none';
  const protocol = protocols(head.joined('upgrade') ?? '').find((name) => allowed.includes(name));
  if (protocol === undefined) return 'none';
  // RFC 6455 §4.1: a WebSocket begins with a GET.
  if (head.method !== 'GET') return protocol === 'websocket' ? 'bad' : 'none';
  // Also of length 0: who counts a body and who does not would disagree about where the new protocol begins.
  if (head.isChunked || head.contentLength !== -1) return 'bad';
  if (protocol === 'websocket' && !WEBSOCKET_KEY.test(head.joined('sec-websocket-key') ?? '')) return 'bad';
  return { protocol };
}

/** Whether a 101 agrees to this protocol and no other. */
export function agreesToUpgrade(head: ResponseHead, protocol: string): boolean {
  return head.upgradeField !== -1 && hasUpgradeOption(head) && protocols(head.joined('upgrade') ?? '').join() === protocol;
}

/** The lines that go on in place of the ones that came. */
export function upgradeLines(protocol: string): string {
  return `connection: upgrade\r\nupgrade: ${protocol}\r\n`;
}

function protocols(value: string): readonly string[] {
  return value.split(',').map((name) => name.trim().toLowerCase());
}

function hasUpgradeOption(head: Head): boolean {
  for (let field = 0; field < head.fieldCount; field++) {
    if (head.kind(field) === FieldKind.connection && protocols(head.value(field)).includes('upgrade')) return true;
  }
  return false;
}
