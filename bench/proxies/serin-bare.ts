/**
 * Serin's data plane alone: one hand-made table in the calling thread, without configuration, control plane or worker threads. What it costs
 * less than `serin up` is what the rest costs.
 *
 * Run with two ports (`node bench/proxies/serin-bare.ts V1 V2`) it is the proxy itself and prints `port N`.
 */
import { fileURLToPath } from 'node:url';
import { createProxy } from '../../src/proxy/proxy.ts';
import { MESH_LISTENER, NO_HEADER_OPS } from '../../src/routing/table.ts';
import type { Cluster, RoutingTable, WeightedCluster } from '../../src/routing/table.ts';
import { Child } from '../child.ts';
import { PROXY_CORE } from '../machine.ts';
import type { ProxyKind } from './proxy.ts';

export function serinBare(): ProxyKind {
  return {
    name: 'Serin, data plane only',
    missing: undefined,
    start: async ({ backends }) => {
      const command = [process.execPath, fileURLToPath(import.meta.url), String(backends.v1), String(backends.v2)];
      const child = new Child('Serin, data plane only', PROXY_CORE, command);
      const port = Number((await child.waitFor(/^port (\d+)$/m))[1]);
      return { port, child };
    },
  };
}

function cluster(subset: string, port: number): Cluster {
  return {
    name: `outbound|80|${subset}|app.default.svc.cluster.local`,
    host: 'app.default.svc.cluster.local',
    subset,
    port: 80,
    discovery: 'STATIC',
    endpoints: [{ address: '127.0.0.1', port, weight: 1, labels: { version: subset } }],
    loadBalancer: 'LEAST_REQUEST',
    connectTimeoutMs: 10_000,
    idleTimeoutMs: 60_000,
    maxRequestsPerConnection: 0,
    retryLimit: { percent: 20, atLeast: 3 },
  };
}

function weighted(index: number, weight: number): WeightedCluster {
  return { cluster: index, weight, requestHeaders: NO_HEADER_OPS, responseHeaders: NO_HEADER_OPS };
}

function table(v1: number, v2: number): RoutingTable {
  return {
    version: '1',
    clusters: [cluster('v1', v1), cluster('v2', v2)],
    listeners: [
      {
        name: MESH_LISTENER,
        port: 0,
        gateways: [],
        virtualHosts: [
          {
            name: 'app',
            domains: ['app'],
            routes: [
              {
                name: 'http[0]',
                source: { kind: 'VirtualService', namespace: 'default', name: 'app', path: 'spec.http[0]', file: '-', line: 1 },
                matches: [{ path: 'spec.http[0]', headers: [], queryParams: [] }],
                action: { kind: 'forward', clusters: [weighted(0, 90), weighted(1, 10)], totalWeight: 100, timeoutMs: 0 },
                requestHeaders: NO_HEADER_OPS,
                responseHeaders: NO_HEADER_OPS,
              },
            ],
          },
        ],
      },
    ],
  };
}

async function main(v1: number, v2: number): Promise<void> {
  const proxy = createProxy({ workers: 0 });
  const [bound] = await proxy.apply(table(v1, v2), [{ listener: MESH_LISTENER, host: '127.0.0.1', port: 0 }]);
  process.stdout.write(`port ${bound?.port ?? 0}\n`);
}

if (import.meta.main) await main(Number(process.argv[2]), Number(process.argv[3]));
