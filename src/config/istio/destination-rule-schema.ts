/** The shape of a DestinationRule (istio/api networking/v1 destination_rule.proto). What the shape cannot say is in destination-rule.ts. */
import { z } from 'zod';
import { bool, int32, later, optional, partly, portSelector, text, textMap, texts, uint32 } from './fields.ts';

const localityFailover = z.array(z.strictObject({ from: optional(text), to: optional(text) }));

const loadBalancer = z.strictObject({
  simple: partly(
    z.enum(['UNSPECIFIED', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN', 'LEAST_REQUEST']),
    'PASSTHROUGH is taken as LEAST_REQUEST: there is no original destination to pass to',
  ),
  consistentHash: optional(
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
  ),
  localityLbSetting: optional(
    z.strictObject({
      distribute: optional(z.array(z.strictObject({ from: optional(text), to: optional(z.record(z.string(), uint32)) }))),
      failover: optional(localityFailover),
      failoverPriority: optional(texts),
      enabled: optional(bool),
    }),
  ),
  zoneAwareLbSetting: partly(
    z.strictObject({
      enabled: optional(bool),
      failover: optional(localityFailover),
      failoverPriority: optional(texts),
      minClusterSize: optional(z.int().min(1)),
    }),
    'failover and failoverPriority are honoured; there is one proxy, so none to spread the zones over',
  ),
  warmup: optional(
    z.strictObject({ duration: text, minimumPercent: optional(z.number().min(0).max(100)), aggression: optional(z.number().min(0)) }),
  ),
  warmupDurationSecs: optional(text),
});

const connectionPool = z.strictObject({
  tcp: optional(
    z.strictObject({
      maxConnections: optional(int32),
      connectTimeout: optional(text),
      tcpKeepalive: optional(
        z.strictObject({
          probes: later(uint32, 'how many probes are sent is left to the operating system'),
          time: optional(text),
          interval: later(text, 'the time between probes is left to the operating system'),
        }),
      ),
      maxConnectionDuration: optional(text),
      idleTimeout: optional(text),
    }),
  ),
  http: optional(
    z.strictObject({
      http1MaxPendingRequests: optional(int32),
      http2MaxRequests: optional(int32),
      maxRequestsPerConnection: optional(int32),
      maxRetries: optional(int32),
      idleTimeout: optional(text),
      h2UpgradePolicy: optional(z.enum(['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE'])),
      useClientProtocol: optional(bool),
      maxConcurrentStreams: optional(int32),
      http2KeepAlive: optional(z.strictObject({ interval: optional(text), timeout: optional(text) })),
    }),
  ),
});

const outlierDetection = z.strictObject({
  consecutiveErrors: later(int32, 'it is not read, as Istio no longer reads it'),
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
  outlierDetection: optional(outlierDetection),
  tls: partly(clientTls, 'ISTIO_MUTUAL: there is no mesh whose certificates could be used'),
};

const trafficPolicy = z.strictObject({
  ...perPort,
  portLevelSettings: optional(z.array(z.strictObject({ port: optional(portSelector), ...perPort })).max(4096)),
  tunnel: later(
    z.strictObject({ protocol: optional(text), targetHost: text, targetPort: uint32 }),
    'connections go to the endpoints themselves, and not through them to targetHost',
  ),
  proxyProtocol: optional(z.strictObject({ version: optional(z.enum(['V1', 'V2'])) })),
  retryBudget: optional(
    z.strictObject({
      percent: optional(z.number().min(0).max(100)),
      minRetryConcurrency: optional(uint32),
      budgetInterval: later(text, 'the budget follows the requests in flight at the moment'),
    }),
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
