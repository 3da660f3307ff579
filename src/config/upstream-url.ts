/** The URL of a version's process in the short form: `http://HOST:PORT` and nothing else. */
import { redactTarget } from '../telemetry/redact.ts';
import { hostProblem, isAmbiguousIpv4, isIpAddress } from './names.ts';
import { show, type Place } from './report.ts';

export interface Upstream {
  /** IP address (IPv6 without brackets) or host name in lower case. */
  readonly address: string;
  readonly port: number;
}

const FORM = /^(?<scheme>[A-Za-z][A-Za-z0-9+.-]*):\/\/(?<authority>[^/?#]*)(?<rest>.*)$/s;

/** Undefined when it is none; why is reported at `place`. */
export function parseUpstreamUrl(url: string, place: Place): Upstream | undefined {
  const found = FORM.exec(url)?.groups;
  if (found === undefined) {
    place.error('E_URL', `expected a URL, found ${show(redactTarget(url))}`, 'write http://HOST:PORT');
    return undefined;
  }
  const { scheme = '', authority = '', rest = '' } = found;
  if (scheme.toLowerCase() === 'https') {
    place.error('E_URL', 'https to a version is not possible in this release', 'use http, or terminate TLS beside the process');
    return undefined;
  }
  if (scheme.toLowerCase() !== 'http') {
    place.error('E_URL', `scheme ${scheme} cannot be routed to`, 'write http://HOST:PORT');
    return undefined;
  }
  if (authority.includes('@')) {
    place.error('E_URL', 'URL has a user or password in it', 'remove it; set an Authorization header in a VirtualService if it is needed');
    return undefined;
  }
  if (rest !== '' && rest !== '/') {
    const part = rest.startsWith('#') ? 'fragment' : rest.startsWith('?') ? 'query' : 'path';
    place.error(
      'E_URL',
      `URL has a ${part} (${show(rest)})`,
      'a version is a host and a port; change paths with rewrite in a VirtualService',
    );
    return undefined;
  }
  const parts = /^(?:\[(?<v6>[^\]]*)\]|(?<name>[^:]*))(?::(?<port>.*))?$/s.exec(authority)?.groups;
  const host = (parts?.['v6'] ?? parts?.['name'] ?? '').toLowerCase();
  if (parts === undefined || host === '') {
    place.error('E_URL', `URL ${show(url)} has no host`, 'write http://HOST:PORT');
    return undefined;
  }
  if (!isHost(host, parts['v6'] !== undefined, place)) return undefined;
  const portText = parts['port'];
  if (portText === undefined) return { address: host, port: 80 };
  const port = /^[0-9]{1,5}$/.test(portText) ? Number(portText) : 0;
  if (port < 1 || port > 65_535) {
    place.error('E_PORT', `port must be from 1 to 65535, found ${show(portText)}`);
    return undefined;
  }
  return { address: host, port };
}

function isHost(host: string, isBracketed: boolean, place: Place): boolean {
  if (isIpAddress(host)) return true;
  if (isBracketed) {
    place.error('E_ADDRESS', `${show(host)} is no IPv6 address`);
    return false;
  }
  if (isAmbiguousIpv4(host)) {
    place.error('E_ADDRESS', `${show(host)} is no canonical IPv4 address`, 'write four decimal numbers without leading zeros');
    return false;
  }
  const problem = hostProblem(host);
  if (problem === undefined) return true;
  place.error('E_HOST', `host ${show(host)} ${problem}`);
  return false;
}
