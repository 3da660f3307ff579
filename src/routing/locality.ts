/**
 * Which endpoints are near: Istio's localityLbSetting for a data plane that knows where it stands (pilot/pkg/networking/core/loadbalancer/loadbalancer.go).
 * A locality is `region/zone/sub-zone`, from left to right as much of it as is known.
 *
 * - `distribute`: of requests from here so many percent go to each locality that is named, and none to the others.
 * - `failover`: near endpoints first, by steps: the same sub-zone, zone, region; then the region that is named, then all others. Needs outlierDetection, which says
 *   when an endpoint is lost.
 * - `failoverPriority`: the steps are labels, in order; an endpoint is as near as the labels are many that it shares with this place before the first it does not.
 */
import type { LocalityLbSetting } from '../config/resources.ts';
import type { Endpoint } from './table.ts';

export interface PlacedEndpoint extends Endpoint {
  readonly locality?: string;
}

/** Shares of percentages are kept to a thousandth. */
const PRECISION = 1000;

/**
 * Weights and priorities of the endpoints as seen from `own`; those that get nothing are left out.
 *
 * @param own         This data plane's locality; without one nothing is near.
 * @param isWatched   There is outlier detection.
 */
export function byLocality(
  endpoints: readonly PlacedEndpoint[],
  setting: LocalityLbSetting | undefined,
  own: string | undefined,
  isWatched: boolean,
): readonly Endpoint[] {
  const plain = endpoints.map(({ locality: _near, ...endpoint }) => endpoint);
  if (own === undefined || setting?.enabled === false) return plain;
  const { distribute = [], failover = [], failoverPriority = [] } = setting ?? {};
  if (distribute.length > 0) {
    const rule = distribute.find(({ from = '' }) => matches(own, from));
    return rule === undefined ? plain : distributed(endpoints, rule.to ?? {});
  }
  if (!isWatched) return plain;
  const steps = endpoints.map((endpoint) =>
    failoverPriority.length > 0 ? labelSteps(endpoint, failoverPriority, own) : localitySteps(endpoint.locality ?? '', own, failover),
  );
  // Priorities have no gaps.
  const levels = [...new Set(steps)].toSorted((a, b) => a - b);
  return plain.map((endpoint, index) => {
    const priority = levels.indexOf(steps[index] ?? 0);
    return priority === 0 ? endpoint : { ...endpoint, priority };
  });
}

function distributed(endpoints: readonly PlacedEndpoint[], to: Readonly<Record<string, number>>): readonly Endpoint[] {
  return endpoints.flatMap(({ locality = '', ...endpoint }) => {
    const [target, percent] = Object.entries(to).find(([name]) => matches(locality, name)) ?? [];
    if (target === undefined || percent === undefined) return [];
    const together = endpoints.filter((other) => matches(other.locality ?? '', target)).reduce((sum, { weight }) => sum + weight, 0);
    return [{ ...endpoint, weight: Math.max(1, Math.round((PRECISION * percent * endpoint.weight) / together)) }];
  });
}

/** @param pattern Parts that are missing or `*` match anything. */
function matches(locality: string, pattern: string): boolean {
  const parts = locality.split('/');
  return pattern.split('/').every((part, index) => part === '*' || part === (parts[index] ?? ''));
}

function localitySteps(locality: string, own: string, failover: readonly { readonly from?: string; readonly to?: string }[]): number {
  const [region = '', zone = '', subZone = ''] = locality.split('/');
  const [ownRegion = '', ownZone = '', ownSubZone = ''] = own.split('/');
  if (region !== ownRegion) {
    const named = failover.find(({ from }) => from === ownRegion);
    return named !== undefined && named.to !== region ? 4 : 3;
  }
  if (zone !== ownZone) return 2;
  return subZone === ownSubZone ? 0 : 1;
}

const LOCALITY_LABELS = ['topology.kubernetes.io/region', 'topology.kubernetes.io/zone', 'topology.istio.io/subzone'];

/** @param labels `label`, whose value is this place's own, or `label=value`. */
function labelSteps(endpoint: PlacedEndpoint, labels: readonly string[], own: string): number {
  const theirs = { ...localityLabels(endpoint.locality ?? ''), ...endpoint.labels };
  const ours = localityLabels(own);
  const differs = labels.findIndex((entry) => {
    const [label = '', value] = entry.split('=', 2);
    const wanted = value ?? ours[label];
    return wanted === undefined || theirs[label] !== wanted;
  });
  return differs === -1 ? 0 : labels.length - differs;
}

function localityLabels(locality: string): Readonly<Record<string, string>> {
  const parts = locality === '' ? [] : locality.split('/');
  return Object.fromEntries(parts.map((part, index) => [LOCALITY_LABELS[index] ?? '', part]));
}
