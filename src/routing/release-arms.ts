/**
 * What a release adds to a rule that sends its requests to what is being released: which destination is which arm, how users are assigned, and
 * where a canary's requests go once it is switched off.
 *
 * A split over the release's subsets is an experiment: its arms are counted, by the weight they were drawn with (epoch), and users keep their
 * bucket. Where several canaries have ranges of their own, an arm stands in the list once for each of its ranges. A rule with a single destination (a
 * cohort sent to the canary by header) is no experiment: nobody was drawn, so nothing is counted, but the switch works there as well.
 * The same holds for requests that stable answers where the canary fails them (`fallbackOn`): whoever was sent to the canary by rule wants its answer.
 * Before a canary gets anything stable's requests are counted whoever sent them there (`measures`).
 */
import type { Release, ReleaseOverlay } from '../config/release.ts';
import type { ForwardAction, ReleaseArm, WeightedCluster } from './table.ts';

export function observationKey(release: Release, subset: string): string {
  return `release|${release.rollout}|${release.epoch}|${subset}`;
}

/** Of one canary, at the weights of one epoch. */
export function killSwitchKey({ rollout, epoch }: Pick<Release, 'rollout' | 'epoch'>, canary: string): string {
  return `kill|${rollout}|${epoch}|${canary}`;
}

/** By user: of one run, since every run has its own salt. Undefined by request. */
export function ledgerKey({ rollout, assignment }: Pick<ReleaseOverlay, 'rollout' | 'assignment'>): string | undefined {
  return assignment === undefined ? undefined : `users|${rollout}|${assignment.salt}`;
}

export interface ArmDestination {
  readonly weighted: WeightedCluster;
  /** Which version it is: a subset, or a Service where a route is released; empty for none of them. */
  readonly subset: string;
}

/**
 * @param destinations  Of one rule, in list order. A route's rule may have others beside the release's: whoever is drawn for one of them is no part of the
 *                      experiment, and the odds between the arms are the release's all the same.
 * @param stable        A destination for the stable version, for a rule that has none.
 */
export function withReleaseArms(
  action: ForwardAction,
  destinations: readonly ArmDestination[],
  release: Release,
  stable: WeightedCluster,
): ForwardAction {
  const isArm = ({ subset }: ArmDestination): boolean => subset === release.stable || release.canaries.includes(subset);
  const isExperiment = destinations.filter(isArm).length > 1;
  const fallback = destinations.find(({ subset }) => subset === release.stable)?.weighted ?? stable;
  const clusters = destinations.map(({ weighted, subset }): WeightedCluster => {
    const isCanary = release.canaries.includes(subset);
    if (!isCanary && subset !== release.stable) return weighted;
    const arm: ReleaseArm = {
      ...(isExperiment || (release.measures === true && !isCanary) ? { observation: observationKey(release, subset) } : {}),
      ...(isCanary ? { killSwitch: killSwitchKey(release, subset), fallback } : {}),
      ...(isCanary && isExperiment && release.fallbackOn !== undefined ? { fallbackOn: release.fallbackOn } : {}),
    };
    return { ...weighted, release: arm };
  });
  const { assignment, ranges } = release;
  if (!isExperiment || assignment === undefined) return { ...action, clusters };
  if (ranges === undefined) return { ...action, clusters, assignment };
  const arms = new Map(destinations.map(({ subset }, position) => [subset, clusters[position]]));
  // Ranges are parts of what the arms have together; others keep their share, behind them. Whole numbers stay whole.
  const others = destinations.flatMap(({ subset, weighted }) => (isArm({ subset, weighted }) ? [] : [weighted]));
  const own = action.totalWeight - others.reduce((sum, { weight }) => sum + weight, 0);
  const buckets = ranges.reduce((sum, { size }) => sum + size, 0);
  const [part, scale] = own % buckets === 0 ? [own / buckets, 1] : [own, buckets];
  const ranged = ranges.flatMap(({ subset, size, isUncounted }): WeightedCluster[] => {
    const arm = arms.get(subset);
    if (arm === undefined) return [];
    const weight = size * part;
    if (isUncounted !== true || arm.release === undefined) return [{ ...arm, weight }];
    const { observation: _nobodys, ...uncounted } = arm.release;
    return [{ ...arm, weight, release: uncounted }];
  });
  const rest = others.map((weighted) => ({ ...weighted, weight: weighted.weight * scale }));
  return { ...action, clusters: [...ranged, ...rest], totalWeight: action.totalWeight * scale, assignment };
}
