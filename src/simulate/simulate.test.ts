/** Whole simulations, few runs each: what must come out is known beforehand, or follows from what the plan says. */
import { describe, expect, test } from 'vitest';
import type { RolloutSpec, RolloutStep, RolloutStrategy } from '../config/serin/rollout-spec.ts';
import { horizonOf, type Question, type Traffic, type Version } from './question.ts';
import { type DeciderFinding, type Finding, simulate } from './simulate.ts';

const TRAFFIC: Traffic = { ratePerS: 100, failing: 0.01, p50Ms: 80, p99Ms: 256 };
const GOOD: Version = { title: 'a good release', failing: 0.01, slower: 1 };
const BROKEN: Version = { title: 'every request fails', failing: 1, slower: 1 };
const WORSE: Version = { title: '+2 points', failing: 0.03, slower: 1 };
const SLOW: Version = { title: '3 times as slow', failing: 0.01, slower: 3 };

function released(strategy?: RolloutStrategy, rest: Partial<RolloutSpec> = {}): RolloutSpec {
  return { host: 'reviews', stable: 'v2', canary: 'v3', ...(strategy === undefined ? {} : { strategy }), ...rest };
}

const stepwise = (...steps: readonly RolloutStep[]): RolloutSpec => released({ canary: { steps } });

async function findings(
  spec: RolloutSpec,
  versions: readonly Version[],
  changes: Partial<Question> = {},
  threads = 1,
): Promise<readonly Finding[]> {
  const question = { spec, name: 'default/reviews', traffic: TRAFFIC, versions, runs: 4, seed: 1, users: 3000, horizonS: 1800, ...changes };
  return simulate(question, threads, () => undefined);
}

async function serin(spec: RolloutSpec, version: Version, changes: Partial<Question> = {}): Promise<DeciderFinding> {
  const [finding] = await findings(spec, [version], changes);
  const found = finding?.deciders.find(({ name }) => name === 'Serin');
  if (found === undefined) throw new Error('Serin has decided nothing');
  return found;
}

describe('the plan', () => {
  test('the automatic ramp measures, warms up and promotes a good release, not before its minimum times', async () => {
    const found = await serin(released(), GOOD);
    expect(found).toMatchObject({ promoted: 1, stopped: 0, harmed: { mean: 0, p95: 0 } });
    expect(found.secondsToPromotion.median).toBeGreaterThanOrEqual(15 + 45 + 3 * 60 + 180);
  });

  test.each([
    [BROKEN, 5, 30],
    [WORSE, 60, 600],
    [SLOW, 60, 180],
  ])('$title is taken back, a few requests harmed', async (version, harmed, seconds) => {
    const found = await serin(released(), version);
    expect([found.promoted, found.stopped]).toEqual([0, 1]);
    expect(found.harmed.mean).toBeLessThan(harmed);
    expect(found.secondsToStop.p90).toBeLessThan(seconds);
  });

  test('100 requests an hour promote a good release within a day, and it is said what that rules out', async () => {
    const traffic = { ...TRAFFIC, ratePerS: 100 / 3600 };
    expect(await serin(released(), GOOD, { traffic, horizonS: 86_400 })).toMatchObject({ promoted: 1, ruledOut: 0.05 });
    const strict = released(undefined, { analysis: { relax: 'never' } });
    expect(await serin(strict, GOOD, { traffic, horizonS: 86_400 })).toMatchObject({ promoted: 0, undecided: 1, ruledOut: null });
  });

  test('timed pauses take their time, pauses for a promotion none', async () => {
    const steps = [{ setWeight: 10 }, { pause: { duration: '2m' } }, { pause: {} }, { setWeight: 100 }, { bake: { duration: '1m' } }];
    const found = await serin(stepwise(...steps), GOOD);
    expect(found.promoted).toBe(1);
    expect(found.secondsToPromotion).toEqual({ median: 180, p90: 180 });
  });

  test('whoever is to approve does so at once, however many they are', async () => {
    const spec = released({ canary: { steps: [{ setWeight: 10 }, { setWeight: 100 }] } }, { approval: { by: ['ana', 'ben'], count: 2 } });
    expect(await serin(spec, GOOD)).toMatchObject({ promoted: 1, secondsToPromotion: { median: 0 } });
  });

  test('an analysis that times out holds, or goes back where the Rollout says so', async () => {
    const steps = [{ setWeight: 50 }, { analysis: { timeout: '2s', atLeast: '1s' } }, { setWeight: 100 }];
    expect(await serin(stepwise(...steps), GOOD)).toMatchObject({ held: 1, promoted: 0, stopped: 0, alarms: 4 });
    const goingBack = released({ canary: { steps } }, { analysis: { onInconclusive: 'rollback' } });
    expect(await serin(goingBack, GOOD)).toMatchObject({ held: 0, stopped: 1, secondsToStop: { median: 2 } });
  });

  test('a deadline ends a release', async () => {
    const spec = released({ canary: { steps: [{ setWeight: 1 }, { pause: { duration: '10m' } }] } }, { deadline: '3m' });
    const found = await serin(spec, GOOD);
    expect(found.stopped).toBe(1);
    expect(found.secondsToStop.median).toBeCloseTo(180, -1);
  });

  test('blue-green compares nothing: what is wrong harms everybody until the time is over', async () => {
    const spec = released({ blueGreen: { scaleDownDelay: '30s' } });
    const found = await serin(spec, WORSE);
    expect(found).toMatchObject({ promoted: 1, secondsToPromotion: { median: 30 } });
    expect(found.harmed.mean / (0.02 * 100 * 1800)).toBeCloseTo(1, 1);
  });

  test('an A/B comparison ends on stable where it says so, and is no alarm', async () => {
    const spec = released({ ab: { setWeight: 20, duration: '5m', onEnd: 'rollback' } });
    expect(await serin(spec, GOOD)).toMatchObject({ ended: 1, stopped: 0, alarms: 0 });
    expect(await serin(spec, BROKEN)).toMatchObject({ ended: 0, stopped: 1 });
  });

  test('by user, a good release goes through and a broken one comes back, with every user counted once', async () => {
    const byUser = released(undefined, { assignment: { by: 'user', cookie: 'id' } });
    const good = await serin(byUser, GOOD);
    expect(good.promoted + good.undecided).toBe(1);
    expect(good.promoted).toBeGreaterThan(0);
    expect(good).not.toEqual(await serin(released(), GOOD));
    expect(await serin(byUser, BROKEN)).toMatchObject({ stopped: 1, promoted: 0 });
  });

  test('of several candidates the first is the one in question: it leaves when it is worse, and is promoted when it is not', async () => {
    const { canary: _alone, ...rest } = released({ canary: { steps: [{ setWeight: 40 }, { analysis: {} }, { setWeight: 100 }] } });
    const spec = { ...rest, canaries: ['v3', 'v4'] };
    expect(await serin(spec, GOOD)).toMatchObject({ promoted: 1, alarms: 0 });
    const broken = await serin(spec, BROKEN);
    expect(broken).toMatchObject({ stopped: 1, promoted: 0 });
    expect(broken.harmed.mean).toBeLessThan(60);
    // A fifth of a hundred requests a second until the proof, as if it were alone at that share.
    expect(broken.secondsToStop.p90).toBeLessThan(5);
  });

  test('the time it is given covers the plan twice, and rare requests get a day', () => {
    expect(horizonOf(stepwise({ setWeight: 10 }, { pause: { duration: '5h' } }), TRAFFIC)).toBe(36_000);
    expect(horizonOf(released(), TRAFFIC)).toBe(3600);
    expect(horizonOf(released(), { ...TRAFFIC, ratePerS: 0.02 })).toBe(86_400);
  });
});

describe('the comparison', () => {
  const rivals = (found: readonly Finding[]): unknown => found.map(({ deciders }) => deciders.filter(({ name }) => name !== 'Serin'));

  test('the same seed gives the same figures, on one thread or two; another seed others', async () => {
    const versions = [GOOD, WORSE];
    const once = await findings(released(), versions, { runs: 12 });
    expect(await findings(released(), versions, { runs: 12 }, 2)).toEqual(once);
    expect(await findings(released(), versions, { runs: 12, seed: 2 })).not.toEqual(once);
  });

  test("Flagger and Argo see the same requests whatever Serin's plan is", async () => {
    const ramp = await findings(released(), [WORSE]);
    const steps = await findings(stepwise({ setWeight: 5 }, { analysis: {} }, { setWeight: 50 }), [WORSE]);
    expect(rivals(steps)).toEqual(rivals(ramp));
    expect(steps).not.toEqual(ramp);
  });

  test('every share is accounted for, and the interval holds the share', async () => {
    for (const { deciders } of await findings(released(), [GOOD, BROKEN, SLOW])) {
      for (const { promoted, stopped, ended, held, undecided, alarms, alarmInterval } of deciders) {
        expect(promoted + stopped + ended + held + undecided).toBeCloseTo(1, 12);
        expect(alarmInterval.low).toBeLessThanOrEqual(alarms / 4);
        expect(alarmInterval.high).toBeGreaterThanOrEqual(alarms / 4);
      }
    }
  });

  test('a total failure, by the rules of the others: ten failed checks of a minute; four of them', async () => {
    const [finding] = await findings(released(), [BROKEN]);
    expect(finding?.deciders.map(({ name, secondsToStop }) => [name, secondsToStop.median]).slice(1)).toEqual([
      ['Flagger', 660],
      ['Argo', 240],
    ]);
  });
});
