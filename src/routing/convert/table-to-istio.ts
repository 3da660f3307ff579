/** The virtual hosts of a routing table as VirtualServices. */
import { hostCovers } from '../../config/hosts.ts';
import type { IstioHttpRoute, VirtualService, VirtualServiceSpec } from '../../config/resources.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import { MESH_LISTENER, type Listener, type Route, type RoutingTable, type VirtualHost } from '../table.ts';
import type { Changes, Spot } from './changes.ts';
import type { MadeGateway } from './gateway-listeners-to-istio.ts';
import { istioRules } from './route-to-istio.ts';

interface Draft {
  readonly namespace: string;
  readonly name: string;
  readonly hosts: readonly string[];
  readonly gateways: string[];
  readonly rules: Pick<VirtualServiceSpec, 'http' | 'tls'>;
  readonly origin: VirtualService['origin'];
}

/** @param made Istio's Gateways by `namespace/name:port`. */
export function tableToIstio(
  snapshot: Snapshot,
  table: RoutingTable,
  made: ReadonlyMap<string, readonly MadeGateway[]>,
  changes: Changes,
): readonly VirtualService[] {
  const drafts = new Map<string, Draft>();
  const add = (draft: Draft): void => {
    const key = JSON.stringify([draft.namespace, draft.hosts, draft.rules]);
    const known = drafts.get(key);
    if (known === undefined) drafts.set(key, draft);
    else known.gateways.push(...draft.gateways.filter((gateway) => !known.gateways.includes(gateway)));
  };
  for (const listener of table.listeners) {
    if (listener.name === MESH_LISTENER) {
      for (const draft of meshDrafts(listener, table, changes)) add(draft);
      continue;
    }
    const own = listener.gateways.flatMap((gateway) => made.get(`${gateway}:${listener.port}`) ?? []);
    for (const virtualHost of listener.virtualHosts) {
      const names = ownersOf(virtualHost.domains[0] ?? '*', own);
      if (names.length === 0) continue;
      const http = httpOf(virtualHost.routes, table, changes);
      // A host without routes keeps those of wider ones out.
      const closed = listener.virtualHosts.length > 1 ? [{ directResponse: { status: 404 } }] : [];
      const rules = http.length === 0 ? closed : http;
      const [first] = virtualHost.routes;
      if (rules.length === 0) continue;
      add({
        ...placeOf(first, names[0] ?? ''),
        hosts: virtualHost.domains,
        gateways: [...names],
        rules: { http: rules },
        origin: originOf(first, snapshot),
      });
    }
    for (const draft of tlsDrafts(listener, own, table, snapshot)) add(draft);
  }
  return named([...drafts.values()]);
}

/** The most specific host has a name to itself, and every Gateway with that host. */
function ownersOf(domain: string, gateways: readonly MadeGateway[]): string[] {
  const covering = gateways.filter(({ host }) => hostCovers(host, domain));
  const longest = Math.max(...covering.map(({ host }) => host.length));
  return covering.filter(({ host }) => host.length === longest).map(({ name }) => name);
}

function httpOf(routes: readonly Route[], table: RoutingTable, changes: Changes): readonly IstioHttpRoute[] {
  return routes.flatMap((route) => {
    const spot = spotIn(route);
    if (route.unreachable !== undefined) {
      changes.leftOut(spot, `the rule is left out, since no request gets to it: ${route.unreachable}`);
      return [];
    }
    return istioRules(route, table.clusters, spot, changes);
  });
}

function spotIn({ source: { kind, namespace, name, path, file, line } }: Pick<Route, 'source'>): Spot {
  return { kind, namespace, name, path, origin: { file, line, column: line > 0 ? 1 : 0 } };
}

function placeOf(route: Route | undefined, gateway: string): { readonly namespace: string; readonly name: string } {
  const [namespace = '', name = ''] = gateway.split('/');
  return route === undefined ? { namespace, name: `${name}-closed` } : { namespace: route.source.namespace, name: route.source.name };
}

function originOf(route: Route | undefined, { gatewayApiGateways: [gateway] }: Snapshot): VirtualService['origin'] {
  if (route !== undefined) return spotIn(route).origin;
  return gateway?.origin ?? { file: '', line: 0, column: 0 };
}

/** A Service with several ports has its rules in one VirtualService, each for its port. */
function meshDrafts({ virtualHosts }: Listener, table: RoutingTable, changes: Changes): readonly Draft[] {
  const byHost = new Map<string, VirtualHost[]>();
  for (const virtualHost of virtualHosts) {
    const host = virtualHost.name.slice(0, virtualHost.name.lastIndexOf(':'));
    const same = byHost.get(host);
    if (same === undefined) byHost.set(host, [virtualHost]);
    else same.push(virtualHost);
  }
  return [...byHost].flatMap(([host, ports]): readonly Draft[] => {
    const ruled = ports.map(({ name, routes }) => ({
      port: Number(name.slice(name.lastIndexOf(':') + 1)),
      // The default route of a Service without rules is what Istio does anyway.
      routes: routes.filter(({ source }) => source.path !== ''),
    }));
    const first = ruled.flatMap(({ routes }) => routes)[0];
    if (first === undefined) return [];
    const http = ruled.flatMap(({ port, routes }) => {
      const rules = httpOf(routes, table, changes);
      return ports.length === 1 ? rules : rules.map((rule) => forPort(rule, port));
    });
    const { namespace, name } = first.source;
    return http.length === 0 ? [] : [{ namespace, name, hosts: [host], gateways: [], rules: { http }, origin: spotIn(first).origin }];
  });
}

function forPort(rule: IstioHttpRoute, port: number): IstioHttpRoute {
  return { ...rule, match: (rule.match ?? [{}]).map((match) => ({ ...match, port })) };
}

function tlsDrafts({ passthrough = [] }: Listener, own: readonly MadeGateway[], table: RoutingTable, snapshot: Snapshot): readonly Draft[] {
  return passthrough.flatMap(({ source, matches, clusters }): readonly Draft[] => {
    const sniHosts = matches.flatMap(({ serverNames = [] }) => serverNames);
    if (source.kind !== 'TLSRoute' || sniHosts.length === 0) return [];
    const route = clusters.flatMap(({ cluster, weight }) => {
      const found = table.clusters[cluster];
      const only = clusters.length === 1 ? {} : { weight };
      return found === undefined ? [] : [{ destination: { host: found.host, port: { number: found.port } }, ...only }];
    });
    const { namespace, name } = source;
    const origin = snapshot.tlsRoutes.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name)?.origin;
    if (origin === undefined) return [];
    return [
      {
        namespace,
        name,
        hosts: sniHosts,
        gateways: ownersOf(sniHosts[0] ?? '*', own),
        rules: { tls: [{ match: [{ sniHosts }], route }] },
        origin,
      },
    ];
  });
}

function named(drafts: readonly Draft[]): readonly VirtualService[] {
  const taken = new Set<string>();
  return drafts.map(({ namespace, name: wanted, hosts, gateways, rules, origin }): VirtualService => {
    let name = wanted;
    for (let count = 2; taken.has(`${namespace}/${name}`); count++) name = `${wanted}-${count}`;
    taken.add(`${namespace}/${name}`);
    const own = gateways.map((gateway) => (gateway.startsWith(`${namespace}/`) ? gateway.slice(namespace.length + 1) : gateway));
    return {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name, namespace },
      spec: { hosts, ...(own.length === 0 ? {} : { gateways: own }), ...rules },
      origin,
    };
  });
}
