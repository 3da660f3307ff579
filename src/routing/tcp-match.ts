/** Which rule takes a connection that is passed on as bytes. */
import { BlockList, isIPv6 } from 'node:net';
import type { Listener, TcpMatch, TcpRoute } from './table.ts';

/** What is known of a connection before its first byte is passed on. */
export interface ConnectionView {
  /** Of its ClientHello, lower case; undefined where there is none. */
  readonly serverName: string | undefined;
  /** Where it came in. */
  readonly localAddress: string;
  readonly peerAddress: string;
}

export interface TcpHit {
  readonly route: TcpRoute;
  /** How exact the server name it was taken by is (`patternExactness`). */
  readonly exactness: number;
}

/** Of every kind, for those who only look at where they lead. */
export function tcpRoutesOf({ tcp = [], passthrough = [], tls = [] }: Listener): readonly TcpRoute[] {
  return [...tcp, ...passthrough, ...tls.flatMap((site) => site.tcp ?? [])];
}

/** The first route that holds, of those with the most exact server name. */
export function matchTcp(routes: readonly TcpRoute[], view: ConnectionView): TcpHit | undefined {
  let best: TcpHit | undefined;
  for (const route of routes) {
    for (const match of route.matches) {
      const exactness = holds(match, view);
      if (exactness > (best?.exactness ?? -1)) best = { route, exactness };
    }
  }
  return best;
}

/** -1 where the block does not hold. */
function holds({ serverNames, destinationSubnets, sourceSubnet, never }: TcpMatch, view: ConnectionView): number {
  if (never !== undefined) return -1;
  if (sourceSubnet !== undefined && !isWithin(view.peerAddress, sourceSubnet)) return -1;
  if (destinationSubnets?.some((subnet) => isWithin(view.localAddress, subnet)) === false) return -1;
  if (serverNames === undefined) return 0;
  return Math.max(...serverNames.map((pattern) => nameExactness(pattern, view.serverName ?? '')));
}

/** How exact a pattern is for a name: more for more. -1 where it does not fit. `*.example.com` is not example.com (gateway.proto). */
function nameExactness(pattern: string, name: string): number {
  const isWithinWildcard = pattern.startsWith('*.') && name.endsWith(pattern.slice(1)) && name.length >= pattern.length;
  return pattern === '*' || (pattern === name && name !== '') || isWithinWildcard ? patternExactness(pattern) : -1;
}

/** Of a pattern by itself: an exact name beats the longest wildcard beats `*`. */
export function patternExactness(pattern: string): number {
  if (pattern === '*') return 0;
  return pattern.startsWith('*') ? pattern.length : Number.MAX_SAFE_INTEGER;
}

/** IPv4 addresses as themselves, also on a socket of both families. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

function isWithin(address: string, subnet: string): boolean {
  const [network = '', bits] = subnet.split('/');
  const family = isIPv6(network) ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  if (bits === undefined) list.addAddress(network, family);
  else list.addSubnet(network, Number(bits), family);
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

export function describeTcpMatch({ serverNames, destinationSubnets, sourceSubnet }: TcpMatch): string {
  const parts = [
    ...(serverNames === undefined ? [] : [`SNI ${serverNames.join(' or ')}`]),
    ...(destinationSubnets === undefined ? [] : [`to ${destinationSubnets.join(' or ')}`]),
    ...(sourceSubnet === undefined ? [] : [`from ${sourceSubnet}`]),
  ];
  return parts.join(' and ') || 'any connection';
}
