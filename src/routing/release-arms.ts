/**
 * What a release adds to a rule that sends its requests to the host being released: which destination is which arm, how users are assigned, and
 * where a canary's requests go once it is switched off.
 *
 * A split over the release's subsets is an experiment: its arms are counted, by the weight they were drawn with (epoch), and users keep their
 * bucket. A rule with a single destination (a cohort sent to the canary by header) is not: nobody was drawn, so nothing is counted, but the switch
 * works there as well.
 */
import type { Release } from '../config/release.ts';
import type { ForwardAction, ReleaseArm, WeightedCluster } from './table.ts';

export function observationKey(release: Release, subset: string): string {
  return `release|${release.rollout}|${release.epoch}|${subset}`;
}

export function killSwitchKey(release: Release): string {
  return `kill|${release.rollout}|${release.epoch}`;
}

export interface ArmDestination {
  readonly weighted: WeightedCluster;
  /** Empty for the whole service. */
  readonly subset: string;
}

/**
 * @param destinations  Of one rule, all to the release's host, in list order.
 * @param stable        A destination for the stable subset, for a rule that has none.
 */
export function withReleaseArms(
  action: ForwardAction,
  destinations: readonly ArmDestination[],
  release: Release,
  stable: WeightedCluster,
): ForwardAction {
  const isExperiment = destinations.length > 1;
  const fallback = destinations.find(({ subset }) => subset === release.stable)?.weighted ?? stable;
  const clusters = destinations.map(({ weighted, subset }): WeightedCluster => {
    const isCanary = release.canaries.includes(subset);
    if (!isCanary && subset !== release.stable) return weighted;
    const arm: ReleaseArm = {
      ...(isExperiment ? { observation: observationKey(release, subset) } : {}),
      ...(isCanary ? { killSwitch: killSwitchKey(release), fallback } : {}),
    };
    return { ...weighted, release: arm };
  });
  const { assignment } = release;
  return { ...action, clusters, ...(isExperiment && assignment !== undefined ? { assignment } : {}) };
}
