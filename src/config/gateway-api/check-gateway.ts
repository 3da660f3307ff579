/** The rules of Gateway and ListenerSet, as their custom resource definitions have them in CEL. */
import { isIpAddress } from '../names.ts';
import { show, type Place } from '../report.ts';
import { checkEntries, checkQualifiedKeys, checkUnique } from './check-values.ts';
import { HOSTNAME } from './fields.ts';
import type { ParsedGatewayApiGateway, ParsedListener, ParsedListenerSet } from './gateway-schema.ts';

export function checkGatewayApiGateway(spec: ParsedGatewayApiGateway, place: Place): void {
  checkListeners(spec.listeners, place.at('listeners'));
  checkAddresses(spec.addresses ?? [], place.at('addresses'));
  const { labels, annotations } = spec.infrastructure ?? {};
  const infrastructure = place.at('infrastructure');
  checkEntries(labels, 8, infrastructure.at('labels'));
  checkQualifiedKeys(labels, infrastructure.at('labels'));
  checkEntries(annotations, 16, infrastructure.at('annotations'));
  checkQualifiedKeys(annotations, infrastructure.at('annotations'));
  const perPort = place.at('tls').at('frontend').at('perPort');
  checkUnique(spec.tls?.frontend?.perPort, ({ port }) => port, perPort, { what: 'port', field: 'port' });
}

export function checkListenerSet(spec: ParsedListenerSet, place: Place): void {
  checkListeners(spec.listeners, place.at('listeners'));
}

function checkListeners(listeners: readonly ParsedListener[], place: Place): void {
  checkUnique(listeners, ({ name }) => name, place, { what: 'listener name', field: 'name' });
  const seen = new Map<string, number>();
  for (const [index, listener] of listeners.entries()) {
    const at = place.at(index);
    checkListener(listener, at);
    const { port, protocol, hostname } = listener;
    const key = `${port} ${protocol} ${hostname ?? ''}`;
    const earlier = seen.get(key);
    if (earlier === undefined) seen.set(key, index);
    else {
      const hosts = hostname === undefined ? 'all hosts' : `host ${show(hostname)}`;
      at.error(
        'E_DUPLICATE',
        `port ${port}, protocol ${show(protocol)} and ${hosts} are those of listeners[${earlier}] too`,
        'give one of them another port or hostname',
      );
    }
  }
}

const WITHOUT_TLS: ReadonlySet<string> = new Set(['HTTP', 'TCP', 'UDP']);

function checkListener({ protocol, hostname, tls }: ParsedListener, place: Place): void {
  const at = place.at('tls');
  if (hostname !== undefined && (protocol === 'TCP' || protocol === 'UDP'))
    place.at('hostname').error('E_HOST', `a listener of protocol ${protocol} cannot have a hostname`, 'leave it out');
  if (tls === undefined) {
    if (protocol === 'TLS')
      place.error('E_TLS', 'a listener of protocol TLS needs tls', 'add tls: { mode: Passthrough }, or certificateRefs');
    return;
  }
  const { mode = 'Terminate', certificateRefs = [], options = {} } = tls;
  if (WITHOUT_TLS.has(protocol))
    at.error('E_TLS', `a listener of protocol ${protocol} cannot have tls`, 'leave it out, or use HTTPS or TLS');
  if (protocol === 'HTTPS' && mode !== 'Terminate')
    at.at('mode').error(
      'E_TLS',
      `mode must be Terminate for protocol HTTPS, found ${mode}`,
      'use protocol TLS to pass connections through',
    );
  if (at.at('mode').isSound && mode === 'Terminate' && certificateRefs.length === 0 && Object.keys(options).length === 0)
    at.error('E_TLS', 'mode Terminate needs a certificate', 'add certificateRefs: [{ name: SECRET }]');
  checkEntries(options, 16, at.at('options'));
}

function checkAddresses(addresses: NonNullable<ParsedGatewayApiGateway['addresses']>, place: Place): void {
  for (const [index, { type = 'IPAddress', value }] of addresses.entries()) {
    if (value === undefined) continue;
    const at = place.at(index).at('value');
    if (type === 'IPAddress' && !isIpAddress(value))
      at.error('E_ADDRESS', `expected an IP address, found ${show(value)}`, 'or add type: Hostname');
    else if (type === 'Hostname' && !HOSTNAME.test(value))
      at.error('E_HOST', `expected a host name, found ${show(value)}`, 'lower-case letters, digits, - and .; *. may stand before it');
  }
  for (const wanted of ['IPAddress', 'Hostname']) {
    const keyOf = ({ type = 'IPAddress', value }: (typeof addresses)[number]): string | undefined => (type === wanted ? value : undefined);
    checkUnique(addresses, keyOf, place, { what: wanted === 'Hostname' ? 'host name' : 'address', field: 'value' });
  }
}
