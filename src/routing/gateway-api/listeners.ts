import type { GatewayApiHttpRoute, GrpcRoute } from '../../config/gateway-api/types.ts';
import { wireKind } from '../../config/resources.ts';
import type { Listener, TcpRoute, TlsSite, VirtualHost } from '../table.ts';
import { compileTlsRoute } from './compile-tls-route.ts';
import { HostnameOwners, hostnameOf } from './hostname-owners.ts';
import type { AttachedListener, Attachments } from './model.ts';
import { inPrecedence } from './precedence.ts';
import type { RouteCompiler } from './route-compiler.ts';

/**
 * A table listener for each port (or Gateway with an address of its own) that listeners of the Gateway API share.
 *
 * A host name belongs to the most specific listener that covers it (gateway_types.go, Listener: listener isolation): routes of the others are not
 * served under it, and a listener without routes answers 404 for its names. Within a listener the most specific host name of its routes takes a request.
 */
export function gatewayApiListeners(compiler: RouteCompiler, { listeners }: Pick<Attachments, 'listeners'>): readonly Listener[] {
  const shared = new Map<string, AttachedListener[]>();
  for (const attached of listeners) {
    const same = shared.get(attached.tableListener);
    if (same === undefined) shared.set(attached.tableListener, [attached]);
    else same.push(attached);
  }
  return [...shared].flatMap(([name, sharing]) => tableListener(compiler, name, sharing));
}

function tableListener(compiler: RouteCompiler, name: string, sharing: readonly AttachedListener[]): readonly Listener[] {
  const [first] = sharing;
  if (first === undefined) return [];
  const { port } = first.listener;
  const bind = sharing.find((attached) => attached.bind !== undefined)?.bind;
  const gateways = [...new Set(sharing.map(({ gateway }) => `${gateway.metadata.namespace}/${gateway.metadata.name}`))];
  const ending = sharing.filter((attached) => attached.listener.protocol === 'HTTPS' || isTerminated(attached));
  const passing = sharing.filter(isPassedOn);
  const tls = ending.map((attached) => tlsSite(compiler, attached));
  const passthrough = passedOn(compiler, passing, new HostnameOwners(sharing));
  return [
    {
      name,
      port,
      ...(bind === undefined ? {} : { bind }),
      gateways,
      ...(tls.length === 0 ? {} : { tls }),
      ...(passing.length === 0 ? {} : { passthrough }),
      virtualHosts: virtualHosts(compiler, sharing, port, tls.length > 1),
    },
  ];
}

function isTerminated({ listener }: AttachedListener): boolean {
  return listener.protocol === 'TLS' && listener.tls?.mode !== 'Passthrough';
}

function isPassedOn({ listener }: AttachedListener): boolean {
  return listener.protocol === 'TLS' && listener.tls?.mode === 'Passthrough';
}

interface HostDraft {
  readonly listener: AttachedListener;
  readonly routes: (GatewayApiHttpRoute | GrpcRoute)[];
}

/** @param isGuarded Whether connections are told apart by the TLS site they came in through. */
function virtualHosts(
  compiler: RouteCompiler,
  sharing: readonly AttachedListener[],
  port: number,
  isGuarded: boolean,
): readonly VirtualHost[] {
  const web = sharing.filter(({ listener }) => listener.protocol === 'HTTP' || listener.protocol === 'HTTPS');
  const owners = new HostnameOwners(web);
  const hosts = new Map<string, HostDraft>();
  const numbers = new Map<object, number>();
  for (const attached of web) {
    for (const { route, hostnames } of attached.routes) {
      if (route.kind === 'TLSRoute') continue;
      if (!numbers.has(route)) numbers.set(route, numbers.size);
      for (const written of hostnames) {
        const hostname = written.toLowerCase();
        if (owners.owner(hostname) !== attached) continue;
        const known = hosts.get(hostname);
        if (known === undefined) hosts.set(hostname, { listener: attached, routes: [route] });
        else if (known.routes.at(-1) !== route) known.routes.push(route);
      }
    }
  }
  // What a listener has no route for is still its own, and nothing of a less specific one.
  for (const attached of web) {
    const hostname = hostnameOf(attached);
    if (web.length > 1 && hostname !== '*' && !hosts.has(hostname)) hosts.set(hostname, { listener: attached, routes: [] });
  }
  // Names with the same routes are one virtual host.
  const grouped = new Map<string, { readonly domains: string[]; readonly draft: HostDraft }>();
  for (const [hostname, draft] of hosts) {
    const key = `${draft.listener.name} ${draft.routes.map((route) => numbers.get(route)).join(' ')}`;
    const group = grouped.get(key);
    if (group === undefined) grouped.set(key, { domains: [hostname], draft });
    else group.domains.push(hostname);
  }
  return [...grouped.values()].map(({ domains, draft: { listener, routes } }): VirtualHost => ({
    name: `${domains[0]}:${port}`,
    domains,
    routes: inPrecedence(routes.map((route) => compiler.blocks(route, port, listener.clientCertificate))),
    ...(isGuarded ? { tlsSite: listener.name } : {}),
  }));
}

function tlsSite(compiler: RouteCompiler, attached: AttachedListener): TlsSite {
  const { name, certificates, clientValidation, listener, routes } = attached;
  const tcp = isTerminated(attached)
    ? routes.flatMap(({ route, hostnames }): readonly TcpRoute[] =>
        route.kind === 'TLSRoute' ? compileTlsRoute(compiler.context(route, listener.port, attached.clientCertificate), hostnames) : [],
      )
    : undefined;
  return {
    name,
    serverNames: [hostnameOf(attached)],
    certificates,
    clientCertificate: clientValidation === undefined ? 'none' : clientValidation.isUnchecked ? 'unchecked' : 'required',
    ...(clientValidation === undefined ? {} : { clientCa: clientValidation.ca }),
    subjectAltNames: [],
    spkiSha256: [],
    certificateSha256: [],
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ...(tcp === undefined ? {} : { tcp }),
  };
}

/** A listener that has no route for all of its names keeps the rest from less specific ones, whose routes would take them. */
function passedOn(compiler: RouteCompiler, passing: readonly AttachedListener[], owners: HostnameOwners): readonly TcpRoute[] {
  return passing.flatMap((attached) => {
    const owned = attached.routes.flatMap(({ route, hostnames }): readonly TcpRoute[] => {
      const names = hostnames.map((name) => name.toLowerCase()).filter((name) => owners.owner(name) === attached);
      if (route.kind !== 'TLSRoute' || names.length === 0) return [];
      return compileTlsRoute(compiler.context(route, attached.listener.port), names);
    });
    const own = hostnameOf(attached);
    const isTaken = owned.some(({ matches }) => matches.some(({ serverNames = [] }) => serverNames.includes(own)));
    return isTaken || passing.length === 1 ? owned : [...owned, nowhere(compiler, attached, own)];
  });
}

function nowhere({ compilation }: RouteCompiler, { owner, listener, name }: AttachedListener, serverName: string): TcpRoute {
  const { kind, metadata, origin } = owner;
  const path = name.slice(name.indexOf(' ') + 1);
  const cluster = compilation.clusters.useInvalid(serverName, listener.port, `no TLSRoute is attached for ${serverName}`, undefined);
  return {
    name: listener.name,
    source: { kind: wireKind(kind), namespace: metadata.namespace, name: metadata.name, path, file: origin.file, line: origin.line },
    matches: [{ path, serverNames: [serverName] }],
    clusters: [{ cluster, weight: 1 }],
    totalWeight: 1,
  };
}
