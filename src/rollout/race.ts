/**
 * The candidates of a release against each other: who is still in the race, what each of them gets, and which users. A release of one version is
 * a race of one. Pure.
 *
 * 1. `weight` is what all candidates in the race get together; it is split evenly, the first ones in the list getting the hundredths that remain.
 *    One that leaves takes its part with it, so nobody else's changes: the split of what is left is even again.
 * 2. By user, every candidate has a territory of buckets of its own and gets the first of them. A territory only grows, by parts of those of
 *    candidates that have left, so no user is moved from one candidate to another: from stable to one of them and back is all that happens.
 * 3. By user, those whom a candidate had that has left count for nobody in the rest of the run, whoever they are on: each user counts once
 *    (user-ledger.ts), and who has failed on that candidate can be a failure of no other version any more. Counted as stable's, they would make every
 *    other candidate look worse than it is.
 */
import type { BucketRange, ReleaseOverlay } from '../config/release.ts';
import type { CandidateSituation, Judgement, Readiness, Situation } from './situation.ts';
import { FULL } from './spec.ts';

/** A candidate that is no longer in the race. */
export interface Leaver {
  readonly subset: string;
  /** `dropped`: worse than stable, or undecided for too long; `outdone`: another one was chosen. */
  readonly fate: 'dropped' | 'outdone';
  /** One sentence for people. */
  readonly reason: string;
  /** What it had when it left, hundredths of a percent. */
  readonly share: number;
}

export interface Race {
  /** Subsets, as the Rollout lists them. */
  readonly canaries: readonly string[];
  /** In the order in which they left. */
  readonly left: readonly Leaver[];
}

/** The candidates that are still released, in the order of the Rollout. Never empty while a release is under way or promoted. */
export function inRace({ canaries, left }: Race): readonly string[] {
  return left.length === 0 ? canaries : canaries.filter((subset) => !left.some((leaver) => leaver.subset === subset));
}

/** Whole hundredths of a percent by subset, for every candidate; their sum is `weight`. @param weight Of all in the race together. */
export function sharesOf(race: Race, weight: number): Readonly<Record<string, number>> {
  const racing = inRace(race);
  const parts = evenParts(weight, racing.length);
  return Object.fromEntries(race.canaries.map((subset) => [subset, parts[racing.indexOf(subset)] ?? 0]));
}

/** `total` in whole numbers that differ by 1 at most, the larger ones first. */
function evenParts(total: number, count: number): readonly number[] {
  const base = Math.floor(total / count);
  return Array.from({ length: count }, (_, index) => base + (index < total - base * count ? 1 : 0));
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Who gets which buckets, from 0 to `FULL`: for one candidate its share, then stable's. */
export function bucketRanges(race: Race, stable: string, weight: number): readonly BucketRange[] {
  const { territories, spent } = territoriesOf(race);
  const owned = Object.entries(sharesOf(race, weight)).flatMap(([subset, share]) =>
    take(territories.get(subset) ?? [], share).taken.map((span) => ({ subset, ...span })),
  );
  const ranges: BucketRange[] = [];
  let at = 0;
  const add = (subset: string, to: number, isUncounted = false): void => {
    if (to <= at) return;
    const last = ranges.at(-1);
    const isSame = last?.subset === subset && (last.isUncounted === true) === isUncounted;
    const size = to - at + (isSame ? last.size : 0);
    ranges.splice(isSame ? -1 : ranges.length, 1, { subset, size, ...(isUncounted ? { isUncounted } : {}) });
    at = to;
  };
  const addAll = (subset: string, to: number): void => {
    for (const span of spent) {
      add(subset, Math.min(span.from, to));
      add(subset, Math.min(span.to, to), true);
    }
    add(subset, to);
  };
  for (const { subset, from, to } of owned.toSorted((a, b) => a.from - b.from)) {
    addAll(stable, from);
    addAll(subset, to);
  }
  addAll(stable, FULL);
  return ranges;
}

/** How much of each version's share counts, hundredths of a percent. */
export function countedShares({ weights, ranges }: Pick<ReleaseOverlay, 'weights' | 'ranges'>): Readonly<Record<string, number>> {
  if (ranges === undefined) return weights;
  const counted: Record<string, number> = Object.fromEntries(Object.keys(weights).map((subset) => [subset, 0]));
  for (const { subset, size, isUncounted } of ranges) if (isUncounted !== true) counted[subset] = (counted[subset] ?? 0) + size;
  return counted;
}

interface Territories {
  readonly territories: ReadonlyMap<string, readonly Span[]>;
  /** What those who have left had then; ascending. */
  readonly spent: readonly Span[];
}

/** Even parts of all buckets; those of one that leaves are handed on so that the parts of the others are even again. */
function territoriesOf({ canaries, left }: Race): Territories {
  const spent: Span[] = [];
  const territories = new Map<string, readonly Span[]>();
  let racing = canaries;
  let free: readonly Span[] = [{ from: 0, to: FULL }];
  const handOut = (): void => {
    const parts = evenParts(FULL, racing.length);
    for (const [index, subset] of racing.entries()) {
      const own = territories.get(subset) ?? [];
      const { taken, rest } = take(free, (parts[index] ?? 0) - sizeOf(own));
      territories.set(subset, [...own, ...taken]);
      free = rest;
    }
  };
  handOut();
  for (const { subset, share } of left) {
    racing = racing.filter((other) => other !== subset);
    free = territories.get(subset) ?? [];
    spent.push(...take(free, share).taken);
    territories.delete(subset);
    if (racing.length > 0) handOut();
  }
  return { territories, spent: spent.toSorted((a, b) => a.from - b.from) };
}

/** The first `size` buckets of `spans`, and the others. */
function take(spans: readonly Span[], size: number): { readonly taken: readonly Span[]; readonly rest: readonly Span[] } {
  const taken: Span[] = [];
  const rest: Span[] = [];
  let missing = size;
  for (const { from, to } of spans) {
    const middle = Math.min(to, from + missing);
    if (middle > from) taken.push({ from, to: middle });
    if (to > middle) rest.push({ from: middle, to });
    missing -= middle - from;
  }
  return { taken, rest };
}

function sizeOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { from, to }) => sum + to - from, 0);
}

// --- what is known about them -----------------------------------------------------------------------------------------------------------

/** Of one candidate; where there is only one, what is known about the release is known about it. */
export function judgementOf({ each, judgement }: Situation, subset: string): Judgement | undefined {
  return each === undefined ? judgement : each[subset]?.judgement;
}

/** What a situation is when only `racing` are left of the candidates. */
export function narrowed(situation: Situation, racing: readonly string[]): Situation {
  const { each, judgement: _together, ...rest } = situation;
  if (each === undefined) return situation;
  const left = Object.fromEntries(Object.entries(each).filter(([subset]) => racing.includes(subset)));
  return { ...rest, ...together(left) };
}

/** All candidates in the race at once: ready when each is, safe when each is, and no surer than the least sure of them. */
export function together(each: Readonly<Record<string, CandidateSituation>>): Pick<Situation, 'canary' | 'judgement' | 'each'> {
  const all = Object.entries(each);
  const [only] = all;
  const canary = all.find(([, { readiness }]) => !readiness.isReady)?.[1].readiness ?? only?.[1].readiness ?? NONE_LEFT;
  const judgement = all.length === 1 ? only?.[1].judgement : joint(all);
  return { canary, ...(judgement === undefined ? {} : { judgement }), ...(all.length > 1 ? { each } : {}) };
}

const NONE_LEFT: Readiness = { isReady: false, reason: 'no candidate is left' };

/** Worst first. */
const DECISIONS: readonly Judgement['decision'][] = ['rollback', 'inconclusive', 'continue', 'safe'];

/** Words and numbers are made when somebody reads them. */
function joint(all: readonly (readonly [string, CandidateSituation])[]): Judgement | undefined {
  const judged = all.flatMap(([subset, { judgement }]) => (judgement === undefined ? [] : [{ subset, judgement }]));
  const isComplete = judged.length === all.length;
  const rank = ({ judgement }: (typeof judged)[number]): number => DECISIONS.indexOf(judgement.decision);
  const worst = judged.toSorted((a, b) => rank(a) - rank(b))[0]?.judgement;
  if (worst === undefined) return undefined;
  const isUnknown = !isComplete && worst.decision === 'safe';
  return {
    decision: isUnknown ? 'continue' : worst.decision,
    cause: isUnknown ? 'gathering' : worst.cause,
    canaryRequests: isComplete ? Math.min(...judged.map(({ judgement }) => judgement.canaryRequests)) : 0,
    get failsAll() {
      return isComplete && judged.every(({ judgement }) => judgement.failsAll === true);
    },
    get message() {
      return judged.map(({ subset, judgement }) => `${subset}: ${judgement.message}`).join('; ');
    },
    get proved() {
      const isProved = isComplete && judged.every(({ judgement }) => judgement.proved !== undefined);
      return isProved ? judged.map(({ subset, judgement }) => `${subset}: ${judgement.proved ?? ''}`).join('; ') : undefined;
    },
    get evidence() {
      return Object.fromEntries(judged.map(({ subset, judgement }) => [subset, judgement.evidence]));
    },
  };
}
