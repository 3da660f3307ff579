/** The rules of ServiceEntry and WorkloadEntry, as Istio's webhook has them. */
import { hostProblem, isAmbiguousIpv4, isDns1123Label, isIpAddress, isIpSubnet } from '../names.ts';
import { resolveHost } from '../hosts.ts';
import { RUN_ANNOTATION, type ObjectMeta } from '../resources.ts';
import { show, type Place } from '../report.ts';
import { checkSelector } from './destination-rule.ts';
import type { ParsedServiceEntry, ParsedWorkloadEntry } from './service-entry-schema.ts';
import { checkExportTo, checkHost, checkLabels, checkPort, HTTP_PROTOCOLS, isKnownProtocol, TLS_PROTOCOLS } from './values.ts';

const UNIX = 'unix://';

export function checkWorkloadEntry(spec: ParsedWorkloadEntry, place: Place): void {
  checkWorkload(spec, place, { allowNames: true });
}

interface WorkloadRules {
  /** Host names as well as addresses (DNS, or not known yet). */
  readonly allowNames: boolean;
  /** Port names of the service; absent when the service is not known. */
  readonly portNames?: ReadonlySet<string>;
}

function checkWorkload(spec: ParsedWorkloadEntry, place: Place, rules: WorkloadRules): void {
  const { address = '', network = '', ports = {} } = spec;
  const at = place.at('address');
  if (address === '') {
    if (network === '') place.error('E_REQUIRED', 'address is required');
    else place.warn('W_INEFFECTIVE', 'an endpoint without address cannot be reached from here');
  } else if (address.startsWith(UNIX)) {
    const path = address.slice(UNIX.length);
    if (!/^[/@]/.test(path) || path.endsWith('/')) at.error('E_ADDRESS', `${show(address)} is no absolute path to a socket`);
    if (spec.ports !== undefined) place.at('ports').error('E_ADDRESS', 'a unix endpoint has no ports');
    at.warn('W_NOT_HONOURED', 'unix sockets are not connected to in this release; the endpoint is left out');
  } else if (!isIpAddress(address)) {
    if (isAmbiguousIpv4(address))
      at.error('E_ADDRESS', `${show(address)} is no canonical IPv4 address`, 'write four decimal numbers without leading zeros');
    else if (!rules.allowNames)
      at.error('E_ADDRESS', `resolution STATIC needs an IP address, found ${show(address)}`, 'use an address, or resolution: DNS');
    else {
      const problem = hostProblem(address);
      if (problem !== undefined) at.error('E_ADDRESS', `address ${show(address)} ${problem}`, 'use an IP address or a full host name');
    }
  }
  const portEntries = Object.entries(ports);
  if (portEntries.length > 128) place.at('ports').error('E_RANGE', `number of ports must be <= 128, found ${portEntries.length}`);
  for (const [name, port] of portEntries) {
    const portPlace = place.at('ports').at(name);
    if (name.length >= 63 || !isDns1123Label(name.toLowerCase()))
      portPlace.keyError('E_NAME', `port name ${show(name)} is not a DNS label`);
    else if (rules.portNames?.has(name) === false) {
      portPlace.keyError('E_REF', `port ${show(name)} is no port of the service`, `its ports: ${[...rules.portNames].join(', ')}`);
    }
    checkPort(port, portPlace);
  }
  if (Object.keys(spec.labels ?? {}).length > 256) place.at('labels').error('E_RANGE', 'number of labels must be <= 256');
  checkLabels(spec.labels, place.at('labels'));
}

export function checkServiceEntry(spec: ParsedServiceEntry, place: Place, namespace: string, metadata: ObjectMeta | undefined): void {
  const { hosts, addresses = [], ports = [], resolution = 'NONE', endpoints, workloadSelector } = spec;
  const seenHosts = new Set<string>();
  for (const [index, host] of hosts.entries()) {
    const at = place.at('hosts').at(index);
    checkHost(host, at, false);
    const full = resolveHost(host, namespace);
    if (seenHosts.has(full)) at.warn('W_INEFFECTIVE', `host ${show(host)} is given twice`);
    seenHosts.add(full);
  }
  for (const [index, address] of addresses.entries()) {
    if (!isIpSubnet(address))
      place
        .at('addresses')
        .at(index)
        .error('E_ADDRESS', `${show(address)} is no IP address or subnet`);
    else if (address.includes('/') && resolution !== 'NONE' && resolution !== 'STATIC') {
      place.at('addresses').at(index).error('E_RESOLUTION', `a subnet needs resolution NONE or STATIC, found ${resolution}`);
    }
  }
  const portNames = checkPorts(ports, place.at('ports'));
  if (workloadSelector !== undefined) {
    if (endpoints !== undefined)
      place.at('endpoints').error('E_ONE_OF', 'a ServiceEntry cannot have both endpoints and workloadSelector', 'keep one of them');
    if (Object.keys(workloadSelector.labels ?? {}).length > 256)
      place.at('workloadSelector').error('E_RANGE', 'number of labels must be <= 256');
    checkSelector(workloadSelector.labels, place.at('workloadSelector').at('labels'));
  }
  checkResolution(spec, place, portNames, metadata?.annotations?.[RUN_ANNOTATION] !== undefined);
  if (resolution !== 'NONE' && hosts.length > 1) {
    const index = ports.findIndex(
      ({ protocol = '' }) => !HTTP_PROTOCOLS.has(protocol.toUpperCase()) && !TLS_PROTOCOLS.has(protocol.toUpperCase()),
    );
    if (index !== -1)
      place
        .at('ports')
        .at(index)
        .error('E_PROTOCOL', 'several hosts need ports of protocol HTTP or TLS', 'set protocol: HTTP, or split the ServiceEntry');
  }
  checkExportTo(spec.exportTo, place.at('exportTo'), namespace, true);
  if (metadata !== undefined && ports.length === 0)
    place.warn('W_INEFFECTIVE', 'a service without ports cannot be reached', 'add ports: [{ number: 80, name: http, protocol: HTTP }]');
}

function checkPorts(ports: NonNullable<ParsedServiceEntry['ports']>, place: Place): ReadonlySet<string> {
  const names = new Set<string>();
  const numbers = new Set<number>();
  for (const [index, port] of ports.entries()) {
    const at = place.at(index);
    if (names.has(port.name)) at.at('name').error('E_DUPLICATE', `port name ${show(port.name)} is given twice`);
    names.add(port.name);
    if (numbers.has(port.number)) at.at('number').error('E_DUPLICATE', `port ${port.number} is given twice`);
    numbers.add(port.number);
    if (!isDns1123Label(port.name)) at.at('name').error('E_NAME', `port name ${show(port.name)} is not a DNS label`);
    checkPort(port.number, at.at('number'));
    checkPort(port.targetPort, at.at('targetPort'));
    const protocol = (port.protocol ?? '').toUpperCase();
    if (protocol !== '' && !isKnownProtocol(protocol)) {
      at.at('protocol').error('E_PROTOCOL', `unknown protocol ${show(port.protocol)}`, 'use HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS');
    } else if (protocol !== '' && !HTTP_PROTOCOLS.has(protocol)) {
      at.at('protocol').warn(
        'W_NOT_HONOURED',
        `protocol ${protocol} is reached through the tcp and tls rules of Gateways; the mesh listener takes what comes to it for HTTP`,
        protocol === 'HTTPS' ? 'TLS is spoken to its endpoints where a DestinationRule says so' : undefined,
      );
    }
  }
  return names;
}

function checkResolution(spec: ParsedServiceEntry, place: Place, portNames: ReadonlySet<string>, isRun: boolean): void {
  const { hosts, resolution = 'NONE', endpoints = [], workloadSelector } = spec;
  const at = place.at('resolution');
  if (isRun && resolution !== 'STATIC' && resolution !== 'DNS')
    at.error('E_RESOLUTION', `${RUN_ANNOTATION} needs resolution STATIC or DNS, found ${resolution}`, 'use resolution: STATIC');
  switch (resolution) {
    case 'NONE':
      if (spec.endpoints !== undefined)
        place.at('endpoints').error('E_RESOLUTION', 'resolution NONE takes no endpoints', 'use resolution: STATIC or DNS');
      if (workloadSelector !== undefined)
        place.at('workloadSelector').warn('W_INEFFECTIVE', 'resolution NONE does not use workloadSelector', 'use resolution: STATIC');
      at.warn(
        'W_NOT_HONOURED',
        'resolution NONE has no endpoints to send to in this release: there is no original destination here',
        'use resolution: STATIC or DNS',
      );
      return;
    case 'DYNAMIC_DNS':
      at.warn('W_NOT_HONOURED', 'resolution DYNAMIC_DNS has no effect in this release: names under the wildcard are not resolved');
      return;
    case 'STATIC':
      if (endpoints.length === 0 && workloadSelector === undefined && !isRun)
        at.warn('W_INEFFECTIVE', 'resolution STATIC without endpoints has nothing to send to', 'add endpoints or workloadSelector');
      for (const [index, endpoint] of endpoints.entries())
        checkWorkload(endpoint, place.at('endpoints').at(index), { allowNames: false, portNames });
      return;
    case 'DNS':
    case 'DNS_ROUND_ROBIN':
      if (endpoints.length === 0 && workloadSelector === undefined && !isRun) {
        for (const [index, host] of hosts.entries()) {
          if (host.includes('*'))
            place
              .at('hosts')
              .at(index)
              .error('E_RESOLUTION', `host ${show(host)} cannot be looked up: resolution ${resolution} without endpoints needs full names`);
        }
      }
      if (resolution === 'DNS_ROUND_ROBIN' && endpoints.length > 1) {
        place.at('endpoints').error('E_RESOLUTION', `resolution DNS_ROUND_ROBIN takes at most one endpoint, found ${endpoints.length}`);
      }
      for (const [index, endpoint] of endpoints.entries())
        checkWorkload(endpoint, place.at('endpoints').at(index), { allowNames: true, portNames });
  }
}
