/** A release in the engine's hands: what is stored of it, what the files say of it, and what is seen of it at the moment. */
import type { ReleaseOverlay } from '../../config/release.ts';
import { routeOfTarget } from '../../config/release-target.ts';
import { canariesOf, type RolloutSpec } from '../../config/serin/rollout-spec.ts';
import { versionsOf } from '../../rollout/idle.ts';
import type { Situation } from '../../rollout/situation.ts';
import { releaseOf, servingSubset } from '../../rollout/state.ts';
import type { InForce } from '../pipeline.ts';
import type { Comparisons } from './comparisons.ts';
import { adHocSpec, type StoredRollout } from './store.ts';

export interface Entry {
  readonly name: string;
  spec: RolloutSpec | undefined;
  stored: StoredRollout;
  /** What follows from `stored.state`; the very object that is in the overlay. */
  release: ReleaseOverlay | undefined;
  comparisons: Comparisons | undefined;
  /** Of which run they are. */
  comparedRun: number;
  situation: Situation;
  /** The Rollout is of this host now; what it has come to at the one before ends there first. */
  movesTo?: string;
}

export function newEntry(name: string, stored: StoredRollout): Entry {
  const notReady = { isReady: false, reason: 'not looked at yet' };
  return {
    name,
    spec: adHocSpec(stored.adHoc),
    stored,
    release: releaseIn(name, stored),
    comparisons: undefined,
    comparedRun: 0,
    situation: { nowMs: 0, passedMs: 0, isInForce: false, canary: notReady, stable: notReady },
  };
}

/** What the data plane is to do. Of a route, also what earlier releases have left in the user's rules. */
export function releaseIn(name: string, { host, state, released = [] }: StoredRollout): ReleaseOverlay | undefined {
  const release = releaseOf(name, state);
  if (release === undefined || routeOfTarget(host) === undefined) return release;
  const retired = released.filter((version) => version !== release.stable && !release.canaries.includes(version));
  return retired.length === 0 ? release : { ...release, retired };
}

/** Its Rollout is in the files. */
export function isConfigured({ spec, stored }: Entry): boolean {
  return spec !== undefined && stored.adHoc === undefined;
}

/** A Rollout in the files has the say over what was started by hand, and says which host it is of. */
export function takeOver(entry: Entry, host: string): void {
  delete entry.movesTo;
  if (entry.stored.adHoc !== undefined) {
    const { adHoc: _byHand, ...stored } = entry.stored;
    entry.stored = stored;
  }
  if (entry.stored.host === host) return;
  const { active, outcome } = entry.stored.state;
  if (active !== undefined || outcome !== undefined) {
    entry.movesTo = host;
    return;
  }
  const { released: _there, ...stored } = entry.stored;
  entry.stored = { ...stored, host };
}

/** What a new run is of: the Rollout's versions, or with `--to` those beside what serves. */
export function specFor({ spec, stored: { state } }: Entry, to: readonly string[] | undefined): RolloutSpec | undefined {
  if (spec === undefined || to === undefined || to.join() === canariesOf(spec).join()) return spec;
  const { canary: _one, ...rest } = spec;
  return { ...rest, stable: servingSubset(state), canaries: to };
}

/** Rollouts whose shares the data plane has acknowledged. */
export function appliedIn({ effective }: InForce): ReadonlySet<string> {
  return new Set(effective.releases.map(({ rollout }) => rollout));
}

/** The data plane has what follows from its state. @param applied As `appliedIn(now)` has it. */
export function hasAcknowledged({ name, release, stored }: Entry, now: InForce, applied: ReadonlySet<string>): boolean {
  return now.overlay.releases[stored.host] === release && (release === undefined || applied.has(name));
}

/** Remembers the subsets of its run. */
export function withReleased(stored: StoredRollout): StoredRollout {
  const { released = [], state } = stored;
  const missing = versionsOf(state).filter((subset) => !released.includes(subset));
  return missing.length === 0 ? stored : { ...stored, released: [...released, ...missing] };
}

/** Keeps the object while nothing about it changes, so that it can be compared by identity. */
export function setRelease(entry: Entry, release: ReleaseOverlay | undefined): void {
  if (JSON.stringify(entry.release) !== JSON.stringify(release)) entry.release = release;
}
