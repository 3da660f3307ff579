/**
 * Columns of the Gateway API's kinds and of Kubernetes' own: as `kubectl get` prints them, and of routes also whether they are accepted and why not.
 * Nobody but who writes a `creationTimestamp` says how old a resource is.
 */
import type { ApiObject } from '../admin/api-types.ts';
import { ADDRESSES_ANNOTATION } from '../app/resource-view.ts';
import { isTrouble } from '../routing/gateway-api/status.ts';
import { ageText, at, type Cell, type Column, countOf, name, origin, overlay, textOf, valueAt, warnings } from './get-cells.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

const OF_ITSELF = ['status', 'conditions'];
const OF_PARENTS = ['status', 'parents', 'conditions'];
const OF_ANCESTORS = ['status', 'ancestors', 'conditions'];

function conditionsAt(object: ApiObject, path: readonly string[]): readonly Condition[] {
  const found = [valueAt(object, path)].flat(3);
  return found.filter((one): one is Condition => typeof one === 'object' && one !== null && 'type' in one && 'reason' in one);
}

/** `True`, or `True,False` where parents are not of one mind. */
function condition(heading: string, type: string, path: readonly string[]): Column {
  return { heading, cell: (object) => distinct(conditionsAt(object, path).flatMap((one) => (one.type === type ? [one.status] : []))) };
}

/** What is not as it should be. */
function troubles(member: 'reason' | 'message', path: readonly string[]): Cell {
  return (object) =>
    distinct(
      conditionsAt(object, path)
        .filter(isTrouble)
        .map((one) => one[member]),
      SEPARATORS[member],
    );
}

const SEPARATORS = { reason: ',', message: '; ' } as const;

const distinct = (texts: readonly string[], separator = ','): string => [...new Set(texts.filter((text) => text !== ''))].join(separator);

/** The values at any of the paths, without those that are not there. */
function first(...paths: readonly (readonly string[])[]): Cell {
  return (object) => distinct(paths.flatMap((path) => [valueAt(object, path)].flat(3)).map(textOf));
}

const age: Column = {
  heading: 'AGE',
  cell: (object) => {
    const created = Date.parse(at('metadata', 'creationTimestamp')(object));
    return Number.isNaN(created) ? '' : ageText(Math.max(0, Math.floor((Date.now() - created) / 1000)));
  },
};

const reasons = (path: readonly string[]): Column => ({ heading: 'REASON', cell: troubles('reason', path) });
const messages = (path: readonly string[]): Column => ({ heading: 'MESSAGE', cell: troubles('message', path), wide: true });

/** Of a Gateway or ListenerSet and its listeners; what is of one listener alone says which: `https:InvalidCertificateRef`. */
function listenerTroubles(member: 'reason' | 'message'): Cell {
  return (object) => {
    const own = troubles(member, OF_ITSELF)(object);
    const listeners = [valueAt(object, ['status', 'listeners'])].flat().filter((one) => one !== undefined);
    const ofListeners = listeners.flatMap((listener) =>
      conditionsAt(asObject(listener), ['conditions'])
        .filter(isTrouble)
        .map((one) => `${at('name')(asObject(listener))}:${member === 'message' ? ' ' : ''}${one[member]}`),
    );
    return distinct([own, ...ofListeners], SEPARATORS[member]);
  };
}

const LISTENER_REASONS: Column = { heading: 'REASON', cell: listenerTroubles('reason') };
const LISTENER_MESSAGES: Column = { heading: 'MESSAGE', cell: listenerTroubles('message'), wide: true };

const ROUTE: readonly Column[] = [
  name,
  { heading: 'HOSTNAMES', cell: at('spec', 'hostnames') },
  condition('ACCEPTED', 'Accepted', OF_PARENTS),
  condition('RESOLVED', 'ResolvedRefs', OF_PARENTS),
  reasons(OF_PARENTS),
  overlay,
  age,
  { heading: 'PARENTS', cell: at('spec', 'parentRefs', 'name'), wide: true },
  origin,
  messages(OF_PARENTS),
];

/** `web:80->8080,443`, or `80`. */
function portsOf(object: ApiObject): string {
  const ports = [valueAt(object, ['spec', 'ports'])].flat();
  return ports.map((port) => distinct([at('name')(asObject(port)), at('port')(asObject(port))], ':')).join(',');
}

// The cells of a port are read as those of a resource are.
const asObject = (value: unknown): ApiObject => value as ApiObject;

export const KUBERNETES_COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  // Of both groups: Istio's have no class and no conditions.
  gateways: [
    name,
    { heading: 'CLASS', cell: at('spec', 'gatewayClassName') },
    { heading: 'PORTS', cell: first(['spec', 'servers', 'port', 'number'], ['spec', 'listeners', 'port']) },
    { heading: 'HOSTS', cell: first(['spec', 'servers', 'hosts'], ['spec', 'listeners', 'hostname']) },
    { heading: 'ADDRESS', cell: (object) => distinct([istioAddresses(object), gatewayAddresses(object)]) },
    condition('PROGRAMMED', 'Programmed', OF_ITSELF),
    LISTENER_REASONS,
    age,
    warnings,
    origin,
    LISTENER_MESSAGES,
  ],
  gatewayclasses: [
    name,
    { heading: 'CONTROLLER', cell: at('spec', 'controllerName') },
    condition('ACCEPTED', 'Accepted', OF_ITSELF),
    age,
    { heading: 'DESCRIPTION', cell: at('spec', 'description'), wide: true },
    origin,
  ],
  listenersets: [
    name,
    { heading: 'PARENT', cell: at('spec', 'parentRef', 'name') },
    { heading: 'PORTS', cell: first(['spec', 'listeners', 'port']) },
    condition('ACCEPTED', 'Accepted', OF_ITSELF),
    condition('PROGRAMMED', 'Programmed', OF_ITSELF),
    LISTENER_REASONS,
    age,
    origin,
    LISTENER_MESSAGES,
  ],
  httproutes: ROUTE,
  grpcroutes: ROUTE,
  tlsroutes: ROUTE,
  referencegrants: [
    name,
    { heading: 'FROM-KINDS', cell: first(['spec', 'from', 'kind']) },
    { heading: 'FROM-NAMESPACES', cell: first(['spec', 'from', 'namespace']) },
    { heading: 'TO-KINDS', cell: first(['spec', 'to', 'kind']) },
    age,
    origin,
  ],
  backendtlspolicies: [
    name,
    { heading: 'TARGETS', cell: at('spec', 'targetRefs', 'name') },
    { heading: 'HOSTNAME', cell: at('spec', 'validation', 'hostname') },
    condition('ACCEPTED', 'Accepted', OF_ANCESTORS),
    condition('RESOLVED', 'ResolvedRefs', OF_ANCESTORS),
    reasons(OF_ANCESTORS),
    age,
    origin,
    messages(OF_ANCESTORS),
  ],
  services: [
    name,
    { heading: 'TYPE', cell: (object) => at('spec', 'type')(object) || 'ClusterIP' },
    { heading: 'PORTS', cell: portsOf },
    age,
    warnings,
    origin,
  ],
  endpointslices: [
    name,
    { heading: 'ADDRESSTYPE', cell: at('addressType') },
    { heading: 'PORTS', cell: at('ports', 'port') },
    { heading: 'ENDPOINTS', cell: at('endpoints', 'addresses') },
    age,
    warnings,
    origin,
  ],
  namespaces: [name, { heading: 'LABELS', cell: at('metadata', 'labels') }, age, origin],
  configmaps: [name, { heading: 'DATA', cell: (object) => countOf(Object.keys(valueAt(object, ['data']) ?? {})) }, age, origin],
};

function istioAddresses(object: ApiObject): string {
  return first(['status', 'listeners', 'addresses'])(object);
}

/** With their ports, which `status.addresses` has no place for: `127.0.0.1:8080`. */
function gatewayAddresses(object: ApiObject): string {
  const stated = at('metadata', 'annotations', ADDRESSES_ANNOTATION)(object);
  return distinct(stated.split(',').map((pair) => pair.replace(/^\d+=/, '')));
}
