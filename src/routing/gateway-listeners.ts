import type { Gateway, GatewayServer, VirtualService } from '../config/resources.ts';
import { type GatewayTraffic, gatewayTraffic } from '../config/gateway-traffic.ts';
import { BoundHosts, parseServerHost } from './bound-hosts.ts';
import type { Compilation } from './compilation.ts';
import { compilePassthrough, compileTcp } from './compile-tcp.ts';
import { tlsSite } from './compile-tls.ts';
import { mergeRoutes } from './merge-routes.ts';
import { RuleCache } from './rule-cache.ts';
import { NO_HEADER_OPS } from './table.ts';
import type { Listener, Route, VirtualHost } from './table.ts';

/**
 * One listener for each declared Gateway port; Gateways that declare the same port share it, unless the operator gave one an
 * address of its own (`ownListeners`).
 *
 * A port speaks one of plain HTTP, TLS and plain TCP. Servers of TLS share one whatever is inside and wherever it ends: their clients say whom they mean.
 *
 * A VirtualService is served where one of its hosts meets a host of a server of a Gateway it names; the narrower of the two is the domain. A server
 * with `httpsRedirect` answers 301 for every host it serves.
 */
export function gatewayListeners(compilation: Compilation, ownListeners: ReadonlySet<string>): readonly Listener[] {
  const drafts = new Map<string, ListenerDraft>();
  for (const gateway of compilation.snapshot.gateways) {
    for (const [index, server] of (gateway.spec.servers ?? []).entries()) {
      const traffic = gatewayTraffic(server);
      if (traffic === undefined || server.bind?.startsWith('unix://') === true) continue;
      const speaks = SPEAKS[traffic];
      const gatewayName = `${gateway.metadata.namespace}/${gateway.metadata.name}`;
      const name = tableListenerName(gatewayName, server.port.number, ownListeners);
      let draft = drafts.get(name);
      if (draft === undefined) {
        draft = { name, port: server.port.number, speaks, servers: [] };
        drafts.set(name, draft);
      }
      const placed = { gateway, gatewayName, server, traffic, path: `spec.servers[${index}]` };
      if (draft.speaks === speaks) draft.servers.push(placed);
      else warnOtherProtocol(compilation, draft, placed);
    }
  }
  const bound = new BoundHosts(compilation);
  const rules = new RuleCache(compilation);
  return [...drafts.values()].map((draft) => finishListener(compilation, draft, bound, rules));
}

/** `80`, which the Gateways of that port share, or `namespace/name:80` of one with an address of its own. */
export function tableListenerName(gatewayName: string, port: number, ownListeners: ReadonlySet<string>): string {
  const own = `${gatewayName}:${port}`;
  return ownListeners.has(own) ? own : String(port);
}

interface PlacedServer {
  readonly gateway: Gateway;
  readonly gatewayName: string;
  readonly server: GatewayServer;
  readonly traffic: GatewayTraffic;
  readonly path: string;
}

const SPEAKS = { http: 'plain HTTP', https: 'TLS', tls: 'TLS', passthrough: 'TLS', tcp: 'plain TCP' } as const;

interface ListenerDraft {
  readonly name: string;
  readonly port: number;
  readonly speaks: (typeof SPEAKS)[GatewayTraffic];
  readonly servers: PlacedServer[];
}

function warnOtherProtocol(
  compilation: Compilation,
  { name, port, speaks, servers }: ListenerDraft,
  { gateway, gatewayName, path }: PlacedServer,
): void {
  compilation.warn(gateway, {
    code: 'W_GATEWAY_CONFLICT',
    path: `${path}.port`,
    message: `port ${port} speaks ${speaks} for Gateway ${servers[0]?.gatewayName}, so this server is left out`,
    hint: `use another port, or --listen ${gatewayName}:${port}=ADDRESS:PORT${name === String(port) ? '' : ' for each'}`,
  });
}

interface DomainDraft {
  /** By VirtualService, the Gateways through which it comes here. */
  readonly sources: Map<VirtualService, Set<string>>;
  redirect: PlacedServer | undefined;
}

function finishListener(compilation: Compilation, draft: ListenerDraft, bound: BoundHosts, rules: RuleCache): Listener {
  const domains = new Map<string, DomainDraft>();
  const domainDraft = (domain: string): DomainDraft => {
    let found = domains.get(domain);
    if (found === undefined) {
      found = { sources: new Map(), redirect: undefined };
      domains.set(domain, found);
    }
    return found;
  };
  for (const placed of draft.servers) {
    if (placed.traffic !== 'http' && placed.traffic !== 'https') continue;
    for (const serverHost of placed.server.hosts) {
      const redirects = placed.server.tls?.httpsRedirect === true;
      const host = parseServerHost(serverHost, placed.gateway.metadata.namespace);
      if (redirects) domainDraft(host.host).redirect ??= placed;
      for (const { virtualService, domain } of bound.served(placed.gatewayName, host)) {
        const { sources } = domainDraft(domain);
        const gateways = sources.get(virtualService);
        if (gateways === undefined) sources.set(virtualService, new Set([placed.gatewayName]));
        else gateways.add(placed.gatewayName);
        if (redirects) domainDraft(domain).redirect ??= placed;
      }
    }
  }
  const order = new Map(compilation.snapshot.virtualServices.map((virtualService, index) => [virtualService, index]));
  // Domains with the same sources are one virtual host: a VirtualService with many hosts has its routes once.
  const grouped = new Map<string, { readonly domains: string[]; readonly routes: readonly Route[] }>();
  for (const [domain, { sources, redirect }] of domains) {
    const byAge = [...sources].sort(([a], [b]) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
    const parts = byAge.map(([virtualService, gateways]) => `${order.get(virtualService) ?? ''} ${[...gateways].sort().join(' ')}`);
    const key = [redirect === undefined ? '' : `${redirect.gatewayName} ${redirect.path}`, ...parts].join('|');
    const group = grouped.get(key);
    if (group !== undefined) {
      group.domains.push(domain);
      continue;
    }
    const routes = mergeRoutes(byAge.map(([virtualService, gateways]) => rules.rules(virtualService, { port: draft.port, gateways })));
    grouped.set(key, { domains: [domain], routes: redirect === undefined ? routes : [httpsRedirect(redirect), ...routes] });
  }
  const virtualHosts = [...grouped.values()].map(({ domains, routes }): VirtualHost => ({
    name: `${domains[0]}:${draft.port}`,
    domains,
    routes,
  }));
  const bind = chooseBind(compilation, draft);
  return {
    name: draft.name,
    port: draft.port,
    ...(bind === undefined ? {} : { bind }),
    gateways: [...new Set(draft.servers.map(({ gatewayName }) => gatewayName))],
    ...connectionRoutes(compilation, draft),
    virtualHosts,
  };
}

/** What is known of connections before anything in them is HTTP. */
function connectionRoutes(
  compilation: Compilation,
  { speaks, servers, port }: ListenerDraft,
): Pick<Listener, 'tls' | 'passthrough' | 'tcp'> {
  if (speaks === 'plain HTTP') return {};
  if (speaks === 'plain TCP') return { tcp: compileTcp(compilation, servers, port) };
  const ending = servers.filter(({ traffic }) => traffic !== 'passthrough');
  const passing = servers.filter(({ traffic }) => traffic === 'passthrough');
  const tls = ending.map((placed) =>
    tlsSite(placed.gateway, placed.server, placed.path, placed.traffic === 'tls' ? compileTcp(compilation, [placed], port) : undefined),
  );
  return {
    ...(tls.length === 0 ? {} : { tls }),
    ...(passing.length === 0 ? {} : { passthrough: compilePassthrough(compilation, passing, port) }),
  };
}

/** On a shared listener one address must do: the oldest server's. */
function chooseBind(compilation: Compilation, draft: ListenerDraft): string | undefined {
  const [first, ...others] = draft.servers.filter(({ server }) => server.bind !== undefined && server.bind !== '');
  for (const other of others) {
    if (other.server.bind === first?.server.bind) continue;
    compilation.warn(other.gateway, {
      code: 'W_BIND_CONFLICT',
      path: `${other.path}.bind`,
      message: `port ${draft.port} is bound to ${first?.server.bind} for Gateway ${first?.gatewayName}, not to ${other.server.bind}`,
      hint: `give this Gateway an address of its own: --listen ${other.gatewayName}:${draft.port}=ADDRESS:PORT`,
    });
  }
  return first?.server.bind;
}

/** Only of requests that came over plain HTTP: behind a proxy that ends TLS and says so, the rules apply (Envoy require_tls). */
function httpsRedirect({ gateway, path }: PlacedServer): Route {
  const { kind, metadata, origin } = gateway;
  return {
    name: 'httpsRedirect',
    source: { kind, namespace: metadata.namespace, name: metadata.name, path, file: origin.file, line: origin.line },
    matches: [{ path: `${path}.tls.httpsRedirect`, scheme: { kind: 'exact', value: 'http' }, headers: [], queryParams: [] }],
    action: { kind: 'redirect', status: 301, scheme: 'https' },
    requestHeaders: NO_HEADER_OPS,
    responseHeaders: NO_HEADER_OPS,
  };
}
