import { hostMatches } from '../config/hosts.ts';
import type { VirtualService } from '../config/resources.ts';
import type { Compilation } from './compilation.ts';
import { boundGateways, matchEverything } from './compile-match.ts';
import { compileRetries } from './compile-retries.ts';
import { isLive, mergeRoutes } from './merge-routes.ts';
import { meshNames } from './mesh-names.ts';
import { RuleCache } from './rule-cache.ts';
import type { MeshRoutes } from './gateway-api/mesh-routes.ts';
import { MESH_GATEWAY } from '../config/gateway-name.ts';
import type { Service } from '../config/services.ts';
import { MESH_LISTENER, meshListenerOf, NO_HEADER_OPS } from './table.ts';
import type { Listener, Route, VirtualHost } from './table.ts';

/**
 * The listener for services addressed by their own name: a virtual host for every port of every known service and of every host that a
 * VirtualService bound to `mesh` names.
 *
 * All ports share the one listener, so the port is part of the domain: `reviews:9443`. The main port, 80 where a service has it and else its first, goes
 * without: its domains also take a Host without port, or with a port that the service does not declare.
 *
 * Where several VirtualServices name one host, Istio's sidecars obey the oldest alone; Serin merges them as gateways do (`mergeRoutes`), and
 * validation warns of it. A Service that is the parent of routes of the Gateway API obeys those and no VirtualService.
 *
 * @param callers Namespace of those who ask here; undefined: they have none.
 */
export function meshListener(compilation: Compilation, attached: MeshRoutes, callers?: string): Listener {
  const hosts = collectHosts(compilation);
  const names = meshNames(compilation, [...hosts.keys()], callers);
  const rules = new RuleCache(compilation);
  if (callers === undefined) warnNobodyAsks(compilation, attached);
  const virtualHosts: VirtualHost[] = [];
  for (const [host, { service, virtualServices }] of hosts) {
    const ports = portsOf(service, virtualServices);
    const mainPort = ports.includes(80) ? 80 : ports[0];
    const aliases = names.get(host) ?? [host];
    for (const port of ports) {
      const scope = { port, gateways: MESH_ONLY, ...(callers === undefined ? {} : { callers }) };
      const { routes: own, isDecided } = attached.routes(host, port, callers);
      if (isDecided) warnUnused(compilation, virtualServices, host, port);
      const served = isDecided ? [] : mergeRoutes(virtualServices.map((virtualService) => rules.rules(virtualService, scope)));
      const routes = own.length === 0 ? served : [...own, ...served];
      // Rules that are all for other listeners leave the service as if it had none (Istio: "no routes matched").
      const needsDefault = service !== undefined && !routes.some(isLive);
      virtualHosts.push({
        name: `${host}:${port}`,
        domains: port === mainPort ? aliases : aliases.map((alias) => `${alias}:${port}`),
        routes: needsDefault ? [...routes, defaultRoute(compilation, service, port)] : routes,
      });
    }
  }
  return { name: callers === undefined ? MESH_LISTENER : meshListenerOf(callers), port: 0, gateways: [], virtualHosts };
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

function warnUnused(compilation: Compilation, virtualServices: readonly VirtualService[], host: string, port: number): void {
  for (const virtualService of virtualServices) {
    compilation.warn(virtualService, {
      code: 'W_INEFFECTIVE',
      path: 'spec.hosts',
      message: `${host}:${port} is the parent of routes of the Gateway API, so that this VirtualService has no effect on it`,
      hint: 'say in one of the two languages where its requests go',
    });
  }
}

/** Rules for callers of a namespace whose callers Serin cannot tell from others. */
function warnNobodyAsks(compilation: Compilation, attached: MeshRoutes): void {
  const { snapshot, meshNamespaces } = compilation;
  const hint = (namespace: string): string => `serin up --mesh-for ${namespace}=ADDR:PORT is a listener for them`;
  for (const virtualService of snapshot.virtualServices) {
    const { namespace } = virtualService.metadata;
    const { http = [], gateways } = virtualService.spec;
    if (!boundGateways(gateways, namespace).includes(MESH_GATEWAY)) continue;
    for (const [index, rule] of http.entries()) {
      for (const [position, { sourceNamespace = '' }] of (rule.match ?? []).entries()) {
        if (sourceNamespace === '' || meshNamespaces.has(sourceNamespace)) continue;
        const path = `spec.http[${index}].match[${position}].sourceNamespace`;
        const message = `callers of ${sourceNamespace} are not told from others, so this match never holds`;
        compilation.warn(virtualService, { code: 'W_INEFFECTIVE', path, message, hint: hint(sourceNamespace) });
      }
    }
  }
  for (const { route, callers } of attached.consumers) {
    if (meshNamespaces.has(callers)) continue;
    const message = `a route of consumers in ${callers}, whose callers are not told from others: it takes no request`;
    compilation.warn(route, { code: 'W_INEFFECTIVE', path: 'spec.parentRefs', message, hint: hint(callers) });
  }
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
  const retry = compileRetries(undefined, compilation.istioCompat);
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
      ...(retry === undefined ? {} : { retry }),
    },
    requestHeaders: NO_HEADER_OPS,
    responseHeaders: NO_HEADER_OPS,
  };
}
