import type { VirtualService } from '../config/resources.ts';
import type { Compilation } from './compilation.ts';
import { boundGateways, matchEverything } from './compile-match.ts';
import { isLive, mergeRoutes } from './merge-routes.ts';
import { meshNames } from './mesh-names.ts';
import { RuleCache } from './rule-cache.ts';
import { MESH_GATEWAY } from './scope.ts';
import { resolveHost } from './services.ts';
import type { Service } from './services.ts';
import { MESH_LISTENER, NO_HEADER_OPS } from './table.ts';
import type { Listener, Route, VirtualHost } from './table.ts';

/**
 * The listener for services addressed by their own name: a virtual host for every port of every known service and of every host that a
 * VirtualService bound to `mesh` names.
 *
 * All ports share the one listener, so the port is part of the domain: `reviews:9080`. A Host without port, or with one that the service does not
 * declare, means the service's main port: 80 where it has one, else its first.
 *
 * Where several VirtualServices name one host, Istio's sidecars obey the oldest alone; Serin merges them as gateways do (`mergeRoutes`), and
 * validation warns of it.
 */
export function meshListener(compilation: Compilation): Listener {
  const hosts = collectHosts(compilation);
  const names = meshNames(compilation, [...hosts.keys()]);
  const rules = new RuleCache(compilation);
  const taken = new Set<string>();
  const virtualHosts: VirtualHost[] = [];
  for (const [host, { service, virtualServices }] of hosts) {
    const ports = portsOf(service, virtualServices);
    const mainPort = ports.includes(80) ? 80 : ports[0];
    for (const port of ports) {
      const scope = { port, gateways: MESH_ONLY };
      const routes = mergeRoutes(virtualServices.map((virtualService) => rules.rules(virtualService, scope)));
      const aliases = [
        ...(names.get(host) ?? [host]),
        ...(service?.entry.spec.addresses ?? []).filter((address) => !address.includes('/')),
      ];
      const domains = aliases.flatMap((alias) => (port === mainPort ? [alias, withPort(alias, port)] : [withPort(alias, port)]));
      const free = domains.filter((domain) => !taken.has(domain));
      for (const domain of free) taken.add(domain);
      if (free.length === 0) continue;
      // Rules that are all for other listeners leave the service as if it had none (Istio: "no routes matched").
      const needsDefault = service !== undefined && !routes.some(isLive);
      virtualHosts.push({
        name: `${host}:${port}`,
        domains: free,
        routes: needsDefault ? [...routes, defaultRoute(compilation, service, port)] : routes,
      });
    }
  }
  return { name: MESH_LISTENER, port: 0, gateways: [], virtualHosts };
}

const MESH_ONLY: ReadonlySet<string> = new Set([MESH_GATEWAY]);

interface MeshHost {
  readonly service: Service | undefined;
  readonly virtualServices: readonly VirtualService[];
}

/** Services first, then hosts that only VirtualServices know; a service without a VirtualService of its own obeys the longest wildcard that covers it. */
function collectHosts(compilation: Compilation): ReadonlyMap<string, MeshHost> {
  const byHost = new Map<string, VirtualService[]>();
  for (const virtualService of compilation.snapshot.virtualServices) {
    const { namespace } = virtualService.metadata;
    const { hosts = [], gateways, http = [] } = virtualService.spec;
    if (http.length === 0 || !boundGateways(gateways, namespace).includes(MESH_GATEWAY)) continue;
    for (const host of new Set(hosts.map((written) => resolveHost(written, namespace)))) {
      const same = byHost.get(host);
      if (same === undefined) byHost.set(host, [virtualService]);
      else same.push(virtualService);
    }
  }
  const wildcards = [...byHost.keys()].filter((host) => host.startsWith('*')).sort((a, b) => b.length - a.length);
  const hosts = new Map<string, MeshHost>();
  for (const service of compilation.services.services()) {
    const wildcard = wildcards.find((pattern) => service.host.length >= pattern.length && service.host.endsWith(pattern.slice(1)));
    const virtualServices = byHost.get(service.host) ?? (wildcard === undefined ? undefined : byHost.get(wildcard)) ?? [];
    hosts.set(service.host, { service, virtualServices });
  }
  for (const [host, virtualServices] of byHost) if (!hosts.has(host)) hosts.set(host, { service: undefined, virtualServices });
  return hosts;
}

/** A host that is no service has port 80, and those that its VirtualServices' match blocks ask for. */
function portsOf(service: Service | undefined, virtualServices: readonly VirtualService[]): readonly number[] {
  if (service !== undefined && service.ports.length > 0) return service.ports.map(({ number }) => number);
  const ports = new Set([80]);
  for (const { spec } of virtualServices) {
    for (const rule of spec.http ?? []) for (const { port } of rule.match ?? []) if (port !== undefined && port !== 0) ports.add(port);
  }
  return [...ports];
}

function defaultRoute(compilation: Compilation, service: Service, port: number): Route {
  const { kind, metadata, origin } = service.entry;
  return {
    name: 'default',
    source: { kind, namespace: metadata.namespace, name: metadata.name, path: '', file: origin.file, line: origin.line },
    matches: [matchEverything('')],
    action: {
      kind: 'forward',
      clusters: [
        {
          cluster: compilation.clusters.use(service.host, '', port, port),
          weight: 1,
          requestHeaders: NO_HEADER_OPS,
          responseHeaders: NO_HEADER_OPS,
        },
      ],
      totalWeight: 1,
      timeoutMs: 0,
    },
    requestHeaders: NO_HEADER_OPS,
    responseHeaders: NO_HEADER_OPS,
  };
}

function withPort(name: string, port: number): string {
  return name.includes(':') ? `[${name}]:${port}` : `${name}:${port}`;
}
