/** The rules of a TrafficPolicy, as Istio's validateTrafficPolicy has them (semantics 2.1.9). */
import { checkLocality } from './locality.ts';
import type { ParsedPortPolicy, ParsedTrafficPolicy } from './destination-rule-schema.ts';
import { show, type Place } from '../report.ts';
import { checkDuration, checkPort, isFqdnOrIp } from './values.ts';

export function checkTrafficPolicy(policy: ParsedTrafficPolicy | undefined, place: Place): void {
  if (policy === undefined) return;
  if (Object.keys(policy).length === 0) place.error('E_REQUIRED', 'trafficPolicy is empty', 'add a field, or remove it');
  checkBlocks(policy, place);
  const seen = new Map<number, number>();
  for (const [index, settings] of (policy.portLevelSettings ?? []).entries()) {
    const at = place.at('portLevelSettings').at(index);
    const port = settings.port?.number;
    if (port === undefined) at.error('E_REQUIRED', 'port.number is required');
    else {
      checkPort(port, at.at('port').at('number'));
      const earlier = seen.get(port);
      if (earlier !== undefined)
        at.warn('W_INEFFECTIVE', `portLevelSettings[${earlier}] is for the same port ${port}; the first one counts`);
      else seen.set(port, index);
    }
    if (Object.keys(settings).every((key) => key === 'port'))
      at.error('E_REQUIRED', 'settings for the port are empty', 'add a field, or remove the entry');
    checkBlocks(settings, at);
  }
  const { tunnel, proxyProtocol, retryBudget } = policy;
  if (tunnel !== undefined) {
    if (proxyProtocol !== undefined)
      place.at('proxyProtocol').error('E_ONE_OF', 'a policy cannot have both tunnel and proxyProtocol', 'keep one of them');
    const at = place.at('tunnel');
    const protocol = tunnel.protocol ?? '';
    if (protocol !== '' && protocol !== 'CONNECT' && protocol !== 'POST') {
      at.at('protocol').error('E_PROTOCOL', `tunnel protocol must be CONNECT or POST, found ${show(protocol)}`);
    }
    if (!isFqdnOrIp(tunnel.targetHost))
      at.at('targetHost').error('E_HOST', `${show(tunnel.targetHost)} is no full host name or IP address`);
    checkPort(tunnel.targetPort, at.at('targetPort'));
  }
  checkDuration(retryBudget?.budgetInterval, place.at('retryBudget').at('budgetInterval'), 0);
}

/** The four blocks that a policy and its port-level settings share. */
function checkBlocks(policy: ParsedPortPolicy, place: Place): void {
  checkLoadBalancer(policy, place.at('loadBalancer'));
  checkConnectionPool(policy.connectionPool, place.at('connectionPool'));
  checkOutlierDetection(policy.outlierDetection, place.at('outlierDetection'));
  checkTls(policy.tls, place.at('tls'));
}

function checkLoadBalancer(policy: ParsedPortPolicy, place: Place): void {
  const { loadBalancer, outlierDetection } = policy;
  if (loadBalancer === undefined) return;
  const { simple, consistentHash, localityLbSetting, zoneAwareLbSetting, warmup, warmupDurationSecs } = loadBalancer;
  if (simple !== undefined && consistentHash !== undefined) {
    place.error('E_ONE_OF', 'loadBalancer cannot have both simple and consistentHash', 'keep one of them');
  }
  if (simple === 'LEAST_CONN') place.at('simple').warn('W_DEPRECATED', 'LEAST_CONN is deprecated', 'use LEAST_REQUEST');
  if (simple === 'PASSTHROUGH')
    place.at('simple').warn('W_NOT_HONOURED', 'PASSTHROUGH is taken as LEAST_REQUEST: there is no original destination here');
  if (consistentHash !== undefined) checkConsistentHash(consistentHash, place.at('consistentHash'));
  checkLocality(localityLbSetting, place.at('localityLbSetting'), outlierDetection !== undefined);
  checkLocality(zoneAwareLbSetting, place.at('zoneAwareLbSetting'), outlierDetection !== undefined);
  if (localityLbSetting !== undefined && zoneAwareLbSetting !== undefined) {
    place
      .at('zoneAwareLbSetting')
      .error('E_ONE_OF', 'loadBalancer cannot have both localityLbSetting and zoneAwareLbSetting', 'keep one of them');
  }
  if (warmupDurationSecs !== undefined) {
    place.at('warmupDurationSecs').warn('W_DEPRECATED', 'warmupDurationSecs is deprecated', 'use warmup: { duration: … }');
    checkDuration(warmupDurationSecs, place.at('warmupDurationSecs'));
    if (warmup !== undefined)
      place.at('warmup').error('E_ONE_OF', 'loadBalancer cannot have both warmup and warmupDurationSecs', 'keep warmup');
  }
  if (warmup !== undefined) {
    checkDuration(warmup.duration, place.at('warmup').at('duration'));
    if (warmup.aggression !== undefined && warmup.aggression < 1) {
      place.at('warmup').at('aggression').error('E_RANGE', `aggression must be >= 1, found ${warmup.aggression}`);
    }
  }
  const hasWarmup = warmup !== undefined || warmupDurationSecs !== undefined;
  const takesWarmup =
    simple === undefined || simple === 'UNSPECIFIED' || simple === 'ROUND_ROBIN' || simple === 'LEAST_REQUEST' || simple === 'LEAST_CONN';
  if (hasWarmup && (!takesWarmup || consistentHash !== undefined)) {
    place
      .at(warmup === undefined ? 'warmupDurationSecs' : 'warmup')
      .error('E_ONE_OF', 'warmup works with ROUND_ROBIN and LEAST_REQUEST only');
  }
}

type ConsistentHash = NonNullable<NonNullable<ParsedPortPolicy['loadBalancer']>['consistentHash']>;

/** Envoy's bound on a Maglev table. */
const MAX_MAGLEV_TABLE = 5_000_011;

function checkConsistentHash(hash: ConsistentHash, place: Place): void {
  const keys = (['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'] as const).filter(
    (key) => hash[key] !== undefined,
  );
  if (keys.length > 1) place.error('E_ONE_OF', `consistentHash cannot have both ${keys.join(' and ')}`, 'keep one of them');
  if (keys.length === 0)
    place.warn(
      'W_INEFFECTIVE',
      'consistentHash has nothing to hash',
      'set httpHeaderName, httpCookie, useSourceIp or httpQueryParameterName',
    );
  const tables = (['ringHash', 'maglev'] as const).filter((key) => hash[key] !== undefined);
  if (tables.length > 1) place.error('E_ONE_OF', 'consistentHash cannot have both ringHash and maglev', 'keep one of them');
  if (hash.minimumRingSize !== undefined) {
    place.at('minimumRingSize').warn('W_DEPRECATED', 'minimumRingSize is deprecated', 'use ringHash: { minimumRingSize: … }');
  }
  const { httpCookie, httpHeaderName, maglev } = hash;
  if (httpHeaderName !== undefined && !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(httpHeaderName) && !httpHeaderName.startsWith(':')) {
    place.at('httpHeaderName').error('E_HEADER_NAME', `header name ${show(httpHeaderName)} is no HTTP token`);
  }
  if (httpCookie !== undefined) {
    const at = place.at('httpCookie');
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(httpCookie.name))
      at.at('name').error('E_NAME', `cookie name ${show(httpCookie.name)} is no HTTP token`);
    checkDuration(httpCookie.ttl, at.at('ttl'), 0);
    for (const [index, { name }] of (httpCookie.attributes ?? []).entries()) {
      if (name === '') at.at('attributes').at(index).at('name').error('E_REQUIRED', 'attribute name is empty');
    }
  }
  const size = maglev?.tableSize;
  if (size === undefined || size === 0) return;
  const at = place.at('maglev').at('tableSize');
  if (size >= MAX_MAGLEV_TABLE) at.error('E_RANGE', `tableSize must be < ${MAX_MAGLEV_TABLE}, found ${size}`);
  else if (!isPrime(size)) at.error('E_RANGE', `tableSize must be a prime number, found ${size}`, 'the default is 65537');
}

function isPrime(value: number): boolean {
  if (value < 2) return false;
  for (let factor = 2; factor * factor <= value; factor++) if (value % factor === 0) return false;
  return true;
}

function checkConnectionPool(pool: ParsedPortPolicy['connectionPool'], place: Place): void {
  if (pool === undefined) return;
  const { tcp, http } = pool;
  if (tcp === undefined && http === undefined) place.error('E_REQUIRED', 'connectionPool is empty', 'add tcp or http, or remove it');
  if (tcp !== undefined) {
    const at = place.at('tcp');
    checkNotNegative(tcp.maxConnections, at.at('maxConnections'));
    checkDuration(tcp.connectTimeout, at.at('connectTimeout'));
    checkDuration(tcp.maxConnectionDuration, at.at('maxConnectionDuration'));
    // 0s switches it off.
    checkDuration(tcp.idleTimeout, at.at('idleTimeout'), 0);
    checkDuration(tcp.tcpKeepalive?.time, at.at('tcpKeepalive').at('time'));
    checkDuration(tcp.tcpKeepalive?.interval, at.at('tcpKeepalive').at('interval'));
  }
  if (http === undefined) return;
  const at = place.at('http');
  for (const field of [
    'http1MaxPendingRequests',
    'http2MaxRequests',
    'maxRequestsPerConnection',
    'maxRetries',
    'maxConcurrentStreams',
  ] as const) {
    checkNotNegative(http[field], at.at(field));
  }
  checkDuration(http.idleTimeout, at.at('idleTimeout'));
  if (http.h2UpgradePolicy === 'UPGRADE' && http.useClientProtocol === true) {
    at.at('useClientProtocol').error('E_ONE_OF', 'useClientProtocol cannot be combined with h2UpgradePolicy UPGRADE', 'keep one of them');
  }
  const keepAlive = http.http2KeepAlive;
  if (keepAlive === undefined) return;
  for (const field of ['interval', 'timeout'] as const) {
    if (keepAlive[field] === undefined)
      at.at('http2KeepAlive').error('E_REQUIRED', `http2KeepAlive needs ${field}`, 'it needs both interval and timeout');
    checkDuration(keepAlive[field], at.at('http2KeepAlive').at(field));
  }
}

function checkNotNegative(value: number | undefined, place: Place): void {
  if (value !== undefined && value < 0) place.error('E_RANGE', `value must be >= 0, found ${value}`);
}

function checkOutlierDetection(outlier: ParsedPortPolicy['outlierDetection'], place: Place): void {
  if (outlier === undefined) return;
  checkDuration(outlier.interval, place.at('interval'));
  checkDuration(outlier.baseEjectionTime, place.at('baseEjectionTime'));
  for (const field of ['maxEjectionPercent', 'minHealthPercent'] as const) {
    const value = outlier[field];
    if (value !== undefined && (value < 0 || value > 100))
      place.at(field).error('E_RANGE', `${field} must be from 0 to 100, found ${value}`);
  }
  if (outlier.splitExternalLocalOriginErrors !== true && (outlier.consecutiveLocalOriginFailures ?? 0) > 0) {
    place
      .at('consecutiveLocalOriginFailures')
      .error('E_ONE_OF', 'consecutiveLocalOriginFailures needs splitExternalLocalOriginErrors: true');
  }
  if (outlier.consecutiveErrors !== undefined) {
    place
      .at('consecutiveErrors')
      .warn('W_DEPRECATED', 'consecutiveErrors is deprecated', 'use consecutive5xxErrors or consecutiveGatewayErrors');
  }
}

function checkTls(tls: ParsedPortPolicy['tls'], place: Place): void {
  if (tls === undefined) return;
  const { mode = 'DISABLE', clientCertificate = '', privateKey = '', caCertificates = '', credentialName = '', insecureSkipVerify } = tls;
  if (mode === 'ISTIO_MUTUAL')
    place.warn(
      'W_NOT_HONOURED',
      'tls mode ISTIO_MUTUAL has no effect: there is no mesh whose certificates could be used, so connections are plain text',
    );
  if (insecureSkipVerify === true && mode !== 'DISABLE')
    place
      .at('insecureSkipVerify')
      .warn('W_TLS_UNVERIFIED', 'whoever answers is believed', 'remove it, and give caCertificates or credentialName');
  if ((mode === 'SIMPLE' || mode === 'MUTUAL') && credentialName !== '') {
    if (clientCertificate !== '' || privateKey !== '' || caCertificates !== '') {
      place.error('E_TLS', 'credentialName excludes clientCertificate, privateKey and caCertificates', 'keep one of the two ways');
    }
    return;
  }
  if (insecureSkipVerify === true) {
    if (caCertificates !== '')
      place.at('caCertificates').error('E_TLS', 'caCertificates has no use with insecureSkipVerify: true', 'remove one of them');
    if ((tls.subjectAltNames ?? []).length > 0)
      place.at('subjectAltNames').error('E_TLS', 'subjectAltNames has no use with insecureSkipVerify: true', 'remove one of them');
  }
  if (mode === 'MUTUAL') {
    if (clientCertificate === '') place.error('E_TLS', 'mode MUTUAL needs clientCertificate', 'or credentialName');
    if (privateKey === '') place.error('E_TLS', 'mode MUTUAL needs privateKey', 'or credentialName');
  }
  if (mode === 'ISTIO_MUTUAL') {
    for (const field of ['clientCertificate', 'privateKey', 'caCertificates'] as const) {
      if ((tls[field] ?? '') !== '')
        place.at(field).error('E_TLS', `mode ISTIO_MUTUAL brings its own certificates; ${field} must be left out`);
    }
  }
}
