/** The rules of a Gateway, as Istio's ValidateGateway has them. */
import { getCiphers } from 'node:tls';
import { isDns1123Label, isIpAddress, wildcardHostProblem } from '../names.ts';
import { show, type Place } from '../report.ts';
import type { ParsedGateway, ParsedServer } from './gateway-schema.ts';
import { gatewayTraffic } from '../gateway-traffic.ts';
import { checkPort, HTTP_PROTOCOLS, isKnownProtocol, TLS_PROTOCOLS } from './values.ts';

export function checkGateway(spec: ParsedGateway, place: Place): void {
  const { servers = [] } = spec;
  if (servers.length === 0) place.at('servers').error('E_REQUIRED', 'a Gateway needs at least one server');
  const portNames = new Map<string, number>();
  for (const [index, server] of servers.entries()) {
    const at = place.at('servers').at(index);
    checkServer(server, at);
    const earlier = portNames.get(server.port.name);
    if (earlier === undefined) portNames.set(server.port.name, index);
    else
      at.at('port')
        .at('name')
        .error('E_DUPLICATE', `port name ${show(server.port.name)} is that of servers[${earlier}] too`, 'port names must be unique');
  }
}

function checkServer(server: ParsedServer, place: Place): void {
  const { port, bind, hosts, tls } = server;
  if (hosts.length === 0) place.at('hosts').error('E_REQUIRED', 'a server needs at least one host', 'use "*" for every host');
  for (const [index, host] of hosts.entries()) checkServerHost(host, place.at('hosts').at(index));
  const isKnown = isKnownProtocol(port.protocol);
  const portPlace = place.at('port');
  if (!isKnown) {
    portPlace
      .at('protocol')
      .error('E_PROTOCOL', `unknown protocol ${show(port.protocol)}`, 'use HTTP, HTTPS, GRPC, GRPC-WEB, HTTP2, MONGO, TCP or TLS');
  }
  checkPort(port.number, portPlace.at('number'));
  if (port.name === '') portPlace.at('name').error('E_REQUIRED', 'port name is empty');
  if (port.targetPort !== undefined && port.targetPort !== 0) checkPort(port.targetPort, portPlace.at('targetPort'));
  if (bind !== undefined && bind !== '' && !isIpAddress(bind) && !/^unix:\/\/[/@].*[^/]$/.test(bind)) {
    place.at('bind').error('E_ADDRESS', `bind ${show(bind)} is no IP address`);
  } else if (bind?.startsWith('unix://') === true) {
    place.at('bind').warn('W_NOT_HONOURED', 'unix sockets are not listened on; the server is left out');
  }
  if (isKnown) checkProtocol(server, place);
  if (tls !== undefined) checkServerTls(tls, place.at('tls'));
}

/** `NAMESPACE/HOST` (the namespace may be `*` or `.`) or `HOST`: full names, a leftmost wildcard or an address. */
function checkServerHost(host: string, place: Place): void {
  const slash = host.indexOf('/');
  const namespace = slash === -1 ? undefined : host.slice(0, slash);
  const name = host.slice(slash + 1);
  if (namespace !== undefined && namespace !== '*' && namespace !== '.' && !isDns1123Label(namespace)) {
    place.error('E_HOST', `${show(namespace)} in host ${show(host)} is no namespace`, 'write NAMESPACE/HOST, */HOST or HOST');
  }
  if (isIpAddress(name)) return;
  const problem = wildcardHostProblem(name);
  if (problem !== undefined) place.error('E_HOST', `host ${show(name)} ${problem}`);
  else if (name !== '*' && !name.includes('.'))
    place.error('E_HOST', `host ${show(name)} is a short name, which a Gateway does not take`, 'write the full name');
}

function checkProtocol(server: ParsedServer, place: Place): void {
  const { tls } = server;
  const protocol = server.port.protocol.toUpperCase();
  if (TLS_PROTOCOLS.has(protocol)) {
    if (tls === undefined) place.error('E_TLS', `a server of protocol ${protocol} needs tls`);
    else if (gatewayTraffic(server) === undefined)
      place
        .at('port')
        .at('protocol')
        .warn(
          'W_NOT_HONOURED',
          `protocol ${protocol} with mode ${tls.mode ?? 'PASSTHROUGH'} has no effect in this release: the server is not opened`,
        );
    return;
  }
  if (!HTTP_PROTOCOLS.has(protocol)) {
    if (tls !== undefined) place.at('tls').error('E_TLS', `a server of protocol ${protocol} cannot have tls`);
    if (gatewayTraffic(server) === undefined)
      place
        .at('port')
        .at('protocol')
        .warn('W_NOT_HONOURED', `protocol ${protocol} has no effect in this release: the server is not opened`);
    return;
  }
  if (protocol === 'GRPC-WEB') {
    place.at('port').at('protocol').warn('W_NOT_HONOURED', 'gRPC-Web is passed on as it is: it is not made into gRPC in this release');
  }
  if (tls === undefined) return;
  const other = Object.keys(tls).find((key) => key !== 'httpsRedirect' && !(key === 'mode' && tls.mode === 'PASSTHROUGH'));
  if (other !== undefined)
    place.at('tls').at(other).error('E_TLS', `a server of plain ${protocol} takes tls.httpsRedirect only, found ${other}`);
}

function checkServerTls(tls: NonNullable<ParsedServer['tls']>, place: Place): void {
  const { mode = 'PASSTHROUGH', credentialName = '', credentialNames = [], tlsCertificates = [] } = tls;
  const { serverCertificate = '', privateKey = '', caCertificates = '', caCertCredentialName = '' } = tls;
  const sources = (['credentialName', 'credentialNames', 'tlsCertificates'] as const).filter((key) => tls[key] !== undefined);
  if (sources.length > 1 && (sources.includes('credentialNames') || tlsCertificates.length > 0)) {
    place.error('E_ONE_OF', `tls cannot have both ${sources.join(' and ')}`, 'keep one of them');
  }
  for (const field of ['verifyCertificateSpki', 'verifyCertificateHash'] as const) {
    for (const [index, value] of (tls[field] ?? []).entries()) {
      const isGood =
        field === 'verifyCertificateSpki'
          ? /^[A-Za-z0-9+/]{43}=$/.test(value)
          : /^(?:[0-9A-Fa-f]{64}|(?:[0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2})$/.test(value);
      if (!isGood)
        place
          .at(field)
          .at(index)
          .error('E_TLS', `${show(value)} is no SHA-256 in ${field === 'verifyCertificateSpki' ? 'base64' : 'hexadecimal'}`);
    }
  }
  checkVersions(tls, place);
  for (const [index, suite] of (tls.cipherSuites ?? []).entries()) {
    if (!KNOWN_CIPHERS.has(suite.toLowerCase()))
      place
        .at('cipherSuites')
        .at(index)
        .error('E_TLS_CIPHER', `unknown cipher suite ${show(suite)}`, 'write it as OpenSSL does: ECDHE-RSA-AES256-GCM-SHA384');
  }
  if (mode === 'ISTIO_MUTUAL') {
    for (const field of ['serverCertificate', 'privateKey', 'caCertificates', 'credentialName'] as const) {
      if ((tls[field] ?? '') !== '')
        place.at(field).error('E_TLS', `mode ISTIO_MUTUAL brings its own certificates; ${field} must be left out`);
    }
    return;
  }
  if (mode === 'PASSTHROUGH' || mode === 'AUTO_PASSTHROUGH') {
    if (serverCertificate !== '' || privateKey !== '' || caCertificates !== '' || credentialName !== '') {
      place.warn('W_INEFFECTIVE', `mode ${mode} does not use certificates`);
    }
    return;
  }
  if (credentialName !== '' || credentialNames.length > 0) return;
  const isMutual = mode === 'MUTUAL' || mode === 'OPTIONAL_MUTUAL';
  for (const [index, pair] of tlsCertificates.entries()) {
    if ((pair.serverCertificate ?? '') === '') place.at('tlsCertificates').at(index).error('E_TLS', 'serverCertificate is required');
    if ((pair.privateKey ?? '') === '') place.at('tlsCertificates').at(index).error('E_TLS', 'privateKey is required');
  }
  if (tlsCertificates.length === 0) {
    if (serverCertificate === '') place.error('E_TLS', `mode ${mode} needs serverCertificate`, 'or credentialName');
    if (privateKey === '') place.error('E_TLS', `mode ${mode} needs privateKey`, 'or credentialName');
  }
  const hasCa = caCertificates !== '' || caCertCredentialName !== '' || tlsCertificates.some((pair) => (pair.caCertificates ?? '') !== '');
  if (isMutual && !hasCa) place.error('E_TLS', `mode ${mode} needs caCertificates to verify clients with`, 'or credentialName');
}

const KNOWN_CIPHERS: ReadonlySet<string> = new Set(getCiphers());

const VERSION_ORDER: readonly string[] = ['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3'];

function checkVersions(tls: NonNullable<ParsedServer['tls']>, place: Place): void {
  const { minProtocolVersion = 'TLS_AUTO', maxProtocolVersion = 'TLS_AUTO' } = tls;
  for (const field of ['minProtocolVersion', 'maxProtocolVersion'] as const) {
    if (tls[field] === 'TLSV1_0' || tls[field] === 'TLSV1_1')
      place.at(field).warn('W_DEPRECATED', `${tls[field]} is broken`, 'use TLSV1_2 or TLSV1_3');
  }
  if (maxProtocolVersion !== 'TLS_AUTO' && VERSION_ORDER.indexOf(minProtocolVersion) > VERSION_ORDER.indexOf(maxProtocolVersion)) {
    place
      .at('maxProtocolVersion')
      .error('E_TLS', `maxProtocolVersion ${maxProtocolVersion} is below minProtocolVersion ${minProtocolVersion}`);
  }
}
