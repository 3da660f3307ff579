import { describe, expect, test } from 'vitest';
import { effectivePolicy } from './traffic-policy.ts';

const PORT = 9080;
const DEFAULTS = { loadBalancer: 'LEAST_REQUEST', connectTimeoutMs: 2000, idleTimeoutMs: 3000, maxRequestsPerConnection: 0 };
const port = { number: PORT };

describe('a DestinationRule means', () => {
  test.each<readonly [string, ...Parameters<typeof effectivePolicy>, Partial<typeof DEFAULTS>]>([
    ['defaults where nothing is said', undefined, undefined, PORT, {}],
    ['what the destination says', { loadBalancer: { simple: 'ROUND_ROBIN' } }, undefined, PORT, { loadBalancer: 'ROUND_ROBIN' }],
    ['the default for UNSPECIFIED', { loadBalancer: { simple: 'UNSPECIFIED' } }, undefined, PORT, {}],
    ['least request for LEAST_CONN', { loadBalancer: { simple: 'LEAST_CONN' } }, undefined, PORT, {}],
    ['least request for PASSTHROUGH', { loadBalancer: { simple: 'PASSTHROUGH' } }, undefined, PORT, {}],
    ['least request for a consistent hash', { loadBalancer: { consistentHash: { useSourceIp: true } } }, undefined, PORT, {}],
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
    ['the default for a timeout of 0, which means unset', { connectionPool: { tcp: { connectTimeout: '0s' } } }, undefined, PORT, {}],
  ])('%s', (_, destination, subset, number, expected) => {
    expect(effectivePolicy(destination, subset, number)).toEqual({ ...DEFAULTS, ...expected });
  });
});
