/**
 * Weights in force beside the user's files: what `serin shift` and rollouts write. The files are never touched; the overlay is applied to a
 * Snapshot, and the result goes the same way into the data plane as any other.
 *
 * A shift or a release of a host rewrites the destinations of every http rule that sends all its requests to that host and that (a) already splits over two or
 * more destinations, or (b) does not pick out particular requests. A rule that does (jason to v2) keeps its destination. Where no VirtualService
 * names the host for the mesh, one with a single rule is added.
 *
 * A shift does the same with tcp and tls rules of Gateways, where (b) is about who connects. A release leaves them as they are: it goes by requests
 * that went well or did not, and bytes do neither (`W_RELEASE_CONNECTIONS`).
 *
 * Routes of the Gateway API, whose versions are Services, are changed in overlay-routes.ts.
 *
 * A release also sends its cohorts to the canary: each rule it rewrites gets a copy for them, before all rules of the same host that it stands
 * among, so that neither a path nor another service is taken over. While a host has a release, a shift of it is left out.
 */
import type { Diagnostic } from '../base/diagnostic.ts';
import type { Code } from './codes.ts';
import { hostMatches, resolveHost, shortNames } from './hosts.ts';
import { buildSnapshot } from './build-snapshot.ts';
import { mergeDelegates } from './delegates.ts';
import { copyOrigin } from './origins.ts';
import { marked, singledOut, type TargetChange, type VersionWeight } from './overlay-change.ts';
import { changeRoutes } from './overlay-routes.ts';
import type { Release, ReleaseOverlay } from './release.ts';
import { missingOf, routeOfTarget, showTarget } from './release-target.ts';
import type { HttpMatchRequest, HttpRouteDestination, IstioHttpRoute, IstioTcpRoute, IstioTlsRoute, VirtualService } from './resources.ts';
import { serviceIndex, type ServiceIndex } from './services.ts';
import { resourcesIn, type Snapshot } from './snapshot.ts';

export interface Overlay {
  /** By target (release-target.ts): the full name of a service, or a route. */
  readonly shifts: Readonly<Record<string, Shift>>;
  /** By target. */
  readonly releases: Readonly<Record<string, ReleaseOverlay>>;
  /**
   * Versions that Serin need not run, by target and version, with why: no release needs them. One that a rule in force sends to runs all
   * the same. A host that stands here is looked after by a release, also when nothing of it is idle.
   */
  readonly idle?: Readonly<Record<string, IdleSubsets>>;
}

/** By subset: why its processes need not run. */
export type IdleSubsets = Readonly<Record<string, string>>;

interface Shift {
  /** By version; relative, whole numbers >= 0 with a sum above 0. */
  readonly weights: Readonly<Record<string, number>>;
}

export const EMPTY_OVERLAY: Overlay = { shifts: {}, releases: {} };

/** What is wrong with a shift; empty when it can be applied. @param target As release-target.ts has it. */
export function checkShift(snapshot: Snapshot, target: string, weights: Readonly<Record<string, number>>): Diagnostic[] {
  return checkWeights(snapshot, serviceIndex(snapshot), target, weights);
}

function checkWeights(snapshot: Snapshot, index: ServiceIndex, target: string, weights: Readonly<Record<string, number>>): Diagnostic[] {
  const found = missingOf(snapshot, index, target, Object.keys(weights)).map(({ version, message, hint }) =>
    problem('error', version === undefined ? 'E_SHIFT_HOST' : 'E_SHIFT_SUBSET', target, message, hint()),
  );
  if (found.some(({ code }) => code === 'E_SHIFT_HOST')) return found;
  for (const [version, weight] of Object.entries(weights)) {
    if (!Number.isInteger(weight) || weight < 0 || weight > 1_000_000) {
      found.push(
        problem('error', 'E_SHIFT_WEIGHTS', target, `weight of ${version} must be a whole number from 0 to 1000000, found ${weight}`),
      );
    }
  }
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  if (found.length === 0 && total <= 0)
    found.push(problem('error', 'E_SHIFT_WEIGHTS', target, 'total weight = 0', 'give one of them a weight above 0'));
  return found;
}

/** The Snapshot with the overlay in force. A shift or release whose host or subset the files no longer have is left out with a warning. */
export function applyOverlay(
  snapshot: Snapshot,
  overlay: Overlay,
): { readonly snapshot: Snapshot; readonly diagnostics: readonly Diagnostic[] } {
  const shifts = Object.entries(overlay.shifts);
  const releases = Object.entries(overlay.releases);
  if (shifts.length === 0 && releases.length === 0) return { snapshot, diagnostics: [] };
  const diagnostics: Diagnostic[] = [];
  const index = serviceIndex(snapshot);
  const changes: TargetChange[] = [];
  for (const [host, { weights }] of shifts) {
    const release = overlay.releases[host];
    const problems = checkWeights(snapshot, index, host, weights).map(({ message }) => message);
    if (release !== undefined) problems.push(`Rollout ${release.rollout} moves the host`);
    if (problems.length === 0) {
      changes.push({ target: host, weights: Object.entries(weights), by: 'shift' });
      continue;
    }
    diagnostics.push(
      problem(
        'warning',
        'W_SHIFT_IGNORED',
        host,
        `shift of ${showTarget(host)} is left out: ${problems.join('; ')}`,
        'drop it with serin shift --reset, or bring back what is missing',
      ),
    );
  }
  const applied: Release[] = [];
  for (const [host, release] of releases) {
    const problems = checkWeights(snapshot, index, host, release.weights);
    if (problems.length > 0) {
      const why = problems.map(({ message }) => message).join('; ');
      diagnostics.push(
        problem('warning', 'W_RELEASE_IGNORED', host, `release of ${showTarget(host)} by Rollout ${release.rollout} is left out: ${why}`),
      );
      continue;
    }
    applied.push({ host, ...release });
    changes.push({ target: host, weights: inOrder(release), by: `rollout ${release.rollout}`, release });
  }
  const effective = new Set<string>();
  const ofHosts = changes.filter(({ target }) => routeOfTarget(target) === undefined);
  const virtualServices = changeHosts(mergeDelegates(snapshot.virtualServices), ofHosts, index, effective);
  const routes = changeRoutes(snapshot, changes, effective);
  for (const change of changes) if (!effective.has(change.target)) diagnostics.push(ineffective(change));
  const resources = resourcesIn({ ...snapshot, virtualServices, ...routes });
  return { snapshot: buildSnapshot(resources, applied), diagnostics };
}

/** Canaries first: a bucket below the canary's weight is the canary's, whatever other versions get. */
function inOrder({ canaries, stable, weights }: ReleaseOverlay): VersionWeight[] {
  return [...canaries, stable].map((subset) => [subset, weights[subset] ?? 0]);
}

/** One pass over all rules, however many hosts change. @param effective Targets of changes that have changed something are added. */
function changeHosts(
  all: readonly VirtualService[],
  changes: readonly TargetChange[],
  index: ServiceIndex,
  effective: Set<string>,
): readonly VirtualService[] {
  const byHost = new Map(changes.map((change) => [change.target, change]));
  const changed = all.map((resource) => {
    const by = new Set<string>();
    const onChange = (change: TargetChange): void => {
      effective.add(change.target);
      by.add(change.by);
    };
    const { http } = resource.spec;
    const requests = http === undefined ? {} : { http: changeRules(http, resource.metadata.namespace, byHost, onChange) };
    const connections = changeConnections(resource, byHost, onChange);
    if (by.size === 0) return resource;
    const spec = { ...resource.spec, ...requests, ...connections };
    return copyOrigin(resource, { ...resource, metadata: marked(resource.metadata, [...by].join(', ')), spec });
  });
  const owners = new MeshOwners(all);
  for (const change of changes) {
    if (owners.has(change.target)) continue;
    changed.push(addedService(change, index));
    effective.add(change.target);
  }
  return changed;
}

function ineffective({ target, release }: TargetChange): Diagnostic {
  const [what, code] =
    release === undefined ? (['shift', 'W_SHIFT_INEFFECTIVE'] as const) : (['release', 'W_RELEASE_INEFFECTIVE'] as const);
  const why =
    routeOfTarget(target) === undefined
      ? 'every rule for it picks out particular requests'
      : 'no rule of it sends to one of its Services, or what does picks out particular requests';
  return problem('warning', code, target, `${what} of ${showTarget(target)} changes nothing: ${why}`);
}

/** Rules of one host that stand together are changed together: copies for cohorts come before all of them. */
function changeRules(
  rules: readonly IstioHttpRoute[],
  namespace: string,
  byHost: ReadonlyMap<string, TargetChange>,
  onChange: (change: TargetChange) => void,
): IstioHttpRoute[] {
  const result: IstioHttpRoute[] = [];
  for (let at = 0; at < rules.length;) {
    const host = onlyHost(rules[at], namespace);
    const other = rules.findIndex((rule, position) => position > at && onlyHost(rule, namespace) !== host);
    const end = other === -1 ? rules.length : other;
    const block = rules.slice(at, end);
    const change = host === undefined ? undefined : byHost.get(host);
    if (change === undefined) result.push(...block);
    else {
      const moved = block.filter(isShiftable);
      if (moved.length > 0) onChange(change);
      result.push(
        ...moved.flatMap((rule) => cohortRules(rule, change)),
        ...block.map((rule) => (isShiftable(rule) ? movedRule(rule, change) : rule)),
      );
    }
    at = end;
  }
  return result;
}

/** Rules for whole connections, which Gateways alone have. */
function changeConnections(
  { metadata, spec }: VirtualService,
  byHost: ReadonlyMap<string, TargetChange>,
  onChange: (change: TargetChange) => void,
): Pick<VirtualService['spec'], 'tcp' | 'tls'> {
  const { tcp, tls, gateways = [] } = spec;
  if (gateways.every((gateway) => gateway === 'mesh')) return {};
  const moved = <Rule extends IstioTcpRoute | IstioTlsRoute>(rule: Rule): Rule => {
    const change = byHost.get(onlyHost(rule, metadata.namespace) ?? '');
    if (change === undefined || change.release !== undefined || !isShiftableConnection(rule)) return rule;
    onChange(change);
    return { ...rule, route: destinationsOf(rule.route ?? [], change.weights) };
  };
  return { ...(tcp === undefined ? {} : { tcp: tcp.map(moved) }), ...(tls === undefined ? {} : { tls: tls.map(moved) }) };
}

/** The one service all that a rule takes goes to. */
function onlyHost(rule: Pick<IstioTcpRoute, 'route'> | undefined, namespace: string): string | undefined {
  const [first, ...others] = rule?.route ?? [];
  if (first === undefined) return undefined;
  const host = resolveHost(first.destination.host, namespace);
  return others.every(({ destination }) => resolveHost(destination.host, namespace) === host) ? host : undefined;
}

function movedRule(rule: IstioHttpRoute, change: TargetChange): IstioHttpRoute {
  const route = destinationsOf(rule.route ?? [], change.weights);
  const mirror = change.release?.mirror;
  const first = rule.route?.[0]?.destination;
  if (mirror === undefined || first === undefined) return copyOrigin(rule, { ...rule, route });
  const mirrors = [...(rule.mirrors ?? []), { destination: { ...first, subset: mirror.to }, percentage: { value: mirror.percentage } }];
  return copyOrigin(rule, { ...rule, route, mirrors });
}

/** A copy of `rule` for each cohort of the release: the requests of both, to the cohort's subset. */
function cohortRules(rule: IstioHttpRoute, { release }: TargetChange): IstioHttpRoute[] {
  return singledOut(release).flatMap(({ name, match, to }) => {
    const both = (rule.match ?? [{}]).flatMap((own) => match.flatMap((cohort) => bothMatch(own, cohort)));
    if (both.length === 0) return [];
    return [
      copyOrigin(rule, {
        ...rule,
        name,
        match: both,
        route: destinationsOf(rule.route ?? [], [[to, 100]]),
      }),
    ];
  });
}

/** The requests that `own` and `cohort` both hold for; none where they ask two things of one header, which a match cannot say. */
function bothMatch(own: HttpMatchRequest, cohort: HttpMatchRequest): HttpMatchRequest[] {
  const asked = new Set(Object.keys(own.headers ?? {}).map((name) => name.toLowerCase()));
  if (Object.keys(cohort.headers ?? {}).some((name) => asked.has(name.toLowerCase()))) return [];
  return [{ ...own, ...cohort, headers: { ...own.headers, ...cohort.headers } }];
}

/** Of a rule to one host only. */
function isShiftable({ route = [], match = [] }: IstioHttpRoute): boolean {
  return route.length > 1 || !match.some(picksOut);
}

/** The same of a rule for connections: ports, names and networks of ours are what is asked for. */
function isShiftableConnection({ route = [], match = [] }: IstioTcpRoute): boolean {
  return (
    route.length > 1 ||
    !match.some(
      ({ sourceLabels = {}, sourceNamespace = '', sourceSubnet = '' }) =>
        Object.keys(sourceLabels).length > 0 || sourceNamespace !== '' || sourceSubnet !== '',
    )
  );
}

/** Whether a match block is about who asks rather than what is asked for. */
function picksOut(match: NonNullable<IstioHttpRoute['match']>[number]): boolean {
  const { headers, withoutHeaders, queryParams, sourceLabels, sourceNamespace } = match;
  return (
    [headers, withoutHeaders, queryParams, sourceLabels].some((map) => map !== undefined && Object.keys(map).length > 0) ||
    (sourceNamespace ?? '') !== ''
  );
}

/** A destination for each subset: the one there was, with its headers and port, or a new one with the port of the first. */
function destinationsOf(route: readonly HttpRouteDestination[], weights: readonly VersionWeight[]): HttpRouteDestination[] {
  const [first] = route;
  const port = first?.destination.port;
  const host = first?.destination.host ?? '';
  const portOnly = port === undefined ? {} : { port };
  return weights.map(([subset, weight]) => {
    const kept = route.find(({ destination }) => destination.subset === subset);
    const destination = kept?.destination ?? { host, subset, ...portOnly };
    return kept?.headers === undefined ? { destination, weight } : { destination, weight, headers: kept.headers };
  });
}

/** Which hosts some VirtualService serves on the mesh listener. */
class MeshOwners {
  readonly #exact = new Set<string>();
  readonly #wildcards: string[] = [];

  constructor(all: readonly VirtualService[]) {
    for (const { metadata, spec } of all) {
      const { hosts = [], gateways = [] } = spec;
      if (gateways.length > 0 && !gateways.includes('mesh')) continue;
      for (const host of hosts) {
        const full = resolveHost(host, metadata.namespace);
        if (full.startsWith('*')) this.#wildcards.push(full);
        else this.#exact.add(full);
      }
    }
  }

  has(host: string): boolean {
    return this.#exact.has(host) || this.#wildcards.some((pattern) => hostMatches(pattern, host));
  }
}

function addedService(change: TargetChange, index: ServiceIndex): VirtualService {
  const { target: host, by } = change;
  const service = index.service(host);
  const [short = host] = shortNames(host);
  const name = change.release === undefined ? 'serin-shift' : 'serin-release';
  const rule: IstioHttpRoute = { name, route: [{ destination: { host } }] };
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: marked({ name: `${name}-${short}`, namespace: service?.namespace ?? 'default' }, by),
    spec: { hosts: [host], http: [...cohortRules(rule, change), movedRule(rule, change)] },
    origin: service?.entry.origin ?? { file: 'overlay', line: 0, column: 0 },
  };
}

function problem(severity: Diagnostic['severity'], code: Code, target: string, message: string, hint?: string): Diagnostic {
  const { kind = 'VirtualService', namespace = '', name = '' } = routeOfTarget(target) ?? {};
  return {
    file: 'overlay',
    line: 0,
    column: 0,
    code,
    severity,
    kind,
    namespace,
    name,
    path: `shifts[${JSON.stringify(target)}]`,
    message,
    ...(hint === undefined ? {} : { hint }),
  };
}
