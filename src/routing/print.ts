import {
  describeCors,
  describeEndpoints,
  describeHttp2,
  describeFault,
  describePolicies,
  describeMatch,
  describeMirror,
  describeOps,
  describeRedirect,
  describeRetry,
  describeRetryLimit,
  isDefaultLimit,
  describeRewrite,
  describeSession,
  describeShare,
  describeSource,
} from './describe.ts';
import { describeTcpMatch, tcpRoutesOf } from './tcp-match.ts';
import type { Cluster, Listener, Mirror, Route, RouteAction, RoutingTable, TcpRoute, TlsSite } from './table.ts';

/**
 * A routing table as text for people and for golden tests: everything that decides what happens to a request, in the order in which it is looked
 * at; stable, so that two prints can be compared line by line. The version is left out: it is a hash of the input.
 */
export function printTable(table: RoutingTable): string {
  const lines: string[] = [];
  for (const listener of table.listeners) {
    lines.push(printListener(listener));
    for (const site of listener.tls ?? []) lines.push(`  ${printTlsSite(site)}`);
    for (const route of tcpRoutesOf(listener)) lines.push(...printTcpRoute(table, route).map((line) => `  ${line}`));
    for (const virtualHost of listener.virtualHosts) {
      const { name, domains, tlsSite } = virtualHost;
      lines.push(`  virtual host ${name}`, `    domains ${domains.join(' ')}`);
      if (tlsSite !== undefined) lines.push(`    only over TLS of ${tlsSite}; else 421`);
      for (const route of virtualHost.routes) lines.push(...printRoute(table, route).map((line) => `    ${line}`));
    }
  }
  for (const cluster of table.clusters) lines.push(...printCluster(cluster));
  return `${lines.join('\n')}\n`;
}

/** `listener 80 port 80 (default/front)`. */
export function printListener({ name, port, bind, gateways }: Listener): string {
  const declared = `${port === 0 ? '' : ` port ${port}`}${bind === undefined ? '' : ` bind ${bind}`}`;
  return `listener ${name}${declared}${gateways.length === 0 ? '' : ` (${gateways.join(', ')})`}`;
}

/** `TLS default/front spec.servers[0] for *.example.com with secret default/cert, client certificates required`. */
function printTlsSite({ name, serverNames, certificates, clientCertificate }: TlsSite): string {
  const clients = clientCertificate === 'none' ? '' : `, client certificates ${clientCertificate}`;
  return `TLS ${name} for ${serverNames.join(' ')} with ${certificates.join(' ')}${clients}`;
}

function printTcpRoute(table: RoutingTable, route: TcpRoute): readonly string[] {
  return [
    `${route.name} (${describeSource(route)})`,
    ...[...printTcpMatches(route), ...printTcpClusters(table, route)].map((line) => `  ${line}`),
  ];
}

export function printTcpMatches({ matches }: TcpRoute): readonly string[] {
  return matches.map((match) => `when ${describeTcpMatch(match)}${match.never === undefined ? '' : `; never: ${match.never}`}`);
}

export function printTcpClusters(table: RoutingTable, { clusters, totalWeight }: TcpRoute): readonly string[] {
  return clusters.map(
    ({ cluster, weight }) => `to ${table.clusters[cluster]?.name ?? cluster} ${Math.round((1000 * weight) / totalWeight) / 10} %`,
  );
}

function printRoute(table: RoutingTable, route: Route): readonly string[] {
  return [
    `route ${route.name} (${describeSource(route)})`,
    ...(route.unreachable === undefined ? [] : [`  unreachable: ${route.unreachable}`]),
    ...[...printMatches(route), ...printBehaviour(table, route)].map((line) => `  ${line}`),
  ];
}

export function printMatches({ matches }: Route): readonly string[] {
  return matches.map((match) => `when ${describeMatch(match)}${match.never === undefined ? '' : `; never: ${match.never}`}`);
}

/** What happens to the requests that a route takes. */
export function printBehaviour(table: RoutingTable, route: Route): readonly string[] {
  return [
    ...(route.cors === undefined ? [] : [`cors ${describeCors(route.cors)}`]),
    ...printAction(table, route.action),
    ...describeOps(route.requestHeaders).map((line) => `request ${line}`),
    ...describeOps(route.responseHeaders).map((line) => `response ${line}`),
  ];
}

function printAction(table: RoutingTable, action: RouteAction): readonly string[] {
  if (action.kind === 'redirect') return [`redirect ${describeRedirect(action)}`];
  if (action.kind === 'directResponse') return [`respond ${action.status} ${JSON.stringify(Buffer.from(action.body).toString('utf8'))}`];
  return [
    ...action.clusters.flatMap((weighted) => [
      `to ${table.clusters[weighted.cluster]?.name ?? weighted.cluster} ${describeShare(weighted, action.totalWeight)}`,
      ...(weighted.hostRewrite === undefined ? [] : [`  host -> ${weighted.hostRewrite}`]),
      ...(weighted.pathRewrite === undefined ? [] : [`  ${describeRewrite({ path: weighted.pathRewrite })}`]),
      ...(weighted.redirect === undefined ? [] : [`  redirect ${describeRedirect(weighted.redirect)}`]),
      ...printMirrors(table, weighted.mirrors).map((line) => `  ${line}`),
      ...describeOps(weighted.requestHeaders).map((line) => `  request ${line}`),
      ...describeOps(weighted.responseHeaders).map((line) => `  response ${line}`),
    ]),
    ...(action.rewrite === undefined ? [] : [`rewrite ${describeRewrite(action.rewrite)}`]),
    ...(action.timeoutMs === 0 ? [] : [`timeout ${action.timeoutMs} ms`]),
    ...(action.retry === undefined ? [] : [`retry ${describeRetry(action.retry)}`]),
    ...(action.fault === undefined ? [] : [`fault ${describeFault(action.fault)}`]),
    ...(action.session === undefined ? [] : [`session ${describeSession(action.session)}`]),
    ...printMirrors(table, action.mirrors),
  ];
}

function printMirrors(table: RoutingTable, mirrors: readonly Mirror[] = []): readonly string[] {
  return mirrors.map((mirror) => `copy ${describeMirror(mirror, table.clusters[mirror.cluster]?.name ?? '')}`);
}

export function printCluster(cluster: Cluster): readonly string[] {
  const { healthCheck } = cluster;
  return [
    `cluster ${cluster.name}`,
    `  ${cluster.discovery} ${cluster.loadBalancer} connect ${cluster.connectTimeoutMs} ms, idle ${cluster.idleTimeoutMs} ms, requests a connection ${cluster.maxRequestsPerConnection === 0 ? 'unlimited' : cluster.maxRequestsPerConnection}`,
    `  endpoints ${describeEndpoints(cluster)}`,
    ...(cluster.http2 === undefined ? [] : [`  ${describeHttp2(cluster.http2)}`]),
    ...(cluster.proxyProtocol === undefined ? [] : [`  connections begin with a PROXY header (${cluster.proxyProtocol})`]),
    ...describePolicies(cluster).map((policy) => `  ${policy}`),
    ...(isDefaultLimit(cluster.retryLimit) ? [] : [`  retries at once ${describeRetryLimit(cluster.retryLimit)}`]),
    ...(healthCheck === undefined
      ? []
      : [
          `  health check ${healthCheck.path} every ${healthCheck.intervalMs} ms, timeout ${healthCheck.timeoutMs} ms, out after ${healthCheck.unhealthyThreshold}, back after ${healthCheck.healthyThreshold}`,
        ]),
  ];
}
