/**
 * What a release or a shift moves: a service, whose versions are subsets of it, or a route of the Gateway API, whose versions are Services of the route's
 * namespace. Everywhere in Serin one text stands for it (`Release.host`, keys of the overlay and of the state): a service's full name, or
 * `httproute/NAMESPACE/NAME`, which no service can be called.
 */
import { nearest } from '../base/nearest.ts';
import type { BackendObjectReference, GatewayApiHttpRoute, GatewayApiHttpRule, GrpcRoute, GrpcRule } from './gateway-api/types.ts';
import { resolveHost } from './hosts.ts';
import { show } from './report.ts';
import type { Rollout } from './resources.ts';
import type { ServiceIndex } from './services.ts';
import type { Snapshot } from './snapshot.ts';

export interface RouteTarget {
  readonly kind: 'HTTPRoute' | 'GRPCRoute';
  readonly namespace: string;
  readonly name: string;
}

export function routeKey({ kind, namespace, name }: RouteTarget): string {
  return `${kind.toLowerCase()}/${namespace}/${name}`;
}

const KINDS: Readonly<Record<string, RouteTarget['kind']>> = { httproute: 'HTTPRoute', grpcroute: 'GRPCRoute' };

/** The route that a target is; undefined: it is a service. */
export function routeOfTarget(target: string): RouteTarget | undefined {
  const [plain = '', namespace, name, ...more] = target.split('/');
  const kind = KINDS[plain];
  return kind === undefined || namespace === undefined || name === undefined || more.length > 0 ? undefined : { kind, namespace, name };
}

/** What people write, in a resource of `namespace` or beside `-n`: `reviews`, `httproute/reviews`, `httproute/shop/reviews`. */
export function targetNamed(written: string, namespace: string): string {
  const [kind, ...rest] = written.split('/');
  if (rest.length === 0) return resolveHost(written, namespace);
  return rest.length === 1
    ? `${kind?.toLowerCase() ?? ''}/${namespace}/${rest[0] ?? ''}`
    : `${kind?.toLowerCase() ?? ''}/${rest.join('/')}`;
}

/** Of the Rollout; one that names neither a host nor a route has been refused. */
export function targetOf({ metadata: { namespace: own }, spec: { host = '', route } }: Pick<Rollout, 'metadata' | 'spec'>): string {
  if (route === undefined) return resolveHost(host, own);
  const { kind = 'HTTPRoute', namespace = own, name } = route;
  return routeKey({ kind, namespace, name });
}

/** The service that a version is of, by its full name, and which subset of it the version is; empty: all of it. */
export interface VersionService {
  readonly host: string;
  readonly subset: string;
}

export function versionService(target: string, version: string): VersionService {
  const route = routeOfTarget(target);
  return route === undefined ? { host: target, subset: version } : { host: resolveHost(version, route.namespace), subset: '' };
}

/** For people: `HTTPRoute default/reviews`, or a service's full name. */
export function showTarget(target: string): string {
  const route = routeOfTarget(target);
  return route === undefined ? target : `${route.kind} ${route.namespace}/${route.name}`;
}

export function findRoute(snapshot: RoutesOf, { kind, namespace, name }: RouteTarget): Route | undefined {
  return byName(routesOf(snapshot, kind)).get(`${namespace}/${name}`);
}

type Route = GatewayApiHttpRoute | GrpcRoute;

function routesOf({ httpRoutes, grpcRoutes }: RoutesOf, kind: RouteTarget['kind']): readonly Route[] {
  return kind === 'HTTPRoute' ? httpRoutes : grpcRoutes;
}

/** Snapshots stay as they are; every release is looked for four times a second. */
const NAMES = new WeakMap<readonly Route[], ReadonlyMap<string, Route>>();

function byName(routes: readonly Route[]): ReadonlyMap<string, Route> {
  const known = NAMES.get(routes);
  if (known !== undefined) return known;
  const made = new Map(routes.map((route) => [`${route.metadata.namespace}/${route.metadata.name}`, route]));
  NAMES.set(routes, made);
  return made;
}

type RoutesOf = Pick<Snapshot, 'httpRoutes' | 'grpcRoutes'>;

/** What is not there: the target itself, or one of its versions. */
export interface Missing {
  /** Undefined: the target. */
  readonly version?: string;
  readonly message: string;
  /** Takes time: asked for only where somebody reads it. */
  readonly hint: () => string | undefined;
}

/** What there is not of these versions. @param index Of the snapshot. */
export function missingOf(snapshot: RoutesOf, index: ServiceIndex, target: string, versions: readonly string[]): readonly Missing[] {
  const route = routeOfTarget(target);
  if (route !== undefined) return missingOfRoute(snapshot, index, route, versions);
  const subsets = index.destinationRule(target)?.subsets.map(({ name }) => name) ?? [];
  if (index.service(target) === undefined && subsets.length === 0) {
    const all = (): Iterable<string> => index.services().map(({ host }) => host);
    return [{ message: `host ${show(target)} is no known service`, hint: () => didYouMean(target, all()) }];
  }
  return versions
    .filter((version) => !subsets.includes(version))
    .map((version) => ({
      version,
      message: `${target} has no subset ${show(version)}`,
      hint: () => didYouMean(version, subsets) ?? `subsets: ${subsets.join(', ') || 'none'}`,
    }));
}

function missingOfRoute(snapshot: RoutesOf, index: ServiceIndex, target: RouteTarget, versions: readonly string[]): readonly Missing[] {
  const { kind, namespace, name } = target;
  const route = findRoute(snapshot, target);
  if (route === undefined) {
    const names = routesOf(snapshot, kind).flatMap(({ metadata }) => (metadata.namespace === namespace ? [metadata.name] : []));
    return [{ message: `there is no ${kind} ${show(name)} in namespace ${namespace}`, hint: () => didYouMean(name, names) }];
  }
  const ports = portsOf(route, versions);
  return versions.flatMap((version): Missing[] => {
    const host = resolveHost(version, namespace);
    const service = index.service(host);
    // A wildcard is no Service of this name.
    if (service?.host !== host) {
      const services = (): string[] => index.services().flatMap((one) => (one.namespace === namespace ? one.host.split('.', 1) : []));
      return [
        { version, message: `there is no Service ${show(version)} in namespace ${namespace}`, hint: () => didYouMean(version, services()) },
      ];
    }
    const numbers = service.ports.map(({ number }) => number);
    const port = ports.get(version) ?? ports.values().next().value;
    if (port === undefined || numbers.includes(port)) return [];
    return [
      {
        version,
        message: `Service ${show(version)} has no port ${port}, which ${kind} ${namespace}/${name} sends to`,
        hint: () => `its ports: ${numbers.join(', ')}`,
      },
    ];
  });
}

/** By version, in the versions' order: the port that the route sends to; the others are added with the first one's. */
function portsOf({ metadata, spec }: Route, versions: readonly string[]): ReadonlyMap<string, number> {
  const rules: readonly (GatewayApiHttpRule | GrpcRule)[] = spec.rules ?? [];
  const refs = rules.flatMap(({ backendRefs = [] }): readonly BackendObjectReference[] => backendRefs);
  return new Map(
    versions.flatMap((version) => {
      const port = refs.find((ref) => isServiceRef(ref, metadata.namespace) && ref.name === version)?.port;
      return port === undefined ? [] : [[version, port]];
    }),
  );
}

/** A reference to a Service of the route's own namespace: what a version of a route can be. */
export function isServiceRef({ group = '', kind = 'Service', namespace }: BackendObjectReference, own: string): boolean {
  return group === '' && kind === 'Service' && (namespace ?? own) === own;
}

function didYouMean(name: string, candidates: Iterable<string>): string | undefined {
  const close = nearest(name, candidates);
  return close === undefined ? undefined : `did you mean ${close}?`;
}
