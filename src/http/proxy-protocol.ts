/**
 * What a proxy says of its client before the first byte of a connection (the PROXY protocol, versions 1 and 2; haproxy.org, doc/proxy-protocol.txt).
 */
import { isIP } from 'node:net';

export type ProxyProtocolVersion = 'V1' | 'V2';

/** Both ends of a client's connection, as the proxy sees it. */
export interface ProxiedAddresses {
  readonly source: { readonly address: string; readonly port: number };
  readonly destination: { readonly address: string; readonly port: number };
}

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** Version 2 in the upper half. */
const LOCAL = 0x20;
const PROXY = 0x21;
const TCP4 = 0x11;
const TCP6 = 0x21;

/** @param addresses  Undefined where the connection is the proxy's own: a health check, a copy. */
export function proxyHeader(version: ProxyProtocolVersion, addresses: ProxiedAddresses | undefined): Buffer {
  const family = addresses === undefined ? 0 : familyOf(addresses);
  return version === 'V1' ? Buffer.from(textHeader(family, addresses), 'latin1') : binaryHeader(family, addresses);
}

/** 4 or 6; 0 where the two are not of one kind, which the protocol has no way to say. */
function familyOf({ source, destination }: ProxiedAddresses): number {
  const family = isIP(source.address);
  return family === isIP(destination.address) ? family : 0;
}

function textHeader(family: number, addresses: ProxiedAddresses | undefined): string {
  if (addresses === undefined || family === 0) return 'PROXY UNKNOWN\r\n';
  const { source, destination } = addresses;
  return `PROXY TCP${family} ${plain(source.address)} ${plain(destination.address)} ${source.port} ${destination.port}\r\n`;
}

function binaryHeader(family: number, addresses: ProxiedAddresses | undefined): Buffer {
  if (addresses === undefined || family === 0) return Buffer.concat([SIGNATURE, Buffer.from([LOCAL, 0, 0, 0])]);
  const { source, destination } = addresses;
  const bytes = family === 4 ? ipv4Bytes : ipv6Bytes;
  const body = [...bytes(source.address), ...bytes(destination.address), ...twoBytes(source.port), ...twoBytes(destination.port)];
  return Buffer.concat([SIGNATURE, Buffer.from([PROXY, family === 4 ? TCP4 : TCP6, ...twoBytes(body.length), ...body])]);
}

/** Without the zone of a link-local address, which is of this machine only. */
function plain(address: string): string {
  return address.replace(/%.*/, '');
}

function ipv4Bytes(address: string): readonly number[] {
  return address.split('.').map(Number);
}

function ipv6Bytes(address: string): readonly number[] {
  // The canonical form has no dotted end.
  const [head = '', tail] = new URL(`http://[${plain(address)}]`).hostname.slice(1, -1).split('::');
  const before = groups(head);
  const after = groups(tail ?? '');
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return [...before, ...zeros, ...after].flatMap(twoBytes);
}

function groups(text: string): readonly number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}

function twoBytes(value: number): readonly number[] {
  return [value >> 8, value & 0xff];
}
