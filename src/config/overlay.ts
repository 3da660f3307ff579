/**
 * Weights in force beside the user's files: what `serin shift` and rollouts write. The files are never touched; the overlay is applied to a
 * Snapshot, and the result goes the same way into the data plane as any other.
 *
 * A shift of a host rewrites the destinations of every http rule that sends all its requests to that host and that (a) already splits over two or
 * more destinations, or (b) does not pick out particular requests. A rule that does (jason to v2) keeps its destination. Where no VirtualService
 * names the host for the mesh, one with a single rule is added.
 */
import type { Diagnostic } from '../base/diagnostic.ts';
import { nearest } from '../base/nearest.ts';
import type { Code } from './codes.ts';
import { hostMatches, resolveHost, shortNames } from './hosts.ts';
import { buildSnapshot } from './build-snapshot.ts';
import { copyOrigin } from './origins.ts';
import { show } from './report.ts';
import type { HttpRouteDestination, IstioHttpRoute, VirtualService } from './resources.ts';
import { serviceIndex, type ServiceIndex } from './services.ts';
import type { Snapshot } from './snapshot.ts';

export interface Overlay {
  /** By full name of the host (`resolveHost`). */
  readonly shifts: Readonly<Record<string, Shift>>;
}

interface Shift {
  /** By subset; relative, whole numbers >= 0 with a sum above 0. */
  readonly weights: Readonly<Record<string, number>>;
}

export const EMPTY_OVERLAY: Overlay = { shifts: {} };

/** Marks a resource the overlay changed or added; its value says by what. */
export const OVERLAY_ANNOTATION = 'serin.dev/overlay';

/** What is wrong with a shift; empty when it can be applied. `host` is a full name. */
export function checkShift(snapshot: Snapshot, host: string, weights: Readonly<Record<string, number>>): Diagnostic[] {
  const index = serviceIndex(snapshot);
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

/** The Snapshot with the overlay in force. A shift whose host or subset the files no longer have is left out with a warning. */
export function applyOverlay(
  snapshot: Snapshot,
  overlay: Overlay,
): { readonly snapshot: Snapshot; readonly diagnostics: readonly Diagnostic[] } {
  const shifts = Object.entries(overlay.shifts);
  if (shifts.length === 0) return { snapshot, diagnostics: [] };
  const diagnostics: Diagnostic[] = [];
  const index = serviceIndex(snapshot);
  let virtualServices = snapshot.virtualServices;
  for (const [host, shift] of shifts) {
    const problems = checkShift(snapshot, host, shift.weights);
    if (problems.length > 0) {
      const why = problems.map(({ message }) => message).join('; ');
      diagnostics.push(
        problem(
          'warning',
          'W_SHIFT_IGNORED',
          host,
          `shift of ${host} is left out: ${why}`,
          'drop it with serin shift --reset, or bring the subset back',
        ),
      );
      continue;
    }
    virtualServices = shiftHost(virtualServices, host, shift, index, diagnostics);
  }
  const { destinationRules, gateways, serviceEntries, workloadEntries, rollouts } = snapshot;
  const effective = buildSnapshot([
    ...virtualServices,
    ...destinationRules,
    ...gateways,
    ...serviceEntries,
    ...workloadEntries,
    ...rollouts,
  ]);
  return { snapshot: effective, diagnostics };
}

function shiftHost(
  all: readonly VirtualService[],
  host: string,
  shift: Shift,
  index: ServiceIndex,
  diagnostics: Diagnostic[],
): readonly VirtualService[] {
  let changes = 0;
  const shifted = all.map((resource) => {
    const { namespace } = resource.metadata;
    const http = (resource.spec.http ?? []).map((rule) => {
      if (!isShiftable(rule, host, namespace)) return rule;
      changes++;
      return copyOrigin(rule, { ...rule, route: destinationsOf(rule.route ?? [], shift) });
    });
    const isChanged = http.some((rule, position) => rule !== resource.spec.http?.[position]);
    return isChanged
      ? copyOrigin(resource, { ...resource, metadata: marked(resource.metadata), spec: { ...resource.spec, http } })
      : resource;
  });
  if (!all.some((resource) => isMeshOwner(resource, host))) return [...shifted, addedService(host, shift, index)];
  if (changes === 0) {
    diagnostics.push(
      problem('warning', 'W_SHIFT_INEFFECTIVE', host, `shift of ${host} changes nothing: every rule for it picks out particular requests`),
    );
  }
  return shifted;
}

function isShiftable(rule: IstioHttpRoute, host: string, namespace: string): boolean {
  const { route = [], match = [] } = rule;
  if (route.length === 0 || !route.every(({ destination }) => resolveHost(destination.host, namespace) === host)) return false;
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
function destinationsOf(route: readonly HttpRouteDestination[], shift: Shift): HttpRouteDestination[] {
  const [first] = route;
  const port = first?.destination.port;
  const host = first?.destination.host ?? '';
  const portOnly = port === undefined ? {} : { port };
  return Object.entries(shift.weights).map(([subset, weight]) => {
    const kept = route.find(({ destination }) => destination.subset === subset);
    const destination = kept?.destination ?? { host, subset, ...portOnly };
    return kept?.headers === undefined ? { destination, weight } : { destination, weight, headers: kept.headers };
  });
}

function isMeshOwner({ metadata, spec }: VirtualService, host: string): boolean {
  const { hosts = [], gateways = [] } = spec;
  const isMesh = gateways.length === 0 || gateways.includes('mesh');
  return isMesh && hosts.some((own) => hostMatches(resolveHost(own, metadata.namespace), host));
}

function addedService(host: string, shift: Shift, index: ServiceIndex): VirtualService {
  const service = index.service(host);
  const [short = host] = shortNames(host);
  const route = Object.entries(shift.weights).map(([subset, weight]) => ({ destination: { host, subset }, weight }));
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: marked({ name: `serin-shift-${short}`, namespace: service?.namespace ?? 'default' }),
    spec: { hosts: [host], http: [{ name: 'serin-shift', route }] },
    origin: service?.entry.origin ?? { file: 'overlay', line: 0, column: 0 },
  };
}

function marked(metadata: VirtualService['metadata']): VirtualService['metadata'] {
  return { ...metadata, annotations: { ...metadata.annotations, [OVERLAY_ANNOTATION]: 'shift' } };
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
