/**
 * The rules of Service, EndpointSlice and ConfigMap, as an API server has them for the fields Serin uses (kubernetes/kubernetes pkg/apis/core and
 * pkg/apis/discovery validation, v1.36).
 */
import { isIPv4, isIPv6 } from 'node:net';
import { isDns1123Label, isDns1123Subdomain, isIpAddress } from '../names.ts';
import { show, type Place } from '../report.ts';
import type { ParsedConfigMap, ParsedEndpointSlice, ParsedService } from './schemas.ts';

export function checkService({ spec = {} }: ParsedService, document: Place): void {
  const place = document.at('spec');
  const { type = 'ClusterIP', externalName, ports = [], clusterIP, sessionAffinity } = spec;
  if (sessionAffinity === 'ClientIP')
    place
      .at('sessionAffinity')
      .warn(
        'W_NOT_HONOURED',
        'sessionAffinity ClientIP has no effect in this release',
        'use sessionPersistence of a route, or consistentHash of a DestinationRule',
      );
  if (type === 'ExternalName') {
    const at = place.at('externalName');
    if (externalName === undefined) place.error('E_REQUIRED', 'a Service of type ExternalName needs externalName');
    else if (!isDns1123Subdomain(externalName.endsWith('.') ? externalName.slice(0, -1) : externalName))
      at.error('E_HOST', `expected a host name, found ${show(externalName)}`, 'lower-case letters, digits, - and .');
  } else if (ports.length === 0 && clusterIP !== 'None') {
    place.error('E_REQUIRED', 'a Service needs at least one port', 'or clusterIP: None');
  }
  const names = new Map<string, number>();
  const numbers = new Map<string, number>();
  for (const [index, { name = '', port, protocol = 'TCP', targetPort }] of ports.entries()) {
    const at = place.at('ports').at(index);
    if (name === '' && ports.length > 1) at.at('name').error('E_REQUIRED', 'each of several ports needs a name');
    else if (name !== '' && !isDns1123Label(name))
      at.at('name').error('E_NAME', `port name ${show(name)} is not a DNS label`, 'use at most 63 lower-case letters, digits and -');
    duplicate(names, name, index, at.at('name'), `port name ${show(name)}`);
    duplicate(numbers, `${port} ${protocol}`, index, at.at('port'), `port ${port} of ${protocol}`);
    if (typeof targetPort === 'number' ? targetPort < 1 || targetPort > 65_535 : targetPort !== undefined && !isPortName(targetPort))
      at.at('targetPort').error('E_PORT', `expected a port or the name of one, found ${show(targetPort)}`);
  }
}

function duplicate(seen: Map<string, number>, key: string, index: number, place: Place, what: string): void {
  if (key === '') return;
  const earlier = seen.get(key);
  if (earlier === undefined) seen.set(key, index);
  else place.error('E_DUPLICATE', `${what} is that of ports[${earlier}] too`, 'keep one of them');
}

/** IANA service name (RFC 6335 §5.1): what a container calls its port. */
function isPortName(text: string): boolean {
  return text.length <= 15 && /^[a-z0-9](?:-?[a-z0-9])*$/.test(text) && /[a-z]/.test(text);
}

export function checkEndpointSlice({ addressType, endpoints, ports }: ParsedEndpointSlice, place: Place): void {
  for (const [index, { addresses }] of (endpoints ?? []).entries()) {
    for (const [which, address] of addresses.entries()) {
      const at = place.at('endpoints').at(index).at('addresses').at(which);
      const isGood =
        addressType === 'FQDN'
          ? isDns1123Subdomain(address) && !isIpAddress(address)
          : isIpAddress(address) && (addressType === 'IPv4' ? isIPv4(address) : isIPv6(address));
      if (!isGood)
        at.error('E_ADDRESS', `expected an address of type ${addressType}, found ${show(address)}`, 'a slice has addresses of one type');
    }
  }
  const names = new Map<string, number>();
  for (const [index, { name = '' }] of (ports ?? []).entries()) {
    const at = place.at('ports').at(index).at('name');
    if (name !== '' && !isDns1123Label(name))
      at.error('E_NAME', `port name ${show(name)} is not a DNS label`, 'use at most 63 lower-case letters, digits and -');
    const earlier = names.get(name);
    if (earlier === undefined) names.set(name, index);
    else at.error('E_DUPLICATE', `port name ${show(name)} is that of ports[${earlier}] too`, 'keep one of them');
  }
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export function checkConfigMap({ data, binaryData }: ParsedConfigMap, place: Place): void {
  for (const [field, entries] of [
    ['data', data],
    ['binaryData', binaryData],
  ] as const) {
    for (const [key, value] of Object.entries(entries ?? {})) {
      const at = place.at(field).at(key);
      if (!/^[-._a-zA-Z0-9]{1,253}$/.test(key) || key === '.' || key.startsWith('..'))
        at.keyError('E_NAME', `key ${show(key)} is malformed`, 'letters, digits, -, _ and ., as in the name of a file');
      if (field === 'binaryData' && !BASE64.test(value.replace(/\s+/g, '')))
        at.error('E_TYPE', `the value of ${key} is not base64`, 'put plain text under data');
      if (field === 'binaryData' && Object.hasOwn(data ?? {}, key))
        at.keyError('E_DUPLICATE', `key ${show(key)} stands in data too`, 'keep one of them');
    }
  }
}
