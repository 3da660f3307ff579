/** Rules for whole connections (`tcp` and `tls` of a VirtualService), for one listener of Gateways (pilot/pkg/networking/core/tls.go, gateway.go). */
import { hostCovers, hostsOverlap, normalizeHost } from '../config/hosts.ts';
import type { Gateway, GatewayServer, L4Match, L4RouteDestination, VirtualService } from '../config/resources.ts';
import { parseServerHost } from './bound-hosts.ts';
import type { Compilation } from './compilation.ts';
import { boundGateways, whyNeverHere } from './compile-match.ts';
import type { Scope } from './scope.ts';
import type { TcpCluster, TcpMatch, TcpRoute } from './table.ts';

/** A server of the listener, with the name of its Gateway (`namespace/name`). */
export interface TcpServer {
  readonly gateway: Gateway;
  readonly gatewayName: string;
  readonly server: GatewayServer;
}

/** `tcp` rules that a listener's servers take, the oldest VirtualService's first. */
export function compileTcp(compilation: Compilation, servers: readonly TcpServer[], port: number): readonly TcpRoute[] {
  return boundTo(compilation, servers, port).flatMap(({ virtualService, scope }) =>
    (virtualService.spec.tcp ?? []).flatMap((rule, index) => {
      const path = `spec.tcp[${index}]`;
      const matches = (rule.match ?? []).map((match, at): TcpMatch => ({
        ...conditions(match, `${path}.match[${at}]`, virtualService, scope),
        ...(match.sourceSubnet === undefined || match.sourceSubnet === '' ? {} : { sourceSubnet: match.sourceSubnet }),
      }));
      const all = matches.length === 0 ? [{ path }] : matches;
      return tcpRoute(compilation, virtualService, { name: `tcp[${index}]`, path, matches: all, ...destinationsOf(rule) }, port);
    }),
  );
}

/** `tls` rules of servers that pass TLS on. A server takes the names it has of those a rule asks for. */
export function compilePassthrough(compilation: Compilation, servers: readonly TcpServer[], port: number): readonly TcpRoute[] {
  return boundTo(compilation, servers, port).flatMap(({ virtualService, scope, hosts }) =>
    (virtualService.spec.tls ?? []).flatMap((rule, index) => {
      const path = `spec.tls[${index}]`;
      const matches = rule.match.flatMap((match, at): readonly TcpMatch[] => {
        const serverNames = match.sniHosts.flatMap((name) => narrowed(normalizeHost(name), hosts));
        return serverNames.length === 0
          ? []
          : [{ ...conditions(match, `${path}.match[${at}]`, virtualService, scope), serverNames: [...new Set(serverNames)] }];
      });
      return tcpRoute(compilation, virtualService, { name: `tls[${index}]`, path, matches, ...destinationsOf(rule) }, port);
    }),
  );
}

interface Bound {
  readonly virtualService: VirtualService;
  /** Of the servers that take it. */
  readonly hosts: readonly string[];
  readonly scope: Scope;
}

/** In order of age. */
function boundTo(compilation: Compilation, servers: readonly TcpServer[], port: number): readonly Bound[] {
  return compilation.snapshot.virtualServices.flatMap((virtualService): readonly Bound[] => {
    const { namespace } = virtualService.metadata;
    const { gateways, hosts = [], tcp = [], tls = [] } = virtualService.spec;
    if (tcp.length === 0 && tls.length === 0) return [];
    const names = hosts.flatMap((host) => [normalizeHost(host), compilation.resolve(host, namespace)]);
    const wanted = new Set(boundGateways(gateways, namespace));
    const taking = servers.flatMap(({ gateway, gatewayName, server }) => {
      if (!wanted.has(gatewayName)) return [];
      const open = server.hosts
        .map((host) => parseServerHost(host, gateway.metadata.namespace))
        .filter((host) => host.namespace === '*' || host.namespace === namespace)
        .map(({ host }) => host)
        .filter((host) => names.some((name) => hostsOverlap(host, name)));
      return open.length === 0 ? [] : [{ gatewayName, open }];
    });
    if (taking.length === 0) return [];
    const through = new Set(taking.map(({ gatewayName }) => gatewayName));
    return [{ virtualService, hosts: taking.flatMap(({ open }) => open), scope: { port, gateways: through } }];
  });
}

function narrowed(name: string, hosts: readonly string[]): readonly string[] {
  return hosts.flatMap((host) => (hostCovers(host, name) ? [name] : hostCovers(name, host) ? [host] : []));
}

function conditions(match: L4Match, path: string, { metadata }: VirtualService, scope: Scope): TcpMatch {
  const { destinationSubnets = [] } = match;
  const never = whyNeverHere(match, metadata.namespace, scope);
  return {
    path,
    ...(destinationSubnets.length === 0 ? {} : { destinationSubnets }),
    ...(never === undefined ? {} : { never }),
  };
}

function destinationsOf({ route }: Pick<WrittenRule, 'route'>): Pick<WrittenRule, 'route'> {
  return route === undefined ? {} : { route };
}

interface WrittenRule {
  readonly name: string;
  readonly path: string;
  readonly matches: readonly TcpMatch[];
  readonly route?: readonly L4RouteDestination[];
}

/** Nothing where the rule takes no connection of this listener. Weights are as in HTTP rules (vector A9). */
function tcpRoute(
  compilation: Compilation,
  virtualService: VirtualService,
  { name, path, matches, route = [] }: WrittenRule,
  port: number,
): readonly TcpRoute[] {
  if (matches.length === 0) return [];
  const { kind, metadata } = virtualService;
  const isLone = route.length === 1;
  const clusters = route.flatMap(({ destination, weight = 0 }): readonly TcpCluster[] => {
    if (!isLone && weight === 0) return [];
    const host = compilation.resolve(destination.host, metadata.namespace);
    const cluster = compilation.clusters.use(host, destination.subset ?? '', destination.port?.number, port);
    return [{ cluster, weight: isLone ? 1 : weight }];
  });
  const { origin } = virtualService;
  const source = { kind, namespace: metadata.namespace, name: metadata.name, path, file: origin.file, line: origin.line };
  return [{ name, source, matches, clusters, totalWeight: clusters.reduce((sum, { weight }) => sum + weight, 0) }];
}
