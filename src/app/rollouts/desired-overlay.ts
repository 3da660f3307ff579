/**
 * What releases want in force: whose shares, and which versions need not run. It follows from their states, from what the files say, and from who can
 * answer, so that whatever was interrupted is put right by the next look.
 */
import type { IdleSubsets, Overlay } from '../../config/overlay.ts';
import type { ReleaseOverlay } from '../../config/release.ts';
import type { RolloutSpec } from '../../config/serin/rollout-spec.ts';
import { idleSubsets, versionsOf } from '../../rollout/idle.ts';
import { servingSubset } from '../../rollout/state.ts';
import type { InForce } from '../pipeline.ts';
import { splitOf } from '../splits.ts';
import { comesBefore } from './precedence.ts';
import type { ReadinessView } from './readiness.ts';
import type { StoredRollout } from './store.ts';

/** Of a release, what is needed here. */
export interface ReleaseInHand {
  /** `namespace/name`. */
  readonly name: string;
  /** Undefined: no Rollout of this name is configured any more. */
  readonly spec: RolloutSpec | undefined;
  readonly stored: StoredRollout;
  /** What follows from its state. */
  readonly release: ReleaseOverlay | undefined;
}

export type DesiredOverlay = Required<Pick<Overlay, 'releases' | 'idle'>>;

/** @param now Undefined: the files are not read yet. */
export function desiredOverlay(
  entries: Iterable<ReleaseInHand>,
  now: Pick<InForce, 'base' | 'overlay'> | undefined,
  view: Pick<ReadinessView, 'of'>,
): DesiredOverlay {
  const releases: Record<string, ReleaseOverlay> = {};
  const holders = new Map<string, StoredRollout>();
  const idle = new Map<string, IdleOfHost>();
  for (const entry of entries) {
    const { host, state, released = [] } = entry.stored;
    const makesWay = filesHaveTheSay(entry, now);
    const before = now?.overlay.releases[host];
    const sentTo = makesWay && before?.rollout === entry.name ? filesSendTo(now, host) : undefined;
    // A release does not make way before what the files send to can answer: it may have stopped that itself.
    const isStillNeeded = sentTo?.some((subset) => isStarting(view, host, subset)) === true;
    const release = makesWay ? (isStillNeeded ? before : undefined) : entry.release;
    const holder = holders.get(host);
    if (release !== undefined && (holder === undefined || comesBefore(entry.stored, holder))) {
      releases[host] = release;
      holders.set(host, entry.stored);
    }
    const own = idleSubsets(state, released);
    const needed = [...versionsOf(state).filter((subset) => own[subset] === undefined), ...(sentTo ?? [])];
    const others = idle.get(host);
    idle.set(host, { idle: { ...others?.idle, ...own }, needed: [...(others?.needed ?? []), ...needed] });
  }
  return { releases, idle: Object.fromEntries([...idle].map(([host, of]) => [host, withoutNeeded(of)])) };
}

interface IdleOfHost {
  readonly idle: IdleSubsets;
  /** By some release of the host. */
  readonly needed: readonly string[];
}

function withoutNeeded({ idle, needed }: IdleOfHost): IdleSubsets {
  return Object.fromEntries(Object.entries(idle).filter(([subset]) => !needed.includes(subset)));
}

/** Nothing was released yet, the Rollout has left the files (the state is kept and shown), or these say the same themselves. */
function filesHaveTheSay({ release, spec, stored }: ReleaseInHand, now: Pick<InForce, 'base'> | undefined): boolean {
  return release === undefined || (now !== undefined && (spec === undefined || isMadeFinal(stored, now)));
}

/** A release by hand has ended, and the files say themselves what it has come to. */
function isMadeFinal({ adHoc, host, state }: StoredRollout, now: Pick<InForce, 'base'>): boolean {
  if (adHoc === undefined || state.active !== undefined) return false;
  const subsets = filesSendTo(now, host);
  return subsets.length === 1 && subsets[0] === servingSubset(state);
}

function filesSendTo(now: Pick<InForce, 'base'> | undefined, host: string): readonly string[] {
  if (now === undefined) return [];
  return Object.entries(splitOf(now.base, host)).flatMap(([subset, weight]) => (weight > 0 ? [subset] : []));
}

/** Not ready, and worth waiting for. */
function isStarting(view: Pick<ReadinessView, 'of'>, host: string, subset: string): boolean {
  const { isReady, isRun } = view.of(host, subset);
  return !isReady && isRun === true;
}

/** Releases are compared by identity: they are kept while nothing about them changes. */
export function isSameOverlay({ releases, idle = {} }: Pick<Overlay, 'releases' | 'idle'>, desired: DesiredOverlay): boolean {
  const names = Object.keys(releases);
  return (
    names.length === Object.keys(desired.releases).length &&
    names.every((name) => releases[name] === desired.releases[name]) &&
    JSON.stringify(idle) === JSON.stringify(desired.idle)
  );
}
