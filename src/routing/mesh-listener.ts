import { hostMatches } from '../config/hosts.ts';
import type { VirtualService } from '../config/resources.ts';
import type { Compilation } from './compilation.ts';
import { boundGateways, matchEverything } from './compile-match.ts';
import { isLive, mergeRoutes } from './merge-routes.ts';
import { meshNames } from './mesh-names.ts';
import { RuleCache } from './rule-cache.ts';
import { MESH_GATEWAY } from './scope.ts';
import type { Service } from '../config/services.ts';
import { MESH_LISTENER, NO_HEADER_OPS } from './table.ts';
import type { Listener, Route, VirtualHost } from './table.ts';

/**
 * The listener for services addressed by their own name: a virtual host for every port of every known service and of every host that a
 * VirtualService bound to `mesh` names.
 *
 * All ports share the one listener, so the port is part of the domain: `reviews:9443`. The main port, 80 where a service has it and else its first, goes
 * without: its domains also take a Host without port, or with a port that the service does not declare.
 *
 * Where several VirtualServices name one host, Istio's sidecars obey the oldest alone; Serin merges them as gateways do (`mergeRoutes`), and
 * validation warns of it.
 */
export function meshListener(compilation: Compilation): Listener {
  const hosts = collectHosts(compilation);
  const names = meshNames(compilation, [...hosts.keys()]);
  const rules = new RuleCache(compilation);
  const virtualHosts: VirtualHost[] = [];
  for (const [host, { service, virtualServices }] of hosts) {
    const ports = portsOf(service, virtualServices);
    const mainPort = ports.includes(80) ? 80 : ports[0];
    const aliases = names.get(host) ?? [host];
    for (const port of ports) {
      const scope = { port, gateways: MESH_ONLY };
      const routes = mergeRoutes(virtualServices.map((virtualService) => rules.rules(virtualService, scope)));
      // Rules that are all for other listeners leave the service as if it had none (Istio: "no routes matched").
      const needsDefault = service !== undefined && !routes.some(isLive);
      virtualHosts.push({
        name: `${host}:${port}`,
        domains: port === mainPort ? aliases : aliases.map((alias) => `${alias}:${port}`),
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
    for (const written of hosts) {
      const host = compilation.resolve(written, namespace);
      const same = byHost.get(host);
      if (same === undefined) byHost.set(host, [virtualService]);
      else if (same.at(-1) !== virtualService) same.push(virtualService);
    }
  }
  const wildcards = [...byHost.keys()].filter((host) => host.startsWith('*')).sort((a, b) => b.length - a.length);
  const hosts = new Map<string, MeshHost>();
  for (const service of compilation.services.services()) {
    const wildcard = wildcards.find((pattern) => hostMatches(pattern, service.host));
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
