/** Checks of single values that several kinds share. Each reports at the place it is given. */
import { parseDuration } from '../../base/duration.ts';
import { hostProblem, isDns1123Label, isIpAddress, wildcardHostProblem } from '../names.ts';
import { show, type Place } from '../report.ts';

/** At least 1 ms and in whole milliseconds, as Istio's ValidateDuration has it; `minMs` 0 also allows `0s`. */
export function checkDuration(text: string | undefined, place: Place, minMs = 1): void {
  if (text === undefined) return;
  const ms = parseDuration(text);
  if (ms === undefined) {
    place.error('E_DURATION', `expected a duration, found ${show(text)}`, 'use a number with a unit: 500ms, 30s, 5m or 2h');
  } else if (ms < minMs) {
    place.error('E_DURATION', `duration ${text} must be >= 1ms`);
  } else if (!Number.isInteger(ms)) {
    place.error('E_DURATION', `duration ${text} is finer than a millisecond`, 'round it to whole milliseconds');
  }
}

export function checkPort(port: number | undefined, place: Place): void {
  if (port !== undefined && (port < 1 || port > 65_535)) place.error('E_PORT', `port must be from 1 to 65535, found ${port}`);
}

/** A host that traffic is for or goes to: a short or full name, a leftmost wildcard where `*` alone is refused with `allowAny` false. */
export function checkHost(host: string, place: Place, allowAny = true): void {
  if (host === '') place.error('E_HOST', 'host is empty');
  else if (host === '*' && !allowAny) place.error('E_HOST', 'host * is not allowed here', 'name the service');
  else {
    const problem = wildcardHostProblem(host);
    if (problem !== undefined) place.error('E_HOST', `host ${show(host)} ${problem}`);
  }
}

/** Label keys and values as Istio's labels.Instance.Validate has them. */
export function checkLabels(labels: Readonly<Record<string, string>> | undefined, place: Place): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    const slash = key.indexOf('/');
    const prefix = slash === -1 ? undefined : key.slice(0, slash);
    const name = key.slice(slash + 1);
    const isPrefix = prefix === undefined || (prefix.length <= 253 && prefix.split('.').every(isDns1123Label));
    if (!isPrefix || !LABEL_PART.test(name))
      place.at(key).keyError('E_NAME', `label key ${show(key)} is malformed`, 'letters, digits, -, _ and ., at most 63');
    if (value !== '' && !LABEL_PART.test(value)) {
      place.at(key).error('E_NAME', `label value ${show(value)} is malformed`, 'letters, digits, -, _ and ., at most 63');
    }
  }
}

const LABEL_PART = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

/** `.`, `*` or namespaces, each once; `~` (nobody) for services only. */
export function checkExportTo(exportTo: readonly string[] | undefined, place: Place, namespace: string, isService: boolean): void {
  if (exportTo === undefined) return;
  const seen = new Set<string>();
  for (const [index, entry] of exportTo.entries()) {
    const key = entry === '.' ? namespace : entry;
    if (seen.has(key))
      place.at(index).error('E_EXPORT_TO', `exportTo names ${show(entry)} twice${entry === key ? '' : ` (. is ${namespace})`}`);
    seen.add(key);
    const isKnown = entry === '.' || entry === '*' || (entry === '~' && isService) || isDns1123Label(entry);
    if (!isKnown)
      place.at(index).error('E_EXPORT_TO', `exportTo entry ${show(entry)} is no namespace`, 'use ".", "*" or the name of a namespace');
  }
  if (exportTo.length > 1 && (seen.has('*') || seen.has('~'))) {
    place.error('E_EXPORT_TO', `exportTo cannot name ${seen.has('*') ? '"*" (all)' : '"~" (nobody)'} and others`);
  }
}

/** `namespace/name`, `mesh`, a bare name or, as it once was, a full name. */
export function checkGatewayNames(gateways: readonly string[] | undefined, place: Place): void {
  for (const [index, gateway] of (gateways ?? []).entries()) {
    const at = place.at(index);
    const slash = gateway.indexOf('/');
    if (slash === -1) {
      const problem = hostProblem(gateway);
      if (problem !== undefined) at.error('E_NAME', `gateway name ${show(gateway)} ${problem}`, 'use NAMESPACE/NAME, NAME or mesh');
      else if (gateway.includes('.')) {
        const [name = '', space = ''] = gateway.split('.');
        at.warn('W_DEPRECATED', `gateway name ${show(gateway)} has the old form`, `write ${space}/${name}`);
      }
      continue;
    }
    const space = gateway.slice(0, slash);
    const name = gateway.slice(slash + 1);
    if (!isDns1123Label(space))
      at.error('E_NAME', `${show(space)} in gateway ${show(gateway)} is no namespace`, 'use NAMESPACE/NAME, NAME or mesh');
    if (!isDns1123Label(name))
      at.error('E_NAME', `${show(name)} in gateway ${show(gateway)} is no Gateway name`, 'use NAMESPACE/NAME, NAME or mesh');
  }
}

export function isFqdnOrIp(text: string): boolean {
  return isIpAddress(text) || hostProblem(text) === undefined;
}

/** Protocols Istio knows (pkg/config/protocol), in upper case. */
export const HTTP_PROTOCOLS: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB']);
export const TLS_PROTOCOLS: ReadonlySet<string> = new Set(['HTTPS', 'TLS']);
const OTHER_PROTOCOLS: ReadonlySet<string> = new Set(['TCP', 'UDP', 'MONGO', 'REDIS', 'MYSQL', 'HBONE']);

export function isKnownProtocol(protocol: string): boolean {
  const name = protocol.toUpperCase();
  return HTTP_PROTOCOLS.has(name) || TLS_PROTOCOLS.has(name) || OTHER_PROTOCOLS.has(name);
}
