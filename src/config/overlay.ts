/**
 * Weights in force beside the user's files: what `serin shift` and rollouts write. The files are never touched; the overlay is applied to a
 * Snapshot, and the result goes the same way into the data plane as any other.
 *
 * A shift or a release of a host rewrites the destinations of every http rule that sends all its requests to that host and that (a) already splits over two or
 * more destinations, or (b) does not pick out particular requests. A rule that does (jason to v2) keeps its destination. Where no VirtualService
 * names the host for the mesh, one with a single rule is added.
 *
 * A release also sends its cohorts to the canary: each rule it rewrites gets a copy for them, before all rules of the same host that it stands
 * among, so that neither a path nor another service is taken over. While a host has a release, a shift of it is left out.
 */
import type { Diagnostic } from '../base/diagnostic.ts';
import { nearest } from '../base/nearest.ts';
import type { Code } from './codes.ts';
import { hostMatches, resolveHost, shortNames } from './hosts.ts';
import { buildSnapshot } from './build-snapshot.ts';
import { copyOrigin } from './origins.ts';
import { show } from './report.ts';
import type { Release, ReleaseOverlay } from './release.ts';
import type { HttpMatchRequest, HttpRouteDestination, IstioHttpRoute, VirtualService } from './resources.ts';
import { serviceIndex, type ServiceIndex } from './services.ts';
import type { Snapshot } from './snapshot.ts';

export interface Overlay {
  /** By full name of the host (`resolveHost`). */
  readonly shifts: Readonly<Record<string, Shift>>;
  /** By full name of the host. */
  readonly releases: Readonly<Record<string, ReleaseOverlay>>;
}

interface Shift {
  /** By subset; relative, whole numbers >= 0 with a sum above 0. */
  readonly weights: Readonly<Record<string, number>>;
}

export const EMPTY_OVERLAY: Overlay = { shifts: {}, releases: {} };

/** Marks a resource the overlay changed or added; its value says by what. */
export const OVERLAY_ANNOTATION = 'serin.dev/overlay';

/** What is wrong with a shift; empty when it can be applied. `host` is a full name. */
export function checkShift(snapshot: Snapshot, host: string, weights: Readonly<Record<string, number>>): Diagnostic[] {
  return checkWeights(serviceIndex(snapshot), host, weights);
}

function checkWeights(index: ServiceIndex, host: string, weights: Readonly<Record<string, number>>): Diagnostic[] {
  const subsets = index.destinationRule(host)?.subsets.map(({ name }) => name) ?? [];
  if (index.service(host) === undefined && subsets.length === 0) {
    const close = nearest(
      host,
      index.services().map((service) => service.host),
    );
    return [
      problem(
        'error',
        'E_SHIFT_HOST',
        host,
        `host ${show(host)} is no known service`,
        close === undefined ? undefined : `did you mean ${close}?`,
      ),
    ];
  }
  const found: Diagnostic[] = [];
  for (const [subset, weight] of Object.entries(weights)) {
    if (!subsets.includes(subset)) {
      const close = nearest(subset, subsets);
      const hint = close === undefined ? `subsets: ${subsets.join(', ') || 'none'}` : `did you mean ${close}?`;
      found.push(problem('error', 'E_SHIFT_SUBSET', host, `${host} has no subset ${show(subset)}`, hint));
    }
    if (!Number.isInteger(weight) || weight < 0 || weight > 1_000_000) {
      found.push(
        problem('error', 'E_SHIFT_WEIGHTS', host, `weight of ${subset} must be a whole number from 0 to 1000000, found ${weight}`),
      );
    }
  }
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  if (found.length === 0 && total <= 0)
    found.push(problem('error', 'E_SHIFT_WEIGHTS', host, 'total weight = 0', 'give one subset a weight above 0'));
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
  const changes: HostChange[] = [];
  for (const [host, { weights }] of shifts) {
    const release = overlay.releases[host];
    const problems = checkWeights(index, host, weights).map(({ message }) => message);
    if (release !== undefined) problems.push(`Rollout ${release.rollout} moves the host`);
    if (problems.length === 0) {
      changes.push({ host, weights: Object.entries(weights), by: 'shift' });
      continue;
    }
    diagnostics.push(
      problem(
        'warning',
        'W_SHIFT_IGNORED',
        host,
        `shift of ${host} is left out: ${problems.join('; ')}`,
        'drop it with serin shift --reset, or bring the subset back',
      ),
    );
  }
  const applied: Release[] = [];
  for (const [host, release] of releases) {
    const problems = checkWeights(index, host, release.weights);
    if (problems.length > 0) {
      const why = problems.map(({ message }) => message).join('; ');
      diagnostics.push(
        problem('warning', 'W_RELEASE_IGNORED', host, `release of ${host} by Rollout ${release.rollout} is left out: ${why}`),
      );
      continue;
    }
    applied.push({ host, ...release });
    changes.push({ host, weights: inOrder(release), by: `rollout ${release.rollout}`, release });
  }
  const virtualServices = changeHosts(snapshot.virtualServices, changes, index, diagnostics);
  const { destinationRules, gateways, serviceEntries, workloadEntries, rollouts } = snapshot;
  const resources = [...virtualServices, ...destinationRules, ...gateways, ...serviceEntries, ...workloadEntries, ...rollouts];
  return { snapshot: buildSnapshot(resources, applied), diagnostics };
}

/** What happens to one host. */
interface HostChange {
  readonly host: string;
  /** In the order of the destinations. A list, because a record would put a subset named `2` first. */
  readonly weights: readonly SubsetWeight[];
  /** For the annotation. */
  readonly by: string;
  readonly release?: ReleaseOverlay;
}

type SubsetWeight = readonly [subset: string, weight: number];

/** Canaries first: a bucket below the canary's weight is the canary's, whatever other versions get. */
function inOrder({ canaries, stable, weights }: ReleaseOverlay): SubsetWeight[] {
  return [...canaries, stable].map((subset) => [subset, weights[subset] ?? 0]);
}

/** One pass over all rules, however many hosts change. */
function changeHosts(
  all: readonly VirtualService[],
  changes: readonly HostChange[],
  index: ServiceIndex,
  diagnostics: Diagnostic[],
): readonly VirtualService[] {
  const byHost = new Map(changes.map((change) => [change.host, change]));
  const effective = new Set<string>();
  const changed = all.map((resource) => {
    const by = new Set<string>();
    const http = changeRules(resource.spec.http ?? [], resource.metadata.namespace, byHost, (change) => {
      effective.add(change.host);
      by.add(change.by);
    });
    if (by.size === 0) return resource;
    return copyOrigin(resource, { ...resource, metadata: marked(resource.metadata, [...by].join(', ')), spec: { ...resource.spec, http } });
  });
  const owners = new MeshOwners(all);
  for (const change of changes) {
    if (!owners.has(change.host)) changed.push(addedService(change, index));
    else if (!effective.has(change.host)) {
      const what = change.release === undefined ? 'shift' : 'release';
      const code = change.release === undefined ? 'W_SHIFT_INEFFECTIVE' : 'W_RELEASE_INEFFECTIVE';
      diagnostics.push(
        problem('warning', code, change.host, `${what} of ${change.host} changes nothing: every rule for it picks out particular requests`),
      );
    }
  }
  return changed;
}

/** Rules of one host that stand together are changed together: copies for cohorts come before all of them. */
function changeRules(
  rules: readonly IstioHttpRoute[],
  namespace: string,
  byHost: ReadonlyMap<string, HostChange>,
  onChange: (change: HostChange) => void,
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

/** The one service all of a rule's requests go to. */
function onlyHost(rule: IstioHttpRoute | undefined, namespace: string): string | undefined {
  const [first, ...others] = rule?.route ?? [];
  if (first === undefined) return undefined;
  const host = resolveHost(first.destination.host, namespace);
  return others.every(({ destination }) => resolveHost(destination.host, namespace) === host) ? host : undefined;
}

function movedRule(rule: IstioHttpRoute, change: HostChange): IstioHttpRoute {
  const route = destinationsOf(rule.route ?? [], change.weights);
  const mirror = change.release?.mirror;
  const first = rule.route?.[0]?.destination;
  if (mirror === undefined || first === undefined) return copyOrigin(rule, { ...rule, route });
  const mirrors = [...(rule.mirrors ?? []), { destination: { ...first, subset: mirror.to }, percentage: { value: mirror.percentage } }];
  return copyOrigin(rule, { ...rule, route, mirrors });
}

/** A copy of `rule` for each cohort of the release: the requests of both, to the cohort's subset. */
function cohortRules(rule: IstioHttpRoute, { release }: HostChange): IstioHttpRoute[] {
  return (release?.headerRoutes ?? []).flatMap(({ name, match, to }) => {
    const both = (rule.match ?? [{}]).flatMap((own) => match.flatMap((cohort) => bothMatch(own, cohort)));
    if (both.length === 0) return [];
    return [
      copyOrigin(rule, {
        ...rule,
        name: `serin-cohort-${name}`,
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

/** Whether a match block is about who asks rather than what is asked for. */
function picksOut(match: NonNullable<IstioHttpRoute['match']>[number]): boolean {
  const { headers, withoutHeaders, queryParams, sourceLabels, sourceNamespace } = match;
  return (
    [headers, withoutHeaders, queryParams, sourceLabels].some((map) => map !== undefined && Object.keys(map).length > 0) ||
    (sourceNamespace ?? '') !== ''
  );
}

/** A destination for each subset: the one there was, with its headers and port, or a new one with the port of the first. */
function destinationsOf(route: readonly HttpRouteDestination[], weights: readonly SubsetWeight[]): HttpRouteDestination[] {
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

function addedService(change: HostChange, index: ServiceIndex): VirtualService {
  const { host, by } = change;
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

function marked(metadata: VirtualService['metadata'], by: string): VirtualService['metadata'] {
  return { ...metadata, annotations: { ...metadata.annotations, [OVERLAY_ANNOTATION]: by } };
}

function problem(severity: Diagnostic['severity'], code: Code, host: string, message: string, hint?: string): Diagnostic {
  return {
    file: 'overlay',
    line: 0,
    column: 0,
    code,
    severity,
    kind: 'VirtualService',
    namespace: '',
    name: '',
    path: `shifts[${JSON.stringify(host)}]`,
    message,
    ...(hint === undefined ? {} : { hint }),
  };
}
