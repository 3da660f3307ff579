/**
 * Where metrics and webhooks may ask: http and https, no user in the URL, and never an address that hands out a machine's own credentials.
 *
 * Loopback and private addresses are allowed on purpose: Serin stands beside what it asks (a Prometheus on the same machine), and whoever writes
 * these files may start programs anyway. What is refused answers a plain GET with the keys of the machine: link-local addresses and the other
 * places where clouds serve metadata. A name is held against the same list each time it is resolved (app/rollouts/checks/http-call.ts).
 */
import { BlockList, isIP } from 'node:net';
import { redactTarget } from '../../telemetry/redact.ts';
import { show, type Place } from '../report.ts';

const FORBIDDEN: readonly (readonly [network: string, prefix: number, what: string])[] = [
  ['169.254.0.0', 16, 'a link-local address, where clouds serve the credentials of a machine'],
  ['100.100.100.200', 32, 'the metadata service of Alibaba Cloud'],
  ['168.63.129.16', 32, 'the platform service of Azure'],
  ['192.0.0.192', 32, 'the metadata service of Oracle Cloud'],
  ['0.0.0.0', 8, 'no address of a server'],
  ['224.0.0.0', 3, 'no address of a server'],
  ['fe80::', 10, 'a link-local address'],
  ['fd00:ec2::254', 128, 'the metadata service of AWS'],
  ['fd20:ce::254', 128, 'the metadata service of Google Cloud'],
  ['::', 128, 'no address of a server'],
  ['ff00::', 8, 'no address of a server'],
];

const LISTS = FORBIDDEN.map(([network, prefix, what]) => {
  const list = new BlockList();
  list.addSubnet(network, prefix, isIP(network) === 6 ? 'ipv6' : 'ipv4');
  return { list, what };
});

/** IPv4 inside IPv6: mapped, NAT64, 6to4. */
const EMBEDDED = [
  { prefix: '::ffff:0:0', bits: 96, at: 6 },
  { prefix: '64:ff9b::', bits: 96, at: 6 },
  { prefix: '2002::', bits: 16, at: 1 },
].map(({ prefix, bits, at }) => {
  const list = new BlockList();
  list.addSubnet(prefix, bits, 'ipv6');
  return { list, at };
});

/** Why nothing may be sent to an IP address; undefined when it may. */
export function forbiddenAddress(written: string): string | undefined {
  const address = written.replace(/%.*$/, '');
  const family = isIP(address);
  if (family === 0) return undefined;
  const found = LISTS.find(({ list }) => list.check(address, family === 6 ? 'ipv6' : 'ipv4'));
  if (found !== undefined) return found.what;
  if (family === 4) return undefined;
  const inside = EMBEDDED.find(({ list }) => list.check(address, 'ipv6'));
  return inside === undefined ? undefined : forbiddenAddress(embeddedIpv4(address, inside.at));
}

/** @param at Which of the eight groups it begins with. */
function embeddedIpv4(address: string, at: number): string {
  // The URL parser writes the short form of an address out as hexadecimal groups.
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  const high = Number.parseInt(groups[at] ?? '0', 16);
  const low = Number.parseInt(groups[at + 1] ?? '0', 16);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

export interface UrlProblem {
  readonly code: 'E_CONFIG_URL' | 'E_CONFIG_SSRF';
  readonly message: string;
  readonly hint?: string;
}

/** What is wrong with a URL to ask; undefined when nothing is. */
export function outboundUrlProblem(text: string): UrlProblem | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined)
    return { code: 'E_CONFIG_URL', message: `expected a URL, found ${show(redactTarget(text))}`, hint: 'write http://HOST:PORT/PATH' };
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return { code: 'E_CONFIG_URL', message: `scheme ${url.protocol.slice(0, -1)} cannot be asked`, hint: 'use http or https' };
  if (url.username !== '' || url.password !== '')
    return { code: 'E_CONFIG_URL', message: 'the URL has a user or password in it', hint: 'use headers or bearerToken' };
  const why = forbiddenAddress(url.hostname.replace(/^\[|\]$/g, ''));
  if (why !== undefined)
    return { code: 'E_CONFIG_SSRF', message: `${url.hostname} is ${why}; nothing is sent there`, hint: 'name the server itself' };
  return undefined;
}

/** @param text May hold `{{args.NAME}}`; then it is checked once that is filled in. */
export function checkOutboundUrl(text: string, place: Place): void {
  const problem = text.includes('{{') ? undefined : outboundUrlProblem(text);
  if (problem !== undefined) place.error(problem.code, problem.message, problem.hint);
}
