/** The shape of a DestinationRule (istio/api networking/v1 destination_rule.proto). What the shape cannot say is in destination-rule.ts. */
import { z } from 'zod';
import { bool, int32, later, optional, partly, portSelector, text, textMap, texts, uint32 } from './fields.ts';

const localityFailover = z.array(z.strictObject({ from: optional(text), to: optional(text) }));

const loadBalancer = z.strictObject({
  simple: partly(
    z.enum(['UNSPECIFIED', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN', 'LEAST_REQUEST']),
    'PASSTHROUGH is taken as LEAST_REQUEST: there is no original destination to pass to',
  ),
  consistentHash: later(
    z.strictObject({
      httpHeaderName: optional(text),
      httpCookie: optional(
        z.strictObject({
          name: text,
          path: optional(text),
          ttl: optional(text),
          attributes: optional(z.array(z.strictObject({ name: text, value: optional(text) }))),
        }),
      ),
      useSourceIp: optional(bool),
      httpQueryParameterName: optional(text),
      ringHash: optional(z.strictObject({ minimumRingSize: optional(z.int().min(0)) })),
      maglev: optional(z.strictObject({ tableSize: optional(z.int().min(0)) })),
      minimumRingSize: optional(z.int().min(0)),
    }),
    'endpoints are not chosen by hash but by LEAST_REQUEST',
  ),
  localityLbSetting: later(
    z.strictObject({
      distribute: optional(z.array(z.strictObject({ from: optional(text), to: optional(z.record(z.string(), uint32)) }))),
      failover: optional(localityFailover),
      failoverPriority: optional(texts),
      enabled: optional(bool),
    }),
    'locality does not influence the choice of endpoints',
  ),
  zoneAwareLbSetting: later(
    z.strictObject({
      enabled: optional(bool),
      failover: optional(localityFailover),
      failoverPriority: optional(texts),
      minClusterSize: optional(z.int().min(1)),
    }),
    'zones do not influence the choice of endpoints',
  ),
  warmup: later(
    z.strictObject({ duration: text, minimumPercent: optional(z.number().min(0).max(100)), aggression: optional(z.number().min(0)) }),
    'new endpoints get their full share at once',
  ),
  warmupDurationSecs: later(text, 'new endpoints get their full share at once'),
});

const connectionPool = z.strictObject({
  tcp: optional(
    z.strictObject({
      maxConnections: later(int32, 'upstream connections are not limited'),
      connectTimeout: optional(text),
      tcpKeepalive: later(
        z.strictObject({ probes: optional(uint32), time: optional(text), interval: optional(text) }),
        'keep-alive probes are left to the operating system',
      ),
      maxConnectionDuration: later(text, 'upstream connections are not closed because of their age'),
      idleTimeout: later(text, 'TCP is not proxied'),
    }),
  ),
  http: optional(
    z.strictObject({
      http1MaxPendingRequests: later(int32, 'waiting requests are not limited'),
      http2MaxRequests: later(int32, 'requests in flight are not limited'),
      maxRequestsPerConnection: optional(int32),
      maxRetries: later(int32, 'there are no retries to limit'),
      idleTimeout: optional(text),
      h2UpgradePolicy: later(z.enum(['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE']), 'upstream connections are always HTTP/1.1'),
      useClientProtocol: later(bool, 'upstream connections are always HTTP/1.1'),
      maxConcurrentStreams: later(int32, 'upstream connections are always HTTP/1.1'),
      http2KeepAlive: later(
        z.strictObject({ interval: optional(text), timeout: optional(text) }),
        'upstream connections are always HTTP/1.1',
      ),
    }),
  ),
});

const outlierDetection = z.strictObject({
  consecutiveErrors: optional(int32),
  splitExternalLocalOriginErrors: optional(bool),
  consecutiveLocalOriginFailures: optional(uint32),
  consecutiveGatewayErrors: optional(uint32),
  consecutive5xxErrors: optional(uint32),
  interval: optional(text),
  baseEjectionTime: optional(text),
  maxEjectionPercent: optional(int32),
  minHealthPercent: optional(int32),
  outlierDetectionHttpErrorCodes: optional(z.array(z.int().min(100).max(599))),
});

const clientTls = z.strictObject({
  mode: optional(z.enum(['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'])),
  clientCertificate: optional(text),
  privateKey: optional(text),
  caCertificates: optional(text),
  credentialName: optional(text),
  subjectAltNames: optional(texts),
  sni: optional(text),
  insecureSkipVerify: optional(bool),
  caCrl: optional(text),
});

const perPort = {
  loadBalancer: optional(loadBalancer),
  connectionPool: optional(connectionPool),
  outlierDetection: later(outlierDetection, 'failing endpoints are not ejected'),
  tls: partly(clientTls, 'modes other than DISABLE: upstream connections are plain text'),
};

const trafficPolicy = z.strictObject({
  ...perPort,
  portLevelSettings: optional(z.array(z.strictObject({ port: optional(portSelector), ...perPort })).max(4096)),
  tunnel: later(z.strictObject({ protocol: optional(text), targetHost: text, targetPort: uint32 }), 'traffic is not tunnelled'),
  proxyProtocol: later(z.strictObject({ version: optional(z.enum(['V1', 'V2'])) }), 'no PROXY header is sent'),
  retryBudget: later(
    z.strictObject({
      percent: optional(z.number().min(0).max(100)),
      minRetryConcurrency: optional(uint32),
      budgetInterval: optional(text),
    }),
    'there are no retries to limit',
  ),
});

export const destinationRuleSchema = z.strictObject({
  host: text,
  trafficPolicy: optional(trafficPolicy),
  subsets: optional(z.array(z.strictObject({ name: text, labels: optional(textMap), trafficPolicy: optional(trafficPolicy) }))),
  exportTo: later(texts, 'the resource is seen from every namespace'),
  workloadSelector: later(
    z.strictObject({ matchLabels: optional(z.record(z.string(), z.string().max(63))) }),
    'callers on one machine have no labels; the rule is for all of them',
  ),
});

export type ParsedTrafficPolicy = z.infer<typeof trafficPolicy>;
export type ParsedPortPolicy = NonNullable<ParsedTrafficPolicy['portLevelSettings']>[number];
export type ParsedDestinationRule = z.infer<typeof destinationRuleSchema>;
