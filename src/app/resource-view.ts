/** Resources in force as the admin API shows them: as their documents have them, with the status their kind has in Kubernetes. */
import { isIP } from 'node:net';
import type { ApiList, ApiObject } from '../admin/api-types.ts';
import { ProblemError } from '../admin/problem.ts';
import type { Diagnostic } from '../base/diagnostic.ts';
import { nearest } from '../base/nearest.ts';
import { gatewayClassesOf } from '../config/gateway-api/gateway-classes.ts';
import { isGatewayApiKind } from '../config/gateway-api/read.ts';
import { identityOf, identityText } from '../config/manifest.ts';
import { redacted, redactedDiagnostic } from '../config/redact.ts';
import { type AnyResource, isClusterScoped, wireKind } from '../config/resources.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { wireObject } from '../config/wire-object.ts';
import type { BoundListener } from '../proxy/options.ts';
import { statusKey } from '../routing/gateway-api/status.ts';
import type { Listener } from '../routing/table.ts';
import { timedStatus } from './condition-times.ts';
import type { InForce } from './in-force.ts';
import { formatAddress } from './listen.ts';
import { kindsAt, pathName, RESOURCE_KINDS, RESOURCE_PLURALS, type ResourceKindNames } from './resource-kinds.ts';

/** Where a resource stands in the user's files: `reviews.yaml:12`. */
export const ORIGIN_ANNOTATION = 'serin.dev/origin';

/** Where a Gateway of the Gateway API is served: `80=127.0.0.1:8080`, by declared port, as `--listen` has it. */
export const ADDRESSES_ANNOTATION = 'serin.dev/addresses';

/** @param path As in paths. @throws ProblemError 404 */
export function listResources(now: InForce, path: string, namespace: string | undefined): ApiList {
  const warnings = warningsOf(now);
  const items = kindsOf(path).flatMap((kind) =>
    listOf(kind, now.effective)
      .filter((resource) => namespace === undefined || isClusterScoped(kind.kind) || resource.metadata.namespace === namespace)
      .map((resource) => resourceObject(resource, now, warnings)),
  );
  return { apiVersion: 'v1', kind: 'List', items };
}

/** @throws ProblemError 404 with the nearest name, 409 where two kinds have it */
export function getResource(now: InForce, path: string, namespace: string, name: string): ApiObject {
  const kinds = kindsOf(path);
  const kind = onlyKind(kinds, namespace, name, (candidate) => listOf(candidate, now.effective));
  const found = listOf(kind, now.effective).find(isNamed(kind, namespace, name));
  return found === undefined ? missing(kinds, now.effective, namespace, name) : resourceObject(found, now, warningsOf(now));
}

/** Those a path means. @throws ProblemError 404 with the nearest */
export function kindsOf(path: string): readonly ResourceKindNames[] {
  const found = kindsAt(path);
  if (found.length > 0) return found;
  const suggestion = nearest(path, RESOURCE_KINDS.map(pathName).concat(RESOURCE_PLURALS));
  throw new ProblemError(404, 'E_NOT_FOUND', `no kind '${path}', there are ${RESOURCE_PLURALS.join(', ')}`, {
    hint: suggestion && `did you mean ${suggestion}?`,
  });
}

/**
 * The one of several kinds that has the name; the first of them where none has.
 *
 * @throws ProblemError 409 where more than one has it
 */
export function onlyKind(
  kinds: readonly ResourceKindNames[],
  namespace: string,
  name: string,
  resources: (kind: ResourceKindNames) => readonly Pick<AnyResource, 'metadata'>[],
): ResourceKindNames {
  const having = kinds.filter((kind) => resources(kind).some(isNamed(kind, namespace, name)));
  if (having.length > 1) {
    const words = having.map(pathName).join(' or ');
    throw new ProblemError(409, 'E_AMBIGUOUS', `there are ${having.length} ${having[0]?.plural} '${name}' in namespace ${namespace}`, {
      hint: `say ${words}`,
    });
  }
  const [only = kinds[0]] = having;
  if (only === undefined) throw new Error('no kind is asked for');
  return only;
}

/** Of kinds that belong to no namespace the namespace is not looked at. */
export function isNamed(
  { kind }: Pick<ResourceKindNames, 'kind'>,
  namespace: string,
  name: string,
): (resource: Pick<AnyResource, 'metadata'>) => boolean {
  return ({ metadata }) => metadata.name === name && (isClusterScoped(kind) || metadata.namespace === namespace);
}

/** @throws ProblemError 404 with the nearest name */
export function missing(kinds: readonly ResourceKindNames[], snapshot: Snapshot, namespace: string, name: string): never {
  const resources = kinds.flatMap((kind) => listOf(kind, snapshot));
  const elsewhere = resources.find(({ metadata }) => metadata.name === name);
  const suggestion = nearest(
    name,
    resources.filter(({ metadata }) => metadata.namespace === namespace || metadata.namespace === '').map(({ metadata }) => metadata.name),
  );
  const hint =
    elsewhere === undefined ? suggestion && `did you mean ${suggestion}?` : `there is one in namespace ${elsewhere.metadata.namespace}`;
  const what = [...new Set(kinds.map(({ kind }) => wireKind(kind)))].join(', ');
  const place = kinds.every(({ kind }) => isClusterScoped(kind)) ? '' : ` in namespace ${namespace}`;
  throw new ProblemError(404, 'E_NOT_FOUND', `no ${what} '${name}'${place}`, { hint });
}

function listOf(kind: ResourceKindNames, snapshot: Snapshot): readonly AnyResource[] {
  return kind.kind === 'GatewayClass' ? gatewayClassesOf(snapshot) : kind.list(snapshot);
}

/** By `identityText`. */
type Warnings = ReadonlyMap<string, readonly Diagnostic[]>;

function warningsOf({ diagnostics }: InForce): Warnings {
  return Map.groupBy(diagnostics, identityText);
}

/** Of a Secret only what it has, never what that is; of others `***` in the place of secrets. */
function resourceObject(resource: AnyResource, now: InForce, warnings: Warnings): ApiObject {
  const { kind, metadata, spec } = resource;
  const object = wireObject(resource);
  const extra = annotationsOf(resource, now);
  const annotations = extra.length === 0 ? {} : { annotations: { ...metadata.annotations, ...Object.fromEntries(extra) } };
  const generation = isGatewayApiKind(kind) ? { generation: metadata.generation ?? 1 } : {};
  const status = statusOf(resource, now, warnings.get(identityText(identityOf(resource))) ?? []);
  return {
    ...redacted({ ...object, metadata: { ...object.metadata, ...generation, ...annotations } }),
    ...(kind === 'Secret' ? { spec: { type: spec.type, keys: Object.keys(spec.data) } } : {}),
    ...(status === undefined ? {} : { status }),
  };
}

function annotationsOf(resource: AnyResource, now: InForce): [string, string][] {
  const { origin } = resource;
  const served = resource.kind === 'GatewayApiGateway' ? servedAt(resource, now) : [];
  const addresses = served.map(({ port, address }) => `${port}=${formatAddress(address)}`).join(',');
  return [
    ...(origin.line > 0 ? [[ORIGIN_ANNOTATION, `${origin.file}:${origin.line}`] satisfies [string, string]] : []),
    ...(addresses === '' ? [] : [[ADDRESSES_ANNOTATION, addresses] satisfies [string, string]]),
  ];
}

/** Undefined for kinds that have none, unless there is something to say. */
function statusOf(resource: AnyResource, now: InForce, warnings: readonly Diagnostic[]): Record<string, unknown> | undefined {
  const messages = warnings.map(messageOf);
  const said = messages.length === 0 ? {} : { validationMessages: messages };
  switch (resource.kind) {
    case 'GatewayClass':
    case 'GatewayApiGateway':
    case 'ListenerSet':
    case 'HTTPRoute':
    case 'GRPCRoute':
    case 'TLSRoute':
    case 'BackendTLSPolicy': {
      const key = statusKey(resource);
      const status = now.statuses.get(key);
      const found = status === undefined ? {} : timedStatus(key, status, now.conditionTimes);
      return { ...(resource.kind === 'GatewayApiGateway' ? { addresses: statusAddresses(resource, now) } : {}), ...found, ...said };
    }
    case 'ReferenceGrant':
    case 'Service':
    case 'EndpointSlice':
    case 'Namespace':
    case 'ConfigMap':
      return messages.length === 0 ? undefined : said;
    default:
      // The shape of Istio's own status (`IstioStatus`): conditions and the messages of its analysis.
      return {
        conditions: [{ type: 'Reconciled', status: 'True', reason: 'InForce', message: `in force in version ${now.table.version}` }],
        ...said,
        ...(resource.kind === 'Gateway' ? { listeners: istioListeners(resource, now) } : {}),
      };
  }
}

function messageOf(warning: Diagnostic): object {
  const { code, severity, path, message } = redactedDiagnostic(warning);
  return {
    type: { code, name: code },
    level: severity === 'error' ? 'ERROR' : 'WARNING',
    message: path === '' ? message : `${path}: ${message}`,
  };
}

function istioListeners(gateway: AnyResource, now: InForce): object[] {
  return listenersOf(gateway, now).map((listener) => ({ name: listener.name, port: listener.port, addresses: addressesOf(listener, now) }));
}

/** @returns Each address once (GatewayStatus.addresses). */
function statusAddresses(gateway: AnyResource, now: InForce): object[] {
  const hosts = new Set(servedAt(gateway, now).map(({ address }) => address.host));
  return [...hosts].map((value) => ({ type: isIP(value) === 0 ? 'Hostname' : 'IPAddress', value }));
}

function servedAt(gateway: AnyResource, now: InForce): { readonly port: number; readonly address: BoundListener }[] {
  return listenersOf(gateway, now).flatMap(({ name, port }) =>
    now.bound.filter((bound) => bound.listener === name).map((address) => ({ port, address })),
  );
}

/** A Gateway of each group may have the name; a port that Istio's declares is never served for the other. */
function listenersOf({ kind, metadata: { namespace, name } }: AnyResource, { table, effective }: InForce): readonly Listener[] {
  const istio = effective.gateways.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  const istioPorts = new Set(istio?.spec.servers?.map(({ port }) => port.number));
  return table.listeners.filter(
    ({ gateways, port }) => gateways.includes(`${namespace}/${name}`) && istioPorts.has(port) === (kind === 'Gateway'),
  );
}

export function addressesOf(listener: Listener, now: Pick<InForce, 'bound'>): string[] {
  return now.bound.filter((bound) => bound.listener === listener.name).map(formatAddress);
}
