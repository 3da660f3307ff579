import { describe, expect, test } from 'vitest';
import { effectivePolicy } from './traffic-policy.ts';
import type { Cluster } from './table.ts';

const PORT = 9080;
const DEFAULTS = { loadBalancer: 'LEAST_REQUEST', connectTimeoutMs: 2000, idleTimeoutMs: 3000, maxRequestsPerConnection: 0 };
const OUTLIERS = {
  consecutive5xxErrors: 5,
  consecutiveGatewayErrors: 0,
  splitLocalErrors: false,
  consecutiveLocalFailures: 5,
  errorStatuses: [],
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionPercent: 10,
  minHealthPercent: 0,
};
const port = { number: PORT };

describe('a DestinationRule means', () => {
  test.each<readonly [string, ...Parameters<typeof effectivePolicy>, Partial<Cluster>]>([
    ['defaults where nothing is said', undefined, undefined, PORT, {}],
    ['what the destination says', { loadBalancer: { simple: 'ROUND_ROBIN' } }, undefined, PORT, { loadBalancer: 'ROUND_ROBIN' }],
    ['the default for UNSPECIFIED', { loadBalancer: { simple: 'UNSPECIFIED' } }, undefined, PORT, {}],
    ['least request for LEAST_CONN', { loadBalancer: { simple: 'LEAST_CONN' } }, undefined, PORT, {}],
    ['least request for PASSTHROUGH', { loadBalancer: { simple: 'PASSTHROUGH' } }, undefined, PORT, {}],
    [
      'a ring of 1024 for a consistent hash that names no table',
      { loadBalancer: { consistentHash: { useSourceIp: true } } },
      undefined,
      PORT,
      { hash: { key: { kind: 'sourceAddress' }, table: { kind: 'ringHash', minimumSize: 1024 } } },
    ],
    [
      'a Maglev table of 65537, and a cookie that is set',
      {
        loadBalancer: {
          consistentHash: { maglev: {}, httpCookie: { name: 'u', path: '/', ttl: '1h', attributes: [{ name: 'SameSite', value: 'Lax' }] } },
        },
      },
      undefined,
      PORT,
      {
        hash: {
          key: { kind: 'cookie', name: 'u', setAttributes: '; Max-Age=3600; Path=/; SameSite=Lax; HttpOnly' },
          table: { kind: 'maglev', size: 65_537 },
        },
      },
    ],
    [
      'a session cookie for a ttl of 0s, none for no ttl',
      { loadBalancer: { consistentHash: { httpCookie: { name: 'u', ttl: '0s' } } } },
      { loadBalancer: { consistentHash: { httpCookie: { name: 'u' }, minimumRingSize: 10 } } },
      PORT,
      { hash: { key: { kind: 'cookie', name: 'u' }, table: { kind: 'ringHash', minimumSize: 10 } } },
    ],
    ['no hash where there is nothing to hash', { loadBalancer: { consistentHash: { ringHash: {} } } }, undefined, PORT, {}],
    [
      'a warm-up, by its old name as well',
      { loadBalancer: { simple: 'ROUND_ROBIN', warmupDurationSecs: '60s' } },
      undefined,
      PORT,
      { loadBalancer: 'ROUND_ROBIN', warmup: { durationMs: 60_000, minimumPercent: 10, aggression: 1 } },
    ],
    [
      'the limits that are given; 0 is none',
      { connectionPool: { tcp: { maxConnections: 100 }, http: { http1MaxPendingRequests: 1, http2MaxRequests: 0 } } },
      undefined,
      PORT,
      { limits: { connections: 100, pending: 1, requests: 0 } },
    ],
    ['no limits where all are 0', { connectionPool: { tcp: { maxConnections: 0 } } }, undefined, PORT, {}],
    ["Istio's defaults of outlier detection", { outlierDetection: {} }, undefined, PORT, { outlierDetection: OUTLIERS }],
    [
      'the counts of outlier detection that are given',
      {
        outlierDetection: {
          consecutive5xxErrors: 0,
          consecutiveGatewayErrors: 3,
          interval: '1s',
          baseEjectionTime: '3m',
          maxEjectionPercent: 100,
          outlierDetectionHttpErrorCodes: [429, 500],
        },
      },
      undefined,
      PORT,
      {
        outlierDetection: {
          ...OUTLIERS,
          consecutive5xxErrors: 0,
          consecutiveGatewayErrors: 3,
          intervalMs: 1000,
          baseEjectionMs: 180_000,
          maxEjectionPercent: 100,
          errorStatuses: [429],
        },
      },
    ],
    [
      'the block of the subset, and the other blocks of the destination',
      { loadBalancer: { simple: 'ROUND_ROBIN' }, connectionPool: { tcp: { connectTimeout: '5s' } } },
      { loadBalancer: { simple: 'RANDOM' } },
      PORT,
      { loadBalancer: 'RANDOM', connectTimeoutMs: 5000 },
    ],
    [
      'a block as a whole: what the subset leaves out of it is not inherited',
      { connectionPool: { tcp: { connectTimeout: '5s' } } },
      { connectionPool: { http: { maxRequestsPerConnection: 1 } } },
      PORT,
      { maxRequestsPerConnection: 1 },
    ],
    [
      'port settings alone: what they leave out is at its default',
      { loadBalancer: { simple: 'ROUND_ROBIN' }, portLevelSettings: [{ port, connectionPool: { http: { idleTimeout: '1m' } } }] },
      undefined,
      PORT,
      { idleTimeoutMs: 60_000 },
    ],
    [
      'nothing of the settings of another port',
      { loadBalancer: { simple: 'ROUND_ROBIN' }, portLevelSettings: [{ port: { number: 1 }, loadBalancer: { simple: 'RANDOM' } }] },
      undefined,
      PORT,
      { loadBalancer: 'ROUND_ROBIN' },
    ],
    [
      'the subset over the port settings of the destination',
      { portLevelSettings: [{ port, loadBalancer: { simple: 'ROUND_ROBIN' }, connectionPool: { tcp: { connectTimeout: '5s' } } }] },
      { loadBalancer: { simple: 'RANDOM' } },
      PORT,
      { loadBalancer: 'RANDOM', connectTimeoutMs: 5000 },
    ],
    [
      'the port settings of the subset over everything',
      { loadBalancer: { simple: 'ROUND_ROBIN' } },
      { connectionPool: { tcp: { connectTimeout: '5s' } }, portLevelSettings: [{ port, loadBalancer: { simple: 'RANDOM' } }] },
      PORT,
      { loadBalancer: 'RANDOM' },
    ],
    [
      'PROXY headers of version 1, whatever the port settings',
      { proxyProtocol: {}, portLevelSettings: [{ port }] },
      undefined,
      PORT,
      { proxyProtocol: 'V1' },
    ],
    [
      "the subset's PROXY headers over the destination's",
      { proxyProtocol: {} },
      { proxyProtocol: { version: 'V2' } },
      PORT,
      { proxyProtocol: 'V2' },
    ],
    ['the default for a timeout of 0, which means unset', { connectionPool: { tcp: { connectTimeout: '0s' } } }, undefined, PORT, {}],
  ])('%s', (_, destination, subset, number, expected) => {
    expect(effectivePolicy(destination, subset, number)).toEqual({ ...DEFAULTS, ...expected });
  });
});

test.each([
  ['10m', { tunnelIdleMs: 600_000 }],
  ['0s', { tunnelIdleMs: 0 }],
])('tcp.idleTimeout %s is that of tunnels, where 0 is none', (idleTimeout, expected) => {
  expect(effectivePolicy({ connectionPool: { tcp: { idleTimeout } } }, undefined, 80)).toEqual({ ...DEFAULTS, ...expected });
});
