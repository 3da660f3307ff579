import {
  describeEndpoints,
  describeMatch,
  describeOps,
  describeRedirect,
  describeRewrite,
  describeShare,
  describeSource,
} from './describe.ts';
import type { Cluster, Route, RouteAction, RoutingTable } from './table.ts';

/**
 * A routing table as text for people and for golden tests: everything that decides what happens to a request, in the order in which it is looked
 * at; stable, so that two prints can be compared line by line. The version is left out: it is a hash of the input.
 */
export function printTable(table: RoutingTable): string {
  const lines: string[] = [];
  for (const listener of table.listeners) {
    const gateways = listener.gateways.length === 0 ? '' : ` (${listener.gateways.join(', ')})`;
    lines.push(
      `listener ${listener.name}${listener.port === 0 ? '' : ` port ${listener.port}`}${listener.bind === undefined ? '' : ` bind ${listener.bind}`}${gateways}`,
    );
    for (const virtualHost of listener.virtualHosts) {
      lines.push(`  virtual host ${virtualHost.name}`, `    domains ${virtualHost.domains.join(' ')}`);
      for (const route of virtualHost.routes) lines.push(...printRoute(table, route).map((line) => `    ${line}`));
    }
  }
  for (const cluster of table.clusters) lines.push(...printCluster(cluster));
  return `${lines.join('\n')}\n`;
}

function printRoute(table: RoutingTable, route: Route): readonly string[] {
  return [
    `route ${route.name} (${describeSource(route)})`,
    ...(route.unreachable === undefined ? [] : [`  unreachable: ${route.unreachable}`]),
    ...route.matches.map((match) => `  when ${describeMatch(match)}${match.never === undefined ? '' : `; never: ${match.never}`}`),
    ...printAction(table, route.action).map((line) => `  ${line}`),
    ...describeOps(route.requestHeaders).map((line) => `  request ${line}`),
    ...describeOps(route.responseHeaders).map((line) => `  response ${line}`),
  ];
}

function printAction(table: RoutingTable, action: RouteAction): readonly string[] {
  if (action.kind === 'redirect') return [`redirect ${describeRedirect(action)}`];
  if (action.kind === 'directResponse') return [`respond ${action.status} ${JSON.stringify(Buffer.from(action.body).toString('utf8'))}`];
  return [
    ...action.clusters.flatMap((weighted) => [
      `to ${table.clusters[weighted.cluster]?.name ?? weighted.cluster} ${describeShare(weighted, action.totalWeight)}`,
      ...(weighted.hostRewrite === undefined ? [] : [`  host -> ${weighted.hostRewrite}`]),
      ...describeOps(weighted.requestHeaders).map((line) => `  request ${line}`),
      ...describeOps(weighted.responseHeaders).map((line) => `  response ${line}`),
    ]),
    ...(action.rewrite === undefined ? [] : [`rewrite ${describeRewrite(action.rewrite)}`]),
    ...(action.timeoutMs === 0 ? [] : [`timeout ${action.timeoutMs} ms`]),
  ];
}

function printCluster(cluster: Cluster): readonly string[] {
  const { healthCheck } = cluster;
  return [
    `cluster ${cluster.name}`,
    `  ${cluster.discovery} ${cluster.loadBalancer} connect ${cluster.connectTimeoutMs} ms, idle ${cluster.idleTimeoutMs} ms, requests a connection ${cluster.maxRequestsPerConnection === 0 ? 'unlimited' : cluster.maxRequestsPerConnection}`,
    `  endpoints ${describeEndpoints(cluster)}`,
    ...(healthCheck === undefined
      ? []
      : [
          `  health check ${healthCheck.path} every ${healthCheck.intervalMs} ms, timeout ${healthCheck.timeoutMs} ms, out after ${healthCheck.unhealthyThreshold}, back after ${healthCheck.healthyThreshold}`,
        ]),
  ];
}
