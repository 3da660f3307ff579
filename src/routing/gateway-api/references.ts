/**
 * Where references between namespaces lead. A reference into another namespace counts only where a ReferenceGrant there allows it
 * (apis/v1/referencegrant_types.go); nothing here ever finds what was not granted.
 */
import { type BackendObjectReference, GATEWAY_API_GROUP, type ReferenceGrant } from '../../config/gateway-api/types.ts';
import { serviceHost } from '../../config/hosts.ts';
import type { KubernetesService, KubernetesServicePort } from '../../config/kubernetes/types.ts';
import type { ConfigMap } from '../../config/kubernetes/types.ts';
import type { Secret } from '../../config/resources.ts';
import type { ServiceIndex } from '../../config/services.ts';
import type { Compilation } from '../compilation.ts';
import { type BackendPolicies, backendPolicies } from './backend-tls.ts';
import { backendKey, type ResolvedBackend } from './model.ts';

/** What references are followed with: indexed once for a compilation, however many routes there are. */
export interface References {
  readonly services: ServiceIndex;
  readonly grants: GrantIndex;
  /** The three by `namespace/name`. */
  readonly kubernetesServices: ReadonlyMap<string, KubernetesService>;
  readonly secrets: ReadonlyMap<string, Secret>;
  readonly configMaps: ReadonlyMap<string, ConfigMap>;
  readonly policies: BackendPolicies;
}

const indexed = new WeakMap<Compilation, References>();

/** Of one compilation always the same. */
export function referencesOf(compilation: Compilation): References {
  const known = indexed.get(compilation);
  if (known !== undefined) return known;
  const { snapshot, services } = compilation;
  const kubernetesServices = byName(snapshot.kubernetesServices);
  const secrets = byName(snapshot.secrets);
  const configMaps = byName(snapshot.configMaps);
  const policies = backendPolicies(snapshot.backendTlsPolicies, { services, kubernetesServices, secrets, configMaps });
  const made = { services, grants: new GrantIndex(snapshot.referenceGrants), kubernetesServices, secrets, configMaps, policies };
  indexed.set(compilation, made);
  return made;
}

/** @param fromKind Of the route that refers, `HTTPRoute`; it stands in `fromNamespace`. */
export function resolveBackend(
  { services, grants, kubernetesServices, policies }: References,
  fromKind: string,
  fromNamespace: string,
  { group = '', kind = 'Service', name, namespace: named = '', port }: BackendObjectReference,
): ResolvedBackend {
  const namespace = named === '' ? fromNamespace : named;
  if (group !== '' || kind !== 'Service') {
    return invalid('InvalidKind', `backends are Services, not ${group === '' ? kind : `${kind} of ${group}`} (${name})`);
  }
  // Before anything is looked up: whether a Service exists elsewhere is nobody's business without a grant.
  if (!grants.allows({ group: GATEWAY_API_GROUP, kind: fromKind, namespace: fromNamespace }, { group, kind, namespace, name })) {
    return invalid('RefNotPermitted', `no ReferenceGrant in ${namespace} lets ${fromKind}s of ${fromNamespace} refer to Service ${name}`);
  }
  const host = serviceHost(name, namespace);
  const service = services.service(host);
  // A wildcard ServiceEntry is no Service of this name.
  if (service?.host !== host || name.includes('*'))
    return invalid('BackendNotFound', `there is no Service ${name} in namespace ${namespace}`);
  if (port === undefined) return invalid('BackendNotFound', `the reference to Service ${namespace}/${name} names no port`);
  const kubernetes = kubernetesServices.get(`${namespace}/${name}`)?.spec;
  if (kubernetes?.type === 'ExternalName') {
    return invalid('InvalidKind', `Service ${namespace}/${name} is of type ExternalName, which may lead anywhere (CVE-2021-25740)`);
  }
  // A port may be there for TCP and for UDP.
  const stated = (kubernetes?.ports ?? []).filter((candidate) => candidate.port === port);
  const declared = stated.find(({ protocol = 'TCP' }) => protocol === 'TCP') ?? stated[0];
  const problem = declared === undefined ? undefined : protocolProblem(declared, fromKind, policies.inForce.has(backendKey(host, port)));
  if (problem !== undefined) return invalid('UnsupportedProtocol', `port ${port} of Service ${namespace}/${name} ${problem}`);
  // A ServiceEntry without ports has every one.
  const hasAny = kubernetes === undefined && service.ports.length === 0;
  if (declared === undefined && !hasAny && !service.ports.some(({ number }) => number === port)) {
    const known = service.ports.map(({ number }) => number).join(', ');
    return invalid('BackendNotFound', `Service ${namespace}/${name} has no port ${port}${known === '' ? '' : ` (it has ${known})`}`);
  }
  return { kind: 'service', host, port };
}

/** `appProtocol`s that requests can be sent over (KEP-3726, and the names of IANA and Istio for the same). */
const HTTP_PROTOCOLS = new Set(['', 'http', 'http2', 'h2c', 'grpc', 'grpc-web', 'tcp', 'ws', 'kubernetes.io/h2c', 'kubernetes.io/ws']);
/** Those that are spoken inside TLS, so that a BackendTLSPolicy has to say how. */
const TLS_PROTOCOLS = new Set(['https', 'wss', 'kubernetes.io/wss']);
const WEBSOCKET_PROTOCOLS = new Set(['ws', 'wss', 'kubernetes.io/ws', 'kubernetes.io/wss']);

function protocolProblem(
  { protocol = 'TCP', appProtocol = '' }: KubernetesServicePort,
  fromKind: string,
  hasTls: boolean,
): string | undefined {
  if (protocol !== 'TCP') return `is for ${protocol}, not for TCP`;
  if (fromKind === 'TLSRoute') return undefined;
  const application = appProtocol.toLowerCase();
  if (fromKind === 'GRPCRoute' && WEBSOCKET_PROTOCOLS.has(application)) return `speaks ${appProtocol}, not gRPC`;
  if (HTTP_PROTOCOLS.has(application)) return undefined;
  if (!TLS_PROTOCOLS.has(application)) return `speaks ${appProtocol}, over which no request can be sent`;
  return hasTls ? undefined : `speaks ${appProtocol}, so a BackendTLSPolicy must say how to verify it`;
}

function invalid(reason: string, message: string): ResolvedBackend {
  return { kind: 'invalid', reason, message };
}

export interface ReferenceSource {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
}

export interface ReferenceTarget {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** ReferenceGrants by what they allow. */
export class GrantIndex {
  /** Keys of `grantKey`; a grant without a name is for all of them. */
  readonly #granted = new Set<string>();

  constructor(grants: readonly ReferenceGrant[]) {
    for (const { metadata, spec } of grants) {
      for (const from of spec.from) {
        for (const { group, kind, name = '' } of spec.to) {
          this.#granted.add(grantKey(from, { group, kind, namespace: metadata.namespace, name }));
        }
      }
    }
  }

  /** What is in one's own namespace needs no grant. */
  allows(from: ReferenceSource, to: ReferenceTarget): boolean {
    if (from.namespace === to.namespace) return true;
    return this.#granted.has(grantKey(from, to)) || this.#granted.has(grantKey(from, { ...to, name: '' }));
  }
}

/** Group and kind, namespaces and names have no space in them. */
function grantKey(from: ReferenceSource, to: ReferenceTarget): string {
  return `${from.group} ${from.kind} ${from.namespace} ${to.group} ${to.kind} ${to.namespace} ${to.name}`;
}

function byName<Named extends { readonly metadata: { readonly namespace: string; readonly name: string } }>(
  resources: readonly Named[],
): ReadonlyMap<string, Named> {
  return new Map(resources.map((resource) => [`${resource.metadata.namespace}/${resource.metadata.name}`, resource]));
}
