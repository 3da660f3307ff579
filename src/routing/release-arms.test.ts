import { describe, expect, test } from 'vitest';
import type { Release } from '../config/release.ts';
import { ledgerKey, withReleaseArms } from './release-arms.ts';
import { type ForwardAction, NO_HEADER_OPS, type WeightedCluster } from './table.ts';

const cluster = (index: number, weight: number): WeightedCluster => ({
  cluster: index,
  weight,
  requestHeaders: NO_HEADER_OPS,
  responseHeaders: NO_HEADER_OPS,
});

const RELEASE: Release = {
  host: 'reviews.default.svc.cluster.local',
  rollout: 'default/reviews',
  stable: 'v1',
  canaries: ['v2'],
  weights: { v1: 9000, v2: 1000 },
  headerRoutes: [],
  epoch: 3,
};

/** What each destination of a rule is counted under. */
const counted = (subsets: readonly string[], release: Release): (string | undefined)[] =>
  clustersOf(subsets, release).map(({ release: arm }) => arm?.observation);

/** `CLUSTER:WEIGHT OBSERVATION SWITCH`. */
const ranged = (subsets: readonly string[], release: Release): string[] =>
  clustersOf(subsets, release).map(({ cluster: index, weight, release: arm }) =>
    [`${index}:${weight}`, arm?.observation, arm?.killSwitch].filter((part) => part !== undefined).join(' '),
  );

const clustersOf = (subsets: readonly string[], release: Release): readonly WeightedCluster[] => actionOf(subsets, release).clusters;

function actionOf(subsets: readonly string[], release: Release): ForwardAction {
  const weightOf = (subset: string): number => (subsets.length === 1 ? 1 : (release.weights[subset] ?? 10_000));
  const arms = subsets.map((subset, index) => ({ subset, weighted: cluster(index, weightOf(subset)) }));
  const action: ForwardAction = {
    kind: 'forward',
    clusters: arms.map(({ weighted }) => weighted),
    totalWeight: subsets.reduce((sum, subset) => sum + weightOf(subset), 0),
    timeoutMs: 0,
  };
  return withReleaseArms(action, arms, release, cluster(9, 1));
}

test('stable answers in place of a canary that was drawn, never for a cohort', () => {
  const falling: Release = { ...RELEASE, fallbackOn: [503] };
  const on = (subsets: readonly string[], release: Release): unknown =>
    clustersOf(subsets, release).map(({ release: arm }) => arm?.fallbackOn);
  expect(on(['v2', 'v1'], falling)).toEqual([[503], undefined]);
  expect(on(['v2'], falling)).toEqual([undefined]);
  expect(on(['v2', 'v1'], RELEASE)).toEqual([undefined, undefined]);
});

describe('what a release counts', () => {
  test('the arms of a split, by the weights they were drawn with', () => {
    expect(counted(['v2', 'v1'], RELEASE)).toEqual(['release|default/reviews|3|v2', 'release|default/reviews|3|v1']);
  });

  test('nobody who was sent to one version by rule', () => {
    expect(counted(['v2'], RELEASE)).toEqual([undefined]);
    expect(counted(['v1'], RELEASE)).toEqual([undefined]);
  });

  test('nobody where one version shares a rule with other backends', () => {
    expect(counted(['v2', '', 'other'], RELEASE)).toEqual([undefined, undefined, undefined]);
    expect(counted(['v2', 'v1', ''], RELEASE)).toEqual(['release|default/reviews|3|v2', 'release|default/reviews|3|v1', undefined]);
  });

  test('stable alone, before a canary gets anything; a cohort still is not', () => {
    const measuring: Release = { ...RELEASE, weights: { v1: 10_000, v2: 0 }, measures: true };
    expect(counted(['v1'], measuring)).toEqual(['release|default/reviews|3|v1']);
    expect(counted(['v2'], measuring)).toEqual([undefined]);
  });
});

describe('by user, several canaries', () => {
  const several: Release = {
    ...RELEASE,
    canaries: ['v3', 'v4'],
    weights: { v1: 8000, v3: 1000, v4: 1000 },
    assignment: { salt: 's', keys: [] },
    ranges: [
      { subset: 'v1', size: 500, isUncounted: true },
      { subset: 'v3', size: 900 },
      { subset: 'v3', size: 100, isUncounted: true },
      { subset: 'v1', size: 3500 },
      { subset: 'v4', size: 1000 },
      { subset: 'v1', size: 4000 },
    ],
  };

  test('each has its ranges, with its own switch; users of one that has left are counted for nobody', () => {
    expect(ranged(['v3', 'v4', 'v1'], several)).toEqual([
      '2:500',
      '0:900 release|default/reviews|3|v3 kill|default/reviews|3|v3',
      '0:100 kill|default/reviews|3|v3',
      '2:3500 release|default/reviews|3|v1',
      '1:1000 release|default/reviews|3|v4 kill|default/reviews|3|v4',
      '2:4000 release|default/reviews|3|v1',
    ]);
  });

  test('a backend that is not of the release keeps its share, behind the ranges', () => {
    // Half of everything is the release's.
    expect(ranged(['v3', 'v4', 'v1', ''], several)).toEqual([
      '2:500',
      '0:900 release|default/reviews|3|v3 kill|default/reviews|3|v3',
      '0:100 kill|default/reviews|3|v3',
      '2:3500 release|default/reviews|3|v1',
      '1:1000 release|default/reviews|3|v4 kill|default/reviews|3|v4',
      '2:4000 release|default/reviews|3|v1',
      '3:10000',
    ]);
  });

  test('weights in lower terms give the same shares', () => {
    const action = actionOf(['v3', 'v4', 'v1', ''], { ...several, weights: { v3: 1, v4: 1, v1: 8, '': 5 } });
    expect(action.totalWeight).toBe(15 * 10_000);
    expect(action.clusters.map(({ weight }) => weight)).toEqual([500, 900, 100, 3500, 1000, 4000, 5000].map((bucket) => bucket * 10));
  });

  test('a rule with one destination has no ranges', () => {
    expect(ranged(['v4'], several)).toEqual(['0:1 kill|default/reviews|3|v4']);
  });
});

test('users of each run are remembered apart, of releases by request not at all', () => {
  expect(ledgerKey(RELEASE)).toBeUndefined();
  const run = (salt: string): string | undefined => ledgerKey({ ...RELEASE, assignment: { salt, keys: [] } });
  expect(run('default/reviews#1')).not.toBe(run('default/reviews#2'));
});
