/**
 * A simulation in pieces that a worker thread can do one at a time: a range of runs of one version. The outcome depends on the piece only, so the
 * number of threads changes nothing but the time.
 *
 * Run r sees the same requests whatever the version and whoever decides (common random numbers), so differences are not noise.
 */
import { normalQuantile } from '../stats/normal.ts';
import { Argo, ARGO_DOCS } from './argo.ts';
import { Flagger, FLAGGER_DOCS } from './flagger.ts';
import { lognormalSteps, shareAboveP99, stepsOfFactor } from './latency.ts';
import type { Method } from './method.ts';
import { type Question, tickOf, type Version } from './question.ts';
import { runMethods } from './run-methods.ts';
import { Release } from './release.ts';
import { Requests } from './requests.ts';
import { Rng, seedOf } from './rng.ts';
import { addResult, newTally, type Tally } from './tally.ts';
import { drawUsers } from './users.ts';
import type { Course, World } from './world.ts';

/** Who decides, in the order of the tallies. */
export const DECIDERS = ['Serin', 'Flagger', 'Argo'] as const;

export interface Task {
  readonly question: Question;
  /** Which of its versions. */
  readonly version: number;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

export interface TaskOutcome {
  readonly version: number;
  readonly from: number;
  /** One a decider. */
  readonly tallies: readonly Tally[];
}

export function perform({ question, version: index, from, to }: Task): TaskOutcome {
  const { spec, name, seed, traffic } = question;
  const version = question.versions[index] ?? { title: '', failing: traffic.failing, slower: 1 };
  const course = courseOf(question, version);
  const requests = new Requests();
  const tallies = DECIDERS.map(newTally);
  for (let run = from; run < to; run++) {
    const rng = new Rng(seedOf(0, run, seed));
    const world = worldOf(question, version, rng);
    const methods: Method[] = [new Release(spec, name, course.tickS, world.users), new Flagger(FLAGGER_DOCS), new Argo(ARGO_DOCS)];
    for (const [i, result] of runMethods(requests, rng, course, world, methods).entries()) {
      const tally = tallies[i];
      if (tally !== undefined) addResult(tally, result);
    }
  }
  return { version: index, from, tallies };
}

function courseOf({ traffic, horizonS }: Question, { failing, slower }: Version): Course {
  const sigma = Math.log(traffic.p99Ms / traffic.p50Ms) / normalQuantile(0.99);
  const stepOfDraw = lognormalSteps(traffic.p50Ms, sigma);
  const moreFailing = failing - traffic.failing;
  const moreSlow = shareAboveP99(stepOfDraw, stepsOfFactor(slower), 0) - shareAboveP99(stepOfDraw, 0, 0);
  const excess = moreFailing + (1 - failing) * moreSlow;
  return { tickS: tickOf(traffic), horizonS, beforeS: 0, deliveredShare: 1, tailOnly: false, stepOfDraw, excess: () => excess };
}

function worldOf({ spec, traffic, users }: Question, version: Version, rng: Rng): World {
  const { ratePerS, failing } = traffic;
  const canarySlower = stepsOfFactor(version.slower);
  const people = spec.assignment?.by === 'user' ? { users: drawUsers(rng, users, () => ({ failing, slower: 0 })) } : {};
  return {
    ...people,
    at: (_seconds, weather) => {
      weather.ratePerS = ratePerS;
      weather.stableFailing = failing;
      weather.canaryFailing = version.failing;
      weather.sharedSlower = 0;
      weather.canarySlower = canarySlower;
    },
  };
}
