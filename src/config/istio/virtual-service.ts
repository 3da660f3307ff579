/** The rules of a VirtualService, as Istio's ValidateVirtualService has them, and what can be seen to be useless in it alone. */
import { hostCovers, OverlapIndex } from '../hosts.ts';
import { isIpAddress, isIpSubnet, isDns1123Label } from '../names.ts';
import type { HttpMatchRequest, IstioHttpRoute } from '../resources.ts';
import { show, type Place } from '../report.ts';
import { checkDestination, checkWeights } from './destination.ts';
import { checkHttpRoute } from './http-route.ts';
import { checkExportTo, checkGatewayNames, checkHost, checkLabels, checkPort } from './values.ts';
import { NOT_FOR_MESH } from './virtual-service-schema.ts';
import type { ParsedVirtualService, TcpRoute, TlsRoute } from './virtual-service-schema.ts';

/** `withoutHeaders: { x: }` asks for absence: an empty value there is `{}` (semantics 2.1.3). Elsewhere an empty value is a mistake. */
export function withPresenceMatches(spec: unknown): unknown {
  for (const rule of listAt(spec, 'http')) {
    for (const match of listAt(rule, 'match')) {
      const headers = fieldAt(match, 'withoutHeaders');
      if (typeof headers !== 'object' || headers === null) continue;
      for (const [name, value] of Object.entries(headers)) if (value === null) Reflect.set(headers, name, {});
    }
  }
  return spec;
}

function fieldAt(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

function listAt(value: unknown, key: string): readonly unknown[] {
  const found = fieldAt(value, key);
  return Array.isArray(found) ? found : [];
}

export function checkVirtualService(spec: ParsedVirtualService, place: Place, namespace: string): void {
  const { hosts = [], gateways = [], http = [], tls = [], tcp = [] } = spec;
  const isDelegate = hosts.length === 0;
  if (isDelegate) {
    if (http.length === 0) place.error('E_REQUIRED', 'hosts is required', 'only a delegate, which has http rules, goes without');
    else if (gateways.length > 0)
      place.at('gateways').error('E_ONE_OF', 'a VirtualService without hosts is a delegate and cannot have gateways');
  } else {
    checkHosts(hosts, gateways, place.at('hosts'));
  }
  checkGatewayNames(gateways, place.at('gateways'));
  if (http.length === 0 && tls.length === 0 && tcp.length === 0) place.error('E_REQUIRED', 'no rules are given', 'add http, tls or tcp');
  for (const [index, rule] of http.entries()) checkHttpRoute(rule, place.at('http').at(index), isDelegate);
  for (const [index, rule] of tls.entries()) checkTlsRoute(rule, place.at('tls').at(index), hosts);
  const isMesh = gateways.length === 0 || gateways.includes('mesh');
  for (const [field, rules] of Object.entries({ tls, tcp }))
    if (rules.length > 0 && isMesh)
      place.at(field).warn('W_NOT_HONOURED', `${field} rules have an effect ${NOT_FOR_MESH}`, 'bind them to a Gateway with gateways:');
  for (const [index, rule] of tcp.entries()) checkTcpRoute(rule, place.at('tcp').at(index));
  checkExportTo(spec.exportTo, place.at('exportTo'), namespace, false);
  warnUnreachable(http, place.at('http'));
  warnDuplicateMatches(http, place.at('http'));
}

function checkHosts(hosts: readonly string[], gateways: readonly string[], place: Place): void {
  const isMesh = gateways.length === 0 || gateways.includes('mesh');
  const seen = new OverlapIndex();
  for (const [index, host] of hosts.entries()) {
    const at = place.at(index);
    if (isIpAddress(host)) continue;
    if (host === '*' && isMesh) {
      at.error('E_HOST', 'host * is not allowed for the mesh gateway', 'name the services, or bind to a Gateway with gateways:');
      continue;
    }
    checkHost(host, at);
    const earlier = seen.add(host.toLowerCase());
    if (earlier !== undefined)
      at.error('E_DUPLICATE', `host ${show(host)} overlaps ${show(earlier)} in the same VirtualService`, 'keep one of them');
  }
}

function checkTlsRoute(rule: TlsRoute, place: Place, hosts: readonly string[]): void {
  if (rule.match.length === 0) place.at('match').error('E_REQUIRED', 'a tls rule needs at least one match');
  for (const [index, match] of rule.match.entries()) {
    const at = place.at('match').at(index);
    if (match.sniHosts.length === 0) at.at('sniHosts').error('E_REQUIRED', 'at least one SNI host is needed');
    for (const [hostIndex, sniHost] of match.sniHosts.entries()) {
      const sniAt = at.at('sniHosts').at(hostIndex);
      if (isIpAddress(sniHost)) {
        sniAt.warn('W_INEFFECTIVE', `SNI is a name; clients do not send the address ${sniHost}`);
        continue;
      }
      checkHost(sniHost, sniAt);
      const isInside = hosts.some(
        (host) => host.toLowerCase() === sniHost.toLowerCase() || hostCovers(host.toLowerCase(), sniHost.toLowerCase()),
      );
      if (!isInside)
        sniAt.error('E_HOST', `SNI host ${show(sniHost)} is in none of the hosts of the VirtualService`, `hosts: ${hosts.join(', ')}`);
    }
    checkL4Match(match, at);
  }
  checkL4Destinations(rule.route, place);
}

function checkTcpRoute(rule: TcpRoute, place: Place): void {
  for (const [index, match] of (rule.match ?? []).entries()) {
    const at = place.at('match').at(index);
    checkL4Match(match, at);
    if (match.sourceSubnet !== undefined && match.sourceSubnet !== '' && !isIpSubnet(match.sourceSubnet)) {
      at.at('sourceSubnet').error('E_ADDRESS', `${show(match.sourceSubnet)} is no IP address or subnet`);
    }
  }
  checkL4Destinations(rule.route, place);
}

type L4Match = Omit<TlsRoute['match'][number], 'sniHosts'>;

function checkL4Match(match: L4Match, place: Place): void {
  for (const [index, subnet] of (match.destinationSubnets ?? []).entries()) {
    if (!isIpSubnet(subnet))
      place
        .at('destinationSubnets')
        .at(index)
        .error('E_ADDRESS', `${show(subnet)} is no IP address or subnet`);
  }
  if (match.port !== undefined && match.port !== 0) checkPort(match.port, place.at('port'));
  checkLabels(match.sourceLabels, place.at('sourceLabels'));
  checkGatewayNames(match.gateways, place.at('gateways'));
  if (match.sourceNamespace !== undefined && match.sourceNamespace !== '' && !isDns1123Label(match.sourceNamespace)) {
    place.at('sourceNamespace').error('E_NAME', `namespace ${show(match.sourceNamespace)} is not a DNS label`);
  }
}

function checkL4Destinations(route: TlsRoute['route'], place: Place): void {
  if (route === undefined || route.length === 0) {
    place.error('E_REQUIRED', 'route is required', 'add route: [{ destination: { host: … } }]');
    return;
  }
  for (const [index, { destination }] of route.entries()) checkDestination(destination, place.at('route').at(index).at('destination'));
  checkWeights(route, place.at('route'));
}

function isAny(map: Readonly<Record<string, unknown>> | undefined): boolean {
  return map === undefined || Object.keys(map).length === 0;
}

/** True when the block holds for every request, on every gateway and port. */
function matchesEverything(match: HttpMatchRequest): boolean {
  const { uri } = match;
  const isAnyUri = uri === undefined || uri.prefix === '/' || uri.prefix === '' || uri.regex === '.*' || uri.regex === '/.*';
  return (
    isAnyUri &&
    match.scheme === undefined &&
    match.method === undefined &&
    match.authority === undefined &&
    isAny(match.headers) &&
    isAny(match.withoutHeaders) &&
    isAny(match.queryParams) &&
    isAny(match.sourceLabels) &&
    (match.port ?? 0) === 0 &&
    (match.gateways ?? []).length === 0 &&
    (match.sourceNamespace ?? '') === ''
  );
}

function isCatchAll(rule: IstioHttpRoute): boolean {
  return rule.match === undefined || rule.match.length === 0 || rule.match.some(matchesEverything);
}

function ruleName(rule: IstioHttpRoute, index: number): string {
  return rule.name === undefined || rule.name === '' ? `http[${index}]` : `http[${index}] (${rule.name})`;
}

function warnUnreachable(http: readonly IstioHttpRoute[], place: Place): void {
  const catchAll = http.findIndex(isCatchAll);
  const first = http[catchAll];
  if (first === undefined || catchAll === http.length - 1) return;
  const others = http.length - catchAll - 2;
  const more = others === 0 ? '' : `, nor are the ${others} after it`;
  place
    .at(catchAll + 1)
    .warn(
      'W_UNREACHABLE',
      `rule is never reached${more}: ${ruleName(first, catchAll)} before it matches everything`,
      'move the rule that matches everything to the end',
    );
}

function warnDuplicateMatches(http: readonly IstioHttpRoute[], place: Place): void {
  const seen = new Map<string, number>();
  const names = new Map<string, number>();
  for (const [index, rule] of http.entries()) {
    if (rule.name !== undefined && rule.name !== '') {
      const namesake = names.get(rule.name);
      if (namesake === undefined) names.set(rule.name, index);
      else
        place
          .at(index)
          .at('name')
          .warn('W_INEFFECTIVE', `http[${namesake}] has the same name ${show(rule.name)}`, 'statistics and explain cannot tell them apart');
    }
    for (const [matchIndex, match] of (rule.match ?? []).entries()) {
      const key = JSON.stringify({ ...match, name: undefined });
      const earlier = seen.get(key);
      if (earlier === undefined) seen.set(key, index);
      else if (earlier !== index) {
        place
          .at(index)
          .at('match')
          .at(matchIndex)
          .warn('W_SHADOWED', `match never decides: http[${earlier}] has the same one`, 'remove one of them');
      }
    }
  }
}
