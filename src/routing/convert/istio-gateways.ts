/** Istio's Gateways as those of the Gateway API: a listener for each host of a server. */
import { gatewayTraffic } from '../../config/gateway-traffic.ts';
import {
  GATEWAY_API_GROUP,
  type GatewayApiGateway,
  type GatewayApiHttpRoute,
  type GatewayApiListener,
  type FrontendTlsConfig,
  SERIN_GATEWAY_CLASS,
  type AllowedRoutes,
} from '../../config/gateway-api/types.ts';
import type { Gateway, GatewayServer } from '../../config/resources.ts';
import { parseServerHost } from '../bound-hosts.ts';
import { below, type Changes, type Spot, spotOf } from './changes.ts';
import { labelOf } from './kubernetes-services.ts';

export const GATEWAY_API_VERSION = `${GATEWAY_API_GROUP}/v1`;

export interface ServedListener {
  readonly gateway: Gateway;
  /** `sectionName`. */
  readonly name: string;
  readonly port: number;
  readonly traffic: 'http' | 'https' | 'passthrough';
  /** Lower case; `*` for all. */
  readonly host: string;
  /** Of routes that may attach; `*` for all. */
  readonly namespace: string;
  /** Everything is redirected to HTTPS. */
  readonly redirects: boolean;
}

export interface ConvertedGateways {
  readonly resources: readonly (GatewayApiGateway | GatewayApiHttpRoute)[];
  readonly listeners: readonly ServedListener[];
}

export function convertGateways(gateways: readonly Gateway[], changes: Changes): ConvertedGateways {
  const resources: (GatewayApiGateway | GatewayApiHttpRoute)[] = [];
  const listeners: ServedListener[] = [];
  const owners = new Map<string, Gateway>();
  for (const gateway of gateways) {
    const converted = convertGateway(gateway, changes);
    if (converted === undefined) continue;
    resources.push(...converted.resources);
    listeners.push(...converted.listeners);
    for (const { port, host, traffic } of converted.listeners) {
      const key = `${port} ${traffic === 'http' ? 'HTTP' : 'TLS'} ${host}`;
      const owner = owners.get(key) ?? gateway;
      owners.set(key, owner);
      if (owner === gateway) continue;
      const { namespace, name } = gateway.metadata;
      changes.differs(
        spotOf(gateway),
        `Gateway ${owner.metadata.namespace}/${owner.metadata.name} serves ${host} on port ${port}, too: each Gateway has an address of its own`,
        `with Serin: --listen ${namespace}/${name}:${port}=ADDRESS:PORT`,
      );
    }
  }
  return { resources, listeners };
}

function convertGateway(gateway: Gateway, changes: Changes): ConvertedGateways | undefined {
  const written: GatewayApiListener[] = [];
  const served: ServedListener[] = [];
  const perPort = new Map<number, FrontendTlsConfig>();
  const { metadata } = gateway;
  const servers = gateway.spec.servers ?? [];
  for (const [index, server] of servers.entries()) {
    const spot = spotOf(gateway, `spec.servers[${index}]`);
    const traffic = servedTraffic(server, spot, changes);
    if (traffic === undefined) continue;
    const tls = traffic === 'http' ? undefined : listenerTls(gateway, server, traffic, spot, changes);
    const frontend = traffic === 'https' ? frontendTls(server, spot, changes) : undefined;
    if (frontend !== undefined) perPort.set(server.port.number, frontend);
    sayWhatIsLost(server, spot, changes);
    for (const serverHost of server.hosts) {
      const { host, namespace } = parseServerHost(serverHost, metadata.namespace);
      const key = (listener: ServedListener): boolean => listener.port === server.port.number && listener.host === host;
      if (served.some(key)) {
        changes.leftOut(spot, `${host} on port ${server.port.number} is left out: another server of the Gateway has it`);
        continue;
      }
      const name = freeName(labelOf(server.port.name ?? `${traffic}-${server.port.number}`), written);
      const redirects = server.tls?.httpsRedirect === true;
      served.push({ gateway, name, port: server.port.number, traffic, host, namespace, redirects });
      written.push({
        name,
        ...(host === '*' ? {} : { hostname: host }),
        port: server.port.number,
        protocol: traffic === 'http' ? 'HTTP' : traffic === 'https' ? 'HTTPS' : 'TLS',
        ...(tls === undefined ? {} : { tls }),
        allowedRoutes: { namespaces: allowedNamespaces(namespace, metadata.namespace) },
      });
    }
  }
  if (written.length === 0) {
    changes.leftOut(spotOf(gateway), 'the Gateway is left out: none of its servers has an equivalent');
    return undefined;
  }
  const binds = new Set(servers.map(({ bind = '' }) => bind));
  const [bind = ''] = binds;
  if (binds.size > 1) changes.omitted(spotOf(gateway), 'bind is left out: the addresses of a Gateway are those of all its listeners');
  const resource: GatewayApiGateway = {
    apiVersion: GATEWAY_API_VERSION,
    kind: 'GatewayApiGateway',
    metadata,
    spec: {
      gatewayClassName: SERIN_GATEWAY_CLASS,
      ...(binds.size === 1 && bind !== '' ? { addresses: [{ type: 'IPAddress', value: bind }] } : {}),
      listeners: written,
      ...(perPort.size === 0 ? {} : { tls: { frontend: { default: {}, perPort: [...perPort].map(([port, tls]) => ({ port, tls })) } } }),
    },
    origin: gateway.origin,
  };
  return { resources: [resource, ...redirectRoutes(gateway, served)], listeners: served };
}

function servedTraffic(server: GatewayServer, spot: Spot, changes: Changes): ServedListener['traffic'] | undefined {
  const traffic = gatewayTraffic(server);
  const { port, tls, bind = '' } = server;
  const leftOut = (reason: string): undefined => {
    changes.leftOut(spot, `the server is left out: ${reason}`);
    return undefined;
  };
  if (bind.startsWith('unix://')) return leftOut('a Gateway has no Unix sockets');
  if (traffic === undefined) return leftOut(`TLS mode ${tls?.mode ?? 'none'} for protocol ${port.protocol} is a mesh's own`);
  if (traffic === 'tcp' || traffic === 'tls')
    return leftOut(`connections of protocol ${port.protocol} would need TCPRoutes, which are experimental`);
  const { subjectAltNames = [], verifyCertificateSpki = [], verifyCertificateHash = [] } = tls ?? {};
  if (traffic === 'https' && subjectAltNames.length + verifyCertificateSpki.length + verifyCertificateHash.length > 0) {
    return leftOut('which client certificates are let in can only be said by their CA');
  }
  return traffic;
}

function listenerTls(
  { metadata }: Gateway,
  { port, tls }: GatewayServer,
  traffic: 'https' | 'passthrough',
  spot: Spot,
  changes: Changes,
): GatewayApiListener['tls'] {
  if (traffic === 'passthrough') return { mode: 'Passthrough' };
  const named = tls?.credentialNames ?? (tls?.credentialName === undefined ? [] : [tls.credentialName]);
  const names = named.length > 0 ? named : [`${labelOf(metadata.name)}-${port.number}`];
  if (named.length === 0) {
    changes.differs(
      below(spot, 'tls'),
      `certificate and key are those of the Secret ${names.join()}, not files`,
      `kubectl create secret tls ${names.join()} --cert ${tls?.serverCertificate ?? 'CERTIFICATE'} --key ${tls?.privateKey ?? 'KEY'} -n ${metadata.namespace}`,
    );
  }
  return { mode: 'Terminate', certificateRefs: names.map((name) => ({ name })) };
}

/** The CA that clients' certificates must lead to is one for all listeners of a port. */
function frontendTls({ port, tls }: GatewayServer, spot: Spot, changes: Changes): FrontendTlsConfig | undefined {
  const mode = tls?.mode ?? 'SIMPLE';
  if (mode === 'SIMPLE') return undefined;
  const name = `${tls?.caCertCredentialName ?? tls?.credentialName ?? `port-${port.number}`}-ca`;
  changes.differs(
    below(spot, 'tls'),
    `clients of every listener on port ${port.number} are asked for a certificate, whose CA is ca.crt of the ConfigMap ${name}`,
    'make the ConfigMap from the CA that the server has',
  );
  if (mode === 'OPTIONAL_MUTUAL')
    changes.differs(below(spot, 'tls.mode'), 'a client whose certificate does not verify is let in as one without');
  return {
    validation: {
      caCertificateRefs: [{ group: '', kind: 'ConfigMap', name }],
      ...(mode === 'OPTIONAL_MUTUAL' ? { mode: 'AllowInsecureFallback' } : {}),
    },
  };
}

function sayWhatIsLost({ tls, defaultEndpoint }: GatewayServer, spot: Spot, changes: Changes): void {
  if (tls?.httpsRedirect === true) {
    changes.differs(below(spot, 'tls.httpsRedirect'), 'requests that a proxy in front has taken over HTTPS are redirected, too');
  }
  if (defaultEndpoint !== undefined) changes.omitted(below(spot, 'defaultEndpoint'), 'a listener has no endpoint of its own');
  for (const field of ['minProtocolVersion', 'maxProtocolVersion', 'cipherSuites', 'caCrl'] as const) {
    if (tls?.[field] !== undefined)
      changes.omitted(below(spot, `tls.${field}`), `${field} has no equivalent: the implementation's own counts`);
  }
}

function allowedNamespaces(namespace: string, own: string): NonNullable<AllowedRoutes['namespaces']> {
  if (namespace === '*') return { from: 'All' };
  if (namespace === own) return { from: 'Same' };
  return { from: 'Selector', selector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } };
}

function freeName(wanted: string, taken: readonly { readonly name: string }[]): string {
  let name = wanted;
  for (let count = 2; taken.some((each) => each.name === name); count++) name = `${wanted}-${count}`;
  return name;
}

/** Istio answers 301 for whatever a server with `httpsRedirect` serves. */
function redirectRoutes({ metadata, origin }: Gateway, served: readonly ServedListener[]): readonly GatewayApiHttpRoute[] {
  const redirecting = served.filter(({ redirects }) => redirects);
  if (redirecting.length === 0) return [];
  return [
    {
      apiVersion: GATEWAY_API_VERSION,
      kind: 'HTTPRoute',
      metadata: { name: `${metadata.name}-https-redirect`, namespace: metadata.namespace },
      spec: {
        parentRefs: redirecting.map(({ name }) => ({ name: metadata.name, sectionName: name })),
        rules: [{ filters: [{ type: 'RequestRedirect', requestRedirect: { scheme: 'https', statusCode: 301 } }] }],
      },
      origin,
    },
  ];
}
