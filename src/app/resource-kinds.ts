/**
 * Names of the kinds, as a path of the admin API, a user of `serin get` and kubectl write them: `virtualservices`, `vs`, and with the group
 * `virtualservices.networking.istio.io`. Two groups have `gateways`: without a group that is both.
 */
import { GATEWAY_API_GROUP } from '../config/gateway-api/types.ts';
import type { AnyResource, ResourceKind } from '../config/resources.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { nearest } from '../base/nearest.ts';

export interface KindNames {
  /** Plural lower case: the one in paths. */
  readonly plural: string;
  /** Other spellings a user may give, lower case; the shortest is last. */
  readonly aliases: readonly string[];
}

export interface ResourceKindNames extends KindNames {
  readonly kind: ResourceKind;
  /** Empty for Kubernetes' core. */
  readonly group: string;
  list(snapshot: Snapshot): readonly AnyResource[];
}

const ISTIO_GROUP = 'networking.istio.io';
const SERIN_GROUP = 'serin.dev';

export const RESOURCE_KINDS: readonly ResourceKindNames[] = [
  row('VirtualService', ISTIO_GROUP, 'virtualservices', ['virtualservice', 'vs'], (snapshot) => snapshot.virtualServices),
  row('DestinationRule', ISTIO_GROUP, 'destinationrules', ['destinationrule', 'dr'], (snapshot) => snapshot.destinationRules),
  row('Gateway', ISTIO_GROUP, 'gateways', ['gateway', 'gw'], (snapshot) => snapshot.gateways),
  row('GatewayApiGateway', GATEWAY_API_GROUP, 'gateways', ['gateway', 'gw'], (snapshot) => snapshot.gatewayApiGateways),
  row('ServiceEntry', ISTIO_GROUP, 'serviceentries', ['serviceentry', 'se'], (snapshot) => snapshot.serviceEntries),
  row('WorkloadEntry', ISTIO_GROUP, 'workloadentries', ['workloadentry', 'we'], (snapshot) => snapshot.workloadEntries),
  row('GatewayClass', GATEWAY_API_GROUP, 'gatewayclasses', ['gatewayclass', 'gc'], (snapshot) => snapshot.gatewayClasses),
  row('ListenerSet', GATEWAY_API_GROUP, 'listenersets', ['listenerset', 'lset'], (snapshot) => snapshot.listenerSets),
  row('HTTPRoute', GATEWAY_API_GROUP, 'httproutes', ['httproute'], (snapshot) => snapshot.httpRoutes),
  row('GRPCRoute', GATEWAY_API_GROUP, 'grpcroutes', ['grpcroute'], (snapshot) => snapshot.grpcRoutes),
  row('TLSRoute', GATEWAY_API_GROUP, 'tlsroutes', ['tlsroute'], (snapshot) => snapshot.tlsRoutes),
  row('ReferenceGrant', GATEWAY_API_GROUP, 'referencegrants', ['referencegrant', 'refgrant'], (snapshot) => snapshot.referenceGrants),
  row(
    'BackendTLSPolicy',
    GATEWAY_API_GROUP,
    'backendtlspolicies',
    ['backendtlspolicy', 'btlspolicy'],
    (snapshot) => snapshot.backendTlsPolicies,
  ),
  row('Service', '', 'services', ['service', 'svc'], (snapshot) => snapshot.kubernetesServices),
  row('EndpointSlice', 'discovery.k8s.io', 'endpointslices', ['endpointslice'], (snapshot) => snapshot.endpointSlices),
  row('Namespace', '', 'namespaces', ['namespace', 'ns'], (snapshot) => snapshot.namespaces),
  row('ConfigMap', '', 'configmaps', ['configmap', 'cm'], (snapshot) => snapshot.configMaps),
  row('Secret', '', 'secrets', ['secret'], (snapshot) => snapshot.secrets),
  row('Rollout', SERIN_GROUP, 'rollouts', ['rollout', 'ro'], (snapshot) => snapshot.rollouts),
  row('MetricTemplate', SERIN_GROUP, 'metrictemplates', ['metrictemplate', 'mt'], (snapshot) => snapshot.metricTemplates),
  row('Notification', SERIN_GROUP, 'notifications', ['notification', 'no'], (snapshot) => snapshot.notifications),
];

function row(
  kind: ResourceKind,
  group: string,
  plural: string,
  aliases: readonly string[],
  list: (snapshot: Snapshot) => readonly AnyResource[],
): ResourceKindNames {
  return { kind, group, plural, aliases, list };
}

/** What is compiled from the resources, and what runs. */
export const COMPILED_KINDS: readonly KindNames[] = [
  { plural: 'listeners', aliases: ['listener'] },
  { plural: 'clusters', aliases: ['cluster'] },
  { plural: 'endpoints', aliases: ['endpoint', 'ep'] },
  { plural: 'processes', aliases: ['process', 'ps'] },
];

/** Every plural of a resource once. */
export const RESOURCE_PLURALS: readonly string[] = [...new Set(RESOURCE_KINDS.map(({ plural }) => plural))];

/** For usage: `virtualservices (vs)`, `httproutes`. */
export const RESOURCE_USAGE = RESOURCE_PLURALS.map((plural) => {
  const short = RESOURCE_KINDS.find((kind) => kind.plural === plural)?.aliases[1];
  return short === undefined ? plural : `${plural} (${short})`;
}).join(', ');

/** `gateways.networking.istio.io`. */
function qualifiedPlural({ plural, group }: Pick<ResourceKindNames, 'plural' | 'group'>): string {
  return group === '' ? plural : `${plural}.${group}`;
}

/** The plural, with its group where another kind has the same: it names one kind in every path. */
export function pathName(kind: ResourceKindNames): string {
  return RESOURCE_KINDS.filter(({ plural }) => plural === kind.plural).length === 1 ? kind.plural : qualifiedPlural(kind);
}

/** @param path As in a path of the admin API: a plural, of which several kinds may have the same, or a plural with its group. */
export function kindsAt(path: string): readonly ResourceKindNames[] {
  return RESOURCE_KINDS.filter((kind) => kind.plural === path || qualifiedPlural(kind) === path);
}

/** @returns What a user wrote as a path has it, or the nearest name there is. */
export function findKind(text: string): { readonly path: string; readonly plural: string } | { readonly nearest: string | undefined } {
  const written = text.toLowerCase();
  const dot = written.indexOf('.');
  if (dot === -1) {
    const found = [...RESOURCE_KINDS, ...COMPILED_KINDS].find((kind) => isCalled(kind, written));
    return found === undefined ? { nearest: nearest(written, SPELLINGS) } : { path: found.plural, plural: found.plural };
  }
  const [name, group] = [written.slice(0, dot), written.slice(dot + 1)];
  const called = RESOURCE_KINDS.filter((kind) => isCalled(kind, name));
  const found = called.find((kind) => kind.group !== '' && kind.group === group);
  if (found !== undefined) return { path: pathName(found), plural: found.plural };
  const [only, ...others] = called;
  const isOne = only !== undefined && others.length === 0;
  return { nearest: isOne ? qualifiedPlural(only) : nearest(written, RESOURCE_KINDS.map(qualifiedPlural)) };
}

function isCalled({ plural, aliases }: KindNames, name: string): boolean {
  return plural === name || aliases.includes(name);
}

const SPELLINGS = [...RESOURCE_KINDS, ...COMPILED_KINDS]
  .flatMap(({ plural, aliases }) => [plural].concat(aliases))
  .filter((name) => name.length > 3);
