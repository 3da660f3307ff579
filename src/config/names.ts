/**
 * Names and addresses by their rules: DNS-1123 labels and subdomains (Kubernetes), host names with a leftmost wildcard (Istio), IP addresses
 * in canonical form only. Pure predicates, linear time.
 */
import { isIP, isIPv4, isIPv6 } from 'node:net';

const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const HOST_LABEL = /^[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/;

/** RFC 1123 label in lower case, at most 63 characters. */
export function isDns1123Label(text: string): boolean {
  return text.length <= 63 && LABEL.test(text);
}

/** RFC 1123 subdomain in lower case, at most 253 characters: what Kubernetes takes as a name. */
export function isDns1123Subdomain(text: string): boolean {
  return text.length <= 253 && text.split('.').every(isDns1123Label);
}

/** Why `text` is no host name (RFC 1123 labels; a trailing dot is allowed); undefined when it is one. */
export function hostProblem(text: string): string | undefined {
  if (text === '') return 'is empty';
  if (text.length > 255) return `has ${text.length} characters, 255 are allowed`;
  if (/[^\x00-\x7f]/.test(text)) return `has letters outside ASCII; write it as ${toPunycode(text)}`;
  const labels = (text.endsWith('.') ? text.slice(0, -1) : text).split('.');
  for (const label of labels) {
    if (label === '') return 'has an empty label between dots';
    if (label.length > 63) return `has a label of ${label.length} characters, 63 are allowed`;
    if (!HOST_LABEL.test(label)) return `has the label ${JSON.stringify(label)}, which is not letters, digits and inner -`;
  }
  return undefined;
}

/** As `hostProblem`, but the first label may be `*` or begin with it (`*.example.com`, `*`, `*foo.example.com`), as Istio's webhook allows. */
export function wildcardHostProblem(text: string): string | undefined {
  if (text === '*') return undefined;
  const star = text.indexOf('*');
  if (star === -1) return hostProblem(text);
  if (text.lastIndexOf('*') !== star || star !== 0) return 'has a * anywhere but at the very left';
  if (text.startsWith('*.')) return hostProblem(text.slice(2));
  return hostProblem(`x${text.slice(1)}`) === undefined ? undefined : hostProblem(text.slice(1));
}

function toPunycode(text: string): string {
  const found = URL.parse(`http://${text}/`)?.hostname;
  return found === undefined || found === '' ? 'punycode (xn--…)' : found;
}

/** An IPv4 address of four plain decimal numbers, or an IPv6 address without a zone. `0177.0.0.1` and `127.1` are neither. */
export function isIpAddress(text: string): boolean {
  return isIPv4(text) || (isIPv6(text) && !text.includes('%'));
}

/** Digits and dots only (or 0x…) but no canonical IPv4 address: what some resolvers read as one and others as a name. */
export function isAmbiguousIpv4(text: string): boolean {
  return /^(?:0x[0-9a-f]+|[0-9]+)(?:\.(?:0x[0-9a-f]+|[0-9]+))*\.?$/i.test(text) && !isIPv4(text);
}

/** An address, or an address with a prefix length (`10.0.0.0/8`). */
export function isIpSubnet(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash === -1) return isIpAddress(text);
  const address = text.slice(0, slash);
  const length = text.slice(slash + 1);
  if (!isIpAddress(address) || !/^(?:0|[1-9][0-9]{0,2})$/.test(length)) return false;
  return Number(length) <= (isIP(address) === 4 ? 32 : 128);
}
