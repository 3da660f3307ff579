/** Routing tables for tests of the data plane, as literals: what compile() would make of a small configuration. */
import { NO_HEADER_OPS } from '../../src/routing/table.ts';
import type { Cluster, ForwardAction, HeaderOps, Route, RouteAction, RoutingTable, VirtualHost } from '../../src/routing/table.ts';

export function cluster(ports: number | readonly number[], changes: Partial<Cluster> = {}): Cluster {
  const list = typeof ports === 'number' ? [ports] : ports;
  return {
    name: 'outbound|80||upstream.test',
    host: 'upstream.test',
    subset: '',
    port: 80,
    discovery: 'STATIC',
    endpoints: list.map((port) => ({ address: '127.0.0.1', port, weight: 1, labels: {} })),
    loadBalancer: 'ROUND_ROBIN',
    connectTimeoutMs: 2000,
    idleTimeoutMs: 3000,
    maxRequestsPerConnection: 0,
    retryLimit: { percent: 20, atLeast: 3 },
    ...changes,
  };
}

export function forward(changes: Partial<ForwardAction> = {}): ForwardAction {
  return {
    kind: 'forward',
    clusters: [{ cluster: 0, weight: 1, requestHeaders: NO_HEADER_OPS, responseHeaders: NO_HEADER_OPS }],
    totalWeight: 1,
    timeoutMs: 0,
    ...changes,
  };
}

/** A route for paths that begin with `prefix`. */
export function route(prefix: string, action: RouteAction, changes: Partial<Route> = {}): Route {
  return {
    name: `route ${prefix}`,
    source: { kind: 'VirtualService', namespace: 'default', name: 'test', path: 'spec.http[0]', file: 'test.yaml', line: 1 },
    matches: [{ path: 'spec.http[0]', uri: { kind: 'prefix', value: prefix, ignoreCase: false }, headers: [], queryParams: [] }],
    action,
    requestHeaders: NO_HEADER_OPS,
    responseHeaders: NO_HEADER_OPS,
    ...changes,
  };
}

/** `set` operations with constant values. */
export function setHeaders(fields: Readonly<Record<string, string>>): HeaderOps {
  return { ...NO_HEADER_OPS, set: Object.entries(fields).map(([name, value]) => ({ name, value: [value] })) };
}

export function hosts(domains: readonly string[], routes: readonly Route[]): VirtualHost {
  return { name: domains[0] ?? '', domains, routes };
}

/** One mesh listener. */
export function table(virtualHosts: readonly VirtualHost[], clusters: readonly Cluster[]): RoutingTable {
  return { version: 'test', listeners: [{ name: 'mesh', port: 0, gateways: [], virtualHosts }], clusters };
}

/** Everything goes to one upstream. */
export function singleTable(
  port: number,
  changes: { cluster?: Partial<Cluster>; action?: Partial<ForwardAction>; route?: Partial<Route> } = {},
): RoutingTable {
  return table([hosts(['*'], [route('/', forward(changes.action), changes.route)])], [cluster(port, changes.cluster)]);
}
