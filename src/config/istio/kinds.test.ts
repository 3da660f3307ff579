/** DestinationRule, Gateway, ServiceEntry and WorkloadEntry field by field: what Istio's webhook refuses is refused, at the field. */
import { describe, expect, test } from 'vitest';
import { loadText } from '../load.ts';

function diagnose(kind: string, spec: string): { readonly errors: string[]; readonly notHonoured: string[] } {
  const text = `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: { name: x }\nspec: ${spec}\n`;
  const { diagnostics } = loadText('x.yaml', text);
  const path = (full: string): string => full.replace(/^spec\./, '');
  return {
    errors: diagnostics.filter(({ severity }) => severity === 'error').map((found) => `${path(found.path)} ${found.code}`),
    notHonoured: diagnostics.filter(({ code }) => code === 'W_NOT_HONOURED').map((found) => path(found.path)),
  };
}

test.each(['credentialName: a', 'sni: b.example.com'])('TLS whose peer is not verified is warned about (IST0128), also with %s', (rest) => {
  const rule = `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: x }\nspec: { host: a, trafficPolicy: { tls: { mode: SIMPLE, insecureSkipVerify: true, ${rest} } } }\n`;
  const { diagnostics } = loadText('x.yaml', rule);
  expect(diagnostics.filter(({ code }) => code === 'W_TLS_UNVERIFIED').map(({ path }) => path)).toEqual([
    'spec.trafficPolicy.tls.insecureSkipVerify',
  ]);
});

describe('DestinationRule', () => {
  const POLICY = 'trafficPolicy';
  test.each([
    ['', [`${POLICY} E_REQUIRED`]],
    ['loadBalancer: { simple: ROUND_ROBIN }', []],
    ['loadBalancer: { simple: round_robin }', [`${POLICY}.loadBalancer.simple E_ENUM`]],
    ['loadBalancer: { simple: RANDOM, consistentHash: { useSourceIp: true } }', [`${POLICY}.loadBalancer E_ONE_OF`]],
    ['loadBalancer: { consistentHash: { useSourceIp: true, httpHeaderName: a } }', [`${POLICY}.loadBalancer.consistentHash E_ONE_OF`]],
    ['loadBalancer: { consistentHash: { httpCookie: { ttl: 0s } } }', [`${POLICY}.loadBalancer.consistentHash.httpCookie.name E_REQUIRED`]],
    [
      'loadBalancer: { consistentHash: { useSourceIp: true, maglev: { tableSize: 65536 } } }',
      [`${POLICY}.loadBalancer.consistentHash.maglev.tableSize E_RANGE`],
    ],
    [
      'loadBalancer: { consistentHash: { useSourceIp: true, maglev: { tableSize: 5000011 } } }',
      [`${POLICY}.loadBalancer.consistentHash.maglev.tableSize E_RANGE`],
    ],
    [
      'loadBalancer: { consistentHash: { useSourceIp: true, maglev: {}, ringHash: {} } }',
      [`${POLICY}.loadBalancer.consistentHash E_ONE_OF`],
    ],
    ['loadBalancer: { simple: RANDOM, warmup: { duration: 1s } }', [`${POLICY}.loadBalancer.warmup E_ONE_OF`]],
    ['loadBalancer: { warmup: { duration: 1s, aggression: 0.5 } }', [`${POLICY}.loadBalancer.warmup.aggression E_RANGE`]],
    ['loadBalancer: { localityLbSetting: { failover: [{ from: a, to: b }] } }', [`${POLICY}.loadBalancer.localityLbSetting E_LOCALITY`]],
    [
      'outlierDetection: {}, loadBalancer: { localityLbSetting: { failover: [{ from: a, to: a }] } }',
      [`${POLICY}.loadBalancer.localityLbSetting.failover[0] E_LOCALITY`],
    ],
    [
      'loadBalancer: { localityLbSetting: { distribute: [{ from: a, to: { a: 50, b: 49 } }] } }',
      [`${POLICY}.loadBalancer.localityLbSetting.distribute[0].to E_LOCALITY`],
    ],
    [
      'loadBalancer: { localityLbSetting: { distribute: [{ from: "a/*/c", to: { a: 100 } }] } }',
      [`${POLICY}.loadBalancer.localityLbSetting.distribute[0].from E_LOCALITY`],
    ],
    ['connectionPool: {}', [`${POLICY}.connectionPool E_REQUIRED`]],
    ['connectionPool: { tcp: { connectTimeout: 0s } }', [`${POLICY}.connectionPool.tcp.connectTimeout E_DURATION`]],
    ['connectionPool: { tcp: { idleTimeout: 0s } }', []],
    ['connectionPool: { http: { maxRequestsPerConnection: -1 } }', [`${POLICY}.connectionPool.http.maxRequestsPerConnection E_RANGE`]],
    [
      'connectionPool: { http: { h2UpgradePolicy: UPGRADE, useClientProtocol: true } }',
      [`${POLICY}.connectionPool.http.useClientProtocol E_ONE_OF`],
    ],
    ['connectionPool: { http: { http2KeepAlive: { interval: 1s } } }', [`${POLICY}.connectionPool.http.http2KeepAlive E_REQUIRED`]],
    ['outlierDetection: { maxEjectionPercent: 101 }', [`${POLICY}.outlierDetection.maxEjectionPercent E_RANGE`]],
    ['outlierDetection: { consecutiveLocalOriginFailures: 3 }', [`${POLICY}.outlierDetection.consecutiveLocalOriginFailures E_ONE_OF`]],
    ['tls: { mode: MUTUAL, clientCertificate: a }', [`${POLICY}.tls E_TLS`]],
    ['tls: { mode: SIMPLE, credentialName: a, caCertificates: b }', [`${POLICY}.tls E_TLS`]],
    ['tls: { mode: ISTIO_MUTUAL, privateKey: a }', [`${POLICY}.tls.privateKey E_TLS`]],
    ['tls: { mode: SIMPLE, insecureSkipVerify: true, caCertificates: a }', [`${POLICY}.tls.caCertificates E_TLS`]],
    ['portLevelSettings: [{ port: { number: 80 } }]', [`${POLICY}.portLevelSettings[0] E_REQUIRED`]],
    ['portLevelSettings: [{ tls: { mode: DISABLE } }]', [`${POLICY}.portLevelSettings[0] E_REQUIRED`]],
    ['portLevelSettings: [{ port: { number: 80 }, connectionPool: {} }]', [`${POLICY}.portLevelSettings[0].connectionPool E_REQUIRED`]],
    ['tunnel: { protocol: GET, targetHost: a.com, targetPort: 1 }', [`${POLICY}.tunnel.protocol E_PROTOCOL`]],
    ['tunnel: { targetHost: a_b, targetPort: 0 }', [`${POLICY}.tunnel.targetHost E_HOST`, `${POLICY}.tunnel.targetPort E_PORT`]],
    ['tunnel: { targetHost: a.com, targetPort: 1 }, proxyProtocol: {}', [`${POLICY}.proxyProtocol E_ONE_OF`]],
    ['retryBudget: { budgetInterval: "-1s" }', [`${POLICY}.retryBudget.budgetInterval E_DURATION`]],
  ])('trafficPolicy %s', (policy, expected) => {
    const { errors } = diagnose('DestinationRule', `{ host: a, trafficPolicy: { ${policy} } }`);
    expect([...new Set(errors)].sort()).toEqual([...expected].sort());
    // The same block of a subset is held to the same rules.
    const inSubset = diagnose('DestinationRule', `{ host: a, subsets: [{ name: v1, trafficPolicy: { ${policy} } }] }`).errors;
    expect([...new Set(inSubset)].sort()).toEqual(expected.map((line) => `subsets[0].${line}`).sort());
  });

  test.each([
    ['{ host: "" }', ['host E_HOST']],
    ['{ host: a..b }', ['host E_HOST']],
    ['{}', ['host E_REQUIRED']],
    ['{ host: a, subsets: [{ name: "" }] }', ['subsets[0].name E_NAME']],
    ['{ host: a, subsets: [{ name: v_1 }] }', ['subsets[0].name E_NAME']],
    ['{ host: a, subsets: [{ name: v1, labels: { "a b": c } }] }', ['subsets[0].labels["a b"] E_NAME']],
    ['{ host: a, subsets: [{ name: v1, labels: { version: 1 } }] }', ['subsets[0].labels.version E_TYPE']],
    ['{ host: a, exportTo: [Bad] }', ['exportTo[0] E_EXPORT_TO']],
    ['{ host: a, workloadSelector: { matchLabels: { app: "a*" } } }', ['workloadSelector.matchLabels.app E_NAME']],
  ])('%s', (spec, expected) => {
    expect(diagnose('DestinationRule', spec).errors).toEqual(expected);
  });

  test('what this release does not do is said, field by field, also in subsets and per port', () => {
    const spec = `{ host: a, trafficPolicy: { outlierDetection: {}, connectionPool: { http: { maxRetries: 1, idleTimeout: 1s } } },
      subsets: [{ name: v1, trafficPolicy: { tls: { mode: ISTIO_MUTUAL }, portLevelSettings: [{ port: { number: 80 }, outlierDetection: { consecutiveErrors: 5 } }] } }] }`;
    expect(diagnose('DestinationRule', spec).notHonoured.sort()).toEqual([
      'subsets[0].trafficPolicy.portLevelSettings[0].outlierDetection.consecutiveErrors',
      'subsets[0].trafficPolicy.tls',
    ]);
  });
});

describe('Gateway', () => {
  const HTTP = 'port: { number: 80, name: http, protocol: HTTP }';
  const HTTPS = 'port: { number: 443, name: https, protocol: HTTPS }, hosts: ["*"]';
  test.each([
    [`${HTTP}, hosts: ["*"]`, []],
    [`${HTTP}, hosts: [ns/a.com, ./b.com, "*/*"]`, []],
    [`${HTTP}, hosts: []`, ['servers[0].hosts E_REQUIRED']],
    [`${HTTP}, hosts: [reviews]`, ['servers[0].hosts[0] E_HOST']],
    [`${HTTP}, hosts: ["Ns/a.com"]`, ['servers[0].hosts[0] E_HOST']],
    [`${HTTP}, hosts: ["a.*.com"]`, ['servers[0].hosts[0] E_HOST']],
    [`${HTTP}, hosts: ["10.0.0.1"]`, []],
    [`${HTTP}, hosts: ["*"], bind: nowhere`, ['servers[0].bind E_ADDRESS']],
    [`${HTTP}, hosts: ["*"], tls: { httpsRedirect: true }`, []],
    [`${HTTP}, hosts: ["*"], tls: { mode: SIMPLE, credentialName: a }`, ['servers[0].tls.mode E_TLS']],
    ['port: { number: 0, name: http, protocol: HTTP }, hosts: ["*"]', ['servers[0].port.number E_PORT']],
    ['port: { number: 80, name: http, protocol: SMTP }, hosts: ["*"]', ['servers[0].port.protocol E_PROTOCOL']],
    ['port: { number: 80, name: "", protocol: HTTP }, hosts: ["*"]', ['servers[0].port.name E_REQUIRED']],
    [HTTPS, ['servers[0] E_TLS']],
    [`${HTTPS}, tls: { mode: SIMPLE }`, ['servers[0].tls E_TLS']],
    [`${HTTPS}, tls: { mode: SIMPLE, credentialName: a }`, []],
    [`${HTTPS}, tls: { mode: MUTUAL, serverCertificate: a, privateKey: b }`, ['servers[0].tls E_TLS']],
    [`${HTTPS}, tls: { mode: ISTIO_MUTUAL, privateKey: b }`, ['servers[0].tls.privateKey E_TLS']],
    [`${HTTPS}, tls: { mode: SIMPLE, credentialName: a, credentialNames: [b] }`, ['servers[0].tls E_ONE_OF']],
    [
      `${HTTPS}, tls: { mode: SIMPLE, credentialName: a, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2 }`,
      ['servers[0].tls.maxProtocolVersion E_TLS'],
    ],
    [`${HTTPS}, tls: { mode: SIMPLE, credentialName: a, verifyCertificateHash: [abc] }`, ['servers[0].tls.verifyCertificateHash[0] E_TLS']],
    ['port: { number: 25, name: tcp, protocol: TCP }, hosts: ["*"], tls: { mode: SIMPLE, credentialName: a }', ['servers[0].tls E_TLS']],
  ])('%s', (server, expected) => {
    const { errors } = diagnose('Gateway', `{ servers: [{ ${server} }] }`);
    expect([...new Set(errors)]).toEqual(expected);
  });

  test('port names are unique, there is at least one server', () => {
    expect(diagnose('Gateway', `{ servers: [{ ${HTTP}, hosts: [a.com] }, { ${HTTP}, hosts: [b.com] }] }`).errors).toEqual([
      'servers[1].port.name E_DUPLICATE',
    ]);
    expect(diagnose('Gateway', '{ selector: { a: b } }').errors).toEqual(['servers E_REQUIRED']);
  });

  test('servers that are not opened are said', () => {
    for (const mode of ['AUTO_PASSTHROUGH', 'ISTIO_MUTUAL'])
      expect(diagnose('Gateway', `{ selector: { a: b }, servers: [{ ${HTTPS}, tls: { mode: ${mode} } }] }`).notHonoured).toEqual([
        'servers[0].port.protocol',
      ]);
    expect(diagnose('Gateway', `{ selector: { a: b }, servers: [{ ${HTTPS}, tls: { mode: PASSTHROUGH } }] }`).notHonoured).toEqual([]);
    const mongo = 'servers: [{ port: { number: 1, name: a, protocol: MONGO }, hosts: ["*"] }]';
    expect(diagnose('Gateway', `{ selector: { a: b }, ${mongo} }`).notHonoured).toEqual([]);
    expect(
      diagnose('Gateway', `{ selector: { a: b }, servers: [{ ${HTTPS}, tls: { mode: SIMPLE, credentialName: a } }] }`).notHonoured,
    ).toEqual([]);
    expect(
      diagnose('Gateway', `{ selector: { a: b }, servers: [{ ${HTTP}, hosts: ["*"], tls: { httpsRedirect: true } }] }`).notHonoured,
    ).toEqual([]);
  });
});

describe('ServiceEntry and WorkloadEntry', () => {
  const PORTS = 'ports: [{ number: 80, name: http, protocol: HTTP }]';
  const entry = (endpoint: string): string => `hosts: [a.com], ${PORTS}, resolution: STATIC, endpoints: [${endpoint}]`;
  test.each([
    [entry('{ address: 10.0.0.1 }'), []],
    [entry('{ address: a.com }'), ['endpoints[0].address E_ADDRESS']],
    [entry('{ address: 0177.0.0.1 }'), ['endpoints[0].address E_ADDRESS']],
    [entry('{ address: "127.1" }'), ['endpoints[0].address E_ADDRESS']],
    [entry('{ address: "fe80::1%eth0" }'), ['endpoints[0].address E_ADDRESS']],
    [entry('{}'), ['endpoints[0] E_REQUIRED']],
    [entry('{ address: 10.0.0.1, ports: { https: 443 } }'), ['endpoints[0].ports.https E_REF']],
    [entry('{ address: 10.0.0.1, ports: { http: 70000 } }'), ['endpoints[0].ports.http E_PORT']],
    [entry('{ address: "unix:///a/b" }'), []],
    [entry('{ address: "unix://a" }'), ['endpoints[0].address E_ADDRESS']],
    [entry('{ address: "unix:///a", ports: { http: 80 } }'), ['endpoints[0].ports E_ADDRESS']],
    [`hosts: [a.com], ${PORTS}, resolution: DNS, endpoints: [{ address: "a b" }]`, ['endpoints[0].address E_ADDRESS']],
    [`hosts: [a.com], ${PORTS}, resolution: DNS, endpoints: [{ address: "127.1" }]`, ['endpoints[0].address E_ADDRESS']],
    [`hosts: ["*.a.com"], ${PORTS}, resolution: DNS`, ['hosts[0] E_RESOLUTION']],
    [`hosts: [a.com], ${PORTS}, endpoints: [{ address: 10.0.0.1 }]`, ['endpoints E_RESOLUTION']],
    [
      `hosts: [a.com], ${PORTS}, resolution: DNS_ROUND_ROBIN, endpoints: [{ address: a.com }, { address: b.com }]`,
      ['endpoints E_RESOLUTION'],
    ],
    [`hosts: [a.com], ${PORTS}, resolution: DNS, addresses: [10.0.0.0/8]`, ['addresses[0] E_RESOLUTION']],
    [`hosts: [a.com], ${PORTS}, resolution: STATIC, addresses: [10.0.0.0/33]`, ['addresses[0] E_ADDRESS']],
    [`hosts: [a.com], ${PORTS}, resolution: STATIC, endpoints: [], workloadSelector: { labels: { a: b } }`, ['endpoints E_ONE_OF']],
    ['hosts: [a.com], ports: [{ number: 80, name: a }, { number: 80, name: b }], resolution: DNS', ['ports[1].number E_DUPLICATE']],
    ['hosts: [a.com], ports: [{ number: 80, name: a }, { number: 81, name: a }], resolution: DNS', ['ports[1].name E_DUPLICATE']],
    [
      'hosts: [a.com], ports: [{ number: 80, name: A_B, protocol: X }], resolution: DNS',
      ['ports[0].name E_NAME', 'ports[0].protocol E_PROTOCOL'],
    ],
    ['hosts: [a.com, b.com], ports: [{ number: 80, name: a }], resolution: DNS', ['ports[0] E_PROTOCOL']],
    ['hosts: ["*"], resolution: NONE', ['hosts[0] E_HOST']],
    ['hosts: [reviews], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC', []],
    ['hosts: [a.com], exportTo: ["~", x], resolution: DNS', ['exportTo E_EXPORT_TO']],
    ['hosts: [a.com], exportTo: ["~"], resolution: DNS', []],
  ])('ServiceEntry %s', (spec, expected) => {
    expect(diagnose('ServiceEntry', `{ ${spec} }`).errors).toEqual(expected);
  });

  test.each([
    ['{ address: 10.0.0.1 }', []],
    ['{ address: a.b.com, weight: 3 }', []],
    ['{}', ['spec E_REQUIRED']],
    ['{ network: n }', []],
    ['{ address: "-a" }', ['address E_ADDRESS']],
    ['{ address: 10.0.0.1, ports: { "a b": 80 } }', ['ports["a b"] E_NAME']],
    ['{ address: 10.0.0.1, weight: -1 }', ['weight E_RANGE']],
  ])('WorkloadEntry %s', (spec, expected) => {
    expect(diagnose('WorkloadEntry', spec).errors).toEqual(expected);
  });
});
